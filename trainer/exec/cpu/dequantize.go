package cpu

import "hone/trainer/exec"

// A dequantizeJob is cut over whole blocks; of panels, over panels.
type dequantizeJob[T float] struct {
	dt     exec.DType
	form   exec.Form
	blocks []byte
	y      []T
	n, k   int // of a matrix in panels: outputs and inputs
}

const dequantizeElems = 4096 // of a chunk: whole blocks

func (j *dequantizeJob[T]) chunk(i, _ int) {
	if j.form != exec.Rows {
		j.panel(i)
		return
	}
	y := j.y[i*dequantizeElems : min(len(j.y), (i+1)*dequantizeElems)]
	blocks := j.blocks[j.dt.Bytes(i*dequantizeElems):][:j.dt.Bytes(len(y))]
	if isF32[T]() {
		exec.Dequantize(j.dt, cast[float32](y), blocks)
		return
	}
	var part [64]float32
	for at := 0; at < len(y); at += len(part) {
		p := part[:min(len(part), len(y)-at)]
		exec.Dequantize(j.dt, p, blocks[j.dt.Bytes(at):][:j.dt.Bytes(len(p))])
		for k, v := range p {
			y[at+k] = T(v)
		}
	}
}

// panel writes panel i as rows.
func (j *dequantizeJob[T]) panel(i int) {
	size := j.dt.Bytes(panelSide)
	cols := min(panelSide, j.n-i*panelSide)
	along, across := 1, j.k
	if j.form == exec.PanelsT {
		along, across = j.n, 1
	}
	var part [panelSide]float32
	for k := range j.k {
		widen(j.dt, part[:], j.blocks[(i*j.k+k)*size:][:size])
		at := i*panelSide*across + k*along
		for q, v := range part[:cols] {
			j.y[at+q*across] = T(v)
		}
	}
}

// dequantize: w -> y, in w's shape.
func dequantize[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 2); err != nil {
		return err
	}
	w, err := bufferOf(args[0].Buffer)
	if err != nil {
		return err
	}
	a := args[0]
	j := &js.dequantize
	*j = dequantizeJob[T]{dt: a.DType, form: a.Form, blocks: w.bytes, y: view[T](args[1])}
	parts := chunks(len(j.y), dequantizeElems)
	if a.Form != exec.Rows {
		if len(a.Shape) != 2 || a.DType.Quantized() {
			return mismatch(in, args)
		}
		j.n, j.k = a.Form.Sizes(a.Shape)
		parts = panelsOf(j.n)
	}
	if len(j.y) != exec.Rows.Elems(a.Shape) || len(j.blocks) != j.dt.Bytes(a.Form.Elems(a.Shape)) || a.Form == exec.Rows && (!j.dt.Stored() || len(j.y)%j.dt.Block() != 0) {
		return mismatch(in, args)
	}
	d.pool.run(parts, j)
	*j = dequantizeJob[T]{}
	return nil
}

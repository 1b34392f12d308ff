package cpu

import "hone/trainer/exec"

// A dequantizeJob is cut over whole blocks.
type dequantizeJob[T float] struct {
	dt     exec.DType
	blocks []byte
	y      []T
}

const dequantizeElems = 4096 // of a chunk: whole blocks

func (j *dequantizeJob[T]) chunk(i, _ int) {
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

// dequantize: w -> y, in w's shape.
func dequantize[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 2); err != nil {
		return err
	}
	w, err := bufferOf(args[0].Buffer)
	if err != nil {
		return err
	}
	j := &js.dequantize
	*j = dequantizeJob[T]{dt: args[0].DType, blocks: w.bytes, y: view[T](args[1])}
	if !j.dt.Quantized() || len(j.y)%j.dt.Block() != 0 || len(j.blocks) != j.dt.Bytes(len(j.y)) {
		return mismatch(in, args)
	}
	d.pool.run(chunks(len(j.y), dequantizeElems), j)
	*j = dequantizeJob[T]{}
	return nil
}

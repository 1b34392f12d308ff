package cpu

import "hone/trainer/exec"

// A rowsJob goes over the rows of a matrix: x + b, or the transposed matrix.
type rowsJob[T float] struct {
	k       *kernels
	op      exec.Op
	x, b, y []T
	rows, c int
	rowsPer int
}

func (j *rowsJob[T]) chunk(i, _ int) {
	for r := i * j.rowsPer; r < min(j.rows, (i+1)*j.rowsPer); r++ {
		x := j.x[r*j.c : (r+1)*j.c]
		if j.op == exec.OpAddBias {
			addTo(j.k, j.y[r*j.c:(r+1)*j.c], x, j.b)
			continue
		}
		for c, v := range x {
			j.y[c*j.rows+r] = v
		}
	}
}

// addBias: x(R,C), bias(C) -> y(R,C); transpose: x(R,C) -> y(C,R).
func overRows[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	n := map[bool]int{true: 3, false: 2}[in.Op == exec.OpAddBias]
	if err := operands(in, args, n); err != nil {
		return err
	}
	r, c, y0, y1, err := sizesOf(in, args, 0, n-1)
	if err != nil {
		return err
	}
	j := &js.overRows
	*j = rowsJob[T]{k: d.kern, op: in.Op, x: view[T](args[0]), y: view[T](args[n-1]), rows: r, c: c, rowsPer: rowsPerChunk(c)}
	fits := y0 == c && y1 == r
	if in.Op == exec.OpAddBias {
		j.b = view[T](args[1])
		fits = y0 == r && y1 == c && len(j.b) == c
	}
	if !fits || len(j.x) != r*c || len(j.y) != r*c {
		return mismatch(in, args)
	}
	d.pool.run(chunks(r, j.rowsPer), j)
	*j = rowsJob[T]{}
	return nil
}

package cpu

import (
	"fmt"

	"hone/trainer/exec"
)

// A rememberJob puts a memory before each sequence, and keeps the last rows of the two together. It is cut over sequences.
type rememberJob[T float] struct {
	from, to, x, y []T
	m, t, c        int
}

func (j *rememberJob[T]) chunk(i, _ int) {
	m, t := j.m*j.c, j.t*j.c
	y := j.y[i*(m+t) : (i+1)*(m+t)]
	copy(y, j.from[i*m:(i+1)*m])
	copy(y[m:], j.x[i*t:(i+1)*t])
	copy(j.to[i*m:(i+1)*m], y[t:])
}

// remember: memory(N,B,M,C), slots(2), x(B·T,C) -> y(B·(M+T),C), memory.
func remember[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	rows, c, err := rowsCols(in, args, 2)
	if err != nil {
		return err
	}
	memory, after, slots, shape := view[T](args[0]), view[T](args[4]), view[int32](args[1]), args[0].Shape
	if len(shape) != 4 || shape[3] != c || rows%shape[1] != 0 || len(slots) != 2 {
		return mismatch(in, args)
	}
	n, b, m := shape[0], shape[1], shape[2]
	size := b * m * c
	j := &js.remember
	*j = rememberJob[T]{x: view[T](args[2]), y: view[T](args[3]), m: m, t: rows / b, c: c}
	if len(memory) != n*size || len(after) != n*size || len(j.x) != rows*c || len(j.y) != rows*c+size {
		return mismatch(in, args)
	}
	from, to := int(slots[0]), int(slots[1])
	if from == to || min(from, to) < 0 || max(from, to) >= n {
		return fmt.Errorf("cpu: %v %s: from memory %d to %d; want two of %d", in.Op, in.Note, from, to, n)
	}
	j.from, j.to = memory[from*size:(from+1)*size], after[to*size:(to+1)*size]
	d.pool.run(b, j)
	*j = rememberJob[T]{}
	return nil
}

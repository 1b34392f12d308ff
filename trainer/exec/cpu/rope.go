package cpu

import (
	"fmt"
	"math"

	"hone/trainer/exec"
)

// A rotationsJob fills the table of cosines and sines, cut over rows.
type rotationsJob[T float] struct {
	positions []int32
	freqs     []float64
	scale     float64
	table     []T
}

func (j *rotationsJob[T]) chunk(i, _ int) {
	half := len(j.freqs)
	n := rowsPerChunk(16 * half) // a cosine and a sine take as long as some sixteen elements
	for r := i * n; r < min(len(j.positions), (i+1)*n); r++ {
		cos, sin := j.table[2*r*half:][:half], j.table[(2*r+1)*half:][:half]
		p := float64(max(0, j.positions[r]))
		for k, f := range j.freqs {
			s, c := math.Sincos(p * f)
			cos[k], sin[k] = T(c*j.scale), T(s*j.scale)
		}
	}
}

// rotations: positions(R) -> table(R,D).
func rotations[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 2); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 1)
	if err != nil {
		return err
	}
	j := &js.rotations
	*j = rotationsJob[T]{positions: view[int32](args[0]), freqs: in.Attrs.Frequencies, scale: in.Attrs.Scale, table: view[T](args[1])}
	if args[0].DType != exec.I32 || !(j.scale > 0) || len(j.positions) != r || len(j.table) != r*c || c != 2*len(j.freqs) {
		return mismatch(in, args)
	}
	d.pool.run(chunks(r, rowsPerChunk(8*c)), j)
	*j = rotationsJob[T]{}
	return nil
}

// A ropeJob turns heads, cut over rows.
type ropeJob[T float] struct {
	k           *kernels
	x, table, y []T
	rows, w     int
	heads, half int
	sign        T    // of the sines
	apart       bool // y is not x
}

func (j *ropeJob[T]) chunk(i, _ int) {
	n := rowsPerChunk(j.w)
	d := 2 * j.half
	for r := i * n; r < min(j.rows, (i+1)*n); r++ {
		x, y := j.x[r*j.w:(r+1)*j.w], j.y[r*j.w:(r+1)*j.w]
		turn(j.k, y[:j.heads*d], x[:j.heads*d], j.table[r*d:(r+1)*d], j.sign)
		if j.apart {
			copy(y[j.heads*d:], x[j.heads*d:])
		}
	}
}

// turn sets each head (a, b) of dst, two halves, to (a·cos - b·sign·sin, b·cos + a·sign·sin). dst may be x.
func turn[T float](k *kernels, dst, x, table []T, sign T) {
	half := len(table) / 2
	if isF32[T]() && k.rope != nil && len(dst) > 0 {
		k.rope(len(dst)/len(table), half, f32(dst), f32(x), f32(table), float32(sign))
		return
	}
	cos, sin := table[:half], table[half:]
	for at := 0; at < len(dst); at += 2 * half {
		a, b := x[at:][:half], x[at+half:][:half]
		p, q := dst[at:][:half], dst[at+half:][:half]
		for i, c := range cos {
			s := T(sin[i] * sign)
			u, v := a[i], b[i]
			p[i] = T(u*c) - T(v*s)
			q[i] = T(v*c) + T(u*s)
		}
	}
}

// rope: x(R,W), table(R,D) -> y(R,W).
func rope[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	r, w, r1, c, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	j := &js.rope
	*j = ropeJob[T]{
		k: d.kern, x: view[T](args[0]), table: view[T](args[1]), y: view[T](args[2]),
		rows: r, w: w, heads: in.Attrs.Heads, half: c / 2, sign: 1,
	}
	if in.Attrs.Inverse {
		j.sign = -1
	}
	if r1 != r || c == 0 || c%2 != 0 || len(j.x) != r*w || len(j.y) != r*w || len(j.table) != r*c {
		return mismatch(in, args)
	}
	if j.heads < 0 || j.heads*c > w {
		return fmt.Errorf("cpu: %v %s: %d heads of %d columns do not fit into %d", in.Op, in.Note, j.heads, c, w)
	}
	j.apart = len(j.x) > 0 && &j.x[0] != &j.y[0]
	d.pool.run(chunks(r, rowsPerChunk(w)), j)
	*j = ropeJob[T]{}
	return nil
}

package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A blendJob sets dst = c·a + d·b, cut over elements.
type blendJob[T float] struct {
	k         *kernels
	dst, a, b []T
	c, d      T
}

func (j *blendJob[T]) chunk(i, _ int) {
	lo := i * elemChunk
	hi := min(len(j.dst), lo+elemChunk)
	combine(j.k, j.dst[lo:hi], j.a[lo:hi], j.b[lo:hi], j.c, j.d)
}

func (j *blendJob[T]) start(d *Device, c, e float64) {
	j.k, j.c, j.d = d.kern, T(c), T(e)
	d.pool.run(chunks(len(j.dst), elemChunk), j)
	*j = blendJob[T]{}
}

// trustUpdate: p, u (n), scalars(3), norm2(1), psum(1), usum(1) -> p: a step whose length is in proportion to the norm of
// the parameter.
func trustUpdate[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 7); err != nil {
		return err
	}
	j := &js.blend
	*j = blendJob[T]{a: view[T](args[0]), b: view[T](args[1]), dst: view[T](args[6])}
	s, ok := stepOf(in, args[2], args[3])
	psum, usum := view[float64](args[4]), view[float64](args[5])
	n := len(j.dst)
	if !ok || len(j.a) != n || len(j.b) != n || len(psum) != 1 || len(usum) != 1 || args[4].DType != exec.F64 || args[5].DType != exec.F64 {
		return mismatch(in, args)
	}
	if !s.finite {
		*j = blendJob[T]{}
		return nil
	}
	p, u := math.Sqrt(psum[0]), math.Sqrt(usum[0])
	if in.Op == exec.OpLAMBUpdate {
		ratio := 1.0
		if p > 0 && u > 0 {
			ratio = p / u
		}
		j.start(d, 1, -s.lr*ratio)
		return nil
	}
	root := math.Sqrt(float64(max(1, n)))
	size := min(s.lr, 1/math.Sqrt(s.update)) * max(1e-3, p/root) / max(1, u/root)
	j.start(d, 1-float64(s.lr*in.Attrs.WeightDecay), -size)
	return nil
}

// ema: a, p (n), scalars(3), norm2(1) -> a.
func ema[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	j := &js.blend
	*j = blendJob[T]{a: view[T](args[0]), b: view[T](args[1]), dst: view[T](args[4])}
	s, ok := stepOf(in, args[2], args[3])
	if !ok || len(j.a) != len(j.dst) || len(j.b) != len(j.dst) {
		return mismatch(in, args)
	}
	switch beta := in.Attrs.Beta1; {
	case !s.finite:
		*j = blendJob[T]{}
	case s.update == 1:
		j.start(d, 0, 1)
	default:
		j.start(d, beta, 1-beta)
	}
	return nil
}

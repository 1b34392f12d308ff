package cpu

import (
	"math"

	"hone/trainer/exec"
)

// An adamWJob is cut over elements.
type adamWJob[T float] struct {
	k          *kernels
	p, g, m, v []T
	from       []T // copied to p first, if there
	clip       T   // the gradient's factor
	decay      T   // 1 - lr·weight decay
	m1, b2, v1 T   // 1-β1, β2, 1-β2
	size       T   // lr/(1-β1^step)
	invRoot    T   // 1/√(1-β2^step)
	eps        T
}

func (j *adamWJob[T]) chunk(i, _ int) {
	lo := i * elemChunk
	hi := min(len(j.p), lo+elemChunk)
	p := j.p[lo:hi]
	g, m, v := j.g[lo:hi][:len(p)], j.m[lo:hi][:len(p)], j.v[lo:hi][:len(p)]
	if j.from != nil {
		copy(p, j.from[lo:hi])
	}
	if k := j.k; isF32[T]() && k.adamW != nil {
		k.adamW(len(p), f32(p), f32(g), f32(m), f32(v), float32(j.clip), float32(j.decay), float32(j.m1), float32(j.b2), float32(j.v1),
			float32(j.size), float32(j.invRoot), float32(j.eps))
		return
	}
	clip, decay, m1, b2, v1, size, invRoot, eps := j.clip, j.decay, j.m1, j.b2, j.v1, j.size, j.invRoot, j.eps
	for k := range p {
		gk := T(g[k] * clip)
		mk := m[k] + T((gk-m[k])*m1) // torch's lerp
		vk := T(v[k]*b2) + T(T(gk*gk)*v1)
		m[k], v[k] = mk, vk
		den := T(T(math.Sqrt(float64(vk)))*invRoot) + eps
		p[k] = T(p[k]*decay) - T(size*(mk/den))
	}
}

// adamW: p, g, m, v (n), scalars(3) = {lr, step, clip}, norm2(1) -> p, m, v, in place.
func adamW[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 9); err != nil {
		return err
	}
	j := &js.adamW
	*j = adamWJob[T]{k: d.kern, p: view[T](args[0]), g: view[T](args[1]), m: view[T](args[2]), v: view[T](args[3])}
	s, ok := stepOf(in, args[4], args[5])
	n := len(j.p)
	if !ok || len(j.g) != n || len(j.m) != n || len(j.v) != n {
		return mismatch(in, args)
	}
	if !s.finite {
		*j = adamWJob[T]{}
		return nil
	}
	j.decay = T(1 - float64(s.lr*in.Attrs.WeightDecay))
	j.size = T(s.lr / (1 - math.Pow(in.Attrs.Beta1, s.update)))
	j.start(d, &in.Attrs, s)
	return nil
}

// start runs the job, whose decay and size are set.
func (j *adamWJob[T]) start(d *Device, a *exec.Attrs, s step) {
	j.clip = T(s.clip)
	j.m1, j.b2, j.v1 = T(1-a.Beta1), T(a.Beta2), T(1-a.Beta2)
	j.invRoot = T(1 / math.Sqrt(1-math.Pow(a.Beta2, s.update)))
	j.eps = T(a.Eps)
	d.pool.run(chunks(len(j.p), elemChunk), j)
	*j = adamWJob[T]{}
}

// lambDirection: p, g, m, v (n), scalars(3), norm2(1) -> m, v, u(n). It is AdamW's step with a rate of -1, starting
// from WeightDecay·p.
func lambDirection[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 9); err != nil {
		return err
	}
	j := &js.adamW
	*j = adamWJob[T]{k: d.kern, from: view[T](args[0]), g: view[T](args[1]), m: view[T](args[2]), v: view[T](args[3]), p: view[T](args[8])}
	s, ok := stepOf(in, args[4], args[5])
	n := len(j.p)
	if !ok || len(j.from) != n || len(j.g) != n || len(j.m) != n || len(j.v) != n {
		return mismatch(in, args)
	}
	if !s.finite {
		clear(j.p)
		*j = adamWJob[T]{}
		return nil
	}
	j.decay = T(in.Attrs.WeightDecay)
	j.size = T(-1 / (1 - math.Pow(in.Attrs.Beta1, s.update)))
	j.start(d, &in.Attrs, s)
	return nil
}

package cpu

import (
	"math"

	"hone/trainer/exec"
)

// An adamWJob is cut over elements.
type adamWJob[T float] struct {
	p, g, m, v []T
	clip       T // the gradient's factor
	decay      T // 1 - lr·weight decay
	m1, b2, v1 T // 1-β1, β2, 1-β2
	size       T // lr/(1-β1^step)
	invRoot    T // 1/√(1-β2^step)
	eps        T
}

func (j *adamWJob[T]) chunk(i, _ int) {
	lo := i * elemChunk
	hi := min(len(j.p), lo+elemChunk)
	p := j.p[lo:hi]
	g, m, v := j.g[lo:hi][:len(p)], j.m[lo:hi][:len(p)], j.v[lo:hi][:len(p)]
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
	*j = adamWJob[T]{p: view[T](args[0]), g: view[T](args[1]), m: view[T](args[2]), v: view[T](args[3])}
	scalars := view[float64](args[4])
	n := len(j.p)
	if len(j.g) != n || len(j.m) != n || len(j.v) != n || len(scalars) != 3 || args[4].DType != exec.F64 {
		return mismatch(in, args)
	}
	lr, step, clip := scalars[0], scalars[1], scalars[2]
	a := &in.Attrs
	norm2 := view[float64](args[5])
	if len(norm2) != 1 || args[5].DType != exec.F64 {
		return mismatch(in, args)
	}
	if math.IsNaN(norm2[0]) || math.IsInf(norm2[0], 0) {
		*j = adamWJob[T]{}
		return nil
	}
	scale := 1.0
	if clip > 0 {
		if s := clip / math.Sqrt(norm2[0]); s < 1 {
			scale = s
		}
	}
	j.clip = T(scale)
	j.decay = T(1 - float64(lr*a.WeightDecay))
	j.m1, j.b2, j.v1 = T(1-a.Beta1), T(a.Beta2), T(1-a.Beta2)
	j.size = T(lr / (1 - math.Pow(a.Beta1, step)))
	j.invRoot = T(1 / math.Sqrt(1-math.Pow(a.Beta2, step)))
	j.eps = T(a.Eps)
	d.pool.run(chunks(n, elemChunk), j)
	*j = adamWJob[T]{}
	return nil
}

package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A momentumJob is SGD or Lion, cut over elements.
type momentumJob[T float] struct {
	op      exec.Op
	p, g, m []T
	clip    T // the gradient's factor
	lr      T
	decay   T // SGD: weight decay; Lion: 1 - lr·weight decay
	beta    T // SGD: of the momentum
	m1, m2  T // Lion: 1-β1, 1-β2
}

func (j *momentumJob[T]) chunk(i, _ int) {
	lo := i * elemChunk
	hi := min(len(j.p), lo+elemChunk)
	p := j.p[lo:hi]
	g, m := j.g[lo:hi][:len(p)], j.m[lo:hi][:len(p)]
	clip, lr, decay := j.clip, j.lr, j.decay
	if j.op == exec.OpSGD {
		beta := j.beta
		for k, w := range p {
			mk := T(m[k]*beta) + (T(g[k]*clip) + T(w*decay))
			m[k] = mk
			p[k] = w - T(lr*mk)
		}
		return
	}
	m1, m2, wide := j.m1, j.m2, float64(lr)
	for k, w := range p {
		gk, mk := T(g[k]*clip), m[k]
		u := mk + T((gk-mk)*m1) // torch's lerp
		m[k] = mk + T((gk-mk)*m2)
		w = T(w * decay)
		if u != 0 { // nearly always; the sign itself cannot be predicted
			w -= T(math.Copysign(wide, float64(u)))
		}
		p[k] = w
	}
}

// momentum: p, g, m (n), scalars(3), norm2(1) -> p, m, in place.
func momentum[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 7); err != nil {
		return err
	}
	j := &js.momentum
	*j = momentumJob[T]{op: in.Op, p: view[T](args[0]), g: view[T](args[1]), m: view[T](args[2])}
	s, ok := stepOf(in, args[3], args[4])
	n := len(j.p)
	if !ok || len(j.g) != n || len(j.m) != n {
		return mismatch(in, args)
	}
	if s.finite {
		a := &in.Attrs
		j.clip, j.lr, j.beta, j.m1, j.m2 = T(s.clip), T(s.lr), T(a.Beta1), T(1-a.Beta1), T(1-a.Beta2)
		j.decay = T(a.WeightDecay)
		if in.Op == exec.OpLion {
			j.decay = T(1 - float64(s.lr*a.WeightDecay))
		}
		d.pool.run(chunks(n, elemChunk), j)
	}
	*j = momentumJob[T]{}
	return nil
}

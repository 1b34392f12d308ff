package optim

import (
	"fmt"

	"hone/trainer/exec"
)

// adamW is AdamW (Loshchilov & Hutter 2019, algorithm 2), as torch.optim.AdamW, for
// the parameters that own picks among the trainable ones. The moments lie in the state
// arena: m at its parameter's offset of the gradient arena; v from GradBytes on, without
// gaps for parameters of others.
type adamW struct {
	cfg Config
	own func(p *exec.ParamInfo) bool
}

func newAdamW(cfg Config) *adamW {
	return &adamW{cfg, func(p *exec.ParamInfo) bool { return p.Trainable }}
}

func (o *adamW) Bytes(l *exec.Layout) int {
	n := l.GradBytes()
	for _, r := range o.ranges(l) {
		n += alignUp(r.elems * l.DType.Size())
	}
	return n
}

func (o *adamW) State(l *exec.Layout) []Tensor {
	var first, second []Tensor
	for _, r := range o.ranges(l) {
		for _, p := range r.params {
			first = append(first, Tensor{Name: "exp_avg." + p.Name, DType: l.DType, Shape: p.Shape, Offset: p.Offset})
			second = append(second, Tensor{Name: "exp_avg_sq." + p.Name, DType: l.DType, Shape: p.Shape, Offset: r.second + p.Offset - r.offset})
		}
	}
	return append(first, second...)
}

func (o *adamW) Update(b *exec.Builder, l *exec.Layout) { o.emit(b, l, declare(b, l)) }

// inputs are what every update reads.
type inputs struct{ scalars, norm2 exec.ID }

// declare adds the scalars, and the gradient's norm.
func declare(b *exec.Builder, l *exec.Layout) inputs {
	in := inputs{b.Input("scalars", exec.F64, 3), b.Scratch("norm2", exec.F64, 1)}
	b.Emit(exec.OpSumSquares, []exec.ID{wholeGrad(b, l)}, []exec.ID{in.norm2}, exec.Attrs{}, "grad")
	b.Output("norm2", in.norm2)
	return in
}

func (o *adamW) emit(b *exec.Builder, l *exec.Layout, in inputs) {
	for i, r := range o.ranges(l) {
		at := func(name string, c exec.Class, offset int) exec.ID {
			return b.At(fmt.Sprintf("%s.%d", name, i), c, offset, l.DType, r.elems)
		}
		p, g := at("param", exec.Param, r.offset), at("grad", exec.Grad, r.offset)
		m, v := at("exp_avg", exec.State, r.offset), at("exp_avg_sq", exec.State, r.second)
		note := r.params[0].Name
		if n := len(r.params); n > 1 {
			note += "…" + r.params[n-1].Name
		}
		b.Emit(exec.OpAdamW, []exec.ID{p, g, m, v, in.scalars, in.norm2}, []exec.ID{p, m, v}, exec.Attrs{
			Beta1: o.cfg.Beta1, Beta2: o.cfg.Beta2, Eps: o.cfg.Eps, WeightDecay: r.decay,
		}, note)
	}
}

// A span is a run of adjacent parameters with one weight decay. The padding between
// them goes along: it is zero in every arena, and AdamW leaves an element with
// p = g = m = v = 0 at zero.
type span struct {
	params        []exec.ParamInfo
	offset, elems int // of the param and grad arenas
	second        int // offset of v in the state arena
	decay         float64
}

func (o *adamW) ranges(l *exec.Layout) []span {
	var spans []span
	size, second := l.DType.Size(), l.GradBytes()
	open := false // the parameter before belongs to the last span
	for i := range l.Params {
		p := &l.Params[i]
		if p.Elems == 0 {
			continue
		}
		// One that is frozen or another's must not be stepped over.
		if !o.own(p) {
			open = false
			continue
		}
		decay := 0.0
		if p.Decay {
			decay = o.cfg.WeightDecay
		}
		if !open || spans[len(spans)-1].decay != decay {
			if n := len(spans); n > 0 {
				second += alignUp(spans[n-1].elems * size)
			}
			spans = append(spans, span{offset: p.Offset, second: second, decay: decay})
			open = true
		}
		s := &spans[len(spans)-1]
		s.params = append(s.params, *p)
		s.elems = (p.Offset-s.offset)/size + p.Elems
	}
	return spans
}

// alignUp is where the next thing may start in an arena.
func alignUp(bytes int) int { return (bytes + 63) &^ 63 }

// wholeGrad is the gradient arena as one vector, padding included.
func wholeGrad(b *exec.Builder, l *exec.Layout) exec.ID {
	return b.At("grad", exec.Grad, 0, l.DType, l.GradBytes()/l.DType.Size())
}

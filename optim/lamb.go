package optim

import (
	"slices"

	"hone/trainer/exec"
)

// lamb is LAMB (You et al. 2020, algorithm 2): AdamW's direction, scaled for each
// parameter to the size of its weights. Biases and norms, which have no weight decay,
// are AdamW's: its authors' code leaves them out of the scaling.
//
// In the state arena, exp_avg lies at the offset that its parameter has in the gradient
// arena; exp_avg_sq follows the state of all parameters.
type lamb struct {
	cfg  Config
	rest adamW
}

func newLAMB(cfg Config) *lamb {
	return &lamb{cfg, adamW{cfg, func(p *exec.ParamInfo) bool { return p.Trainable && !scaled(p) }}}
}

// scaled reports whether LAMB, not AdamW, updates a parameter.
func scaled(p *exec.ParamInfo) bool { return p.Trainable && p.Decay && p.Elems > 0 }

// second is the offset of exp_avg_sq in the state arena: after the state of the rest.
func (o *lamb) second(l *exec.Layout) int { return o.rest.bytes(l) }

func (o *lamb) bytes(l *exec.Layout) int {
	n := o.second(l)
	for i := range l.Params {
		if p := &l.Params[i]; scaled(p) {
			n += alignUp(p.Elems * l.DType.Size())
		}
	}
	return n
}

func (o *lamb) state(l *exec.Layout) []Tensor {
	ts := o.rest.state(l)
	at := o.second(l)
	for i := range l.Params {
		if p := &l.Params[i]; scaled(p) {
			ts = append(ts, Tensor{Name: "exp_avg." + p.Name, DType: l.DType, Shape: p.Shape, Offset: p.Offset},
				Tensor{Name: "exp_avg_sq." + p.Name, DType: l.DType, Shape: p.Shape, Offset: at})
			at += alignUp(p.Elems * l.DType.Size())
		}
	}
	slices.SortFunc(ts, func(a, b Tensor) int { return a.Offset - b.Offset })
	return ts
}

func (o *lamb) emit(b *exec.Builder, l *exec.Layout, in inputs) {
	o.rest.emit(b, l, in)
	second := o.second(l)
	for i := range l.Params {
		p := &l.Params[i]
		if !scaled(p) {
			continue
		}
		at := func(name string, c exec.Class, offset int) exec.ID {
			return b.At(name+"."+p.Name, c, offset, l.DType, p.Elems)
		}
		w, g := at("param", exec.Param, p.Offset), at("grad", exec.Grad, p.Offset)
		m, v := at("exp_avg", exec.State, p.Offset), at("exp_avg_sq", exec.State, second)
		u := b.Scratch("direction", l.DType, p.Elems)
		b.Emit(exec.OpLAMBDirection, []exec.ID{w, g, m, v, in.scalars, in.norm2}, []exec.ID{m, v, u}, exec.Attrs{
			Beta1: o.cfg.Beta1, Beta2: o.cfg.Beta2, Eps: o.cfg.Eps, WeightDecay: o.cfg.WeightDecay,
		}, p.Name)
		trust(b, exec.OpLAMBUpdate, w, u, in, exec.Attrs{Rate: o.cfg.rate(p)}, p.Name)
		second += alignUp(p.Elems * l.DType.Size())
	}
}

// trust emits a step of w along u whose length depends on the norms of both.
func trust(b *exec.Builder, op exec.Op, w, u exec.ID, in inputs, a exec.Attrs, note string) {
	norm2 := func(name string, x exec.ID) exec.ID {
		n := b.Scratch("norm2."+name, exec.F64, 1)
		b.Emit(exec.OpSumSquares, []exec.ID{x}, []exec.ID{n}, exec.Attrs{}, note)
		return n
	}
	b.Emit(op, []exec.ID{w, u, in.scalars, in.norm2, norm2("param", w), norm2("direction", u)}, []exec.ID{w}, a, note)
}

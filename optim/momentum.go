package optim

import "hone/trainer/exec"

// momentum is an optimiser with one state tensor per parameter: SGD with momentum, as
// torch.optim.SGD (where weight decay is part of the gradient), or Lion (Chen et al.
// 2023, algorithm 2). In the state arena a tensor lies at the offset that its parameter has
// in the gradient arena.
type momentum struct {
	op    exec.Op
	name  string // of the state
	attrs exec.Attrs
	cfg   Config
}

func newMomentum(cfg Config) *momentum {
	if cfg.Name == "sgd" {
		return &momentum{exec.OpSGD, "momentum_buffer", exec.Attrs{Beta1: cfg.Momentum}, cfg}
	}
	return &momentum{exec.OpLion, "exp_avg", exec.Attrs{Beta1: cfg.Beta1, Beta2: cfg.Beta2}, cfg}
}

func (o *momentum) bytes(l *exec.Layout) int { return l.GradBytes() }

func (o *momentum) state(l *exec.Layout) []Tensor {
	var ts []Tensor
	for _, p := range l.Params {
		if p.Trainable {
			ts = append(ts, Tensor{Name: o.name + "." + p.Name, DType: l.DType, Shape: p.Shape, Offset: p.Offset})
		}
	}
	return ts
}

func (o *momentum) emit(b *exec.Builder, l *exec.Layout, in inputs) {
	for i, r := range spans(l, trainable, &o.cfg) {
		p, g := r.at(b, l, "param", i, exec.Param, r.offset), r.at(b, l, "grad", i, exec.Grad, r.offset)
		m := r.at(b, l, o.name, i, exec.State, r.offset)
		a := o.attrs
		a.WeightDecay, a.Rate = r.decay, r.rate
		b.Emit(o.op, []exec.ID{p, g, m, in.scalars, in.norm2}, []exec.ID{p, m}, a, r.note())
	}
}

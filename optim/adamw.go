package optim

import "hone/trainer/exec"

// adamW is AdamW (Loshchilov & Hutter 2019, algorithm 2), as torch.optim.AdamW, for
// the parameters that own selects. The moments lie in the state arena: m at the offset
// that its parameter has in the gradient arena; v from GradBytes on, without gaps for the
// parameters that own does not select.
type adamW struct {
	cfg Config
	own func(p *exec.ParamInfo) bool
}

func newAdamW(cfg Config) *adamW { return &adamW{cfg, trainable} }

func trainable(p *exec.ParamInfo) bool { return p.Trainable }

func (o *adamW) bytes(l *exec.Layout) int {
	n := l.GradBytes()
	for _, r := range spans(l, o.own, &o.cfg) {
		n += r.bytes(l)
	}
	return n
}

func (o *adamW) state(l *exec.Layout) []Tensor {
	var first, second []Tensor
	at := l.GradBytes() // of v
	for _, r := range spans(l, o.own, &o.cfg) {
		for _, p := range r.params {
			first = append(first, Tensor{Name: "exp_avg." + p.Name, DType: l.DType, Shape: p.Shape, Offset: p.Offset})
			second = append(second, Tensor{Name: "exp_avg_sq." + p.Name, DType: l.DType, Shape: p.Shape, Offset: at + p.Offset - r.offset})
		}
		at += r.bytes(l)
	}
	return append(first, second...)
}

func (o *adamW) emit(b *exec.Builder, l *exec.Layout, in inputs) {
	second := l.GradBytes()
	for i, r := range spans(l, o.own, &o.cfg) {
		p, g := r.at(b, l, "param", i, exec.Param, r.offset), r.at(b, l, "grad", i, exec.Grad, r.offset)
		m, v := r.at(b, l, "exp_avg", i, exec.State, r.offset), r.at(b, l, "exp_avg_sq", i, exec.State, second)
		b.Emit(exec.OpAdamW, []exec.ID{p, g, m, v, in.scalars, in.norm2}, []exec.ID{p, m, v}, exec.Attrs{
			Beta1: o.cfg.Beta1, Beta2: o.cfg.Beta2, Eps: o.cfg.Eps, WeightDecay: r.decay, Rate: r.rate,
		}, r.note())
		second += r.bytes(l)
	}
}

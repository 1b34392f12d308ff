package optim

import (
	"fmt"

	"hone/trainer/exec"
)

// Averages reports whether an exponential moving average of the weights is kept, as
// torch.optim.swa_utils.AveragedModel keeps one. After the first step the average equals
// the weights.
func (o *Optimizer) Averages() bool { return o.cfg.EMADecay > 0 }

// average emits the update of the average, which follows the rule's state in the state
// arena, each parameter at the offset that it has in the gradient arena.
func (o *Optimizer) average(b *exec.Builder, l *exec.Layout, in inputs) {
	if !o.Averages() {
		return
	}
	base := o.rule.bytes(l)
	for i, r := range spans(l, trainable, new(Config)) {
		a, p := r.at(b, l, "average", i, exec.State, base+r.offset), r.at(b, l, "param", i, exec.Param, r.offset)
		b.Emit(exec.OpEMA, []exec.ID{a, p, in.scalars, in.norm2}, []exec.ID{a}, exec.Attrs{Beta1: o.cfg.EMADecay}, r.note())
	}
}

// averages lists the tensors of the average. A checkpoint holds the weights in their place,
// hence the names; see State.
func (o *Optimizer) averages(l *exec.Layout) []Tensor {
	if !o.Averages() {
		return nil
	}
	var ts []Tensor
	base := o.rule.bytes(l)
	for _, p := range l.Params {
		if p.Trainable {
			ts = append(ts, Tensor{Name: "weights." + p.Name, DType: l.DType, Shape: p.Shape, Offset: base + p.Offset})
		}
	}
	return ts
}

// Exchange emits the exchange of the trainable weights with their average. The first run
// puts the average into the model, to evaluate it or to save it; the next one restores the
// weights.
func (o *Optimizer) Exchange(b *exec.Builder, l *exec.Layout) {
	base := o.rule.bytes(l)
	for i := range l.Params {
		p := &l.Params[i]
		if !p.Trainable || p.Elems == 0 {
			continue
		}
		w := b.At(fmt.Sprintf("param.%d", i), exec.Param, p.Offset, l.DType, p.Elems)
		a := b.At(fmt.Sprintf("average.%d", i), exec.State, base+p.Offset, l.DType, p.Elems)
		x := b.Scratch("exchange", l.DType, p.Elems)
		b.Emit(exec.OpCopy, []exec.ID{w}, []exec.ID{x}, exec.Attrs{}, p.Name)
		b.Emit(exec.OpCopy, []exec.ID{a}, []exec.ID{w}, exec.Attrs{}, p.Name)
		b.Emit(exec.OpCopy, []exec.ID{x}, []exec.ID{a}, exec.Attrs{}, p.Name)
	}
}

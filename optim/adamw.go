package optim

import (
	"fmt"

	"hone/trainer/exec"
)

// adamW is AdamW (Loshchilov & Hutter 2019, algorithm 2), as torch.optim.AdamW. The
// moments m and v lie in the state arena, each at its parameter's offset of the
// gradient arena: m from 0, v from GradBytes on.
type adamW struct{ cfg Config }

func (o *adamW) Bytes(l *exec.Layout) int { return 2 * l.GradBytes() }

func (o *adamW) State(l *exec.Layout) []Tensor {
	var ts []Tensor
	for i, name := range []string{"exp_avg", "exp_avg_sq"} {
		for _, p := range l.Params {
			if p.Trainable {
				ts = append(ts, Tensor{
					Name: name + "." + p.Name, DType: l.DType, Shape: p.Shape,
					Offset: i*l.GradBytes() + p.Offset,
				})
			}
		}
	}
	return ts
}

func (o *adamW) Update(b *exec.Builder, l *exec.Layout) {
	scalars := b.Input("scalars", exec.F64, 3)
	norm2 := b.Scratch("norm2", exec.F64, 1)
	b.Emit(exec.OpSumSquares, []exec.ID{wholeGrad(b, l)}, []exec.ID{norm2}, exec.Attrs{}, "grad")
	b.Output("norm2", norm2)

	for i, r := range o.ranges(l) {
		at := func(name string, c exec.Class, offset int) exec.ID {
			return b.At(fmt.Sprintf("%s.%d", name, i), c, offset, l.DType, r.elems)
		}
		p, g := at("param", exec.Param, r.offset), at("grad", exec.Grad, r.offset)
		m := at("exp_avg", exec.State, r.offset)
		v := at("exp_avg_sq", exec.State, l.GradBytes()+r.offset)
		b.Emit(exec.OpAdamW, []exec.ID{p, g, m, v, scalars, norm2}, []exec.ID{p, m, v}, exec.Attrs{
			Beta1: o.cfg.Beta1, Beta2: o.cfg.Beta2, Eps: o.cfg.Eps, WeightDecay: r.decay,
		}, r.note)
	}
}

// A span is a run of adjacent trainable parameters with one weight decay. The
// padding between them goes along: it is zero in every arena, and AdamW leaves an
// element with p = g = m = v = 0 at zero.
type span struct {
	offset, elems int
	decay         float64
	note          string // first…last parameter
}

func (o *adamW) ranges(l *exec.Layout) []span {
	var spans []span
	first, end := "", 0
	for i, p := range l.Params {
		if !p.Trainable || p.Elems == 0 {
			continue
		}
		decay := 0.0
		if p.Decay {
			decay = o.cfg.WeightDecay
		}
		size := l.DType.Size()
		last := len(spans) - 1
		// A frozen parameter in between has no gradient: it must not be stepped over.
		if last < 0 || spans[last].decay != decay || !l.Params[i-1].Trainable {
			spans = append(spans, span{offset: p.Offset, decay: decay})
			first, last = p.Name, last+1
		}
		end = p.Offset + p.Elems*size
		spans[last].elems = (end - spans[last].offset) / size
		spans[last].note = first
		if first != p.Name {
			spans[last].note += "…" + p.Name
		}
	}
	return spans
}

// wholeGrad is the gradient arena as one vector, padding included.
func wholeGrad(b *exec.Builder, l *exec.Layout) exec.ID {
	return b.At("grad", exec.Grad, 0, l.DType, l.GradBytes()/l.DType.Size())
}

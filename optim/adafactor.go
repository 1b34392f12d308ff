package optim

import "hone/trainer/exec"

// adafactor is Adafactor (Shazeer & Stern 2018, algorithms 4 and 5, without momentum), as
// torch.optim.Adafactor. For a matrix it keeps only the means of the squared gradient over
// rows and over columns; a tensor of more dimensions is taken as a matrix of its first
// dimension and all others.
type adafactor struct{ cfg Config }

// means gives torch's names and the shapes of a parameter's state.
func means(p *exec.ParamInfo) (names []string, shapes [][]int) {
	if len(p.Shape) < 2 {
		return []string{"variance"}, [][]int{p.Shape}
	}
	return []string{"row_var", "col_var"}, [][]int{{p.Shape[0]}, {p.Elems / p.Shape[0]}}
}

func (o *adafactor) bytes(l *exec.Layout) int {
	n := 0
	for _, t := range o.state(l) {
		n += alignUp(elems(t.Shape) * l.DType.Size())
	}
	return n
}

func elems(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func (o *adafactor) state(l *exec.Layout) []Tensor {
	var ts []Tensor
	at := 0
	for i := range l.Params {
		p := &l.Params[i]
		if !p.Trainable || p.Elems == 0 {
			continue
		}
		names, shapes := means(p)
		for k, s := range shapes {
			ts = append(ts, Tensor{Name: names[k] + "." + p.Name, DType: l.DType, Shape: s, Offset: at})
			at += alignUp(elems(s) * l.DType.Size())
		}
	}
	return ts
}

func (o *adafactor) emit(b *exec.Builder, l *exec.Layout, in inputs) {
	state := o.state(l)
	for i := range l.Params {
		p := &l.Params[i]
		if !p.Trainable || p.Elems == 0 {
			continue
		}
		w, g := b.At("param."+p.Name, exec.Param, p.Offset, l.DType, p.Elems), b.At("grad."+p.Name, exec.Grad, p.Offset, l.DType, p.Elems)
		u := b.Scratch("direction", l.DType, p.Elems)
		mean := []exec.ID{exec.None, exec.None}
		names, _ := means(p)
		for k := range names {
			mean[k] = b.At(state[0].Name, exec.State, state[0].Offset, l.DType, state[0].Shape...)
			state = state[1:]
		}
		b.Emit(exec.OpAdafactorDirection, append([]exec.ID{g, in.scalars, in.norm2}, mean...), append(mean[:2:2], u),
			exec.Attrs{Eps: o.cfg.Eps}, p.Name)
		trust(b, exec.OpAdafactorUpdate, w, u, in, exec.Attrs{WeightDecay: decayOf(p, o.cfg.WeightDecay), Rate: o.cfg.rate(p)}, p.Name)
	}
}

package optim

import (
	"fmt"

	"hone/trainer/exec"
)

// A span is a run of adjacent parameters with one weight decay and one factor of the learning rate. It includes the padding
// between them: padding is zero in every arena, and an update of a span leaves an element
// at zero where weight, gradient and state are zero.
type span struct {
	params        []exec.ParamInfo
	offset, elems int // of the param and grad arenas
	decay, rate   float64
}

// spans lists the spans of the parameters that own selects.
func spans(l *exec.Layout, own func(p *exec.ParamInfo) bool, cfg *Config) []span {
	var list []span
	size := l.DType.Size()
	open := false // the parameter before belongs to the last span
	for i := range l.Params {
		p := &l.Params[i]
		if p.Elems == 0 {
			continue
		}
		// A span must not cover a parameter that is frozen or that another rule updates.
		if !own(p) {
			open = false
			continue
		}
		decay, rate := decayOf(p, cfg.WeightDecay), cfg.rate(p)
		if !open || list[len(list)-1].decay != decay || list[len(list)-1].rate != rate {
			list = append(list, span{offset: p.Offset, decay: decay, rate: rate})
			open = true
		}
		s := &list[len(list)-1]
		s.params = append(s.params, *p)
		s.elems = (p.Offset-s.offset)/size + p.Elems
	}
	return list
}

// decayOf is a parameter's weight decay: biases and norms have none.
func decayOf(p *exec.ParamInfo, weightDecay float64) float64 {
	if !p.Decay {
		return 0
	}
	return weightDecay
}

// at is the span as a tensor in an arena, at an offset in bytes.
func (s *span) at(b *exec.Builder, l *exec.Layout, name string, i int, c exec.Class, offset int) exec.ID {
	return b.At(fmt.Sprintf("%s.%d", name, i), c, offset, l.DType, s.elems)
}

// bytes is the size of the span, including the padding after it.
func (s *span) bytes(l *exec.Layout) int { return alignUp(s.elems * l.DType.Size()) }

// note gives the names of the first and the last parameter.
func (s *span) note() string {
	note := s.params[0].Name
	if n := len(s.params); n > 1 {
		note += "…" + s.params[n-1].Name
	}
	return note
}

// alignUp rounds a size in bytes up to the alignment of arenas.
func alignUp(bytes int) int { return (bytes + 63) &^ 63 }

// wholeGrad is the gradient arena as one vector, padding included.
func wholeGrad(b *exec.Builder, l *exec.Layout) exec.ID {
	return b.At("grad", exec.Grad, 0, l.DType, l.GradBytes()/l.DType.Size())
}

package recipes

import (
	"fmt"
	"strconv"
	"strings"
)

// embeddings is what freeze calls all that lies before the first layer.
const embeddings = "embeddings"

// A Frozen part of a model is its layers First to Last, counted from 0, or -1: what lies before them.
type Frozen struct{ First, Last int }

// Frozen lists the parts that a stage freezes.
func (s *Finetuning) Frozen() (list []Frozen, err error) {
	for _, part := range s.Freeze {
		if part == embeddings {
			list = append(list, Frozen{-1, -1})
			continue
		}
		span, ok := strings.CutPrefix(part, "layers:")
		first, last, several := strings.Cut(span, "-")
		if !several {
			last = first
		}
		a, err := strconv.Atoi(first)
		b, errb := strconv.Atoi(last)
		if !ok || err != nil || errb != nil || a < 0 || b < a {
			return nil, fmt.Errorf("%q is no part of a model: want %q, or layers counted from 0, such as \"layers:0-5\"", part, embeddings)
		}
		list = append(list, Frozen{a, b})
	}
	return list, nil
}

func (d *decoder) freeze(s *Stage, at string) {
	if _, err := s.Frozen(); err != nil {
		d.fault(at+"freeze", "%v", err)
	}
	if len(s.Freeze) > 0 && s.Trainable == TrainableHead {
		d.fault(at+"freeze", "trainable = %q keeps the whole body as it is: give one of the two", s.Trainable)
	}
	if len(s.Freeze) > 0 && s.Adapter != nil {
		d.fault(at+"freeze", "an adapter leaves the model as it is: leave freeze out")
	}
}

package run

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/recipes"
)

// classWeights are the weights of labels in the loss of a stage, in their order; nil: they weigh alike.
func classWeights(ctx context.Context, s *recipes.Stage, c *corpus.Corpus, labels []string) ([]float32, error) {
	if s.ClassWeights == nil {
		return nil, nil
	}
	weights := make([]float32, len(labels))
	if !s.ClassWeights.Balanced {
		left := len(s.ClassWeights.Of)
		for i, l := range labels {
			weights[i] = 1
			if w, ok := s.ClassWeights.Of[l]; ok {
				weights[i] = float32(w)
				left--
			}
		}
		if left == 0 {
			return weights, nil
		}
		for l := range s.ClassWeights.Of {
			if !slices.Contains(labels, l) {
				return nil, recipes.Input(fmt.Errorf("class_weights: %w", task.UnknownLabel(l, labels)))
			}
		}
	}
	t := data.TaskOf(s.Learns())
	n, err := t.Survey(ctx, c.Train)
	if err != nil {
		return nil, err
	}
	all := int64(0)
	for _, k := range n.Labels {
		all += k
	}
	for i, l := range labels {
		k := n.Labels[l]
		switch {
		case k == 0:
			return nil, recipes.Input(fmt.Errorf("class_weights: no document of split train has the label %q, which cannot be balanced (hint: give weights by label)", l))
		case t.Kind.Labels != task.AnyOf:
			weights[i] = float32(float64(all) / float64(k*int64(len(labels))))
		case k == n.Examples:
			return nil, recipes.Input(fmt.Errorf("class_weights: every document of split train has the label %q, which cannot be balanced (hint: give weights by label)", l))
		default:
			weights[i] = float32(float64(n.Examples-k) / float64(k))
		}
	}
	return weights, nil
}

// weightsNote says what the labels of a stage weigh.
func weightsNote(s *recipes.Stage, labels []string, weights []float32) string {
	var list []string
	for i, l := range labels {
		list = append(list, fmt.Sprintf("%s %.4g", l, weights[i]))
	}
	return fmt.Sprintf("stage %s: labels weigh in the loss: %s", s.Name, strings.Join(list, ", "))
}

package eval

import (
	"context"

	"hone/data"
	"hone/data/source"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// choices scores models that find the right one of several texts.
type choices struct{}

var chosen = judge{of: "choices", figures: func(list []Output) ([]metric.Figure, error) {
	right := make([]bool, len(list))
	for i, o := range list {
		right[i] = o.best() == o.Right
	}
	f, err := metric.Share("accuracy", "share of right choices; of equally probable ones the first is predicted", right, nil)
	return []metric.Figure{f}, err
}}

// best gives the number of the greatest logit, of equal ones the first.
func (o *Output) best() int {
	best := 0
	for i, v := range o.Logits {
		if v > o.Logits[best] {
			best = i
		}
	}
	return best
}

func (choices) Baselines() []Baseline { return []Baseline{randomChoice, longestChoice, randomInit} }

// The choice itself is predicted. Probabilities are in the order of the choices.
func (choices) predicts([]string, *Decision) *predicted {
	columns := []source.Column{source.Texts("prediction"), source.Numbers("probability"), source.Lists(source.Numbers("probabilities"))}
	return &predicted{columns: columns, unsure: unsurePredictions, guess: ofOutputs(func(o *Output, e *task.Example) ([]any, float64) {
		p := softmax(o.Logits)
		return []any{e.Choices[o.best()], p[o.best()], anyOf(p)}, p[o.best()]
	})}
}

func (choices) best(listed []string, _ bool) string { return first(listed, valAccuracy) }
func (choices) what(*data.Config) string            { return "the right choice of each" }

func (choices) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	return chosen.validate(ctx, y, net)
}

// Score gives accuracy. What a random choice gets right is computed, not drawn.
func (choices) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	var counts []int
	out, tables, err := chosen.score(ctx, y, net, random, beside, func(name string, list []task.Example) ([]Output, error) {
		out := make([]Output, len(list))
		for i, e := range list {
			counts = append(counts, len(e.Choices))
			out[i].Logits = make([]float32, len(e.Choices))
			out[i].Logits[LongestChoice(e.Choices)] = 1
		}
		if name != longestChoice.Name {
			return nil, nil
		}
		return out, nil
	})
	for _, name := range beside {
		if name != randomChoice.Name || err != nil {
			continue
		}
		expected := 0.0
		for _, share := range RandomChoice(counts[:out[0].N]) {
			expected += share / float64(out[0].N)
		}
		out[0].Baselines = append(out[0].Baselines, metric.Baseline{Name: name, Estimate: metric.Estimate{Value: expected, Lo: expected, Hi: expected, N: out[0].N}})
	}
	return out, tables, err
}

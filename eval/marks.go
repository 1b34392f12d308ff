package eval

import (
	"context"
	"math"
	"slices"
	"strings"

	"hone/data"
	"hone/data/source"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// marks scores models that give a text any number of labels.
type marks struct{}

var labelSets = judge{of: "labels", figures: func(list []Output) ([]metric.Figure, error) {
	truth, predicted := make([][]bool, len(list)), make([][]bool, len(list))
	for i, o := range list {
		for k, v := range o.Logits {
			truth[i], predicted[i] = append(truth[i], o.Goals[k] == 1), append(predicted[i], v > 0)
		}
	}
	m, err := metric.MultiLabels(truth, predicted, nil)
	return []metric.Figure{m.MicroF1, m.MacroF1, m.ExactMatch}, err
}, decide: func(d *Decision, list []Output) {
	for _, o := range list {
		for k := range o.Logits {
			if d != nil && d.applies(k, o.sure(k)) {
				o.Logits[k] = 1
			} else if d != nil {
				o.Logits[k] = -1
			}
		}
	}
}}

// sure gives the probability of a label, of those of which any number applies.
func (o *Output) sure(k int) float64 { return 1 / (1 + math.Exp(-float64(o.Logits[k]))) }

func (marks) Baselines() []Baseline { return []Baseline{majority, randomInit} }

// predicts gives the labels above probability 0.5, or those of a decision.
func (marks) predicts(labels []string, d *Decision) *predicted {
	columns := []source.Column{source.Lists(source.Texts("prediction")), probabilities(labels)}
	return &predicted{columns: columns, unsure: unsurePredictions, guess: ofOutputs(func(o *Output, _ *task.Example) ([]any, float64) {
		return o.marks(labels, d)
	})}
}

// marks are the labels that apply, and the probability of each. They are as probable together as what is least sure:
// that one of them applies, or that another does not.
func (o *Output) marks(labels []string, d *Decision) (row []any, least float64) {
	set, p, least := []any{}, make([]float64, len(labels)), 1.0
	for k, v := range o.Logits {
		p[k] = o.sure(k)
		if d == nil && v > 0 || d != nil && d.applies(k, p[k]) {
			set, least = append(set, labels[k]), min(least, p[k])
		} else {
			least = min(least, 1-p[k])
		}
	}
	return []any{set, anyOf(p)}, least
}

func (marks) best(listed []string, _ bool) string { return first(listed, valPrefix+"micro_f1") }
func (marks) what(*data.Config) string            { return "the labels of each, those above probability 0.5" }

func (marks) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	return labelSets.validate(ctx, y, net)
}

// Score gives F1 and the share of texts with all labels right. The baseline is the most frequent set
// of labels.
func (marks) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	return labelSets.score(ctx, y, net, random, beside, func(name string, list []task.Example) ([]Output, error) {
		if name != majority.Name {
			return nil, nil
		}
		train, err := y.examples(ctx, y.Corpus.Train)
		if err != nil {
			return nil, err
		}
		counts, best := map[string]int{}, ""
		for _, e := range train {
			key := strings.Join(slices.Sorted(slices.Values(e.Labels)), "\x00")
			if counts[key]++; counts[key] > counts[best] || counts[key] == counts[best] && key < best {
				best = key
			}
		}
		logits := make([]float32, len(y.Labels))
		for k, l := range y.Labels {
			if logits[k] = -1; slices.Contains(strings.Split(best, "\x00"), l) {
				logits[k] = 1
			}
		}
		return slices.Repeat([]Output{{Logits: logits}}, len(list)), nil
	})
}

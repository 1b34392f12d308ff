package eval

import (
	"context"

	"hone/data"
	"hone/data/corpus"
	"hone/data/source"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// numbers scores models that give a text, or two, a number.
type numbers struct{}

var numbered = judge{of: "numbers", figures: func(list []Output) ([]metric.Figure, error) {
	truth, predicted := make([]float64, len(list)), make([]float64, len(list))
	for i, o := range list {
		truth[i], predicted[i] = float64(o.Goals[0]), float64(o.Logits[0])
	}
	r, err := metric.Regress(truth, predicted, nil)
	return []metric.Figure{r.Spearman, r.Pearson, r.MSE}, err
}}

func (numbers) Baselines() []Baseline { return []Baseline{meanValue, wordOverlap, randomInit} }
func (numbers) predicts([]string, *Decision) *predicted {
	return &predicted{columns: []source.Column{source.Numbers("prediction")}, guess: ofOutputs(func(o *Output, _ *task.Example) ([]any, float64) {
		return []any{float64(o.Logits[0])}, 1
	})}
}

func (numbers) best(listed []string, _ bool) string { return first(listed, valPrefix+"spearman") }
func (numbers) what(*data.Config) string            { return "the number of each" }

func (numbers) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	return numbered.validate(ctx, y, net)
}

// Score gives correlations and the squared error.
func (numbers) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	return numbered.score(ctx, y, net, random, beside, func(name string, list []task.Example) ([]Output, error) {
		train, err := y.rated(ctx, y.Corpus.Train)
		if err != nil {
			return nil, err
		}
		var predict func(e *task.Example) float64
		switch {
		case name == meanValue.Name:
			mean, err := FitMean(train)
			if err != nil {
				return nil, err
			}
			predict = func(*task.Example) float64 { return mean }
		case name == wordOverlap.Name && y.Config.Paired():
			val, err := y.rated(ctx, y.Corpus.Validation)
			if err != nil {
				return nil, err
			}
			m, err := FitWordOverlap(train, val)
			if err != nil {
				return nil, err
			}
			predict = func(e *task.Example) float64 { return m.Predict(e.Text, e.Pair) }
		default:
			return nil, nil
		}
		out := make([]Output, len(list))
		for i := range list {
			out[i].Logits = []float32{float32(predict(&list[i]))}
		}
		return out, nil
	})
}

func (y *Yardstick) rated(ctx context.Context, split *corpus.Split) (r Rated, err error) {
	list, err := y.examples(ctx, split)
	for _, e := range list {
		r.Texts, r.Values = append(r.Texts, e.Text), append(r.Values, e.Value)
		if y.Config.Paired() {
			r.Seconds = append(r.Seconds, e.Pair)
		}
	}
	return r, err
}

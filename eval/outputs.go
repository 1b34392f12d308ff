package eval

import (
	"context"

	"hone/data/corpus"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// A judge turns the outputs of a model for examples of a kind of task into figures.
type judge struct {
	of      string // what is scored, in words
	figures func(list []Output) ([]metric.Figure, error)
	// decide has a Decision choose labels; nil: there is none to follow.
	decide func(d *Decision, list []Output)
}

func (j *judge) validate(ctx context.Context, y *Yardstick, net *model.Network) (*Validation, error) {
	list, longer, err := Outputs(ctx, net, y.Config, y.Limit, nil)
	if err != nil {
		return nil, err
	}
	if j.decide != nil {
		err := y.decide(true, len(list), func(i, k int) (float64, bool) { return list[i].sure(k), list[i].Goals[k] == 1 })
		if err != nil {
			return nil, err
		}
		j.decide(y.Decision, list)
	}
	figures, err := j.figures(list)
	if err != nil {
		return nil, err
	}
	loss := 0.0
	for _, o := range list {
		loss += o.Loss / float64(len(list))
	}
	return y.validation(loss, figures, valPrefix+figures[0].Name, y.scored(&y.Config, len(list), longer))
}

// score gives the figures of a model. baseline gives the outputs of a baseline for examples.
func (j *judge) score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string, baseline func(name string, list []task.Example) ([]Output, error)) ([]metric.Evaluation, []metric.ByLabel, error) {
	bar := y.watch("scoring "+j.of, "documents")
	list, longer, err := Outputs(ctx, net, y.Config, y.Limit, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	if j.decide != nil {
		j.decide(y.Decision, list)
	}
	mine, err := j.figures(list)
	if err != nil {
		return nil, nil, err
	}
	scored := y.scored(&y.Config, len(list), longer)
	var out []metric.Evaluation
	for i := range mine {
		e := mine[i].Evaluation(y.Split.Name+" "+j.of, scored)
		if mine[i].Scores != nil {
			e.Items = &metric.Items{Sums: mine[i].Scores}
			for _, o := range list {
				e.Items.Records, e.Items.Sizes = append(e.Items.Records, o.Record), append(e.Items.Sizes, 1)
			}
		}
		out = append(out, e)
	}
	examples := make([]task.Example, len(list))
	for i, o := range list {
		if examples[i], _, err = y.example(y.Split, o.Record); err != nil {
			return nil, nil, err
		}
	}
	err = compare(out, mine, beside, func(name string) ([]metric.Figure, error) {
		var other []Output
		var err error
		switch {
		case name != randomInit.Name:
			other, err = baseline(name, examples)
		case random != nil:
			other, _, err = Outputs(ctx, random, y.Config, y.Limit, nil)
		}
		if err != nil || other == nil {
			return nil, err
		}
		for i := range other {
			other[i].Goals, other[i].Right = list[i].Goals, list[i].Right
		}
		return j.figures(other)
	})
	return out, nil, err
}

// examples reads the examples of a split that can be compared with predictions.
func (y *Yardstick) examples(ctx context.Context, split *corpus.Split) (list []task.Example, err error) {
	for i := range split.Rows() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		e, _, err := y.example(split, i)
		if err != nil {
			return nil, err
		}
		if e.HasLabel && !e.Null && e.Text != "" {
			list = append(list, e)
		}
	}
	return list, nil
}

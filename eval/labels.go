package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// randomInit is the same network, trained by the same steps from random weights.
var randomInit = Baseline{Name: "random_init", OfTraining: true}

// labels scores classifiers.
type labels struct{}

func (labels) scores(o data.Objective) bool {
	t := data.TaskOf(o)
	return t != nil && t.Kind.Labels() == task.OneOf
}

func (labels) Baselines() []Baseline { return []Baseline{majority, naiveBayes, tfidf, randomInit} }

func (labels) what(*data.Config) string { return "the label of each" }

func (labels) predicts(labels []string) *predicted {
	return &predicted{columns: probable(labels), confident: 1, guess: ofOutputs(func(o *Output, _ *task.Example) []any {
		p := softmax(o.Logits)
		return []any{labels[o.best()], p[o.best()], anyOf(p)}
	})}
}

func (labels) Best(bool) (name string, higher bool) { return valAccuracy, true }

func (labels) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	list, longer, err := Classify(ctx, net, y.Config, y.Limit, nil)
	if err != nil {
		return nil, err
	}
	acc, loss := accuracy(list)
	return &Validation{
		Loss: metric.Number(loss), BitsPerByte: metric.Missing, Accuracy: metric.Number(acc), Metrics: map[string]float64{valAccuracy: acc},
		Note: fmt.Sprintf("validation %.1f %%", 100*acc), Scored: y.scored(&y.Config, len(list), longer),
	}, nil
}

// Score gives accuracy and macro F1, beside baselines on the same documents.
func (labels) Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	bar := y.watch("classifying", "documents")
	list, longer, err := Classify(ctx, net, y.Config, y.Limit, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	labels := y.Labels
	mine, err := score(list)
	if err != nil {
		return nil, nil, err
	}
	name, of := y.Split.Name+" labels", y.scored(&y.Config, len(list), longer)
	var right perDocument
	for _, p := range list {
		right.add(p.Record, share(p.Best() == p.Label))
	}
	acc, f1 := mine.Accuracy.Evaluation(name, of), mine.MacroF1.Evaluation(name, of)
	acc.Items = &metric.Items{Records: right.records, Sums: right.sums, Sizes: right.n}
	add := func(name string, other []Prediction) error {
		theirs, err := score(other)
		if err != nil {
			return err
		}
		acc.Baselines = append(acc.Baselines, mine.Accuracy.Against(name, &theirs.Accuracy))
		f1.Baselines = append(f1.Baselines, mine.MacroF1.Against(name, &theirs.MacroF1))
		return nil
	}
	for _, name := range beside {
		var predict func(text, second string) (int, []float64)
		switch name {
		case majority.Name:
			train, err := y.labelled(ctx, y.Corpus.Train)
			if err != nil {
				return nil, nil, err
			}
			m, err := FitMajority(train.Labels, len(labels))
			if err != nil {
				return nil, nil, err
			}
			predict = func(text, _ string) (int, []float64) { return m.Predict(text) }
		case naiveBayes.Name:
			train, err := y.labelled(ctx, y.Corpus.Train)
			if err != nil {
				return nil, nil, err
			}
			val, err := y.labelled(ctx, y.Corpus.Validation)
			if err != nil {
				return nil, nil, err
			}
			nb, err := FitNaiveBayes(train.joined(), val.joined(), len(labels))
			if err != nil {
				return nil, nil, err
			}
			y.Say(fmt.Sprintf("%s: α = %g, chosen on validation", name, nb.Alpha()))
			predict = func(text, second string) (int, []float64) { return nb.Predict(both(text, second)) }
		case tfidf.Name:
			train, err := y.labelled(ctx, y.Corpus.Train)
			if err != nil {
				return nil, nil, err
			}
			val, err := y.labelled(ctx, y.Corpus.Validation)
			if err != nil {
				return nil, nil, err
			}
			m, err := FitTFIDF(train, val, len(labels))
			if err != nil {
				return nil, nil, err
			}
			y.Say(fmt.Sprintf("%s: %s", name, m.Chosen()))
			predict = m.Predict
		case randomInit.Name:
			if random == nil {
				continue
			}
			cfg := y.Config
			if cfg.Labels, err = y.Corpus.MatchLabels(random.Config().Labels()); err != nil {
				return nil, nil, err
			}
			other, _, err := Classify(ctx, random, cfg, y.Limit, nil)
			if err != nil {
				return nil, nil, err
			}
			if err := add(name, other); err != nil {
				return nil, nil, err
			}
			continue
		default:
			continue
		}
		other := make([]Prediction, len(list))
		for i, p := range list {
			e, _, err := y.example(y.Split, p.Record)
			if err != nil {
				return nil, nil, err
			}
			_, probs := predict(e.Text, e.Pair)
			other[i] = Prediction{Record: p.Record, Label: p.Label, Probs: probs}
		}
		if err := add(name, other); err != nil {
			return nil, nil, err
		}
	}

	c := &metric.ByLabel{Task: name, Labels: labels, Confusion: mine.Confusion}
	conf := make([]float64, len(list))
	for i, p := range list {
		conf[i] = p.Probs[p.Best()]
	}
	if c.Calibration, err = metric.Calibrate(conf, correct(list), 10); err != nil {
		return nil, nil, err
	}
	if c.Wrong, err = y.mostWrong(list, 10); err != nil {
		return nil, nil, err
	}
	return []metric.Evaluation{acc, f1}, []metric.ByLabel{*c}, nil
}

func (y *Yardstick) labelled(ctx context.Context, split *corpus.Split) (Labelled, error) {
	var l Labelled
	for i := range split.Rows() {
		if err := ctx.Err(); err != nil {
			return l, err
		}
		e, r, err := y.example(split, i)
		if err != nil {
			return l, err
		}
		if !e.HasLabel || e.Null || e.Text == "" {
			continue
		}
		k := slices.Index(y.Labels, e.Label)
		if k < 0 {
			return l, fmt.Errorf("%s: %w", corpus.Where(split, i, r), task.UnknownLabel(e.Label, y.Labels))
		}
		l.Texts, l.Labels = append(l.Texts, e.Text), append(l.Labels, k)
		if y.Config.Paired() {
			l.Seconds = append(l.Seconds, e.Pair)
		}
	}
	return l, nil
}

// example gives an example of a split, with its record.
func (y *Yardstick) example(split *corpus.Split, i int64) (task.Example, *corpus.Record, error) {
	r, err := split.Record(i)
	if err != nil {
		return task.Example{}, &r, err
	}
	e, err := data.TaskOf(y.Config.Objective).Example(&r)
	if err != nil {
		err = fmt.Errorf("%s: %w", corpus.Where(split, i, &r), err)
	}
	return e, &r, err
}

// mostWrong lists the wrong predictions with the highest confidence.
func (y *Yardstick) mostWrong(list []Prediction, n int) ([]metric.Mistake, error) {
	var wrong []Prediction
	for _, p := range list {
		if p.Best() != p.Label {
			wrong = append(wrong, p)
		}
	}
	sort.SliceStable(wrong, func(a, b int) bool { return wrong[a].Probs[wrong[a].Best()] > wrong[b].Probs[wrong[b].Best()] })
	var out []metric.Mistake
	for _, p := range wrong[:min(n, len(wrong))] {
		e, r, err := y.example(y.Split, p.Record)
		if err != nil {
			return nil, err
		}
		text := e.Text
		if e.Pair != "" {
			text += "\n" + e.Pair
		}
		out = append(out, metric.Mistake{
			Text: text, Path: r.Path, True: y.Labels[p.Label], Predicted: y.Labels[p.Best()],
			Probability: metric.Number(p.Probs[p.Best()]),
		})
	}
	return out, nil
}

func score(list []Prediction) (metric.Classification, error) {
	truth, predicted := make([]int, len(list)), make([]int, len(list))
	for i, p := range list {
		truth[i], predicted[i] = p.Label, p.Best()
	}
	classes := 0
	if len(list) > 0 {
		classes = len(list[0].Probs)
	}
	return metric.Classify(truth, predicted, classes, nil)
}

func correct(list []Prediction) []bool {
	ok := make([]bool, len(list))
	for i, p := range list {
		ok[i] = p.Best() == p.Label
	}
	return ok
}

func accuracy(list []Prediction) (acc, loss float64) {
	for _, p := range list {
		if p.Best() == p.Label {
			acc++
		}
		loss -= math.Log(max(p.Probs[p.Label], 1e-300))
	}
	n := float64(len(list))
	return acc / n, loss / n
}

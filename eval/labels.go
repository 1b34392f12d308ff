package eval

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sort"
	"sync"

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

func (labels) Baselines() []Baseline { return []Baseline{majority, naiveBayes, tfidf, randomInit} }

func (labels) what(*data.Config) string { return "the label of each" }

func (labels) predicts(labels []string, d *Decision) *predicted {
	return &predicted{columns: probable(labels), unsure: unsurePredictions, guess: ofOutputs(func(o *Output, _ *task.Example) ([]any, float64) {
		p, best := softmax(o.Logits), o.best()
		if d != nil {
			best = d.one(p)
		}
		return []any{labels[best], p[best], anyOf(p)}, p[best]
	})}
}

func (labels) best(listed []string, _ bool) string { return first(listed, valAccuracy) }

func (labels) Validate(ctx context.Context, y *Yardstick, net *model.Network, _ bool) (*Validation, error) {
	list, longer, err := Classify(ctx, net, y.Config, y.Limit, nil)
	if err != nil {
		return nil, err
	}
	err = y.decide(false, len(list), func(i, k int) (float64, bool) { return list[i].Probs[k], list[i].Label == k })
	if err != nil {
		return nil, err
	}
	y.Decision.decided(list)
	figures, err := score(list)
	if err != nil {
		return nil, err
	}
	_, loss := accuracy(list)
	return y.validation(loss, []metric.Figure{figures.Accuracy, figures.MacroF1}, valAccuracy, y.scored(&y.Config, len(list), longer))
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
	y.Decision.decided(list)
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
	out := []metric.Evaluation{acc, f1}
	train := sync.OnceValues(func() (Labelled, error) { return y.labelled(ctx, y.Corpus.Train) })
	val := sync.OnceValues(func() (Labelled, error) { return y.labelled(ctx, y.Corpus.Validation) })
	err = compare(out, []metric.Figure{mine.Accuracy, mine.MacroF1}, beside, func(name string) ([]metric.Figure, error) {
		var other []Prediction
		if name != randomInit.Name {
			predict, err := y.classifier(name, train, val)
			if err != nil || predict == nil {
				return nil, err
			}
			for _, p := range list {
				e, _, err := y.example(y.Split, p.Record)
				if err != nil {
					return nil, err
				}
				_, probs := predict(e.Text, e.Pair)
				other = append(other, Prediction{Record: p.Record, Label: p.Label, Probs: probs})
			}
		} else {
			if random == nil {
				return nil, nil
			}
			cfg := y.Config
			var err error
			if cfg.Labels, err = y.Corpus.MatchLabels(random.Config().Labels()); err != nil {
				return nil, err
			}
			if other, _, err = Classify(ctx, random, cfg, y.Limit, nil); err != nil {
				return nil, err
			}
		}
		theirs, err := score(other)
		return []metric.Figure{theirs.Accuracy, theirs.MacroF1}, err
	})
	if err != nil {
		return nil, nil, err
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
	return out, []metric.ByLabel{*c}, nil
}

// classifier fits a baseline to the labelled texts of training and validation; nil: it is none of these.
func (y *Yardstick) classifier(name string, training, validation func() (Labelled, error)) (func(text, second string) (int, []float64), error) {
	switch name {
	case majority.Name, naiveBayes.Name, tfidf.Name:
	default:
		return nil, nil
	}
	train, err := training()
	if err != nil {
		return nil, err
	}
	if name == majority.Name {
		m, err := FitMajority(train.Labels, len(y.Labels))
		if err != nil {
			return nil, err
		}
		return func(text, _ string) (int, []float64) { return m.Predict(text) }, nil
	}
	val, err := validation()
	if err != nil {
		return nil, err
	}
	if name == naiveBayes.Name {
		nb, err := FitNaiveBayes(train.joined(), val.joined(), len(y.Labels))
		if err != nil {
			return nil, err
		}
		y.Say(fmt.Sprintf("%s: α = %g, chosen on validation", name, nb.Alpha()))
		return func(text, second string) (int, []float64) { return nb.Predict(both(text, second)) }, nil
	}
	m, err := FitTFIDF(train, val, len(y.Labels))
	if err != nil {
		return nil, err
	}
	y.Say(fmt.Sprintf("%s: %s", name, m.Chosen()))
	return m.Predict, nil
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

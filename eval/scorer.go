package eval

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"hone/data"
	"hone/data/task"
	"hone/eval/metric"
	"hone/trainer/model"
)

// A Scorer measures how well a model does what it has learned. Each one is in a file of its
// own.
type Scorer interface {
	// Baselines lists the baselines that it can compare a model with.
	Baselines() []Baseline
	// Score gives the results of a model on a split, with those of the named baselines; random
	// is the model of the baseline random_init, or nil.
	Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error)
	// Validate scores a model during training, with bits per byte if bits is set.
	Validate(ctx context.Context, y *Yardstick, net *model.Network, bits bool) (*Validation, error)
	// best gives the metric of checkpoints that decides which one is the best, by the metrics that a task
	// lists, if any.
	best(metrics []string, bits bool) string
	// predicts says what is predicted of an example, one of labels where they are of a set, by a decision
	// or, where that is nil, the most probable ones; nil: nothing is.
	predicts(labels []string, d *Decision) *predicted
	// what says in words what is scored of each document.
	what(c *data.Config) string
}

// scorers are all that there are.
var scorers = []Scorer{labels{}, marks{}, tags{}, questions{}, numbers{}, choices{}, answers{}, near, alike, masked{}, spans{}, text{}}

// ScorerOf gives the scorer of models of an objective. This is the one switch over kinds of tasks.
func ScorerOf(o data.Objective) Scorer {
	if t := data.TaskOf(o); t != nil {
		switch t.Kind {
		case task.Classification, task.PairClassification:
			return labels{}
		case task.MultiLabel:
			return marks{}
		case task.TokenLabels:
			return tags{}
		case task.QuestionAnswering:
			return questions{}
		case task.Regression:
			return numbers{}
		case task.MultipleChoice:
			return choices{}
		case task.TextToText:
			return answers{}
		case task.Retrieval:
			return near
		case task.Similarity:
			return alike
		}
		// TestBaselinesOfObjectives holds that each of task.Kinds has a case.
		panic(fmt.Sprintf("eval: no scorer of %v (known kinds: %s)", t.Kind, strings.Join(task.Names(), ", ")))
	}
	switch {
	case o == data.Masked:
		return masked{}
	case o == data.SpanCorruption:
		return spans{}
	}
	return text{} // the others give whole texts a probability
}

// compare puts baselines beside evaluations, which are of figures in the same order. theirs gives those of a
// baseline; nil: it is not one of these.
func compare(out []metric.Evaluation, figures []metric.Figure, names []string, theirs func(name string) ([]metric.Figure, error)) error {
	for _, name := range names {
		other, err := theirs(name)
		if err != nil {
			return err
		}
		for i := range other {
			out[i].Baselines = append(out[i].Baselines, figures[i].Against(name, &other[i]))
		}
	}
	return nil
}

// Score gives the results of a model on a split, with those of the named baselines: of the metrics that the
// task lists, in their order, or of all that suit its documents. random is the model of the baseline
// random_init, or nil.
func (y *Yardstick) Score(ctx context.Context, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	all, tables, err := ScorerOf(y.Config.Objective).Score(ctx, y, net, random, beside)
	if err != nil {
		return nil, nil, err
	}
	out, err := choose(y.metrics(), all, func(e metric.Evaluation) string { return e.Metric })
	return out, tables, err
}

// choose gives those of a list that are listed by name, in that order; all: none is.
func choose[T any](listed []string, all []T, name func(T) string) ([]T, error) {
	if len(listed) == 0 {
		return all, nil
	}
	var out []T
	for _, wanted := range listed {
		k := slices.IndexFunc(all, func(x T) bool { return name(x) == wanted })
		if k < 0 {
			e := &MetricError{Metric: wanted}
			for _, x := range all {
				e.Known = append(e.Known, name(x))
			}
			return nil, e
		}
		out = append(out, all[k])
	}
	return out, nil
}

// metrics are those that the task lists; none: all that suit.
func (y *Yardstick) metrics() []string {
	if t := data.TaskOf(y.Config.Objective); t != nil {
		return t.Metrics
	}
	return nil
}

// A MetricError is the error of a metric that a task lists and that its documents do not have, as F1 of
// entities where labels are none. It is a fault of the user's input (exit code 2).
type MetricError struct {
	Metric string
	Known  []string // that they have
}

func (e *MetricError) Error() string {
	return fmt.Sprintf("the metric %s is not for these documents and labels, which have %s", e.Metric, strings.Join(e.Known, ", "))
}

// Best gives the metric of checkpoints that decides which one is the best, of models of an objective: the
// one that is chosen, or "": the first one that the task lists, or that suits it. bits says that validation gives bits
// per byte, and written of how many examples it writes answers: without any, the loss stands for metrics of those.
func Best(o data.Objective, chosen string, bits bool, written int) (name string, higher bool) {
	var listed []string
	if t := data.TaskOf(o); t != nil && (written > 0 || t.Kind.Labels != task.Written) {
		listed = t.Metrics
	}
	if name = ScorerOf(o).best(listed, bits); chosen != "" {
		name = valPrefix + chosen
	}
	return name, !metric.LowerIsBetter(strings.TrimPrefix(name, valPrefix))
}

// first gives the name of the metric that is listed first; usual: none is.
func first(listed []string, usual string) string {
	if len(listed) == 0 {
		return usual
	}
	return valPrefix + listed[0]
}

// Has fails if a metric of checkpoints is none of the validation's: its documents, or their labels, have others.
func (v *Validation) Has(name string) error {
	if _, ok := v.Metrics[name]; ok {
		return nil
	}
	e := &MetricError{Metric: strings.TrimPrefix(name, valPrefix)}
	for _, known := range slices.Sorted(maps.Keys(v.Metrics)) {
		e.Known = append(e.Known, strings.TrimPrefix(known, valPrefix))
	}
	return e
}

// A Validation has a model's results on the validation split during training; Missing where it
// has none.
type Validation struct {
	Loss, BitsPerByte, Accuracy metric.Number
	Metrics                     map[string]float64 // of a checkpoint, by their names
	Decision                    *Decision          // that was chosen; nil: none
	Note                        string             // the most telling of them, in words
	Texts                       []WrittenText      // some that the model has written
	Scored                      *metric.Scored
}

// Names of the metrics of a validation in checkpoints: valPrefix and that of the metric.
const (
	valPrefix      = "val_"
	valLoss        = valPrefix + "loss"
	valBitsPerByte = valPrefix + "bits_per_byte"
	valAccuracy    = valPrefix + "accuracy"
)

// Others are the metrics of a validation, by their own names, without those that it has fields for.
func Others(metrics map[string]float64) map[string]metric.Number {
	out := map[string]metric.Number{}
	for name, v := range metrics {
		if name != valLoss && name != valBitsPerByte && name != valAccuracy {
			out[strings.TrimPrefix(name, valPrefix)] = metric.Number(v)
		}
	}
	return out
}

// validation has the figures of a task. The most telling one is that which decides, or is called usual, the
// first one.
func (y *Yardstick) validation(loss float64, figures []metric.Figure, usual string, scored *metric.Scored) (*Validation, error) {
	v := &Validation{
		Loss: metric.Number(loss), BitsPerByte: metric.Missing, Accuracy: metric.Missing,
		Metrics: map[string]float64{valLoss: loss}, Scored: scored, Decision: y.Decision,
	}
	for i, f := range figures {
		value := f.Value
		if math.IsNaN(value) { // not defined, as the correlation of equal predictions: nothing has been learned
			value = 0
		}
		if v.Metrics[valPrefix+f.Name] = value; i == 0 {
			v.Metrics[usual] = value
		}
	}
	if acc, ok := v.Metrics[valAccuracy]; ok {
		v.Accuracy = metric.Number(acc)
	}
	listed, err := choose(y.metrics(), figures, func(f metric.Figure) string { return f.Name })
	if err != nil {
		return nil, err
	}
	name := listed[0].Name
	v.Note = fmt.Sprintf("validation %s %.3f", strings.ReplaceAll(name, "_", " "), v.Metrics[valPrefix+name])
	return v, nil
}

// ofText has the methods that scorers of text without labels share.
type ofText struct{}

func (ofText) predicts([]string, *Decision) *predicted { return nil }

func (ofText) best(_ []string, bits bool) string {
	if bits {
		return valBitsPerByte
	}
	return valLoss
}

// Validate gives the loss of the objective, and for pairs of texts the accuracy of telling
// whether the second follows the first.
func (ofText) Validate(ctx context.Context, y *Yardstick, net *model.Network, bits bool) (*Validation, error) {
	list, longer, err := Likelihood(ctx, net, y.Config, y.Limit, nil)
	if err != nil {
		return nil, err
	}
	loss, bitsPerByte := likelihood(list)
	v := &Validation{
		Loss: metric.Number(loss), BitsPerByte: metric.Missing, Accuracy: metric.Missing, Metrics: map[string]float64{valLoss: loss},
		Note: fmt.Sprintf("validation loss %.3f", loss), Scored: y.scored(&y.Config, len(list), longer),
	}
	if y.Config.NextSentence {
		list, _, err := Classify(ctx, net, y.Config, y.Limit, nil)
		if err != nil {
			return nil, err
		}
		acc, _ := accuracy(list)
		v.Accuracy = metric.Number(acc)
		v.Note += fmt.Sprintf(", next sentence %.1f %%", 100*acc)
	}
	if bits {
		v.BitsPerByte, v.Metrics[valBitsPerByte] = metric.Number(bitsPerByte), bitsPerByte
		v.Note = fmt.Sprintf("validation %.3f bits/byte", bitsPerByte)
	}
	return v, nil
}

// scored describes what was scored: n documents, longer of which do not fit a row.
func (y *Yardstick) scored(c *data.Config, n, longer int) *metric.Scored {
	s := &metric.Scored{
		Split: y.Split.Name, Documents: y.Split.Rows(), Chosen: y.Split.Rows(), Scored: int64(n), Row: c.T, Longer: int64(longer),
		What: ScorerOf(c.Objective).what(c), Cut: !c.Objective.OfText(),
	}
	if y.Decision != nil {
		what, _, _ := strings.Cut(s.What, ",")
		s.What = what + ", " + y.Decision.Words()
	}
	if y.Limit > 0 {
		s.Chosen = min(s.Chosen, int64(y.Limit))
	}
	if c.NextSentence { // pairs have no length of their own
		s.Longer = 0
	}
	return s
}

func likelihood(list []Document) (loss, bitsPerByte float64) {
	var nats float64
	var tokens, bytes int
	for _, d := range list {
		nats += d.Nats
		tokens += d.Tokens
		bytes += d.Bytes
	}
	return nats / float64(tokens), nats / math.Ln2 / float64(bytes)
}

package eval

import (
	"context"
	"fmt"
	"math"
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
	// Best gives the metric of validation that decides which checkpoint is the best.
	Best(bits bool) (name string, higher bool)
	// predicts says what is predicted of an example, one of labels where they are of a set; nil:
	// nothing is.
	predicts(labels []string) *predicted
	// what says in words what is scored of each document.
	what(c *data.Config) string
}

// scorers are all that there are.
var scorers = []Scorer{labels{}, marks{}, tags{}, questions{}, numbers{}, choices{}, answers{}, masked{}, spans{}, text{}}

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

// A Validation has a model's results on the validation split during training; Missing where it
// has none.
type Validation struct {
	Loss, BitsPerByte, Accuracy metric.Number
	Metrics                     map[string]float64 // of a checkpoint, by their names
	Note                        string             // the most telling of them, in words
	Scored                      *metric.Scored
}

// Names of the metrics of a validation in checkpoints.
const (
	valLoss        = "val_loss"
	valBitsPerByte = "val_bits_per_byte"
	valAccuracy    = "val_accuracy"
)

// ofText has the methods that scorers of text without labels share.
type ofText struct{}

func (ofText) predicts([]string) *predicted { return nil }

func (ofText) Best(bits bool) (name string, higher bool) {
	if bits {
		return valBitsPerByte, false
	}
	return valLoss, false
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

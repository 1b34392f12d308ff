package eval

import (
	"context"
	"fmt"
	"math"

	"hone/data"
	"hone/eval/metric"
	"hone/trainer/model"
)

// A Scorer says in figures how well a model does what it has learned. There is one in a file of
// its own for each way to score.
type Scorer interface {
	// scores tells whether models are scored so that learn by an objective.
	scores(o data.Objective) bool
	// Baselines are those that it knows to put beside a model.
	Baselines() []Baseline
	// Score gives the figures of a model on a split, and of baselines by their names beside it;
	// random is the model that is the baseline random_init, or nil.
	Score(ctx context.Context, y *Yardstick, net, random *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error)
	// Validate scores a model while it is trained; bits asks for bits per byte too.
	Validate(ctx context.Context, y *Yardstick, net *model.Network, bits bool) (*Validation, error)
	// Best is the figure of validations by which the best checkpoint is known.
	Best(bits bool) (name string, higher bool)
	// what is scored of each document, in words.
	what(c *data.Config) string
}

var scorers = []Scorer{labels{}, masked{}, spans{}, text{}}

// ScorerOf is that of models that learn by an objective.
func ScorerOf(o data.Objective) Scorer {
	for _, s := range scorers {
		if s.scores(o) {
			return s
		}
	}
	panic(fmt.Sprintf("eval: nothing scores %v", o)) // each objective has a scorer
}

// A Validation is a model's figures on the validation split while it is trained: Missing where
// it has none.
type Validation struct {
	Loss, BitsPerByte, Accuracy metric.Number
	Metrics                     map[string]float64 // of a checkpoint, by their names
	Note                        string             // the most telling of them, in words
	Scored                      *metric.Scored
}

// Names of the figures of a validation, as checkpoints have them.
const (
	valLoss        = "val_loss"
	valBitsPerByte = "val_bits_per_byte"
	valAccuracy    = "val_accuracy"
)

// ofText is what scorers of text without labels have in common.
type ofText struct{}

func (ofText) Best(bits bool) (name string, higher bool) {
	if bits {
		return valBitsPerByte, false
	}
	return valLoss, false
}

// Validate asks for the loss of the objective, and where pairs of texts are laid, how many are
// told apart.
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

// scored says what the figures are of: n documents, longer of which are longer than a row.
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

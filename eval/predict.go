package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"hone/data"
	"hone/data/corpus"
	"hone/data/source"
	"hone/data/task"
	"hone/eval/generate"
	"hone/trainer/model"
)

// A Predictor adds to records what a model predicts of them, as values of columns. What it predicts
// of a record has the same bits whichever others are given with it.
type Predictor struct {
	Columns []source.Column
	net     *model.Network
	c       data.Config
	of      *predicted
	Writer  *Writer // of tasks whose models write texts
}

// predicted is what is predicted by a kind of task: its columns, and their values. The last column,
// truncated, is not among them.
type predicted struct {
	columns []source.Column // the prediction is the first
	guess   func(ctx context.Context, net *model.Network, c data.Config) ([]guess, error)
	written func(r *generate.Result) []any // in place of guess, of what a Writer writes
	unsure  string                         // in words, what is null below a least probability; "": nothing has a probability
}

// A guess is what is predicted of a record.
type guess struct {
	record int64
	cut    bool
	// values are those of the columns; what is less probable than least is null, and counted. nil: the
	// model's outputs are not finite.
	values func(e *task.Example, least float64) (row []any, unsure int)
}

// ofOutputs predicts values from the outputs of a model, with the probability of the prediction.
func ofOutputs(values func(o *Output, e *task.Example) (row []any, probability float64)) func(context.Context, *model.Network, data.Config) ([]guess, error) {
	return func(ctx context.Context, net *model.Network, c data.Config) ([]guess, error) {
		list, _, err := Outputs(ctx, net, c, 0, nil)
		out := make([]guess, len(list))
		for i := range list {
			o := &list[i]
			out[i] = guess{record: o.Record, cut: o.Cut}
			if !slices.ContainsFunc(o.Logits, func(v float32) bool { return !finite(float64(v)) }) {
				out[i].values = func(e *task.Example, least float64) (row []any, unsure int) {
					row, p := values(o, e)
					if p < least {
						row[0], unsure = nil, 1
					}
					return row, unsure
				}
			}
		}
		return out, err
	}
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// NewPredictor predicts by the objective of c, which has a task, whose records may lack labels. One that Writes needs a
// Writer. Labels are those of a decision, or where it is nil the most probable ones.
func NewPredictor(net *model.Network, c data.Config, d *Decision) (*Predictor, error) {
	p := &Predictor{net: net, c: c, of: ScorerOf(c.Objective).predicts(c.Labels, d)}
	if p.of == nil {
		return nil, fmt.Errorf("eval: there is nothing to predict for %v", c.Objective)
	}
	p.c.Unlabelled = true
	p.Columns = append(slices.Clone(p.of.columns), source.Truths("truncated"))
	return p, nil
}

// Writes reports whether predictions are texts, which a Writer writes.
func (p *Predictor) Writes() bool { return p.of.written != nil }

// Together is how many records Predict is best given at a time; 0: any number.
func (p *Predictor) Together() int {
	if p.Writes() {
		return 8 * writtenTogether
	}
	return 0
}

// Unsure says in words what is null where it is less probable than it has to be; "": predictions have no
// probability.
func (p *Predictor) Unsure() string { return p.of.unsure }

// A Predicted has the values of the columns for a record.
type Predicted struct {
	Values []any
	Cut    bool // it was too long, so that not all of it was read
	PredictionNotes
}

// PredictionNotes are what is counted of predictions.
type PredictionNotes struct {
	Unsure  int  `json:",omitempty"` // what is null because it is less probable than it has to be
	Empty   bool `json:",omitempty"` // there is no text, and nothing is predicted
	None    bool `json:",omitempty"` // the prediction is that there is none, as no answer
	Unended bool `json:",omitempty"` // the text did not end by itself
}

// Predict gives the values for all records, in their order, as they are ready. What has a probability below
// least is null.
func (p *Predictor) Predict(ctx context.Context, records corpus.Records, least float64, ready func([]Predicted) error) error {
	c := p.c
	c.Records = records
	out, waits := make([]Predicted, records.Rows()), make([]bool, records.Rows())
	for i := range out {
		out[i] = Predicted{Values: make([]any, len(p.Columns)), PredictionNotes: PredictionNotes{Empty: true}}
		out[i].Values[len(p.Columns)-1] = false
	}
	next := 0
	give := func(record int64, now Predicted) error {
		out[record], waits[record] = now, false
		first := next
		for next < len(out) && !waits[next] {
			next++
		}
		if next == first {
			return nil
		}
		return ready(out[first:next])
	}
	if p.of.written != nil {
		list, err := p.Writer.prompts(ctx, c, 0)
		if err != nil {
			return err
		}
		for _, q := range list {
			waits[q.record] = true
		}
		err = p.Writer.write(ctx, list, func(i int, r *generate.Result) error {
			q := &list[i]
			return give(q.record, Predicted{Values: append(p.of.written(r), q.cut), Cut: q.cut, PredictionNotes: PredictionNotes{Unended: r.Reason == "length"}})
		})
		if err != nil || next == len(out) {
			return err
		}
		return ready(out[next:]) // which are empty
	}
	list, err := p.of.guess(ctx, p.net, c)
	if err != nil {
		return err
	}
	for _, g := range list {
		if g.values == nil {
			return errors.New("eval: the model gives an output that is no finite number: its weights are damaged")
		}
		r, err := records.Record(g.record)
		if err != nil {
			return err
		}
		e, err := data.TaskOf(c.Objective).Example(&r)
		if err != nil {
			return err
		}
		values, unsure := g.values(&e, least)
		out[g.record] = Predicted{Values: append(values, g.cut), Cut: g.cut, PredictionNotes: PredictionNotes{Unsure: unsure, None: values[0] == nil && unsure == 0}}
	}
	return ready(out)
}

const unsurePredictions = "predictions, which are null"

// probable gives the columns of a prediction that is one of labels.
func probable(labels []string) []source.Column {
	return []source.Column{source.Texts("prediction"), source.Numbers("probability"), probabilities(labels)}
}

// probabilities is a column of the probability of each label.
func probabilities(labels []string) source.Column {
	fields := make([]source.Column, len(labels))
	for i, l := range labels {
		fields[i] = source.Numbers(l)
	}
	return source.Structs("probabilities", fields...)
}

// anyOf are floats as values of a column.
func anyOf(p []float64) []any {
	out := make([]any, len(p))
	for i, v := range p {
		out[i] = v
	}
	return out
}

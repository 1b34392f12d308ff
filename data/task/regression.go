package task

import "hone/data/corpus"

// Regression is the task of giving a text, or two, a number.
var Regression Kind = regression{}

type regression struct{}

func (regression) String() string      { return "regression" }
func (regression) Head() string        { return "classifier" }
func (regression) Problem() string     { return "regression" }
func (regression) Labels() Labels      { return Values }
func (regression) Keys() []string      { return []string{"text", "?text_pair", "label"} }
func (regression) Metrics() []string   { return []string{"spearman", "pearson", "mse"} }
func (regression) Baselines() []string { return []string{"mean", "word_overlap", "random_init"} }

// Example gives the text, or both, and their number.
func (regression) Example(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err == nil && t.Columns.Pair != (Part{}) {
		err = t.second(&e, r)
	}
	if err == nil {
		e.Value, e.HasLabel, err = number(r.Fields[t.Columns.Label], t.Columns.Label)
	}
	return e, err
}

package task

import (
	"fmt"

	"hone/data/corpus"
)

// Regression is the task of giving a text, or two, a number.
var Regression = &Kind{
	Name: "regression",
	Head: "classifier", Problem: "regression",
	Reads: OneText, Labels: Number,
	Keys: []string{"text", "?text_pair", "label"}, Options: []string{"token_dropout"}, Usual: &Columns{},
	Metrics:   []string{"spearman", "pearson", "mse"},
	Baselines: []string{"mean", "word_overlap", "random_init"},
	example: func(t *Task, r *corpus.Record) (Example, error) {
		e, err := t.text(r)
		if err == nil {
			e.Value, e.HasLabel, err = number(r.Fields[t.Columns.Label], t.Columns.Label)
		}
		return e, err
	},
	guess: func(g *guesser) (string, bool) {
		g.pair()
		g.label()
		label := g.to.Label
		n := g.distinct(label)
		numbers := label != "" && g.every(label, isNumber) && (!g.every(label, isWhole) || n > fewLabels)
		return fmt.Sprintf("%s has numbers, %d different ones", label, n), numbers
	},
}

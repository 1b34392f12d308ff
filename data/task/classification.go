package task

import "hone/data/corpus"

// Classification is the task of assigning one of several labels to a text.
var Classification = &Kind{
	Name: "classification",
	Head: "classifier", Problem: "single_label_classification",
	Reads: OneText, Labels: OneOf,
	Keys: []string{"text", "?label"}, Options: []string{"lm_weight", "token_dropout", "class_weights", "label_smoothing_factor", "threshold_for", "costs"}, Usual: &Columns{},
	Metrics:   []string{"accuracy", "macro_f1"},
	Baselines: []string{"majority", "naive_bayes", "tfidf", "random_init"},
	example:   readLabelled,
	guess: func(g *guesser) (string, bool) {
		g.label()
		return g.labels()
	},
}

// readLabelled gives the text, or both, and its label.
func readLabelled(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err != nil {
		return e, err
	}
	return e, t.labelled(&e, r)
}

package task

import "hone/data/corpus"

// Classification is the task of assigning one of several labels to a text.
var Classification Kind = classification{}

type classification struct{}

func (classification) String() string    { return "classification" }
func (classification) Head() string      { return "classifier" }
func (classification) Problem() string   { return "single_label_classification" }
func (classification) Labels() Labels    { return OneOf }
func (classification) Keys() []string    { return []string{"text", "?label"} }
func (classification) Metrics() []string { return []string{"accuracy", "macro_f1"} }

func (classification) Baselines() []string {
	return []string{"majority", "naive_bayes", "tfidf", "random_init"}
}

// Example gives the text and its label.
func (classification) Example(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err != nil {
		return e, err
	}
	return e, t.labelled(&e, r)
}

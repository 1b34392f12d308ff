package task

import "hone/data/corpus"

// Classification is the task of assigning one of several labels to a text.
var Classification Kind = classification{}

type classification struct{}

func (classification) String() string    { return "classification" }
func (classification) Head() string      { return "classifier" }
func (classification) Labelled() bool    { return true }
func (classification) Metrics() []string { return []string{"accuracy", "macro_f1"} }

func (classification) Baselines() []string { return []string{"majority", "naive_bayes", "random_init"} }

// Example gives the text and its label.
func (classification) Example(r corpus.Record) Example {
	return Example{Text: r.Text, IDs: r.IDs, Label: r.Label, HasLabel: r.HasLabel}
}

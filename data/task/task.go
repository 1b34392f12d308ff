// Package task says what a model is to make of the records of a corpus: a Task is that of one
// corpus, its Kind how a record becomes an example.
package task

import (
	"fmt"
	"strings"

	"hone/data/corpus"
)

// A Task is what a model is trained for, or evaluated on.
type Task struct {
	Name        string
	Description string
	Kind        Kind
	Spec        corpus.Spec // of the corpus
	Split       string      // that an evaluation is of: train, validation, test
	Baselines   []string    // that stand beside the model
}

// A Kind is a kind of task. Each is in a file of its own, and all that follows from it is said
// there: training, validation, evaluation and prediction ask it.
type Kind interface {
	// String is what recipes and tasks call it.
	String() string
	// Head is that of the models that do it, in the words of model.Head.
	Head() string
	// Labelled says that records need a label.
	Labelled() bool
	// Example is what a model reads of a record, and what it is to make of it.
	Example(r corpus.Record) Example
	// Metrics are the figures of an evaluation, the first of which says which of several models
	// is the best.
	Metrics() []string
	// Baselines are those that can stand beside a model, by their names in reports.
	Baselines() []string
}

// An Example is a record as a model has it.
type Example struct {
	Text     string
	IDs      []int32 // tokens of the text, where they are there already
	Label    string
	HasLabel bool
}

// Kinds are all kinds.
var Kinds = []Kind{Likelihood, Classification}

// ParseKind is the kind of a name.
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds {
		if k.String() == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("task: unknown kind %q; known: %s", name, strings.Join(Names(), ", "))
}

// Names are those of the kinds.
func Names() (list []string) {
	for _, k := range Kinds {
		list = append(list, k.String())
	}
	return list
}

// Package task has the kinds of tasks. A Kind says how a record becomes an example and how
// models are evaluated; a Task is a kind with a corpus.
package task

import (
	"fmt"
	"strings"

	"hone/data/corpus"
)

// A Task is a task that a model is trained for or evaluated on.
type Task struct {
	Name        string
	Description string
	Kind        Kind
	Spec        corpus.Spec // of the corpus
	Split       string      // that an evaluation is of: train, validation, test
	Baselines   []string    // that stand beside the model
}

// A Kind is a kind of task. Each one is in a file of its own, with everything that depends on
// it; training, validation, evaluation and prediction use that.
type Kind interface {
	// String gives its name in recipes and task files.
	String() string
	// Head gives the head of its models, by the names of model.Head.
	Head() string
	// Labelled reports whether records need a label.
	Labelled() bool
	// Example turns a record into an example: what the model reads, and what it has to predict.
	Example(r corpus.Record) Example
	// Metrics lists the metrics of an evaluation. The first one decides which of several models
	// is the best.
	Metrics() []string
	// Baselines lists the baselines that a model is compared with, by their names in reports.
	Baselines() []string
}

// An Example is a record in the form that a model reads and predicts.
type Example struct {
	Text     string
	IDs      []int32 // tokens of the text, where they are there already
	Label    string
	HasLabel bool
}

// Kinds lists all kinds.
var Kinds = []Kind{Likelihood, Classification}

// ParseKind gives the kind of a name.
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds {
		if k.String() == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("task: unknown kind %q (known: %s)", name, strings.Join(Names(), ", "))
}

// Names lists the names of the kinds.
func Names() (list []string) {
	for _, k := range Kinds {
		list = append(list, k.String())
	}
	return list
}

// Package task has the kinds of tasks. A Kind says how a record becomes an example and how
// models are evaluated; a Task is a kind with a corpus, and says where its records have the parts
// of an example.
package task

import (
	"fmt"
	"strings"

	"hone/data/corpus"
)

// A Task is a task that a model is trained for, is evaluated on, or predicts by.
type Task struct {
	Name        string
	Description string
	Kind        Kind
	Spec        corpus.Spec // of the corpus; it has the columns that Columns need, see Read
	Split       string      // that an evaluation is of: train, validation, test
	Metrics     []string    // of an evaluation; none: those of the kind
	Baselines   []string    // that stand beside the model
	Columns     Columns
	Labels      []string // that there are, in the order of their numbers; none: those of the corpus
	Limits      Limits
}

// Of gives a task without a corpus of its own, whose records have their text and label in the
// usual places.
func Of(k Kind) *Task { return &Task{Kind: k, Limits: NoLimits} }

// Limits say which data a task refuses.
type Limits struct {
	Truncated float64 // largest share of the texts of a split that are longer than a row
	Overlap   float64 // largest share of the texts of a held-out split that are in training too
}

// NoLimits refuse nothing.
var NoLimits = Limits{Truncated: 1, Overlap: 1}

// Example turns a record into an example. An error is a fault of the record, without its place.
func (t *Task) Example(r *corpus.Record) (Example, error) { return t.Kind.Example(t, r) }

// A Kind is a kind of task. Each one is in a file of its own, with everything that depends on
// it; training, validation, evaluation and prediction use that.
type Kind interface {
	// String gives its name in recipes and task files.
	String() string
	// Head gives the head of its models, by the names of model.Head.
	Head() string
	// Problem gives the problem_type of its models' config.json; "": they have none.
	Problem() string
	// Labels says what the labels of records are.
	Labels() Labels
	// Keys lists the keys of a task that say where its records have what; those that begin with
	// "?" may be left out.
	Keys() []string
	// Example turns a record of a task into an example: what the model reads, and what it has to
	// predict.
	Example(t *Task, r *corpus.Record) (Example, error)
	// Metrics lists the metrics of an evaluation. The first one decides which of several models
	// is the best.
	Metrics() []string
	// Baselines lists the baselines that a model is compared with, by their names in reports.
	Baselines() []string
}

// Labels are what a kind of task has for labels.
type Labels int

const (
	None   Labels = iota // there are none: the text itself is predicted
	OneOf                // one of a set
	AnyOf                // any number of a set
	EachOf               // one of a set for each word
	Values               // none of a set: a number, the right one of a record's own choices, a text
)

// Labelled reports whether records need something beside their text that is predicted.
func Labelled(k Kind) bool { return k.Labels() != None }

// Classes reports whether a kind's labels are of a set, which its models have names for.
func Classes(k Kind) bool { return k.Labels() == OneOf || k.Labels() == AnyOf || k.Labels() == EachOf }

// An Example is a record in the form that a model reads and predicts. Which fields it has depends
// on its kind.
type Example struct {
	Text string
	IDs  []int32 // tokens of the text, where they are there already
	Pair string  // a second text, which is read behind the first
	// Choices are texts of which one is right. Each is read behind the first text, in a sequence
	// of its own.
	Choices []string
	Words   []string // of the text, where each one has a label

	Null     bool // a text is null: there is nothing to read
	HasLabel bool // there is something to compare a prediction with

	Label  string   // one of a set
	Labels []string // any number of a set; or one for each word
	Value  float64  // a number
	Right  int      // of Choices
	Answer string   // a text that is to be written behind the first
	// Answers are parts of the second text that answer the first, and Spans where they are; none: it has no
	// answer.
	Answers []string
	Spans   []Span
}

// Kinds lists all kinds.
var Kinds = []Kind{Likelihood, Classification, PairClassification, MultiLabel, TokenLabels, Regression, MultipleChoice, QuestionAnswering, TextToText}

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

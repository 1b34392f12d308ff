// Package task has the kinds of tasks. A Kind says how a record becomes an example and how
// models are evaluated; a Task is a kind with a corpus, and says where its records have the parts
// of an example.
//
// # A new kind
//
// A kind is a value that goes through the whole house, and nothing asks for one by its name. A new
// one is
//
//   - a file here, with a variable of type Kind, which Kinds lists (and kindsByColumns, if columns can
//     tell that a file is of it);
//   - its case in eval.ScorerOf, the one switch over kinds, and a scorer in a file of its own in package
//     eval. Where it predicts what another kind does, such as a number, that kind's scorer will do.
//
// A kind that reads or predicts something new needs a Form or a constant of Labels too. Package data lays
// forms into rows and labels into batches, and package model has the heads. Metrics and baselines that no
// other kind has need a name in words in package eval/report.
package task

import (
	"fmt"
	"slices"
	"strings"

	"hone/data/corpus"
)

// A Task is a task that a model is trained for, is evaluated on, or predicts by.
type Task struct {
	Name        string
	Description string
	Kind        *Kind
	Spec        corpus.Spec // of the corpus; it has the columns that Columns need, see Read
	Split       string      // that an evaluation is of: train, validation, test
	Metrics     []string    // of an evaluation; none: those of the kind
	Baselines   []string    // that stand beside the model
	Columns     Columns
	Labels      []string // that there are, in the order of their numbers; none: those of the corpus
	Limits      Limits
	Stride      int // tokens that two windows of a passage have in common; 0: see data
}

// Of gives a task without a corpus of its own, whose records have their text and label in the
// usual places.
func Of(k *Kind) *Task { return &Task{Kind: k, Limits: NoLimits} }

// Limits say which data a task refuses.
type Limits struct {
	Truncated float64 // largest share of the texts of a split that are longer than a row
	Overlap   float64 // largest share of the texts of a held-out split that are in training too
}

// NoLimits refuse nothing.
var NoLimits = Limits{Truncated: 1, Overlap: 1}

// Example turns a record into an example: what the model reads, and what it has to predict. An error is
// a fault of the record, without its place.
func (t *Task) Example(r *corpus.Record) (Example, error) { return t.Kind.example(t, r) }

// Paired reports whether each sequence that a model reads has two texts.
func (t *Task) Paired() bool {
	return t.Kind.Reads == TwoTexts || t.Kind.Reads == Choices || t.Kind.Reads == Passage || t.Kind.Reads != Texts && t.Columns.Pair != (Part{})
}

// A Kind is a kind of task: all that its tasks have in common. Each one is a value in a file of its own.
type Kind struct {
	Name string // in recipes and task files

	Head    string // of its models, by the names of model.Head
	Problem string // the problem_type of their config.json; "": they have none

	Reads  Form
	Labels Labels

	// Keys are those of a task that say where its records have what. A key that begins with "?" may be
	// left out; of "a|b" there is one.
	Keys []string
	// Options are the keys of a finetune stage that it follows, of those that not every kind can.
	Options []string
	// Losses are those of its vectors, the usual one first; none: it has no vectors.
	Losses []string
	// Usual are the columns of rows that a model reads which does not say where its task has what; nil:
	// only a task says it.
	Usual *Columns

	Metrics   []string // of an evaluation; of a task that lists none the first one decides which of several models is the best
	Baselines []string // that a model is compared with, by their names in reports

	example func(t *Task, r *corpus.Record) (Example, error)
	// guess looks in a file for the columns that records of the kind have, and says in words why they are
	// these; ok is false where it has none. nil: there is nothing to go by.
	guess func(g *guesser) (why string, ok bool)
}

func (k *Kind) String() string { return k.Name }

// A Form is what a model reads of an example.
type Form int

const (
	OneText  Form = iota // a text, and behind it a second one where the task has one
	TwoTexts             // one behind the other
	Words                // of a text, each with a label
	Choices              // several texts, each behind the same first one and in a sequence of its own
	Passage              // a question, and behind it a text in windows, in which an answer is looked for
	Texts                // two texts or more, each in a sequence of its own, of which vectors are compared
)

// Labels are what the records of a kind of task have for labels.
type Labels int

const (
	None    Labels = iota // there are none: the text itself is predicted
	OneOf                 // one of a set
	AnyOf                 // any number of a set
	EachOf                // one of a set for each word
	Number                // a number
	Choice                // the right one of a record's own choices
	Within                // the parts of a passage that answer a question
	Written               // a text
	Nearest               // which of all texts belongs to the first
)

// Plain reports whether a corpus has the labels of the task's records as they are, and has counted them.
func (t *Task) Plain() bool {
	return t.Kind.Labels == OneOf && len(t.Labels) == 0 && t.Columns.Text.Template == nil && t.Columns.Pair == (Part{})
}

// Labelled reports whether records need something beside their text that is predicted.
func (k *Kind) Labelled() bool { return k.Labels != None }

// Classes reports whether labels are of a set, which the models have names for.
func (k *Kind) Classes() bool { return k.Labels == OneOf || k.Labels == AnyOf || k.Labels == EachOf }

// Writes reports whether models write texts: they predict the next token, and have no head of their own.
func (k *Kind) Writes() bool { return k.Labels == None || k.Labels == Written }

// Follows reports whether a finetune stage of the kind follows a key, of those that not every kind can.
func (k *Kind) Follows(key string) bool { return slices.Contains(k.Options, key) }

// Bare reports whether the text and the label of a corpus are all that a record needs: a stage that names
// no task has these.
func (k *Kind) Bare() bool {
	return !slices.ContainsFunc(k.Keys, func(key string) bool { return key != "text" && key[0] != '?' })
}

// An Example is a record in the form that a model reads and predicts. Which fields it has depends
// on its kind.
type Example struct {
	Text string
	IDs  []int32 // tokens of the text, where they are there already
	Pair string  // a second text, which is read behind the first
	// Choices are texts of which one is right. Each is read behind the first text, in a sequence
	// of its own.
	Choices []string // of retrieval: texts that do not belong to the first
	Words   []string // of the text, where each one has a label

	Null     bool // a text is null: there is nothing to read
	HasLabel bool // there is something to compare a prediction with

	Label  string   // one of a set
	Labels []string // any number of a set; or one for each word
	Value  float64  // a number
	Right  int      // of Choices
	Answer string   // a text that is to be written behind the first
	// Answers are parts of the second text that answer the first, and Spans where they are; none: it has no
	// answer. Of a text that is to be written, they are all that are right, where there are several.
	Answers []string
	Spans   []Span
}

// Kinds lists all kinds.
var Kinds = []*Kind{Likelihood, Classification, PairClassification, MultiLabel, TokenLabels, Regression, MultipleChoice, QuestionAnswering, TextToText, Retrieval, Similarity}

// ParseKind gives the kind of a name.
func ParseKind(name string) (*Kind, error) {
	for _, k := range Kinds {
		if k.Name == name {
			return k, nil
		}
	}
	return nil, fmt.Errorf("task: unknown kind %q (known: %s)", name, strings.Join(Names(), ", "))
}

// Names lists the names of the kinds.
func Names() (list []string) {
	for _, k := range Kinds {
		list = append(list, k.Name)
	}
	return list
}

package task

import "hone/data/corpus"

// PairClassification is the task of assigning one of several labels to two texts, such as whether
// the second follows from the first.
var PairClassification Kind = pairClassification{}

type pairClassification struct{ classification }

func (pairClassification) String() string { return "pair_classification" }
func (pairClassification) Keys() []string { return []string{"text", "text_pair", "?label"} }

// Example gives both texts and their label.
func (k pairClassification) Example(t *Task, r *corpus.Record) (Example, error) {
	e, err := k.classification.Example(t, r)
	if err == nil {
		err = t.second(&e, r)
	}
	return e, err
}

// second adds the second text of an example.
func (t *Task) second(e *Example, r *corpus.Record) error {
	text, ok, err := t.Columns.Pair.read(r)
	e.Pair, e.Null = text, e.Null || !ok
	return err
}

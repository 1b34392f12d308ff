package task

import (
	"fmt"
	"slices"
	"strings"

	"hone/data/corpus"
)

// MultiLabel is the task of assigning any number of labels to a text, or to two.
var MultiLabel Kind = multiLabel{}

type multiLabel struct{}

func (multiLabel) String() string      { return "multi_label" }
func (multiLabel) Head() string        { return "classifier" }
func (multiLabel) Problem() string     { return "multi_label_classification" }
func (multiLabel) Labels() Labels      { return AnyOf }
func (multiLabel) Keys() []string      { return []string{"text", "?text_pair", "?label", "?label_columns"} }
func (multiLabel) Metrics() []string   { return []string{"micro_f1", "macro_f1", "exact_match"} }
func (multiLabel) Baselines() []string { return []string{"majority", "random_init"} }

// Example gives the text and its labels: those of a list, those of a text with a separator, or
// those whose columns are 1.
func (multiLabel) Example(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err == nil && t.Columns.Pair != (Part{}) {
		err = t.second(&e, r)
	}
	if err != nil {
		return e, err
	}
	for _, column := range t.Columns.LabelColumns {
		on, known, err := yes(r.Fields[column], column)
		if err != nil {
			return e, err
		}
		if e.HasLabel = e.HasLabel || known; on {
			e.Labels = append(e.Labels, column)
		}
	}
	if len(t.Columns.LabelColumns) > 0 {
		return e, nil
	}
	var values []any
	column := t.Columns.Label
	if text, ok := r.Fields[column].(string); ok && t.Columns.Separator != "" {
		e.HasLabel = true // of an empty text, none of the labels
		for part := range strings.SplitSeq(text, t.Columns.Separator) {
			values = append(values, part)
		}
	} else if values, e.HasLabel, err = list(r.Fields[column], column); err != nil {
		return e, fmt.Errorf("%w (hint: label_separator says what stands between the labels of a text)", err)
	}
	for _, v := range values {
		label, ok := t.class(v)
		if !ok {
			continue
		}
		if err := t.known(label); err != nil {
			return e, err
		}
		if slices.Contains(e.Labels, label) {
			return e, fmt.Errorf("label %q stands twice", label)
		}
		e.Labels = append(e.Labels, label)
	}
	return e, nil
}

// yes reads a value of a column that says whether a label applies.
func yes(x any, column string) (on, known bool, err error) {
	switch text, ok := asText(x); {
	case !ok || text == "":
		return false, false, nil
	case text == "1" || strings.EqualFold(text, "true"):
		return true, true, nil
	case text == "0" || strings.EqualFold(text, "false"):
		return false, true, nil
	default:
		return false, false, fmt.Errorf("column %s: %q is neither 0 nor 1", column, text)
	}
}

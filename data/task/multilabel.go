package task

import (
	"fmt"
	"slices"
	"strings"

	"hone/data/corpus"
)

// MultiLabel is the task of assigning any number of labels to a text, or to two.
var MultiLabel = &Kind{
	Name: "multi_label",
	Head: "classifier", Problem: "multi_label_classification",
	Reads: OneText, Labels: AnyOf,
	Keys: []string{"text", "?text_pair", "label|label_columns", "?label_separator"}, Options: []string{"token_dropout", "class_weights", "threshold_for"}, Usual: &Columns{},
	Metrics:   []string{"micro_f1", "macro_f1", "exact_match"},
	Baselines: []string{"majority", "random_init"},
	example:   readLabelSet,
	guess: func(g *guesser) (string, bool) {
		g.pair()
		if g.labelByName(); g.to.Label == "" {
			if marks := g.marks(); len(marks) > 1 {
				g.to.LabelColumns = marks
				return fmt.Sprintf("each of the columns %s is 0 or 1", strings.Join(marks, ", ")), true
			}
		}
		g.label()
		return g.to.Label + " has lists", g.to.Label != "" && g.lists(g.to.Label)
	},
}

// readLabelSet gives the text and its labels: those of a list, those of a text with a separator, or
// those whose columns are 1.
func readLabelSet(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
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

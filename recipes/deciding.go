package recipes

import (
	"maps"
	"slices"

	"hone/data"
	"hone/data/task"
	"hone/eval"
)

// Deciding are the keys of how labels are decided from their probabilities.
type Deciding struct {
	ThresholdFor    string  `toml:"threshold_for,omitempty" doc:"what the least probability is chosen for from which a label is predicted: f1, the highest F1 of the label, or precision_at_recall, the highest precision at threshold_recall or more; it is chosen on the documents of validation, anew each time, kept in the checkpoint, and followed by validation, hone eval and hone predict; of two labels for positive_label, in a task of kind multi_label for each; \"\": the most probable label, or labels above 0.5"`
	ThresholdRecall float64 `toml:"threshold_recall,omitzero" doc:"recall of precision_at_recall"`
	PositiveLabel   string  `toml:"positive_label,omitempty" doc:"the one of two labels that has a threshold"`
	Costs           Costs   `toml:"costs,omitempty" doc:"what predictions cost, by the true and by the predicted label, such as {fraud = {ok = 100}}: the label with the least expected cost is predicted, by the probabilities of the model; a right label that is not named costs 0, a wrong one 1"`
}

// Costs of predictions: of a true label, those of labels that are predicted for it.
type Costs map[string]map[string]float64

// Rule is how labels are decided; nil: the most probable ones are predicted.
func (s *Deciding) Rule() *eval.Rule {
	if s.ThresholdFor == "" && s.Costs == nil {
		return nil
	}
	return &eval.Rule{For: s.ThresholdFor, Recall: s.ThresholdRecall, Positive: s.PositiveLabel, Costs: s.Costs}
}

// costs are those that a value of a recipe says; nil: it is a fault.
func (d *decoder) costs(x any, path string) Costs {
	const want = "want a table for each true label, of costs by predicted label, such as {fraud = {ok = 100}}"
	table, ok := x.(map[string]any)
	if !ok || len(table) == 0 {
		d.fault(path, "%s, not %s", want, describe(x))
		return nil
	}
	c := Costs{}
	for _, label := range slices.Sorted(maps.Keys(table)) {
		row, ok := table[label].(map[string]any)
		if !ok || len(row) == 0 {
			d.fault(path, "%s; that of %q is %s", want, label, describe(table[label]))
			return nil
		}
		c[label] = map[string]float64{}
		for _, predicted := range slices.Sorted(maps.Keys(row)) {
			v, ok := number(row[predicted])
			if !ok || !(v >= 0) {
				d.fault(path, "the cost of %q for %q is %s: want a number of 0 or more", predicted, label, describe(row[predicted]))
				return nil
			}
			c[label][predicted] = v
		}
	}
	return c
}

func (d *decoder) deciding(s *Stage, at string) {
	t := data.TaskOf(s.Learns())
	if t == nil {
		return
	}
	for _, k := range []struct {
		key   string
		given bool
	}{{"threshold_for", s.ThresholdFor != ""}, {"costs", s.Costs != nil}} {
		if k.given && !t.Kind.Follows(k.key) {
			d.fault(at+k.key, "no label of %s is decided by it", t.Kind)
		}
	}
	if s.ThresholdFor != "" {
		d.oneOf(at+"threshold_for", s.ThresholdFor, eval.ThresholdsFor)
	}
	if s.ThresholdFor != "" && s.Costs != nil {
		d.fault(at+"costs", "the least expected cost has no threshold: give threshold_for or costs")
	}
	atRecall := s.ThresholdFor == eval.ThresholdsFor[1]
	if atRecall && !(s.ThresholdRecall > 0 && s.ThresholdRecall <= 1) {
		d.fault(at+"threshold_recall", "%g is not above 0 and at most 1", s.ThresholdRecall)
	}
	if !atRecall && s.ThresholdRecall != 0 {
		d.fault(at+"threshold_recall", "only threshold_for = %q has it", eval.ThresholdsFor[1])
	}
	ofTwo := s.ThresholdFor != "" && t.Kind.Labels == task.OneOf
	if ofTwo && s.PositiveLabel == "" {
		d.fault(at+"positive_label", "missing: the label that threshold_for chooses a threshold of")
	}
	if !ofTwo && s.PositiveLabel != "" {
		d.fault(at+"positive_label", "only threshold_for of two labels has it")
	}
}

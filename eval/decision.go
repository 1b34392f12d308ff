package eval

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// What a decision is made for.
const (
	forF1        = "f1"                  // the highest F1 of a label
	forPrecision = "precision_at_recall" // the highest precision at a recall, or more
	forCost      = "cost"                // the least expected cost
)

// ThresholdsFor are the aims that thresholds can be chosen for.
var ThresholdsFor = []string{forF1, forPrecision}

// A Rule says how labels are decided from their probabilities, where not the most probable one is predicted, or those
// above 0.5: by thresholds that are chosen on validation for For, one of ThresholdsFor, or by Costs.
type Rule struct {
	For      string
	Recall   float64                       // of precision_at_recall
	Positive string                        // of two labels, the one that has a threshold
	Costs    map[string]map[string]float64 // of a true label, of what is predicted for it; others: 1, and 0 of the right label
}

// A Decision is a Rule with what was chosen. A checkpoint keeps it.
type Decision struct {
	For        string      `json:"for"`
	Recall     float64     `json:"recall,omitempty"`
	Labels     []string    `json:"labels"`               // of the model, in its order
	Positive   string      `json:"positive,omitempty"`   // of two labels, the one that Thresholds is of
	Thresholds []float64   `json:"thresholds,omitempty"` // least probability of each label that applies, or of Positive
	Costs      [][]float64 `json:"costs,omitempty"`      // by true and by predicted label
	Split      string      `json:"split,omitempty"`      // that thresholds were chosen on
	Documents  int         `json:"documents,omitempty"`  // of it
}

// Check fails if a decision is not one of these labels.
func (d *Decision) Check(labels []string) error {
	n := 1
	switch {
	case !slices.Equal(d.Labels, labels):
		return fmt.Errorf("decision: it is of the labels %s, and the model has %s", strings.Join(d.Labels, ", "), strings.Join(labels, ", "))
	case d.For == forCost:
		if len(d.Costs) != len(labels) || slices.ContainsFunc(d.Costs, func(row []float64) bool { return len(row) != len(labels) }) {
			return fmt.Errorf("decision: costs of %d labels, and the model has %d", len(d.Costs), len(labels))
		}
		return nil
	case d.Positive == "":
		n = len(labels)
	case len(labels) != 2 || !slices.Contains(labels, d.Positive):
		return fmt.Errorf("decision: a threshold of %q is not for the labels %s", d.Positive, strings.Join(labels, ", "))
	}
	if len(d.Thresholds) != n || !slices.Contains(ThresholdsFor, d.For) {
		return fmt.Errorf("decision: %d thresholds for %q; want %d", len(d.Thresholds), d.For, n)
	}
	return nil
}

// Words says in words how labels are decided.
func (d *Decision) Words() string {
	if d.For == forCost {
		return "the one with the least expected cost, by the probabilities of the model"
	}
	aim := "the highest F1"
	if d.For == forPrecision {
		aim = fmt.Sprintf("the highest precision at a recall of %g or more", d.Recall)
	}
	of := d.Labels
	if d.Positive != "" {
		of = []string{d.Positive}
	}
	var list []string
	for i, l := range of {
		list = append(list, fmt.Sprintf("%s %.4f", l, d.Thresholds[i]))
	}
	return fmt.Sprintf("by least probabilities chosen for %s of each on %d documents of split %s: %s", aim, d.Documents, d.Split, strings.Join(list, ", "))
}

// one is the label that is predicted, of labels of which one is true.
func (d *Decision) one(p []float64) int {
	if d.For != forCost {
		positive := slices.Index(d.Labels, d.Positive)
		if p[positive] >= d.Thresholds[0] {
			return positive
		}
		return 1 - positive
	}
	best, least := 0, math.Inf(1)
	for j := range p {
		cost := 0.0
		for i, q := range p {
			cost += float64(q * d.Costs[i][j])
		}
		if cost < least {
			best, least = j, cost
		}
	}
	return best
}

// applies reports whether a label is predicted, of those of which any number is true.
func (d *Decision) applies(k int, p float64) bool { return p >= d.Thresholds[k] }

// decided sets what is predicted.
func (d *Decision) decided(list []Prediction) {
	if d == nil {
		return
	}
	for i := range list {
		list[i].decided = new(d.one(list[i].Probs))
	}
}

// Decide gives the decision of a rule by the probabilities of labels, and whether they are true, of documents of a
// split; several: any number of labels of a document are.
func (r *Rule) Decide(labels []string, several bool, split string, probs [][]float64, truth [][]bool) (*Decision, error) {
	d := &Decision{For: r.For, Labels: labels}
	if r.For == "" {
		d.For = forCost
		for i, t := range labels {
			row := make([]float64, len(labels))
			for j, p := range labels {
				c, ok := r.Costs[t][p]
				if row[j] = c; !ok && i != j {
					row[j] = 1
				}
			}
			d.Costs = append(d.Costs, row)
		}
		for _, t := range slices.Sorted(maps.Keys(r.Costs)) {
			for _, l := range slices.Concat([]string{t}, slices.Sorted(maps.Keys(r.Costs[t]))) {
				if !slices.Contains(labels, l) {
					return nil, fmt.Errorf("costs: the model has no label %q, but %s", l, strings.Join(labels, ", "))
				}
			}
		}
		return d, nil
	}
	of := labels
	if !several {
		if len(labels) != 2 {
			return nil, fmt.Errorf("threshold_for: there are %d labels, and thresholds are for two (hint: costs are for any number)", len(labels))
		}
		if !slices.Contains(labels, r.Positive) {
			return nil, fmt.Errorf("positive_label: the model has no label %q, but %s", r.Positive, strings.Join(labels, ", "))
		}
		d.Positive, of = r.Positive, []string{r.Positive}
	}
	d.Split, d.Documents = split, len(probs)
	if r.For == forPrecision {
		d.Recall = r.Recall
	}
	for _, l := range of {
		k := slices.Index(labels, l)
		p, right := make([]float64, len(probs)), make([]bool, len(probs))
		for i := range probs {
			p[i], right[i] = probs[i][k], truth[i][k]
		}
		d.Thresholds = append(d.Thresholds, r.threshold(p, right))
	}
	return d, nil
}

// threshold is the least probability of what is predicted that is best for the rule: in the middle between those of two
// documents, and of equally good ones the one nearest to 0.5, which also stands where nothing is true.
func (r *Rule) threshold(p []float64, right []bool) float64 {
	order := make([]int, len(p))
	all := 0
	for i := range order {
		if order[i] = i; right[i] {
			all++
		}
	}
	if all == 0 {
		return 0.5
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[b], p[a]) })
	best, at := [2]float64{-1, -1}, 0.5
	hit := 0
	for n, i := range order {
		if right[i] {
			hit++
		}
		t := 0.0 // all are predicted
		if n+1 < len(order) {
			next := p[order[n+1]]
			if next == p[i] {
				continue
			}
			if t = (p[i] + next) / 2; t <= next {
				t = p[i]
			}
		}
		value := [2]float64{2 * float64(hit) / float64(n+1+all)}
		if r.For == forPrecision {
			recall := float64(hit) / float64(all)
			if recall < r.Recall {
				continue
			}
			value = [2]float64{float64(hit) / float64(n+1), recall}
		}
		c := slices.Compare(value[:], best[:])
		if c > 0 || c == 0 && math.Abs(t-0.5) < math.Abs(at-0.5) {
			best, at = value, t
		}
	}
	return at
}

// decide makes the decision of the yardstick's rule, if it has one. of gives the probability of label k for document i of
// n, and whether it is true.
func (y *Yardstick) decide(several bool, n int, of func(i, k int) (float64, bool)) (err error) {
	if y.Rule == nil {
		return nil
	}
	probs, truth := make([][]float64, n), make([][]bool, n)
	for i := range probs {
		for k := range y.Config.Labels {
			p, right := of(i, k)
			probs[i], truth[i] = append(probs[i], p), append(truth[i], right)
		}
	}
	y.Decision, err = y.Rule.Decide(y.Config.Labels, several, y.Split.Name, probs, truth)
	return err
}

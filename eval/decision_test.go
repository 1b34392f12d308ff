package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// A threshold is as good as the best of all that there are, and no document's probability lies on it.
func TestThresholds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		n := 1 + r.IntN(12)
		p, right := make([]float64, n), make([]bool, n)
		for i := range p {
			p[i], right[i] = float64(r.IntN(8))/8, r.IntN(3) == 0 // many are equal
		}
		// f1, precision and recall where those of t or more are predicted.
		of := func(t float64) (f1, precision, recall float64) {
			var hit, predicted, all float64
			for i := range p {
				if right[i] {
					all++
				}
				if p[i] >= t {
					if predicted++; right[i] {
						hit++
					}
				}
			}
			return 2 * hit / (predicted + all), hit / max(1, predicted), hit / all
		}
		if !slices.Contains(right, true) {
			if got := (&Rule{For: forF1}).threshold(p, right); got != 0.5 {
				t.Errorf("nothing is true, and the threshold is %g", got)
			}
			continue
		}
		for _, rule := range []Rule{{For: forF1}, {For: forPrecision, Recall: 0.5}, {For: forPrecision, Recall: 1}} {
			got := rule.threshold(p, right)
			f1, precision, recall := of(got)
			for _, other := range append(slices.Clone(p), 0, 1) {
				a, b, c := of(other)
				if rule.For == forF1 && a > f1+1e-12 || rule.For == forPrecision && (recall < rule.Recall || c >= rule.Recall && b > precision+1e-12) {
					t.Fatalf("%+v: %g gives F1 %g, precision %g, recall %g, and %g gives %g, %g, %g; of %v %v", rule, got, f1, precision, recall, other, a, b, c, p, right)
				}
			}
		}
	}
}

// The least expected cost by hand: fraud of probability 0.2 that costs 10 when missed is predicted, and 0.05 is not.
func TestDecisions(t *testing.T) {
	labels := []string{"fraud", "ok"}
	costs := &Rule{Costs: map[string]map[string]float64{"fraud": {"ok": 10}}}
	d, err := costs.Decide(labels, false, "validation", nil, nil)
	if err != nil || d.Check(labels) != nil {
		t.Fatal(d, err)
	}
	for p, want := range map[float64]int{0.2: 0, 0.05: 1, 0.95: 0} {
		if got := d.one([]float64{p, 1 - p}); got != want {
			t.Errorf("fraud of probability %g: label %d", p, got)
		}
	}
	three := &Rule{Costs: map[string]map[string]float64{"a": {"b": 4, "c": 0.5}, "c": {"c": 1}}}
	if d, err = three.Decide([]string{"a", "b", "c"}, false, "validation", nil, nil); err != nil {
		t.Fatal(err)
	}
	// a: .3·0 + .4·1 + .3·1, b: .3·4 + .3·1, c: .3·.5 + .4·1 + .3·1
	if got := d.one([]float64{0.3, 0.4, 0.3}); got != 0 {
		t.Errorf("label %d", got)
	}
	probs, truth := [][]float64{{0.3, 0.7}, {0.2, 0.8}, {0.1, 0.9}}, [][]bool{{true, false}, {false, true}, {false, true}}
	binary := &Rule{For: forF1, Positive: "fraud"}
	if d, err = binary.Decide(labels, false, "validation", probs, truth); err != nil || math.Abs(d.Thresholds[0]-0.25) > 1e-12 || d.one(probs[0]) != 0 || d.one(probs[1]) != 1 {
		t.Errorf("%+v, %v", d, err)
	}
	if want := "by least probabilities chosen for the highest F1 of each on 3 documents of split validation: fraud 0.2500"; d.Words() != want {
		t.Errorf("%q, want %q", d.Words(), want)
	}
	if d, err = (&Rule{For: forPrecision, Recall: 0.9}).Decide(labels, true, "validation", probs, truth); err != nil || len(d.Thresholds) != 2 || !d.applies(1, 0.8) || d.applies(1, 0.7) {
		t.Errorf("%+v, %v", d, err)
	}
	list := []Prediction{{Label: 0, Probs: probs[0]}}
	(&Decision{For: forF1, Labels: labels, Positive: "fraud", Thresholds: []float64{0.25}}).decided(list)
	if list[0].Best() != 0 {
		t.Error("the decision is not followed")
	}
	for message, fail := range map[string]func() error{
		`positive_label: the model has no label "x"`: func() error {
			_, err := (&Rule{For: forF1, Positive: "x"}).Decide(labels, false, "", nil, nil)
			return err
		},
		"thresholds are for two": func() error {
			_, err := binary.Decide([]string{"a", "b", "c"}, false, "", nil, nil)
			return err
		},
		`the model has no label "b"`:      func() error { _, err := three.Decide([]string{"a", "c"}, false, "", nil, nil); return err },
		"it is of the labels fraud, ok":   func() error { return d.Check([]string{"ok", "fraud"}) },
		"1 thresholds for \"f1\"; want 2": func() error { return (&Decision{For: forF1, Labels: labels, Thresholds: []float64{1}}).Check(labels) },
		"costs of 0 labels":               func() error { return (&Decision{For: forCost, Labels: labels}).Check(labels) },
		`2 thresholds for "best"`: func() error {
			return (&Decision{For: "best", Labels: labels, Thresholds: []float64{1, 1}}).Check(labels)
		},
		`a threshold of "x" is not for`: func() error { return (&Decision{For: forF1, Labels: labels, Positive: "x"}).Check(labels) },
	} {
		if err := fail(); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("%v, want %q", err, message)
		}
	}
}

// A set of labels is as probable as the least sure of its decisions, also where a threshold takes a label that is not
// likely.
func TestSureOfLabels(t *testing.T) {
	labels := []string{"a", "b"}
	o := &Output{Logits: []float32{2, -1}} // probabilities 0.88 and 0.27
	for _, c := range []struct {
		d     *Decision
		set   []any
		least float64
	}{
		{nil, []any{"a"}, 1 - o.sure(1)},
		{&Decision{For: forF1, Labels: labels, Thresholds: []float64{.5, .25}}, []any{"a", "b"}, o.sure(1)},
		{&Decision{For: forF1, Labels: labels, Thresholds: []float64{.9, .3}}, []any{}, 1 - o.sure(0)},
	} {
		row, least := o.marks(labels, c.d)
		if !slices.Equal(row[0].([]any), c.set) || least != c.least {
			t.Errorf("%v: %v, %g, want %v, %g", c.d, row[0], least, c.set, c.least)
		}
	}
}

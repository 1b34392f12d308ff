package task

import (
	"reflect"
	"strings"
	"testing"

	"hone/data/corpus"
)

func TestKinds(t *testing.T) {
	for _, k := range Kinds {
		if got, err := ParseKind(k.String()); got != k || err != nil {
			t.Errorf("%v: %v, %v", k, got, err)
		}
		if len(k.Metrics) == 0 || len(k.Baselines) == 0 {
			t.Errorf("%v has metrics %q and baselines %q", k, k.Metrics, k.Baselines)
		}
	}
	if _, err := ParseKind("clasification"); err == nil || !strings.Contains(err.Error(), "known: likelihood, classification") {
		t.Errorf("%v", err)
	}
}

// A label is no part of what a language model reads, and a classifier is not asked for what has
// none.
func TestExamples(t *testing.T) {
	r := corpus.Record{Text: "good", IDs: []int32{7}, Label: "yes", HasLabel: true}
	for _, c := range []struct {
		of   *Kind
		want Example
	}{
		{Likelihood, Example{Text: "good", IDs: []int32{7}}},
		{Classification, Example{Text: "good", IDs: []int32{7}, Label: "yes", HasLabel: true}},
	} {
		if got, err := Of(c.of).Example(&r); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%v: %+v, %v, want %+v", c.of, got, err, c.want)
		}
	}
}

// Integers stand for the labels of a task, counted from 0 or from 1.
func TestFirstLabel(t *testing.T) {
	for _, c := range []struct {
		first       int
		value, want string
		says        string
	}{
		{0, "1", "sport", ""},
		{1, "1", "world", ""},
		{1, "2", "sport", ""},
		{0, "2", "", "first_label = 0"},
		{1, "0", "", "first_label = 1"},
	} {
		tk := &Task{Kind: Classification, Labels: []string{"world", "sport"}, Columns: Columns{FirstLabel: c.first}, Limits: NoLimits}
		got, err := tk.Example(&corpus.Record{Text: "news", Label: c.value, HasLabel: true})
		if c.says != "" {
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s from %d on: error %v, want one that says %s", c.value, c.first, err, c.says)
			}
			continue
		}
		if err != nil || got.Label != c.want {
			t.Errorf("%s from %d on: %q, %v, want %q", c.value, c.first, got.Label, err, c.want)
		}
	}
}

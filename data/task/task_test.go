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

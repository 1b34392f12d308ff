package report

import (
	"testing"

	"hone/data"
	"hone/data/task"
	"hone/trainer/model"
)

// What a recipe can measure, stand beside a model or train has a name in words.
func TestNamesInWords(t *testing.T) {
	var besides []string
	for _, o := range data.Objectives {
		besides = append(besides, o.Baselines()...)
	}
	for _, k := range task.Kinds {
		besides = append(besides, k.Baselines...)
		for _, m := range k.Metrics {
			if metrics[m].What == "" {
				t.Errorf("the metric %s has no name in words", m)
			}
		}
	}
	for _, b := range besides {
		if baselines[b].What == "" {
			t.Errorf("the baseline %s has no name in words", b)
		}
	}
	for _, family := range model.ModelTypes {
		if families[family] == "" {
			t.Errorf("the family %s has no name in words", family)
		}
	}
}

package eval

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"hone/data"
	"hone/data/task"
	"hone/eval/metric"
)

// Each baseline that an objective or a kind of task names is one that its scorer puts beside a
// model, and there is no other.
func TestBaselinesOfObjectives(t *testing.T) {
	objectives := data.Objectives
	for _, k := range task.Kinds {
		if k.Labelled() {
			objectives = append(slices.Clone(objectives), data.Labelled(k))
		}
	}
	for _, o := range objectives {
		var known []string
		for _, b := range ScorerOf(o).Baselines() {
			known = append(known, b.Name)
		}
		named := slices.Sorted(slices.Values(o.Baselines()))
		if slices.Sort(known); !slices.Equal(named, known) {
			t.Errorf("%v names %q, its scorer has %q", o, named, known)
		}
	}
}

// The metrics that a task lists are measured, in their order, and the first one decides; a task that lists
// none has those of its kind.
func TestMetricsOfTasks(t *testing.T) {
	figures := []metric.Figure{{Name: "spearman", Estimate: metric.Estimate{Value: math.NaN()}}, {Name: "pearson", Estimate: metric.Estimate{Value: .5}}, {Name: "mse", Estimate: metric.Estimate{Value: 2}}}
	of := func(metrics ...string) *Yardstick {
		k := task.Of(task.Regression)
		k.Metrics = metrics
		return &Yardstick{Config: data.Config{Objective: data.OfTask(k)}}
	}
	for _, c := range []struct {
		y      *Yardstick
		best   string
		higher bool
		note   string
	}{
		{of(), "val_spearman", true, "validation spearman 0.000"},
		{of("mse", "pearson"), "val_mse", false, "validation mse 2.000"},
		{of("pearson"), "val_pearson", true, "validation pearson 0.500"},
	} {
		v, err := c.y.validation(3, figures, "val_spearman", nil)
		if err != nil {
			t.Fatal(err)
		}
		name, higher := Best(c.y.Config.Objective, "", false, 1)
		if _, ok := v.Metrics[name]; name != c.best || higher != c.higher || v.Note != c.note || !ok || len(v.Metrics) != 4 {
			t.Errorf("%v: best %s, higher %v, %q, %v", c.y.metrics(), name, higher, v.Note, v.Metrics)
		}
		listed, err := choose(c.y.metrics(), []string{"spearman", "pearson", "mse"}, strings.Clone)
		if err != nil || len(c.y.metrics()) > 0 && !slices.Equal(listed, c.y.metrics()) {
			t.Errorf("%v: %v, %v", c.y.metrics(), listed, err)
		}
	}
	var unsuited *MetricError
	if _, err := of("mae").validation(3, figures, "val_spearman", nil); !errors.As(err, &unsuited) || !slices.Equal(unsuited.Known, []string{"spearman", "pearson", "mse"}) {
		t.Error(err)
	}
}

// Whatever validation gives of a kind, it gives what decides which checkpoint is the best.
func TestBestOfKinds(t *testing.T) {
	for _, k := range task.Kinds {
		if !k.Labelled() {
			continue
		}
		for _, m := range k.Metrics {
			of := task.Of(k)
			of.Metrics = []string{m}
			name, higher := Best(data.OfTask(of), "", false, 1)
			if byName, same := Best(data.OfTask(task.Of(k)), m, false, 1); byName != "val_"+m || same == metric.LowerIsBetter(m) {
				t.Errorf("%v by %s: %s, higher %v", k, m, byName, same)
			}
			if name != "val_"+m && name != "val_loss" || higher == (name == "val_loss" || name == "val_mse") {
				t.Errorf("%v by %s: %s, higher %v", k, m, name, higher)
			}
		}
	}
}

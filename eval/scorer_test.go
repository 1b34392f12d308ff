package eval

import (
	"slices"
	"testing"

	"hone/data"
	"hone/data/task"
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

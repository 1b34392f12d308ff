package eval

import (
	"slices"
	"testing"

	"hone/data"
	"hone/data/task"
)

// Whatever a model can learn has a scorer, which knows the baselines that it names.
func TestScorers(t *testing.T) {
	learned := slices.Clone(data.Objectives)
	for _, k := range task.Kinds {
		if k.Labelled() {
			learned = append(learned, data.Labelled(k))
		}
	}
	for _, o := range learned {
		s := ScorerOf(o)
		var known []string
		for _, b := range s.Baselines() {
			known = append(known, b.Name)
		}
		if len(o.Baselines()) == 0 {
			t.Errorf("%v has no baseline", o)
		}
		for _, name := range o.Baselines() {
			if !slices.Contains(known, name) {
				t.Errorf("%v names the baseline %s; %T knows %v", o, name, s, known)
			}
		}
	}
	for _, s := range scorers {
		if !slices.ContainsFunc(learned, func(o data.Objective) bool { return ScorerOf(o) == s }) {
			t.Errorf("%T scores nothing", s)
		}
		for _, b := range s.Baselines() {
			named := slices.ContainsFunc(learned, func(o data.Objective) bool {
				return ScorerOf(o) == s && slices.Contains(o.Baselines(), b.Name)
			})
			if !named {
				t.Errorf("%T knows the baseline %s, which nothing that it scores names", s, b.Name)
			}
		}
	}
}

package run

import (
	"fmt"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/eval"
	"hone/recipes"
	"hone/trainer/model"
)

// labelsOf are the labels that a stage predicts, in the order of its model: the order of the
// trained head that it starts from, where it has the corpus's labels; else that of the corpus.
func labelsOf(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus) []string {
	if order, err := keptLabels(r, s, c); err == nil && order != nil {
		return order
	}
	return c.Labels
}

// keptLabels are the labels of the classifier that a stage starts from, by the corpus's names.
// The error says why its head cannot be kept.
func keptLabels(r *recipes.Recipe, s *recipes.Stage, c *corpus.Corpus) ([]string, error) {
	t := data.TaskOf(s.Learns())
	switch {
	case t == nil || !r.IsBase(s) || r.Base.Head != s.Head():
		return nil, fmt.Errorf("%s has no head for these labels", s.From)
	case r.Base.Head == model.Classifier && r.Base.Config.Problem() != t.Kind.Problem:
		return nil, fmt.Errorf("it is of %s, not of %s", r.Base.Config.Problem(), t.Kind.Problem)
	case !t.Kind.Classes():
		return nil, nil
	}
	return c.MatchLabels(r.Base.Config.Labels())
}

// labelled checks that the corpora of stages have the labels that these need, and those of
// evaluations the labels of the models.
func labelled(r *recipes.Recipe, corpora map[string]*corpus.Corpus) error {
	for i := range r.Stages {
		s := &r.Stages[i]
		c := stageCorpus(corpora, s)
		switch {
		case s.Trains() && s.TaskOf() != nil: // whose examples have been read
			if t := s.TaskOf(); t.Kind.Classes() && len(c.Labels) < 2 && (t.Kind.Labels == task.OneOf || len(c.Labels) == 0) {
				return fmt.Errorf("stage %s: corpus %s has %d labels; %v needs 2 or more", s.Name, c.Provenance.Name, len(c.Labels), t.Kind)
			}
		case !s.Learns().OfText():
			for _, need := range []struct {
				split *corpus.Split
				what  string
			}{{c.Train, "to learn"}, {c.Validation, "to validate the training"}} {
				if err := c.Unlabelled(need.split, need.what); err != nil {
					return fmt.Errorf("stage %s: %w", s.Name, err)
				}
			}
			if len(c.Labels) < 2 {
				return fmt.Errorf("stage %s: corpus %s has %d labels; %v needs 2 or more", s.Name, c.Provenance.Name, len(c.Labels), s.Learns())
			}
		case !s.Trains():
			if err := eval.CanFit(c, s.Baselines, len(tasksOf(r, s)) > 0); err != nil {
				return fmt.Errorf("stage %s: %w", s.Name, err)
			}
			for _, name := range s.Models {
				m, err := r.Stage(name)
				t := data.TaskOf(m.Learns())
				if err != nil || t == nil || !t.Kind.Classes() {
					continue
				}
				split := c.Validation
				if s.Split == "test" {
					split = c.Test
				}
				if len(tasksOf(r, s)) == 0 { // else the examples have been read
					if err := c.Unlabelled(split, "to compare with"); err != nil {
						return fmt.Errorf("stage %s: %w", s.Name, err)
					}
				}
				if _, err := c.MatchLabels(labelsOf(r, m, stageCorpus(corpora, m))); err != nil {
					return fmt.Errorf("stage %s: %s: %w", s.Name, name, err)
				}
			}
		}
	}
	return nil
}

package recipes

import (
	"fmt"
	"slices"
	"strings"

	"hone/data"
	"hone/data/task"
	"hone/trainer/model"
)

// Objectives are those that a model of this configuration learns by from text without labels,
// the usual one first.
func Objectives(c model.Config) (list []data.Objective) {
	for _, o := range data.Objectives {
		if o.Predicts() == c.Traits().Learns.String() {
			list = append(list, o)
		}
	}
	return list
}

// Learns is what a stage learns: an objective of text without labels, or a kind of task; of one
// that learns nothing, or nothing known, the next token.
func (s *Stage) Learns() data.Objective {
	if kind, err := task.ParseKind(s.Objective); err == nil {
		if s.task != nil && s.task.Kind == kind {
			return data.OfTask(s.task)
		}
		return data.Labelled(kind)
	}
	if o, err := data.ParseObjective(s.Objective); err == nil {
		return o
	}
	return data.Objectives[0]
}

// Hide sets how much of a text a loader hides.
func (s *Stage) Hide(c *data.Config) {
	c.Masking = data.Masking{
		MLMProbability: s.MLMProbability, MaskReplaceProb: s.MaskReplaceProb, RandomReplaceProb: s.RandomReplaceProb,
		WholeWordMask: s.WholeWordMask, NextSentence: s.NextSentence,
	}
	c.Permuting = data.Permuting{PLMProbability: s.PLMProbability, MaxSpanLength: s.MaxSpanLength}
	c.Corruption = data.Corruption{NoiseDensity: s.NoiseDensity, MeanNoiseSpanLength: s.MeanNoiseSpanLength}
}

// fillObjective fills in what the keys stand for that the objective reads.
func (s *Stage) fillObjective() {
	var c data.Config
	s.Hide(&c)
	c.Objective, c.MicroBatchSize = s.Learns(), 1
	c = c.WithDefaults()
	s.MLMProbability, s.MaskReplaceProb, s.RandomReplaceProb = c.MLMProbability, c.MaskReplaceProb, c.RandomReplaceProb
	s.PLMProbability, s.MaxSpanLength = c.PLMProbability, c.MaxSpanLength
	s.NoiseDensity, s.MeanNoiseSpanLength = c.NoiseDensity, c.MeanNoiseSpanLength
	if c.Slots() > 0 || !c.Objective.OfText() {
		s.fillPacking()
	} else {
		s.MaxSequences = 0 // documents fill a row
	}
}

// objective checks what a training stage learns.
func (d *decoder) objective(r *Recipe, s *Stage, at string) {
	known := objectives(s.Kind)
	d.oneOf(at+"objective", s.Objective, known)
	if !slices.Contains(known, s.Objective) {
		return
	}
	o := s.Learns()
	if t := data.TaskOf(o); t != nil && s.Kind == "finetune" {
		d.learnsTask(r, s, t, at)
	}
	if r.Model.Family != nil && o.OfText() && !slices.Contains(Objectives(r.Model), o) {
		can := Objectives(r.Model)
		var names, others []string
		for _, c := range can {
			names = append(names, c.String())
		}
		for _, family := range slices.Sorted(slices.Values(model.ModelTypes)) {
			if c, err := model.SmallConfig(family); err == nil && slices.Contains(Objectives(c), o) {
				others = append(others, family)
			}
		}
		d.fault(at+"objective", "%s does not learn by %s, but by %s; %s is for %s", r.Model.ModelType, o, strings.Join(names, ", "), o, strings.Join(others, ", "))
	}
	for _, g := range groups() {
		if !g.has(s.Kind, s.Objective) {
			continue
		}
		switch g.name {
		case "Packing":
			d.packing(s, at)
		case "Masking":
			d.masking(r, s, at)
		case "Permuting":
			d.permuting(s, at)
		case "Corruption":
			d.corruption(r, s, at)
		}
	}
}

// scored checks that the baselines of an evaluation are of what its models are scored by.
func (d *decoder) scored(r *Recipe, s *Stage, at string) {
	known := baselines()
	for _, b := range s.Baselines {
		d.oneOf(at+"baselines", b, known)
		var by []string
		suits := false
		for _, name := range s.Models {
			m, err := r.Stage(name)
			if err != nil {
				return // a fault already
			}
			by = append(by, fmt.Sprintf("%q by %s", name, m.Learns()))
			suits = suits || slices.Contains(m.Learns().Baselines(), b)
		}
		if !suits && slices.Contains(known, b) && len(by) > 0 {
			d.fault(at+"baselines", "%s is not for these models, which learn %s", b, strings.Join(by, ", "))
		}
	}
}

// baselines are all names that there are.
func baselines() (names []string) {
	for _, o := range data.Objectives {
		names = append(names, o.Baselines()...)
	}
	for _, k := range task.Kinds {
		names = append(names, k.Baselines...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// learnsTask checks the task of a stage against its other keys and its model.
func (d *decoder) learnsTask(r *Recipe, s *Stage, t *task.Task, at string) {
	switch {
	case s.task != nil && s.task.Kind.String() != s.Objective:
		d.fault(at+"objective", "task %s is of kind %s: leave objective out", s.Task, s.task.Kind)
		return
	case s.task == nil && s.Task == "" && !t.Kind.Bare():
		d.fault(at+"task", "missing: objective = %q wants a task, which says which columns it reads", s.Objective)
		return
	}
	if r.Model.Family != nil {
		if _, err := HeadOf(r.Model, t.Kind); err != nil {
			d.fault(at+"task", "%v", err)
		}
	}
	if s.ClassWeights != nil && !t.Kind.Follows("class_weights") {
		d.fault(at+"class_weights", "%s has no classes that could be weighed", t.Kind)
	}
	if s.LabelSmoothing != 0 && !t.Kind.Follows("label_smoothing_factor") {
		d.fault(at+"label_smoothing_factor", "targets of %s are not smoothed", t.Kind)
	}
	if s.LMWeight != 0 && !t.Kind.Follows("lm_weight") {
		d.fault(at+"lm_weight", "a loss beside that of %s is not supported", t.Kind)
	}
	if s.TokenDropout != 0 && (!t.Kind.Follows("token_dropout") || t.Paired()) {
		d.fault(at+"token_dropout", "only a task of single texts with labels has it")
	}
	if s.Trainable == TrainableHead && t.Kind.Writes() {
		d.fault(at+"trainable", "%q leaves nothing to train: %s has no head of its own", TrainableHead, t.Kind)
	}
}

// HeadOf is the head that does a kind of task, of a model that has one.
func HeadOf(c model.Config, k *task.Kind) (model.Head, error) {
	does := func(c model.Config) (model.Head, bool) {
		for _, h := range model.Heads() {
			if h.String() == k.Head && c.Has(h) && (k.Labels != task.Written || c.Traits().Learns == model.NextTokens || c.Traits().EncoderDecoder) {
				return h, true
			}
		}
		return 0, false
	}
	if h, ok := does(c); ok {
		return h, nil
	}
	var others []string
	for _, family := range model.ModelTypes {
		if c, err := model.SmallConfig(family); err == nil {
			if _, ok := does(c); ok {
				others = append(others, family)
			}
		}
	}
	return 0, fmt.Errorf("%s does not do %s; models that do: %s", c.ModelType, k, strings.Join(others, ", "))
}

package recipes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"hone/data"
	"hone/eval"
	"hone/trainer/model"
)

// Learns is what the models of each model_type learn from text without labels.
var Learns = func() map[string][]data.Objective {
	by := map[model.Learning][]data.Objective{
		model.NextTokens: {data.Causal, data.PrefixLM}, model.MaskedTokens: {data.Masked},
		model.PermutedTokens: {data.Permutation}, model.CorruptedSpans: {data.SpanCorruption},
	}
	learns := map[string][]data.Objective{}
	for _, name := range model.ModelTypes {
		if c, err := model.DefaultConfig(name); err == nil {
			learns[name] = by[c.Traits().Learns]
		}
	}
	return learns
}()

// Learns is the objective of a stage; of one that has none, the next token.
func (s *Stage) Learns() data.Objective {
	o, err := data.ParseObjective(s.Objective)
	if err != nil {
		return data.Causal
	}
	return o
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
	c = c.WithDefaults()
	switch s.Learns() {
	case data.Masked:
		if s.NextSentence {
			s.fillPacking()
		} else {
			s.MaxSequences = 0 // documents fill a row
		}
		s.MLMProbability, s.MaskReplaceProb, s.RandomReplaceProb = c.MLMProbability, c.MaskReplaceProb, c.RandomReplaceProb
	case data.Permutation:
		s.PLMProbability, s.MaxSpanLength = c.PLMProbability, c.MaxSpanLength
	case data.SpanCorruption:
		s.NoiseDensity, s.MeanNoiseSpanLength = c.NoiseDensity, c.MeanNoiseSpanLength
	case data.Classification:
		s.fillPacking()
	}
}

// objectives are those of a kind of stage.
func objectives(kind string) (names []string) {
	for o := data.Causal; o <= data.PrefixLM; o++ {
		if kind == "pretrain" && o != data.Classification || kind == "finetune" && o == data.Classification {
			names = append(names, o.String())
		}
	}
	return names
}

// objective checks what a training stage learns.
func (d *decoder) objective(r *Recipe, s *Stage, at string) {
	known := objectives(s.Kind)
	d.oneOf(at+"objective", s.Objective, known)
	if !slices.Contains(known, s.Objective) {
		return
	}
	o := s.Learns()
	if can, ok := Learns[r.Model.ModelType]; ok && o != data.Classification && !slices.Contains(can, o) {
		var names, others []string
		for _, c := range can {
			names = append(names, c.String())
		}
		for _, family := range slices.Sorted(maps.Keys(Learns)) {
			if slices.Contains(Learns[family], o) {
				others = append(others, family)
			}
		}
		d.fault(at+"objective", "%s does not learn by %s, but by %s; %s is for %s", r.Model.ModelType, o, strings.Join(names, ", "), o, strings.Join(others, ", "))
	}
	switch o {
	case data.Masked:
		d.packing(s, at)
		d.masking(r, s, at)
	case data.Classification:
		d.packing(s, at)
	case data.Permutation:
		d.permuting(s, at)
	case data.SpanCorruption:
		d.corruption(r, s, at)
	}
}

// scored checks that the baselines of an evaluation are of what its models are scored by.
func (d *decoder) scored(r *Recipe, s *Stage, at string) {
	for _, b := range s.Baselines {
		var by []string
		suits := false
		for _, name := range s.Models {
			m, err := r.Stage(name)
			if err != nil {
				return // a fault already
			}
			by = append(by, fmt.Sprintf("%q by %s", name, m.Learns()))
			suits = suits || slices.Contains(beside(m.Learns()), b)
		}
		if !suits && slices.Contains(baselines, b) && len(by) > 0 {
			d.fault(at+"baselines", "%s is not for these models, which learn %s", b, strings.Join(by, ", "))
		}
	}
}

// beside are the baselines for models of an objective.
func beside(o data.Objective) []string {
	switch o {
	case data.Masked:
		return []string{eval.BaselineBidirectionalTrigram}
	case data.SpanCorruption:
		return []string{eval.BaselineFrequentSpan, eval.BaselineGapSpan, eval.BaselineUnigram}
	case data.Classification:
		return []string{eval.BaselineMajority, eval.BaselineNaiveBayes, eval.BaselineRandomInit}
	}
	return []string{eval.BaselineZstd, eval.BaselineKneserNey5, eval.BaselineMarkov}
}

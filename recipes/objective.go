package recipes

import (
	"fmt"
	"maps"
	"math"
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
		s.MLMProbability, s.MaskReplaceProb, s.RandomReplaceProb = c.MLMProbability, c.MaskReplaceProb, c.RandomReplaceProb
	case data.Permutation:
		s.PLMProbability, s.MaxSpanLength = c.PLMProbability, c.MaxSpanLength
	case data.SpanCorruption:
		s.NoiseDensity, s.MeanNoiseSpanLength = c.NoiseDensity, c.MeanNoiseSpanLength
	}
}

// objective checks what a training stage learns.
func (d *decoder) objective(r *Recipe, s *Stage, at string) {
	known := []string{data.Classification.String()}
	if s.Kind == "pretrain" {
		known = nil
		for o := data.Causal; o <= data.PrefixLM; o++ {
			if o != data.Classification {
				known = append(known, o.String())
			}
		}
	}
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
	set := func(on bool) float64 {
		if on {
			return 1
		}
		return 0
	}
	for _, k := range []struct {
		key          string
		v            float64
		of           data.Objective
		least, below float64
	}{
		{"mlm_probability", s.MLMProbability, data.Masked, math.SmallestNonzeroFloat64, 1},
		{"mask_replace_prob", s.MaskReplaceProb, data.Masked, 0, math.Inf(1)},
		{"random_replace_prob", s.RandomReplaceProb, data.Masked, 0, math.Inf(1)},
		{"whole_word_mask", set(s.WholeWordMask), data.Masked, 0, 2},
		{"next_sentence", set(s.NextSentence), data.Masked, 0, 2},
		{"plm_probability", s.PLMProbability, data.Permutation, math.SmallestNonzeroFloat64, 1},
		{"max_span_length", float64(s.MaxSpanLength), data.Permutation, 1, math.Inf(1)},
		{"noise_density", s.NoiseDensity, data.SpanCorruption, math.SmallestNonzeroFloat64, 1},
		{"mean_noise_span_length", s.MeanNoiseSpanLength, data.SpanCorruption, 1, math.Inf(1)},
		{"max_target_length", float64(s.MaxTargetLength), data.SpanCorruption, 0, math.Inf(1)},
	} {
		switch {
		case o != k.of && k.v != 0:
			d.fault(at+k.key, "only objective = %q has it, not %s", k.of, o)
		case o != k.of:
		case !(k.v >= k.least && k.v < k.below) && k.least > 0 && k.least < 1:
			d.fault(at+k.key, "%g is not above 0 and below 1", k.v)
		case !(k.v >= k.least):
			d.fault(at+k.key, "%g is less than %g", k.v, k.least)
		}
	}
	if o == data.Masked && !(s.MaskReplaceProb+s.RandomReplaceProb <= 1) {
		d.fault(at+"mask_replace_prob", "%g and random_replace_prob, %g, are together more than 1", s.MaskReplaceProb, s.RandomReplaceProb)
	}
	if f, ok := r.Model.Family.(model.BERT); s.NextSentence && o == data.Masked && !ok {
		d.fault(at+"next_sentence", "%s has no head that judges pairs of texts; bert has", r.Model.ModelType)
	} else if s.NextSentence && ok && f.TypeVocabSize < 2 {
		d.fault(at+"next_sentence", "two texts have two types of tokens, but model.type_vocab_size is %d", f.TypeVocabSize)
	}
	if o == data.SpanCorruption && r.Tokenizer.EOS == "" && r.Tokenizer.Separator == "" {
		d.fault("tokenizer.eos", "missing: want the special token that ends what a decoder writes, such as \"<|endoftext|>\"")
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

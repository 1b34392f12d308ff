package recipes

import "hone/trainer/model"

// Masking are the keys of the objective masked.
type Masking struct {
	MLMProbability    float64 `toml:"mlm_probability" doc:"share of the tokens that are to be predicted; 0: 0.15"`
	MaskReplaceProb   float64 `toml:"mask_replace_prob" doc:"share of these that the mask stands in for; with random_replace_prob 0 too: 0.8"`
	RandomReplaceProb float64 `toml:"random_replace_prob" doc:"share of these that any other token stands in for; the rest stays as it is; with mask_replace_prob 0 too: 0.1"`
	WholeWordMask     bool    `toml:"whole_word_mask,omitempty" doc:"hides all tokens of a word, or none"`
	NextSentence      bool    `toml:"next_sentence,omitempty" doc:"reads pairs of texts, half of which do not follow one another, and learns to tell: BERT's second task"`
}

func (d *decoder) masking(r *Recipe, s *Stage, at string) {
	d.share(at+"mlm_probability", s.MLMProbability)
	d.atLeast(at+"mask_replace_prob", s.MaskReplaceProb, 0)
	d.atLeast(at+"random_replace_prob", s.RandomReplaceProb, 0)
	if !(s.MaskReplaceProb+s.RandomReplaceProb <= 1) {
		d.fault(at+"mask_replace_prob", "%g and random_replace_prob, %g, are together more than 1", s.MaskReplaceProb, s.RandomReplaceProb)
	}
	if f, ok := r.Model.Family.(model.BERT); s.NextSentence && !ok {
		d.fault(at+"next_sentence", "%s has no head that judges pairs of texts; bert has", r.Model.ModelType)
	} else if s.NextSentence && f.TypeVocabSize < 2 {
		d.fault(at+"next_sentence", "two texts have two types of tokens, but model.type_vocab_size is %d", f.TypeVocabSize)
	}
}

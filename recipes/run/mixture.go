package run

import (
	"fmt"

	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/recipes"
)

// stageCorpus is the corpus of a stage; of a mixture, one with the labels and the held-out splits
// of all its corpora.
func stageCorpus(corpora map[string]*corpus.Corpus, s *recipes.Stage) *corpus.Corpus {
	if len(s.Mixture) == 0 {
		return corpora[s.Corpus]
	}
	var list []*corpus.Corpus
	for _, name := range s.Sources() {
		list = append(list, corpora[name])
	}
	return corpus.Merge(list...)
}

// trainConfig is how a stage reads its training split.
func trainConfig(r *recipes.Recipe, s *recipes.Stage, corpora map[string]*corpus.Corpus, tok tokenizer.Tokenizer) data.Config {
	c := stageCorpus(corpora, s)
	cfg := loaderConfig(r, s, c, c.Train, tok)
	cfg.LMWeight, cfg.Windows = s.LMWeight, windows(r, s, c)
	if s.TokenDropout > 0 {
		cfg.TokenDropout, cfg.Mask = s.TokenDropout, padding(tok)
	}
	if len(s.Mixture) == 0 {
		return cfg
	}
	cfg.Records = nil
	cfg.MixtureBy, _ = data.ParseUnit(s.MixtureBy) // validated
	sizes := make([]float64, len(s.Mixture))
	for i, m := range s.Mixture {
		size := float64(corpora[m.Corpus].Train.Rows())
		if cfg.MixtureBy == data.ByToken {
			// Tokens are not counted yet: bytes are the estimate.
			size *= float64(corpora[m.Corpus].Provenance.Bytes) / float64(corpora[m.Corpus].Provenance.Documents)
		}
		switch {
		case m.Weight > 0:
			sizes[i] = m.Weight
		case m.Epochs > 0:
			sizes[i] = m.Epochs * size
		default:
			sizes[i] = size
		}
	}
	weights := data.Weights(sizes, s.MixtureTemperature)
	for i, m := range s.Mixture {
		cfg.Mixture = append(cfg.Mixture, data.Part{Name: m.Corpus, Records: corpora[m.Corpus].Train, Weight: weights[i]})
	}
	return cfg
}

// A mixLine is what metrics.jsonl says of a corpus of a mixture.
type mixLine struct {
	Documents int64   `json:"documents"`
	Tokens    int64   `json:"tokens"`
	Share     float64 `json:"share"`  // of the tokens or documents of all
	Epochs    float64 `json:"epochs"` // passes through the corpus
}

// mixed counts the documents and tokens drawn from each corpus of a mixture so far. Fine-tuning
// counts whole packing windows; before the first one is done, mixed is nil.
func mixed(parts []data.Part, by data.Unit, c data.Cursor) map[string]mixLine {
	if len(c.Parts) == 0 {
		return nil
	}
	given := func(d data.Drawn) float64 {
		if by == data.ByToken {
			return float64(d.Tokens)
		}
		return float64(d.Documents)
	}
	total := 0.0
	for _, d := range c.Parts {
		total += given(d)
	}
	if total == 0 {
		return nil
	}
	out := map[string]mixLine{}
	for i, d := range c.Parts {
		out[parts[i].Name] = mixLine{
			Documents: d.Documents, Tokens: d.Tokens, Share: given(d) / total,
			Epochs: float64(d.Position) / float64(parts[i].Records.Rows()),
		}
	}
	return out
}

// wrapped names the corpora that began another epoch between two cursors.
func wrapped(parts []data.Part, before, now data.Cursor) []string {
	var names []string
	for i, d := range now.Parts {
		rows, was := parts[i].Records.Rows(), int64(0)
		if len(before.Parts) > 0 {
			was = before.Parts[i].Position
		}
		// By the last document drawn: a corpus that has just ended has not begun again.
		if n := max(0, d.Position-1) / rows; n > max(0, was-1)/rows {
			names = append(names, fmt.Sprintf("%s (epoch %d)", parts[i].Name, n+1))
		}
	}
	return names
}

package run

import (
	"fmt"

	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/recipes"
)

// stageCorpus is what a stage reads as one corpus: of a mixture, the labels and the
// held-out splits of all.
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

// trainConfig is how a stage reads what it trains on.
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
			// Tokens are not counted yet; bytes stand for them.
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

// A mixLine is a corpus of a mixture in metrics.jsonl.
type mixLine struct {
	Documents int64   `json:"documents"`
	Tokens    int64   `json:"tokens"`
	Share     float64 `json:"share"`  // of the tokens or documents of all
	Epochs    float64 `json:"epochs"` // times that it has been gone through
}

// mixed is what a mixture has given so far: in fine-tuning, to the windows that are
// through, and nil before the first is.
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

// wrapped names the corpora that came round between two cursors.
func wrapped(parts []data.Part, before, now data.Cursor) []string {
	var names []string
	for i, d := range now.Parts {
		rows, was := parts[i].Records.Rows(), int64(0)
		if len(before.Parts) > 0 {
			was = before.Parts[i].Position
		}
		// The epoch of the last document drawn: one that is just through has not come round.
		if n := max(0, d.Position-1) / rows; n > max(0, was-1)/rows {
			names = append(names, fmt.Sprintf("%s (epoch %d)", parts[i].Name, n+1))
		}
	}
	return names
}

package run

import (
	"context"
	"fmt"
	"strings"

	"hone/data"
	"hone/data/tokenizer"
	"hone/recipes"
)

// A StagePreview is the first batch of a training stage, as text and as data.
type StagePreview struct {
	Stage string             `json:"stage"`
	Text  string             `json:"-"`
	Batch *data.BatchPreview `json:"batch"`
}

// Preview gives the first batch of each training stage. Where the recipe names no file of a
// tokenizer, it is trained first.
func Preview(ctx context.Context, r *recipes.Recipe, o Options, colour bool) ([]StagePreview, error) {
	corpora, err := openCorpora(ctx, r, o)
	if err != nil {
		return nil, err
	}
	var tok *tokenizer.Pipeline
	if r.Tokenizer.File != "" {
		tok, err = tokenizer.Open(r.Tokenizer.File)
	} else {
		bar := o.Bar("training tokenizer", "tokens")
		tok, err = TrainTokenizer(ctx, corpora[r.Tokenizer.Corpus].Train, read(r, r.Tokenizer.Corpus), r.TokenizerOptions(), recipes.Progress(bar))
		bar.Close()
	}
	if err != nil {
		return nil, err
	}
	var list []StagePreview
	for i := range r.Stages {
		s := &r.Stages[i]
		if !s.Trains() {
			continue
		}
		p, cfg := StagePreview{Stage: s.Name}, trainConfig(r, s, corpora, tok)
		if cfg.ClassWeights, err = classWeights(ctx, s, stageCorpus(corpora, s), cfg.Labels); err == nil {
			err = p.firstBatch(ctx, cfg, colour)
		}
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		list = append(list, p)
	}
	return list, nil
}

func (p *StagePreview) firstBatch(ctx context.Context, c data.Config, colour bool) error {
	l, err := data.NewLoader(c, data.Cursor{})
	if err != nil {
		return err
	}
	defer l.Close()
	b, err := l.Next(ctx)
	if err != nil {
		return err
	}
	var out strings.Builder
	err = data.Preview(&out, b, c.Tokenizer, colour)
	p.Text, p.Batch = out.String(), data.NewBatchPreview(b, c.Tokenizer)
	return err
}

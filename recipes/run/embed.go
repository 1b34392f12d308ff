package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hone/data/source"
	"hone/eval"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// EmbedOptions say how vectors of texts are made.
type EmbedOptions struct {
	RowsOptions
	Pooling string  // of a model that does not say how it pools
	Prompt  *string // name of the prompt before each text; "": none; nil: the model's default
}

// Embed adds the column embedding to the rows of a file: the vector of the text by the model dir.
func Embed(ctx context.Context, dir string, e EmbedOptions, o Options) (*Rowed, error) {
	dev, err := OpenDevice(0, false)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	m, err := pretrained.OpenBase(dev, dir)
	if err != nil {
		return nil, recipes.Input(err)
	}
	o.sayStored(m)
	how, err := e.how(m)
	if err != nil {
		return nil, recipes.Input(err)
	}
	name := how.DefaultPrompt
	if e.Prompt != nil {
		name = *e.Prompt
	}
	prompt, ok := how.Prompts[name]
	if name != "" && !ok {
		known := slices.Sorted(maps.Keys(how.Prompts))
		if len(known) == 0 {
			return nil, recipes.Input(fmt.Errorf("embed: %s has no prompts, so that there is none named %q", dir, name))
		}
		near := ""
		if n := source.Nearest(name, known); n != "" {
			near = fmt.Sprintf("; did you mean %q?", n)
		}
		return nil, recipes.Input(fmt.Errorf("embed: %s has no prompt %q%s (known: %s)", dir, name, near, source.Listed(known)))
	}
	o.Say(how.String())
	if prompt != "" {
		o.Say(fmt.Sprintf("prompt %s: %q stands before each text", name, prompt))
	}
	embedder, err := eval.NewEmbedder(m, how, prompt)
	if err != nil {
		return nil, recipes.Input(err)
	}
	_, kernels := kindOf(dev)
	return e.each(ctx, &labeller{
		doing: "embedding", columns: []source.Column{source.Vectors("embedding")},
		of: map[string]string{"model": m.Checkpoint.Manifest.SHA256, "pooling": how.String(), "prompt": prompt, "kernels": kernels, "work": "embed"},
		label: func(ctx context.Context, records rowRecords, ready func([]labelledRow) error) error {
			texts := make([]string, len(records))
			for i, r := range records {
				texts[i] = r.Text
			}
			vectors, cut, err := embedder.Embed(ctx, texts)
			if err != nil {
				return err
			}
			rows := make([]labelledRow, len(texts))
			for i := range rows {
				rows[i] = labelledRow{[]any{vectors[i]}, cut[i]}
			}
			return ready(rows)
		},
	}, o)
}

// how says how a model makes vectors.
func (e *EmbedOptions) how(m *pretrained.Model) (*pretrained.Sentence, error) {
	s, err := pretrained.ReadSentence(m.Checkpoint)
	if err != nil {
		return nil, err
	}
	switch {
	case s == nil && e.Pooling == "":
		return nil, fmt.Errorf("embed: %s does not say how it makes vectors of texts, as models of sentence-transformers do (hint: --pooling mean, cls or lasttoken; which one is good depends on how it was trained)", m.Checkpoint.Dir)
	case s != nil && e.Pooling != "":
		return nil, fmt.Errorf("embed: %s says already: %s (hint: leave --pooling out)", m.Checkpoint.Dir, s)
	case s == nil:
		return &pretrained.Sentence{Pooling: []string{e.Pooling}, IncludePrompt: true}, nil
	}
	return s, nil
}

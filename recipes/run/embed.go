package run

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"hone/checkpoint"
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

// Embed adds the column embedding to the rows of a file: the vector of the text by the model dir. Beside the file it
// writes which model has made them, for a search.
func Embed(ctx context.Context, dir string, e EmbedOptions, o Options) (*Rowed, error) {
	v, err := openVectors(dir, e.Pooling, o)
	if err != nil {
		return nil, err
	}
	defer v.model.Close()
	name := v.how.DefaultPrompt
	if e.Prompt != nil {
		name = *e.Prompt
	}
	return v.rows(ctx, name, e.RowsOptions, o)
}

// vectors is a model that makes vectors of texts.
type vectors struct {
	model *Model
	how   *pretrained.Sentence
}

// openVectors opens a model. An error is recipes.ErrInput.
func openVectors(dir, pooling string, o Options) (*vectors, error) {
	m, err := OpenModel(dir, pretrained.Options{Body: true}, o.Say)
	if err != nil {
		return nil, err
	}
	v, err := vectorsOf(m, pooling, o)
	if err != nil {
		m.Close()
	}
	return v, err
}

// vectorsOf makes vectors by a model without a head.
func vectorsOf(m *Model, pooling string, o Options) (*vectors, error) {
	how, err := howOf(m.Model, pooling)
	if err != nil {
		return nil, recipes.Input(err)
	}
	o.Say(how.String())
	return &vectors{m, how}, nil
}

// prompted makes vectors of texts behind the prompt of a name; "": none.
func (v *vectors) prompted(name string, o Options) (e *eval.Embedder, prompt string, err error) {
	dir := v.model.Checkpoint.Dir
	prompt, ok := v.how.Prompts[name]
	if name != "" && !ok {
		known := slices.Sorted(maps.Keys(v.how.Prompts))
		if len(known) == 0 {
			return nil, "", fmt.Errorf("embed: %s has no prompts, so that there is none named %q", dir, name)
		}
		near := ""
		if n := source.Nearest(name, known); n != "" {
			near = fmt.Sprintf("; did you mean %q?", n)
		}
		return nil, "", fmt.Errorf("embed: %s has no prompt %q%s (known: %s)", dir, name, near, source.Listed(known))
	}
	if prompt != "" {
		o.Say(fmt.Sprintf("prompt %s: %q stands before each text", name, prompt))
	}
	e, err = eval.NewEmbedder(v.model.Model, v.how, prompt)
	return e, prompt, err
}

// rows adds the vectors to the rows of a file.
func (v *vectors) rows(ctx context.Context, prompt string, r RowsOptions, o Options) (*Rowed, error) {
	embedder, prompt, err := v.prompted(prompt, o)
	if err != nil {
		return nil, recipes.Input(err)
	}
	of := map[string]string{"model": v.model.Checkpoint.Manifest.SHA256, "pooling": v.how.String(), "prompt": prompt, "kernels": v.model.kernels(), "work": "embed"}
	done, err := r.each(ctx, &labeller{
		doing: "embedding", columns: []source.Column{source.Vectors(embeddingColumn)}, of: of,
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
				rows[i] = labelledRow{Values: []any{vectors[i]}, Cut: cut[i]}
			}
			return ready(rows)
		},
	}, o)
	if err != nil || r.Out == "" {
		return done, err
	}
	by := embeddedBy{Model: of["model"], Vectors: of["pooling"], Prompt: prompt, Text: r.Text}
	if by.File, _, err = source.Hash(ctx, r.Out); err != nil {
		return nil, err
	}
	return done, checkpoint.WriteSealed(r.Out+embeddedFile, &by)
}

// embeddingColumn has the vectors of a file of rows.
const embeddingColumn = "embedding"

// embeddedBy is the file beside one of rows with vectors: what they were made by.
type embeddedBy struct {
	Model   string   `json:"model"`   // hash of its manifest
	Vectors string   `json:"vectors"` // how the model makes them, in words
	Prompt  string   `json:"prompt"`  // before each text
	Text    []string `json:"text"`    // columns; null: the one that was found
	File    string   `json:"file"`    // hash of the file of rows
}

// embeddedFile is the end of its name.
const embeddedFile = ".embedding.json"

// howOf says how a model makes vectors; pooling is of one that does not say.
func howOf(m *pretrained.Model, pooling string) (*pretrained.Sentence, error) {
	s, err := pretrained.ReadSentence(m.Checkpoint)
	if err != nil {
		return nil, err
	}
	switch {
	case s == nil && pooling == "":
		return nil, fmt.Errorf("embed: %s does not say how it makes vectors of texts, as models of sentence-transformers do (hint: --pooling mean, cls or lasttoken; which one is good depends on how it was trained)", m.Checkpoint.Dir)
	case s != nil && pooling != "":
		return nil, fmt.Errorf("embed: %s says already: %s (hint: leave --pooling out)", m.Checkpoint.Dir, s)
	case s == nil:
		return &pretrained.Sentence{Pooling: []string{pooling}, IncludePrompt: true}, nil
	}
	return s, nil
}

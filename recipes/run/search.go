package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"hone/checkpoint"
	"hone/data/source"
	"hone/eval"
	"hone/recipes"
)

// SearchOptions say what is searched.
type SearchOptions struct {
	Corpus  string   // a file of texts, or of rows that hone embed has added vectors to
	Text    []string // the column of the text; nil: found by its name
	Queries []string
	File    string  // of further queries; "": none
	Top     int     // hits of a query
	Pooling string  // of a model that does not say how it pools
	Prompt  *string // name of the prompt before each query; nil: "query", if the model has it, or its default
	Read    source.Options
}

// A Found is what a query has found.
type Found struct {
	Query string     `json:"query"`
	Hits  []FoundRow `json:"hits"`
}

// A FoundRow is a row of the corpus.
type FoundRow struct {
	Rank  int     `json:"rank"` // from 1
	Row   int     `json:"row"`  // from 1
	Score float64 `json:"score"`
	Text  string  `json:"text"`
}

// Search finds the texts of a corpus that are nearest to queries, by the cosine of their vectors. It compares each query
// with every text.
func Search(ctx context.Context, dir string, s SearchOptions, o Options) ([]Found, error) {
	queries := slices.Clone(s.Queries)
	if s.File != "" {
		more, err := readTexts(ctx, s.File)
		if err != nil {
			return nil, recipes.Input(err)
		}
		queries = append(queries, more...)
	}
	if len(queries) == 0 {
		return nil, recipes.Input(errors.New("search: no queries (hint: --query TEXT, or --queries FILE)"))
	}
	v, err := openVectors(dir, s.Pooling, o)
	if err != nil {
		return nil, err
	}
	defer v.model.Close()
	corpus, err := v.embedded(ctx, &s, o)
	if err != nil {
		return nil, err
	}
	name := recipes.PromptNamed(v.how, recipes.QueryPrompts)
	if s.Prompt != nil {
		name = *s.Prompt
	}
	embedder, _, err := v.prompted(name, o)
	if err != nil {
		return nil, recipes.Input(err)
	}
	asked, _, err := embedder.Embed(ctx, queries)
	if none := (*eval.NoTokensError)(nil); errors.As(err, &none) {
		return nil, recipes.Input(fmt.Errorf("search: query %d, %q, has no tokens", none.Text+1, queries[none.Text]))
	}
	if err != nil {
		return nil, err
	}
	index := eval.NewIndex(v.model.Device, len(asked[0]))
	var texts []string
	err = scanVectors(ctx, corpus, s.Text, func(text string, vector []float32) error {
		texts = append(texts, text)
		return index.Add(vector)
	})
	if err != nil {
		return nil, recipes.Input(err)
	}
	if len(texts) == 0 {
		return nil, recipes.Input(fmt.Errorf("search: %s has no rows", s.Corpus))
	}
	hits, err := index.Search(asked, s.Top)
	if err != nil {
		return nil, err
	}
	found := make([]Found, len(queries))
	for i, list := range hits {
		found[i] = Found{Query: queries[i], Hits: make([]FoundRow, len(list))}
		for k, h := range list {
			found[i].Hits[k] = FoundRow{Rank: k + 1, Row: h.Number + 1, Score: min(h.Score, 1), Text: texts[h.Number]}
		}
	}
	return found, nil
}

// embedded is the file of a corpus with its vectors: the corpus itself, if it has them, or one in the cache, which is
// made if it is not there.
func (v *vectors) embedded(ctx context.Context, s *SearchOptions, o Options) (string, error) {
	t, err := source.Describe(ctx, s.Corpus, s.Read)
	if err != nil {
		return "", recipes.Input(err)
	}
	sum, _, err := source.Hash(ctx, s.Corpus)
	if err != nil {
		return "", recipes.Input(err)
	}
	model := v.model.Checkpoint.Manifest.SHA256
	if slices.ContainsFunc(t.Columns, func(c source.Column) bool { return c.Name == embeddingColumn }) {
		var by embeddedBy
		err := checkpoint.ReadSealed(s.Corpus+embeddedFile, &by)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = fmt.Errorf("search: %s has vectors, but %s is missing, which says by which model (hint: hone embed writes both; keep them together)", s.Corpus, s.Corpus+embeddedFile)
		case err != nil:
		case by.File != sum:
			err = fmt.Errorf("search: %s has changed since its vectors were made", s.Corpus)
		case by.Model != model:
			err = fmt.Errorf("search: the vectors of %s are another model's, not those of %s: they cannot be compared (hint: hone embed with this model)", s.Corpus, v.model.Checkpoint.Dir)
		case by.Vectors != v.how.String():
			err = fmt.Errorf("search: the vectors of %s are made in another way: %s", s.Corpus, by.Vectors)
		}
		if s.Text == nil {
			s.Text = by.Text
		}
		return s.Corpus, recipes.Input(err)
	}
	name := recipes.PromptNamed(v.how, recipes.DocumentPrompts)
	key := sha256.Sum256(fmt.Appendf(nil, "%q %q %q %q %q %q", model, v.how.String(), name, sum, s.Text, v.model.kernels()))
	dir := filepath.Join(o.Cache, "search")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	out := filepath.Join(dir, hex.EncodeToString(key[:16])+".arrow")
	var by embeddedBy
	if err := checkpoint.ReadSealed(out+embeddedFile, &by); err == nil {
		if sum, _, err := source.Hash(ctx, out); err == nil && sum == by.File {
			o.Say("the vectors of " + s.Corpus + " are in the cache")
			return out, nil
		}
	}
	_, err = v.rows(ctx, name, RowsOptions{In: s.Corpus, Out: out, Text: s.Text, Read: s.Read, Fresh: true}, o)
	return out, err
}

// scanVectors reads the texts and vectors of a file's rows.
func scanVectors(ctx context.Context, path string, text []string, each func(text string, vector []float32) error) error {
	t, err := source.Describe(ctx, path, source.Options{})
	if err != nil {
		return err
	}
	if text == nil {
		if text, err = textColumn(t); err != nil {
			return err
		}
	}
	rows, err := t.ScanRows(ctx, text[:1], []string{embeddingColumn})
	if err != nil {
		return err
	}
	defer rows.Close()
	var vector []float32
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range b.Rows {
			shown, _ := b.Text(len(t.Columns), i)
			var ok bool
			if vector, ok = b.Floats(vector[:0], len(t.Columns)+1, i); !ok {
				return fmt.Errorf("data: %s: %s: the column %s is no list of numbers", path, b.Where(i), embeddingColumn)
			}
			if err := each(shown, vector); err != nil {
				return fmt.Errorf("data: %s: %s: %w", path, b.Where(i), err)
			}
		}
	}
}

// readTexts reads the texts of a file, of plain text its lines.
func readTexts(ctx context.Context, path string) (texts []string, err error) {
	t, err := source.Describe(ctx, path, source.Options{Separator: "\n"})
	if err != nil {
		return nil, err
	}
	text, err := textColumn(t)
	if err != nil {
		return nil, err
	}
	rows, err := t.ScanRows(ctx, text, nil)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for {
		b, err := rows.Next()
		if err == io.EOF {
			return texts, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			s, ok := b.Text(len(t.Columns), i)
			if !ok {
				return nil, fmt.Errorf("data: %s: %s: column %q has no text", path, b.Where(i), text[0])
			}
			texts = append(texts, s)
		}
	}
}

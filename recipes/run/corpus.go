package run

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"hone/checkpoint/provenance"
	"hone/data"
	"hone/data/clean"
	"hone/data/corpus"
	"hone/recipes"
)

// openCorpora opens every corpus of a recipe, and converts those that need it on first use.
func openCorpora(ctx context.Context, r *recipes.Recipe, o Options) (map[string]*corpus.Corpus, error) {
	corpora, origins := map[string]*corpus.Corpus{}, map[string]provenance.Corpus{}
	for _, name := range slices.Sorted(maps.Keys(r.Corpus)) {
		c := r.Corpus[name]
		b := o.Bar("reading corpus "+name, "bytes")
		fields, words := columnsOf(r, name)
		if words != "" && c.Text == recipes.UsualText { // which a file of words need not have
			c.Text = ""
		}
		corpus, err := corpus.Prepare(ctx, corpus.Spec{
			From: c.Source, Text: c.Text, Label: c.Label, Fields: fields, Words: words, Read: c.Read(), Say: o.Say,
			Name: name, Source: c.Origin, Licence: c.Licence, Consent: c.Consent, Collected: c.Collected, SHA256: c.SHA256,
			Rules: c.Rules(), Shares: clean.Shares{Validation: c.Validation, Test: c.Test}, Group: c.Group, HoldEnds: c.HoldOut == recipes.HoldOutEnd,
		}, o.Cache, recipes.Progress(b))
		b.Close()
		if err != nil {
			return nil, recipes.Input(err)
		}
		if k := corpus.Skipped(); k != nil {
			o.Say(fmt.Sprintf("corpus %s: skipped %d records that could not be read, the first: %s", name, k.Count, k.First[0]))
		}
		corpora[name], origins[name] = corpus, corpus.Provenance
	}
	if err := r.ProvenanceLacks(origins); err != nil {
		return nil, err
	}
	for _, s := range r.Stages {
		for _, name := range s.Sources() {
			if err := suits(corpora[name], &s, name); err != nil {
				return nil, recipes.Input(err)
			}
		}
	}
	if err := drawFew(ctx, r, corpora, o.Say); err != nil {
		return nil, recipes.Input(err)
	}
	if t := r.Tokenizer; t.File == "" && t.Kind != "byte" {
		if c := corpora[t.Corpus]; c.Train == nil || c.Train.Rows() == 0 {
			return nil, recipes.Input(fmt.Errorf("tokenizer: corpus %s has no documents in split train to train it on: it has %s", t.Corpus, describeSplits(c)))
		}
	}
	if err := surveyTasks(ctx, r, corpora, o.Say); err != nil {
		return nil, recipes.Input(err)
	}
	if err := labelled(r, corpora); err != nil {
		return nil, recipes.Input(err)
	}
	return corpora, nil
}

// suits says which split or label a stage needs that its corpus lacks.
func suits(c *corpus.Corpus, s *recipes.Stage, name string) error {
	switch {
	case s.Trains() && (c.Train == nil || c.Train.Rows() == 0):
		return fmt.Errorf("stage %s: corpus %s has no documents in split train: it has %s (hint: hone data info shows which file is in which split)", s.Name, name, describeSplits(c))
	case !s.Trains() && s.Split == "validation" && (c.Validation == nil || c.Validation.Rows() == 0):
		return fmt.Errorf("stage %s: corpus %s has no split validation", s.Name, name)
	case s.Trains() && (c.Validation == nil || c.Validation.Rows() == 0):
		return fmt.Errorf("stage %s: corpus %s has no documents in split validation, on which the training is validated: it has %s (hint: validation = 0.05 in its table holds some out)", s.Name, name, describeSplits(c))
	case !s.Trains() && s.Split == "test" && (c.Test == nil || c.Test.Rows() == 0):
		return fmt.Errorf("stage %s: corpus %s has no split test", s.Name, name)
	}
	return nil
}

func describeCorpus(c *corpus.Corpus) string {
	return fmt.Sprintf("%s documents, %d labels, %.1f MB", describeSplits(c), len(c.Labels), float64(c.Provenance.Bytes)/1e6)
}

func describeSplits(c *corpus.Corpus) string {
	var list []string
	for _, s := range c.Splits() {
		text := fmt.Sprintf("%s %d", s.Name, s.Rows())
		if n := s.Rows() - s.Labelled(); len(c.Labels) > 0 && s.Labelled() > 0 && n > 0 {
			text += fmt.Sprintf(" (%d without a label)", n)
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// readTokens makes a stage read the tokens of its corpora from the cache, and fills the cache first.
func (w *runner) readTokens(ctx context.Context, s *recipes.Stage, read *data.Config) error {
	sum := sha256.Sum256(w.tokFile)
	for i, name := range s.Sources() {
		t := w.cached[name]
		if t == nil {
			c := w.corpora[name]
			w.log(fmt.Sprintf("corpus %s: caching its tokens, about %.0f MB, in %s", name, 4*float64(c.Provenance.Bytes)/BytesPerToken/1e6, w.o.Cache))
			bar := w.o.Bar("encoding corpus "+name, "documents")
			var err error
			t, err = c.CacheTokens(ctx, c.Train, w.tok, hex.EncodeToString(sum[:]), w.o.Cache, recipes.Progress(bar))
			bar.Close()
			if err != nil {
				return recipes.Input(err)
			}
			w.cached[name] = t
			w.log(fmt.Sprintf("corpus %s: %d tokens in %s", name, t.Count, t.Dir))
		}
		if len(read.Mixture) > 0 {
			read.Mixture[i].Records = t
		} else {
			read.Records = t
		}
	}
	return nil
}

package eval

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/trainer/pretrained"
)

// A Yardstick is a split of a corpus on which models and baselines are scored.
type Yardstick struct {
	Corpus    *corpus.Corpus
	Split     *corpus.Split
	Labels    []string // of a classifier, in its order
	Tokenizer tokenizer.Tokenizer
	Config    data.Config          // how a model reads the split
	Limit     int                  // documents, evenly spaced; 0: all
	Decision  *Decision            // by which labels are predicted; nil: the most probable ones are
	Rule      *Rule                // by which Validate makes Decision, from the probabilities that it sees; nil: it does not
	Written   int                  // examples, evenly spaced, that a model writes answers for at validation
	Settings  *generate.Settings   // of texts that the model writes, as its files have them; nil: none
	Sentence  *pretrained.Sentence // how a model makes vectors of texts, of tasks that compare them
	Say       func(line string)
	// Watch starts to show the progress of a piece of work, in its unit.
	Watch func(title, unit string) (progress func(done, total int64), end func())
}

// A bar shows the progress of a piece of work.
type bar struct {
	progress func(done, total int64)
	end      func()
}

func (y *Yardstick) watch(title, unit string) bar {
	progress, end := y.Watch(title, unit)
	return bar{progress, end}
}

// Ordinary gives a tokenizer as a loader uses it: texts cannot produce special tokens.
func Ordinary(tok tokenizer.Tokenizer) tokenizer.Tokenizer {
	if t, ok := tok.(interface{ Ordinary() tokenizer.Tokenizer }); ok {
		return t.Ordinary()
	}
	return tok
}

// Texts iterates over the texts of a split. An error that ends it early is put into failed.
func Texts(ctx context.Context, split corpus.Records, failed *error) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range split.Rows() {
			if *failed = ctx.Err(); *failed != nil {
				return
			}
			r, err := split.Record(i)
			if err != nil {
				*failed = err
				return
			}
			if !yield(r.Text) {
				return
			}
		}
	}
}

// end gives the token that the model has to predict at the end of a document, or none.
func (y *Yardstick) end() []int32 {
	if id, ok := y.Config.End(); ok {
		return []int32{id}
	}
	return nil
}

// encoded gives the tokens of a split, with the end of each document.
func (y *Yardstick) encoded(ctx context.Context, split corpus.Records, end []int32) (docs [][]int32, err error) {
	for text := range Texts(ctx, split, &err) {
		if ids := y.Tokenizer.Encode(nil, text); len(ids) > 0 { // as the model has it
			docs = append(docs, append(ids, end...))
		}
	}
	return docs, err
}

// framed gives the tokens of the training split, each document with its frame. Where documents
// have no frame, an additional token is used, which vocab includes.
func (y *Yardstick) framed(ctx context.Context) (docs [][]int32, vocab int, err error) {
	c := y.Config.WithDefaults()
	vocab = y.Tokenizer.Size()
	var around [2]int32
	for i, name := range []string{cmp.Or(c.BOS, c.Separator), cmp.Or(c.EOS, c.Separator)} {
		id, ok := y.Tokenizer.Special(name)
		if !ok {
			id, vocab = int32(y.Tokenizer.Size()), y.Tokenizer.Size()+1
		}
		around[i] = id
	}
	docs, err = y.encoded(ctx, y.Corpus.Train, around[1:])
	for i := range docs {
		docs[i] = slices.Insert(docs[i], 0, around[0])
	}
	return docs, vocab, err
}

func (y *Yardstick) evaluation(of, name string) metric.Evaluation {
	return metric.Evaluation{Task: y.Split.Name + " " + of, Metric: name}
}

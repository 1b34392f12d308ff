package eval

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/eval/metric"
)

// A Yardstick is one split of a corpus, by which models and the baselines beside them are
// scored.
type Yardstick struct {
	Corpus    *corpus.Corpus
	Split     *corpus.Split
	Labels    []string // of a classifier, in its order
	Tokenizer tokenizer.Tokenizer
	Config    data.Config // how a model reads the split
	Limit     int         // documents, evenly spaced; 0: all
	Say       func(line string)
	// Watch begins to show a piece of work, in its unit.
	Watch func(title, unit string) (progress func(done, total int64), end func())
}

// A bar shows a piece of work.
type bar struct {
	progress func(done, total int64)
	end      func()
}

func (y *Yardstick) watch(title, unit string) bar {
	progress, end := y.Watch(title, unit)
	return bar{progress, end}
}

// Ordinary is a tokenizer as a loader uses it: no text can write a special token.
func Ordinary(tok tokenizer.Tokenizer) tokenizer.Tokenizer {
	if t, ok := tok.(interface{ Ordinary() tokenizer.Tokenizer }); ok {
		return t.Ordinary()
	}
	return tok
}

// Texts goes through a split; what stops it early is left in failed.
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

// end is what the model is to predict at the end of a document: a token, or nothing.
func (y *Yardstick) end() []int32 {
	if id, ok := y.Config.End(); ok {
		return []int32{id}
	}
	return nil
}

// encoded is the tokens of a split, each document's with an end.
func (y *Yardstick) encoded(ctx context.Context, split corpus.Records, end []int32) (docs [][]int32, err error) {
	for text := range Texts(ctx, split, &err) {
		if ids := y.Tokenizer.Encode(nil, text); len(ids) > 0 { // as the model has it
			docs = append(docs, append(ids, end...))
		}
	}
	return docs, err
}

// framed is the tokens of the training split, each document between what a model reads around
// it: where that is nothing, a token more than the tokenizer has. vocab counts it.
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

package eval

import (
	"context"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"hone/data"
	"hone/eval/metric"
	"hone/trainer/model"
)

// text scores the probability of whole texts.
type text struct{ ofText }

func (text) Baselines() []Baseline { return []Baseline{zstdPrimed, kneserNey5, markov} }

func (text) what(c *data.Config) string {
	if _, end := c.End(); end {
		return "each token of a text, and its end"
	}
	return "each token of a text"
}

// Score gives bits per byte, with baselines on the same documents. The end of a document is
// predicted too, except for the comparison with the Markov model, where only characters are
// scored: where all sequences have one length, like cuts of a genome, to know the length is
// not to know sequences.
func (text) Score(ctx context.Context, y *Yardstick, net, _ *model.Network, beside []string) ([]metric.Evaluation, []metric.ByLabel, error) {
	if err := KeepsText(ctx, y.Tokenizer, y.Split); err != nil {
		var lossy *LossyError
		if errors.As(err, &lossy) {
			return nil, nil, fmt.Errorf("%s text: no bits per byte: %w", y.Split.Name, lossy)
		}
		return nil, nil, err
	}
	bar := y.watch("scoring text", "documents")
	docs, longer, err := Likelihood(ctx, net, y.Config, y.Limit, bar.progress)
	bar.end()
	if err != nil {
		return nil, nil, err
	}
	nats, bytes := make([]float64, len(docs)), make([]int, len(docs))
	for i, d := range docs {
		nats[i], bytes[i] = d.Nats, d.Bytes
	}
	value, err := metric.BitsPerByte(nats, bytes, bootstrapSeed)
	if err != nil {
		return nil, nil, err
	}
	e := &metric.Evaluation{Task: y.Split.Name + " text", Metric: "bits_per_byte", Estimate: value,
		Items:  &metric.Items{Records: recordsOf(docs), Sums: nats, Sizes: bytes},
		Scored: y.scored(&y.Config, len(docs), longer),
	}
	var apart []metric.Evaluation
	for _, name := range beside {
		switch name {
		case kneserNey5.Name:
			b, err := y.kneserNey(ctx, docs, nats, bytes)
			if err != nil {
				return nil, nil, err
			}
			e.Baselines = append(e.Baselines, *b)
		case zstdPrimed.Name:
			b, err := y.zstd(ctx, docs)
			if err != nil {
				return nil, nil, err
			}
			e.Baselines = append(e.Baselines, *b)
		case markov.Name:
			other, err := y.markov(ctx, docs)
			if err != nil {
				return nil, nil, err
			}
			of := *e.Scored
			of.What = "each token of a text"
			other.Scored = &of
			apart = append(apart, *other)
		}
	}
	return append([]metric.Evaluation{*e}, apart...), nil, nil
}

func recordsOf(docs []Document) []int64 {
	list := make([]int64, len(docs))
	for i, d := range docs {
		list[i] = d.Record
	}
	return list
}

// markov scores the characters of documents, with a k-mer Markov model on the same tokens.
func (y *Yardstick) markov(ctx context.Context, docs []Document) (*metric.Evaluation, error) {
	bar := y.watch("baseline "+markov.Name, "tokens")
	defer bar.end()
	train, err := y.encoded(ctx, y.Corpus.Train, nil)
	if err != nil {
		return nil, err
	}
	validation, err := y.encoded(ctx, y.Corpus.Validation, nil)
	if err != nil {
		return nil, err
	}
	m, err := FitMarkov(train, validation, y.Tokenizer.Size(), bar.progress)
	if err != nil {
		return nil, err
	}
	y.Say(fmt.Sprintf("%s: k = %d, α = %g, chosen on validation", markov.Name, m.Order(), m.Alpha()))
	mine, theirs, characters := make([]float64, len(docs)), make([]float64, len(docs)), make([]int, len(docs))
	for i, d := range docs {
		r, err := y.Split.Record(d.Record)
		if err != nil {
			return nil, err
		}
		mine[i], theirs[i] = d.Nats-d.End, m.Nats(y.Tokenizer.Encode(nil, r.Text))
		characters[i] = utf8.RuneCountInString(r.Text)
	}
	e := &metric.Evaluation{Task: y.Split.Name + " characters", Metric: "bits_per_character",
		Items: &metric.Items{Records: recordsOf(docs), Sums: mine, Sizes: characters}}
	b := metric.Baseline{Name: markov.Name}
	if e.Estimate, err = metric.BitsPerByte(mine, characters, bootstrapSeed); err != nil {
		return nil, err
	}
	if b.Estimate, err = metric.BitsPerByte(theirs, characters, bootstrapSeed); err != nil {
		return nil, err
	}
	if b.Diff, err = metric.BitsPerByteDiff(mine, theirs, characters, bootstrapSeed); err != nil {
		return nil, err
	}
	e.Baselines = []metric.Baseline{b}
	return e, nil
}

// kneserNey scores the same documents with a 5-gram on the same tokens.
func (y *Yardstick) kneserNey(ctx context.Context, docs []Document, nats []float64, bytes []int) (*metric.Baseline, error) {
	bar := y.watch("baseline "+kneserNey5.Name, "tokens")
	defer bar.end()
	end := y.end()
	train, err := y.encoded(ctx, y.Corpus.Train, end)
	if err != nil {
		return nil, err
	}
	kn, err := FitKneserNey(train, y.Tokenizer.Size(), 5, bar.progress)
	if err != nil {
		return nil, err
	}
	own := make([]float64, len(docs))
	for i, d := range docs {
		r, err := y.Split.Record(d.Record)
		if err != nil {
			return nil, err
		}
		own[i] = -kn.LogProb(append(y.Tokenizer.Encode(nil, r.Text), end...))
	}
	b := &metric.Baseline{Name: kneserNey5.Name}
	if b.Estimate, err = metric.BitsPerByte(own, bytes, bootstrapSeed); err != nil {
		return nil, err
	}
	b.Diff, err = metric.BitsPerByteDiff(nats, own, bytes, bootstrapSeed)
	return b, err
}

// zstd compresses the same documents with the training text as history.
func (y *Yardstick) zstd(ctx context.Context, docs []Document) (*metric.Baseline, error) {
	bar := y.watch("baseline "+zstdPrimed.Name, "bytes")
	defer bar.end()
	var train, own []string
	var failed error
	for text := range Texts(ctx, y.Corpus.Train, &failed) {
		train = append(train, text)
	}
	if failed != nil {
		return nil, failed
	}
	for _, d := range docs {
		r, err := y.Split.Record(d.Record)
		if err != nil {
			return nil, err
		}
		own = append(own, r.Text)
	}
	size, err := ZstdPrimed(train, own, len(y.end()) > 0)
	if err != nil {
		return nil, err
	}
	y.Say(fmt.Sprintf("%s: %d bytes to %d (%s)", zstdPrimed.Name, size.Bytes, size.Compressed, size.Arrangement))
	return &metric.Baseline{
		Name:     zstdPrimed.Name,
		Estimate: metric.Estimate{Value: size.BitsPerByte, Lo: math.NaN(), Hi: math.NaN(), N: len(own)},
	}, nil
}

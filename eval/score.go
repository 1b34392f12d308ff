package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/trainer/exec"
	"hone/trainer/feed"
	"hone/trainer/model"
)

// A Document is the score of one document by a language model.
type Document struct {
	Record int64   // number in the split
	Nats   float64 // -log p of the document and its end
	End    float64 // of these, of the end alone
	Tokens int     // the end included
	Bytes  int     // of the text; the end has none
}

// Likelihood scores the documents of a split, in the order of the split, as the package's
// comment says. c is the loader configuration of the split: its rows have the greatest length,
// and its micro-batches the greatest number of positions that are scored at a time. limit is
// the number of documents to score, evenly spaced; 0: all. longer is the number of documents
// that did not fit a row. Errors of the corpus are faults of the user's input (exit code 2).
func Likelihood(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Document, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	length, _ := c.Lengths()
	x, err := net.Executor(model.Evaluate, c.MicroBatchSize, length, c.Slots())
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	end, ends := c.End()
	nll := make([]float32, c.MicroBatchSize*length)
	docs, pieces := map[int64]*Document{}, pieces{}
	_, err = forward(ctx, net, x, c, func(b *data.Batch) error {
		if err := exec.Read(x, "nll", nll); err != nil {
			return err
		}
		for _, s := range b.Seqs {
			pieces[s.Doc]++
			d := docs[s.Doc]
			if d == nil {
				d = &Document{Record: records.at(s.Doc)}
				docs[s.Doc] = d
			}
			for i := int(s.Row)*length + int(s.First); i <= int(s.Row)*length+int(s.Last); i++ {
				if b.Targets[i] >= 0 {
					d.Nats += float64(nll[i])
					d.Tokens++
					if ends && b.Targets[i] == end { // no text has it
						d.End += float64(nll[i])
					}
				}
			}
		}
		if progress != nil {
			progress(int64(len(docs)), records.n)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	for _, i := range slices.Sorted(maps.Keys(docs)) {
		d := docs[i]
		r, err := c.Records.Record(i)
		if err != nil {
			return nil, 0, fmt.Errorf("eval: %w", err)
		}
		d.Bytes = len(r.Text)
		out = append(out, *d)
	}
	return out, pieces.longer(), nil
}

// A Prediction is the output of a classifier for one document.
type Prediction struct {
	Record int64
	Label  int       // the true one
	Probs  []float64 // of each label
	// decided is the label that a Decision chooses; nil: the most probable one.
	decided *int
}

// Best gives the label that is predicted: the most probable one, or what a Decision chooses.
func (p *Prediction) Best() int {
	if p.decided != nil {
		return *p.decided
	}
	best := 0
	for i, v := range p.Probs {
		if v > p.Probs[best] {
			best = i
		}
	}
	return best
}

// Classify predicts the labels of the labelled documents of a split, or of limit evenly spaced
// ones; or for pairs of texts, whether the second follows the first. The predictions are in the
// order of the split. c is as for Likelihood. Only the beginning is read of documents that do
// not fit a row.
func Classify(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Prediction, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	labels := len(net.Config().Labels())
	if c.NextSentence {
		labels = 2
	}
	longer, err = pooled(ctx, net, c, labels, func(b *data.Batch, logits, _ []float32) {
		for k, s := range b.Seqs {
			out = append(out, Prediction{Record: records.at(s.Doc), Label: int(s.Label), Probs: softmax(logits[k*labels : (k+1)*labels])})
		}
		if progress != nil {
			progress(int64(len(out)), records.n)
		}
	})
	slices.SortStableFunc(out, func(a, b Prediction) int { return cmp.Compare(a.Record, b.Record) })
	return out, longer, err
}

// pooled runs a model with so many outputs for each sequence over the records of c. each gets them
// batch by batch, with the losses of sequences or questions. longer is the number of examples that
// were cut.
func pooled(ctx context.Context, net *model.Network, c data.Config, outputs int, each func(b *data.Batch, logits, losses []float32)) (longer int, err error) {
	slots := c.Slots()
	x, err := net.Executor(model.Evaluate, c.MicroBatchSize, c.T, slots)
	if err != nil {
		return 0, fmt.Errorf("eval: %w", err)
	}
	logits, losses := make([]float32, slots*outputs), make([]float32, slots)
	stats, err := forward(ctx, net, x, c, func(b *data.Batch) error {
		if err := exec.Read(x, "logits", logits); err != nil {
			return err
		}
		if b.Targets == nil { // else losses are of tokens
			if err := exec.Read(x, "nll", losses); err != nil {
				return err
			}
		}
		each(b, logits, losses)
		return nil
	})
	return int(stats.Truncated), err
}

// An Output is what a model gives for an example of a task.
type Output struct {
	Record int64
	Logits []float32 // of its labels, of its choices, or its number
	Goals  []float32 // the true number, or 1 for each label that applies; nil: it has none
	Right  int       // of choices
	Cut    bool      // the example was too long, so that not all of it was read
	Loss   float64
}

// Outputs gives the outputs of a model for the examples of a split, or of limit evenly spaced ones,
// in their order. c is as for Likelihood; longer is the number of examples that were cut.
func Outputs(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Output, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	width, choices := len(net.Config().Labels()), data.TaskOf(c.Objective).Kind.Reads == task.Choices
	if choices {
		width = 1
	}
	longer, err = pooled(ctx, net, c, width, func(b *data.Batch, logits, losses []float32) {
		if choices {
			for k, q := range b.Questions {
				out = append(out, Output{Record: records.at(b.Seqs[q.First].Doc), Logits: slices.Clone(logits[q.First:q.End]), Right: int(q.Right - q.First), Cut: b.Seqs[q.First].Cut, Loss: float64(losses[k])})
			}
		} else {
			for k, s := range b.Seqs {
				o := Output{Record: records.at(s.Doc), Logits: slices.Clone(logits[k*width : (k+1)*width]), Cut: s.Cut, Loss: float64(losses[k])}
				if len(b.Goals) == len(b.Seqs)*width {
					o.Goals = slices.Clone(b.Goals[k*width : (k+1)*width])
				}
				out = append(out, o)
			}
		}
		if progress != nil {
			progress(int64(len(out)), records.n)
		}
	})
	slices.SortStableFunc(out, func(a, b Output) int { return cmp.Compare(a.Record, b.Record) })
	return out, longer, err
}

func softmax(logits []float32) []float64 {
	top := math.Inf(-1)
	for _, v := range logits {
		top = max(top, float64(v))
	}
	p := make([]float64, len(logits))
	sum := 0.0
	for i, v := range logits {
		p[i] = math.Exp(float64(v) - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// pieces gives the number of rows that a document is in.
type pieces map[int64]int

// longer gives the number of documents with more than one piece.
func (p pieces) longer() (n int) {
	for _, rows := range p {
		if rows > 1 {
			n++
		}
	}
	return n
}

// some gives the records to score: limit of them, or all if it is 0.
func some(c *data.Config, limit int) spread {
	n := c.Records.Rows()
	if limit > 0 {
		n = min(n, int64(limit))
	}
	return spread{c.Records, n}
}

// fitted gives c for scoring records once and as a whole, in rows as long as the longest record
// needs: a power of two from 64 on, at most the length of c's rows. A micro-batch has at most
// as many positions as one of c.
func fitted(ctx context.Context, c data.Config, records spread) (data.Config, error) {
	c.Records, c.Epochs, c.Shuffle, c.Windows, c.Whole = records, 1, false, false, true
	c = c.WithDefaults()
	c.BatchSize = c.MicroBatchSize
	if _, encoder := c.Lengths(); encoder > 0 {
		return c, nil // the network has a program for one length alone
	}
	longest, all, err := c.Longest(ctx)
	if err != nil {
		return c, err
	}
	positions, seqs := c.MicroBatchSize*c.T, c.MicroBatchSize*c.MaxSeqs
	c.T = min(c.T, rowOf(max(64, longest)))
	rows := positions / c.T
	if all >= 0 {
		rows = min(rows, int((all+int64(c.T)-1)/int64(c.T)))
	}
	c.MicroBatchSize = max(1, rows)
	c.BatchSize, c.MaxSeqs = c.MicroBatchSize, max(1, seqs*c.T/positions)
	return c, nil
}

// forward runs a program over the records of c, and returns the counts of what was read.
func forward(ctx context.Context, net *model.Network, x *exec.Executor, c data.Config, each func(b *data.Batch) error) (data.Stats, error) {
	f := feed.New(net, c.Slots())
	f.Slots = [2]int32{0, 1}
	return batches(ctx, c, func(b *data.Batch) error {
		f.Batch(b)
		f.Slots = [2]int32{f.Slots[1], f.Slots[0]} // what the batch before has written
		if err := net.Feed(x, &f.Feed); err != nil {
			return err
		}
		if err := x.Run(); err != nil {
			return err
		}
		return each(b)
	})
}

// batches calls f with the batches of c.
func batches(ctx context.Context, c data.Config, each func(b *data.Batch) error) (data.Stats, error) {
	loader, err := data.NewLoader(c, data.Cursor{})
	if err != nil {
		return data.Stats{}, fmt.Errorf("eval: %w", err)
	}
	defer loader.Close()
	for {
		b, err := loader.Next(ctx)
		if errors.Is(err, io.EOF) {
			return loader.Stats(), nil
		}
		if err == nil {
			err = each(b)
		}
		if err != nil {
			return loader.Stats(), fmt.Errorf("eval: %w", err)
		}
	}
}

// spread is n evenly spaced records of a split. The order of a split may follow labels or
// sources, so that its beginning would not be representative.
type spread struct {
	corpus.Records
	n int64
}

func (s spread) Rows() int64 { return s.n }

// at gives the number of a record in the split.
func (s spread) at(i int64) int64 { return i * s.Records.Rows() / s.n }

func (s spread) Record(i int64) (corpus.Record, error) { return s.Records.Record(s.at(i)) }

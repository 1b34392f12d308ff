package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"hone/data"
	"hone/eval/metric"
	"hone/trainer/exec"
	"hone/trainer/feed"
	"hone/trainer/model"
)

// A Target is a hidden token of a text, with a model's prediction for it.
type Target struct {
	Record int64 // number in the split
	Token  int32 // the lost one
	Best   int32 // the model's first choice
	Nats   float64
	// Left and Right are the neighbours of the token, or of the gap that it is in, in the
	// model's input; -1: hidden too, or none. For a masked token, the size of the vocabulary
	// stands for none.
	Left, Right int32
	// Mark says that it is not a token of the text: it begins the filling of a gap, or ends the
	// output.
	Mark bool
}

// Correct reports whether the most probable token is the right one.
func (t *Target) Correct() bool { return t.Best == t.Token }

// Targets scores every token that the objective of c hides, in the order of the split; each
// token of a span is predicted given the ones before it. limit is the number of documents,
// evenly spaced; 0: all. longer is the number of documents that did not fit a row.
func Targets(ctx context.Context, net *model.Network, c data.Config, limit int, progress func(done, total int64)) (out []Target, longer int, err error) {
	records := some(&c, limit)
	if c, err = fitted(ctx, c, records); err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	length, _ := c.Lengths()
	// Few tokens are hidden: only their rows go through the output layer, at most a quarter of
	// all rows at a time.
	slots := max(1, c.MicroBatchSize*length/4)
	vocab := net.Config().VocabSize
	x, err := net.Executor(model.Evaluate, c.MicroBatchSize, length, slots)
	if err != nil {
		return nil, 0, fmt.Errorf("eval: %w", err)
	}
	read := newReading(&c)
	pool, logits := make([]int32, slots), make([]float32, slots*vocab)
	var rows []int32
	seen := pieces{}
	f := feed.New(net, 0)
	_, err = batches(ctx, c, func(b *data.Batch) error {
		rows = rows[:0]
		first := len(out)
		for _, s := range b.Seqs {
			out, rows = read.targets(out, rows, b, s, records.at(s.Doc))
			seen[s.Doc]++
		}
		f.Streams(b)
		f.Pool = pool
		for done := 0; done < len(rows); done += slots {
			n := copy(pool, rows[done:])
			for i := n; i < slots; i++ {
				pool[i] = -1
			}
			if err := net.Feed(x, &f.Feed); err != nil {
				return err
			}
			if err := x.Run(); err != nil {
				return err
			}
			if err := exec.Read(x, "logits", logits); err != nil {
				return err
			}
			for i := range n {
				out[first+done+i].judge(logits[i*vocab : (i+1)*vocab])
			}
		}
		if progress != nil {
			progress(int64(len(seen)), records.n)
		}
		return nil
	})
	slices.SortStableFunc(out, func(a, b Target) int { return cmp.Compare(a.Record, b.Record) })
	return out, seen.longer(), err
}

// hidden scores the tokens that cfg hides, and describes what was scored.
func (y *Yardstick) hidden(ctx context.Context, net *model.Network, cfg data.Config) ([]Target, *metric.Scored, error) {
	bar := y.watch("scoring hidden tokens", "documents")
	list, longer, err := Targets(ctx, net, cfg, y.Limit, bar.progress)
	bar.end()
	documents := 0
	for i := range list {
		if i == 0 || list[i].Record != list[i-1].Record {
			documents++
		}
	}
	return list, y.scored(&cfg, documents, longer), err
}

// judge sets the prediction of the target from a model's logits.
func (t *Target) judge(logits []float32) {
	for i, v := range logits {
		if v > logits[t.Best] {
			t.Best = int32(i)
		}
	}
	top, sum := float64(logits[t.Best]), 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	t.Nats = math.Log(sum) - (float64(logits[t.Token]) - top)
}

// A reading has the special tokens that replace hidden tokens.
type reading struct {
	mask, edge int32          // -1: none
	gaps       map[int32]bool // sentinels
}

func newReading(c *data.Config) reading {
	r := reading{-1, -1, map[int32]bool{}}
	if _, encoder := c.Lengths(); encoder == 0 {
		r.mask, _ = c.Tokenizer.Special(c.Mask) // the loader looks whether there is one
		r.edge = int32(c.Tokenizer.Size())
		return r
	}
	for _, name := range data.Sentinels(c.T) {
		id, ok := c.Tokenizer.Special(name)
		if !ok {
			break
		}
		r.gaps[id] = true
	}
	return r
}

// targets appends the hidden tokens of a sequence to out, and the rows of the decoder that
// predict them to rows.
func (r *reading) targets(out []Target, rows []int32, b *data.Batch, s data.Seq, record int64) ([]Target, []int32) {
	row := s.Row * int32(b.Dec.T)
	segment := b.Dec.Segments[row+s.First]
	t := Target{Record: record, Left: -1, Right: -1}
	gap := s.Row * int32(b.Enc.T) // of the encoder: those up to here are behind
	for at := row + s.First; at <= row+s.Last; at++ {
		if t.Token = b.Targets[at]; t.Token < 0 {
			continue
		}
		if b.Enc.T == 0 {
			t.Left, t.Right = r.beside(&b.Dec, at, segment)
		} else if t.Mark = r.gaps[t.Token] || at == row+s.Last; t.Mark && at < row+s.Last {
			for b.Enc.Segments[gap] != segment || b.Enc.Tokens[gap] != t.Token {
				gap++
			}
			t.Left, t.Right = r.beside(&b.Enc, gap, segment)
		}
		out, rows = append(out, t), append(rows, at)
	}
	return out, rows
}

// beside gives the neighbours of a place in a segment; -1: hidden.
func (r *reading) beside(s *data.Stream, at, segment int32) (left, right int32) {
	look := func(i int32) int32 {
		switch {
		case i < 0 || int(i) >= len(s.Tokens) || i/int32(s.T) != at/int32(s.T) || s.Segments[i] != segment:
			return r.edge
		case s.Tokens[i] == r.mask:
			return -1
		}
		return s.Tokens[i]
	}
	return look(at - 1), look(at + 1)
}

// A Span is a gap of a text, with its hidden tokens.
type Span struct {
	Record      int64
	Left, Right int32 // as of a Target
	Tokens      []int32
	// Exact says that the most probable token is the right one at each place, given the tokens
	// before, including the end of the span.
	Exact bool
}

// Spans groups the targets of span corruption by span.
func Spans(list []Target) []Span {
	var out []Span
	open := false
	for i := range list {
		t := &list[i]
		if !t.Mark {
			s := &out[len(out)-1]
			s.Tokens, s.Exact = append(s.Tokens, t.Token), s.Exact && t.Correct()
			continue
		}
		if open {
			s := &out[len(out)-1]
			s.Exact = s.Exact && t.Correct()
		}
		// The last mark of a text is its end, which begins no span.
		if open = i+1 < len(list) && !list[i+1].Mark; open {
			out = append(out, Span{Record: t.Record, Left: t.Left, Right: t.Right, Exact: true})
		}
	}
	return out
}

// HiddenTargets gives the tokens that the objective of c hides in a number of epochs, without
// the predictions of a model.
func HiddenTargets(ctx context.Context, c data.Config, epochs int, progress func(done, total int64)) ([]Target, error) {
	c = c.WithDefaults()
	c.Epochs, c.Shuffle, c.Whole = epochs, false, true
	read, rows := newReading(&c), c.Records.Rows()
	var list []Target
	_, err := batches(ctx, c, func(b *data.Batch) error {
		for _, s := range b.Seqs {
			list, _ = read.targets(list, nil, b, s, s.Doc)
		}
		if progress != nil {
			progress(b.Cursor.Epoch*rows+min(b.Cursor.Position, rows), int64(epochs)*rows)
		}
		return nil
	})
	return list, err
}

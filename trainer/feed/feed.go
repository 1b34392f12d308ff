// Package feed turns batches of data into the inputs of a model's programs, in the same way for training and for
// scoring.
package feed

import (
	"hone/data"
	"hone/trainer/model"
)

// A Feed is a model.Feed that is filled from batches.
type Feed struct {
	model.Feed
	first   bool // a classifier reads the first token of a text, not its last
	typed   bool // tokens have types
	choices bool // the choices of a question are scored against each other
	asks    bool // the first and the last token of an answer are looked for
	goals   int  // a text has so many numbers, or marks of labels, in place of a label
	pools   string
	same    map[uint64]int32 // numbers of texts
}

// New makes a feed of a network's programs whose batches have labels of so many sequences,
// data.Config.Slots; 0: of none.
func New(net *model.Network, slots int) *Feed {
	c := net.Config()
	h, _ := c.Head() // which a network has
	f := &Feed{first: net.PoolsFirst(), typed: c.Traits().TokenTypes, choices: h == model.MultipleChoice, asks: h == model.QuestionAnswering}
	if slots == 0 {
		return f
	}
	if c := net.Contrast(); c != nil {
		f.pools, f.Spans = c.Pooling, make([]int32, 2*slots)
		return f
	}
	f.LabelWeights = make([]float32, slots) // what is empty of them weighs nothing
	if f.asks {
		f.Spans, f.Answers = make([]int32, 2*slots), make([]int32, 2*slots)
		return f
	}
	f.Pool = make([]int32, slots)
	switch {
	case f.choices:
		f.Spans, f.Answers = make([]int32, 2*slots), make([]int32, slots)
	case h == model.Classifier && c.Problem() != model.SingleLabel:
		f.goals = len(c.Labels())
		f.Goals = make([]float32, slots*f.goals)
	default:
		f.Labels = make([]int32, slots)
	}
	return f
}

// Streams lays in the tokens of a batch, of decoder and encoder.
func (f *Feed) Streams(b *data.Batch) {
	f.Tokens, f.Segments, f.Positions, f.Order = b.Dec.Tokens, b.Dec.Segments, b.Dec.Positions, b.Dec.Order
	f.EncoderTokens, f.EncoderSegments = b.Enc.Tokens, b.Enc.Segments
}

// Batch lays in all of a batch, but for what belongs to a step: which memories are read and
// written, the random numbers, the factor of gradients.
func (f *Feed) Batch(b *data.Batch) {
	f.Streams(b)
	f.Targets, f.Weights, f.Before = b.Targets, b.Weights, b.Before
	if f.typed {
		f.Types = b.Dec.Types
	}
	if f.asks && f.LabelWeights != nil {
		clear(f.LabelWeights)
		clear(f.Spans)
		for i := range f.Answers {
			f.Answers[i] = -1
		}
		for i, s := range b.Seqs {
			at := s.Row * int32(b.Dec.T)
			f.Spans[2*i], f.Spans[2*i+1] = at+s.First, at+s.Last+1
			f.Answers[2*i], f.Answers[2*i+1] = at+s.Window.Start, at+s.Window.End
			f.LabelWeights[i] = b.LabelWeight
		}
		return
	}
	if f.pools != "" {
		f.pooled(b)
		return
	}
	if f.Pool == nil {
		return
	}
	if f.first {
		b.First(f.Pool)
	} else {
		b.Pool(f.Pool)
	}
	clear(f.LabelWeights)
	switch {
	case f.choices:
		clear(f.Spans)
		for i := range f.Answers {
			f.Answers[i] = -1
		}
		for i, q := range b.Questions {
			f.Spans[2*i], f.Spans[2*i+1], f.Answers[i], f.LabelWeights[i] = q.First, q.End, q.Right, b.LabelWeight
		}
		return
	case f.goals > 0:
		clear(f.Goals)
		copy(f.Goals, b.Goals)
	default:
		b.Labels(f.Labels)
	}
	b.LabelWeights(f.LabelWeights)
}

// pooled lays in which rows of each text make its vector.
func (f *Feed) pooled(b *data.Batch) {
	clear(f.Spans)
	for i, s := range b.Seqs {
		at := s.Row * int32(b.Dec.T)
		first, end := at+s.First, at+s.Last+1
		switch f.pools {
		case model.FirstPooling:
			end = first + 1
		case model.LastPooling:
			first = end - 1
		}
		f.Spans[2*i], f.Spans[2*i+1] = first, end
	}
}

// Compare lays in what the texts of some batches are compared with, each batch with slots vectors.
func (f *Feed) Compare(batches []*data.Batch, slots int) {
	if f.Contrasted == nil || len(f.Contrasted.Candidates) != 2*slots*len(batches) {
		f.Contrasted, f.same = model.NewContrasted(slots*len(batches)), map[uint64]int32{}
	}
	c, k := f.Contrasted, 0
	c.Clear()
	clear(f.same)
	number := func(s *data.Seq) int32 {
		n, ok := f.same[s.Text]
		if !ok {
			n = int32(len(f.same))
			f.same[s.Text] = n
		}
		return n
	}
	for m, b := range batches {
		first := int32(m * slots)
		for i, q := range b.Questions {
			anchor := number(&b.Seqs[q.First])
			for s := q.First + 1; s < q.End; s++ {
				c.Candidates[2*(first+s)] = number(&b.Seqs[s])
			}
			positive := q.First + 1
			c.Candidates[2*(first+positive)+1] = anchor
			c.Anchors[k], c.Positives[k], c.Own[2*k], c.Own[2*k+1], c.Weights[k] = first+q.First, first+positive, number(&b.Seqs[positive]), anchor, b.LabelWeight
			if positive+1 < q.End {
				c.Negatives[k] = first + positive + 1
			}
			if len(b.Goals) > 0 {
				c.Goals[k] = b.Goals[i]
			}
			k++
		}
	}
}

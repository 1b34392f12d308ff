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
	first bool // a classifier reads the first token of a text, not its last
}

// New makes a feed of a network's programs whose batches have labels of so many sequences,
// data.Config.Slots; 0: of none.
func New(net *model.Network, slots int) *Feed {
	f := &Feed{first: net.PoolsFirst()}
	if slots > 0 { // what is empty of them weighs nothing
		f.Pool, f.Labels, f.LabelWeights = make([]int32, slots), make([]int32, slots), make([]float32, slots)
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
	f.Targets, f.Weights, f.Types, f.Before = b.Targets, b.Weights, b.Dec.Types, b.Before
	if f.Pool == nil {
		return
	}
	if f.first {
		b.First(f.Pool)
	} else {
		b.Pool(f.Pool)
	}
	b.Labels(f.Labels)
	for i := range f.LabelWeights {
		f.LabelWeights[i] = b.LabelWeight
	}
}

package model

import (
	"fmt"

	"hone/trainer/exec"
)

// A Feed has the inputs that the host gives a program; see Inputs. Fields that the program does not
// take are nil, except Rng and Seed, which only training programs read.
type Feed struct {
	Tokens, Segments, Positions, Order, Targets []int32   // (R)
	Sequences                                   []int32   // (R), in decoding: a row of a negative position is none
	Weights                                     []float32 // (R)
	Pool, Labels                                []int32   // (S)
	LabelWeights                                []float32 // (S)
	Types                                       []int32   // (R); nil: all 0
	Goals                                       []float32 // (S,labels)
	Spans, Answers                              []int32   // (S,2); answers of multiple choice (S)
	Contrasted                                  *Contrasted
	Cotangents                                  []float32 // (S,C)
	EncoderTokens, EncoderSegments              []int32   // (B·EncoderLength)
	EncoderLast                                 []int32   // (R), in decoding: the last token of the sequence's encoder
	QueryPositions, QuerySequences              []int32   // (P), in decoding: of the tokens that are to be predicted, XLNet's
	// For models with a memory. Before is, for each sequence, how many of the remembered rows belong to the
	// sequence's first segment (B; nil: none). Slots are the memory to read and the one to write: a run reads what
	// the one before it has written.
	Before []int32
	Slots  [2]int32
	Rng    [4]int32 // seed low, seed high, step, micro-batch
	Seed   float32  // factor of all gradients, usually 1/NumTargets
}

// Feed copies the inputs to the device. A missing field, or one that the program does not take, is an error.
func (n *Network) Feed(x *exec.Executor, f *Feed) error {
	positions, types := n.positions(f.Positions), f.Types
	tokens, encoderTokens, encoderSegments := n.twice(f)
	if _, ok := x.Program().Named["types"]; ok && types == nil {
		types = n.zeros(len(f.Tokens))
	}
	segments, order, types := n.remembered(x, f, types)
	pool := n.unpadded(f)
	for _, v := range [...]struct {
		name string
		data []int32
	}{
		{"tokens", tokens}, {"segments", f.Segments}, {"sequences", f.Sequences}, {"positions", positions}, {"order", f.Order},
		{"targets", f.Targets}, {"pool", pool}, {"labels", f.Labels}, {"types", types}, {"spans", f.Spans}, {"answers", f.Answers},
		{"encoder_tokens", encoderTokens}, {"encoder_segments", encoderSegments},
		{"encoder_last", f.EncoderLast}, {"query_positions", f.QueryPositions}, {"query_sequences", f.QuerySequences}, {"key_segments", segments}, {"key_order", order},
	} {
		if _, ok := x.Program().Named[v.name]; !ok && (v.name == "positions" || v.name == "order") {
			continue // a family of distances alone, or one that sees to both sides
		}
		if use, err := takes(x, v.name, v.data != nil); err != nil {
			return err
		} else if use {
			if err := exec.Feed(x, v.name, v.data); err != nil {
				return fmt.Errorf("model: %w", err)
			}
		}
	}
	n.seed[0] = f.Seed
	for _, v := range [...]struct {
		name string
		data []float32
	}{
		{"weights", f.Weights}, {"label_weights", f.LabelWeights}, {"goals", f.Goals}, {"cotangents", f.Cotangents},
	} {
		if use, err := takes(x, v.name, v.data != nil); err != nil {
			return err
		} else if use {
			if err := n.feedFloats(x, v.name, v.data); err != nil {
				return err
			}
		}
	}
	if f.Contrasted != nil {
		if err := f.Contrasted.feed(x, func(name string, v []float32) error { return n.feedFloats(x, name, v) }); err != nil {
			return err
		}
	}
	named := x.Program().Named
	if _, ok := named["seed"]; ok {
		if err := n.feedFloats(x, "seed", n.seed[:]); err != nil {
			return err
		}
	}
	if _, ok := named["slots"]; ok {
		if err := exec.Feed(x, "slots", f.Slots[:]); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	if _, ok := named["rng"]; ok {
		if err := exec.Feed(x, "rng", f.Rng[:]); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}

// positions are rows of the family's table of positions, whose first rows may belong to no token.
func (n *Network) positions(p []int32) []int32 {
	offset := n.traits.PositionOffset
	if offset == 0 || p == nil {
		return p
	}
	n.shifted = n.shifted[:0]
	for _, v := range p {
		n.shifted = append(n.shifted, v+int32(offset))
	}
	return n.shifted
}

// unpadded are the pooled rows. Like transformers, a decoder's classifier reads the last token of a sequence that
// is not pad_token_id, even where the text itself ends with that token.
func (n *Network) unpadded(f *Feed) []int32 {
	pad := n.config.PadTokenID
	if !n.traits.SkipsPadding || n.opts.Head != Classifier || pad == nil || len(f.Segments) != len(f.Tokens) || len(f.Positions) != len(f.Tokens) {
		return f.Pool
	}
	n.pool = append(n.pool[:0], f.Pool...)
	for i, row := range n.pool {
		if row < 0 || int(row) >= len(f.Tokens) {
			return f.Pool // sizes that do not fit are reported later
		}
		for f.Tokens[row] == int32(*pad) && f.Positions[row] > 0 && row > 0 && f.Segments[row-1] == f.Segments[row] {
			row--
		}
		n.pool[i] = row
	}
	return n.pool
}

// twice gives the inputs of decoder and encoder where both read the same text, which is given once: the
// decoder reads it behind the start token.
func (n *Network) twice(f *Feed) (tokens, encoderTokens, encoderSegments []int32) {
	t := n.traits
	if f.EncoderTokens != nil || !t.ReadsTwice[n.opts.Head] {
		return f.Tokens, f.EncoderTokens, f.EncoderSegments
	}
	n.behind = append(n.behind[:0], f.Tokens...)
	for i := range n.behind {
		if i < len(f.Positions) && f.Positions[i] > 0 {
			n.behind[i] = f.Tokens[i-1]
		} else {
			n.behind[i] = t.StartToken
		}
	}
	return n.behind, f.Tokens, f.Segments
}

// remembered gives the segments, orders and types of keys where a memory stands before each sequence.
// Remembered rows that belong to the sequence's first document have its segment, and come before all others. Their
// types are not known, and 0, as in transformers.
func (n *Network) remembered(x *exec.Executor, f *Feed, own []int32) (segments, order, types []int32) {
	id, ok := x.Program().Named["memory.0"]
	if !ok {
		return nil, nil, own
	}
	shape := x.Program().Values[id].Shape
	b, m := shape[1], shape[2]
	if len(f.Segments)%b != 0 || len(f.Order) != len(f.Segments) || len(own) != len(f.Segments) {
		return nil, nil, own // sizes that do not fit are reported later
	}
	t := len(f.Segments) / b
	n.keys = n.keys[:0]
	put := func(own []int32, before func(row []int32, i, k int) int32) {
		for i := range b {
			row := own[i*t : (i+1)*t]
			for k := range m {
				n.keys = append(n.keys, before(row, i, k))
			}
			n.keys = append(n.keys, row...)
		}
	}
	put(f.Segments, func(row []int32, i, k int) int32 {
		if i < len(f.Before) && m-k <= int(f.Before[i]) {
			return row[0]
		}
		return -1
	})
	put(f.Order, func([]int32, int, int) int32 { return -1 })
	put(own, func([]int32, int, int) int32 { return 0 })
	size := b * (m + t)
	return n.keys[:size], n.keys[size : 2*size], n.keys[2*size:]
}

// zeros are the types of tokens where none are given.
func (n *Network) zeros(rows int) []int32 {
	if len(n.untyped) < rows {
		n.untyped = make([]int32, rows)
	}
	return n.untyped[:rows]
}

func takes(x *exec.Executor, name string, given bool) (bool, error) {
	_, ok := x.Program().Named[name]
	switch {
	case ok && !given:
		return false, fmt.Errorf("model: program %s: %s is not fed", x.Program().Name, name)
	case !ok && given:
		return false, fmt.Errorf("model: program %s: %s is fed, but there is no such input", x.Program().Name, name)
	}
	return ok, nil
}

func (n *Network) feedFloats(x *exec.Executor, name string, data []float32) error {
	var err error
	if n.layout.DType == exec.F32 {
		err = exec.Feed(x, name, data)
	} else {
		n.wide = n.wide[:0]
		for _, v := range data {
			n.wide = append(n.wide, float64(v))
		}
		err = exec.Feed(x, name, n.wide)
	}
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}

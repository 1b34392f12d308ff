package generate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"hone/trainer/exec"
	"hone/trainer/model"
)

// A decoder computes the logits of the next token. It handles tokens, not text.
type decoder struct {
	net    *model.Network
	how    model.Writing
	window int            // the longest context
	x      *exec.Executor // without caches: a program for size tokens
	cached *model.Session // with caches for size tokens
	size   int
	held   []int32   // the tokens whose keys and values the caches have
	piece  int       // the most tokens that are read at once
	source []int32   // the input of an encoder
	logits []float32 // (V)
	feed   model.Feed
}

// unbounded is the longest context of families without a bound of their own: the length that
// T5 and XLNet were trained with.
const unbounded = 512

func newDecoder(net *model.Network) (*decoder, error) {
	c := net.Config()
	d := &decoder{net: net, how: c.Writing(), window: cmp.Or(c.MaxLength(), unbounded), piece: 512, logits: make([]float32, c.VocabSize)}
	switch d.how {
	case model.Never:
		return nil, fmt.Errorf("generate: a %s attends to both sides of a token and cannot write text", c.ModelType)
	case model.Queried:
		d.window-- // the next token has a row too
	}
	d.feed.Pool, d.feed.Slots = make([]int32, 1), [2]int32{0, 1}
	return d, nil
}

// fit chooses programs for at least so many tokens, rounded up to a power of two, so that
// there are few of them.
func (d *decoder) fit(tokens int) (err error) {
	size := 64
	for size < tokens {
		size *= 2
	}
	size = min(size, d.window)
	switch d.how {
	case model.Cached:
		if d.size < size {
			d.cached, d.size, d.held = d.net.NewSession(), size, nil
		}
	case model.Queried:
		d.x, err = d.net.Executor(model.Evaluate, 1, size+1, 1)
	default:
		d.x, err = d.net.Executor(model.Evaluate, 1, size, 1)
	}
	if err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	return nil
}

// read computes the logits of the token after a text. Of what the caches have, it reads again only what differs. When
// ctx ends, it stops between pieces of the text, and the logits are not those of the whole text.
func (d *decoder) read(ctx context.Context, text []int32) error {
	if d.how != model.Cached {
		d.lay(text)
		return d.run()
	}
	seen := d.has(text)
	d.held = d.held[:seen]
	f := &d.feed
	for seen < len(text) && ctx.Err() == nil {
		piece := text[seen:min(len(text), seen+d.piece)]
		rows := 1
		for rows < len(piece) {
			rows *= 2
		}
		f.Tokens, f.Positions, f.Sequences = f.Tokens[:0], f.Positions[:0], f.Sequences[:0]
		for i := range rows {
			token, position := int32(-1), int32(-1) // no row
			if i < len(piece) {
				token, position = piece[i], int32(seen+i)
			}
			f.Tokens, f.Positions, f.Sequences = append(f.Tokens, token), append(f.Positions, position), append(f.Sequences, 0)
		}
		f.Pool[0] = int32(len(piece) - 1)
		var err error
		if d.x, err = d.cached.Executor(model.Decode, 1, d.size, rows); err != nil {
			return fmt.Errorf("generate: %w", err)
		}
		if err := d.run(); err != nil {
			return err
		}
		d.held, seen = append(d.held, piece...), seen+len(piece)
	}
	return nil
}

// has is how many of a text's tokens the caches have and read does not read again. The last one is
// read in any case: its logits are wanted.
func (d *decoder) has(text []int32) (n int) {
	for n < min(len(text)-1, len(d.held)) && text[n] == d.held[n] {
		n++
	}
	return n
}

// lay fills the feed with a text; for XLNet a placeholder of the next token follows it.
func (d *decoder) lay(text []int32) {
	f, n := &d.feed, len(text)
	if d.how == model.Queried {
		n++
	} else {
		f.EncoderTokens, f.EncoderSegments = d.rows(f.EncoderTokens, f.EncoderSegments, "encoder_tokens", d.source, len(d.source))
	}
	f.Tokens, f.Segments = d.rows(f.Tokens, f.Segments, "tokens", text, n)
	f.Positions = f.Positions[:0]
	for i := range f.Tokens {
		f.Positions = append(f.Positions, int32(i))
	}
	f.Order, f.Pool[0] = f.Positions, int32(n-1)
}

// rows fills an input's tokens and segments with a text of n tokens and padding.
func (d *decoder) rows(tokens, segments []int32, input string, text []int32, n int) (_, _ []int32) {
	p := d.x.Program()
	tokens, segments = append(tokens[:0], text...), segments[:0]
	for i := range p.Values[p.Named[input]].Elems() {
		if i >= len(text) {
			tokens = append(tokens, 0) // padding, which nothing attends to
		}
		segment := int32(0)
		if i >= n {
			segment = -1
		}
		segments = append(segments, segment)
	}
	return tokens, segments
}

// run feeds the program and reads the logits.
func (d *decoder) run() error {
	if err := d.net.Feed(d.x, &d.feed); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := d.x.Run(); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	if err := exec.Read(d.x, "logits", d.logits); err != nil {
		return fmt.Errorf("generate: %w", err)
	}
	for _, v := range d.logits {
		if !(v <= math.MaxFloat32) {
			return errors.New("generate: the model's logits are not numbers: its weights are damaged, or too large for float32")
		}
	}
	return nil
}

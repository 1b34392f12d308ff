package generate

import (
	"cmp"
	"context"
	"fmt"

	"hone/trainer/exec"
	"hone/trainer/model"
)

// A decoder gives the logits of the token that follows others. It knows no text.
type decoder struct {
	net    *model.Network
	how    model.Writing
	window int            // the longest context
	x      *exec.Executor // where nothing is cached: long enough for the tokens at hand
	cached *model.Session // of caches for size tokens
	size   int
	piece  int       // how many tokens are read at once, at most
	source []int32   // what an encoder reads
	logits []float32 // (V)
	feed   model.Feed
}

// unbounded is the longest context of a family that has no bound: what T5 and XLNet have
// learned from.
const unbounded = 512

func newDecoder(net *model.Network) (*decoder, error) {
	c := net.Config()
	d := &decoder{net: net, how: c.Writing(), window: cmp.Or(c.MaxLength(), unbounded), piece: 512, logits: make([]float32, c.VocabSize)}
	switch d.how {
	case model.Never:
		return nil, fmt.Errorf("generate: a %s sees to both sides of a token, and writes no text", c.ModelType)
	case model.Queried:
		d.window-- // the next token has a row too
	}
	d.feed.Pool, d.feed.Slots = make([]int32, 1), [2]int32{0, 1}
	return d, nil
}

// fit takes programs for so many tokens: a power of two, of which there are few.
func (d *decoder) fit(tokens int) (err error) {
	size := 64
	for size < tokens {
		size *= 2
	}
	size = min(size, d.window)
	switch d.how {
	case model.Cached:
		if d.size != size {
			d.cached, d.size = d.net.NewSession(), size
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

// read makes logits those of the token behind a text, of which the caches have the first
// tokens already. When ctx ends, it stops between pieces of the text; the logits are not
// those of the whole then.
func (d *decoder) read(ctx context.Context, text []int32, seen int) error {
	if d.how != model.Cached {
		d.lay(text)
		return d.run()
	}
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
		seen += len(piece)
	}
	return nil
}

// lay fills the feed with a text from left to right; XLNet's next token stands behind it.
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

// rows are an input's tokens and segments, of which the first n are a text.
func (d *decoder) rows(tokens, segments []int32, input string, text []int32, n int) (_, _ []int32) {
	p := d.x.Program()
	tokens, segments = append(tokens[:0], text...), segments[:0]
	for i := range p.Values[p.Named[input]].Elems() {
		if i >= len(text) {
			tokens = append(tokens, 0) // which nothing sees
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
	return nil
}

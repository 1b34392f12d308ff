package eval

import (
	"context"
	"fmt"

	"hone/data/corpus"
	"hone/data/tokenizer"
)

// A LossyError says that a tokenizer does not preserve the text: its tokens then contain less
// than the text does, and bits per byte would be too low.
type LossyError struct {
	lost, of int
	first    int64 // document
}

func (e *LossyError) Error() string {
	return fmt.Sprintf("the tokenizer does not keep the text of %d of %d documents (the first: %d)", e.lost, e.of, e.first)
}

// KeepsText checks whether a tokenizer gives back the texts of a split: all texts, or a thousand
// evenly spaced ones.
func KeepsText(ctx context.Context, tok tokenizer.Tokenizer, split corpus.Records) error {
	n := min(split.Rows(), 1000)
	tok = Ordinary(tok)
	e := &LossyError{of: int(n), first: -1}
	var ids []int32
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := i * split.Rows() / n
		r, err := split.Record(at)
		if err != nil {
			return err
		}
		if ids = tok.Encode(ids[:0], r.Text); tok.Decode(ids) != r.Text {
			if e.lost++; e.first < 0 {
				e.first = at
			}
		}
	}
	if e.lost > 0 {
		return e
	}
	return nil
}

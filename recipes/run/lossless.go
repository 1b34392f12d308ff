package run

import (
	"context"
	"errors"
	"fmt"

	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/recipes"
)

// bitsPerByte reports whether a stage's validation gives any: the objective must give
// whole texts a probability, and the tokenizer keep them as they are.
func (w *runner) bitsPerByte(ctx context.Context, s *recipes.Stage) (bool, error) {
	c := data.Config{Objective: s.Learns()}
	if s.Kind == "finetune" || !validating(&c) {
		return false, nil
	}
	err := keepsText(ctx, w.tok, stageCorpus(w.corpora, s).Validation)
	var lossy *lossyError
	if errors.As(err, &lossy) {
		w.log(fmt.Sprintf("stage %s: validated by loss, not bits per byte: %v", s.Name, lossy))
		return false, nil
	}
	return err == nil, err
}

// A lossyError says that tokens are not the text: what they cost is then less than what
// the text costs, and bits per byte would flatter.
type lossyError struct {
	lost, of int
	first    int64 // document
}

func (e *lossyError) Error() string {
	return fmt.Sprintf("the tokenizer does not keep the text of %d of %d documents (the first: %d)", e.lost, e.of, e.first)
}

// keepsText looks whether a tokenizer gives back the texts of a split: all, or a thousand
// evenly spaced.
func keepsText(ctx context.Context, tok tokenizer.Tokenizer, split corpus.Records) error {
	n := min(split.Rows(), 1000)
	tok = ordinary(tok)
	e := &lossyError{of: int(n), first: -1}
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

package generate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"hone/data/tokenizer"
	"hone/trainer/model"
)

// A Frame is the tokens around the texts that a model writes.
type Frame struct {
	Start  int32   // first token of an answer, or of a text whose prompt is empty; -1: none
	Starts bool    // every text starts with Start
	Before []int32 // tokens before a prompt
	After  []int32 // and after it
	Ends   []int32 // a text ends at any of them
}

// FrameOf gives the frame of a model with its tokenizer. A text ends at any of the end tokens
// of the settings, or else of the model's configuration; for its first token see Settings. For
// a model that hone has trained and that names neither, the token <|endoftext|> is both. Errors
// mean that model, tokenizer and settings do not go together (exit code 2).
func FrameOf(c model.Config, tok tokenizer.Tokenizer, s Settings) (f Frame, err error) {
	end := -1
	if id, ok := tok.Special("<|endoftext|>"); ok {
		end = int(id)
	}
	ends := s.Ends
	if len(ends) == 0 {
		ends = c.EOSTokenID
	}
	if len(ends) == 0 && s.Starts {
		if end < 0 {
			return f, errors.New("generate: the model's configuration has no eos_token_id, and the tokenizer no token <|endoftext|>")
		}
		ends = model.TokenIDs{end}
	}
	first := end
	switch id := cmp.Or(s.BOS, c.BOSTokenID); {
	case id != nil:
		first = *id
	case s.Starts && len(c.EOSTokenID) > 0: // documents without a token of their own begin with it: data.Config
		first = c.EOSTokenID[0]
	case end < 0 && len(ends) > 0:
		first = ends[0]
	}
	t5, answers := c.Family.(model.T5)
	if answers {
		first = *cmp.Or(s.DecoderStart, &t5.DecoderStartTokenID)
	}
	for _, id := range append(slices.Clone(ends), first) {
		if id >= c.VocabSize || id < 0 && (id != first || s.Starts || answers) {
			return f, fmt.Errorf("generate: token %d is to start or end texts, but the model has only %d tokens", id, c.VocabSize)
		}
	}
	for _, id := range ends {
		f.Ends = append(f.Ends, int32(id))
	}
	f.Start = int32(first)
	switch p, ok := tok.(*tokenizer.Pipeline); {
	case s.Starts && answers:
		f.After = f.Ends[:1]
	case s.Starts:
		f.Starts, f.Before = true, []int32{f.Start}
	case ok:
		f.Before, f.After = p.Frame()
	}
	return f, nil
}

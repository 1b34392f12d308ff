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
	Start  int32   // of an answer, or of a text that has no token; -1: none
	Starts bool    // every text starts with Start
	Before []int32 // what is set around a prompt
	After  []int32
	Ends   []int32 // a text ends with any of them
}

// FrameOf is that of a model and its tokenizer. A text ends with any of the settings' ends, or
// the configuration's; what it starts with see Settings. Of a model that hone has trained
// without naming either, the token <|endoftext|> does both.
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
	case s.Starts && len(c.EOSTokenID) > 0: // which begins documents where nothing else does: data.Config
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
			return f, fmt.Errorf("generate: token %d starts or ends a text, but the model has %d", id, c.VocabSize)
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

package generate

import (
	"strings"

	"hone/data/tokenizer"
)

// A detokenizer turns tokens into text as they come, without decoding the whole text again for each.
type detokenizer struct {
	tok  tokenizer.Tokenizer
	text []byte
}

// behind is how many tokens are decoded before a new one. What a decoder makes of a token depends on whether it is the
// first one, on the one before it, and on whether it is the last one.
const behind = 4

// add appends the text of the last of the tokens, which are all of the text's.
func (d *detokenizer) add(ids []int32) {
	few := ids[max(0, len(ids)-1-behind):]
	more, ok := strings.CutPrefix(d.tok.Decode(few), d.tok.Decode(few[:len(few)-1]))
	if !ok { // the decoder changes what tokens before it gave
		more, d.text = d.tok.Decode(ids), d.text[:0]
	}
	d.text = append(d.text, more...)
}

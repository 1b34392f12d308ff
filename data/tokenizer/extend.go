package tokenizer

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// Extend gives the tokenizer with more added tokens, as add_tokens of Hugging
// Face's tokenizers does. What is an added token already stays as it is, and what
// stands in the vocabulary keeps its id; the others take the ids from Size on, or
// in a vocabulary with holes those that the library reads of the file.
// The ids in tokens do not matter. p does not change.
//
// The vocabulary of a model must follow: its embedding needs Size rows.
func (p *Pipeline) Extend(tokens []AddedToken) (*Pipeline, error) {
	var f file
	if err := json.Unmarshal(p.JSON(), &f); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", explain(err))
	}
	v, err := parseModel(f.Model)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: model: %w", err)
	}
	f.Model = nil
	for i, a := range v.pieces { // Unigram, which has no map yet
		if v.ids == nil {
			v.ids = make(map[string]int64, len(v.pieces))
		}
		v.ids[a] = int64(i)
	}
	next := int32(max(len(v.ids), len(v.pieces)))
	for _, a := range p.added {
		if !a.inVocab {
			next++
		}
	}
	for i, a := range tokens {
		if a.Content == "" || !utf8.ValidString(a.Content) {
			return nil, fmt.Errorf("tokenizer: token %d: %q is empty or invalid UTF-8", i, a.Content)
		}
		if slices.ContainsFunc(f.AddedTokens, func(b AddedToken) bool { return b.Content == a.Content }) {
			continue
		}
		id, ok := v.ids[a.Content]
		if a.ID = int32(id); !ok {
			a.ID = next
			next++
		}
		if next > maxSize {
			return nil, fmt.Errorf("tokenizer: token %d: more than %d tokens", i, maxSize)
		}
		f.AddedTokens = append(f.AddedTokens, a)
	}
	q, err := build(f, v)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return q, nil
}

package data

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"hone/data/tokenizer"
)

// A wordTable says for each token of a vocabulary how it forms words with its neighbours.
type wordTable struct{ joins []joint }

// A joint says which kinds of characters a token's text begins and ends with.
type joint struct {
	continues   bool // as it says itself: WordPiece's ##
	split       bool // its vocabulary says so of every token that continues
	first, last edge
}

type edge uint8

const (
	other    edge = iota // a space, a sign, nothing
	inWord               // a letter, a digit, a mark
	unspaced             // a character of a script that puts no spaces between words
	broken               // within a character
)

// newWordTable makes the table of a vocabulary. A word is a run of letters, digits and marks;
// in scripts without spaces, a token. Where the vocabulary marks tokens that continue a word
// (##ing), only these marks count.
func newWordTable(t tokenizer.Tokenizer) *wordTable {
	w := &wordTable{make([]joint, t.Size())}
	p, spelled := t.(interface {
		Info() tokenizer.Info
		Token(id int32) string
	})
	wordPiece := spelled && p.Info().Kind == "wordpiece"
	for id := range w.joins {
		j := &w.joins[id]
		if wordPiece {
			*j = joint{split: true, continues: strings.HasPrefix(p.Token(int32(id)), "##")}
			continue
		}
		s := t.Decode([]int32{int32(id)})
		if s == "" {
			continue
		}
		j.first, j.last = edgeOf(utf8.DecodeRuneInString(s)), edgeOf(utf8.DecodeLastRuneInString(s))
		if spelled && strings.HasPrefix(p.Token(int32(id)), "▁") { // SentencePiece's space, which decoding may take off
			j.first = other
		}
	}
	return w
}

func edgeOf(r rune, n int) edge {
	switch {
	case r == utf8.RuneError && n == 1:
		return broken
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan):
		return unspaced
	case unicode.IsLetter(r), unicode.IsMark(r), unicode.IsNumber(r):
		return inWord
	}
	return other
}

// begins reports whether a token begins a word, whatever is before it.
func (w *wordTable) begins(before, id int32) bool {
	a, b := w.joins[before], w.joins[id]
	switch {
	case b.split:
		return !b.continues
	case a.last == broken && b.first == broken: // within a character, as far as one can know
		return false
	case a.last == broken || b.first == broken: // a character in parts beside a whole one
		return a.last != inWord && b.first != inWord
	}
	return a.last != inWord || b.first != inWord
}

// start gives the start of the word that token i belongs to.
func (w *wordTable) start(ids []int32, i int) int {
	for i > 0 && !w.begins(ids[i-1], ids[i]) {
		i--
	}
	return i
}

// end gives the end of the word that token i belongs to.
func (w *wordTable) end(ids []int32, i int) int {
	for i++; i < len(ids) && !w.begins(ids[i-1], ids[i]); i++ {
	}
	return i
}

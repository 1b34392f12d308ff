package tokenizer

import "unicode/utf8"

// wordPiece takes the longest token that a word begins with, then again and again the
// longest token that follows, which has a prefix in the vocabulary. A word that cannot be
// covered is unknown.
type wordPiece struct {
	trie     *trie
	inside   int32 // node of the trie for tokens inside a word; 0: there are none
	prefix   string
	unk      int32
	maxRune  int // a longer word is unknown
	unkToken string
}

func (m *wordPiece) encode(_ *encoder, dst []int32, w string) []int32 {
	n := len(dst)
	m.each(w, func(id int32, _ int) { dst = append(dst, id) }, func() { dst = append(dst[:n], m.unk) })
	return dst
}

func (m *wordPiece) tokens(_ *encoder, dst []part, w string) []part {
	n := len(dst)
	m.each(w, func(id int32, size int) { dst = append(dst, part{id: id, size: size}) },
		func() { dst = append(dst[:n], part{id: m.unk, size: len(w)}) })
	return dst
}

func (m *wordPiece) each(w string, token func(id int32, size int), unknown func()) {
	if len(w) > m.maxRune && utf8.RuneCountInString(w) > m.maxRune {
		unknown()
		return
	}
	for i := 0; i < len(w); {
		node := int32(0)
		if i > 0 {
			if node = m.inside; node == 0 && m.prefix != "" {
				unknown()
				return
			}
		}
		best, end := int32(-1), 0
		for j := i; j < len(w); {
			if node = m.trie.next(node, w[j]); node == 0 {
				break
			}
			j++
			if id := m.trie.value[node]; id >= 0 {
				best, end = id, j
			}
		}
		if best < 0 {
			unknown()
			return
		}
		token(best, end-i)
		i = end
	}
}

// wordLevel has a token for each word.
type wordLevel struct {
	ids      map[string]int32
	unk      int32
	unkToken string
}

func (m *wordLevel) encode(_ *encoder, dst []int32, w string) []int32 {
	return append(dst, m.id(w))
}

func (m *wordLevel) tokens(_ *encoder, dst []part, w string) []part {
	return append(dst, part{id: m.id(w), size: len(w)})
}

func (m *wordLevel) id(w string) int32 {
	if id, ok := m.ids[w]; ok {
		return id
	}
	return m.unk
}

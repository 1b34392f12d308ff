package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// Classes of characters, as the GPT-2 pattern tells them apart.
const (
	other  = iota // [^\s\p{L}\p{N}], and every byte that is not valid UTF-8
	letter        // \p{L}
	number        // \p{N}
	space         // \s, the property White_Space
	beyond        // in asciiClass only: look at the whole character
)

// asciiClass is indexed by a byte.
var asciiClass = func() (class [256]uint8) {
	for c := range 256 {
		switch {
		case c >= utf8.RuneSelf:
			class[c] = beyond
		case '\t' <= c && c <= '\r' || c == ' ':
			class[c] = space
		case '0' <= c && c <= '9':
			class[c] = number
		case 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z':
			class[c] = letter
		}
	}
	return class
}()

// runeClass unrolls classRuns into a table by code point. Past its end all is other.
var runeClass = sync.OnceValue(func() []uint8 {
	table := make([]uint8, classRuns[len(classRuns)-1]>>2)
	for i, run := range classRuns[:len(classRuns)-1] {
		for c := run >> 2; c < classRuns[i+1]>>2; c++ {
			table[c] = uint8(run & 3)
		}
	}
	return table
})

// splitter cuts text as GPT-2's pattern does:
//
//	's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// Its classes are those of Unicode 16, whatever Go's unicode package knows, so
// that a tokenizer gives the same ids with every Go release.
type splitter struct{ runeClass []uint8 }

// class gives the class and the size in bytes of the character at s[i].
func (p splitter) class(s string, i int) (uint8, int) {
	c := asciiClass[s[i]]
	if c != beyond {
		return c, 1
	}
	r, n := utf8.DecodeRuneInString(s[i:]) // an invalid byte: U+FFFD, which is other
	if int(r) < len(p.runeClass) {
		return p.runeClass[r], n
	}
	return other, n
}

// end gives the end of the piece that begins at s[i], i < len(s).
func (p splitter) end(s string, i int) int {
	if s[i] == '\'' {
		if n := contraction(s[i+1:]); n > 0 {
			return i + 1 + n
		}
	}
	j := i
	if s[i] == ' ' && i+1 < len(s) {
		j++
	}
	kind, n := p.class(s, j)
	if kind != space {
		for j += n; j < len(s); j += n {
			c := asciiClass[s[j]]
			n = 1
			if c == beyond {
				c, n = p.class(s, j)
			}
			if c != kind {
				break
			}
		}
		return j
	}
	// White space: \s+(?!\S) leaves the last one to the text that follows.
	last := i
	for j = i; j < len(s); j += n {
		if kind, n = p.class(s, j); kind != space {
			if last > i {
				return last
			}
			return j
		}
		last = j
	}
	return j
}

// contraction gives the length of an English ending after an apostrophe.
func contraction(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] {
	case 's', 't', 'm', 'd':
		return 1
	}
	if len(s) >= 2 && (s[:2] == "re" || s[:2] == "ve" || s[:2] == "ll") {
		return 2
	}
	return 0
}

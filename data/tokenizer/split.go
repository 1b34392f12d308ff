package tokenizer

import (
	"sync"
	"unicode/utf8"
)

// Classes of characters, as the patterns of byte-level tokenizers tell them apart.
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

// scanner cuts text as one of the known patterns does, several times as fast as
// a regular expression. Its classes are those of Unicode 16, whatever Go's
// unicode package knows, so that a tokenizer gives the same ids with every Go
// release.
type scanner struct {
	runeClass []uint8
	digits    int // 0: GPT-2's pattern; else those that came after it, with so many digits at most to a piece
}

const (
	gpt2Pattern   = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	llama3Pattern = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwenPattern   = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// scanners are the patterns that are not left to a regular expression.
var scanners = map[string]scanner{
	gpt2Pattern:   {runeClass(), 0},
	llama3Pattern: {runeClass(), 3},
	qwenPattern:   {runeClass(), 1},
}

func (p scanner) each(s string, f func(start, end int)) {
	for i := 0; i < len(s); {
		j := p.end(s, i)
		f(i, j)
		i = j
	}
}

// class gives the class and the size in bytes of the character at s[i].
func (p scanner) class(s string, i int) (uint8, int) {
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
func (p scanner) end(s string, i int) int {
	if p.digits > 0 {
		return p.endLater(s, i)
	}
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
		return p.run(s, j+n, kind)
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

// run gives the end of a run of one class.
func (p scanner) run(s string, j int, kind uint8) int {
	for j < len(s) {
		c, n := asciiClass[s[j]], 1
		if c == beyond {
			c, n = p.class(s, j)
		}
		if c != kind {
			break
		}
		j += n
	}
	return j
}

// endLater is end for the later patterns.
func (p scanner) endLater(s string, i int) int {
	if s[i] == '\'' {
		if n := contractionFold(s[i+1:]); n > 0 {
			return i + 1 + n
		}
	}
	kind, n := p.class(s, i)
	if kind == letter {
		return p.run(s, i+n, letter)
	}
	newline := s[i] == '\r' || s[i] == '\n'
	// One character before letters goes with them.
	if j := i + n; kind != number && !newline && j < len(s) {
		if k, m := p.class(s, j); k == letter {
			return p.run(s, j+m, letter)
		}
	}
	switch kind {
	case number:
		j := i + n
		for d := 1; d < p.digits && j < len(s); d++ {
			k, m := p.class(s, j)
			if k != number {
				break
			}
			j += m
		}
		return j
	case other:
		return newlines(s, p.run(s, i+n, other))
	}
	if j := i + 1; s[i] == ' ' && j < len(s) {
		if k, m := p.class(s, j); k == other {
			return newlines(s, p.run(s, j+m, other))
		}
	}
	// White space, up to the last newline in it if there is one.
	last, after := i, -1
	j := i
	for j < len(s) {
		k, m := p.class(s, j)
		if k != space {
			break
		}
		if s[j] == '\r' || s[j] == '\n' {
			after = j + 1
		}
		last = j
		j += m
	}
	switch {
	case after >= 0:
		return after
	case j < len(s) && last > i:
		return last
	}
	return j
}

func newlines(s string, j int) int {
	for j < len(s) && (s[j] == '\r' || s[j] == '\n') {
		j++
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

// contractionFold is contraction without regard to case; U+017F is an s then.
func contractionFold(s string) int {
	if s == "" {
		return 0
	}
	switch s[0] | 0x20 {
	case 's', 't', 'm', 'd':
		return 1
	}
	if len(s) >= 2 {
		if s[:2] == "ſ" {
			return 2
		}
		switch [2]byte{s[0] | 0x20, s[1] | 0x20} {
		case [2]byte{'r', 'e'}, [2]byte{'v', 'e'}, [2]byte{'l', 'l'}:
			return 2
		}
	}
	return 0
}

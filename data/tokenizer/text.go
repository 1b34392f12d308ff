package tokenizer

import (
	"unicode/utf8"
	"unsafe"
)

// span is a part of the input, in bytes.
type span struct{ start, end int }

// text is a part of the input on its way to the model.
type text struct {
	s     string
	at    []span // for each byte of s, the part of the input that it came from; nil: not wanted
	start int    // offset of the part in the input, before anything was added or removed
}

// newText is the whole input.
func newText(s string, offsets bool) text {
	t := text{s: s}
	if offsets {
		t.at = make([]span, len(s))
		for i := 0; i < len(s); {
			_, n := decodeRune(s, i)
			for j := range n {
				t.at[i+j] = span{i, i + n}
			}
			i += n
		}
	}
	return t
}

func (t text) slice(i, j int) text {
	u := text{s: t.s[i:j], start: t.start}
	if t.at != nil {
		u.at = t.at[i:j]
		if i < j {
			u.start = u.at[0].start
		}
	} else if i > 0 {
		u.start += i // without offsets only whether it is zero matters
	}
	return u
}

// decodeRune gives the character at s[i] and its size. A byte b that is not valid UTF-8
// gives ^b, a negative rune without any property, so that it is kept and does not become
// U+FFFD.
func decodeRune(s string, i int) (rune, int) {
	if c := s[i]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n == 1 {
		return ^rune(s[i]), 1
	}
	return r, n
}

func appendRune(b []byte, r rune) []byte {
	if r < 0 {
		return append(b, byte(^r))
	}
	return utf8.AppendRune(b, r)
}

// view gives b as a string without a copy. It is valid until b is written to again.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// editor writes a changed copy of a text, with the place that each byte came from. Its
// result is valid until it begins again.
type editor struct {
	old     text
	pos     int // offset in old up to which it is done
	s       []byte
	at      []span
	changes []change
	limit   int  // most bytes of the result with replacements; 0: no limit
	over    bool // the limit was exceeded
}

// change is a character to write: in place of the next one of the old text (by is 0), in
// place of that and -by more (negative), or in addition to the last one (positive).
type change struct {
	r     rune
	by    int
	class uint8 // combining class, for the normal forms
}

func (e *editor) begin(t text) {
	e.old, e.pos = t, 0
	e.s, e.at, e.changes, e.over = e.s[:0], e.at[:0], e.changes[:0], false
}

func (e *editor) put(r rune, by int) {
	n := len(e.s)
	e.s = appendRune(e.s, r)
	if e.old.at == nil {
		return
	}
	a := span{e.old.start, e.old.start}
	if by <= 0 {
		if e.pos < len(e.old.at) {
			a = e.old.at[e.pos]
		}
	} else if e.pos > 0 {
		a = e.old.at[e.pos-1]
	}
	for range len(e.s) - n {
		e.at = append(e.at, a)
	}
	if by <= 0 {
		e.skip(1 - by)
	}
}

// skip leaves out n characters of the old text.
func (e *editor) skip(n int) {
	if e.old.at == nil {
		return // without offsets pos does not matter
	}
	for ; n > 0 && e.pos < len(e.old.s); n-- {
		_, size := decodeRune(e.old.s, e.pos)
		e.pos += size
	}
}

// copyTo copies the old text from pos on, up to end.
func (e *editor) copyTo(end int) {
	e.s = append(e.s, e.old.s[e.pos:end]...)
	if e.old.at != nil {
		e.at = append(e.at, e.old.at[e.pos:end]...)
	}
	e.pos = end
}

// replaceTo writes content for the old text from pos to end.
func (e *editor) replaceTo(end int, content string) {
	if e.limit > 0 && len(e.s)+len(content) > e.limit {
		e.over = true
		content = ""
	}
	e.s = append(e.s, content...)
	if e.old.at != nil {
		a := span{e.old.start, e.old.start}
		if end > 0 {
			a = e.old.at[end-1]
		}
		for range len(content) {
			e.at = append(e.at, a)
		}
	}
	e.pos = end
}

// prepend writes s before the old text, which is not empty.
func (e *editor) prepend(s string) {
	_, n := decodeRune(e.old.s, 0)
	e.s = append(e.s, s...)
	e.s = append(e.s, e.old.s[:n]...)
	if e.old.at != nil {
		a := e.old.at[0] // the prefix gets the place of the first character
		if s == "" {
			a = span{e.old.start, e.old.start}
		}
		for range len(s) + n {
			e.at = append(e.at, a)
		}
	}
	e.pos = n
	e.copyTo(len(e.old.s))
}

func (e *editor) apply(changes []change) {
	for _, c := range changes {
		e.put(c.r, c.by)
	}
}

// done is the new text.
func (e *editor) done() text {
	t := text{s: view(e.s), start: e.old.start}
	if e.old.at != nil {
		t.at = e.at
	}
	return t
}

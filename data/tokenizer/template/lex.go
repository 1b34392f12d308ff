package template

import (
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind uint8

const (
	eof kind = iota
	data
	variableBegin
	variableEnd
	blockBegin
	blockEnd
	name
	str
	integer
	float
	operator
)

type token struct {
	kind  kind
	text  string // of data, names, operators and (unescaped) strings
	value any    // of numbers
	line  int
}

// lexer follows Jinja's lexer, which is a list of regular expressions: the order in
// which it tries them decides which white space a tag removes.
type lexer struct {
	src      string
	pos      int
	line     int
	fresh    bool // the last thing read ended a line, or nothing has been read
	tokens   []token
	brackets []byte
}

func lex(src string) []token {
	if !utf8.ValidString(src) {
		fail(0, "the template is not valid UTF-8")
	}
	src = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(src)
	src = strings.TrimSuffix(src, "\n")
	l := &lexer{src: src, line: 1, fresh: true}
	for l.pos < len(src) {
		l.text()
	}
	l.add(token{kind: eof})
	return l.tokens
}

func (l *lexer) add(t token) {
	t.line = l.line
	l.tokens = append(l.tokens, t)
}

// take moves past n bytes.
func (l *lexer) take(n int) string {
	s := l.src[l.pos : l.pos+n]
	l.pos += n
	l.line += strings.Count(s, "\n")
	if n > 0 {
		l.fresh = s[n-1] == '\n'
	}
	return s
}

// white gives the length of the white space at i.
func (l *lexer) white(i int) int {
	return len(l.src[i:]) - len(strings.TrimLeftFunc(l.src[i:], isSpace))
}

// nextTag finds the next opening of a tag at or after i.
func (l *lexer) nextTag(i int) int {
	for ; i+1 < len(l.src); i++ {
		if l.src[i] == '{' && (l.src[i+1] == '%' || l.src[i+1] == '{' || l.src[i+1] == '#') {
			return i
		}
	}
	return -1
}

// sign gives the + or - at i, or 0.
func (l *lexer) sign(i int) byte {
	if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+') {
		return l.src[i]
	}
	return 0
}

// data gives the text before a tag with the given sign, without the white space that
// the tag removes.
func (l *lexer) data(text string, sign byte, fresh, variable bool) {
	kept := text
	if sign == '-' {
		kept = strings.TrimRightFunc(text, isSpace)
	} else if sign != '+' && !variable {
		start := strings.LastIndexByte(text, '\n') + 1
		if (start > 0 || fresh) && strings.TrimLeftFunc(text[start:], isSpace) == "" {
			kept = text[:start]
		}
	}
	if kept != "" {
		l.add(token{kind: data, text: kept})
	}
}

// text reads up to the next tag and through it.
func (l *lexer) text() {
	i := l.nextTag(l.pos)
	if i < 0 {
		l.add(token{kind: data, text: l.src[l.pos:]})
		l.take(len(l.src) - l.pos)
		return
	}
	text, fresh := l.src[l.pos:i], l.fresh
	sign := l.sign(i + 2)
	open := i + 2
	if sign != 0 {
		open++
	}
	l.data(text, sign, fresh, l.src[i+1] == '{')
	switch l.src[i+1] {
	case '#':
		l.take(open - l.pos)
		line := l.line
		n := strings.Index(l.src[l.pos:], "#}")
		if n < 0 {
			fail(line, "a comment is not ended by #}")
		}
		end := l.pos + n + 2
		switch {
		// "{#-#}": the minus belongs to the opening; the pattern of the end starts after it.
		case n > 0 && l.src[end-3] == '-':
			end += l.white(end)
		case n > 0 && l.src[end-3] == '+':
		case end < len(l.src) && l.src[end] == '\n':
			end++
		}
		l.take(end - l.pos)
	case '{':
		l.take(open - l.pos)
		l.add(token{kind: variableBegin})
		l.code(variableEnd)
	default:
		if end, ok := l.raw(open); ok {
			l.take(end - l.pos)
			l.rawText()
			return
		}
		l.take(open - l.pos)
		l.add(token{kind: blockBegin})
		l.code(blockEnd)
	}
}

// raw reports whether the tag that was opened before i is {% raw %}, and where it ends.
func (l *lexer) raw(i int) (end int, ok bool) {
	i += l.white(i)
	if !strings.HasPrefix(l.src[i:], "raw") {
		return 0, false
	}
	i += 3
	i += l.white(i)
	if strings.HasPrefix(l.src[i:], "%}") {
		return i + 2, true
	}
	if strings.HasPrefix(l.src[i:], "-%}") {
		return i + 3 + l.white(i+3), true
	}
	return 0, false
}

// rawText reads up to {% endraw %} and through it.
func (l *lexer) rawText() {
	for i := l.pos; ; i++ {
		n := strings.Index(l.src[i:], "{%")
		if n < 0 {
			fail(l.line, "raw is not ended by endraw")
		}
		i += n
		j, sign := i+2, l.sign(i+2)
		if sign != 0 {
			j++
		}
		j += l.white(j)
		if !strings.HasPrefix(l.src[j:], "endraw") {
			continue
		}
		j += 6
		j += l.white(j)
		end := l.closing(j, "%}", true)
		if end < 0 {
			continue
		}
		text, fresh := l.src[l.pos:i], l.fresh
		l.data(text, sign, fresh, false)
		l.take(end - l.pos)
		return
	}
}

// closing gives the end of the closing mark at i, including the white space that it
// removes; -1 if there is none.
func (l *lexer) closing(i int, mark string, block bool) int {
	s := l.src[i:]
	switch {
	case strings.HasPrefix(s, "-"+mark):
		i += 1 + len(mark)
		return i + l.white(i)
	case block && strings.HasPrefix(s, "+"+mark):
		return i + 1 + len(mark)
	case strings.HasPrefix(s, mark):
		i += len(mark)
		if block && i < len(l.src) && l.src[i] == '\n' {
			i++
		}
		return i
	}
	return -1
}

var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~",
	"[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}

// code reads the inside of a tag and its end.
func (l *lexer) code(end kind) {
	mark := "%}"
	if end == variableEnd {
		mark = "}}"
	}
	start := l.line
	l.brackets = l.brackets[:0]
	for {
		if l.pos >= len(l.src) {
			fail(start, "a tag is not ended by %s", mark)
		}
		if len(l.brackets) == 0 {
			if i := l.closing(l.pos, mark, end == blockEnd); i >= 0 {
				l.add(token{kind: end})
				l.take(i - l.pos)
				return
			}
		}
		if n := l.white(l.pos); n > 0 {
			l.take(n)
			continue
		}
		c, size := utf8.DecodeRuneInString(l.src[l.pos:])
		switch {
		case '0' <= c && c <= '9':
			l.number()
		case c == '_' || unicode.IsLetter(c):
			n := size
			for n < len(l.src)-l.pos {
				c, size := utf8.DecodeRuneInString(l.src[l.pos+n:])
				if c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) && !unicode.Is(unicode.Mn, c) && !unicode.Is(unicode.Mc, c) {
					break
				}
				n += size
			}
			l.add(token{kind: name, text: l.src[l.pos : l.pos+n]})
			l.take(n)
		case c == '\'' || c == '"':
			l.quoted(l.src[l.pos])
		default:
			l.operator(c)
		}
	}
}

func (l *lexer) operator(c rune) {
	for _, op := range operators {
		if !strings.HasPrefix(l.src[l.pos:], op) {
			continue
		}
		switch op {
		case "(", "[", "{":
			l.brackets = append(l.brackets, map[string]byte{"(": ')', "[": ']', "{": '}'}[op])
		case ")", "]", "}":
			n := len(l.brackets)
			if n == 0 {
				fail(l.line, "unexpected %q", op)
			}
			if l.brackets[n-1] != op[0] {
				fail(l.line, "unexpected %q, %q is due", op, l.brackets[n-1:])
			}
			l.brackets = l.brackets[:n-1]
		}
		l.add(token{kind: operator, text: op})
		l.take(len(op))
		return
	}
	fail(l.line, "unexpected character %q", c)
}

// digits gives the length of digits of a base at i, with single underscores
// between them.
func (l *lexer) digits(i int, base int) int {
	n := 0
	for i+n < len(l.src) {
		c := l.src[i+n]
		if c == '_' && n > 0 && i+n+1 < len(l.src) && digit(l.src[i+n+1]) < base {
			n++
			c = l.src[i+n]
		}
		if digit(c) >= base {
			break
		}
		n++
	}
	return n
}

func digit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'z':
		return int(c|0x20-'a') + 10
	}
	return 99
}

func (l *lexer) number() {
	s := l.src[l.pos:]
	n := l.digits(l.pos, 10)
	// A float needs a digit before and after its point; after a point ("a.1.2") the
	// number is an index.
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		m := n
		if m < len(s) && s[m] == '.' {
			if k := l.digits(l.pos+m+1, 10); k > 0 {
				m += 1 + k
			}
		}
		if m < len(s) && s[m]|0x20 == 'e' {
			k := m + 1
			if k < len(s) && (s[k] == '+' || s[k] == '-') {
				k++
			}
			if d := l.digits(l.pos+k, 10); d > 0 {
				m = k + d
			}
		}
		if m > n {
			f, err := strconv.ParseFloat(strings.ReplaceAll(s[:m], "_", ""), 64)
			if err != nil && f == 0 {
				fail(l.line, "number %s: %v", s[:m], err)
			}
			l.add(token{kind: float, text: s[:m], value: f})
			l.take(m)
			return
		}
	}
	base := 10
	if s[0] == '0' {
		n = 1
		if len(s) > 1 {
			switch s[1] | 0x20 {
			case 'b':
				base = 2
			case 'o':
				base = 8
			case 'x':
				base = 16
			}
		}
		if base != 10 {
			i := l.pos + 2
			if i < len(l.src) && l.src[i] == '_' {
				i++
			}
			if d := l.digits(i, base); d > 0 {
				n = i + d - l.pos
			} else {
				base = 10
			}
		}
		if base == 10 {
			n = l.digits(l.pos, 1)
		}
	}
	text := s[:n]
	body := strings.ReplaceAll(text, "_", "")
	if base != 10 {
		body = body[2:]
	}
	b, ok := new(big.Int).SetString(body, base)
	if !ok {
		fail(l.line, "number %s", text)
	}
	l.add(token{kind: integer, text: text, value: fromBig(b)})
	l.take(n)
}

// quoted reads a string with Python's escapes.
func (l *lexer) quoted(quote byte) {
	s := l.src[l.pos:]
	n := 1
	for n < len(s) && s[n] != quote {
		if s[n] == '\\' {
			n++
		}
		n++
	}
	if n >= len(s) {
		fail(l.line, "a string is not ended")
	}
	l.add(token{kind: str, text: unescape(s[1:n], l.line)})
	l.take(n + 1)
}

func unescape(s string, line int) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		hex := 0
		switch s[i] {
		case '\n':
		case '\\', '\'', '"':
			b.WriteByte(s[i])
		case 'a':
			b.WriteByte('\a')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'v':
			b.WriteByte('\v')
		case 'x':
			hex = 2
		case 'u':
			hex = 4
		case 'U':
			hex = 8
		case 'N':
			fail(line, `the escape \N in a string is not supported`)
		case '0', '1', '2', '3', '4', '5', '6', '7':
			n := 1
			for n < 3 && i+n < len(s) && '0' <= s[i+n] && s[i+n] <= '7' {
				n++
			}
			v, _ := strconv.ParseUint(s[i:i+n], 8, 32)
			b.WriteRune(rune(v))
			i += n - 1
		default:
			b.WriteByte('\\')
			b.WriteByte(s[i])
		}
		if hex > 0 {
			var v uint64
			err := strconv.ErrSyntax
			if i+hex < len(s) {
				v, err = strconv.ParseUint(s[i+1:i+1+hex], 16, 32)
			}
			if err != nil || v > unicode.MaxRune {
				fail(line, "a string has a wrong escape \\%c", s[i])
			}
			if 0xd800 <= v && v < 0xe000 {
				fail(line, "a string has half of a surrogate pair")
			}
			b.WriteRune(rune(v))
			i += hex
		}
	}
	return b.String()
}

// isSpace reports whether a character is white space in Python: that of Unicode, and the
// four separators of ASCII.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

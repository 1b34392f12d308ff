package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// An editor reads lines that are typed at a terminal in raw mode: with cursor keys, a history, and
// characters of any width. Pasted text comes as one line with its line ends inside; Alt and Enter
// type such a line end.
type editor struct {
	in      *bufio.Reader // what is typed
	out     io.Writer     // the terminal
	size    func() (columns, rows int)
	history []string

	prompt string
	line   []string // characters as the reader sees them, of one or more runes
	at     int      // the cursor stands before line[at]
	row    int      // of the cursor on the terminal, counted from the first row of the line
}

var (
	errInterrupt = errors.New("interrupted") // Ctrl-C on an empty line
	errNoUTF8    = errors.New("what was typed is not UTF-8")
)

// What is not typed as a character.
const (
	keyCtrlA, keyCtrlB, keyCtrlC, keyCtrlD, keyCtrlE, keyCtrlF = 1, 2, 3, 4, 5, 6
	keyBackspace, keyTab, keyCtrlJ, keyCtrlK, keyCtrlL         = 8, 9, 10, 11, 12
	keyEnter, keyCtrlN, keyCtrlP, keyCtrlU, keyCtrlW           = 13, 14, 16, 21, 23
	keyEscape, keyDelete                                       = 27, 127

	keyUp = unicode.MaxRune + 1 + iota
	keyDown
	keyLeft
	keyRight
	keyHome
	keyEnd
	keyErase
	keyWordLeft
	keyWordRight
	keyLineEnd // Alt and Enter
	keyPaste
	keyOther
)

// escapes are the keys whose sequences begin with ESC [ or ESC O.
var escapes = map[string]rune{
	"A": keyUp, "B": keyDown, "C": keyRight, "D": keyLeft, "H": keyHome, "F": keyEnd,
	"1~": keyHome, "7~": keyHome, "4~": keyEnd, "8~": keyEnd, "3~": keyErase, "200~": keyPaste,
	"1;5C": keyWordRight, "1;5D": keyWordLeft, "1;3C": keyWordRight, "1;3D": keyWordLeft,
}

// Bracketed paste: the terminal says where pasted text begins and ends.
const pasteOn, pasteOff, pasteEnd = "\x1b[?2004h", "\x1b[?2004l", "\x1b[201~"

// readLine reads a line. Its errors are io.EOF for Ctrl-D and errInterrupt for Ctrl-C on an empty
// line; where there is something on it, Ctrl-C empties it.
func (e *editor) readLine(prompt string) (string, error) {
	e.prompt, e.line, e.at, e.row = prompt, nil, 0, 0
	past, typed := len(e.history), "" // the entry of the history that is shown; what was typed before
	fmt.Fprint(e.out, pasteOn)        // whoever leaves raw mode takes it back
	e.draw()
	for {
		key, err := e.key()
		if err != nil {
			return "", err
		}
		switch key {
		case keyEnter, keyCtrlJ:
			e.end()
			text := strings.Join(e.line, "")
			if strings.TrimSpace(text) != "" && (len(e.history) == 0 || e.history[len(e.history)-1] != text) {
				e.history = append(e.history, text)
			}
			return text, nil
		case keyCtrlC:
			if len(e.line) == 0 {
				e.end()
				return "", errInterrupt
			}
			e.end()
			e.line, e.at, e.row, past = nil, 0, 0, len(e.history)
		case keyCtrlD:
			if len(e.line) == 0 {
				e.end()
				return "", io.EOF
			}
			e.erase(e.at, e.at+1)
		case keyErase:
			e.erase(e.at, e.at+1)
		case keyBackspace, keyDelete:
			e.erase(e.at-1, e.at)
		case keyCtrlU:
			e.erase(0, e.at)
		case keyCtrlK:
			e.erase(e.at, len(e.line))
		case keyCtrlW:
			e.erase(e.word(-1), e.at)
		case keyLeft, keyCtrlB:
			e.at = max(e.at-1, 0)
		case keyRight, keyCtrlF:
			e.at = min(e.at+1, len(e.line))
		case keyHome, keyCtrlA:
			e.at = 0
		case keyEnd, keyCtrlE:
			e.at = len(e.line)
		case keyWordLeft:
			e.at = e.word(-1)
		case keyWordRight:
			e.at = e.word(+1)
		case keyUp, keyCtrlP, keyDown, keyCtrlN:
			to := past - 1
			if key == keyDown || key == keyCtrlN {
				to = past + 1
			}
			if to < 0 || to > len(e.history) {
				continue
			}
			if past == len(e.history) {
				typed = strings.Join(e.line, "")
			}
			text := typed
			if past = to; to < len(e.history) {
				text = e.history[to]
			}
			e.line, e.at = nil, 0
			e.insert(text)
		case keyCtrlL:
			fmt.Fprint(e.out, "\x1b[H\x1b[2J")
			e.row = 0
		case keyLineEnd:
			e.insert("\n")
		case keyPaste:
			text, err := e.pasted()
			if err != nil {
				return "", err
			}
			e.insert(text)
		case keyOther:
			continue
		default:
			e.insert(string(key))
		}
		if e.in.Buffered() == 0 {
			e.draw()
		}
	}
}

// key reads a character or a key.
func (e *editor) key() (rune, error) {
	r, n, err := e.in.ReadRune()
	switch {
	case err != nil:
		return 0, err
	case r == utf8.RuneError && n == 1:
		return 0, errNoUTF8
	case r == keyEscape:
		return e.escape()
	case r < ' ' && !slices.Contains([]rune{keyCtrlA, keyCtrlB, keyCtrlC, keyCtrlD, keyCtrlE, keyCtrlF, keyBackspace, keyTab, keyCtrlJ, keyCtrlK, keyCtrlL,
		keyEnter, keyCtrlN, keyCtrlP, keyCtrlU, keyCtrlW}, r):
		return keyOther, nil
	}
	return r, nil
}

// escape reads what stands behind ESC.
func (e *editor) escape() (rune, error) {
	r, _, err := e.in.ReadRune()
	if err != nil {
		return 0, err
	}
	switch r {
	case '[', 'O':
	case keyEnter, keyCtrlJ:
		return keyLineEnd, nil
	case 'b':
		return keyWordLeft, nil
	case 'f':
		return keyWordRight, nil
	default:
		return keyOther, nil
	}
	var sequence []byte
	for len(sequence) < 16 {
		b, err := e.in.ReadByte()
		if err != nil {
			return 0, err
		}
		if sequence = append(sequence, b); b >= '@' && b <= '~' {
			break
		}
	}
	if key, ok := escapes[string(sequence)]; ok {
		return key, nil
	}
	return keyOther, nil
}

// pasted reads pasted text up to the sequence that ends it. Its line ends become \n, and what moves
// the cursor of a terminal is left out.
func (e *editor) pasted() (string, error) {
	var b []byte
	for !strings.HasSuffix(string(b[max(0, len(b)-len(pasteEnd)):]), pasteEnd) {
		c, err := e.in.ReadByte()
		if err != nil {
			return "", err
		}
		b = append(b, c)
	}
	text := string(b[:len(b)-len(pasteEnd)])
	if !utf8.ValidString(text) {
		return "", errNoUTF8
	}
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text), nil
}

// insert puts a text at the cursor. A rune that belongs to the character before it joins that.
func (e *editor) insert(text string) {
	before := strings.Join(e.line[:e.at], "") + text
	after := strings.Join(e.line[e.at:], "")
	e.line = characters(before)
	e.at = len(e.line)
	e.line = append(e.line, characters(after)...)
}

// characters cuts a text into what its reader sees as characters.
func characters(text string) (list []string) {
	for state := -1; text != ""; {
		var c string
		c, text, _, state = uniseg.FirstGraphemeClusterInString(text, state)
		list = append(list, c)
	}
	return list
}

func (e *editor) erase(from, to int) {
	from, to = max(from, 0), min(to, len(e.line))
	e.line = slices.Delete(e.line, from, to)
	e.at = from
}

// word is where the word begins that is before the cursor, or ends that is behind it.
func (e *editor) word(step int) int {
	at := e.at
	next := func() (string, bool) {
		i := min(at, at+step)
		if i < 0 || i >= len(e.line) {
			return "", false
		}
		return e.line[i], true
	}
	for _, blank := range []bool{true, false} {
		for c, ok := next(); ok && (strings.TrimSpace(c) == "") == blank; c, ok = next() {
			at += step
		}
	}
	return at
}

// rows lays the prompt and the line out on a terminal with so many columns, and gives the place of
// the cursor.
func (e *editor) rows(columns int) (rows []string, row, column int) {
	var b strings.Builder
	width := 0
	wrap := func() {
		rows = append(rows, b.String())
		b.Reset()
		width = 0
	}
	put := func(c string) {
		shown := c
		if c == "\t" {
			shown = "    "
		}
		w := uniseg.StringWidth(shown)
		if width+w > columns {
			wrap()
		}
		b.WriteString(shown)
		width += w
	}
	for _, c := range characters(e.prompt) {
		put(c)
	}
	for i := 0; ; i++ {
		if width == columns {
			wrap()
		}
		if i == e.at {
			row, column = len(rows), width
		}
		if i == len(e.line) {
			break
		}
		if e.line[i] == "\n" {
			wrap()
			continue
		}
		put(e.line[i])
	}
	wrap()
	return rows, row, column
}

// draw draws the line anew. Of a line that is higher than the terminal it draws the rows at the cursor.
func (e *editor) draw() {
	columns, height := e.size()
	rows, row, column := e.rows(columns)
	top := max(0, row-height+1)
	rows = rows[top:min(len(rows), top+height)]
	row -= top
	var b strings.Builder
	up := func(n int) {
		if n > 0 {
			fmt.Fprintf(&b, "\x1b[%dA", n)
		}
		b.WriteByte('\r')
	}
	up(e.row)
	b.WriteString("\x1b[J")
	b.WriteString(strings.Join(rows, "\r\n"))
	up(len(rows) - 1 - row)
	if column > 0 {
		fmt.Fprintf(&b, "\x1b[%dC", column)
	}
	e.row = row
	io.WriteString(e.out, b.String())
}

// end leaves the line on the terminal and goes on below it.
func (e *editor) end() {
	at := e.at
	e.at = len(e.line)
	e.draw()
	e.at = at
	fmt.Fprint(e.out, "\r\n")
}

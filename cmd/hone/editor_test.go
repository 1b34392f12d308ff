package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

// A screen is what a terminal shows, of the sequences that the editor writes.
type screen struct {
	columns, height int
	rows            [][]string // a character in its first column, "" in the second of a wide one
	row, column     int
	beyond          bool // the cursor was moved above the first row
}

func (s *screen) Write(p []byte) (int, error) {
	text := string(p)
	for text != "" {
		var n int
		var c byte
		if k, _ := fmt.Sscanf(text, "\x1b[%d%c", &n, &c); k == 2 {
			text = text[strings.IndexByte(text, c)+1:]
			switch c {
			case 'A':
				s.row -= n
				s.beyond = s.beyond || s.row < 0
				s.row = max(s.row, 0)
			case 'C':
				s.column += n
			}
			continue
		}
		var char string
		switch {
		case strings.HasPrefix(text, "\x1b[?2004"):
			text = text[len(pasteOn):]
		case strings.HasPrefix(text, "\x1b[J"):
			text = text[3:]
			s.rows = s.rows[:min(len(s.rows), s.row+1)]
			if s.row < len(s.rows) {
				s.rows[s.row] = s.rows[s.row][:min(len(s.rows[s.row]), s.column)]
			}
		case text[0] == '\r':
			text, s.column = text[1:], 0
		case text[0] == '\n':
			text = text[1:]
			if s.row++; s.row == s.height { // it scrolls
				s.row--
				s.rows = s.rows[min(1, len(s.rows)):]
			}
		default:
			char, text, _, _ = uniseg.FirstGraphemeClusterInString(text, -1)
			for len(s.rows) <= s.row {
				s.rows = append(s.rows, nil)
			}
			for len(s.rows[s.row]) < s.column {
				s.rows[s.row] = append(s.rows[s.row], " ")
			}
			s.rows[s.row] = append(s.rows[s.row][:s.column], char)
			for range uniseg.StringWidth(char) - 1 {
				s.rows[s.row] = append(s.rows[s.row], "")
			}
			s.column += uniseg.StringWidth(char)
			if s.column > s.columns {
				panic("a row is longer than the terminal is wide")
			}
		}
	}
	return len(p), nil
}

func (s *screen) String() string {
	var b strings.Builder
	for i, row := range s.rows {
		if i > 0 {
			b.WriteByte('|')
		}
		b.WriteString(strings.Join(row, ""))
	}
	return b.String()
}

// keys gives an editor's input one key at a time, so that it draws after each.
type keys struct{ list []string }

func (k *keys) Read(p []byte) (int, error) {
	if len(k.list) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(p, k.list[0])
	k.list = k.list[1:]
	return n, nil
}

func TestEditor(t *testing.T) {
	const up, down, left, right, home, end, del = "\x1b[A", "\x1b[B", "\x1b[D", "\x1bOC", "\x1b[H", "\x1b[4~", "\x1b[3~"
	for _, c := range []struct {
		keys []string
		line string
		err  error
		row  int    // of the cursor behind it
		show string // rows with | between
	}{
		{[]string{"a", "b", "\r"}, "ab", nil, 1, "> ab"},
		{[]string{"abc", left, left, "X", right, "Y", "\r"}, "aXbYc", nil, 1, "> aXbYc"},
		{[]string{"abc", home, del, end, "\x7f", "\r"}, "b", nil, 1, "> b"},
		{[]string{"서울은", "\x7f", left, "이", "\r"}, "서이울", nil, 1, "> 서이울"},
		{[]string{"e", "\u0301", "x", left, "\x7f", "\r"}, "x", nil, 1, "> x"},
		{[]string{"one two  three", "\x17", "\x17", "\r"}, "one ", nil, 1, "> one "},
		{[]string{"one two", "\x1bb", "\x0b", "\r"}, "one ", nil, 1, "> one "},
		{[]string{"one two", home, "\x1bf", "\x15", "\r"}, " two", nil, 1, ">  two"},
		{[]string{up, "!", "\r"}, "second!", nil, 1, "> second!"},
		{[]string{"new", up, up, up, down, down, "\r"}, "new", nil, 1, "> new"},
		{[]string{up, up, "\r"}, "first", nil, 1, "> first"},
		{[]string{"abcdefghijklm", left, left, left, left, left, left, "X", "\r"}, "abcdefgXhijklm", nil, 2, "> abcdefgX|hijklm"},
		{[]string{"가나다라마바", left, left, "X", "\r"}, "가나다라X마바", nil, 2, "> 가나다라|X마바"},
		{[]string{"abcdefgh", "\r"}, "abcdefgh", nil, 2, "> abcdefgh"}, // the cursor was in the second row
		{[]string{"a", "\x1b\r", "b", up, "\r"}, "second", nil, 1, "> second"},
		{[]string{"a\x1b[200~b\r\nc\rd\te\x1b[31m\x1b[201~f", "\r"}, "ab\nc\nd\te[31mf", nil, 4, "> ab|c|d    e[31m|f"},
		{[]string{"1\x1b\r2\x1b\r3\x1b\r4\x1b\r5\x1b\r6\x1b\r7", "\x7f", "\r"}, "1\n2\n3\n4\n5\n6\n", nil, 4, "4|5|6"},
		{[]string{"abc", "\x03", "d", "\r"}, "d", nil, 2, "> abc|> d"},
		{[]string{"\x03"}, "", errInterrupt, 1, "> "},
		{[]string{"\x04"}, "", io.EOF, 1, "> "},
		{[]string{"ab", left, "\x04", "\x04", "\r"}, "a", nil, 1, "> a"},
		{[]string{"\x00\x1a\x1b[5~\x1bz\x1bOPa", "\r"}, "a", nil, 1, "> a"},
		{[]string{"\xff"}, "", errNoUTF8, 0, "> "},
		{nil, "", io.ErrUnexpectedEOF, 0, "> "},
	} {
		s := &screen{columns: 10, height: 5}
		e := &editor{in: bufio.NewReader(&keys{c.keys}), out: s, size: func() (int, int) { return s.columns, s.height }, history: []string{"first", "second"}}
		line, err := e.readLine("> ")
		if line != c.line || err != c.err {
			t.Errorf("%q: %q, %v, want %q, %v", c.keys, line, err, c.line, c.err)
		}
		if s.String() != c.show || s.row != c.row || s.beyond {
			t.Errorf("%q: shows %q, cursor in row %d, above the screen %v; want %q, %d", c.keys, s, s.row, s.beyond, c.show, c.row)
		}
	}
}

package source

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// conllReader reads sentences of a word on each line, with a blank line behind a sentence: the word, and
// in further columns what belongs to it, with its tag in the last one. A tab stands between columns, or
// in a file without tabs white space. A line that begins with "## ", or with "# " and is no row, is a
// comment. A line whose word is -DOCSTART- begins a document.
//
// A row is a sentence: lists of its words and of the values of each further column, its text, and the
// number of its document.
type conllReader struct {
	lines    *lineReader
	names    []string // of the columns of a line
	tabs     bool
	document int64
	started  bool // the document has a sentence
	eof      bool
}

// conllBytes is how much of a file is looked at for its number of columns.
const conllBytes = 1 << 16

func newCoNLLReader(r io.Reader, names []string, most bound) (*conllReader, error) {
	c := &conllReader{lines: newLineReader(r, most), names: names}
	head, err := c.lines.r.Peek(conllBytes)
	if err != nil && err != io.EOF {
		return nil, err
	}
	n := 0
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\ufeff"))) {
		line = bytes.TrimSuffix(line, []byte("\n"))
		if len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("# ")) || bytes.HasPrefix(line, []byte("## ")) {
			continue
		}
		c.tabs = bytes.IndexByte(line, '\t') >= 0
		n = len(c.split(line))
		break
	}
	switch {
	case n < 2:
		return nil, fmt.Errorf("is not in CoNLL columns: no line has a word and a tag")
	case names == nil:
		c.names = []string{"words"}
		for k := 2; k < n; k++ {
			c.names = append(c.names, fmt.Sprintf("column_%d", k))
		}
		c.names = append(c.names, "tags")
	case len(names) != n:
		return nil, fmt.Errorf("has %d columns, but column_names has %d", n, len(names))
	}
	return c, nil
}

func (c *conllReader) columns() []Column {
	list := listColumnsOfText(c.names...)
	return append(append(list, textColumns("text")...), Column{Name: "document", Type: "int64", arrow: arrow.PrimitiveTypes.Int64})
}

// listColumnsOfText describes columns that hold lists of text.
func listColumnsOfText(names ...string) []Column {
	var list []Column
	for _, n := range names {
		t := arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.BinaryTypes.String, Nullable: true})
		list = append(list, Column{Name: n, Type: typeName(t), arrow: t})
	}
	return list
}

func (c *conllReader) count() int64 { return -1 }
func (c *conllReader) close() error { return nil }

func (c *conllReader) split(line []byte) []string {
	if c.tabs {
		return strings.Split(string(line), "\t")
	}
	return strings.Fields(string(line))
}

func (c *conllReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() && !c.eof {
		sentence, line, err := c.read()
		if err == io.EOF {
			c.eof = true
		} else if err != nil {
			return nil, err
		}
		if len(sentence) == 0 {
			continue
		}
		if err := c.valid(sentence); err != nil {
			if err := s.skip(fmt.Errorf("line %d: %w", line, err)); err != nil {
				return nil, err
			}
			continue
		}
		c.started = true
		for i, k := range s.selected {
			switch to := b.Field(i).(type) {
			case *array.ListBuilder:
				to.Append(true)
				for _, row := range sentence {
					to.ValueBuilder().(*array.StringBuilder).Append(row[k])
					b.bytes += len(row[k])
				}
			case *array.StringBuilder:
				words := make([]string, len(sentence))
				for i, row := range sentence {
					words[i] = row[0]
				}
				to.Append(JoinWords(words))
			case *array.Int64Builder:
				to.Append(c.document)
			}
		}
		b.rows++
		b.bytes += len(sentence)
	}
	if b.rows == 0 && c.eof {
		return nil, io.EOF
	}
	return b.batch(), nil
}

// read gives the rows of a sentence, and the line that it begins at. With io.EOF it may give the
// last one.
func (c *conllReader) read() (rows [][]string, first int64, err error) {
	size := 0
	for {
		line, err := c.lines.next()
		if err == io.EOF {
			return rows, first, err
		}
		at := c.lines.line
		if err != nil {
			return nil, at, fmt.Errorf("line %d: %w", at, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if len(rows) > 0 {
				return rows, first, nil
			}
			continue
		}
		cells := c.split(line)
		if len(rows) == 0 && (bytes.HasPrefix(line, []byte("## ")) || bytes.HasPrefix(line, []byte("# ")) && len(cells) != len(c.names)) {
			continue
		}
		if strings.HasPrefix(cells[0], "-DOCSTART-") {
			if len(rows) > 0 {
				return nil, at, fmt.Errorf("line %d: -DOCSTART- within a sentence (hint: a blank line ends a sentence)", at)
			}
			if c.started {
				c.document++
				c.started = false
			}
			continue
		}
		if len(cells) != len(c.names) {
			return nil, at, fmt.Errorf("line %d: %d columns, not %d as before: %.60q", at, len(cells), len(c.names), line)
		}
		if len(rows) == 0 {
			first = at
		}
		rows = append(rows, cells)
		if size += len(line); size > c.lines.most.record() {
			return nil, at, fmt.Errorf("line %d: %w", at, c.lines.most.errRecord())
		}
	}
}

func (c *conllReader) valid(rows [][]string) error {
	for i, row := range rows {
		for k, cell := range row {
			if !utf8.ValidString(cell) {
				return fmt.Errorf("word %d: column %q: %w", i+1, c.names[k], errInvalidUTF8)
			}
			if cell == "" {
				return fmt.Errorf("word %d: column %q is empty", i+1, c.names[k])
			}
		}
	}
	return nil
}

// JoinWords gives the text of words: with blanks between them, unless some of them are blanks, as where
// each character is a word.
func JoinWords(words []string) string { return strings.Join(words, BetweenWords(words)) }

// BetweenWords gives what JoinWords sets between two words: a blank, or nothing.
func BetweenWords(words []string) string {
	if slices.ContainsFunc(words, func(w string) bool { return strings.TrimSpace(w) == "" }) {
		return ""
	}
	return " "
}

// looksCoNLL reports whether a text begins with lines of columns of which the last one is a tag of an
// entity.
func looksCoNLL(head []byte) bool {
	n := 0
	for line := range bytes.Lines(head) {
		if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		cells := bytes.Fields(line)
		if len(cells) < 2 {
			return n > 2 // the last line may be incomplete
		}
		tag := cells[len(cells)-1]
		if string(tag) != "O" && (len(tag) < 3 || tag[1] != '-' || bytes.IndexByte([]byte("BIES"), tag[0]) < 0) {
			return n > 2
		}
		n++
	}
	return n > 2
}

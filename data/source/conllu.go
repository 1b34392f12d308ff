package source

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// conlluReader reads sentences of Universal Dependencies' CoNLL-U: ten columns with tabs between
// them, comments that begin with "#". Ranges of words (1-2) and empty words (1.1) are no words of the
// syntax, and are left out.
//
// A row is a sentence: its sent_id and text, and lists of the words and of what belongs to each; an
// underscore is null.
type conlluReader struct {
	lines *lineReader
	eof   bool
}

var conlluColumns = []string{"words", "lemmas", "upos", "xpos", "feats", "head", "deprel", "deps", "misc"}

func newCoNLLUReader(r io.Reader, most bound) *conlluReader {
	return &conlluReader{lines: newLineReader(r, most)}
}

func (c *conlluReader) columns() []Column {
	list := append(textColumns("sent_id", "text"), listColumnsOfText(conlluColumns...)...)
	for i := range list {
		if list[i].Name == "head" {
			t := arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Int64, Nullable: true})
			list[i].Type, list[i].arrow = typeName(t), t
		}
	}
	return list
}

func (c *conlluReader) count() int64 { return -1 }
func (c *conlluReader) close() error { return nil }

// A conlluSentence has the lines of a sentence.
type conlluSentence struct {
	id, text string
	words    [][]string // columns 2 to 10
	fault    error
}

func (c *conlluReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() && !c.eof {
		sentence, err := c.read()
		if err == io.EOF {
			c.eof = true
		} else if err != nil {
			return nil, err
		}
		if sentence.fault != nil {
			if err := s.skip(sentence.fault); err != nil {
				return nil, err
			}
			continue
		}
		if len(sentence.words) == 0 {
			continue
		}
		if sentence.text == "" {
			var words []string
			for _, w := range sentence.words {
				words = append(words, w[0])
			}
			sentence.text = JoinWords(words)
		}
		for i, k := range s.selected {
			if k < 2 {
				text := [...]string{sentence.id, sentence.text}[k]
				b.Field(i).(*array.StringBuilder).Append(text)
				b.bytes += len(text)
				continue
			}
			to := b.Field(i).(*array.ListBuilder)
			to.Append(true)
			for _, w := range sentence.words {
				cell := w[k-2]
				b.bytes += len(cell)
				switch v := to.ValueBuilder().(type) {
				case *array.Int64Builder:
					if n, err := strconv.ParseInt(cell, 10, 64); err == nil { // checked
						v.Append(n)
					} else {
						v.AppendNull()
					}
				case *array.StringBuilder:
					if cell == "_" && k > 3 { // of a word or lemma it is one
						v.AppendNull()
					} else {
						v.Append(cell)
					}
				}
			}
		}
		b.rows++
		b.bytes += len(sentence.words)
	}
	if b.rows == 0 && c.eof {
		return nil, io.EOF
	}
	return b.batch(), nil
}

// read gives a sentence. With io.EOF it may give the last one.
func (c *conlluReader) read() (s conlluSentence, err error) {
	size, begun := 0, false
	for {
		line, err := c.lines.next()
		if err == io.EOF {
			return s, err
		}
		at := c.lines.line
		if err != nil {
			return s, fmt.Errorf("line %d: %w", at, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			if begun {
				return s, nil
			}
			continue
		}
		begun = true
		fault := func(format string, args ...any) {
			if s.fault == nil {
				s.fault = fmt.Errorf("line %d: %w", at, fmt.Errorf(format, args...))
			}
		}
		if !utf8.Valid(line) {
			fault("%w", errInvalidUTF8)
			continue
		}
		if line[0] == '#' {
			if text, ok := bytes.CutPrefix(line, []byte("# text = ")); ok {
				s.text = string(text)
			} else if id, ok := bytes.CutPrefix(line, []byte("# sent_id = ")); ok {
				s.id = string(id)
			}
			continue
		}
		cells := strings.Split(string(line), "\t")
		if len(cells) != 10 {
			fault("%d columns; CoNLL-U has 10, with tabs between them", len(cells))
			continue
		}
		if strings.ContainsAny(cells[0], "-.") {
			continue
		}
		if n, err := strconv.Atoi(cells[0]); err != nil || n != len(s.words)+1 {
			fault("word %q; the next number is %d", cells[0], len(s.words)+1)
		}
		if n, err := strconv.Atoi(cells[6]); cells[6] != "_" && (err != nil || n < 0) {
			fault("head %q is not a number", cells[6])
		}
		s.words = append(s.words, cells[1:])
		if size += len(line); size > c.lines.most.record() {
			return s, fmt.Errorf("line %d: %w", at, c.lines.most.errRecord())
		}
	}
}

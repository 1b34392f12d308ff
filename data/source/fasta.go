package source

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// fastaReader reads the sequences of a FASTA file: the first word after ">" is
// the id, the rest of that line the description, the lines until the next ">"
// are the text.
type fastaReader struct {
	lines  *lineReader
	id     string
	about  string
	line   int64 // of the ">"
	inside bool
	eof    bool
	text   []byte
}

func newFASTAReader(r io.Reader, most bound) *fastaReader {
	return &fastaReader{lines: newLineReader(r, most)}
}

func (f *fastaReader) columns() []Column { return textColumns("id", "description", "text") }
func (f *fastaReader) count() int64      { return -1 }
func (f *fastaReader) close() error      { return nil }

func (f *fastaReader) begin(header []byte) {
	f.id, f.about = strings.TrimSpace(string(header[1:])), ""
	if i := strings.IndexFunc(f.id, unicode.IsSpace); i >= 0 {
		f.id, f.about = f.id[:i], strings.TrimSpace(f.id[i:])
	}
	f.line, f.inside, f.text = f.lines.line, true, f.text[:0]
}

func (f *fastaReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	var fault error
	emit := func() error {
		f.inside = false
		if fault != nil {
			err := s.skip(fault)
			fault = nil
			return err
		}
		for i, c := range s.selected {
			v := [...]string{f.id, f.about, string(f.text)}[c]
			b.Field(i).(*array.StringBuilder).Append(v)
			b.bytes += len(v)
		}
		b.rows++
		return nil
	}
	for !b.full() && !f.eof {
		line, err := f.lines.next()
		if err == io.EOF {
			f.eof = true
			if f.inside {
				if err := emit(); err != nil {
					return nil, err
				}
			}
			break
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", f.lines.line, err)
		}
		switch {
		case len(line) > 0 && line[0] == '>':
			if f.inside {
				if err := emit(); err != nil {
					return nil, err
				}
			}
			f.begin(line)
			if fault == nil && !utf8.Valid(line) {
				fault = fmt.Errorf("line %d: %w", f.lines.line, errInvalidUTF8)
			}
		case len(line) > 0 && line[0] == ';': // a comment, of old
		case !f.inside:
			if len(bytes.TrimSpace(line)) > 0 {
				return nil, fmt.Errorf("line %d: a sequence without a header line (\">id\")", f.lines.line)
			}
		default:
			for _, c := range line {
				if c == ' ' || c == '\t' {
					continue
				}
				if (c < 0x21 || c > 0x7e) && fault == nil {
					fault = fmt.Errorf("line %d: record %q: byte %#02x in a sequence", f.lines.line, f.id, c)
				}
				f.text = append(f.text, c)
			}
			if len(f.text) > f.lines.most.record() {
				return nil, fmt.Errorf("line %d: record %q: %w", f.line, f.id, f.lines.most.errRecord())
			}
		}
	}
	if b.rows == 0 && f.eof {
		return nil, io.EOF
	}
	return b.batch(), nil
}

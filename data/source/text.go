package source

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// textReader reads the documents of a plain text. Line ends of any kind are "\n"
// to it, in the separator too.
type textReader struct {
	r         io.Reader
	separator []byte
	most      bound
	buf       []byte
	from      int   // of the part of buf that is not yet read
	line      int64 // lines before that part
	begun     bool
	document  int64
	eof       bool
}

func newTextReader(r io.Reader, separator string, most bound) *textReader {
	separator = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(separator)
	return &textReader{r: &newlines{r: r}, most: most, separator: []byte(separator)}
}

func (t *textReader) columns() []Column { return textColumns("text") }
func (t *textReader) count() int64      { return -1 }
func (t *textReader) close() error      { return nil }

// read returns a document and the number of lines before it.
func (t *textReader) read() ([]byte, int64, error) {
	searched := t.from
	take := func(end, next int) ([]byte, int64, error) {
		doc, line := t.buf[t.from:end], t.line
		t.line += int64(bytes.Count(t.buf[t.from:next], []byte("\n")))
		t.from = next
		return doc, line, nil
	}
	for {
		if len(t.separator) > 0 {
			if i := bytes.Index(t.buf[searched:], t.separator); i >= 0 {
				return take(searched+i, searched+i+len(t.separator))
			}
		}
		if t.eof {
			if t.from == len(t.buf) {
				return nil, 0, io.EOF
			}
			return take(len(t.buf), len(t.buf))
		}
		searched = max(t.from, len(t.buf)-len(t.separator)+1)
		if t.from > 0 && len(t.buf) == cap(t.buf) {
			searched -= t.from
			t.buf = t.buf[:copy(t.buf, t.buf[t.from:])]
			t.from = 0
		}
		if len(t.buf) > t.most.record() {
			if len(t.separator) == 0 {
				return nil, 0, fmt.Errorf("%w: the file is one document (hint: name the separator of its documents)", t.most.errRecord())
			}
			return nil, 0, fmt.Errorf("document %d: %w without the separator %q", t.document, t.most.errRecord(), t.separator)
		}
		if len(t.buf) == cap(t.buf) {
			t.buf = append(make([]byte, 0, max(1<<14, 2*cap(t.buf))), t.buf...)
		}
		n, err := t.r.Read(t.buf[len(t.buf):cap(t.buf)])
		t.buf = t.buf[:len(t.buf)+n]
		if !t.begun && len(t.buf) >= 3 {
			t.begun = true
			if bytes.HasPrefix(t.buf, []byte("\ufeff")) {
				t.from = 3
				searched = max(searched, t.from)
			}
		}
		if err == io.EOF {
			t.eof = true
		} else if err != nil {
			return nil, 0, err
		}
	}
}

func (t *textReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() {
		doc, line, err := t.read()
		if err == io.EOF {
			if b.rows == 0 {
				return nil, io.EOF
			}
			break
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		t.document++
		if !utf8.Valid(doc) {
			if err := s.skip(fmt.Errorf("document %d, line %d: %w", t.document, line+1+int64(bytes.Count(doc[:firstInvalid(doc)], []byte("\n"))), errInvalidUTF8)); err != nil {
				return nil, err
			}
			continue
		}
		if len(doc) > math.MaxInt32-b.bytes {
			return nil, t.most.errRecord()
		}
		b.Field(0).(*array.StringBuilder).Append(string(doc))
		b.rows++
		b.bytes += len(doc)
	}
	return b.batch(), nil
}

// firstInvalid returns where b stops being UTF-8.
func firstInvalid(b []byte) int {
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		at += n
	}
	return at
}

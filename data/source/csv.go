package source

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// csvReader reads comma-separated values (RFC 4180), or tab-separated ones,
// which have no quotes (text/tab-separated-values): a text may begin with one.
type csvReader struct {
	names []string
	csv   *csv.Reader // nil: tabs
	guard *guardReader
	lines *lineReader
	cells []string
}

// maxHeader is the longest name of a column.
const maxHeader = 64

func newCSVReader(r io.Reader, tabs bool, names []string) (*csvReader, error) {
	c := &csvReader{names: names}
	if tabs {
		c.lines = newLineReader(r)
	} else {
		c.guard = &guardReader{r: bufio.NewReaderSize(r, 1<<16)}
		if b, _ := c.guard.r.Peek(3); bytes.Equal(b, []byte("\ufeff")) {
			c.guard.r.Discard(3)
		}
		c.csv = csv.NewReader(c.guard)
		c.csv.ReuseRecord = true
		c.csv.FieldsPerRecord = -1 // counted here
	}
	if len(names) > 0 {
		return c, distinct(names)
	}
	header, line, err := c.read()
	if err == io.EOF {
		return nil, errors.New("no header line")
	}
	if err != nil {
		return nil, err
	}
	for _, h := range header {
		fault := ""
		_, number := strconv.ParseFloat(h, 64)
		switch {
		case h == "":
			fault = "an empty name"
		case len(h) > maxHeader:
			fault = fmt.Sprintf("a name of %d bytes", len(h))
		case number == nil:
			fault = fmt.Sprintf("a number, %s", h)
		case !utf8.ValidString(h):
			fault = "a name that is not UTF-8"
		}
		if fault != "" {
			return nil, fmt.Errorf("line %d is no header line: %s (hint: where there is none, name its %d columns with column_names, on the command line --column-names A,B)", line, fault, len(header))
		}
		c.names = append(c.names, string([]byte(h)))
	}
	return c, distinct(c.names)
}

func distinct(names []string) error {
	seen := map[string]bool{}
	for _, n := range names {
		if seen[n] {
			return fmt.Errorf("two columns are named %q", n)
		}
		seen[n] = true
	}
	return nil
}

func (c *csvReader) columns() []Column { return textColumns(c.names...) }
func (c *csvReader) count() int64      { return -1 }
func (c *csvReader) close() error      { return nil }

// recordError is a fault that leaves the reader at the next record.
type recordError struct{ err error }

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

// read returns the cells of a record and the line that it begins at.
func (c *csvReader) read() ([]string, int64, error) {
	if c.csv == nil {
		for {
			line, err := c.lines.next()
			if err == io.EOF {
				return nil, 0, err
			}
			if err != nil {
				return nil, 0, fmt.Errorf("line %d: %w", c.lines.line+1, err)
			}
			if len(line) == 0 {
				continue
			}
			c.cells = c.cells[:0]
			for text, more := string(line), true; more; {
				i := 0
				for i < len(text) && text[i] != '\t' {
					i++
				}
				c.cells = append(c.cells, text[:i])
				if more = i < len(text); more {
					text = text[i+1:]
				}
			}
			return c.cells, c.lines.line, nil
		}
	}
	c.guard.n = 0
	cells, err := c.csv.Read()
	if err == nil {
		line, _ := c.csv.FieldPos(0)
		return cells, int64(line), nil
	}
	var p *csv.ParseError
	if errors.As(err, &p) {
		at := fmt.Sprintf("line %d, column %d", p.Line, p.Column)
		if p.StartLine != p.Line {
			at = fmt.Sprintf("record of line %d: %s", p.StartLine, at)
		}
		return nil, 0, &recordError{fmt.Errorf("%s: %w", at, p.Err)}
	}
	return nil, 0, err
}

func (c *csvReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() {
		cells, line, err := c.read()
		if err == io.EOF {
			if b.rows == 0 {
				return nil, io.EOF
			}
			break
		}
		var fault *recordError
		if err != nil && !errors.As(err, &fault) {
			return nil, err
		}
		if err == nil && len(cells) != len(c.names) {
			err = fmt.Errorf("line %d: %d values for %d columns", line, len(cells), len(c.names))
		}
		for i := 0; err == nil && i < len(s.selected); i++ {
			if v := cells[s.selected[i]]; !utf8.ValidString(v) {
				err = fmt.Errorf("line %d: column %q: %w", line, c.names[s.selected[i]], errInvalidUTF8)
			}
		}
		if err != nil {
			if err := s.skip(err); err != nil {
				return nil, err
			}
			continue
		}
		for i, at := range s.selected {
			b.Field(i).(*array.StringBuilder).Append(cells[at])
			b.bytes += len(cells[at])
		}
		b.rows++
	}
	return b.batch(), nil
}

// guardReader fails when one record has read too much, as one with a quote that
// is never closed does.
type guardReader struct {
	r *bufio.Reader
	n int
}

func (g *guardReader) Read(b []byte) (int, error) {
	if g.n > maxRecord {
		return 0, fmt.Errorf("%w (hint: a quote that is not closed)", errRecord)
	}
	n, err := g.r.Read(b)
	g.n += n
	return n, err
}

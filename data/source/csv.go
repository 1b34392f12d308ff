package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow/array"
)

// The meanings of quotes in a CSV or TSV file.
const (
	QuoteAuto = "auto" // of CSV, CSV's; of TSV, where they are CSV's throughout
	QuoteNone = "none" // characters of the text
	QuoteCSV  = "csv"  // around cells, doubled inside (RFC 4180)
)

// Quotes lists them.
var Quotes = []string{QuoteAuto, QuoteNone, QuoteCSV}

// csvReader reads delimited values as pandas does: a quote inside a cell is an
// ordinary character, text after a closing quote belongs to the cell, empty lines are
// skipped, and a quoted cell keeps all its bytes, including line ends.
type csvReader struct {
	names     []string
	r         *bufio.Reader
	delimiter byte
	quotes    bool // cells may be quoted
	most      bound
	marks     [256]bool // bytes that are not just text

	in   []byte // what is read and not yet parsed
	line int64  // that in begins in, from 1
	cr   bool   // the last byte was \r

	// The record that was read.
	at    int64 // its first line
	text  []byte
	ends  []int // of its cells in text, the first maxColumns
	cells int
	loose bool // it has quotes that no writer of CSV makes
}

const (
	// maxHeader is the longest name of a column.
	maxHeader = 64
	// maxColumns is the greatest number of columns of a file without a schema.
	maxColumns = 1 << 16
)

// delimiters are tried for a CSV file whose delimiter is not given.
const delimiters = ",;|\t"

func newCSVReader(r io.Reader, t *Table) (*csvReader, error) {
	c := &csvReader{names: t.opt.ColumnNames, r: bufio.NewReaderSize(r, 1<<16), quotes: t.quoted, most: t.opt.bound(), line: 1}
	if b, _ := c.r.Peek(3); bytes.Equal(b, []byte("\ufeff")) {
		c.r.Discard(3)
	}
	switch {
	case t.opt.Delimiter != "":
		c.delimiter = t.opt.Delimiter[0]
	case t.Format == TSV:
		c.delimiter = '\t'
	default:
		sample, err := c.r.Peek(c.r.Size())
		c.delimiter = findDelimiter(sample, err == io.EOF, c.quotes, len(c.names))
	}
	c.mark()
	if len(c.names) > 0 {
		return c, distinct(c.names)
	}
	err := c.read()
	if err == io.EOF {
		return nil, errors.New("no header line")
	}
	if err != nil {
		return nil, err
	}
	if c.cells > maxColumns {
		return nil, fmt.Errorf("line %d: %d columns, more than %d", c.at, c.cells, maxColumns)
	}
	for i := range c.ends {
		h := string(c.cell(i))
		fault := ""
		_, number := strconv.ParseFloat(h, 64)
		switch {
		case h == "" && i == 0: // pandas' index
		case h == "":
			fault = "an empty name"
		case len(h) > maxHeader:
			fault = fmt.Sprintf("a name of %d bytes", len(h))
		case number == nil:
			fault = fmt.Sprintf("a number, %s", h)
		case !utf8.ValidString(h):
			fault = "a name that is not UTF-8"
		}
		if slices.Contains(c.names, h) {
			fault = fmt.Sprintf("two columns are named %q", h)
		}
		if fault != "" {
			return nil, fmt.Errorf("line %d is not a header line: %s (hint: where there is none, name its %d columns with column_names, on the command line --column-names A,B)", c.at, fault, c.cells)
		}
		c.names = append(c.names, h)
	}
	return c, nil
}

func (c *csvReader) mark() {
	for _, b := range []byte{'\n', '\r', c.delimiter} {
		c.marks[b] = true
	}
	c.marks['"'] = c.quotes
}

// findDelimiter returns the delimiter that cuts the first records into as many
// cells each, two or more, or as many as there are columns. whole: the sample
// is all of the file.
func findDelimiter(sample []byte, whole, quotes bool, columns int) byte {
	const records = 100
	best, most := byte(','), 0.5
	for _, d := range []byte(delimiters) {
		c := &csvReader{r: bufio.NewReader(bytes.NewReader(sample)), delimiter: d, quotes: quotes, most: maxBatch, line: 1}
		c.mark()
		want, n, alike := columns, 0, 0
		for n < records && c.read() == nil {
			if _, err := c.r.Peek(1); !whole && len(c.in) == 0 && err != nil {
				break // the record may be cut
			}
			if want == 0 {
				want = c.cells
			}
			if n++; c.cells == want {
				alike++
			}
		}
		if share := float64(alike) / float64(max(n, 1)); want > 1 && share > most {
			best, most = d, share
		}
	}
	return best
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

// recordError is a fault of one record, after which reading can continue.
type recordError struct{ err error }

func (e *recordError) Error() string { return e.err.Error() }
func (e *recordError) Unwrap() error { return e.err }

// cell returns a cell of the record, until the next one is read.
func (c *csvReader) cell(i int) []byte {
	if i == 0 {
		return c.text[:c.ends[0]]
	}
	return c.text[c.ends[i-1]:c.ends[i]]
}

// The state of the reader within a record.
const (
	cellBegins = iota
	cellPlain
	cellQuoted
	cellClosed // after a quote in a quoted cell: its end, or the first of two
)

// read reads a record; io.EOF after the last.
func (c *csvReader) read() error {
	c.text, c.ends, c.cells, c.loose = c.text[:0], c.ends[:0], 0, false
	c.at = c.line
	state := cellBegins
	end := func() {
		if c.cells++; c.cells <= maxColumns {
			c.ends = append(c.ends, len(c.text))
		}
		state = cellBegins
	}
	for {
		if len(c.in) == 0 {
			if _, err := c.r.Peek(1); err == io.EOF {
				switch {
				case state == cellQuoted:
					c.loose = true
					return &recordError{fmt.Errorf("line %d: a quote that is not closed", c.at)}
				case state == cellBegins && c.cells == 0:
					return io.EOF
				}
				end()
				return nil
			} else if err != nil {
				return fmt.Errorf("line %d: %w", c.line, err)
			}
			c.in, _ = c.r.Peek(c.r.Buffered())
			c.r.Discard(len(c.in)) // it stays as it is until more is read
			if len(c.text) > c.most.record() {
				if state == cellQuoted {
					return fmt.Errorf("line %d: %w (hint: a quote that is not closed)", c.at, c.most.errRecord())
				}
				return fmt.Errorf("line %d: %w", c.at, c.most.errRecord())
			}
		}
		for i := 0; i < len(c.in); i++ {
			run := i
			for i < len(c.in) && !c.marks[c.in[i]] {
				i++
			}
			if i > run {
				c.text = append(c.text, c.in[run:i]...)
				c.cr = false
				if c.loose = c.loose || state == cellClosed; state != cellQuoted {
					state = cellPlain
				}
				if i == len(c.in) {
					break
				}
			}
			b := c.in[i]
			second := c.cr && b == '\n' // byte of a line end
			c.cr = b == '\r'
			switch {
			case second && state != cellQuoted:
			case b == '\n' || b == '\r':
				if !second {
					c.line++
				}
				switch {
				case state == cellQuoted:
					c.text = append(c.text, b)
				case state == cellBegins && c.cells == 0:
					c.at = c.line // an empty line
				default:
					end()
					c.in = c.in[i+1:]
					return nil
				}
			case state == cellQuoted && b == '"':
				state = cellClosed
			case state == cellQuoted: // a delimiter
				c.text = append(c.text, b)
			case b == c.delimiter:
				end()
			case state == cellBegins: // a quote, from here on
				state = cellQuoted
			case state == cellClosed:
				c.text = append(c.text, b)
				state = cellQuoted
			default:
				c.text = append(c.text, b)
				c.loose = true
			}
		}
		c.in = nil
	}
}

func (c *csvReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() {
		err := c.read()
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
		if err == nil && c.cells != len(c.names) {
			err = fmt.Errorf("line %d: %d values for %d columns", c.at, c.cells, len(c.names))
			if !c.quotes && bytes.IndexByte(c.text, '"') >= 0 {
				err = fmt.Errorf("%w (hint: where cells are quoted, quote = \"csv\", on the command line --quote csv)", err)
			}
		}
		for i := 0; err == nil && i < len(s.selected); i++ {
			if !utf8.Valid(c.cell(s.selected[i])) {
				err = fmt.Errorf("line %d: column %q: %w", c.at, c.names[s.selected[i]], errInvalidUTF8)
			}
		}
		if err != nil {
			if err := s.skip(err); err != nil {
				return nil, err
			}
			continue
		}
		for i, at := range s.selected {
			v := c.cell(at)
			b.Field(i).(*array.StringBuilder).BinaryBuilder.Append(v)
			b.bytes += len(v)
		}
		if b.whole != nil {
			b.whole.lines = append(b.whole.lines, c.at)
		}
		b.rows++
	}
	return b.batch(), nil
}

// quotedThroughout reads a TSV file to its end and reports whether its quotes enclose
// cells, as in files that pandas writes, and are not characters of its texts. They do if
// the lines have equal numbers of values only with quotes, or if all quotes are around
// cells and each pair is needed or around every cell of its column.
func (t *Table) quotedThroughout(ctx context.Context) (bool, error) {
	open := func(quotes bool) (*unpacked, *csvReader, error) {
		in, err := openUnpacked(ctx, t.Path, t.Packed)
		if err != nil {
			return nil, nil, err
		}
		as := *t
		as.quoted = quotes
		c, err := newCSVReader(in, &as)
		if err != nil {
			in.Close()
		}
		return in, c, err
	}
	in, c, err := open(false)
	if err != nil {
		return false, nil // said by whoever reads it
	}
	defer in.Close()
	quotes, alike, strict := false, true, true
	for _, name := range c.names {
		if q, ok, _ := quotedCell([]byte(name)); q {
			quotes, strict = true, strict && ok
		}
	}
	columns := make([]struct{ bare, needless bool }, len(c.names))
	for {
		err := c.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, err
		}
		if c.cells != len(c.names) {
			alike = false
		}
		for i := range min(len(c.ends), len(columns)) {
			cell := c.cell(i)
			switch q, ok, needed := quotedCell(cell); {
			case q:
				quotes, strict = true, strict && ok
				columns[i].needless = columns[i].needless || !needed
			case len(cell) > 0:
				columns[i].bare = true
			}
		}
	}
	if !quotes {
		return false, nil
	}
	if alike {
		for _, col := range columns {
			strict = strict && !(col.bare && col.needless)
		}
		return strict, nil
	}
	again, c, err := open(true)
	if err != nil {
		return false, nil
	}
	defer again.Close()
	for {
		if err := c.read(); err == io.EOF {
			return true, nil
		} else if err != nil || c.loose || c.cells != len(c.names) {
			return false, ctx.Err()
		}
	}
}

// quotedCell reports whether a cell has quotes, whether they enclose it, and whether it
// needs them because of quotes or delimiters inside.
func quotedCell(cell []byte) (quotes, ok, needed bool) {
	if bytes.IndexByte(cell, '"') < 0 {
		return false, false, false
	}
	n := len(cell)
	if n < 2 || cell[0] != '"' || cell[n-1] != '"' {
		return true, false, false
	}
	inner := cell[1 : n-1]
	doubled := 2*bytes.Count(inner, []byte(`""`)) == bytes.Count(inner, []byte(`"`))
	return true, doubled, bytes.IndexByte(inner, '"') >= 0
}

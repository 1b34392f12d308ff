package source

import (
	"bufio"
	"io"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
)

// csvRows writes cells as RFC 4180 has them, with a header line and "\n" between lines. Nested
// values are JSON, null is nothing.
type csvRows struct {
	w         *bufio.Writer
	delimiter byte
	cell      []byte
}

func newCSVRows(w io.Writer, schema *arrow.Schema, delimiter byte) (*csvRows, error) {
	c := &csvRows{w: bufio.NewWriterSize(w, 1<<16), delimiter: delimiter}
	for i, f := range schema.Fields() {
		c.put(i, f.Name)
	}
	return c, c.w.WriteByte('\n')
}

func (c *csvRows) rows(rec arrow.Record, _ [][]byte) error {
	for i := range int(rec.NumRows()) {
		for k, col := range rec.Columns() {
			text := ""
			switch {
			case isNull(col, i):
			case nested(col.DataType()):
				c.cell = appendValueJSON(c.cell[:0], col, i)
				text = string(c.cell)
			default:
				text = valueText(col, i)
			}
			c.put(k, text)
		}
		if err := c.w.WriteByte('\n'); err != nil {
			return err
		}
	}
	return nil
}

// put writes cell k of a line. An error of the writer comes again with the next byte.
func (c *csvRows) put(k int, text string) {
	if k > 0 {
		c.w.WriteByte(c.delimiter)
	}
	if !strings.ContainsAny(text, "\"\r\n") && strings.IndexByte(text, c.delimiter) < 0 {
		c.w.WriteString(text)
		return
	}
	c.w.WriteByte('"')
	c.w.WriteString(strings.ReplaceAll(text, `"`, `""`))
	c.w.WriteByte('"')
}

func (c *csvRows) close() error { return c.w.Flush() }

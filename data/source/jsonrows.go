package source

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// jsonRows writes an object on each line. An object that was read as one keeps its members as they
// were written.
type jsonRows struct {
	w     *bufio.Writer
	names [][]byte // of the columns, as JSON
	input int
	line  []byte
	flat  bytes.Buffer
}

func newJSONRows(w io.Writer, schema *arrow.Schema, input int) *jsonRows {
	j := &jsonRows{w: bufio.NewWriterSize(w, 1<<16), input: input}
	for _, f := range schema.Fields() {
		j.names = append(j.names, append(appendString(nil, f.Name), ": "...))
	}
	return j
}

func (j *jsonRows) rows(rec arrow.Record, objects [][]byte) error {
	for i := range int(rec.NumRows()) {
		j.line = append(j.line[:0], '{')
		first := 0
		if objects != nil {
			object := bytes.TrimSpace(objects[i])
			if bytes.IndexByte(object, '\n') >= 0 {
				j.flat.Reset()
				if err := json.Compact(&j.flat, object); err != nil {
					return err
				}
				object = j.flat.Bytes()
			}
			j.line = bytes.TrimRight(append(j.line[:0], object[:len(object)-1]...), " \t\r") // without its brace
			first = j.input
		}
		empty := len(j.line) == 1
		for c := first; c < len(j.names); c++ {
			if !empty {
				j.line = append(j.line, ", "...)
			}
			empty = false
			j.line = appendValueJSON(append(j.line, j.names[c]...), rec.Column(c), i)
		}
		j.line = append(j.line, "}\n"...)
		if _, err := j.w.Write(j.line); err != nil {
			return err
		}
	}
	return j.w.Flush() // whoever reads a pipe should not wait
}

func (j *jsonRows) close() error { return j.w.Flush() }

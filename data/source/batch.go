package source

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Batch holds the selected columns of some rows.
type Batch struct {
	First   int64 // number of its first row in the file
	Rows    int
	Bytes   int64 // decoded
	columns []arrow.Array
	classes [][]string // by column, of its values or of the elements of its lists; nil: none
	rows    *rowsOf    // of a scan of rows; else nil
}

// rowsOf is what a Batch of a scan of rows has besides its columns.
type rowsOf struct {
	objects [][]byte // of JSON
	lines   []int64  // at which the rows begin; nil: they are not on lines
}

// Where names the place of a row in the file, for messages: its line, or its number, from 1.
func (b *Batch) Where(row int) string {
	if b.rows != nil && b.rows.lines != nil {
		return fmt.Sprintf("line %d", b.rows.lines[row])
	}
	return fmt.Sprintf("row %d", b.First+int64(row)+1)
}

// Message is a turn of a dialogue.
type Message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// Text returns the value of the selected column col in row row of the batch as
// text: nested values as JSON. ok is false where it is null. The string is valid
// as long as the batch is.
func (b *Batch) Text(col, row int) (text string, ok bool) {
	c := b.columns[col]
	if c.IsNull(row) {
		return "", false
	}
	names := b.classes[col]
	switch c := c.(type) {
	case *array.String:
		if text = c.Value(row); names == nil {
			return text, true
		}
	case *array.LargeString:
		if text = c.Value(row); names == nil {
			return text, true
		}
	case array.ListLike:
		if names != nil {
			elements, lo, hi, _ := b.list(col, row)
			classes := make([]*string, hi-lo)
			one := Batch{columns: []arrow.Array{elements}, classes: [][]string{names}}
			for i := range classes {
				if name, ok := one.Text(0, lo+i); ok {
					classes[i] = &name
				}
			}
			j, err := json.Marshal(classes)
			return string(j), err == nil // text never fails
		}
		j, err := json.Marshal(c.GetOneForMarshal(row))
		return string(j), err == nil // no value of a readable type fails, but for NaN
	case *array.Struct:
		j, err := json.Marshal(c.GetOneForMarshal(row))
		return string(j), err == nil
	default:
		text = c.ValueStr(row)
	}
	if names == nil {
		return text, true
	}
	class, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return text, true // the name of a class already
	case class < 0 || class >= len(names):
		return "", false // -1 is how datasets marks a row without label
	}
	return names[class], true
}

// Value returns the value of the selected column col in row row of the batch: nil where it is
// null, a string, an int64, a float64, a bool, or JSON of a nested value. The name of a class
// stands for its number. Values of other types are text.
func (b *Batch) Value(col, row int) any {
	c := b.columns[col]
	if c.IsNull(row) {
		return nil
	}
	if b.classes[col] == nil {
		switch c := c.(type) {
		case *array.Boolean:
			return c.Value(row)
		case *array.Float32:
			return float64(c.Value(row))
		case *array.Float64:
			return c.Value(row)
		}
		if v, ok := integer(c, row); ok {
			return v
		}
	}
	text, ok := b.Text(col, row)
	if !ok {
		return nil
	}
	switch c.(type) {
	case array.ListLike, *array.Struct:
		return json.RawMessage(text)
	}
	return text
}

// IDs appends the integers of a list to dst. ok is false where the value is
// null, contains a null or a number beyond 32 bits, or is not a list of integers.
func (b *Batch) IDs(dst []int32, col, row int) (ids []int32, ok bool) {
	c, lo, hi, ok := b.list(col, row)
	if !ok {
		return dst, false
	}
	for i := lo; i < hi; i++ {
		if c.IsNull(i) {
			return dst, false
		}
		v, ok := integer(c, i)
		if !ok {
			return dst, false
		}
		if v != int64(int32(v)) {
			return dst, false
		}
		dst = append(dst, int32(v))
	}
	return dst, true
}

// Words returns the texts of a list. ok is false where the value is null or contains a null. What is
// no list is a text by itself.
func (b *Batch) Words(col, row int) (words []string, ok bool) {
	c, lo, hi, ok := b.list(col, row)
	if !ok {
		text, ok := b.Text(col, row)
		return []string{text}, ok
	}
	one := Batch{columns: []arrow.Array{c}, classes: b.classes[col : col+1]}
	for i := lo; i < hi; i++ {
		text, ok := one.Text(0, i)
		if !ok {
			return nil, false
		}
		words = append(words, text)
	}
	return words, true
}

// Floats appends the numbers of a list to dst, also of one that is text in JSON, as in CSV. ok is false where the value
// is null, contains a null, or is not a list of numbers.
func (b *Batch) Floats(dst []float32, col, row int) (values []float32, ok bool) {
	if c, lo, hi, is := b.list(col, row); is {
		switch c := c.(type) {
		case *array.Float32:
			return append(dst, c.Float32Values()[lo:hi]...), c.NullN() == 0
		case *array.Float64:
			for _, v := range c.Float64Values()[lo:hi] {
				dst = append(dst, float32(v))
			}
			return dst, c.NullN() == 0
		}
	}
	text, ok := b.Text(col, row)
	if !ok {
		return dst, false
	}
	var list []*float32
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return dst, false
	}
	for _, v := range list {
		if v == nil {
			return dst, false
		}
		dst = append(dst, *v)
	}
	return dst, true
}

// Messages returns the turns of a dialogue. ok is false where the value is null
// or is not a dialogue.
func (b *Batch) Messages(col, row int) (turns []Message, ok bool) {
	c, lo, hi, ok := b.list(col, row)
	if !ok || !isMessages(b.columns[col].DataType()) {
		return nil, false
	}
	s := c.(*array.Struct)
	t := s.DataType().(*arrow.StructType)
	role, _ := t.FieldIdx("role")
	content, _ := t.FieldIdx("content")
	parts := Batch{columns: []arrow.Array{s.Field(role), s.Field(content)}, classes: make([][]string, 2)}
	for i := lo; i < hi; i++ {
		if s.IsNull(i) {
			return nil, false
		}
		var m Message
		m.Role, _ = parts.Text(0, i)
		m.Content, _ = parts.Text(1, i)
		turns = append(turns, m)
	}
	return turns, true
}

func (b *Batch) list(col, row int) (elements arrow.Array, lo, hi int, ok bool) {
	l, ok := b.columns[col].(array.ListLike)
	if !ok || l.IsNull(row) {
		return nil, 0, 0, false
	}
	from, to := l.ValueOffsets(row)
	return l.ListValues(), int(from), int(to), true
}

package source

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// A pick is a column that was asked for: one of those that are read, or a field of
// a struct in it.
type pick struct {
	column Column
	at     int   // of the columns that are read
	path   []int // of fields, none: the column itself
}

// choose finds columns by name, and says which of the file are to be read. A
// name with dots, of no column, is that of a field.
func choose(path string, columns []Column, names []string) (read []int, picks []pick, err error) {
	if err := distinct(columnNames(columns)); err != nil {
		return nil, nil, fmt.Errorf("data: %s: %w", path, err)
	}
	for _, name := range names {
		i, fields, c := find(columns, name)
		if i < 0 {
			return nil, nil, fmt.Errorf("data: %s: no column %q%s; its columns: %s", path, name, hint(name, columnNames(columns)), listColumns(columns))
		}
		if !c.Readable() {
			return nil, nil, fmt.Errorf("data: %s: column %q is %s, which is not read (hint: cast it when writing the file); its columns: %s", path, columns[i].Name, columns[i].Type, listColumns(columns))
		}
		at := slices.Index(read, i)
		if at < 0 {
			at = len(read)
			read = append(read, i)
		}
		picks = append(picks, pick{c, at, fields})
	}
	return read, picks, nil
}

// find returns the number of the column that a name stands for, and where it stands
// for a field of a struct in it, that field's place; -1: none.
func find(columns []Column, name string) (i int, fields []int, c Column) {
	if i = slices.IndexFunc(columns, func(c Column) bool { return c.Name == name }); i >= 0 {
		return i, nil, columns[i]
	}
	for dot := range name {
		if name[dot] != '.' {
			continue
		}
		i = slices.IndexFunc(columns, func(c Column) bool { return c.Name == name[:dot] })
		if i < 0 {
			continue
		}
		if columns[i].arrow == nil {
			return i, nil, columns[i]
		}
		if fields, t := findField(columns[i].arrow, name[dot+1:]); t != nil {
			return i, fields, Column{Name: name, Type: typeName(t), Nullable: true, arrow: t}
		}
	}
	return -1, nil, Column{}
}

func findField(t arrow.DataType, name string) ([]int, arrow.DataType) {
	s, ok := t.(*arrow.StructType)
	if !ok {
		return nil, nil
	}
	if k, ok := s.FieldIdx(name); ok {
		return []int{k}, s.Field(k).Type
	}
	for dot := range name {
		if name[dot] != '.' {
			continue
		}
		if k, ok := s.FieldIdx(name[:dot]); ok {
			if below, t := findField(s.Field(k).Type, name[dot+1:]); t != nil {
				return append([]int{k}, below...), t
			}
		}
	}
	return nil, nil
}

// pick makes the columns that were asked for of those that were read.
func (b *Batch) pick(picks []pick) {
	columns, classes := b.columns, b.classes
	b.columns, b.classes = make([]arrow.Array, len(picks)), make([][]string, len(picks))
	for i, p := range picks {
		b.columns[i] = columns[p.at]
		if len(p.path) == 0 {
			b.classes[i] = classes[p.at]
		}
		for _, k := range p.path {
			b.columns[i] = field(b.columns[i].(*array.Struct), k)
		}
	}
}

// field returns a field of a struct, null where the struct is.
func field(s *array.Struct, k int) arrow.Array {
	c := s.Field(k)
	if s.NullN() == 0 {
		return c
	}
	d := c.Data()
	valid := make([]byte, (d.Offset()+c.Len()+7)/8)
	for i := range c.Len() {
		if !c.IsNull(i) && !s.IsNull(i) {
			at := d.Offset() + i
			valid[at/8] |= 1 << (at % 8)
		}
	}
	buffers := slices.Clone(d.Buffers())
	buffers[0] = memory.NewBufferBytes(valid)
	return array.MakeFromData(array.NewData(d.DataType(), c.Len(), buffers, d.Children(), array.UnknownNullCount, d.Offset()))
}

// NotText says why the values of a column are no texts, or nil.
func (c *Column) NotText() error {
	switch {
	case c.Scalar():
		return nil
	case c.arrow != nil && c.arrow.ID() == arrow.STRUCT:
		return fmt.Errorf("column %q is %s, not text (hint: name a field of it, as %s.%s)", c.Name, c.Type, c.Name, c.arrow.(*arrow.StructType).Field(0).Name)
	}
	return fmt.Errorf("column %q is %s, not text", c.Name, c.Type)
}

func columnNames(columns []Column) []string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].Name
	}
	return names
}

func listColumns(columns []Column) string {
	var s []string
	for _, c := range columns {
		s = append(s, fmt.Sprintf("%s (%s)", c.Name, c.Type))
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

package source

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/float16"
)

// Renamed returns the column under another name.
func (c Column) Renamed(name string) Column {
	c.Name = name
	return c
}

// AsText returns a column of text with the column's name.
func (c Column) AsText() Column { return textColumns(c.Name)[0] }

// Unite returns the readable columns of all tables, each at the place where it first
// occurs, and those of names that are fields of a struct. A column that has several
// types gets one that holds all its values: a wider number, or text.
func Unite(tables []*Table, names ...string) []Column {
	var all []Column
	add := func(c Column) {
		if c.arrow == nil {
			return
		}
		if c.classes != nil {
			text := arrow.DataType(arrow.BinaryTypes.String) // the names of classes
			if nested(c.arrow) {
				text = arrow.ListOf(text)
			}
			c.arrow, c.classes = text, nil
		}
		i := slices.IndexFunc(all, func(a Column) bool { return a.Name == c.Name })
		if i < 0 {
			all = append(all, c)
			return
		}
		all[i].arrow = uniteTypes(all[i].arrow, c.arrow)
	}
	for _, t := range tables {
		for _, c := range t.Columns {
			add(c)
		}
		for _, name := range names {
			if _, fields, c := find(t.Columns, name); fields != nil {
				add(c)
			}
		}
	}
	for i := range all {
		all[i].Type, all[i].Nullable = typeName(all[i].arrow), true
	}
	return all
}

func uniteTypes(a, b arrow.DataType) arrow.DataType {
	switch {
	case arrow.TypeEqual(a, b):
		return a
	case isText(a) && isText(b):
		return arrow.BinaryTypes.LargeString
	case arrow.IsInteger(a.ID()) && arrow.IsInteger(b.ID()) && a.ID() != arrow.UINT64 && b.ID() != arrow.UINT64:
		return arrow.PrimitiveTypes.Int64
	case isNumber(a) && isNumber(b):
		return arrow.PrimitiveTypes.Float64
	}
	return arrow.BinaryTypes.String
}

func isText(t arrow.DataType) bool { return t.ID() == arrow.STRING || t.ID() == arrow.LARGE_STRING }

func isNumber(t arrow.DataType) bool { return arrow.IsInteger(t.ID()) || arrow.IsFloating(t.ID()) }

// copyValue appends a value of a batch to a builder.
func copyValue(to array.Builder, b *Batch, col, row int, bytes *int) error {
	c := b.columns[col]
	switch to := to.(type) {
	case *array.StringBuilder:
		if text, ok := b.Text(col, row); ok {
			to.Append(text)
			*bytes += len(text)
		} else {
			to.AppendNull()
		}
		return nil
	case *array.LargeStringBuilder:
		if text, ok := b.Text(col, row); ok {
			to.Append(text)
			*bytes += len(text)
		} else {
			to.AppendNull()
		}
		return nil
	case *array.ListBuilder:
		if names := b.classes[col]; names != nil && !isNull(c, row) {
			elements, lo, hi, _ := b.list(col, row)
			to.Append(true)
			for i := lo; i < hi; i++ {
				if err := copyValue(to.ValueBuilder(), &Batch{columns: []arrow.Array{elements}, classes: [][]string{names}}, 0, i, bytes); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return copyArray(to, c, row, bytes)
}

// isNull reports whether value i of an array is null, as all are of arrow-go's array of nulls, which
// says otherwise.
func isNull(c arrow.Array, i int) bool { return c.IsNull(i) || c.DataType().ID() == arrow.NULL }

func copyArray(to array.Builder, c arrow.Array, i int, bytes *int) error {
	if isNull(c, i) {
		to.AppendNull()
		return nil
	}
	*bytes += 8
	switch to := to.(type) {
	case *array.StringBuilder, *array.LargeStringBuilder:
		return copyValue(to, &Batch{columns: []arrow.Array{c}, classes: make([][]string, 1)}, 0, i, bytes)
	case *array.ListBuilder:
		return copyList(to, to.ValueBuilder(), c, i, bytes)
	case *array.LargeListBuilder:
		return copyList(to, to.ValueBuilder(), c, i, bytes)
	case *array.FixedSizeListBuilder:
		return copyList(to, to.ValueBuilder(), c, i, bytes)
	case *array.StructBuilder:
		s, ok := c.(*array.Struct)
		if !ok || s.NumField() != to.NumField() {
			return fmt.Errorf("a value of type %s for a column of type %s", c.DataType(), to.Type())
		}
		to.Append(true)
		for k := range s.NumField() {
			if err := copyArray(to.FieldBuilder(k), s.Field(k), i, bytes); err != nil {
				return err
			}
		}
		return nil
	case *array.Float64Builder:
		f, err := strconv.ParseFloat(c.ValueStr(i), 64)
		if err != nil {
			return err
		}
		to.Append(f)
		return nil
	case *array.Float32Builder:
		to.Append(c.(*array.Float32).Value(i))
		return nil
	case *array.TimestampBuilder:
		to.Append(c.(*array.Timestamp).Value(i))
		return nil
	case *array.Date32Builder:
		to.Append(c.(*array.Date32).Value(i))
		return nil
	case *array.Date64Builder:
		to.Append(c.(*array.Date64).Value(i))
		return nil
	case *array.BooleanBuilder:
		to.Append(c.(*array.Boolean).Value(i))
		return nil
	case *array.Uint64Builder:
		to.Append(c.(*array.Uint64).Value(i))
		return nil
	case *array.BinaryBuilder:
		var v []byte
		if l, ok := c.(*array.LargeBinary); ok {
			v = l.Value(i)
		} else {
			v = c.(*array.Binary).Value(i)
		}
		to.Append(v)
		*bytes += len(v)
		return nil
	case *array.FixedSizeBinaryBuilder:
		to.Append(c.(*array.FixedSizeBinary).Value(i))
		return nil
	case *array.Decimal128Builder:
		to.Append(c.(*array.Decimal128).Value(i))
		return nil
	case *array.Decimal256Builder:
		to.Append(c.(*array.Decimal256).Value(i))
		return nil
	case *array.Float16Builder:
		if b, ok := c.(*array.FixedSizeBinary); ok {
			to.Append(float16.FromBits(binary.LittleEndian.Uint16(b.Value(i))))
		} else {
			to.Append(c.(*array.Float16).Value(i))
		}
		return nil
	case *array.Time32Builder:
		to.Append(c.(*array.Time32).Value(i))
		return nil
	case *array.Time64Builder:
		to.Append(c.(*array.Time64).Value(i))
		return nil
	case *array.DurationBuilder:
		if n, ok := c.(*array.Int64); ok {
			to.Append(arrow.Duration(n.Value(i)))
		} else {
			to.Append(c.(*array.Duration).Value(i))
		}
		return nil
	}
	v, ok := integer(c, i)
	if !ok {
		return fmt.Errorf("a value of type %s for a column of type %s", c.DataType(), to.Type())
	}
	switch to := to.(type) {
	case *array.Int8Builder:
		to.Append(int8(v))
	case *array.Int16Builder:
		to.Append(int16(v))
	case *array.Int32Builder:
		to.Append(int32(v))
	case *array.Int64Builder:
		to.Append(v)
	case *array.Uint8Builder:
		to.Append(uint8(v))
	case *array.Uint16Builder:
		to.Append(uint16(v))
	case *array.Uint32Builder:
		to.Append(uint32(v))
	default:
		return fmt.Errorf("no column of type %s", to.Type())
	}
	return nil
}

type listBuilder interface {
	array.Builder
	Append(bool)
}

func copyList(to listBuilder, values array.Builder, c arrow.Array, i int, bytes *int) error {
	l, ok := c.(array.ListLike)
	if !ok {
		return fmt.Errorf("a value of type %s for a column of type %s", c.DataType(), to.Type())
	}
	to.Append(true)
	lo, hi := l.ValueOffsets(i)
	for k := lo; k < hi; k++ {
		if err := copyArray(values, l.ListValues(), int(k), bytes); err != nil {
			return err
		}
	}
	return nil
}

// integer returns value i of an array of integers that 64 bits with a sign hold.
func integer(c arrow.Array, i int) (int64, bool) {
	switch c := c.(type) {
	case *array.Int8:
		return int64(c.Value(i)), true
	case *array.Int16:
		return int64(c.Value(i)), true
	case *array.Int32:
		return int64(c.Value(i)), true
	case *array.Int64:
		return c.Value(i), true
	case *array.Uint8:
		return int64(c.Value(i)), true
	case *array.Uint16:
		return int64(c.Value(i)), true
	case *array.Uint32:
		return int64(c.Value(i)), true
	case *array.Uint64:
		v := c.Value(i)
		return int64(v), v <= 1<<63-1
	}
	return 0, false
}

package source

import (
	"encoding/json"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Columns that are added to those of a file, with the Go values that they take. All take nil, for
// null.

// Texts is a column of strings.
func Texts(name string) Column { return added(name, arrow.BinaryTypes.String) }

// Numbers is a column of float64s.
func Numbers(name string) Column { return added(name, arrow.PrimitiveTypes.Float64) }

// Integers is a column of int64s.
func Integers(name string) Column { return added(name, arrow.PrimitiveTypes.Int64) }

// Truths is a column of bools.
func Truths(name string) Column { return added(name, arrow.FixedWidthTypes.Boolean) }

// Vectors is a column of []float32s.
func Vectors(name string) Column { return added(name, arrow.ListOf(arrow.PrimitiveTypes.Float32)) }

// Lists is a column of []any, each with the values of another column.
func Lists(of Column) Column { return added(of.Name, arrow.ListOf(of.arrow)) }

// Structs is a column of []any, with a value for each field.
func Structs(name string, fields ...Column) Column {
	list := make([]arrow.Field, len(fields))
	for i, f := range fields {
		list[i] = arrow.Field{Name: f.Name, Type: f.arrow, Nullable: true}
	}
	return added(name, arrow.StructOf(list...))
}

func added(name string, t arrow.DataType) Column {
	return Column{Name: name, Type: typeName(t), Nullable: true, arrow: t}
}

// appendValue appends a value of an added column. A value of another type is a mistake of the
// program.
func appendValue(to array.Builder, v any) error {
	if v == nil {
		to.AppendNull()
		return nil
	}
	switch b := to.(type) {
	case *array.StringBuilder:
		if v, ok := v.(string); ok {
			b.Append(v)
			return nil
		}
	case *array.Float64Builder:
		if v, ok := v.(float64); ok {
			b.Append(v)
			return nil
		}
	case *array.Int64Builder:
		if v, ok := v.(int64); ok {
			b.Append(v)
			return nil
		}
	case *array.BooleanBuilder:
		if v, ok := v.(bool); ok {
			b.Append(v)
			return nil
		}
	case *array.ListBuilder:
		switch v := v.(type) {
		case []float32:
			if values, ok := b.ValueBuilder().(*array.Float32Builder); ok {
				b.Append(true)
				values.AppendValues(v, nil)
				return nil
			}
		case []any:
			b.Append(true)
			for _, e := range v {
				if err := appendValue(b.ValueBuilder(), e); err != nil {
					return err
				}
			}
			return nil
		}
	case *array.StructBuilder:
		if v, ok := v.([]any); ok && len(v) == b.NumField() {
			b.Append(true)
			for i, e := range v {
				if err := appendValue(b.FieldBuilder(i), e); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return fmt.Errorf("a value of the Go type %T for a column of type %s", v, to.Type())
}

// Value reads a value of an added column from the JSON that encoding/json has made of it.
func (c Column) Value(text json.RawMessage) (any, error) { return valueOf(c.arrow, text) }

func valueOf(t arrow.DataType, text json.RawMessage) (any, error) {
	if string(text) == "null" {
		return nil, nil
	}
	switch t := t.(type) {
	case *arrow.StringType:
		return as[string](text)
	case *arrow.Float64Type:
		return as[float64](text)
	case *arrow.Int64Type:
		return as[int64](text)
	case *arrow.BooleanType:
		return as[bool](text)
	case *arrow.ListType:
		if t.Elem().ID() == arrow.FLOAT32 {
			return as[[]float32](text)
		}
		return valuesOf(text, -1, func(int) arrow.DataType { return t.Elem() })
	case *arrow.StructType:
		return valuesOf(text, t.NumFields(), func(i int) arrow.DataType { return t.Field(i).Type })
	}
	return nil, fmt.Errorf("no added column has the type %s", t)
}

// valuesOf reads n values, or if n is negative, any number.
func valuesOf(text json.RawMessage, n int, of func(i int) arrow.DataType) (any, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	if n >= 0 && len(list) != n {
		return nil, fmt.Errorf("%d values for %d fields", len(list), n)
	}
	out := make([]any, len(list))
	for i, e := range list {
		var err error
		if out[i], err = valueOf(of(i), e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func as[T any](text json.RawMessage) (any, error) {
	var v T
	err := json.Unmarshal(text, &v)
	return v, err
}

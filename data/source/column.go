package source

import (
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
)

// Column describes a column.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // "utf8", "int64", "dictionary<utf8>", "list<struct<role: utf8, content: utf8>>"…
	Nullable bool   `json:"nullable"`

	arrow   arrow.DataType // of decoded values; nil: not read
	carried arrow.DataType // of values that are copied from file to file; nil: as arrow
	classes []string       // names of the values of an integer, or of those in a list
}

// as returns a column of decoded values of a type.
func (c Column) as(t arrow.DataType) Column {
	if t != nil && opaque(t) {
		c.carried = t
		return c
	}
	c.arrow = t
	return c
}

// opaque reports whether values of a type, or values in them, are not read, but only carried from
// one file into another.
func opaque(t arrow.DataType) bool {
	switch t := t.(type) {
	case arrow.ListLikeType:
		return opaque(t.Elem())
	case *arrow.StructType:
		return slices.ContainsFunc(t.Fields(), func(f arrow.Field) bool { return opaque(f.Type) })
	}
	switch t.ID() {
	case arrow.NULL, arrow.BINARY, arrow.LARGE_BINARY, arrow.FIXED_SIZE_BINARY, arrow.DECIMAL128, arrow.DECIMAL256,
		arrow.FLOAT16, arrow.TIME32, arrow.TIME64, arrow.DURATION:
		return true
	}
	return false
}

// Scalar reports whether the values are text or are read as text: numbers,
// truth values, dates.
func (c *Column) Scalar() bool { return c.arrow != nil && !nested(c.arrow) }

// Text reports whether the values are text as they are.
func (c *Column) Text() bool { return c.arrow != nil && isText(c.arrow) }

// Readable reports whether the values can be read at all.
func (c *Column) Readable() bool { return c.arrow != nil }

// Messages reports whether the values are dialogues: lists of structs of a role
// and a content.
func (c *Column) Messages() bool { return c.arrow != nil && isMessages(c.arrow) }

// IDs reports whether the values are lists of integers that are no classes.
func (c *Column) IDs() bool {
	l, ok := c.arrow.(arrow.ListLikeType)
	return ok && arrow.IsInteger(l.Elem().ID()) && c.classes == nil
}

func nested(t arrow.DataType) bool {
	_, ok := t.(arrow.NestedType)
	return ok
}

func isMessages(t arrow.DataType) bool {
	l, ok := t.(arrow.ListLikeType)
	if !ok {
		return false
	}
	s, ok := l.Elem().(*arrow.StructType)
	if !ok {
		return false
	}
	for _, name := range []string{"role", "content"} {
		f, ok := s.FieldByName(name)
		if !ok || f.Type.ID() != arrow.STRING && f.Type.ID() != arrow.LARGE_STRING {
			return false
		}
	}
	return true
}

// decoded returns the type of a column after reading, in which dictionaries and views are
// replaced by their values; nil where the type is not supported.
func (a *arrowField) decoded() arrow.DataType {
	switch a.typ {
	case typeUtf8, typeUtf8View:
		return arrow.BinaryTypes.String
	case typeLargeUtf8:
		if a.dict {
			return arrow.BinaryTypes.String
		}
		return arrow.BinaryTypes.LargeString
	}
	if a.dict {
		return nil
	}
	switch a.typ {
	case typeInt:
		return intType(a.bits, a.signed)
	case typeNull:
		return arrow.Null
	case typeBinary, typeBinaryView:
		return arrow.BinaryTypes.Binary
	case typeLargeBinary:
		return arrow.BinaryTypes.LargeBinary
	case typeFixedSizeBinary:
		if a.size > 0 {
			return &arrow.FixedSizeBinaryType{ByteWidth: a.size}
		}
	case typeDecimal:
		switch p, s := int32(a.decimal.precision), int32(a.decimal.scale); {
		case a.bits == 128 && p > 0 && p <= 38:
			return &arrow.Decimal128Type{Precision: p, Scale: s}
		case a.bits == 256 && p > 0 && p <= 76:
			return &arrow.Decimal256Type{Precision: p, Scale: s}
		}
	case typeTime:
		switch unit := arrow.TimeUnit(a.unit); {
		case a.bits == 32 && unit <= arrow.Millisecond:
			return &arrow.Time32Type{Unit: unit}
		case a.bits == 64 && unit >= arrow.Microsecond:
			return &arrow.Time64Type{Unit: unit}
		}
	case typeDuration:
		return &arrow.DurationType{Unit: arrow.TimeUnit(a.unit)}
	case typeFloat:
		switch a.unit {
		case 0:
			return arrow.FixedWidthTypes.Float16
		case 1:
			return arrow.PrimitiveTypes.Float32
		case 2:
			return arrow.PrimitiveTypes.Float64
		}
	case typeBool:
		return arrow.FixedWidthTypes.Boolean
	case typeDate:
		return []arrow.DataType{arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64, nil, nil}[a.unit]
	case typeTimestamp:
		return &arrow.TimestampType{Unit: arrow.TimeUnit(a.unit), TimeZone: a.zone}
	case typeList, typeLargeList, typeFixedSizeList:
		if len(a.children) != 1 {
			return nil
		}
		elem := a.children[0].decoded()
		if elem == nil {
			return nil
		}
		f := arrow.Field{Name: a.children[0].name, Type: elem, Nullable: true}
		switch a.typ {
		case typeList:
			return arrow.ListOfField(f)
		case typeLargeList:
			return arrow.LargeListOfField(f)
		}
		if a.size <= 0 || a.size > math.MaxInt32 {
			return nil // arrow-go panics
		}
		return arrow.FixedSizeListOfField(int32(a.size), f)
	case typeStruct:
		fields := make([]arrow.Field, len(a.children))
		for i := range a.children {
			t := a.children[i].decoded()
			if t == nil {
				return nil
			}
			fields[i] = arrow.Field{Name: a.children[i].name, Type: t, Nullable: true}
		}
		return arrow.StructOf(fields...)
	}
	return nil
}

func intType(bits int, signed bool) arrow.DataType {
	switch {
	case bits == 8 && signed:
		return arrow.PrimitiveTypes.Int8
	case bits == 16 && signed:
		return arrow.PrimitiveTypes.Int16
	case bits == 32 && signed:
		return arrow.PrimitiveTypes.Int32
	case signed:
		return arrow.PrimitiveTypes.Int64
	case bits == 8:
		return arrow.PrimitiveTypes.Uint8
	case bits == 16:
		return arrow.PrimitiveTypes.Uint16
	case bits == 32:
		return arrow.PrimitiveTypes.Uint32
	}
	return arrow.PrimitiveTypes.Uint64
}

// Columns lists the columns of the file.
func (a *File) Columns() []Column {
	list := make([]Column, len(a.fields))
	for i := range a.fields {
		fd := &a.fields[i]
		list[i] = Column{Name: fd.name, Type: fd.kind(), Nullable: fd.nullable, classes: fd.classes}.as(fd.decoded())
	}
	return list
}

// Readable reports whether the file has a column of that name whose values are
// text or are read as text.
func (a *File) Readable(name string) bool {
	c, err := a.Column(name)
	return err == nil && c.Scalar()
}

// Column returns the column of a name, or if there is none, the field of a struct that the
// name stands for: "doc.text".
func (a *File) Column(name string) (Column, error) {
	_, picks, err := choose(a.path, a.Columns(), []string{name})
	if err != nil {
		return Column{}, err
	}
	return picks[0].column, nil
}

// Select chooses the columns that Batch and Row read, by name and in this
// order. Integers are read as decimal digits, or as the names of classes where the
// file has those of Hugging Face datasets.
func (a *File) Select(names ...string) error {
	read, picks, err := choose(a.path, a.Columns(), names)
	if err != nil {
		return err
	}
	a.columns, a.picks = read, picks
	return nil
}

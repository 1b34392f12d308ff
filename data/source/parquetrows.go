package source

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// rowGroupBytes is the approximate size of a row group's values, which are in memory until it is
// written.
const rowGroupBytes = 32 << 20

// parquetRows writes Parquet. The Arrow schema stands in the metadata, as other writers have it
// too, so that readers restore types that Parquet lacks: time zones, durations, large texts.
type parquetRows struct {
	w       *parquet.GenericWriter[any]
	columns []*shredder
	leaves  [][]parquet.Value // of a row, by leaf column
	row     parquet.Row
	bytes   int // of the row group
}

// A shredder takes the values of a column, or a part of one, apart into those of leaf columns with
// levels, which parquetNode puts together again.
type shredder struct {
	def      int // level at which a value is there
	rep      int // of a list: the level of all elements but the first
	children []*shredder
	leaf     int // number of the leaf column, where there are no children
	value    func(c arrow.Array, i int) parquet.Value
}

func newParquetRows(w io.Writer, schema *arrow.Schema) (*parquetRows, error) {
	p := &parquetRows{}
	root, leaf := &orderedGroup{}, 0
	for _, f := range schema.Fields() {
		node, s, err := shred(f, 0, 0, &leaf)
		if err != nil {
			return nil, fmt.Errorf("column %q: %w", f.Name, err)
		}
		root.add(f.Name, node)
		p.columns = append(p.columns, s)
	}
	p.leaves = make([][]parquet.Value, leaf)
	var text bytes.Buffer
	in := ipc.NewWriter(&text, ipc.WithSchema(schema))
	if err := in.Close(); err != nil {
		return nil, err
	}
	options := []parquet.WriterOption{
		parquet.NewSchema("schema", root), parquet.Compression(&parquet.Snappy), parquet.CreatedBy("hone", "", ""),
		parquet.KeyValueMetadata("ARROW:schema", base64.StdEncoding.EncodeToString(text.Bytes())),
	}
	meta := schema.Metadata()
	for i, key := range meta.Keys() {
		options = append(options, parquet.KeyValueMetadata(key, meta.Values()[i]))
	}
	p.w = parquet.NewGenericWriter[any](w, options...)
	return p, nil
}

// shred describes a field as Parquet has it, below level def of definitions and rep of repetitions.
// All fields may be null.
func shred(f arrow.Field, def, rep int, leaf *int) (parquet.Node, *shredder, error) {
	s := &shredder{def: def + 1}
	var node parquet.Node
	switch t := f.Type.(type) {
	case *arrow.StructType:
		group := &orderedGroup{}
		for _, f := range t.Fields() {
			n, c, err := shred(f, s.def, rep, leaf)
			if err != nil {
				return nil, nil, err
			}
			group.add(f.Name, n)
			s.children = append(s.children, c)
		}
		if len(s.children) == 0 {
			return nil, nil, fmt.Errorf("a struct without fields, which Parquet cannot hold")
		}
		node = group
	case arrow.ListLikeType:
		s.rep = rep + 1
		n, c, err := shred(t.ElemField(), s.def+1, s.rep, leaf)
		if err != nil {
			return nil, nil, err
		}
		node, s.children = parquet.List(n), []*shredder{c}
	default:
		var err error
		if node, s.value, err = parquetLeafOf(f.Type); err != nil {
			return nil, nil, err
		}
		s.leaf = *leaf
		*leaf++
	}
	return parquet.Optional(node), s, nil
}

func (p *parquetRows) rows(rec arrow.Record, _ [][]byte) error {
	for i := range int(rec.NumRows()) {
		for k := range p.leaves {
			p.leaves[k] = p.leaves[k][:0]
		}
		for k, s := range p.columns {
			p.put(s, rec.Column(k), i, 0, 0)
		}
		p.row = p.row[:0]
		for _, values := range p.leaves {
			p.row = append(p.row, values...)
		}
		if _, err := p.w.WriteRows([]parquet.Row{p.row}); err != nil {
			return err
		}
		if p.bytes >= rowGroupBytes {
			if err := p.w.Flush(); err != nil {
				return err
			}
			p.bytes = 0
		}
	}
	return nil
}

// put takes value i of an array apart. def is the level of what is around it.
func (p *parquetRows) put(s *shredder, c arrow.Array, i, rep, def int) {
	if isNull(c, i) {
		p.absent(s, rep, def)
		return
	}
	switch {
	case s.rep > 0:
		l := c.(array.ListLike)
		lo, hi := l.ValueOffsets(i)
		if lo == hi {
			p.absent(s, rep, s.def)
			return
		}
		for k := lo; k < hi; k++ {
			p.put(s.children[0], l.ListValues(), int(k), rep, s.def+1)
			rep = s.rep
		}
	case s.children != nil:
		for k, child := range s.children {
			p.put(child, c.(*array.Struct).Field(k), i, rep, s.def)
		}
	default:
		p.add(s, s.value(c, i), rep, s.def)
	}
}

// absent puts nulls into all leaf columns below s.
func (p *parquetRows) absent(s *shredder, rep, def int) {
	if s.children == nil {
		p.add(s, parquet.NullValue(), rep, def)
	}
	for _, c := range s.children {
		p.absent(c, rep, def)
	}
}

func (p *parquetRows) add(s *shredder, v parquet.Value, rep, def int) {
	p.bytes += 8
	if k := v.Kind(); k == parquet.ByteArray || k == parquet.FixedLenByteArray {
		p.bytes += len(v.ByteArray())
	}
	p.leaves[s.leaf] = append(p.leaves[s.leaf], v.Level(rep, def, s.leaf))
}

func (p *parquetRows) close() error { return p.w.Close() }

// parquetLeafOf gives the leaf column for values of a type, and how they are stored.
func parquetLeafOf(t arrow.DataType) (parquet.Node, func(c arrow.Array, i int) parquet.Value, error) {
	number := func(c arrow.Array, i int) parquet.Value {
		v, _ := integer(c, i)
		return parquet.Int64Value(v)
	}
	small := func(c arrow.Array, i int) parquet.Value {
		v, _ := integer(c, i)
		return parquet.Int32Value(int32(v))
	}
	switch t := t.(type) {
	case *arrow.BooleanType:
		return parquet.Leaf(parquet.BooleanType), func(c arrow.Array, i int) parquet.Value {
			return parquet.BooleanValue(c.(*array.Boolean).Value(i))
		}, nil
	case *arrow.Int8Type:
		return parquet.Int(8), small, nil
	case *arrow.Int16Type:
		return parquet.Int(16), small, nil
	case *arrow.Int32Type:
		return parquet.Int(32), small, nil
	case *arrow.Int64Type:
		return parquet.Int(64), number, nil
	case *arrow.Uint8Type:
		return parquet.Uint(8), small, nil
	case *arrow.Uint16Type:
		return parquet.Uint(16), small, nil
	case *arrow.Uint32Type:
		return parquet.Uint(32), small, nil
	case *arrow.Uint64Type:
		return parquet.Uint(64), func(c arrow.Array, i int) parquet.Value {
			return parquet.Int64Value(int64(c.(*array.Uint64).Value(i)))
		}, nil
	case *arrow.Float16Type:
		return parquet.Leaf(logicalType{parquet.FixedLenByteArrayType(2), &format.LogicalType{Value: new(format.Float16Type)}}), func(c arrow.Array, i int) parquet.Value {
			return parquet.FixedLenByteArrayValue(binary.LittleEndian.AppendUint16(nil, c.(*array.Float16).Value(i).Uint16()))
		}, nil
	case *arrow.Float32Type:
		return parquet.Leaf(parquet.FloatType), func(c arrow.Array, i int) parquet.Value {
			return parquet.FloatValue(c.(*array.Float32).Value(i))
		}, nil
	case *arrow.Float64Type:
		return parquet.Leaf(parquet.DoubleType), func(c arrow.Array, i int) parquet.Value {
			return parquet.DoubleValue(c.(*array.Float64).Value(i))
		}, nil
	case *arrow.StringType:
		return parquet.String(), func(c arrow.Array, i int) parquet.Value {
			return parquet.ByteArrayValue([]byte(c.(*array.String).Value(i)))
		}, nil
	case *arrow.LargeStringType:
		return parquet.String(), func(c arrow.Array, i int) parquet.Value {
			return parquet.ByteArrayValue([]byte(c.(*array.LargeString).Value(i)))
		}, nil
	case *arrow.BinaryType:
		return parquet.Leaf(parquet.ByteArrayType), func(c arrow.Array, i int) parquet.Value {
			return parquet.ByteArrayValue(c.(*array.Binary).Value(i))
		}, nil
	case *arrow.LargeBinaryType:
		return parquet.Leaf(parquet.ByteArrayType), func(c arrow.Array, i int) parquet.Value {
			return parquet.ByteArrayValue(c.(*array.LargeBinary).Value(i))
		}, nil
	case *arrow.FixedSizeBinaryType:
		return parquet.Leaf(parquet.FixedLenByteArrayType(t.ByteWidth)), func(c arrow.Array, i int) parquet.Value {
			return parquet.FixedLenByteArrayValue(c.(*array.FixedSizeBinary).Value(i))
		}, nil
	case *arrow.Decimal128Type:
		return parquet.Decimal(int(t.Scale), int(t.Precision), parquet.FixedLenByteArrayType(16)), func(c arrow.Array, i int) parquet.Value {
			return parquet.FixedLenByteArrayValue(twosComplement(c.(*array.Decimal128).Value(i).BigInt(), 16))
		}, nil
	case *arrow.Decimal256Type:
		return parquet.Decimal(int(t.Scale), int(t.Precision), parquet.FixedLenByteArrayType(32)), func(c arrow.Array, i int) parquet.Value {
			return parquet.FixedLenByteArrayValue(twosComplement(c.(*array.Decimal256).Value(i).BigInt(), 32))
		}, nil
	case *arrow.Date32Type:
		return parquet.Date(), func(c arrow.Array, i int) parquet.Value {
			return parquet.Int32Value(int32(c.(*array.Date32).Value(i)))
		}, nil
	case *arrow.Date64Type: // days, whose milliseconds Parquet has not
		return parquet.Date(), func(c arrow.Array, i int) parquet.Value {
			const day = 24 * 60 * 60 * 1000
			ms := int64(c.(*array.Date64).Value(i))
			return parquet.Int32Value(int32((ms - (ms%day+day)%day) / day))
		}, nil
	case *arrow.Time32Type:
		scale, unit := parquetUnit(t.Unit)
		return parquet.TimeAdjusted(unit, false), func(c arrow.Array, i int) parquet.Value {
			return parquet.Int32Value(int32(c.(*array.Time32).Value(i)) * int32(scale))
		}, nil
	case *arrow.Time64Type:
		_, unit := parquetUnit(t.Unit)
		return parquet.TimeAdjusted(unit, false), func(c arrow.Array, i int) parquet.Value {
			return parquet.Int64Value(int64(c.(*array.Time64).Value(i)))
		}, nil
	case *arrow.TimestampType:
		scale, unit := parquetUnit(t.Unit)
		return parquet.TimestampAdjusted(unit, t.TimeZone != ""), func(c arrow.Array, i int) parquet.Value {
			return parquet.Int64Value(int64(c.(*array.Timestamp).Value(i)) * scale)
		}, nil
	case *arrow.DurationType:
		return parquet.Int(64), func(c arrow.Array, i int) parquet.Value {
			return parquet.Int64Value(int64(c.(*array.Duration).Value(i)))
		}, nil
	case *arrow.NullType:
		return parquet.Leaf(logicalType{parquet.Int32Type, &format.LogicalType{Value: new(format.NullType)}}), nil, nil // never asked for a value
	}
	return nil, nil, fmt.Errorf("values of type %s, which are not written to Parquet", t)
}

// parquetUnit is the unit of times, and the factor to it: Parquet has no seconds.
func parquetUnit(u arrow.TimeUnit) (scale int64, unit parquet.TimeUnit) {
	switch u {
	case arrow.Second:
		return 1000, parquet.Millisecond
	case arrow.Millisecond:
		return 1, parquet.Millisecond
	case arrow.Microsecond:
		return 1, parquet.Microsecond
	}
	return 1, parquet.Nanosecond
}

// twosComplement is an integer in so many bytes, the highest first.
func twosComplement(v *big.Int, n int) []byte {
	if v.Sign() < 0 {
		v = new(big.Int).Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*n)))
	}
	return v.FillBytes(make([]byte, n))
}

// A logicalType is one that the library has no node for.
type logicalType struct {
	parquet.Type
	logical *format.LogicalType
}

func (t logicalType) LogicalType() *format.LogicalType { return t.logical }

// An orderedGroup has its fields in their order. The library's sorts them by name.
type orderedGroup struct {
	parquet.Group // nil: for the rest of the methods
	fields        []parquet.Field
}

func (g *orderedGroup) add(name string, n parquet.Node) {
	g.fields = append(g.fields, &orderedField{n, name})
}

func (g *orderedGroup) Fields() []parquet.Field { return slices.Clone(g.fields) }
func (g *orderedGroup) String() string          { return "group" }

type orderedField struct {
	parquet.Node
	name string
}

func (f *orderedField) Name() string                      { return f.name }
func (f *orderedField) Value(reflect.Value) reflect.Value { panic("rows are written as values") }

package source

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The metadata of Arrow IPC, verified and as Go values. Numbers and slots are
// those of the format's Schema.fbs, Message.fbs and File.fbs
// (https://arrow.apache.org/docs/format/Columnar.html).

const (
	headerSchema     = 1
	headerDictionary = 2
	headerRecord     = 3

	metadataV4 = 3
	metadataV5 = 4

	codecNone = -1
	codecLZ4  = 0
	codecZSTD = 1
)

// Types of the union Type in Schema.fbs.
const (
	typeNull            = 1
	typeInt             = 2
	typeFloat           = 3
	typeBinary          = 4
	typeUtf8            = 5
	typeBool            = 6
	typeDecimal         = 7
	typeDate            = 8
	typeTime            = 9
	typeTimestamp       = 10
	typeInterval        = 11
	typeList            = 12
	typeStruct          = 13
	typeUnion           = 14
	typeFixedSizeBinary = 15
	typeFixedSizeList   = 16
	typeMap             = 17
	typeDuration        = 18
	typeLargeBinary     = 19
	typeLargeUtf8       = 20
	typeLargeList       = 21
	typeRunEndEncoded   = 22
	typeBinaryView      = 23
	typeUtf8View        = 24
	typeListView        = 25
	typeLargeListView   = 26
)

var typeNames = [...]string{
	typeNull: "null", typeInt: "int", typeFloat: "float", typeBinary: "binary", typeUtf8: "utf8",
	typeBool: "bool", typeDecimal: "decimal", typeDate: "date", typeTime: "time",
	typeTimestamp: "timestamp", typeInterval: "interval", typeList: "list", typeStruct: "struct",
	typeUnion: "union", typeFixedSizeBinary: "fixed_size_binary", typeFixedSizeList: "fixed_size_list",
	typeMap: "map", typeDuration: "duration", typeLargeBinary: "large_binary", typeLargeUtf8: "large_utf8",
	typeLargeList: "large_list", typeRunEndEncoded: "run_end_encoded", typeBinaryView: "binary_view",
	typeUtf8View: "utf8_view", typeListView: "list_view", typeLargeListView: "large_list_view",
}

// maxDepth is the greatest depth of nested columns.
const maxDepth = 64

type arrowField struct {
	name     string
	number   int // in the order of the schema, children after their parent
	nullable bool
	typ      int
	bits     int  // of an int, a decimal or a time
	signed   bool // of an int
	dense    bool // of a union
	unit     int  // of a float: its precision; of a date, a time, a duration or a timestamp
	zone     string
	size     int // of a fixed size list, or of fixed size binary
	decimal  struct{ precision, scale int }
	dict     bool
	dictID   int64
	index    struct { // of a dictionary
		bits   int
		signed bool
	}
	children []arrowField
	classes  []string // names of the values of an int, or of those in a list, of Hugging Face's ClassLabel
}

// kind names the type for messages: "utf8", "int64", "dictionary<utf8>".
func (a *arrowField) kind() string {
	s := typeNames[a.typ]
	switch a.typ {
	case typeInt:
		s = "int" + strconv.Itoa(a.bits)
		if !a.signed {
			s = "u" + s
		}
	case typeFloat:
		s = [...]string{"float16", "float32", "float64", "float"}[a.unit]
	case typeTimestamp:
		s = "timestamp[" + [...]string{"s", "ms", "us", "ns"}[a.unit]
		if a.zone != "" {
			s += ", " + a.zone
		}
		s += "]"
	}
	if len(a.children) > 0 {
		var c []string
		for i := range a.children {
			k := a.children[i].kind()
			if a.typ == typeStruct {
				k = a.children[i].name + ": " + k
			}
			c = append(c, k)
		}
		s += "<" + strings.Join(c, ", ") + ">"
	}
	if a.dict {
		s = "dictionary<" + s + ">"
	}
	return s
}

func parseSchema(f *flat, t flatTable) ([]arrowField, error) {
	if f.int16(t, 0) != 0 {
		return nil, errors.New("big-endian data is not supported")
	}
	pos, n := f.vector(t, 1, 4)
	fields := make([]arrowField, 0, n)
	for i := 0; i < n && f.err == nil; i++ {
		a, err := parseField(f, f.table(f.ref(pos+4*i)), 0)
		if err != nil {
			return nil, err
		}
		fields = append(fields, a)
	}
	count := 0
	numberFields(fields, &count)
	pos, n = f.vector(t, 2, 4)
	for i := 0; i < n && f.err == nil; i++ {
		if kv := f.table(f.ref(pos + 4*i)); f.string(kv, 0) == "huggingface" {
			nameClasses(fields, f.string(kv, 1))
		}
	}
	return fields, f.err
}

func numberFields(fields []arrowField, next *int) {
	for i := range fields {
		fields[i].number = *next
		*next++
		numberFields(fields[i].children, next)
	}
}

// nameClasses gives the columns of integers, and of lists of them, the names of their classes.
func nameClasses(fields []arrowField, metadata string) {
	classes := classNames(metadata)
	for i := range fields {
		c := Column{}.as(fields[i].decoded())
		if names, ok := classes[fields[i].name]; ok && (fields[i].typ == typeInt || c.IDs()) {
			fields[i].classes = names
		}
	}
}

func parseInt(f *flat, t flatTable) (bits int, signed bool) {
	bits, signed = f.int32(t, 0), f.bool(t, 1)
	if bits != 8 && bits != 16 && bits != 32 && bits != 64 {
		f.fail()
	}
	return bits, signed
}

func parseField(f *flat, t flatTable, depth int) (arrowField, error) {
	if depth > maxDepth {
		return arrowField{}, fmt.Errorf("columns nested deeper than %d", maxDepth)
	}
	a := arrowField{name: f.string(t, 0), nullable: f.bool(t, 1), typ: f.int8(t, 2)}
	if f.err != nil {
		return a, f.err
	}
	if !utf8.ValidString(a.name) {
		return a, fmt.Errorf("column name %q is not UTF-8", a.name)
	}
	if a.typ <= 0 || a.typ >= len(typeNames) {
		return a, fmt.Errorf("column %q has the unknown type %d", a.name, a.typ)
	}
	typ, ok := f.child(t, 3)
	if !ok {
		return a, errFlat
	}
	switch a.typ {
	case typeInt:
		a.bits, a.signed = parseInt(f, typ)
	case typeUnion:
		a.dense = f.int16(typ, 0) == 1
	case typeFloat:
		a.unit = f.int16(typ, 0)
	case typeDate:
		a.unit = 1 // milliseconds, the format's default
		if f.field(typ, 0, 2) != 0 {
			a.unit = f.int16(typ, 0)
		}
	case typeTimestamp:
		a.unit, a.zone = f.int16(typ, 0), f.string(typ, 1)
	case typeTime, typeDuration:
		a.unit, a.bits = 1, 32 // milliseconds, the format's default
		if f.field(typ, 0, 2) != 0 {
			a.unit = f.int16(typ, 0)
		}
		if a.typ == typeTime && f.field(typ, 1, 4) != 0 {
			a.bits = f.int32(typ, 1)
		}
	case typeDecimal:
		a.decimal.precision, a.decimal.scale, a.bits = f.int32(typ, 0), f.int32(typ, 1), 128
		if f.field(typ, 2, 4) != 0 {
			a.bits = f.int32(typ, 2)
		}
	case typeFixedSizeList, typeFixedSizeBinary:
		if a.size = f.int32(typ, 0); a.size < 0 {
			f.fail()
		}
	}
	if a.unit < 0 || a.unit > 3 {
		f.fail()
	}
	if d, ok := f.child(t, 4); ok {
		a.dict = true
		a.dictID = f.int64(d, 0)
		a.index.bits, a.index.signed = 32, true // the format's default
		if it, ok := f.child(d, 1); ok {
			a.index.bits, a.index.signed = parseInt(f, it)
		}
	}
	pos, n := f.vector(t, 5, 4)
	for i := 0; i < n && f.err == nil; i++ {
		c, err := parseField(f, f.table(f.ref(pos+4*i)), depth+1)
		if err != nil {
			return a, err
		}
		a.children = append(a.children, c)
	}
	return a, f.err
}

// arrowMessage is the header of a message: a schema, a dictionary or a record
// batch, by its kind.
type arrowMessage struct {
	kind    int
	version int
	body    int64 // bytes
	fields  []arrowField
	batch   arrowBatch
	dictID  int64
	delta   bool
}

type arrowBatch struct {
	rows     int64
	nodes    []arrowNode
	buffers  []arrowBuffer
	variadic []int64
	codec    int
}

type arrowNode struct{ rows, nulls int64 }
type arrowBuffer struct{ offset, length int64 }

// parseMessage reads the header of a message, of a file of size bytes.
func parseMessage(b []byte, size int64) (m arrowMessage, err error) {
	f := newFlat(b, size)
	t := f.root()
	m.version = f.int16(t, 0)
	m.kind = f.int8(t, 1)
	m.body = f.int64(t, 3)
	h, ok := f.child(t, 2)
	if !ok || m.body < 0 {
		return m, errFlat
	}
	if m.version != metadataV4 && m.version != metadataV5 {
		return m, fmt.Errorf("metadata version %d is not supported (V4 and V5 are)", m.version+1)
	}
	switch m.kind {
	case headerSchema:
		m.fields, err = parseSchema(f, h)
	case headerDictionary:
		m.dictID, m.delta = f.int64(h, 0), f.bool(h, 2)
		d, ok := f.child(h, 1)
		if !ok {
			return m, errFlat
		}
		m.batch, err = parseBatch(f, d, m.body)
	case headerRecord:
		m.batch, err = parseBatch(f, h, m.body)
	default:
		return m, fmt.Errorf("unknown kind of message %d", m.kind)
	}
	if err == nil {
		err = f.err
	}
	return m, err
}

func parseBatch(f *flat, t flatTable, body int64) (arrowBatch, error) {
	b := arrowBatch{rows: f.int64(t, 0), codec: codecNone}
	if b.rows < 0 {
		return b, errFlat
	}
	pos, n := f.vector(t, 1, 16)
	for i := range n {
		nd := arrowNode{f.i64(pos + 16*i), f.i64(pos + 16*i + 8)}
		if nd.rows < 0 || nd.nulls < 0 || nd.nulls > nd.rows {
			return b, errors.New("damaged metadata: a column's count of rows or nulls")
		}
		b.nodes = append(b.nodes, nd)
	}
	pos, n = f.vector(t, 2, 16)
	for i := range n {
		bf := arrowBuffer{f.i64(pos + 16*i), f.i64(pos + 16*i + 8)}
		if bf.offset < 0 || bf.length < 0 || bf.offset > body || bf.length > body-bf.offset {
			return b, errors.New("damaged metadata: a buffer outside of its message")
		}
		b.buffers = append(b.buffers, bf)
	}
	if c, ok := f.child(t, 3); ok {
		b.codec = f.int8(c, 0)
		if b.codec != codecLZ4 && b.codec != codecZSTD || f.int8(c, 1) != 0 {
			return b, fmt.Errorf("unknown compression %d (LZ4_FRAME and ZSTD are known)", b.codec)
		}
	}
	pos, n = f.vector(t, 4, 8)
	for i := range n {
		b.variadic = append(b.variadic, f.i64(pos+8*i))
	}
	return b, f.err
}

// layout walks the nodes and buffers of a batch along the columns.
type layout struct {
	node, buffer, variadic int
}

// skip steps over one column. It fails where the batch ends early.
func (l *layout) skip(a *arrowField, b *arrowBatch, version int) error {
	l.node++
	children := a.children
	switch {
	case a.dict:
		l.buffer += 2
		children = nil // they are in the dictionary
	case a.typ == typeNull || a.typ == typeRunEndEncoded:
	case a.typ == typeStruct || a.typ == typeFixedSizeList:
		l.buffer++
	case a.typ == typeBinary || a.typ == typeUtf8 || a.typ == typeLargeBinary || a.typ == typeLargeUtf8 ||
		a.typ == typeListView || a.typ == typeLargeListView:
		l.buffer += 3
	case a.typ == typeBinaryView || a.typ == typeUtf8View:
		if l.variadic >= len(b.variadic) {
			return errFlat
		}
		n := b.variadic[l.variadic]
		if n < 0 || n > int64(len(b.buffers)) {
			return errFlat
		}
		l.variadic++
		l.buffer += 2 + int(n)
	case a.typ == typeUnion:
		l.buffer++
		if a.dense {
			l.buffer++
		}
		if version < metadataV5 {
			l.buffer++ // validity
		}
	default: // fixed width, list, large list, map
		l.buffer += 2
	}
	for i := range children {
		if err := l.skip(&children[i], b, version); err != nil {
			return err
		}
	}
	if l.node > len(b.nodes) || l.buffer > len(b.buffers) {
		return errors.New("damaged metadata: fewer buffers than the columns need")
	}
	return nil
}

// arrowBlock is an entry of a file's footer.
type arrowBlock struct {
	offset, body int64
	meta         int
	codec        int // of a record batch that was indexed
}

func parseFooter(b []byte, size int64) (fields []arrowField, dicts, records []arrowBlock, err error) {
	f := newFlat(b, size)
	t := f.root()
	if v := f.int16(t, 0); f.err == nil && v != metadataV4 && v != metadataV5 {
		return nil, nil, nil, fmt.Errorf("metadata version %d is not supported (V4 and V5 are)", v+1)
	}
	s, ok := f.child(t, 1)
	if !ok {
		return nil, nil, nil, errFlat
	}
	if fields, err = parseSchema(f, s); err != nil {
		return nil, nil, nil, err
	}
	blocks := func(slot int) (list []arrowBlock) {
		pos, n := f.vector(t, slot, 24)
		for i := range n {
			p := pos + 24*i
			list = append(list, arrowBlock{offset: f.i64(p), body: f.i64(p + 16), meta: f.u32(p + 8)})
		}
		return list
	}
	dicts, records = blocks(2), blocks(3)
	return fields, dicts, records, f.err
}

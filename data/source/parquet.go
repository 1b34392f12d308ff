package source

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/decimal128"
	"github.com/apache/arrow/go/v15/arrow/decimal256"
	"github.com/apache/arrow/go/v15/arrow/float16"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetReader reads the selected columns of a Parquet file, some rows of a row
// group at a time: of each column, one page is in memory.
type parquetReader struct {
	h      *handle // nil: nothing to close
	r      io.ReaderAt
	size   int64
	rows   int64
	file   *parquet.File
	chunks [][]parquetChunk // by row group and leaf column
	nodes  []*parquetNode
	group  int
	left   int64 // rows of the group that are not yet read
	most   bound
	budget int64 // bytes that pages may still take
	open   []*parquetLeaf
}

// parquetNode is a column, or a part of one: what repeats and what may be absent
// is resolved by levels, as Dremel has it
// (https://parquet.apache.org/docs/file-format/nestedencoding/).
type parquetNode struct {
	name     string
	typ      arrow.DataType // nil: not known
	kind     string         // of what is not read
	def      int            // level at which the node itself is there
	list     int            // repetition level of the elements of a list, 0: no list
	listDef  int            // definition level at which a list has an element
	children []*parquetNode
	leaf     int // number of the leaf column, where there are no children
	rep      int // its highest repetition level
	first    int // number of the first leaf below
}

func openParquet(path string, most bound) (*parquetReader, error) {
	h, err := openHandle(path)
	if err != nil {
		return nil, err
	}
	p, err := openParquetAt(h, h.size)
	if err != nil {
		h.Close()
		return nil, err
	}
	p.h, p.most = h, most
	return p, nil
}

func openParquetAt(r io.ReaderAt, size int64) (p *parquetReader, err error) {
	defer func() {
		if v := recover(); v != nil {
			p, err = nil, fmt.Errorf("damaged Parquet file: %v", v)
		}
	}()
	// The library allocates the footer before it knows that the file has it.
	var tail [8]byte
	if size < 12 {
		return nil, fmt.Errorf("truncated Parquet file: only %d bytes", size)
	}
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return nil, err
	}
	switch string(tail[4:]) {
	case "PAR1":
	case "PARE":
		return nil, errEncrypted
	default:
		return nil, errors.New("truncated Parquet file: it does not end with the mark PAR1")
	}
	n := int64(binary.LittleEndian.Uint32(tail[:]))
	if n > size-12 {
		return nil, fmt.Errorf("damaged Parquet file: a footer of %d bytes in a file of %d", n, size)
	}
	at := size - 8 - n
	footer, err := readAt(nil, r, at, n)
	if err != nil {
		return nil, err
	}
	footer, codecs, err := parquetFooter(footer, size)
	if err != nil {
		return nil, err
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	footer = append(footer, "PAR1"...)
	f, err := parquet.OpenFile(&tailed{r, at, footer}, at+int64(len(footer)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, fmt.Errorf("damaged Parquet file: %w", err)
	}
	p = &parquetReader{most: maxBatch, file: f, r: r, size: size, group: -1}
	for i := range f.Metadata().RowGroups {
		g := &f.Metadata().RowGroups[i]
		if g.NumRows < 0 || g.NumRows > math.MaxInt64-p.rows {
			return nil, errors.New("damaged Parquet file: a row group's count of rows")
		}
		p.rows += g.NumRows // the file's own count is not always there
		if len(g.Columns) > len(codecs) {
			return nil, errors.New("damaged Parquet file: its columns")
		}
		var chunks []parquetChunk
		for j := range g.Columns {
			meta := &g.Columns[j].MetaData
			c := parquetChunk{meta.DataPageOffset, meta.TotalCompressedSize, codecs[j]}
			if d := meta.DictionaryPageOffset; d != 0 {
				c.pos = d
			}
			chunks = append(chunks, c)
			// As pageStream has them.
			meta.DataPageOffset, meta.DictionaryPageOffset, meta.TotalCompressedSize = 0, 0, math.MaxInt64
		}
		codecs = codecs[len(g.Columns):]
		p.chunks = append(p.chunks, chunks)
	}
	leaf := 0
	for _, c := range f.Root().Columns() {
		n, err := parquetField(c, 0, 0, &leaf, 0)
		if err != nil {
			return nil, err
		}
		p.nodes = append(p.nodes, n)
	}
	for _, g := range f.RowGroups() {
		if len(g.ColumnChunks()) != leaf {
			return nil, errors.New("damaged Parquet file: a row group lacks columns")
		}
	}
	return p, nil
}

// parquetField describes a column or a part of one.
func parquetField(c *parquet.Column, def, rep int, leaf *int, depth int) (*parquetNode, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("columns nested deeper than %d", maxDepth)
	}
	if !utf8.ValidString(c.Name()) {
		return nil, fmt.Errorf("column name %q is not UTF-8", c.Name())
	}
	n := &parquetNode{name: c.Name(), first: *leaf}
	if c.Repeated() { // a list by the old rules, without a LIST around it
		elem := *n
		if err := elem.content(c, def+1, rep+1, leaf, depth); err != nil {
			return nil, err
		}
		n.def, n.list, n.listDef, n.children = def, rep+1, def+1, []*parquetNode{&elem}
		n.listType()
		return n, nil
	}
	if c.Optional() {
		def++
	}
	return n, n.content(c, def, rep, leaf, depth)
}

func (n *parquetNode) listType() {
	elem := n.children[0]
	if elem.kind != "" {
		n.kind = "list<" + elem.kind + ">"
	}
	if elem.typ == nil {
		return
	}
	n.typ = arrow.ListOfField(arrow.Field{Name: "element", Type: elem.typ, Nullable: true})
}

// content fills in what is below a node that is there at level def.
func (n *parquetNode) content(c *parquet.Column, def, rep int, leaf *int, depth int) error {
	n.def = def
	if c.Leaf() {
		n.leaf, n.rep = *leaf, rep
		*leaf++
		n.typ, n.kind = parquetType(c.Type())
		if n.typ == nil {
			n.typ = carriedType(c.Type())
		}
		return nil
	}
	children := c.Columns()
	if _, isList := logical(c.Type()).(*format.ListType); len(children) == 1 && children[0].Repeated() && (isList || isListName(children[0])) {
		mid := children[0]
		var elem *parquetNode
		var err error
		if !mid.Leaf() && len(mid.Columns()) == 1 && mid.Name() != "array" {
			elem, err = parquetField(mid.Columns()[0], def+1, rep+1, leaf, depth+2)
		} else {
			elem = &parquetNode{name: mid.Name(), first: *leaf}
			err = elem.content(mid, def+1, rep+1, leaf, depth+2)
		}
		if err != nil {
			return err
		}
		n.list, n.listDef, n.children = rep+1, def+1, []*parquetNode{elem}
		n.listType()
		return nil
	}
	var fields []arrow.Field
	known := len(children) > 0
	for _, ch := range children {
		f, err := parquetField(ch, def, rep, leaf, depth+1)
		if err != nil {
			return err
		}
		n.children = append(n.children, f)
		if f.kind != "" {
			n.kind = "struct<" + f.name + ": " + f.kind + ">"
		}
		known = known && f.typ != nil
		fields = append(fields, arrow.Field{Name: f.name, Type: f.typ, Nullable: true})
	}
	if len(fields) == 0 {
		n.kind = "struct"
	}
	if known {
		n.typ = arrow.StructOf(fields...)
	}
	return nil
}

func isListName(c *parquet.Column) bool {
	return c.Name() == "list" && !c.Leaf() && len(c.Columns()) == 1
}

// carriedType maps the type of a leaf that is not read, but copied; nil: neither.
func carriedType(t parquet.Type) arrow.DataType {
	if _, ok := logical(t).(*format.NullType); ok {
		return arrow.Null
	}
	size := 0
	switch t.Kind() {
	case parquet.FixedLenByteArray:
		size = t.Length()
	case parquet.Int32, parquet.Int64, parquet.ByteArray:
	default:
		return nil
	}
	switch lt := logical(t).(type) {
	case nil:
		switch {
		case t.Kind() == parquet.ByteArray:
			return arrow.BinaryTypes.Binary
		case size > 0 && t.ConvertedType() == nil: // an INTERVAL is no more than that
			return &arrow.FixedSizeBinaryType{ByteWidth: size}
		}
	case *format.BsonType:
		return arrow.BinaryTypes.Binary
	case *format.UUIDType:
		return &arrow.FixedSizeBinaryType{ByteWidth: 16}
	case *format.Float16Type:
		if size == 2 {
			return arrow.FixedWidthTypes.Float16
		}
	case *format.DecimalType:
		switch {
		case lt.Precision > 0 && lt.Precision <= 38 && size <= 16:
			return &arrow.Decimal128Type{Precision: lt.Precision, Scale: lt.Scale}
		case lt.Precision > 0 && lt.Precision <= 76 && size <= 32:
			return &arrow.Decimal256Type{Precision: lt.Precision, Scale: lt.Scale}
		}
	case *format.TimeType:
		switch lt.Unit.Value.(type) {
		case *format.MilliSeconds:
			if t.Kind() == parquet.Int32 {
				return arrow.FixedWidthTypes.Time32ms
			}
		case *format.MicroSeconds:
			if t.Kind() == parquet.Int64 {
				return arrow.FixedWidthTypes.Time64us
			}
		case *format.NanoSeconds:
			if t.Kind() == parquet.Int64 {
				return arrow.FixedWidthTypes.Time64ns
			}
		}
	}
	return nil
}

// parquetType maps the type of a leaf, or names the one that is not read.
func parquetType(t parquet.Type) (arrow.DataType, string) {
	lt := logical(t)
	switch t.Kind() {
	case parquet.Boolean:
		return arrow.FixedWidthTypes.Boolean, ""
	case parquet.Float:
		return arrow.PrimitiveTypes.Float32, ""
	case parquet.Double:
		return arrow.PrimitiveTypes.Float64, ""
	case parquet.ByteArray:
		switch lt.(type) {
		case *format.StringType, *format.EnumType, *format.JsonType:
			return arrow.BinaryTypes.String, ""
		}
		return nil, "binary"
	case parquet.Int32, parquet.Int64:
		bits := 32
		if t.Kind() == parquet.Int64 {
			bits = 64
		}
		switch lt := lt.(type) {
		case nil:
			return intType(bits, true), ""
		case *format.IntType:
			if w := int(lt.BitWidth); w == bits || bits == 32 && (w == 8 || w == 16) {
				return intType(w, lt.IsSigned), ""
			}
		case *format.DateType:
			if bits == 32 {
				return arrow.FixedWidthTypes.Date32, ""
			}
		case *format.TimestampType:
			ts := &arrow.TimestampType{}
			if lt.IsAdjustedToUTC {
				ts.TimeZone = "UTC"
			}
			switch lt.Unit.Value.(type) {
			case *format.MilliSeconds:
				ts.Unit = arrow.Millisecond
			case *format.MicroSeconds:
				ts.Unit = arrow.Microsecond
			case *format.NanoSeconds:
				ts.Unit = arrow.Nanosecond
			default:
				return nil, t.String()
			}
			if bits == 64 {
				return ts, ""
			}
		}
	}
	return nil, t.String()
}

func logical(t parquet.Type) format.LogicalTypeValue {
	if lt := t.LogicalType(); lt != nil {
		return lt.Value
	}
	return nil
}

func (p *parquetReader) columns() []Column {
	list := make([]Column, len(p.nodes))
	metadata, _ := p.file.Lookup("huggingface")
	classes := classNames(metadata)
	was := p.arrowTypes()
	for i, n := range p.nodes {
		list[i] = Column{Name: n.name, Type: n.kind, Nullable: true}.as(n.typ)
		if n.kind == "" {
			list[i].Type = typeName(n.typ)
			if arrow.IsInteger(n.typ.ID()) || list[i].IDs() {
				list[i].classes = classes[n.name]
			}
		}
		if n.typ != nil && sameValues(n.typ, was[n.name]) {
			list[i].carried = was[n.name]
		}
	}
	return list
}

// arrowTypes gives the types of columns that the file was written from, where its writer has kept
// an Arrow schema in the metadata.
func (p *parquetReader) arrowTypes() map[string]arrow.DataType {
	text, _ := p.file.Lookup("ARROW:schema")
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) < 8 || !bytes.HasPrefix(b, continuation) {
		return nil
	}
	m, err := parseMessage(b[8:], p.size)
	if err != nil || m.kind != headerSchema {
		return nil
	}
	types := map[string]arrow.DataType{}
	for i := range m.fields {
		if f := &m.fields[i]; !f.dict {
			types[f.name] = f.decoded()
		}
	}
	return types
}

// sameValues reports whether values as they are stored in Parquet were of another Arrow type, which
// copyArray can restore.
func sameValues(stored, was arrow.DataType) bool {
	switch was := was.(type) {
	case *arrow.TimestampType:
		s, ok := stored.(*arrow.TimestampType)
		return ok && s.Unit == was.Unit && (s.TimeZone != "") == (was.TimeZone != "")
	case *arrow.DurationType:
		return stored.ID() == arrow.INT64
	case *arrow.Float16Type:
		s, ok := stored.(*arrow.FixedSizeBinaryType)
		return ok && s.ByteWidth == 2
	case *arrow.LargeStringType:
		return stored.ID() == arrow.STRING
	case *arrow.LargeBinaryType:
		return stored.ID() == arrow.BINARY
	case *arrow.LargeListType, *arrow.FixedSizeListType:
		s, ok := stored.(*arrow.ListType)
		return ok && arrow.TypeEqual(s.Elem(), was.(arrow.ListLikeType).Elem())
	}
	return false
}

func (p *parquetReader) count() int64 { return p.rows }

func (p *parquetReader) close() (err error) {
	defer func() {
		if v := recover(); v != nil { // after a fault the library's state may be anything
			err = fmt.Errorf("closing a damaged Parquet file: %v", v)
		}
	}()
	defer func() {
		if p.h != nil {
			err = p.h.Close()
		}
	}()
	for _, l := range p.open {
		if l != nil {
			l.close()
		}
	}
	p.open = nil
	return nil
}

// parquetLeaf reads the values of a leaf column of one row group.
type parquetLeaf struct {
	pages  parquet.Pages // nil: values are of all pages
	page   parquet.Page
	values parquet.ValueReader
	buf    [256]parquet.Value
	at, n  int
}

func (l *parquetLeaf) close() {
	if l.page != nil {
		parquet.Release(l.page)
	}
	if l.pages != nil {
		l.pages.Close()
	}
}

// peek returns the next value; io.EOF at the end of the row group.
func (l *parquetLeaf) peek() (*parquet.Value, error) {
	for l.at == l.n {
		if l.values != nil {
			n, err := l.values.ReadValues(l.buf[:])
			if err != nil && err != io.EOF {
				return nil, err
			}
			l.at, l.n = 0, n
			if n > 0 {
				break
			}
			if l.pages == nil {
				return nil, io.EOF
			}
			parquet.Release(l.page)
			l.page, l.values = nil, nil
		}
		page, err := l.pages.ReadPage()
		if err != nil {
			return nil, err
		}
		l.page, l.values = page, page.Values()
	}
	return &l.buf[l.at], nil
}

func (p *parquetReader) next(s *Scanner) (*Batch, error) {
	b := newRowBuilder(s)
	for !b.full() {
		for p.left == 0 {
			if err := p.finish(); err != nil {
				return nil, err
			}
			if p.group+1 >= len(p.file.RowGroups()) {
				if b.rows == 0 {
					return nil, io.EOF
				}
				return b.batch(), nil
			}
			p.group++
			g := p.file.RowGroups()[p.group]
			p.left, p.budget = g.NumRows(), int64(p.most)
			chunks := g.ColumnChunks()
			p.open = make([]*parquetLeaf, len(chunks))
			for _, c := range s.selected {
				n := p.nodes[c]
				for i := n.first; i < n.first+n.leaves(); i++ {
					pages, err := p.pages(i)
					if err != nil {
						return nil, fmt.Errorf("row group %d: column %q: %w", p.group, n.name, err)
					}
					if l := n.find(i); l.typ == arrow.FixedWidthTypes.Boolean {
						p.open[i] = &parquetLeaf{values: &booleanPages{pages: pages, rep: l.rep, def: l.def, column: i}}
						continue
					}
					p.open[i] = &parquetLeaf{pages: chunks[i].(*parquet.FileColumnChunk).PagesFrom(&pageStream{pages: pages})}
				}
			}
		}
		if b.rows%64 == 0 && s.ctx.Err() != nil {
			return nil, s.ctx.Err()
		}
		row := p.file.RowGroups()[p.group].NumRows() - p.left
		bad := false
		for i, c := range s.selected {
			n := p.nodes[c]
			invalid, err := p.value(n, b.Field(i), &b.bytes)
			if err == nil {
				err = p.rowEnds(n)
			}
			if err != nil {
				if err == io.EOF {
					err = errors.New("damaged data: rows are missing")
				}
				return nil, fmt.Errorf("row group %d, row %d: column %q: %w", p.group, row, n.name, err)
			}
			if invalid && !bad {
				bad = true // the value is null; the record is counted once
				if err := s.skip(fmt.Errorf("row group %d, row %d: column %q: %w", p.group, row, n.name, errInvalidUTF8)); err != nil {
					return nil, err
				}
			}
		}
		p.left--
		b.rows++
	}
	return b.batch(), nil
}

// pages opens the pages of a column of the row group.
func (p *parquetReader) pages(column int) (*parquetPages, error) {
	c := p.chunks[p.group][column]
	if c.size == 0 { // of a row group without rows
		return &parquetPages{}, nil
	}
	if c.pos < 4 || c.size < 0 || c.pos > p.size || c.size > p.size-c.pos {
		return nil, fmt.Errorf("damaged data: pages at %d of %d bytes", c.pos, p.size)
	}
	return &parquetPages{r: p.r, pos: c.pos, end: c.pos + c.size, codec: c.codec, most: p.most, budget: &p.budget}, nil
}

// finish closes the leaves of a row group, which must have been read to the end.
func (p *parquetReader) finish() error {
	var fault error
	for i, l := range p.open {
		if l == nil {
			continue
		}
		if _, err := l.peek(); err != io.EOF && fault == nil {
			if fault = err; err == nil {
				fault = errors.New("damaged data: more values than rows")
			}
			fault = fmt.Errorf("row group %d: leaf column %d: %w", p.group, i, fault)
		}
		l.close()
	}
	p.open = nil
	return fault
}

func (n *parquetNode) leaves() int {
	if len(n.children) == 0 {
		return 1
	}
	sum := 0
	for _, c := range n.children {
		sum += c.leaves()
	}
	return sum
}

// find returns the leaf of a number among those below n.
func (n *parquetNode) find(leaf int) *parquetNode {
	for _, c := range n.children {
		if leaf < c.first+c.leaves() {
			return c.find(leaf)
		}
	}
	return n
}

// rowEnds checks that the next value of a column begins a row.
func (p *parquetReader) rowEnds(n *parquetNode) error {
	for i := n.first; i < n.first+n.leaves(); i++ {
		if v, err := p.open[i].peek(); err == nil && v.RepetitionLevel() != 0 {
			return errors.New("damaged data: levels that do not fit the schema")
		} else if err != nil && err != io.EOF {
			return err
		}
	}
	return nil
}

// absent steps over the values that stand for a node that is not there.
func (p *parquetReader) absent(n *parquetNode) error {
	for i := n.first; i < n.first+n.leaves(); i++ {
		if _, err := p.open[i].peek(); err != nil {
			return err
		}
		p.open[i].at++
	}
	return nil
}

// value appends the next value of a node. invalid: text in it was not UTF-8 and
// was made null.
func (p *parquetReader) value(n *parquetNode, b array.Builder, size *int) (invalid bool, err error) {
	l := p.open[n.first]
	v, err := l.peek()
	if err != nil {
		return false, err
	}
	def := v.DefinitionLevel()
	if def < n.def {
		b.AppendNull()
		return false, p.absent(n)
	}
	switch {
	case n.list > 0:
		lb := b.(*array.ListBuilder)
		lb.Append(true)
		if def < n.listDef {
			return false, p.absent(n)
		}
		for {
			bad, err := p.value(n.children[0], lb.ValueBuilder(), size)
			if err != nil {
				return false, err
			}
			invalid = invalid || bad
			if *size++; *size > int(p.most) {
				return false, p.most.errBatch()
			}
			next, err := l.peek()
			if err == io.EOF || err == nil && next.RepetitionLevel() < n.list {
				return invalid, nil
			}
			if err != nil {
				return false, err
			}
			if next.RepetitionLevel() > n.list {
				return false, errors.New("damaged data: levels that do not fit the schema")
			}
		}
	case len(n.children) > 0:
		sb := b.(*array.StructBuilder)
		sb.Append(true)
		for i, c := range n.children {
			bad, err := p.value(c, sb.FieldBuilder(i), size)
			if err != nil {
				return false, err
			}
			invalid = invalid || bad
		}
		return invalid, nil
	}
	l.at++
	if v.IsNull() {
		b.AppendNull()
		return false, nil
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		text := v.ByteArray()
		if !utf8.Valid(text) {
			b.AppendNull()
			return true, nil
		}
		if *size += len(text); *size > int(p.most) {
			return false, p.most.errBatch()
		}
		b.BinaryBuilder.Append(text)
	case *array.BooleanBuilder:
		b.Append(v.Boolean())
	case *array.Int8Builder:
		b.Append(int8(v.Int32()))
	case *array.Int16Builder:
		b.Append(int16(v.Int32()))
	case *array.Int32Builder:
		b.Append(v.Int32())
	case *array.Int64Builder:
		b.Append(v.Int64())
	case *array.Uint8Builder:
		b.Append(uint8(v.Uint32()))
	case *array.Uint16Builder:
		b.Append(uint16(v.Uint32()))
	case *array.Uint32Builder:
		b.Append(v.Uint32())
	case *array.Uint64Builder:
		b.Append(v.Uint64())
	case *array.Float32Builder:
		b.Append(v.Float())
	case *array.Float64Builder:
		b.Append(v.Double())
	case *array.Date32Builder:
		b.Append(arrow.Date32(v.Int32()))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Int64()))
	case *array.Time32Builder:
		b.Append(arrow.Time32(v.Int32()))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v.Int64()))
	case *array.Float16Builder:
		b.Append(float16.FromBits(binary.LittleEndian.Uint16(v.ByteArray())))
	case *array.BinaryBuilder:
		if *size += len(v.ByteArray()); *size > int(p.most) {
			return false, p.most.errBatch()
		}
		b.Append(v.ByteArray())
	case *array.FixedSizeBinaryBuilder:
		*size += len(v.ByteArray())
		b.Append(v.ByteArray())
	case *array.Decimal128Builder:
		d, err := parquetDecimal(v)
		if err != nil {
			return false, err
		}
		b.Append(decimal128.FromBigInt(d))
	case *array.Decimal256Builder:
		d, err := parquetDecimal(v)
		if err != nil {
			return false, err
		}
		b.Append(decimal256.FromBigInt(d))
	default:
		return false, fmt.Errorf("no column of type %s", b.Type())
	}
	*size += 8
	return false, nil
}

// parquetDecimal returns the digits of a decimal, an integer of either width or, in bytes, in two's
// complement, the highest first.
func parquetDecimal(v *parquet.Value) (*big.Int, error) {
	switch v.Kind() {
	case parquet.Int32:
		return big.NewInt(int64(v.Int32())), nil
	case parquet.Int64:
		return big.NewInt(v.Int64()), nil
	}
	digits := v.ByteArray()
	if len(digits) > 32 {
		return nil, fmt.Errorf("damaged data: a decimal of %d bytes", len(digits))
	}
	d := new(big.Int).SetBytes(digits)
	if len(digits) > 0 && digits[0] >= 0x80 {
		d.Sub(d, new(big.Int).Lsh(big.NewInt(1), uint(8*len(digits))))
	}
	return d, nil
}

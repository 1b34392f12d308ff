package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	flatbuffers "github.com/google/flatbuffers/go"
)

// maxBatch bounds the decoded bytes of the selected columns of one record
// batch: memory must not depend on how a file was written.
const maxBatch = 1 << 30

// File is an Arrow IPC file or stream, open for random access. It is safe for
// concurrent use after Select.
type File struct {
	path    string
	r       io.ReaderAt
	closer  io.Closer // nil: nothing to close
	size    int64
	stream  bool // not a file
	version int
	fields  []arrowField
	batches []arrowBlock
	first   []int64 // row number of each batch's first row, and the sum of all
	dicts   []dictBlock
	columns []column // selected
	schema  []byte   // of the selected columns, as a message for arrow-go
	cache   *Cache
}

type dictBlock struct {
	block arrowBlock
	id    int64
	delta bool
}

type column struct {
	field int
	dict  int64 // its number in the stream for arrow-go, -1: none
}

// Column describes a column of a file.
type Column struct {
	Name     string `json:"name"`
	Type     string `json:"type"` // "utf8", "int64", "dictionary<utf8>"…
	Nullable bool   `json:"nullable"`
}

// Close closes the file.
func (a *File) Close() error {
	if a.closer == nil {
		return nil
	}
	return a.closer.Close()
}

// Path returns the name that the file was opened by.
func (a *File) Path() string { return a.path }

// Size returns the size of the file in bytes.
func (a *File) Size() int64 { return a.size }

// Rows returns the number of rows.
func (a *File) Rows() int64 { return a.first[len(a.first)-1] }

// Batches returns the number of record batches.
func (a *File) Batches() int { return len(a.batches) }

// Columns lists the columns of the file.
func (a *File) Columns() []Column {
	list := make([]Column, len(a.fields))
	for i := range a.fields {
		list[i] = Column{a.fields[i].name, a.fields[i].kind(), a.fields[i].nullable}
	}
	return list
}

// Readable reports whether the file has a column of that name that Select takes.
func (a *File) Readable(name string) bool {
	for i := range a.fields {
		if a.fields[i].name == name {
			return a.fields[i].readable()
		}
	}
	return false
}

// Cached lets Row keep decoded batches in a cache.
func (a *File) Cached(c *Cache) { a.cache = c }

// read returns n bytes at offset, which was checked against the size before.
func (a *File) read(offset, n int64) ([]byte, error) {
	b := make([]byte, n)
	return b, a.readInto(b, offset)
}

func (a *File) readInto(b []byte, offset int64) error {
	_, err := a.r.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		return errors.New("truncated: the file became shorter while it was read")
	}
	return err
}

func (a *File) indexFile() error {
	const trailer = 4 + 6 // size of the footer, magic
	if a.size < 8+trailer {
		return fmt.Errorf("truncated Arrow file: only %d bytes", a.size)
	}
	tail, err := a.read(a.size-trailer, trailer)
	if err != nil {
		return err
	}
	if !bytes.Equal(tail[4:], arrowMagic) {
		return errors.New("truncated Arrow file: it does not end with the mark ARROW1")
	}
	n := int64(binary.LittleEndian.Uint32(tail))
	if n < 4 || n > a.size-trailer-8 {
		return fmt.Errorf("damaged Arrow file: a footer of %d bytes in a file of %d", n, a.size)
	}
	end := a.size - trailer - n
	footer, err := a.read(end, n)
	if err != nil {
		return err
	}
	fields, dicts, records, err := parseFooter(footer)
	if err != nil {
		return fmt.Errorf("footer: %w", err)
	}
	a.fields = fields
	for i, b := range dicts {
		m, err := a.message(b, end)
		if err == nil && m.kind != headerDictionary {
			err = errors.New("damaged metadata: no dictionary where the footer has one")
		}
		if err != nil {
			return fmt.Errorf("dictionary %d: %w", i, err)
		}
		a.dicts = append(a.dicts, dictBlock{b, m.dictID, m.delta})
	}
	for i, b := range records {
		m, err := a.message(b, end)
		if err == nil && m.kind != headerRecord {
			err = errors.New("damaged metadata: no record batch where the footer has one")
		}
		if err == nil {
			err = a.addBatch(b, &m)
		}
		if err != nil {
			return fmt.Errorf("record batch %d: %w", i, err)
		}
	}
	return nil
}

func (a *File) addBatch(b arrowBlock, m *arrowMessage) error {
	if a.version == 0 {
		a.version = m.version
	}
	if m.version != a.version {
		return errors.New("damaged metadata: messages of several versions")
	}
	var l layout
	for i := range a.fields {
		at := l
		if err := l.skip(&a.fields[i], &m.batch, m.version); err != nil {
			return err
		}
		if m.batch.nodes[at.node].rows != m.batch.rows {
			return fmt.Errorf("damaged metadata: column %q has %d rows, the batch %d", a.fields[i].name, m.batch.nodes[at.node].rows, m.batch.rows)
		}
	}
	if l.node != len(m.batch.nodes) || l.buffer != len(m.batch.buffers) {
		return errors.New("damaged metadata: more buffers than the columns need")
	}
	if m.batch.rows > math.MaxInt32 {
		return fmt.Errorf("damaged metadata: %d rows in one batch", m.batch.rows)
	}
	a.batches = append(a.batches, b)
	a.first = append(a.first, a.Rows()+m.batch.rows)
	return nil
}

// message reads and verifies the header of the message in a block, which must
// end before limit.
func (a *File) message(b arrowBlock, limit int64) (m arrowMessage, err error) {
	if b.offset < 8 || b.offset%8 != 0 || b.meta < 8 || b.body < 0 ||
		b.offset > limit || int64(b.meta) > limit-b.offset || b.body > limit-b.offset-int64(b.meta) {
		return m, fmt.Errorf("truncated or damaged: a message of %d+%d bytes at %d, of %d bytes", b.meta, b.body, b.offset, limit)
	}
	meta, err := a.read(b.offset, int64(b.meta))
	if err != nil {
		return m, err
	}
	n, body := binary.LittleEndian.Uint32(meta), meta[4:]
	if n == 0xffffffff { // files before Arrow 0.15 lack the mark
		n, body = binary.LittleEndian.Uint32(meta[4:]), meta[8:]
	}
	if int64(n) > int64(len(body)) {
		return m, errors.New("damaged metadata: a header longer than its message")
	}
	if m, err = parseMessage(body[:n]); err != nil {
		return m, err
	}
	if m.body != b.body {
		return m, fmt.Errorf("damaged metadata: a body of %d bytes, or of %d", m.body, b.body)
	}
	return m, nil
}

func (a *File) indexStream() error {
	a.stream = true
	for pos := int64(0); ; {
		if a.size-pos < 8 {
			return fmt.Errorf("truncated Arrow stream: it ends at byte %d without the end mark", a.size)
		}
		head, err := a.read(pos, 8)
		if err != nil {
			return err
		}
		if !bytes.Equal(head[:4], continuation) {
			return fmt.Errorf("damaged Arrow stream: no message at byte %d", pos)
		}
		n := int64(binary.LittleEndian.Uint32(head[4:]))
		if n == 0 {
			if a.fields == nil {
				return errors.New("damaged Arrow stream: no schema")
			}
			if rest := a.size - pos - 8; rest != 0 {
				return fmt.Errorf("damaged Arrow stream: %d bytes after its end mark", rest)
			}
			break
		}
		if n > a.size-pos-8 {
			return fmt.Errorf("truncated Arrow stream: a header of %d bytes at byte %d of %d", n, pos, a.size)
		}
		meta, err := a.read(pos+8, n)
		if err != nil {
			return err
		}
		where := fmt.Sprintf("record batch %d", len(a.batches))
		if a.fields == nil {
			where = "schema"
		}
		m, err := parseMessage(meta)
		if err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
		if m.body > a.size-pos-8-n {
			return fmt.Errorf("%s: truncated Arrow stream: a body of %d bytes at byte %d of %d", where, m.body, pos, a.size)
		}
		b := arrowBlock{offset: pos, meta: int(8 + n), body: m.body}
		switch {
		case (m.kind == headerSchema) != (a.fields == nil):
			return fmt.Errorf("%s: damaged Arrow stream: the schema is not its first message, alone", where)
		case m.kind == headerSchema:
			if a.fields = m.fields; a.fields == nil {
				a.fields = []arrowField{}
			}
		case m.kind == headerDictionary:
			a.dicts = append(a.dicts, dictBlock{b, m.dictID, m.delta})
		default:
			if err := a.addBatch(b, &m); err != nil {
				return fmt.Errorf("%s: %w", where, err)
			}
		}
		pos += 8 + n + m.body
	}
	return nil
}

// Select chooses the columns that Batch reads, by name and in this order. A
// column must hold text (utf8, large_utf8, either as a dictionary) or integers,
// which are read as their decimal digits, or as the names of classes where
// Hugging Face datasets has left these in the file.
func (a *File) Select(names ...string) error {
	a.columns = nil
	var fields []arrow.Field
	dicts := int64(0)
	for _, name := range names {
		i := 0
		for i < len(a.fields) && a.fields[i].name != name {
			i++
		}
		if i == len(a.fields) {
			return fmt.Errorf("data: %s: no column %q%s; its columns: %s", a.path, name, hint(name, a.names()), a.list())
		}
		fd := &a.fields[i]
		if !fd.readable() {
			return fmt.Errorf("data: %s: column %q is %s; text columns are utf8, large_utf8 or a dictionary of these (hint: cast it when writing the file); its columns: %s", a.path, name, fd.kind(), a.list())
		}
		var t arrow.DataType = arrow.BinaryTypes.String
		switch fd.typ {
		case typeLargeUtf8:
			t = arrow.BinaryTypes.LargeString
		case typeInt:
			t = intType(fd.bits, fd.signed)
		}
		c := column{i, -1}
		if fd.dict {
			t = &arrow.DictionaryType{IndexType: intType(fd.index.bits, fd.index.signed), ValueType: t}
			c.dict = dicts
			dicts++
		}
		a.columns = append(a.columns, c)
		fields = append(fields, arrow.Field{Name: strconv.Itoa(len(fields)), Type: t, Nullable: true})
	}
	var buf bytes.Buffer
	if err := ipc.NewWriter(&buf, ipc.WithSchema(arrow.NewSchema(fields, nil))).Close(); err != nil {
		return fmt.Errorf("data: %s: %w", a.path, err)
	}
	b := buf.Bytes()
	a.schema = b[8 : 8+binary.LittleEndian.Uint32(b[4:])] // without mark and length
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

func (a *File) list() string {
	var s []string
	for i := range a.fields {
		s = append(s, fmt.Sprintf("%s (%s)", a.fields[i].name, a.fields[i].kind()))
	}
	if len(s) == 0 {
		return "none"
	}
	return strings.Join(s, ", ")
}

func (a *File) names() []string {
	names := make([]string, len(a.fields))
	for i := range a.fields {
		names[i] = a.fields[i].name
	}
	return names
}

// Batch is a decoded record batch: the selected columns of some rows.
type Batch struct {
	First   int64 // number of its first row in the file
	Rows    int
	Bytes   int64 // decoded
	columns []arrow.Array
	classes [][]string // by column, nil: none
}

// Text returns the value of the selected column col in row row of the batch;
// ok is false where it is null. The string stays valid as long as it is used.
func (b *Batch) Text(col, row int) (text string, ok bool) {
	text, ok = textOf(b.columns[col], row)
	if names := b.classes[col]; names != nil && ok {
		class, err := strconv.Atoi(text)
		if err != nil || class < 0 || class >= len(names) {
			return "", false // -1 is how datasets marks a row without label
		}
		return names[class], true
	}
	return text, ok
}

func textOf(c arrow.Array, row int) (string, bool) {
	if c.IsNull(row) {
		return "", false
	}
	switch c := c.(type) {
	case *array.String:
		return c.Value(row), true
	case *array.LargeString:
		return c.Value(row), true
	case *array.Dictionary:
		return textOf(c.Dictionary(), c.GetValueIndex(row))
	}
	return c.ValueStr(row), true // integers
}

// Batch reads record batch k: of the file, only the buffers of the selected
// columns. All text is verified to be UTF-8; where it is not, the error names
// the record batch and the row in it.
func (a *File) Batch(k int) (b *Batch, err error) {
	// arrow-go panics on faults in the data; what could hurt more than that
	// is refused before it comes so far.
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, fmt.Errorf("data: %s: record batch %d: damaged data: %v", a.path, k, r)
		}
	}()
	b, err = a.decode(k)
	if err != nil {
		return nil, fmt.Errorf("data: %s: record batch %d: %w", a.path, k, err)
	}
	for c, arr := range b.columns {
		if r, err := verifyText(arr); err != nil {
			return nil, fmt.Errorf("data: %s: record batch %d, row %d: column %q: %w", a.path, k, r, a.fields[a.columns[c].field].name, err)
		}
	}
	return b, nil
}

func (a *File) decode(k int) (*Batch, error) {
	if len(a.columns) == 0 {
		return nil, errors.New("no column is selected")
	}
	m, err := a.message(a.batches[k], a.size)
	if err != nil {
		return nil, err
	}
	if m.kind != headerRecord || m.version != a.version || m.batch.rows != a.first[k+1]-a.first[k] {
		return nil, errors.New("the file changed while it was open")
	}
	stream := &messages{}
	stream.add(a.schema, nil)
	budget := int64(maxBatch)
	for _, c := range a.columns {
		if c.dict < 0 {
			continue
		}
		if err := a.dictionary(stream, k, c, &budget); err != nil {
			return nil, err
		}
	}

	at := make([]layout, len(a.fields))
	var l layout
	for i := range a.fields {
		at[i] = l
		if err := l.skip(&a.fields[i], &m.batch, m.version); err != nil {
			return nil, err
		}
	}
	e := newEncoder(m.batch.codec)
	total := int64(0)
	for _, c := range a.columns {
		for i := at[c.field].buffer; i < len(m.batch.buffers) && i < at[c.field].buffer+3; i++ {
			total += m.batch.buffers[i].length + 8
		}
	}
	if total < maxBatch {
		e.body = make([]byte, 0, total)
	}
	for _, c := range a.columns {
		fd, l := &a.fields[c.field], at[c.field]
		if err := a.copyColumn(e, fd, fd.dict, &m.batch, l, a.batches[k], &budget); err != nil {
			return nil, fmt.Errorf("column %q: %w", fd.name, err)
		}
	}
	e.finish(stream, m.batch.rows, -1, false)

	r, err := ipc.NewReaderFromMessageReader(stream)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	rec, err := r.Read()
	if err != nil {
		return nil, err
	}
	b := &Batch{First: a.first[k], Rows: int(rec.NumRows()), Bytes: maxBatch - budget}
	if rec.NumRows() != m.batch.rows {
		return nil, errors.New("damaged data: rows are missing")
	}
	for i, c := range rec.Columns() {
		c.Retain()
		b.columns = append(b.columns, c)
		b.classes = append(b.classes, a.fields[a.columns[i].field].classes)
	}
	return b, nil
}

// dictionary appends the messages of a column's dictionary, as it stands at
// batch k, to the stream for arrow-go.
func (a *File) dictionary(stream *messages, k int, c column, budget *int64) error {
	fd := a.fields[c.field]
	from, to := -1, 0
	for i, d := range a.dicts {
		// In a file, dictionaries stand anywhere; in a stream, those of later
		// batches may replace earlier ones.
		if d.id != fd.dictID || a.stream && d.block.offset > a.batches[k].offset {
			continue
		}
		if !d.delta {
			if from >= 0 && !a.stream {
				return fmt.Errorf("column %q: a second dictionary %d in one file", fd.name, d.id)
			}
			from = i
		}
		to = i + 1
	}
	if from < 0 {
		return fmt.Errorf("column %q: its dictionary %d is missing", fd.name, fd.dictID)
	}
	value := fd
	value.dict = false
	for i := from; i < to; i++ {
		d := a.dicts[i]
		if d.id != fd.dictID {
			continue
		}
		m, err := a.message(d.block, a.size)
		if err != nil {
			return fmt.Errorf("column %q: dictionary: %w", fd.name, err)
		}
		if m.kind != headerDictionary {
			return errors.New("the file changed while it was open")
		}
		if len(m.batch.nodes) == 0 || m.batch.nodes[0].rows != m.batch.rows {
			return fmt.Errorf("column %q: dictionary: %w", fd.name, errFlat)
		}
		e := newEncoder(m.batch.codec)
		if err := a.copyColumn(e, &value, false, &m.batch, layout{}, d.block, budget); err != nil {
			return fmt.Errorf("column %q: dictionary: %w", fd.name, err)
		}
		e.finish(stream, m.batch.rows, c.dict, d.delta)
	}
	return nil
}

// copyColumn verifies the buffers of a column of text or integers and copies
// them from the file to the message for arrow-go.
func (a *File) copyColumn(e *encoder, fd *arrowField, indices bool, b *arrowBatch, l layout, block arrowBlock, budget *int64) error {
	count, width := 3, int64(4) // validity, offsets, data
	switch {
	case indices:
		count, width = 2, int64(fd.index.bits/8)
	case fd.typ == typeInt:
		count, width = 2, int64(fd.bits/8)
	case fd.typ == typeLargeUtf8:
		width = 8
	}
	if l.node >= len(b.nodes) || l.buffer+count > len(b.buffers) {
		return errFlat
	}
	node := b.nodes[l.node]
	e.node(node)
	for i := range count {
		bf := b.buffers[l.buffer+i]
		var least int64
		switch {
		case i == 0 && node.nulls > 0:
			least = (node.rows + 7) / 8
		case i == 1 && count == 2:
			least = node.rows * width
		case i == 1 && node.rows > 0:
			least = (node.rows + 1) * width
		}
		if i == 0 && node.nulls == 0 {
			bf.length = 0 // not needed
		}
		var raw []byte
		if bf.length > 0 {
			var err error
			if *budget < bf.length {
				return fmt.Errorf("more than %d MiB in one record batch: write the file with smaller ones", maxBatch>>20)
			}
			raw = e.extend(int(bf.length))
			if err = a.readInto(raw, block.offset+int64(block.meta)+bf.offset); err != nil {
				return err
			}
		}
		n, err := decodedSize(raw, b.codec)
		if err != nil {
			return err
		}
		if n < least {
			return fmt.Errorf("damaged data: %d bytes for %d rows, which need %d", n, node.rows, least)
		}
		if *budget -= n; *budget < 0 {
			return fmt.Errorf("more than %d MiB in one record batch: write the file with smaller ones", maxBatch>>20)
		}
		e.buffer(len(raw))
	}
	return nil
}

// verifyText checks what arrow-go takes on trust: the count of nulls, that
// offsets rise and stay within the data, that dictionary indices exist, and
// that text is UTF-8. It returns the row of the first fault.
func verifyText(arr arrow.Array) (row int, err error) {
	n := arr.Len()
	if valid := arr.NullBitmapBytes(); arr.NullN() > 0 {
		if len(valid) < (n+7)/8 {
			return 0, errors.New("damaged data: a short validity bitmap")
		}
		ones := 0
		for i, v := range valid[:(n+7)/8] {
			if rest := n - 8*i; rest < 8 {
				v &= 1<<rest - 1
			}
			ones += bits.OnesCount8(v)
		}
		if ones != n-arr.NullN() {
			return 0, fmt.Errorf("damaged data: %d nulls announced, %d found", arr.NullN(), n-ones)
		}
	}
	switch c := arr.(type) {
	case *array.String, *array.LargeString:
		offset := func(i int) int64 { return 0 }
		if s, ok := c.(*array.String); ok {
			offset = func(i int) int64 { return int64(s.ValueOffset(i)) }
		} else if s, ok := c.(*array.LargeString); ok {
			offset = func(i int) int64 { return s.ValueOffset(i) }
		}
		size := int64(0)
		if data := c.Data().Buffers()[2]; data != nil {
			size = int64(data.Len())
		}
		for i := range n {
			lo, hi := offset(i), offset(i+1)
			if lo < 0 || lo > hi || hi > size {
				return i, fmt.Errorf("damaged data: text from byte %d to %d of %d", lo, hi, size)
			}
			if s, ok := textOf(c, i); ok && !utf8.ValidString(s) {
				return i, errors.New("invalid UTF-8")
			}
		}
	case *array.Dictionary:
		values := c.Dictionary()
		bad, fault := verifyText(values)
		for i := range n {
			if c.IsNull(i) {
				continue
			}
			v := c.GetValueIndex(i)
			if v < 0 || v >= values.Len() {
				return i, fmt.Errorf("damaged data: index %d in a dictionary of %d", v, values.Len())
			}
			if fault != nil && v == bad {
				return i, fault
			}
		}
		if fault != nil { // of an entry that no row here uses: refuse it all the same
			return 0, fmt.Errorf("dictionary entry %d: %w", bad, fault)
		}
	}
	return 0, nil
}

// Row returns the batch that holds a row, and the row's number in it.
func (a *File) Row(i int64) (*Batch, int, error) {
	if i < 0 || i >= a.Rows() {
		return nil, 0, fmt.Errorf("data: %s: row %d of %d", a.path, i, a.Rows())
	}
	k := sort.Search(len(a.batches), func(k int) bool { return a.first[k+1] > i })
	b, err := a.cache.batch(a, k)
	if err != nil {
		return nil, 0, err
	}
	return b, int(i - b.First), nil
}

// messages hands messages to arrow-go, one after the other.
type messages struct{ list []*ipc.Message }

func (m *messages) add(meta, body []byte) {
	m.list = append(m.list, ipc.NewMessage(memory.NewBufferBytes(meta), memory.NewBufferBytes(body)))
}

// Message implements ipc.MessageReader.
func (m *messages) Message() (*ipc.Message, error) {
	if len(m.list) == 0 {
		return nil, io.EOF
	}
	first := m.list[0]
	m.list = m.list[1:]
	return first, nil
}

// Retain and Release implement ipc.MessageReader: the garbage collector knows
// better.
func (m *messages) Retain()  {}
func (m *messages) Release() {}

// encoder writes a message for arrow-go from verified parts.
type encoder struct {
	codec   int
	nodes   []arrowNode
	buffers []arrowBuffer
	body    []byte
}

func newEncoder(codec int) *encoder { return &encoder{codec: codec} }

func (e *encoder) node(n arrowNode) { e.nodes = append(e.nodes, n) }

// extend lengthens the body by n bytes, which it returns.
func (e *encoder) extend(n int) []byte {
	at := len(e.body)
	e.body = slices.Grow(e.body, n)[:at+n]
	return e.body[at:]
}

// buffer makes the last n bytes of the body a buffer, and pads it.
func (e *encoder) buffer(n int) {
	e.buffers = append(e.buffers, arrowBuffer{int64(len(e.body) - n), int64(n)})
	for len(e.body)%8 != 0 {
		e.body = append(e.body, 0)
	}
}

// finish appends the message to a stream: a dictionary if dict is not negative,
// else a record batch.
func (e *encoder) finish(stream *messages, rows, dict int64, delta bool) {
	fb := flatbuffers.NewBuilder(256)
	pair := func(x, y int64) {
		fb.Prep(8, 16)
		fb.PrependInt64(y)
		fb.PrependInt64(x)
	}
	fb.StartVector(16, len(e.nodes), 8)
	for i := len(e.nodes) - 1; i >= 0; i-- {
		pair(e.nodes[i].rows, e.nodes[i].nulls)
	}
	nodes := fb.EndVector(len(e.nodes))
	fb.StartVector(16, len(e.buffers), 8)
	for i := len(e.buffers) - 1; i >= 0; i-- {
		pair(e.buffers[i].offset, e.buffers[i].length)
	}
	buffers := fb.EndVector(len(e.buffers))
	var compression flatbuffers.UOffsetT
	if e.codec != codecNone {
		fb.StartObject(2)
		fb.PrependInt8Slot(0, int8(e.codec), codecLZ4)
		compression = fb.EndObject()
	}
	fb.StartObject(5)
	fb.PrependInt64Slot(0, rows, 0)
	fb.PrependUOffsetTSlot(1, nodes, 0)
	fb.PrependUOffsetTSlot(2, buffers, 0)
	fb.PrependUOffsetTSlot(3, compression, 0)
	header, kind := fb.EndObject(), headerRecord
	if dict >= 0 {
		fb.StartObject(3)
		fb.PrependInt64Slot(0, dict, 0)
		fb.PrependUOffsetTSlot(1, header, 0)
		fb.PrependBoolSlot(2, delta, false)
		header, kind = fb.EndObject(), headerDictionary
	}
	fb.StartObject(5)
	fb.PrependInt16Slot(0, metadataV5, 0)
	fb.PrependByteSlot(1, byte(kind), 0)
	fb.PrependUOffsetTSlot(2, header, 0)
	fb.PrependInt64Slot(3, int64(len(e.body)), 0)
	fb.Finish(fb.EndObject())

	stream.add(fb.FinishedBytes(), e.body)
}

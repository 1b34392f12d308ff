package source

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// window reads rows of one record batch. The buffers of a batch that is not
// compressed are read from the file just as far as the rows need, so that a
// file of one huge batch costs no memory; compressed ones are decompressed
// whole, once.
//
// arrow-go's own reader is not used: it trusts what it reads. Here every offset
// is checked against the buffer that it points into before arrow-go's arrays
// are built on it.
type window struct {
	f      *File
	k      int
	block  arrowBlock
	b      *arrowBatch
	at     []layout       // of the selected columns
	mem    map[int][]byte // decompressed, by buffer
	spare  map[int][]byte // of the batch before, to be overwritten
	raw    []byte         // a compressed buffer
	budget int64
	reuse  bool // the next rows may overwrite these
	slab   []byte
	used   int
	texts  []string // of a dictionary column's rows
	lossy  bool     // a text was made null
}

// window prepares to read record batch k.
func (a *File) window(k int) (*window, error) {
	w := &window{f: a, k: k}
	if err := w.open(); err != nil {
		return nil, a.fault(k, err)
	}
	return w, nil
}

func (a *File) fault(k int, err error) error {
	return fmt.Errorf("data: %s: record batch %d: %w", a.path, k, err)
}

func (w *window) open() error {
	a := w.f
	if len(a.columns) == 0 {
		return errors.New("no column is selected")
	}
	w.block = a.batches[w.k]
	w.mem, w.spare = w.spare, w.mem
	clear(w.mem)
	for i, m := range w.spare {
		if cap(m) > aheadBytes/aheadBatches {
			delete(w.spare, i)
		}
	}
	m, err := a.message(w.block, a.size)
	if err != nil {
		return err
	}
	if m.kind != headerRecord || m.version != a.version || m.batch.rows != a.first[w.k+1]-a.first[w.k] {
		return errors.New("the file changed while it was open")
	}
	w.b = &m.batch
	all := make([]layout, len(a.fields))
	var l layout
	for i := range a.fields {
		all[i] = l
		if err := l.skip(&a.fields[i], w.b, m.version); err != nil {
			return err
		}
	}
	w.at = w.at[:0]
	for _, c := range a.columns {
		w.at = append(w.at, all[c])
	}
	return nil
}

func (w *window) rows() int64 { return w.b.rows }

// batch reads n rows from row r of the record batch.
func (w *window) batch(r, n int64) (b *Batch, err error) {
	a := w.f
	// Nothing here should panic, but arrow-go's arrays check what they are
	// built from, and panic.
	defer func() {
		if p := recover(); p != nil {
			b, err = nil, a.fault(w.k, fmt.Errorf("damaged data: %v", p))
		}
	}()
	w.budget, w.used = int64(w.f.most), 0
	for _, m := range w.mem {
		w.budget -= int64(len(m))
	}
	b = &Batch{First: a.first[w.k] + r, Rows: int(n)}
	for i, c := range a.columns {
		fd := &a.fields[c]
		d, err := w.column(fd, w.at[i], r, n)
		if err == nil && d.Len() != int(n) {
			err = errors.New("damaged data: rows are missing")
		}
		if err != nil {
			var at *rowError
			if errors.As(err, &at) {
				return nil, fmt.Errorf("data: %s: record batch %d, row %d: column %q: %w", a.path, w.k, r+at.row, fd.name, at.err)
			}
			return nil, a.fault(w.k, fmt.Errorf("column %q: %w", fd.name, err))
		}
		b.columns = append(b.columns, array.MakeFromData(d))
		b.classes = append(b.classes, fd.classes)
	}
	b.Bytes = int64(w.f.most) - w.budget
	if a.picks != nil {
		b.pick(a.picks)
	}
	return b, nil
}

// rowError is a fault in a row of a column.
type rowError struct {
	row int64 // of the window
	err error
}

func (e *rowError) Error() string { return fmt.Sprintf("row %d: %v", e.row, e.err) }
func (e *rowError) Unwrap() error { return e.err }

// alloc returns n bytes, not cleared.
func (w *window) alloc(n int64) ([]byte, error) {
	if n < 0 || n > w.budget {
		return nil, w.f.most.errBatch()
	}
	w.budget -= n
	if !w.reuse {
		return make([]byte, n), nil
	}
	end := w.used + int(n)
	if end > len(w.slab) {
		w.slab = make([]byte, max(2*len(w.slab), end, 64<<10)) // what was handed out of the old one stays
	}
	b := w.slab[w.used:end:end]
	w.used = (end + 63) &^ 63
	w.used = min(w.used, len(w.slab))
	return b, nil
}

// read returns n bytes at offset off of buffer i, which must have them. owned
// says whether the caller may change them.
func (w *window) read(i int, off, n int64) (b []byte, owned bool, err error) {
	if i >= len(w.b.buffers) {
		return nil, false, errFlat
	}
	bf := w.b.buffers[i]
	if off < 0 || n < 0 {
		return nil, false, errFlat
	}
	if n == 0 {
		return nil, true, nil
	}
	if w.b.codec == codecNone {
		if off > bf.length || n > bf.length-off {
			return nil, false, fmt.Errorf("damaged data: a buffer of %d bytes where bytes up to %d are needed", bf.length, off+n)
		}
		b, err := w.alloc(n)
		if err != nil {
			return nil, false, err
		}
		return b, true, w.f.readInto(b, w.block.offset+int64(w.block.meta)+bf.offset+off)
	}
	m, err := w.unpacked(i)
	if err != nil {
		return nil, false, err
	}
	if off > int64(len(m)) || n > int64(len(m))-off {
		return nil, false, fmt.Errorf("damaged data: a buffer of %d bytes where bytes up to %d are needed", len(m), off+n)
	}
	return m[off : off+n : off+n], false, nil
}

// unpacked returns buffer i, which is compressed, decompressed once.
func (w *window) unpacked(i int) ([]byte, error) {
	if m, ok := w.mem[i]; ok {
		return m, nil
	}
	m, err := w.unpack(i)
	if err != nil {
		return nil, err
	}
	if w.mem == nil {
		w.mem = map[int][]byte{}
	}
	w.mem[i] = m
	return m, nil
}

// unpack reads and decompresses buffer i.
func (w *window) unpack(i int) ([]byte, error) {
	bf := w.b.buffers[i]
	if bf.length > w.budget {
		return nil, w.f.most.errBatch()
	}
	raw := w.raw
	if int64(cap(raw)) < bf.length {
		raw = make([]byte, bf.length)
	}
	raw = raw[:bf.length]
	if err := w.f.readInto(raw, w.block.offset+int64(w.block.meta)+bf.offset); err != nil {
		return nil, err
	}
	n, err := decodedSize(raw, w.b.codec)
	if err != nil {
		return nil, err
	}
	if n > w.budget {
		return nil, w.f.most.errBatch()
	}
	w.budget -= n
	w.raw = raw
	dst := w.spare[i]
	delete(w.spare, i)
	if int64(cap(dst)) < n {
		dst = make([]byte, 0, n)
	}
	return decompress(dst[:0:n], raw, w.b.codec)
}

// valid reads the validity of n rows from row r as a bitmap that begins at bit
// 0; nil: all are valid.
func (w *window) valid(l layout, r, n int64) (bitmap []byte, nulls int64, err error) {
	if w.b.nodes[l.node].nulls == 0 || n == 0 {
		return nil, 0, nil
	}
	lo, hi := r/8, (r+n+7)/8
	raw, owned, err := w.read(l.buffer, lo, hi-lo)
	if err != nil {
		return nil, 0, err
	}
	bitmap = raw
	if shift := uint(r % 8); shift != 0 || !owned {
		if bitmap, err = w.alloc((n + 7) / 8); err != nil {
			return nil, 0, err
		}
		for i := range bitmap {
			v := raw[i] >> shift
			if shift != 0 && i+1 < len(raw) {
				v |= raw[i+1] << (8 - shift)
			}
			bitmap[i] = v
		}
	}
	ones := int64(0)
	for i, v := range bitmap {
		if rest := n - 8*int64(i); rest < 8 {
			v &= 1<<rest - 1
		}
		ones += int64(bits.OnesCount8(v))
	}
	if r == 0 && n == w.b.nodes[l.node].rows && ones != n-w.b.nodes[l.node].nulls {
		return nil, 0, fmt.Errorf("damaged data: %d nulls announced, %d found", w.b.nodes[l.node].nulls, n-ones)
	}
	return bitmap, n - ones, nil
}

func buffer(b []byte) *memory.Buffer {
	if b == nil {
		return nil
	}
	return memory.NewBufferBytes(b)
}

// column reads n rows from row r of the field whose nodes and buffers begin at l.
func (w *window) column(fd *arrowField, l layout, r, n int64) (*array.Data, error) {
	if l.node >= len(w.b.nodes) || r+n > w.b.nodes[l.node].rows || n > math.MaxInt32 {
		return nil, errFlat
	}
	if fd.dict {
		return w.indices(fd, l, r, n)
	}
	if fd.typ == typeNull {
		return array.NewData(arrow.Null, int(n), []*memory.Buffer{nil}, nil, int(n), 0), nil
	}
	var valid []byte
	var nulls int64
	var err error
	valid, nulls, err = w.valid(l, r, n)
	if err != nil {
		return nil, err
	}
	data := func(children []arrow.ArrayData, buffers ...[]byte) *array.Data {
		list := []*memory.Buffer{buffer(valid)}
		for _, b := range buffers {
			list = append(list, buffer(b))
		}
		return array.NewData(fd.decoded(), int(n), list, children, int(nulls), 0)
	}
	child := l // of a nested type's first child
	child.node++
	switch fd.typ {
	case typeUtf8, typeLargeUtf8, typeBinary, typeLargeBinary:
		offsets, lo, hi, err := w.offsets(l.buffer+1, r, n, fd.typ == typeLargeUtf8 || fd.typ == typeLargeBinary)
		if err != nil {
			return nil, err
		}
		text, _, err := w.read(l.buffer+2, lo, hi-lo)
		if err != nil {
			return nil, err
		}
		if text == nil {
			text = []byte{}
		}
		d := data(nil, offsets, text)
		if fd.typ == typeBinary || fd.typ == typeLargeBinary || validUTF8(text) && startsRunes(d, text) {
			return d, nil
		}
		return w.verify(fd, d, valid, r)
	case typeUtf8View, typeBinaryView:
		offsets, text, err := w.views(l.buffer+1, l.variadic, valid, r, n)
		if err != nil {
			return nil, err
		}
		d := data(nil, offsets, text)
		if fd.typ == typeBinaryView || validUTF8(text) && startsRunes(d, text) {
			return d, nil
		}
		return w.verify(fd, d, valid, r)
	case typeBool:
		lo, hi := r/8, (r+n+7)/8
		raw, _, err := w.read(l.buffer+1, lo, hi-lo)
		if err != nil {
			return nil, err
		}
		out, err := w.alloc((n + 7) / 8)
		if err != nil {
			return nil, err
		}
		clear(out)
		for i := range n {
			j := r%8 + i
			out[i/8] |= raw[j/8] >> (j % 8) & 1 << (i % 8)
		}
		return data(nil, out), nil
	case typeList, typeLargeList:
		offsets, lo, hi, err := w.offsets(l.buffer+1, r, n, fd.typ == typeLargeList)
		if err != nil {
			return nil, err
		}
		child.buffer += 2
		c, err := w.column(&fd.children[0], child, lo, hi-lo)
		if err != nil {
			return nil, inList(err, offsets, fd.typ == typeLargeList)
		}
		return data([]arrow.ArrayData{c}, offsets), nil
	case typeFixedSizeList:
		child.buffer++
		size := int64(fd.size)
		if size > 0 && (r+n) > math.MaxInt32/size {
			return nil, errFlat
		}
		c, err := w.column(&fd.children[0], child, r*size, n*size)
		if err != nil {
			return nil, err
		}
		return data([]arrow.ArrayData{c}), nil
	case typeStruct:
		child.buffer++
		var children []arrow.ArrayData
		for i := range fd.children {
			c, err := w.column(&fd.children[i], child, r, n)
			if err != nil {
				return nil, err
			}
			children = append(children, c)
			if err := child.skip(&fd.children[i], w.b, w.f.version); err != nil {
				return nil, err
			}
		}
		return data(children), nil
	}
	width := fd.width()
	raw, _, err := w.read(l.buffer+1, r*width, n*width)
	if err != nil {
		return nil, err
	}
	if raw == nil {
		raw = []byte{}
	}
	return data(nil, raw), nil
}

// width returns the size of a value of fixed width in bytes.
func (a *arrowField) width() int64 {
	switch a.typ {
	case typeInt:
		return int64(a.bits / 8)
	case typeFloat:
		return int64(2) << a.unit
	case typeDate:
		return 4 + 4*int64(a.unit)
	case typeTime, typeDecimal:
		return int64(a.bits / 8)
	case typeFixedSizeBinary:
		return int64(a.size)
	}
	return 8 // a timestamp or a duration
}

// inList gives a fault in an element of a list the row of the list.
func inList(err error, offsets []byte, large bool) error {
	var at *rowError
	if errors.As(err, &at) {
		for i := int64(0); ; i++ {
			end := int64(0)
			if large {
				end = int64(binary.LittleEndian.Uint64(offsets[8*(i+1):]))
			} else {
				end = int64(binary.LittleEndian.Uint32(offsets[4*(i+1):]))
			}
			if at.row < end {
				return &rowError{i, at.err}
			}
		}
	}
	return err
}

// offsets reads n+1 offsets, checks that they rise, and makes them begin at 0.
func (w *window) offsets(i int, r, n int64, large bool) (offsets []byte, lo, hi int64, err error) {
	width := int64(4)
	if large {
		width = 8
	}
	if n == 0 {
		b, err := w.alloc(width)
		clear(b)
		return b, 0, 0, err
	}
	raw, owned, err := w.read(i, r*width, (n+1)*width)
	if err != nil {
		return nil, 0, 0, err
	}
	offsets = raw
	if !owned {
		if offsets, err = w.alloc(int64(len(raw))); err != nil {
			return nil, 0, 0, err
		}
	}
	if large {
		lo = int64(binary.LittleEndian.Uint64(raw))
		last := lo
		for j := 0; j < len(raw); j += 8 {
			v := int64(binary.LittleEndian.Uint64(raw[j:]))
			if v < last || lo < 0 {
				return nil, 0, 0, &rowError{max(int64(j/8)-1, 0), fmt.Errorf("damaged data: a value from byte %d to %d", last, v)}
			}
			last = v
			binary.LittleEndian.PutUint64(offsets[j:], uint64(v-lo))
		}
		return offsets, lo, last, nil
	}
	lo = int64(int32(binary.LittleEndian.Uint32(raw)))
	last := lo
	for j := 0; j < len(raw); j += 4 {
		v := int64(int32(binary.LittleEndian.Uint32(raw[j:])))
		if v < last || lo < 0 {
			return nil, 0, 0, &rowError{max(int64(j/4)-1, 0), fmt.Errorf("damaged data: a value from byte %d to %d", last, v)}
		}
		last = v
		binary.LittleEndian.PutUint32(offsets[j:], uint32(v-lo))
	}
	return offsets, lo, last, nil
}

// views gathers n texts of the view layout: 16 bytes each, that hold a short
// text itself or the place of a long one.
func (w *window) views(i, variadic int, valid []byte, r, n int64) (offsets, text []byte, err error) {
	raw, _, err := w.read(i, 16*r, 16*n)
	if err != nil {
		return nil, nil, err
	}
	if variadic >= len(w.b.variadic) {
		return nil, nil, errFlat
	}
	buffers := w.b.variadic[variadic]
	isNull := func(j int64) bool { return valid != nil && valid[j/8]>>(j%8)&1 == 0 }
	// Nothing is allocated for a text before it is known to be there.
	total, there := int64(0), 16*n
	for k := range buffers {
		size, err := w.size(i + 1 + int(k))
		if err != nil {
			return nil, nil, err
		}
		there += size
	}
	for j := range n {
		if isNull(j) {
			continue
		}
		v := raw[16*j : 16*j+16]
		size := int64(int32(binary.LittleEndian.Uint32(v)))
		if size < 0 {
			return nil, nil, &rowError{j, fmt.Errorf("damaged data: a text of %d bytes", size)}
		}
		if size > 12 {
			k, off := int64(int32(binary.LittleEndian.Uint32(v[8:]))), int64(int32(binary.LittleEndian.Uint32(v[12:])))
			if k < 0 || k >= buffers || off < 0 {
				return nil, nil, &rowError{j, errOutside}
			}
			if have, err := w.size(i + 1 + int(k)); err != nil || off > have || size > have-off {
				return nil, nil, &rowError{j, cmp.Or(err, errOutside)}
			}
		}
		total += size
		if total > math.MaxInt32 {
			return nil, nil, w.f.most.errBatch()
		}
	}
	// Rows may share a text, but no writer makes all rows share one long text.
	if total > 32<<20+32*there {
		return nil, nil, fmt.Errorf("damaged data: %d bytes of text from buffers of %d", total, there)
	}
	if offsets, err = w.alloc(4 * (n + 1)); err != nil {
		return nil, nil, err
	}
	if text, err = w.alloc(total); err != nil {
		return nil, nil, err
	}
	end := 0
	for j := range n {
		binary.LittleEndian.PutUint32(offsets[4*j:], uint32(end))
		if isNull(j) {
			continue
		}
		v := raw[16*j : 16*j+16]
		size := int(binary.LittleEndian.Uint32(v))
		if size <= 12 {
			end += copy(text[end:], v[4:4+size])
			continue
		}
		k, off := int64(int32(binary.LittleEndian.Uint32(v[8:]))), int64(int32(binary.LittleEndian.Uint32(v[12:])))
		if err := w.readAt(text[end:end+size], i+1+int(k), off); err != nil {
			return nil, nil, &rowError{j, err}
		}
		end += size
	}
	binary.LittleEndian.PutUint32(offsets[4*n:], uint32(end))
	return offsets, text, nil
}

var errOutside = errors.New("damaged data: a text outside of its buffers")

// size returns the bytes of buffer i, decompressed.
func (w *window) size(i int) (int64, error) {
	if i >= len(w.b.buffers) {
		return 0, errFlat
	}
	if w.b.codec == codecNone {
		return w.b.buffers[i].length, nil
	}
	m, err := w.unpacked(i)
	return int64(len(m)), err
}

// readAt fills b from offset off of buffer i.
func (w *window) readAt(b []byte, i int, off int64) error {
	if w.b.codec == codecNone && i < len(w.b.buffers) {
		bf := w.b.buffers[i]
		if off > bf.length || int64(len(b)) > bf.length-off {
			return errOutside
		}
		return w.f.readInto(b, w.block.offset+int64(w.block.meta)+bf.offset+off)
	}
	m, _, err := w.read(i, off, int64(len(b)))
	copy(b, m)
	return err
}

// startsRunes reports whether every text starts at the start of a character, given that all
// of them together are UTF-8.
func startsRunes(d *array.Data, text []byte) bool {
	offsets := d.Buffers()[1].Bytes()
	if d.DataType().ID() == arrow.LARGE_STRING {
		for j := 0; j < len(offsets); j += 8 {
			if at := binary.LittleEndian.Uint64(offsets[j:]); at < uint64(len(text)) && !utf8.RuneStart(text[at]) {
				return false
			}
		}
		return true
	}
	for j := 0; j < len(offsets); j += 4 {
		if at := binary.LittleEndian.Uint32(offsets[j:]); at < uint32(len(text)) && !utf8.RuneStart(text[at]) {
			return false
		}
	}
	return true
}

// verify finds the text that is not UTF-8 among those that are not null, of rows from r
// on: an error, or null from now on.
func (w *window) verify(fd *arrowField, d *array.Data, valid []byte, r int64) (*array.Data, error) {
	n := d.Len()
	var bad []int
	value := (&Batch{columns: []arrow.Array{array.MakeFromData(d)}, classes: make([][]string, 1)}).Text
	for i := range n {
		if s, ok := value(0, i); ok && !utf8.ValidString(s) {
			if w.f.skips == nil {
				return nil, &rowError{int64(i), errInvalidUTF8}
			}
			where := fmt.Sprintf("row %d: column %q", r+int64(i), fd.name)
			if !slices.ContainsFunc(w.f.columns, func(c int) bool { return &w.f.fields[c] == fd }) { // of a list, a struct or a dictionary
				where = fmt.Sprintf("value %d of %q", r+int64(i), fd.name)
			}
			w.f.skips.add(fmt.Errorf("data: %s: record batch %d, %s: %w", w.f.path, w.k, where, errInvalidUTF8))
			bad = append(bad, i)
		}
	}
	if len(bad) == 0 {
		return d, nil
	}
	w.lossy = true
	if valid == nil {
		valid = slices.Repeat([]byte{0xff}, (n+7)/8)
	}
	for _, i := range bad {
		valid[i/8] &^= 1 << (i % 8)
	}
	return array.NewData(d.DataType(), n, []*memory.Buffer{buffer(valid), d.Buffers()[1], d.Buffers()[2]}, nil, d.NullN()+len(bad), 0), nil
}

var errInvalidUTF8 = errors.New("invalid UTF-8")

// dictionary holds the decoded values of a dictionary, as it is for some of the batches.
type dictionary struct {
	parts []arrow.Array // first, and deltas
	rows  []int64       // where each begins, and the sum
	bytes int64
}

type dictKey struct{ field, from, to int }

// Dictionaries of up to this size are kept for the next rows.
const keptDictionary = 16 << 20

// indices reads rows of a dictionary column as the texts that they stand for.
func (w *window) indices(fd *arrowField, l layout, r, n int64) (*array.Data, error) {
	valid, nulls, err := w.valid(l, r, n)
	if err != nil {
		return nil, err
	}
	width := int64(fd.index.bits / 8)
	raw, _, err := w.read(l.buffer+1, r*width, n*width)
	if err != nil {
		return nil, err
	}
	dict, err := w.dictionaryOf(fd)
	if err != nil {
		return nil, err
	}
	if w.budget -= 16 * n; w.budget < 0 {
		return nil, w.f.most.errBatch()
	}
	total := int64(0)
	if valid == nil {
		if valid, err = w.alloc((n + 7) / 8); err != nil {
			return nil, err
		}
		for i := range valid {
			valid[i] = 0xff
		}
	}
	values := Batch{columns: dict.parts, classes: make([][]string, len(dict.parts))}
	count := uint64(dict.rows[len(dict.rows)-1])
	texts := slices.Grow(w.texts[:0], int(n))[:n]
	w.texts = texts
	for i := range texts {
		texts[i] = ""
		if valid[i/8]>>(i%8)&1 == 0 {
			continue
		}
		v := uint64(0)
		switch width {
		case 1:
			v = uint64(int8(raw[i]))
		case 2:
			v = uint64(int16(binary.LittleEndian.Uint16(raw[2*i:])))
		case 4:
			v = uint64(int32(binary.LittleEndian.Uint32(raw[4*i:])))
		case 8:
			v = binary.LittleEndian.Uint64(raw[8*i:])
		}
		if !fd.index.signed {
			v &= 1<<(8*width) - 1
		}
		if v >= count {
			return nil, &rowError{int64(i), fmt.Errorf("damaged data: index %d in a dictionary of %d", int64(v), count)}
		}
		p := 0
		for dict.rows[p+1] <= int64(v) {
			p++
		}
		s, ok := values.Text(p, int(int64(v)-dict.rows[p]))
		if !ok { // a null of the dictionary
			valid[i/8] &^= 1 << (i % 8)
			nulls++
		}
		texts[i] = s
		if total += int64(len(s)); total > math.MaxInt32 {
			return nil, w.f.most.errBatch()
		}
	}
	offsets, err := w.alloc(4 * (n + 1))
	if err != nil {
		return nil, err
	}
	out, err := w.alloc(total)
	if err != nil {
		return nil, err
	}
	end := 0
	for i, s := range texts {
		binary.LittleEndian.PutUint32(offsets[4*i:], uint32(end))
		end += copy(out[end:], s)
	}
	clear(texts) // they would keep a large dictionary
	binary.LittleEndian.PutUint32(offsets[4*n:], uint32(end))
	return array.NewData(arrow.BinaryTypes.String, int(n), []*memory.Buffer{buffer(valid), buffer(offsets), buffer(out)}, nil, int(nulls), 0), nil
}

// dictionaryOf reads the dictionary of a column as it is for this batch.
func (w *window) dictionaryOf(fd *arrowField) (*dictionary, error) {
	a := w.f
	from, to := -1, 0
	for i, d := range a.dicts {
		// In a file, dictionaries may be anywhere; in a stream, later dictionaries may
		// replace earlier ones.
		if d.id != fd.dictID || a.stream && d.block.offset > w.block.offset {
			continue
		}
		if !d.delta {
			if from >= 0 && !a.stream {
				return nil, fmt.Errorf("a second dictionary %d in one file", d.id)
			}
			from = i
		}
		to = i + 1
	}
	if from < 0 {
		return nil, fmt.Errorf("its dictionary %d is missing", fd.dictID)
	}
	// Two fields may share a dictionary's number only if they are of one type;
	// the place in the schema tells them apart all the same.
	key := dictKey{fd.number, from, to}
	a.mu.Lock()
	dict := a.dictionary[key]
	a.mu.Unlock()
	if dict != nil {
		return dict, nil
	}
	value := *fd
	value.dict = false
	dict = &dictionary{rows: []int64{0}}
	for i := from; i < to; i++ {
		d := a.dicts[i]
		if d.id != fd.dictID {
			continue
		}
		m, err := a.message(d.block, a.size)
		if err != nil {
			return nil, fmt.Errorf("dictionary: %w", err)
		}
		if m.kind != headerDictionary {
			return nil, errors.New("the file changed while it was open")
		}
		if len(m.batch.nodes) == 0 || m.batch.nodes[0].rows != m.batch.rows {
			return nil, fmt.Errorf("dictionary: %w", errFlat)
		}
		part := &window{f: a, k: w.k, block: d.block, b: &m.batch, budget: w.budget}
		c, err := part.column(&value, layout{}, 0, m.batch.rows)
		if err != nil {
			var at *rowError
			if errors.As(err, &at) {
				err = fmt.Errorf("entry %d: %w", at.row, at.err)
			}
			return nil, fmt.Errorf("dictionary: %w", err)
		}
		used := w.budget - part.budget
		w.budget -= used
		dict.bytes += used
		dict.parts = append(dict.parts, array.MakeFromData(c))
		dict.rows = append(dict.rows, dict.rows[len(dict.rows)-1]+m.batch.rows)
	}
	if dict.bytes <= keptDictionary {
		a.mu.Lock()
		if len(a.dictionary) >= 4 || a.dictionary == nil {
			a.dictionary = map[dictKey]*dictionary{}
		}
		a.dictionary[key] = dict
		a.mu.Unlock()
	}
	return dict, nil
}

// extent estimates the bytes of n rows from row r, reading little.
func (w *window) extent(fd *arrowField, l layout, r, n int64) int64 {
	if l.node >= len(w.b.nodes) || r+n > w.b.nodes[l.node].rows {
		return 0 // column says what is wrong
	}
	child := l
	child.node++
	switch {
	case fd.dict:
		// About: as if each entry were used as often.
		dict, err := w.dictionaryOf(fd)
		if err != nil || dict.bytes > keptDictionary {
			return 16 * n
		}
		return n * (16 + dict.bytes/max(1, dict.rows[len(dict.rows)-1]))
	case fd.typ == typeUtf8, fd.typ == typeLargeUtf8, fd.typ == typeBinary, fd.typ == typeLargeBinary, fd.typ == typeList, fd.typ == typeLargeList:
		width := int64(4)
		if fd.typ == typeLargeUtf8 || fd.typ == typeLargeBinary || fd.typ == typeLargeList {
			width = 8
		}
		at := func(r int64) int64 {
			var b [8]byte
			if w.readAt(b[:width], l.buffer+1, r*width) != nil {
				return 0
			}
			return int64(binary.LittleEndian.Uint64(b[:]))
		}
		lo, hi := at(r), at(r+n)
		if fd.typ == typeList || fd.typ == typeLargeList {
			child.buffer += 2
			if lo < 0 || hi < lo {
				return 0
			}
			return n*width + w.extent(&fd.children[0], child, lo, hi-lo)
		}
		return n*width + hi - lo
	case fd.typ == typeUtf8View, fd.typ == typeBinaryView:
		raw, _, err := w.read(l.buffer+1, 16*r, 16*n)
		total := int64(len(raw))
		for j := 0; err == nil && j < len(raw); j += 16 {
			total += max(0, int64(int32(binary.LittleEndian.Uint32(raw[j:]))))
		}
		return total
	case fd.typ == typeFixedSizeList:
		child.buffer++
		if fd.size > 0 && r+n > math.MaxInt32/int64(fd.size) {
			return 0
		}
		return w.extent(&fd.children[0], child, r*int64(fd.size), n*int64(fd.size))
	case fd.typ == typeStruct:
		child.buffer++
		total := int64(0)
		for i := range fd.children {
			total += w.extent(&fd.children[i], child, r, n)
			if child.skip(&fd.children[i], w.b, w.f.version) != nil {
				return total
			}
		}
		return total
	case fd.typ == typeFixedSizeBinary:
		return n * int64(fd.size)
	}
	return n * 8
}

// next returns how many rows from row r make about limit bytes, not more than most.
func (w *window) next(r, most, limit int64) int64 {
	n := min(most, w.rows()-r)
	for n > 1 {
		w.used, w.budget = 0, int64(w.f.most)
		total := int64(0)
		for i, c := range w.f.columns {
			total += w.extent(&w.f.fields[c], w.at[i], r, n)
		}
		if total <= limit {
			break
		}
		n = max(1, min(n/2, n*limit/total))
	}
	return n
}

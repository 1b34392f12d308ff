package source

import (
	"encoding/binary"
	"errors"
)

// flat reads a FlatBuffers buffer (https://flatbuffers.dev/internals) without
// trusting it: each offset, table and vector is checked against the buffer.
// The first fault is kept in err and everything read after it is zero, so that
// callers check once at the end.
//
// The generated accessors would be shorter, but they index without a check, and
// with one flipped bit arrow-go follows them into panics and allocations of
// hundreds of gigabytes.
type flat struct {
	b      []byte
	err    error
	tables int   // left to visit: an honest buffer visits each of its tables once
	heap   int64 // bytes that what is read may still take
}

// flatTable is a verified table: its inline part and its vtable are in bounds.
type flatTable struct {
	pos, size   int
	vtable, end int // end of the vtable
}

var errFlat = errors.New("damaged metadata")

// fieldHeap is the approximate memory of a table after reading.
const fieldHeap = 256

// newFlat reads b, which is of a file of size bytes.
func newFlat(b []byte, size int64) *flat {
	return &flat{b: b, tables: len(b)/4 + 1, heap: size + spareHeap}
}

// take counts the memory of what is read.
func (f *flat) take(n int64) {
	if f.heap -= n; f.heap < 0 {
		f.fail()
	}
}

func (f *flat) fail() { f.err = errFlat }

func (f *flat) in(pos, size int) bool {
	if f.err == nil && pos >= 0 && size >= 0 && pos <= len(f.b)-size {
		return true
	}
	f.fail()
	return false
}

func (f *flat) u16(pos int) int {
	if !f.in(pos, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.b[pos:]))
}

func (f *flat) u32(pos int) int {
	if !f.in(pos, 4) {
		return 0
	}
	// Offsets and counts are below 2^31 by the format; the sign makes larger
	// ones fail where int has 32 bits.
	return int(int32(binary.LittleEndian.Uint32(f.b[pos:])))
}

func (f *flat) i64(pos int) int64 {
	if !f.in(pos, 8) {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(f.b[pos:]))
}

func (f *flat) root() flatTable { return f.table(f.u32(0)) }

func (f *flat) table(pos int) (t flatTable) {
	if f.tables--; f.tables < 0 {
		f.fail()
	}
	f.take(fieldHeap)
	t.pos = pos
	t.vtable = pos - f.u32(pos)
	t.end = t.vtable + f.u16(t.vtable)
	t.size = f.u16(t.vtable + 2)
	if t.size < 4 || t.end < t.vtable+4 || (t.end-t.vtable)%2 != 0 ||
		!f.in(t.pos, t.size) || !f.in(t.vtable, t.end-t.vtable) {
		f.fail()
		return flatTable{}
	}
	return t
}

// field returns the position of a table's field of size bytes, 0 if absent.
func (f *flat) field(t flatTable, slot, size int) int {
	o := t.vtable + 4 + 2*slot
	if f.err != nil || o+2 > t.end {
		return 0
	}
	off := f.u16(o)
	if off == 0 {
		return 0
	}
	if off < 4 || off+size > t.size {
		f.fail()
		return 0
	}
	return t.pos + off
}

func (f *flat) int8(t flatTable, slot int) int {
	if p := f.field(t, slot, 1); p != 0 {
		return int(int8(f.b[p]))
	}
	return 0
}

func (f *flat) bool(t flatTable, slot int) bool { return f.int8(t, slot) != 0 }

func (f *flat) int16(t flatTable, slot int) int {
	if p := f.field(t, slot, 2); p != 0 {
		return int(int16(f.u16(p)))
	}
	return 0
}

func (f *flat) int32(t flatTable, slot int) int {
	if p := f.field(t, slot, 4); p != 0 {
		return f.u32(p)
	}
	return 0
}

func (f *flat) int64(t flatTable, slot int) int64 {
	if p := f.field(t, slot, 8); p != 0 {
		return f.i64(p)
	}
	return 0
}

// ref follows the offset at pos.
func (f *flat) ref(pos int) int {
	off := f.u32(pos)
	if off <= 0 {
		f.fail()
		return 0
	}
	return pos + off
}

// child returns the table that a field refers to.
func (f *flat) child(t flatTable, slot int) (flatTable, bool) {
	p := f.field(t, slot, 4)
	if p == 0 {
		return flatTable{}, false
	}
	c := f.table(f.ref(p))
	return c, f.err == nil
}

// vector returns the position of the first element of a field's vector and the
// number of its elements; an absent one has none.
func (f *flat) vector(t flatTable, slot, elem int) (pos, n int) {
	p := f.field(t, slot, 4)
	if p == 0 {
		return 0, 0
	}
	p = f.ref(p)
	n = f.u32(p)
	if n < 0 || n > len(f.b)/elem || !f.in(p+4, n*elem) {
		f.fail()
		return 0, 0
	}
	return p + 4, n
}

func (f *flat) string(t flatTable, slot int) string {
	p, n := f.vector(t, slot, 1)
	if f.take(int64(n)); f.err != nil {
		return ""
	}
	return string(f.b[p : p+n])
}

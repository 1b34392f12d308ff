package cpu

import "unsafe"

// A scratch is one worker's private memory. Its buffers grow on first use and stay.
type scratch struct {
	cell  [4]float32 // results of a reduction; a local variable would escape to the heap
	wide  [8]float64
	slots [numSlots][]byte
	owner [numSlots]*buffer // of the slots that are mapped
}

// slot names a buffer of a scratch, so that nested uses do not share one.
type slot int

const (
	slotPanels slot = iota // gemm: packed B
	slotRows               // gemm: packed A
	slotA                  // free for the other kernels
	slotB
	slotC
	slotD
	numSlots
)

// lend gives n elements of a slot, aligned to 64 bytes, with whatever was left in them.
func lend[T float | uint16 | byte](s *scratch, at slot, n int) []T {
	size := n * int(unsafe.Sizeof(*new(T)))
	if len(s.slots[at]) < size {
		s.grow(at, size)
	}
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&s.slots[at][0])), n)
}

func (s *scratch) grow(at slot, size int) {
	if size >= hugePage/2 {
		if b, err := newBuffer((size + hugePage - 1) &^ (hugePage - 1)); err == nil {
			s.slots[at], s.owner[at] = b.bytes, b
			return
		}
	}
	s.slots[at], s.owner[at] = alignedBytes(size), nil
}

// alignedBytes is n zero bytes whose first is at a multiple of 64, which make does not promise.
func alignedBytes(n int) []byte {
	b := make([]byte, n+63)
	off := int(-uintptr(unsafe.Pointer(&b[0])) & 63) // Go's heap does not move
	return b[off : off+n : off+n]
}

package cpu

import (
	"fmt"
	"runtime"
	"unsafe"

	"hone/trainer/exec"
)

// A buffer is memory outside Go's heap. Slices point to the mapping, which is
// unmapped when the last of them is gone.
type buffer struct {
	bytes []byte
	owner *mapping
}

type mapping struct{ bytes []byte }

// hugePage is the usual size of large pages, with which a pass over an arena has fewer TLB misses.
const hugePage = 2 << 20

func newBuffer(n int) (*buffer, error) {
	if n < 0 {
		return nil, fmt.Errorf("cpu: allocation of %d bytes", n)
	}
	if n == 0 {
		return &buffer{}, nil
	}
	room := n
	if n >= hugePage { // so that it can begin at a large page
		room += hugePage
	}
	mem, err := mapMemory(room)
	if err != nil {
		return nil, fmt.Errorf("cpu: %d bytes of memory: %w", n, err)
	}
	m := &mapping{mem}
	runtime.AddCleanup(m, unmapMemory, mem)
	if n >= hugePage {
		mem = mem[-uintptr(unsafe.Pointer(&mem[0]))%hugePage:]
		adviseHuge(mem)
	}
	return &buffer{mem[:n:n], m}, nil
}

func (b *buffer) Len() int { return len(b.bytes) }

func (b *buffer) Slice(offset, bytes int) exec.Buffer {
	return &buffer{b.bytes[offset : offset+bytes : offset+bytes], b.owner}
}

package source

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// lz4Sequence appends literals and a match to a block, and to what it decodes to.
func lz4Sequence(block, out, literals []byte, back, n int) ([]byte, []byte) {
	length := func(v int) {
		for v -= 15; v >= 0; v -= 255 {
			block = append(block, byte(min(v, 255)))
		}
	}
	block = append(block, byte(min(len(literals), 15)<<4|min(max(n-4, 0), 15)))
	length(len(literals))
	block, out = append(block, literals...), append(out, literals...)
	if n == 0 {
		return block, out
	}
	block = append(block, byte(back), byte(back>>8))
	length(n - 4)
	for range n {
		out = append(out, out[len(out)-back])
	}
	return block, out
}

// TestLZ4Block decodes blocks of random sequences, whole and cut short, into as much room
// as they need and less.
func TestLZ4Block(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	literals := func() []byte {
		b := make([]byte, r.IntN(1+[]int{4, 20, 600}[r.IntN(3)]))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for range 500 {
		before := append([]byte("of an earlier block"), literals()...)
		block, out := []byte{}, bytes.Clone(before)
		for range r.IntN([]int{30, 300}[r.IntN(2)]) {
			l := literals()
			back := 1 + r.IntN(min(len(out)+len(l), []int{3, 40, 65535}[r.IntN(3)]))
			block, out = lz4Sequence(block, out, l, back, 4+r.IntN([]int{8, 40, 900}[r.IntN(3)]))
		}
		block, out = lz4Sequence(block, out, append(literals(), "last literals"...), 0, 0)
		var after []byte // what must not be overwritten
		into := func(room int) []byte {
			b := bytes.Repeat([]byte{0xa5}, room+64)
			after = b[room:]
			return append(b[:0:room], before...)
		}
		if got, ok := lz4Block(into(len(out)), block); !ok || !bytes.Equal(got, out) {
			t.Fatalf("%x: %v, %x, want %x", block, ok, got, out)
		}
		if got, ok := lz4Block(into(len(out)+100), block); !ok || !bytes.Equal(got, out) {
			t.Fatalf("with more room: %v", ok)
		}
		if _, ok := lz4Block(into(len(before)+r.IntN(len(out)-len(before))), block); ok {
			t.Fatal("it fits too little room")
		}
		if got, ok := lz4Block(into(len(out)), block[:r.IntN(len(block))]); ok && !bytes.HasPrefix(out, got) {
			t.Fatalf("cut short: %x", got)
		}
		block[r.IntN(len(block))] ^= byte(1 + r.IntN(255))
		lz4Block(into(len(out)), block) // whatever it makes of it
		if !bytes.Equal(after, bytes.Repeat([]byte{0xa5}, 64)) {
			t.Fatal("written beyond the room")
		}
	}
}

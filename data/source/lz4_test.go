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

// lz4Both decodes a block after some bytes, into room more, by assembly where there is any
// and without, which must agree, and checks that nothing beyond is written.
func lz4Both(t *testing.T, before []byte, room int, block []byte) ([]byte, bool) {
	t.Helper()
	decode := func(fast bool) ([]byte, bool) {
		b := bytes.Repeat([]byte{0xa5}, len(before)+room+64)
		out, ok := lz4Block(append(b[:0:len(before)+room], before...), block, fast)
		if after := b[len(before)+room:]; !bytes.Equal(after, bytes.Repeat([]byte{0xa5}, 64)) {
			t.Fatal("written beyond the room")
		}
		return out, ok
	}
	out, ok := decode(hasLZ4Fast)
	if slow, slowOK := decode(false); ok != slowOK || !bytes.Equal(out, slow) {
		t.Fatalf("%v, %x by assembly, %v, %x without", ok, out, slowOK, slow)
	}
	return out, ok
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
		room := len(out) - len(before)
		if got, ok := lz4Both(t, before, room, block); !ok || !bytes.Equal(got, out) {
			t.Fatalf("%x: %v, %x, want %x", block, ok, got, out)
		}
		if got, ok := lz4Both(t, before, room+100, block); !ok || !bytes.Equal(got, out) {
			t.Fatalf("with more room: %v", ok)
		}
		if _, ok := lz4Both(t, before, r.IntN(room), block); ok {
			t.Fatal("it fits too little room")
		}
		if got, ok := lz4Both(t, before, room, block[:r.IntN(len(block))]); ok && !bytes.HasPrefix(out, got) {
			t.Fatalf("cut short: %x", got)
		}
		block[r.IntN(len(block))] ^= byte(1 + r.IntN(255))
		lz4Both(t, before, room, block) // whatever it makes of it
	}
}

// FuzzLZ4 decodes what claims to be a block by assembly and without.
func FuzzLZ4(f *testing.F) {
	block, out := []byte{}, []byte{}
	for i := range 60 {
		block, out = lz4Sequence(block, out, []byte("literals, more or less than sixteen")[:5+i%30], 1+i%20, 4+13*i%290)
	}
	block, out = lz4Sequence(block, out, bytes.Repeat([]byte("the last"), 100), 0, 0)
	f.Add([]byte(nil), uint16(len(out)), block)
	f.Add([]byte("before"), uint16(len(out)-1), block)
	f.Fuzz(func(t *testing.T, before []byte, room uint16, block []byte) { lz4Both(t, before, int(room), block) })
}

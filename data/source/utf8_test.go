package source

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"unicode/utf8"
)

// TestValidUTF8 compares with the standard library: every pair of bytes, every
// third byte after the pairs at the borders, and random mixtures, at each place
// in a block.
func TestValidUTF8(t *testing.T) {
	check := func(b []byte) {
		if got, want := validUTF8(b), utf8.Valid(b); got != want {
			t.Fatalf("%x: %v, want %v", b, got, want)
		}
	}
	b := bytes.Repeat([]byte("a"), 96)
	set := func(at int, v ...byte) { copy(b[at:], v) }
	for _, at := range []int{0, 29, 30, 31, 63} {
		for x := range 256 {
			for y := range 256 {
				set(at, byte(x), byte(y))
				check(b)
				if x >= 0xe0 || x >= 0xc0 && y == 0x80 {
					for _, z := range []byte{'a', 0x7f, 0x80, 0x8f, 0x90, 0xbf, 0xc0, 0xff} {
						set(at+2, z)
						check(b)
						for _, w := range []byte{0x80, 0xbf, 0xc0} {
							set(at+3, w)
							check(b)
						}
						set(at+2, 'a', 'a')
					}
				}
			}
		}
		set(at, 'a', 'a', 'a', 'a')
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		b := b[:0:0]
		for range rng.IntN(80) {
			switch rng.IntN(4) {
			case 0:
				b = append(b, "plain"...)
			default:
				b = utf8.AppendRune(b, rune(rng.IntN([]int{0x80, 0x800, 0x10000, 0x110000}[rng.IntN(4)])))
			}
		}
		check(b)
		if len(b) > 0 {
			b[rng.IntN(len(b))] = byte(rng.IntN(256))
			check(b)
			check(b[:rng.IntN(len(b))])
		}
	}
}

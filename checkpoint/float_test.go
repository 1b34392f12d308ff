package checkpoint

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"hone/checkpoint/gguf"
)

// Every half goes to float32 and back; a float32 goes to the nearest half, to the even one
// of two as near.
func TestHalf(t *testing.T) {
	for h := range 1 << 16 {
		v := gguf.FromHalf(uint16(h))
		if got := gguf.ToHalf(v); got != uint16(h) && v == v {
			t.Fatalf("%#04x is %g, and that %#04x", h, v, got)
		}
		if nan := h&0x7c00 == 0x7c00 && h&0x3ff != 0; nan != (v != v) {
			t.Fatalf("%#04x is %g", h, v)
		}
	}
	for h, want := range map[uint16]float64{0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 1: 0x1p-24, 0x3ff: 1023 * 0x1p-24, 0x400: 0x1p-14, 0x3555: 0.333251953125} {
		if got := gguf.FromHalf(h); float64(got) != want {
			t.Errorf("%#04x is %g, want %g", h, got, want)
		}
	}
	nearest(t, "F16", 0x7c00, func(h uint16) float64 { return float64(gguf.FromHalf(h)) }, 65520)
}

func TestBfloat16(t *testing.T) {
	nearest(t, "BF16", 0x7f80, func(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }, math.MaxFloat64)
}

// nearest checks the rounding of random numbers and of those midway between neighbours.
func nearest(t *testing.T, dtype string, inf uint16, value func(uint16) float64, limit float64) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(v float32) {
		b, err := fromFloat32(nil, dtype, []float32{v})
		if err != nil {
			t.Fatal(err)
		}
		got := binary.LittleEndian.Uint16(b)
		h := got & 0x7fff
		x := math.Abs(float64(v))
		if got>>15 != uint16(math.Float32bits(v)>>31) {
			t.Fatalf("%s: %g became %#04x", dtype, v, got)
		}
		if h == inf {
			if x < limit && dtype == "F16" {
				t.Fatalf("%s: %g became infinite", dtype, v)
			}
			return
		}
		d := math.Abs(value(h) - x)
		for _, n := range []uint16{h - 1, h + 1} {
			if n == 0xffff || n >= inf {
				continue
			}
			other := math.Abs(value(n) - x)
			if other < d || other == d && h&1 == 1 {
				t.Fatalf("%s: %g became %#04x, %g away; %#04x is %g away", dtype, v, h, d, n, other)
			}
		}
	}
	for range 200_000 {
		bits := r.Uint32()
		if v := math.Float32frombits(bits); v == v && !math.IsInf(float64(v), 0) {
			check(v)
		}
		check(float32(r.NormFloat64()))
	}
	for h := range inf - 1 {
		check(float32((value(h) + value(h+1)) / 2))
	}
}

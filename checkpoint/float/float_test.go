package float

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Every float16, against its definition: (-1)^s · 2^(e-15) · 1.f, or 2^-14 · 0.f.
func TestFromF16(t *testing.T) {
	for h := range 1 << 16 {
		sign, e, f := 1-2*float64(h>>15), h>>10&31, float64(h&1023)/1024
		var want float64
		switch {
		case e == 31 && f == 0:
			want = math.Inf(int(sign))
		case e == 31:
			want = math.NaN()
		case e == 0:
			want = sign * math.Ldexp(f, -14)
		default:
			want = sign * math.Ldexp(1+f, e-15)
		}
		got := float64(FromF16(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("%#04x is %g, want %g", h, got, want)
		}
	}
}

// Every half goes to float32 and back; a float32 goes to the nearest half, to the even one
// of two as near.
func TestF16(t *testing.T) {
	for h := range 1 << 16 {
		v := FromF16(uint16(h))
		if got := ToF16(v); got != uint16(h) && v == v {
			t.Fatalf("%#04x is %g, and that %#04x", h, v, got)
		}
		if nan := h&0x7c00 == 0x7c00 && h&0x3ff != 0; nan != (v != v) {
			t.Fatalf("%#04x is %g", h, v)
		}
	}
	nearest(t, "F16", 0x7c00, ToF16, func(h uint16) float64 { return float64(FromF16(h)) }, 65520)
}

func TestBF16(t *testing.T) {
	for _, bits := range []uint32{0x7fffffff, 0xffffffff, 0x7f800001, 0xffc00000} {
		h := ToBF16(math.Float32frombits(bits))
		if v := FromBF16(h); v == v || h>>15 != uint16(bits>>31) {
			t.Errorf("NaN %#08x became %#04x", bits, h)
		}
	}
	nearest(t, "BF16", 0x7f80, ToBF16, func(h uint16) float64 { return float64(math.Float32frombits(uint32(h) << 16)) }, math.MaxFloat64)
}

// nearest checks the rounding of random numbers and of those midway between neighbours.
func nearest(t *testing.T, dtype string, inf uint16, convert func(float32) uint16, value func(uint16) float64, limit float64) {
	r := rand.New(rand.NewPCG(1, 2))
	check := func(v float32) {
		got := convert(v)
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

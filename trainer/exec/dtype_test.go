package exec

import (
	"encoding/binary"
	"math"
	"testing"
)

// Every float16, against its definition: (-1)^s · 2^(e-15) · 1.f, or 2^-14 · 0.f.
func TestFloat16(t *testing.T) {
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
		got := float64(float16(uint16(h)))
		if got != want && !(math.IsNaN(got) && math.IsNaN(want)) || math.Signbit(got) != (h>>15 == 1) {
			t.Fatalf("%#04x is %g, want %g", h, got, want)
		}
	}
}

func TestDequantize(t *testing.T) {
	blocks := make([]byte, 68)
	binary.LittleEndian.PutUint16(blocks, 0x3800)      // 0.5
	binary.LittleEndian.PutUint16(blocks[34:], 0xc000) // -2
	blocks[2], blocks[33], blocks[36] = 127, 0x80, 3
	dst := make([]float32, 64)
	if err := Dequantize(Q8_0, dst, blocks); err != nil {
		t.Fatal(err)
	}
	for i, v := range dst {
		want := map[int]float32{0: 63.5, 31: -64, 32: -6}[i]
		if v != want {
			t.Errorf("element %d is %g, want %g", i, v, want)
		}
	}
	for _, n := range []int{0, 32, 63, 96} {
		if err := Dequantize(Q8_0, make([]float32, n), blocks); err == nil {
			t.Errorf("68 bytes became %d elements", n)
		}
	}
	if err := Dequantize(F32, dst, make([]byte, 256)); err == nil {
		t.Error("floats were dequantised")
	}
}

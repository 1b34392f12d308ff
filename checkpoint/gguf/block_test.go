package gguf

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"testing"
)

// Blocks of every type have the bits that the Python package gives; see testdata/blocks.py.
func TestBlocks(t *testing.T) {
	data, err := os.ReadFile("testdata/blocks.bin")
	if err != nil {
		t.Fatal(err)
	}
	take := func(n int64) []byte {
		if int64(len(data)) < n {
			t.Fatalf("testdata/blocks.bin ends early")
		}
		b := data[:n]
		data = data[n:]
		return b
	}
	floats := func(b []byte) []float32 {
		f := make([]float32, len(b)/4)
		for i := range f {
			f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		return f
	}
	read, written := 0, 0
	for len(data) > 0 {
		kind, n := binary.LittleEndian.Uint32(take(4)), int64(binary.LittleEndian.Uint32(take(4)))
		k := Type(kind &^ (1 << 31))
		if kind>>31 == 0 {
			blocks, want := take(k.Bytes(n)), floats(take(4*n))
			got := make([]float32, n)
			if err := Dequantize(k, got, blocks); err != nil {
				t.Fatal(err)
			}
			for i := range got {
				if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
					t.Errorf("%v: element %d is %g (%#08x), want %g (%#08x)", k, i, got[i], math.Float32bits(got[i]), want[i], math.Float32bits(want[i]))
					break
				}
			}
			read++
			continue
		}
		src, want := floats(take(4*n)), take(k.Bytes(n))
		got := make([]byte, len(want))
		if err := Quantize(k, got, src); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			for i := range got {
				if got[i] != want[i] {
					t.Errorf("%v: byte %d is %#02x, want %#02x", k, i, got[i], want[i])
					break
				}
			}
		}
		written++
	}
	if read != 15 || written != len(WriteTypes) {
		t.Errorf("%d types read and %d written, want 15 and %d", read, written, len(WriteTypes))
	}
}

func TestBlocksRefused(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, v := range []float32{nan, inf, -inf, 1e5} {
		src := make([]float32, 32)
		src[7] = v
		for _, k := range []Type{F32, F16, BF16, Q8_0, Q4_0} {
			err := Quantize(k, make([]byte, k.Bytes(32)), src)
			if fits := v == 1e5 && k != F16; fits != (err == nil) {
				t.Errorf("%v of %g: error %v", k, v, err)
			}
		}
	}
	src := make([]float32, 32)
	src[3] = 1e7 // its scale is more than a half holds
	for _, k := range []Type{Q8_0, Q4_0} {
		if err := Quantize(k, make([]byte, k.Bytes(32)), src); err == nil {
			t.Errorf("%v of 1e7 was written", k)
		}
	}
	if err := Quantize(Q4_K, make([]byte, Q4_K.Bytes(256)), make([]float32, 256)); err == nil {
		t.Error("Q4_K was written")
	}
	if err := Dequantize(16, make([]float32, 256), make([]byte, 66)); err == nil {
		t.Error("IQ2_XXS was read")
	}
	for _, n := range []int{31, 64} {
		if err := Dequantize(Q8_0, make([]float32, n), make([]byte, 34)); err == nil {
			t.Errorf("34 bytes became %d elements", n)
		}
	}
}

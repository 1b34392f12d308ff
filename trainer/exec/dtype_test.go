package exec

import (
	"encoding/binary"
	"testing"
)

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

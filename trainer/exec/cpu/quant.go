package cpu

import (
	"encoding/binary"
	"math"

	half "hone/checkpoint/float"
	"hone/trainer/exec"
)

// numBlockTypes is the number of quantised types that have kernels.
const numBlockTypes = 3

// quantKernels are the assembly of the products with quantised weights in panels.
type quantKernels struct {
	expand [numBlockTypes]func(blocks int, w *byte, dst *float32)
	exact  [numBlockTypes][]exactKernel // of 1, 2, … rows and a panel
	dot8   [numBlockTypes][]dot8Kernel  // of 1, 2, … rows
	round8 func(blocks int, x *float32, q *byte)
}

type exactKernel func(blocks int, x *float32, ldx int, w *byte, y *float32, ldy int)

type dot8Kernel func(blocks int, x *byte, ldx int, w *byte, y *float32, ldy int)

// round8Bytes is the size of 32 rounded numbers: 32 int8, their scale as float32, and their sum, negative, as int32.
const round8Bytes = 40

// round8 rounds blocks of 32 numbers to 8 bits, as ggml's quantize_row_q8_0 does on this processor: q = x·(127/max) to the
// nearest integer, the even one of two, where max is the largest magnitude; the scale is max/127 in float16.
func round8(dst []byte, x []float32) {
	le := binary.LittleEndian
	for ; len(x) > 0; x, dst = x[32:], dst[round8Bytes:] {
		var top uint32 // by bits, so that NaN is the largest
		for _, v := range x[:32] {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		largest := math.Float32frombits(top)
		var by float32
		if largest != 0 {
			by = 127 / largest
		}
		sum := int32(0)
		for i, v := range x[:32] {
			q := int8(-128) // of what is no integer
			if r := math.RoundToEven(float64(float32(v * by))); r >= -128 && r <= 127 {
				q = int8(r)
			}
			dst[i] = byte(q)
			sum -= int32(q)
		}
		le.PutUint32(dst[32:], math.Float32bits(half.FromF16(half.ToF16(largest/127))))
		le.PutUint32(dst[36:], uint32(sum))
	}
}

// dotBlocks is one element of a product of rounded numbers with column c of a panel.
func dotBlocks(dt exec.DType, x, panel []byte, k, c int) float32 {
	row := make([]byte, dt.Bytes(k))
	exec.UnpackRow(dt, k, c, row, panel)
	var sum float32
	size := dt.Bytes(32)
	for ; len(row) > 0; row, x = row[size:], x[round8Bytes:] {
		le := binary.LittleEndian
		d, dx := half.FromF16(le.Uint16(row)), math.Float32frombits(le.Uint32(x[32:]))
		var dot int32
		for i, b := range x[:32] {
			var w int32
			switch dt {
			case exec.Q8_0:
				w = int32(int8(row[2+i]))
			case exec.Q4_0:
				w = int32(row[2+i%16]>>(i/16*4)&15) - 8
			case exec.Q4_1:
				w = int32(row[4+i%16] >> (i / 16 * 4) & 15)
			}
			dot += w * int32(int8(b))
		}
		sum = fma32(float32(d*dx), float32(dot), sum)
		if dt == exec.Q4_1 {
			sum = fma32(float32(half.FromF16(le.Uint16(row[2:]))*dx), float32(-int32(le.Uint32(x[36:]))), sum)
		}
	}
	return sum
}

// fma32 is a·b+c rounded once: float64 holds the product of two float32 exactly, but
// not always the sum, so that is rounded to odd first (Boldo & Melquiond 2008).
func fma32(a, b, c float32) float32 {
	p, x := float64(a)*float64(b), float64(c)
	s := p + x
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	bb := s - p
	err := (p - (s - bb)) + (x - bb) // the exact rest (Knuth)
	if err != 0 && math.Float64bits(s)&1 == 0 {
		if (err > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"hone/checkpoint/float"
)

// WriteTypes are the types that Quantize writes.
var WriteTypes = []string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"}

// Quantize writes elements, whole blocks of them, with the bytes of llama.cpp's gguf package.
// A number that is not finite, or that F16 or a block's scale cannot hold, is an error.
func Quantize(t Type, dst []byte, src []float32) error {
	k := types[t]
	if k.elems == 0 || len(src)%k.elems != 0 || int64(len(dst)) != t.Bytes(int64(len(src))) {
		return fmt.Errorf("gguf: %d elements are not %d bytes of %v", len(src), len(dst), t)
	}
	le := binary.LittleEndian
	for i, v := range src {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return fmt.Errorf("gguf: element %d is %v, which is not written", i, v)
		}
	}
	fits := func(i int, v float32) (uint16, error) {
		h := float.ToF16(v)
		if h&0x7fff == 0x7c00 {
			return 0, fmt.Errorf("gguf: element %d: %g is more than F16 holds, 65504", i, v)
		}
		return h, nil
	}
	switch t {
	case F32:
		for i, v := range src {
			le.PutUint32(dst[4*i:], math.Float32bits(v))
		}
	case BF16:
		for i, v := range src {
			h := float.ToBF16(v)
			if h&0x7fff == 0x7f80 {
				return fmt.Errorf("gguf: element %d: %g is more than BF16 holds", i, v)
			}
			le.PutUint16(dst[2*i:], h)
		}
	case F16:
		for i, v := range src {
			h, err := fits(i, v)
			if err != nil {
				return err
			}
			le.PutUint16(dst[2*i:], h)
		}
	case Q8_0, Q4_0:
		for i := range len(src) / k.elems {
			x, b := src[i*k.elems:(i+1)*k.elems], dst[i*k.bytes:(i+1)*k.bytes]
			scale := q8
			if t == Q4_0 {
				scale = q4
			}
			h, err := fits(i*k.elems, scale(b[2:], x))
			if err != nil {
				return err
			}
			le.PutUint16(b, h)
		}
	case Q4_1:
		for i := range len(src) / k.elems {
			d, m := q41(dst[i*k.bytes+4:], src[i*k.elems:(i+1)*k.elems])
			for at, v := range []float32{d, m} {
				h, err := fits(i*k.elems, v)
				if err != nil {
					return err
				}
				le.PutUint16(dst[i*k.bytes+2*at:], h)
			}
		}
	default:
		return fmt.Errorf("gguf: elements of %v cannot be written (known: %v)", t, WriteTypes)
	}
	return nil
}

// largest is the element of the largest magnitude, the first of equals.
func largest(x []float32) float32 {
	top := x[0]
	for _, v := range x {
		if max(v, -v) > max(top, -top) {
			top = v
		}
	}
	return top
}

// inverse is 1/d, and 0 where d is so small that a scale of float16 is 0.
func inverse(d float32) float32 {
	if d == 0 || math.IsInf(float64(1/d), 0) {
		return 0
	}
	return 1 / d
}

// q8 writes 32 elements as round(x/d), halves away from 0.
func q8(q []byte, x []float32) (d float32) {
	top := largest(x)
	d = max(top, -top) / 127
	by := inverse(d)
	for i, v := range x {
		q[i] = byte(int8(math.Round(float64(v * by))))
	}
	return d
}

// q4 writes 32 elements as ⌊x/d + 8.5⌋, at most 15; d has the sign that makes the largest 0.
func q4(q []byte, x []float32) (d float32) {
	d = largest(x) / -8
	by := inverse(d)
	level := func(v float32) byte { return byte(min(15, int(float32(v*by)+8.5))) }
	for i := range 16 {
		q[i] = level(x[i]) | level(x[i+16])<<4
	}
	return d
}

// q41 writes 32 elements as ⌊(x-m)/d + 0.5⌋, at most 15, where m is the least.
func q41(q []byte, x []float32) (d, m float32) {
	m = slices.Min(x)
	d = (slices.Max(x) - m) / 15
	by := inverse(d)
	level := func(v float32) byte { return byte(min(15, int(float32((v-m)*by)+0.5))) }
	for i := range 16 {
		q[i] = level(x[i]) | level(x[i+16])<<4
	}
	return d, m
}

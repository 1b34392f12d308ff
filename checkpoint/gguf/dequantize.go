package gguf

import (
	"encoding/binary"
	"fmt"
	"math"

	"hone/checkpoint/float"
)

// Dequantize gives the elements of whole blocks as float32, with the bits of llama.cpp's
// gguf package: scales of sub-blocks are rounded before they meet the elements.
func Dequantize(t Type, dst []float32, blocks []byte) error {
	k := types[t]
	if k.elems == 0 || len(dst)%k.elems != 0 || int64(len(blocks)) != t.Bytes(int64(len(dst))) {
		return fmt.Errorf("gguf: %d bytes are not %d elements of %v", len(blocks), len(dst), t)
	}
	var block func(dst []float32, b []byte)
	switch t {
	case F32:
		block = func(y []float32, b []byte) { y[0] = math.Float32frombits(binary.LittleEndian.Uint32(b)) }
	case F16:
		block = func(y []float32, b []byte) { y[0] = half(b) }
	case BF16:
		block = func(y []float32, b []byte) { y[0] = float.FromBF16(binary.LittleEndian.Uint16(b)) }
	case Q4_0:
		block = func(y []float32, b []byte) {
			d := half(b)
			nibbles(b[2:], func(i int, q byte) { y[i] = d * float32(int(q)-8) })
		}
	case Q4_1:
		block = func(y []float32, b []byte) {
			d, m := half(b), half(b[2:])
			nibbles(b[4:], func(i int, q byte) { y[i] = float32(d*float32(q)) + m })
		}
	case Q5_0:
		block = func(y []float32, b []byte) {
			d, high := half(b), binary.LittleEndian.Uint32(b[2:])
			nibbles(b[6:], func(i int, q byte) { y[i] = d * float32(int(q|fifth(high, i))-16) })
		}
	case Q5_1:
		block = func(y []float32, b []byte) {
			d, m, high := half(b), half(b[2:]), binary.LittleEndian.Uint32(b[4:])
			nibbles(b[8:], func(i int, q byte) { y[i] = float32(d*float32(q|fifth(high, i))) + m })
		}
	case Q8_0:
		block = func(y []float32, b []byte) {
			d := half(b)
			for i, q := range b[2:34] {
				y[i] = d * float32(int8(q))
			}
		}
	case IQ4_NL:
		block = func(y []float32, b []byte) {
			d := half(b)
			nibbles(b[2:], func(i int, q byte) { y[i] = d * nonlinear[q] })
		}
	case IQ4_XS:
		block = iq4xs
	case Q2_K:
		block = q2k
	case Q3_K:
		block = q3k
	case Q4_K, Q5_K:
		block = func(y []float32, b []byte) { q45k(y, b, t == Q5_K) }
	case Q6_K:
		block = q6k
	default:
		return fmt.Errorf("gguf: elements of %v cannot be read", t)
	}
	for i := range len(dst) / k.elems {
		block(dst[i*k.elems:(i+1)*k.elems], blocks[i*k.bytes:(i+1)*k.bytes])
	}
	return nil
}

// half is the binary16 that b begins with.
func half(b []byte) float32 { return float.FromF16(binary.LittleEndian.Uint16(b)) }

// nibbles goes over 16 bytes: the lower halves are elements 0 to 15, the upper ones 16 to 31.
func nibbles(b []byte, put func(i int, q byte)) {
	for i, v := range b[:16] {
		put(i, v&15)
		put(i+16, v>>4)
	}
}

// fifth is the fifth bit of element i, in its place.
func fifth(high uint32, i int) byte { return byte(high>>i&1) << 4 }

// nonlinear are the values of the four bits of IQ4_NL and IQ4_XS.
var nonlinear = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// iq4xs: d, the upper two bits of 8 scales, their lower four, and sub-blocks of 32.
func iq4xs(y []float32, b []byte) {
	d, high := half(b), binary.LittleEndian.Uint16(b[2:])
	for s := range 8 {
		scale := int(b[4+s/2]>>(s%2*4)&15|byte(high>>(2*s)&3)<<4) - 32
		dl := d * float32(scale)
		nibbles(b[8+16*s:], func(i int, q byte) { y[32*s+i] = dl * nonlinear[q] })
	}
}

// q2k: 16 scales and minima of 4 bits, elements of 2 bits, d, dmin. Of each 32 bytes the bits
// 0 and 1 are 32 elements, bits 2 and 3 the next 32, and so on.
func q2k(y []float32, b []byte) {
	scales, qs, d, dmin := b[:16], b[16:80], half(b[80:]), half(b[82:])
	for i := range y {
		s := scales[i/16]
		dl, ml := float32(d*float32(s&15)), float32(dmin*float32(s>>4))
		q := qs[i/128*32+i%32] >> (i / 32 % 4 * 2) & 3
		y[i] = float32(dl*float32(q)) - ml
	}
}

// q3k: a bit of each element, which takes 4 off where it is 0; two bits; 16 scales of 6 bits; d.
func q3k(y []float32, b []byte) {
	mask, qs, scales, d := b[:32], b[32:96], b[96:108], half(b[108:])
	for i := range y {
		j := i / 16
		s := scales[j%8]>>(j/8*4)&15 | scales[8+j%4]>>(j/4*2)&3<<4
		dl := float32(d * float32(int(s)-32))
		q := int(qs[i/128*32+i%32] >> (i / 32 % 4 * 2) & 3)
		if mask[i%32]>>(i/32)&1 == 0 {
			q -= 4
		}
		y[i] = dl * float32(q)
	}
}

// q45k: d, dmin, 8 scales and minima of 6 bits, of Q5_K a fifth bit of each element, and four
// bits: of each 32 bytes the lower halves are 32 elements, the upper ones the next 32.
func q45k(y []float32, b []byte, five bool) {
	d, dmin, s, high, qs := half(b), half(b[2:]), b[4:16], []byte(nil), b[16:]
	if five {
		high, qs = qs[:32], qs[32:]
	}
	for j := range 8 {
		var scale, low byte
		if j < 4 {
			scale, low = s[j]&63, s[j+4]&63
		} else {
			scale, low = s[4+j]&15|s[j-4]>>6<<4, s[4+j]>>4|s[j]>>6<<4
		}
		dl, ml := float32(d*float32(scale)), float32(dmin*float32(low))
		for i := range 32 {
			q := qs[j/2*32+i] >> (j % 2 * 4) & 15
			if five {
				q |= high[i] >> j & 1 << 4
			}
			y[32*j+i] = float32(dl*float32(q)) - ml
		}
	}
}

// q6k: the lower four bits of each element, its upper two, 16 scales, d.
func q6k(y []float32, b []byte) {
	low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for i := range y {
		q := low[i/128*64+i%64]>>(i/64%2*4)&15 | high[i/128*32+i%32]>>(i/32%4*2)&3<<4
		y[i] = float32(d*float32(int8(scales[i/16]))) * float32(int(q)-32)
	}
}

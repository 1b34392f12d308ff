// Package float converts the short floating-point types of files: IEEE 754 binary16 and
// bfloat16. It rounds to nearest, ties to even.
package float

import "math"

// FromBF16 is the value of a bfloat16.
func FromBF16(h uint16) float32 { return math.Float32frombits(uint32(h) << 16) }

// ToBF16 is the nearest bfloat16 of a number, the even one of two as near.
func ToBF16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40 // rounding could carry into the sign
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// FromF16 is the value of an IEEE 754 binary16.
func FromF16(h uint16) float32 {
	sign, exp, man := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // subnormal: man·2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(man)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}

// ToF16 is the nearest binary16 of a number; infinity from 65520 on.
func ToF16(v float32) uint16 {
	b := math.Float32bits(v)
	sign, abs := uint16(b>>16&0x8000), b&0x7fffffff
	switch {
	case abs > 0x7f800000:
		return sign | 0x7e00 // NaN
	case abs >= 0x477ff000:
		return sign | 0x7c00
	case abs < 0x38800000: // below 2⁻¹⁴
		return sign | uint16(math.RoundToEven(float64(math.Float32frombits(abs))*0x1p24))
	}
	return sign | uint16((abs-112<<23+0xfff+abs>>13&1)>>13)
}

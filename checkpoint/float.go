package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
)

// toFloat32 appends the values of src, of a floating-point dtype.
func toFloat32(dst []float32, dtype string, src []byte) ([]float32, error) {
	le := binary.LittleEndian
	switch dtype {
	case "F32":
		for i := 0; i+4 <= len(src); i += 4 {
			dst = append(dst, math.Float32frombits(le.Uint32(src[i:])))
		}
	case "F64":
		for i := 0; i+8 <= len(src); i += 8 {
			dst = append(dst, float32(math.Float64frombits(le.Uint64(src[i:]))))
		}
	case "BF16":
		for i := 0; i+2 <= len(src); i += 2 {
			dst = append(dst, math.Float32frombits(uint32(le.Uint16(src[i:]))<<16))
		}
	case "F16":
		for i := 0; i+2 <= len(src); i += 2 {
			dst = append(dst, fromHalf(le.Uint16(src[i:])))
		}
	default:
		return nil, fmt.Errorf("of type %s; weights of F32, F16, BF16 and F64 are read", dtype)
	}
	return dst, nil
}

// fromFloat32 appends values as a floating-point dtype, rounded to nearest, ties to even.
func fromFloat32(dst []byte, dtype string, src []float32) ([]byte, error) {
	le := binary.LittleEndian
	switch dtype {
	case "F32":
		for _, v := range src {
			dst = le.AppendUint32(dst, math.Float32bits(v))
		}
	case "BF16":
		for _, v := range src {
			b := math.Float32bits(v)
			dst = le.AppendUint16(dst, uint16((b+0x7fff+b>>16&1)>>16))
		}
	case "F16":
		for _, v := range src {
			dst = le.AppendUint16(dst, toHalf(v))
		}
	default:
		return nil, fmt.Errorf("type %s is not known; weights are written as F32, F16 or BF16", dtype)
	}
	return dst, nil
}

// fromHalf is the value of an IEEE 754 binary16.
func fromHalf(h uint16) float32 {
	sign, exp, man := uint32(h&0x8000)<<16, uint32(h>>10&0x1f), uint32(h&0x3ff)
	switch exp {
	case 0: // subnormal: man·2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(man)*0x1p-24))
	case 0x1f:
		return math.Float32frombits(sign | 0x7f800000 | man<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | man<<13)
}

// toHalf is the nearest binary16 of a number; infinity from 65520 on.
func toHalf(v float32) uint16 {
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

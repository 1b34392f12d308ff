package checkpoint

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"hone/checkpoint/float"
	"hone/checkpoint/gguf"
)

// Floats are the values of a tensor of a floating-point type, or of blocks.
func Floats(t Tensor) ([]float32, error) {
	return toFloat32(make([]float32, 0, t.Elems()), t.DType, t.Data)
}

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
			dst = append(dst, float.FromBF16(le.Uint16(src[i:])))
		}
	case "F16":
		for i := 0; i+2 <= len(src); i += 2 {
			dst = append(dst, float.FromF16(le.Uint16(src[i:])))
		}
	default:
		k, err := gguf.TypeNamed(dtype)
		if err != nil || k.Block() == 1 {
			return nil, fmt.Errorf("of type %s; weights of F32, F16, BF16 and F64 are read, and GGUF's blocks", dtype)
		}
		n, elems := len(dst), len(src)/int(k.Bytes(int64(k.Block())))*k.Block()
		dst = slices.Grow(dst, elems)[:n+elems]
		if err := gguf.Dequantize(k, dst[n:], src); err != nil {
			return nil, err
		}
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
			dst = le.AppendUint16(dst, float.ToBF16(v))
		}
	case "F16":
		for _, v := range src {
			dst = le.AppendUint16(dst, float.ToF16(v))
		}
	default:
		return nil, fmt.Errorf("type %s is not known; weights are written as F32, F16 or BF16", dtype)
	}
	return dst, nil
}

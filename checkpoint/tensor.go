package checkpoint

import (
	"fmt"
	"math"
	"math/bits"
	"unicode/utf8"

	"hone/checkpoint/gguf"
)

// A Tensor is a named array as it is in a file: row-major, little-endian and not
// interpreted.
type Tensor struct {
	Name string
	// DType is one of the names of safetensors: F32, F64, F16, BF16, I32, I64, U8, …; or, in a
	// GGUF file and in what was imported from one, one of gguf.Type's, whose rows may be of
	// blocks: Q8_0, Q4_K, … Other programs do not read a safetensors file that has such.
	DType string
	Shape []int  // empty: a scalar
	Data  []byte // nil where only the description was read
}

// dtypes are the element types of safetensors that fill whole bytes, in the
// order in which its reference implementation ranks them.
var dtypes = [...]struct {
	name string
	size int // bytes an element
}{
	{"BOOL", 1}, {"U8", 1}, {"I8", 1}, {"F8_E5M2", 1}, {"F8_E4M3", 1}, {"F8_E8M0", 1},
	{"I16", 2}, {"U16", 2}, {"F16", 2}, {"BF16", 2},
	{"I32", 4}, {"U32", 4}, {"F32", 4},
	{"C64", 8}, {"F64", 8}, {"I64", 8}, {"U64", 8},
}

// dtypeRank returns the index of name in dtypes, -1 if it is none of them.
func dtypeRank(name string) int {
	for i, d := range dtypes {
		if d.name == name {
			return i
		}
	}
	return -1
}

// NumBytes returns the length of Data that DType and Shape require. The error says
// which of them is wrong.
func (t Tensor) NumBytes() (int64, error) {
	size, elems := uint64(0), uint64(1) // of a block
	if rank := dtypeRank(t.DType); rank >= 0 {
		size = uint64(dtypes[rank].size)
	} else if k, err := gguf.TypeNamed(t.DType); err == nil {
		elems = uint64(k.Block())
		size = uint64(k.Bytes(int64(elems)))
		if n := len(t.Shape); n == 0 || t.Shape[n-1]%k.Block() != 0 {
			return 0, fmt.Errorf("rows of shape %v are not whole blocks of %s", t.Shape, t.DType)
		}
	} else {
		return 0, fmt.Errorf("unknown dtype %q", t.DType)
	}
	n := uint64(1)
	for _, d := range t.Shape {
		if d < 0 {
			return 0, fmt.Errorf("shape %v has a negative dimension", t.Shape)
		}
		hi, lo := bits.Mul64(n, uint64(d))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, fmt.Errorf("shape %v is larger than any memory", t.Shape)
		}
		n = lo
	}
	if hi, lo := bits.Mul64(n/elems, size); hi != 0 || lo > math.MaxInt64 {
		return 0, fmt.Errorf("shape %v is larger than any memory", t.Shape)
	}
	return int64(n / elems * size), nil
}

// Elems is the number of elements of a tensor whose shape has been checked.
func (t Tensor) Elems() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= int64(d)
	}
	return n
}

// CheckFloat fails if t does not have a floating-point type that Weights.Copy converts.
func (t Tensor) CheckFloat() error {
	_, err := toFloat32(nil, t.DType, nil)
	return err
}

// check reports why t, whatever its data, cannot be written.
func (t Tensor) check() error {
	switch {
	case t.Name == "":
		return fmt.Errorf("has no name")
	case t.Name == metadataKey:
		return fmt.Errorf("the name is reserved by the format")
	case !utf8.ValidString(t.Name):
		return fmt.Errorf("the name is not valid UTF-8")
	}
	_, err := t.NumBytes()
	return err
}

package exec

import "fmt"

// DType is the type of a value's elements.
type DType uint8

const (
	F32 DType = iota
	F64
	I32
	// Q8_0 is llama.cpp's type: blocks of 32 elements along the last dimension, stored as a scale d in float16
	// and 32 int8 numbers q; an element is d·q. A quantised parameter is read-only, so it must be frozen.
	Q8_0
	// Q4_0 has numbers of 4 bits: an element is d·(q-8).
	Q4_0
	// Q4_1 has a minimum m too: an element is d·q + m.
	Q4_1
	// BF16 is the upper half of a float32. Like a quantised type it is one in which parameters are stored, not computed.
	BF16
	// F16 is IEEE 754's binary16, stored likewise.
	F16

	numDTypes
)

var dtypes = [numDTypes]struct {
	name         string
	elems, bytes int // of a block: of one element, where it is not quantised
}{F32: {"f32", 1, 4}, F64: {"f64", 1, 8}, I32: {"i32", 1, 4}, Q8_0: {"q8_0", 32, 34}, Q4_0: {"q4_0", 32, 18}, Q4_1: {"q4_1", 32, 20}, BF16: {"bf16", 1, 2}, F16: {"f16", 1, 2}}

// DTypeNamed is the type of a name, as String gives it.
func DTypeNamed(name string) (DType, bool) {
	for d := range numDTypes {
		if dtypes[d].name == name {
			return d, true
		}
	}
	return 0, false
}

func (d DType) String() string { return dtypes[d].name }

// Quantized says that elements are stored in blocks, each with a scale of its own.
func (d DType) Quantized() bool { return dtypes[d].elems > 1 }

// Stored says that only parameters have the type, read-only: instructions compute with their values as floats.
func (d DType) Stored() bool { return d.Quantized() || d == BF16 || d == F16 }

// Block is the number of elements of a block; rows hold whole blocks. It is 1 where d is not quantised.
func (d DType) Block() int { return dtypes[d].elems }

// Bytes is the size of n elements, whole blocks of them.
func (d DType) Bytes(n int) int { return n / dtypes[d].elems * dtypes[d].bytes }

// Size is the bytes of one element of a type that is not quantised.
func (d DType) Size() int {
	if d.Quantized() {
		panic(fmt.Sprintf("exec: an element of %v has no size of its own", d))
	}
	return dtypes[d].bytes
}

package gguf

import (
	"fmt"
	"slices"
	"strings"
)

// Type is the type of a tensor's elements, by llama.cpp's number.
type Type uint32

// The types that can be read; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 can be written too.
const (
	F32    Type = 0
	F16    Type = 1
	Q4_0   Type = 2
	Q4_1   Type = 3
	Q5_0   Type = 6
	Q5_1   Type = 7
	Q8_0   Type = 8
	Q2_K   Type = 10
	Q3_K   Type = 11
	Q4_K   Type = 12
	Q5_K   Type = 13
	Q6_K   Type = 14
	IQ4_NL Type = 20
	IQ4_XS Type = 23
	BF16   Type = 30
)

// types are all that llama.cpp has, so that a tensor's place is known though its elements
// cannot be read.
var types = map[Type]struct {
	name         string
	elems, bytes int // of a block
}{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, BF16: {"BF16", 1, 2},
	Q4_0: {"Q4_0", 32, 18}, Q4_1: {"Q4_1", 32, 20}, Q5_0: {"Q5_0", 32, 22}, Q5_1: {"Q5_1", 32, 24}, Q8_0: {"Q8_0", 32, 34},
	Q2_K: {"Q2_K", 256, 84}, Q3_K: {"Q3_K", 256, 110}, Q4_K: {"Q4_K", 256, 144}, Q5_K: {"Q5_K", 256, 176}, Q6_K: {"Q6_K", 256, 210},
	IQ4_NL: {"IQ4_NL", 32, 18}, IQ4_XS: {"IQ4_XS", 256, 136},

	9: {"Q8_1", 32, 40}, 15: {"Q8_K", 256, 292}, 16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 18: {"IQ3_XXS", 256, 98},
	19: {"IQ1_S", 256, 50}, 21: {"IQ3_S", 256, 110}, 22: {"IQ2_S", 256, 82}, 24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4},
	27: {"I64", 1, 8}, 28: {"F64", 1, 8}, 29: {"IQ1_M", 256, 56}, 34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66},
	39: {"MXFP4", 32, 17}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18},
}

func (t Type) String() string {
	if k, ok := types[t]; ok {
		return k.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// Block is the number of elements of a block: rows hold whole ones. It is 0 of a type that
// llama.cpp does not have.
func (t Type) Block() int { return types[t].elems }

// Bytes is the size of n elements, whole blocks of them.
func (t Type) Bytes(n int64) int64 {
	k := types[t]
	return n / int64(k.elems) * int64(k.bytes)
}

// TypeNamed is the type of a name such as "Q8_0".
func TypeNamed(name string) (Type, error) {
	var names []string
	for t, k := range types {
		if k.name == name {
			return t, nil
		}
		names = append(names, k.name)
	}
	slices.Sort(names)
	return 0, fmt.Errorf("gguf: unknown type %q (known: %s)", name, strings.Join(names, ", "))
}

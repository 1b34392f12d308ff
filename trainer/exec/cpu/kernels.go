package cpu

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

//go:generate go run ./gen

// A kernels is a set of float32 kernels. A nil function means the portable one;
// float64 always uses that. The tables are written by gen, beside the assembly.
type kernels struct {
	name  string
	lanes int // float32 in a vector

	elementwiseKernels
	gemmKernels
	peakKernels
}

type elementwiseKernels struct {
	exp      func(n int, dst, src *float32, shift float32)
	gelu     func(n int, dst, x *float32)
	geluGrad func(n int, dst, x, dy *float32)
	add      func(n int, dst, a, b *float32)
}

var genericKernels = kernels{name: "generic"}

// findKernels gives a set by name, or the best one for "".
func findKernels(name string) (*kernels, error) {
	have := available() // best first
	if name == "" {
		return have[0], nil
	}
	var names []string
	for _, k := range have {
		if k.name == name {
			return k, nil
		}
		names = append(names, k.name)
	}
	slices.Reverse(names)
	if name == "avx2" || name == "avx512" {
		return nil, fmt.Errorf("cpu: this processor or build has no %s kernels; it has %s", name, strings.Join(names, ", "))
	}
	return nil, fmt.Errorf("cpu: unknown kernels %q; known are generic, avx2, avx512, and this processor has %s", name, strings.Join(names, ", "))
}

// f32 is the address of a float32 slice's first element, for an assembly kernel.
func f32[T float](s []T) *float32 { return (*float32)(unsafe.Pointer(&s[0])) }

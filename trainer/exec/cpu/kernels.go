package cpu

import (
	"cmp"
	"fmt"
	"os"
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

	attention attentionKernels
	bf16      bf16Kernels
	elementwiseKernels
	gemmKernels
	panels panelKernels
	peakKernels
	quantKernels
	rowsKernels
}

type elementwiseKernels struct {
	exp         func(n int, dst, src *float32, shift float32)
	expScale    func(n int, dst, src *float32, shift, scale float32)
	gelu        func(n int, dst, x *float32)
	geluGrad    func(n int, dst, x, dy *float32)
	erfGELU     func(n int, dst, x *float32)
	erfGELUGrad func(n int, dst, x, dy *float32)
	tanh        func(n int, dst, x *float32)
	sigmoid     func(n int, dst, x *float32)
	relu        func(n int, dst, x *float32)
	tanhGrad    func(n int, dst, y, dy *float32)
	sigmoidGrad func(n int, dst, y, dy *float32)
	reluGrad    func(n int, dst, y, dy *float32)
	swiglu      func(n int, dst, gate, up *float32)
	geglu       func(n int, dst, gate, up *float32)
	swigluGrad  func(n int, dgate, dup, gate, up, dy *float32)
	gegluGrad   func(n int, dgate, dup, gate, up, dy *float32)
	add         func(n int, dst, a, b *float32)
	adamW       func(n int, p, grad, m, v *float32, clip, decay, m1, b2, v1, size, invRoot, eps float32)
	nesterov    func(n int, next, u, grad, m *float32, clip, m1 float32)
	combine     func(n int, dst, a, b *float32, c, d float32) // c·a + d·b
}

type rowsKernels struct {
	// Of one row, in the lanes and the order that lanes and its tree have.
	sum       func(n int, out, x *float32)
	max       func(n int, out, x *float32)
	expSum    func(n int, out, src *float32, shift float32)
	deviation func(n int, out, x *float32, mean float32)
	normDots  func(n int, out, dy, gain, x *float32, mean, rstd float32) // two sums

	norm        func(n int, dst, x, gain *float32, mean, rstd float32)
	normBias    func(n int, dst, x, gain, bias *float32, mean, rstd float32)
	normGrad    func(n int, dst, dy, x, gain *float32, mean, rstd, avgH, avgHX float32)
	normGradAdd func(n int, dst, dy, x, gain, dres *float32, mean, rstd, avgH, avgHX float32)
	gainGrad    func(n int, acc, dy, x *float32, mean, rstd float32)
	sumRows     func(n int, acc, a, b, c, d *float32)

	sumSquares func(n int, out *float64, x *float32) // eight sums, for n a multiple of 8
	dropout    func(n int, dst, x *float32, state *uint32, block uint32)

	rope func(heads, half int, dst, x, table *float32, sign float32)
}

var genericKernels = kernels{name: "generic"}

// named is the kernels of Options, or, where these are empty, of the environment.
func named(kernels string) string { return cmp.Or(kernels, os.Getenv("HONE_KERNELS")) }

// findKernels gives a set by name, as in Options, or the best one for "".
func findKernels(full string) (*kernels, error) {
	have := available() // best first
	if full == "" {
		return have[0], nil
	}
	name, _, _ := strings.Cut(full, "+")
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
	return nil, fmt.Errorf("cpu: unknown kernels %q; known are generic, avx2, avx512, avx512+amx, avx512+vdpbf16ps, and this processor has %s", full, strings.Join(names, ", "))
}

// f32 is the address of a float32 slice's first element, for an assembly kernel.
func f32[T float](s []T) *float32 { return (*float32)(unsafe.Pointer(&s[0])) }

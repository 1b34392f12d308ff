package cpu

import (
	"fmt"
	"slices"
	"strings"
	"unsafe"
)

//go:generate go run ./gen

// A kernels is a set of float32 kernels. A nil function means the portable one;
// float64 always uses that.
type kernels struct {
	name  string
	lanes int // float32 in a vector

	// Blocks of gemm: a panel of B (kc·nr) and a tile of A (mr·kc) stay in the first-level
	// cache, a block of A (mc·kc) in the second, the panels (kc·nc) in the third.
	kc, mc, nc int

	mr, nr int           // rows and columns of the micro-kernel's tile
	micro  []microKernel // for 1, 2, … mr rows
	// packRows packs kc ≥ 1 rows of nr elements, stride bytes apart, into a panel.
	packRows func(kc int, src *float32, stride int, dst *float32)
	// packCols does so with rows of lanes elements.
	packCols func(kc int, src *float32, stride int, dst *float32)
	// transpose8 packs 8 rows of kc elements (a multiple of 8), stride bytes apart,
	// into 8 columns of a panel nr wide.
	transpose8 func(kc int, src *float32, stride int, dst *float32)

	exp      func(n int, dst, src *float32, shift float32)
	gelu     func(n int, dst, x *float32)
	geluGrad func(n int, dst, x, dy *float32)
	add      func(n int, dst, a, b *float32)

	fmaLoop  func(n int)               // 12·lanes multiply-adds a round
	readLoop func(n int, src *float32) // n a multiple of 4·lanes
}

// A microKernel computes a tile of nr columns: c = (or +=) a·b over kc ≥ 1 steps.
// a's element (i,p) is at a + i·ars + p·aks, b's row p at b + p·bks; strides are in bytes.
type microKernel func(kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc int, accumulate bool)

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

package cpu

import (
	"fmt"
	"slices"
	"strings"
)

// A kernels is a set of float32 kernels. A nil function means the portable one;
// float64 always uses that.
type kernels struct {
	name string

	mr, nr     int // rows and columns of the micro-kernel's tile
	kc, mc, nc int // cache blocks: see gemm
	// micro[r-1] computes r rows of a tile of nr columns: c = (or +=) a·b over kc
	// steps. a[i][p] is at a + i·ars + p·aks, b at panel row p, all strides in bytes.
	micro []func(kc int, a *float32, ars, aks int, b, c *float32, ldc int, accumulate bool)
	// transpose8 packs 8 rows of b, kc long (a multiple of 8), into 8 columns of a panel nr wide.
	transpose8 func(kc int, src *float32, stride int, dst *float32)

	// Elementwise, n a multiple of lanes.
	lanes    int
	exp      func(n int, dst, src *float32, shift float32)
	gelu     func(n int, dst, src *float32)
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

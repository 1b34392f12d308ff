package cpu

import (
	"fmt"
	"slices"
	"strings"
)

// Precisions are the types of matrix products' operands that a recipe can ask for.
var Precisions = []string{"fp32", "bf16"}

// CheckPrecision gives an error if the kernels, named as in Options, cannot multiply in a precision on this machine.
func CheckPrecision(precision, kernels string) error {
	if !slices.Contains(Precisions, precision) {
		return fmt.Errorf("%q is not known; known are %s", precision, strings.Join(Precisions, ", "))
	}
	if precision == "fp32" {
		return nil
	}
	kernels = named(kernels)
	k, err := findKernels(kernels)
	if err != nil {
		return err
	}
	_, err = findBF16(k, bf16Sets(k), kernels)
	return err
}

// A bf16Set multiplies matrices whose operands are rounded to bf16, and adds in float32.
type bf16Set struct {
	name      string // as in a kernel set's name: "avx512+amx"
	product   bf16Kernel
	loop      func(n int) // what measures the processor, of so many FLOPs a round
	loopFLOPs float64
}

// findBF16 gives the bf16 set that a name such as "avx512+amx" asks for, or else the best of those that there are, which
// are listed best first.
func findBF16(k *kernels, have []*bf16Set, name string) (*bf16Set, error) {
	_, name, _ = strings.Cut(name, "+")
	for _, s := range have {
		if name == "" || s.name == name {
			return s, nil
		}
	}
	switch {
	case k.bf16.rowTiles == nil && k != available()[0]:
		return nil, fmt.Errorf("bf16 needs the kernels avx512, not %s; use fp32", k.name)
	case name != "" && name != "amx" && name != "vdpbf16ps":
		return nil, fmt.Errorf("bf16 has no products %q; known are amx, vdpbf16ps", name)
	case name == "amx":
		return nil, fmt.Errorf("bf16 by amx needs the instruction TDPBF16PS (AMX-BF16), which this processor or system does not have")
	}
	return nil, fmt.Errorf("bf16 needs the instruction VDPBF16PS (AVX512-BF16), which this processor or build does not have; use fp32")
}

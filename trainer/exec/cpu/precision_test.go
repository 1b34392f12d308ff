package cpu

import (
	"strings"
	"testing"
)

func TestPrecision(t *testing.T) {
	if err := CheckPrecision("fp32", ""); err != nil {
		t.Error(err)
	}
	if err := CheckPrecision("fp8", ""); err == nil || err.Error() != `"fp8" is not known; known are fp32, bf16` {
		t.Error(err)
	}
	best := available()[0]
	sets := []*bf16Set{{name: "amx"}, {name: "vdpbf16ps"}}
	for _, c := range []struct {
		k          *kernels
		have       []*bf16Set
		name, want string // want: the set, or part of the error
	}{
		{best, sets, "", "amx"},
		{best, sets, "avx512", "amx"},
		{best, sets, "avx512+vdpbf16ps", "vdpbf16ps"},
		{best, sets[1:], "avx512", "vdpbf16ps"},
		{best, sets[1:], "avx512+amx", "instruction TDPBF16PS (AMX-BF16), which this processor or system does not have"},
		{best, nil, "", "instruction VDPBF16PS (AVX512-BF16), which this processor or build does not have; use fp32"},
		{best, sets, "avx512+fp8", `no products "fp8"; known are amx, vdpbf16ps`},
	} {
		got, err := findBF16(c.k, c.have, c.name)
		if err == nil && got.name != c.want || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%d sets, %q: %v, %v, want %s", len(c.have), c.name, got, err, c.want)
		}
	}
	if best != &genericKernels {
		if err := CheckPrecision("bf16", "generic"); err == nil || !strings.Contains(err.Error(), "bf16 needs the kernels avx512, not generic; use fp32") {
			t.Error(err)
		}
	}
	for _, name := range []string{"generic+amx", "avx512+fp8"} {
		if _, err := New(Options{Threads: 1, Kernels: name, BF16: true}); err == nil {
			t.Errorf("kernels %s are taken", name)
		}
	}
}

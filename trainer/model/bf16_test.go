package model

import (
	"math"
	"slices"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// Products of bf16 give the loss and the gradients of float32, as near as 8 bits of a
// mantissa are, and the same bits for any number of threads, recomputed or not.
func TestBF16(t *testing.T) {
	for _, kernels := range []string{"avx512+amx", "avx512+vdpbf16ps"} {
		if err := cpu.CheckPrecision("bf16", kernels); err != nil {
			t.Run(kernels, func(t *testing.T) { t.Skip(err) })
			continue
		}
		for _, c := range families(16, 16) {
			t.Run(kernels+"/"+c.ModelType, func(t *testing.T) {
				c.VocabSize = 31
				f := random(c, 3, 16, 5)
				values := func(o cpu.Options, opts Options) (all [][]float64) {
					n := network(t, o, exec.F32, c, opts)
					if err := n.Init(3); err != nil {
						t.Fatal(err)
					}
					x := executor(t, n, Train, 3, 16, 0)
					run(t, n, x, f)
					all = append(all, read(t, x, "loss"))
					all = append(all, gradients(t, n)...)
					return all
				}
				want := values(cpu.Options{Threads: 1}, Options{})
				got := values(cpu.Options{Threads: 1, Kernels: kernels, BF16: true}, Options{BF16: true})
				for i := range want {
					top, off := 0.0, 0.0
					for k, v := range want[i] {
						top, off = max(top, math.Abs(v)), max(off, math.Abs(got[i][k]-v))
					}
					bound := 0.06
					if i == 0 {
						bound = 0.002
					}
					if !(off <= bound*top) {
						t.Errorf("value %d of loss and gradients: off by %.2g of the largest, over %g", i, off/top, bound)
					}
				}
				if slices.EqualFunc(got, want, slices.Equal[[]float64]) {
					t.Error("the results are those of float32")
				}
				again := values(cpu.Options{Threads: 3, Kernels: kernels, BF16: true}, Options{BF16: true, Recompute: true})
				for i := range got {
					if !slices.Equal(got[i], again[i]) {
						t.Errorf("value %d of loss and gradients has other bits with three threads and recomputed", i)
					}
				}
			})
		}
	}
	n := network(t, cpu.Options{Threads: 1}, exec.F32, tiny(), Options{BF16: true})
	if err := n.Init(1); err != nil {
		t.Fatal(err)
	}
	x := executor(t, n, Train, 1, 4, 0)
	if err := n.Feed(x, random(tiny(), 1, 4, 1)); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err == nil {
		t.Error("a device without products of bf16 runs them")
	}
}

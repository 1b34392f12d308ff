package cpu

import "testing"

func TestPeakMeasuresSomething(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		d, err := New(Options{Threads: 2, Kernels: k.name})
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for _, threads := range []int{0, 1, 2, 3} {
			gflops, gbs := d.Peak(threads)
			if !(gflops > 0.01 && gflops < 1e5 && gbs > 0.01 && gbs < 1e5) {
				t.Errorf("%d threads: %v GFLOP/s, %v GB/s", threads, gflops, gbs)
			}
			t.Logf("%s, %d threads: %.0f GFLOP/s, %.1f GB/s", k.name, threads, gflops, gbs)
		}
	})
}

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
			if gflops := d.PeakFLOPS(threads); !(gflops > 0.01 && gflops < 1e5) {
				t.Errorf("%d threads: %v GFLOP/s", threads, gflops)
			}
		}
		g, err := d.Gauge(d.Threads() * ReadShare)
		if err != nil {
			t.Fatal(err)
		}
		mean, best := g.Measure(0.01)
		for _, l := range []Limits{mean, best} {
			if !(l.GFLOPS > 0.01 && l.GFLOPS < 1e5 && l.Bandwidth > 0.01 && l.Bandwidth < 1e5) || l.BF16 != 0 {
				t.Errorf("%+v", l)
			}
		}
		if mean.GFLOPS > best.GFLOPS || mean.Bandwidth > best.Bandwidth {
			t.Errorf("%+v on the mean, %+v at best", mean, best)
		}
		t.Logf("%s: %+v", k.name, best)
	})
}

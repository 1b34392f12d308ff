package cpu

import (
	"math"
	"math/rand/v2"
	"testing"

	"hone/trainer/exec"
)

// float32s calls f with every step-th finite float32 within ±limit, in blocks.
func float32s(limit float32, step uint32, f func([]float32)) {
	var block []float32
	flush := func() {
		f(block)
		block = block[:0]
	}
	for u := uint32(0); u <= math.Float32bits(limit); u += step {
		x := math.Float32frombits(u)
		block = append(block, x, -x)
		if len(block) >= 4000 {
			flush()
		}
	}
	flush()
}

// ulps is the distance from x to want in units of the last place of a float32 of want's size.
func ulps(x float32, want float64) float64 {
	_, e := math.Frexp(want)
	return math.Abs(float64(x)-want) / math.Ldexp(1, max(e-24, -149))
}

// exp is within one unit in the last place over the whole range, denormals included.
func TestExp(t *testing.T) {
	oneGoroutine(t)
	everyKernels(t, func(t *testing.T, k *kernels) {
		worst, at := 0.0, float32(0)
		float32s(110, 997, func(x []float32) {
			y := make([]float32, len(x))
			expSub(k, y, x, 0)
			for i, x := range x {
				want := math.Exp(float64(x))
				if want >= math.MaxFloat32*(1+1.0/(1<<25)) {
					if !math.IsInf(float64(y[i]), 1) {
						t.Fatalf("exp(%v) = %v, want +Inf", x, y[i])
					}
					continue
				}
				if u := ulps(y[i], want); u > worst || u != u {
					worst, at = u, x
				}
			}
		})
		t.Logf("worst %.3f ulp at %v", worst, at)
		if !(worst <= 1) {
			t.Errorf("exp is off by %v ulp at %v", worst, at)
		}
	})
}

func TestExpSpecialValues(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		inf := float32(math.Inf(1))
		x := []float32{0, -inf, inf, float32(math.NaN()), -1e30, 1e30, 3}
		y := make([]float32, len(x))
		expSub(k, y, x, 0)
		if y[0] != 1 || y[1] != 0 || y[2] != inf || y[3] == y[3] || y[4] != 0 || y[5] != inf {
			t.Errorf("exp(%v) = %v", x, y)
		}
		expSub(k, x[6:], x[6:], 3) // in place
		if x[6] != 1 {
			t.Errorf("exp(3-3) = %v", x[6])
		}
		expSub(k, x[:0], x[:0], 0)
	})
}

// elementwise runs every elementwise kernel on x and y.
func elementwise(k *kernels, x, y []float32) map[string][]float32 {
	out := map[string][]float32{}
	for _, name := range []string{"exp", "expScale", "gelu", "geluGrad", "erfGELU", "erfGELUGrad", "add", "tanh", "sigmoid", "relu", "tanhGrad", "sigmoidGrad", "reluGrad",
		"swiglu", "geglu", "swigluGrad", "swigluGrad up", "gegluGrad", "gegluGrad up"} {
		dst, other := make([]float32, len(x)+1), make([]float32, len(x))
		dst[len(x)] = 77
		switch d := dst[:len(x)]; name {
		case "exp":
			expSub(k, d, x, 0.5)
		case "gelu":
			geluTo(k, d, x)
		case "geluGrad":
			geluGradTo(k, d, x, y)
		case "erfGELU":
			erfGELUTo(k, d, x)
		case "erfGELUGrad":
			erfGELUGradTo(k, d, x, y)
		case "add":
			addTo(k, d, x, y)
		case "expScale":
			expScale(k, d, x, 0.5, 0.75)
		case "tanh":
			tanhTo(k, d, x)
		case "sigmoid":
			sigmoidTo(k, d, x)
		case "relu":
			reluTo(k, d, x)
		case "tanhGrad":
			tanhGradTo(k, d, x, y)
		case "sigmoidGrad":
			sigmoidGradTo(k, d, x, y)
		case "reluGrad":
			reluGradTo(k, d, x, y)
		case "swiglu":
			gluTo(k, exec.SiLU, d, x, y)
		case "geglu":
			gluTo(k, exec.GELUTanh, d, x, y)
		case "swigluGrad":
			gluGradTo(k, exec.SiLU, d, other, x, y, y)
		case "swigluGrad up":
			gluGradTo(k, exec.SiLU, other, d, x, y, y)
		case "gegluGrad":
			gluGradTo(k, exec.GELUTanh, d, other, x, y, y)
		case "gegluGrad up":
			gluGradTo(k, exec.GELUTanh, other, d, x, y, y)
		}
		out[name] = dst
	}
	return out
}

// An element's bits do not depend on its place, and nothing is written beyond the end.
func TestElementwiseTails(t *testing.T) {
	oneGoroutine(t)
	everyKernels(t, func(t *testing.T, k *kernels) {
		r := rand.New(rand.NewPCG(5, 6))
		x, y := fill[float32](r, 80), fill[float32](r, 80)
		whole := elementwise(k, x, y)
		for lo := range 20 {
			for n := 0; n <= 40; n++ {
				for name, got := range elementwise(k, x[lo:lo+n], y[lo:lo+n]) {
					for i := range n {
						if got[i] != whole[name][lo+i] {
							t.Fatalf("%s: element %d of %d from %d is %v, %v among others", name, i, n, lo, got[i], whole[name][lo+i])
						}
					}
					if got[n] != 77 {
						t.Fatalf("%s of %d elements writes beyond them", name, n)
					}
				}
			}
		}
	})
}

// Where both run, AVX2 and AVX-512 give the same bits: the same operations in the same order.
func TestVectorSetsAgree(t *testing.T) {
	oneGoroutine(t)
	a, err := findKernels("avx2")
	if err != nil {
		t.Skip(err)
	}
	b, err := findKernels("avx512")
	if err != nil {
		t.Skip(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	x, y := fill[float32](r, 1000), fill[float32](r, 1000)
	for i := range x {
		x[i] *= 10
	}
	want, got := elementwise(a, x, y), elementwise(b, x, y)
	for name := range want {
		for i := range want[name] {
			if got[name][i] != want[name][i] {
				t.Fatalf("%s(%v): %v with avx2, %v with avx512", name, x[i], want[name][i], got[name][i])
			}
		}
	}
}

func benchElementwise(b *testing.B, f func(k *kernels, dst, x, y []float32)) {
	for _, k := range available() {
		b.Run(k.name, func(b *testing.B) {
			x, y, dst := make([]float32, 4096), make([]float32, 4096), make([]float32, 4096)
			for i := range x {
				x[i], y[i] = float32(i%64)/8-4, 1
			}
			for b.Loop() {
				f(k, dst, x, y)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/4096, "ns/elem")
		})
	}
}

func BenchmarkExp(b *testing.B) {
	benchElementwise(b, func(k *kernels, dst, x, _ []float32) { expSub(k, dst, x, 0.5) })
}

func BenchmarkGELU(b *testing.B) {
	benchElementwise(b, func(k *kernels, dst, x, _ []float32) { geluTo(k, dst, x) })
}

func BenchmarkGELUGrad(b *testing.B) {
	benchElementwise(b, func(k *kernels, dst, x, y []float32) { geluGradTo(k, dst, x, y) })
}

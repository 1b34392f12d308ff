package cpu

import (
	"math"
	"slices"
	"testing"
)

// gelu64 and geluGrad64 are the definition (Hendrycks & Gimpel 2016).
func gelu64(x float64) float64 {
	return 0.5 * x * (1 + math.Tanh(math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)))
}

func geluGrad64(x float64) float64 {
	th := math.Tanh(math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x))
	return 0.5*(1+th) + 0.5*x*(1-th*th)*math.Sqrt(2/math.Pi)*(1+3*0.044715*x*x)
}

// The kernels' bounds against float64, that of the GELU relative to max(1, |x|).
const (
	geluBound     = 2e-7
	geluGradBound = 4e-7
)

func erfGELU64(x float64) float64 { return 0.5 * x * math.Erfc(-x/math.Sqrt2) }

func erfGELUGrad64(x float64) float64 {
	return 0.5*math.Erfc(-x/math.Sqrt2) + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
}

// geluForms are the tanh form and the exact one.
var geluForms = []struct {
	name  string
	f, df func(float64) float64
	to    func(k *kernels, dst, x []float32)
	grad  func(k *kernels, dst, x, dy []float32)
}{
	{"tanh", gelu64, geluGrad64, geluTo[float32], geluGradTo[float32]},
	{"erf", erfGELU64, erfGELUGrad64, erfGELUTo[float32], erfGELUGradTo[float32]},
}

func TestGELU(t *testing.T) {
	oneGoroutine(t)
	everyKernels(t, func(t *testing.T, k *kernels) {
		for _, form := range geluForms {
			var worst, worstGrad float64
			var at, atGrad float32
			float32s(100, 1999, func(x []float32) {
				y, dx, ones := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
				for i := range ones {
					ones[i] = 1
				}
				form.to(k, y, x)
				form.grad(k, dx, x, ones)
				for i, x := range x {
					v := float64(x)
					if e := math.Abs(float64(y[i])-form.f(v)) / max(1, math.Abs(v)); e > worst || e != e {
						worst, at = e, x
					}
					if e := math.Abs(float64(dx[i]) - form.df(v)); e > worstGrad || e != e {
						worstGrad, atGrad = e, x
					}
				}
			})
			t.Logf("gelu (%s): worst %.3g at %v; gradient: worst %.3g at %v", form.name, worst, at, worstGrad, atGrad)
			if !(worst <= geluBound) {
				t.Errorf("gelu (%s) is off by %v at %v", form.name, worst, at)
			}
			if !(worstGrad <= geluGradBound) {
				t.Errorf("the gradient of gelu (%s) is off by %v at %v", form.name, worstGrad, atGrad)
			}
		}
	})
}

func TestGELUSpecialValues(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		for _, form := range geluForms {
			inf := float32(math.Inf(1))
			x := []float32{1e20, -1e20, 3e38, -3e38, 0, inf, -inf, float32(math.NaN())}
			dy := slices.Repeat([]float32{2}, len(x))
			y, dx := make([]float32, len(x)), make([]float32, len(x))
			form.to(k, y, x)
			form.grad(k, dx, x, dy)
			for i, want := range []float32{1e20, 0, 3e38, 0, 0, inf, 0} {
				if y[i] != want && !(math.Abs(float64(y[i]-want)) <= 1e-30) {
					t.Errorf("gelu (%s) of %v is %v, want %v", form.name, x[i], y[i], want)
				}
			}
			for i, want := range []float32{2, 0, 2, 0, 1, 2, 0} {
				if !(math.Abs(float64(dx[i]-want)) <= 1e-30) {
					t.Errorf("gradient of gelu (%s) at %v, times 2, is %v, want %v", form.name, x[i], dx[i], want)
				}
			}
			if last := len(x) - 1; y[last] == y[last] || dx[last] == dx[last] {
				t.Errorf("a NaN gives %v, gradient %v", y[last], dx[last])
			}
		}
	})
}

// The float64 kernels agree with the definition and, by differences, with each other.
func TestGELU64(t *testing.T) {
	oneGoroutine(t)
	x, dy := make([]float64, 2001), make([]float64, 2001)
	for i := range x {
		x[i], dy[i] = float64(i-1000)/100, 1
	}
	for _, form := range []struct {
		f    func(float64) float64
		to   func(k *kernels, dst, x []float64)
		grad func(k *kernels, dst, x, dy []float64)
	}{
		{gelu64, geluTo[float64], geluGradTo[float64]},
		{erfGELU64, erfGELUTo[float64], erfGELUGradTo[float64]},
	} {
		y, dx := make([]float64, len(x)), make([]float64, len(x))
		form.to(&genericKernels, y, x)
		form.grad(&genericKernels, dx, x, dy)
		const h = 1e-5
		for i, v := range x {
			if math.Abs(y[i]-form.f(v)) > 1e-14*max(1, math.Abs(v)) {
				t.Errorf("gelu(%v) = %v, want %v", v, y[i], form.f(v))
			}
			if diff := (form.f(v+h) - form.f(v-h)) / (2 * h); math.Abs(dx[i]-diff) > 1e-9 {
				t.Errorf("gradient of gelu at %v is %v, by differences %v", v, dx[i], diff)
			}
		}
		form.grad(&genericKernels, dx[:2], []float64{1e200, -1e200}, dy)
		if dx[0] != 1 || dx[1] != 0 {
			t.Errorf("gradients of gelu at ±1e200 are %v", dx[:2])
		}
	}
}

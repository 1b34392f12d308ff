package cpu

import (
	"math"
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

func TestGELU(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		var worst, worstGrad float64
		var at, atGrad float32
		float32s(100, 1999, func(x []float32) {
			y, dx, ones := make([]float32, len(x)), make([]float32, len(x)), make([]float32, len(x))
			for i := range ones {
				ones[i] = 1
			}
			geluTo(k, y, x)
			geluGradTo(k, dx, x, ones)
			for i, x := range x {
				v := float64(x)
				if e := math.Abs(float64(y[i])-gelu64(v)) / max(1, math.Abs(v)); e > worst || e != e {
					worst, at = e, x
				}
				if e := math.Abs(float64(dx[i]) - geluGrad64(v)); e > worstGrad || e != e {
					worstGrad, atGrad = e, x
				}
			}
		})
		t.Logf("gelu: worst %.3g at %v; gradient: worst %.3g at %v", worst, at, worstGrad, atGrad)
		if !(worst <= geluBound) {
			t.Errorf("gelu is off by %v at %v", worst, at)
		}
		if !(worstGrad <= geluGradBound) {
			t.Errorf("the gradient of gelu is off by %v at %v", worstGrad, atGrad)
		}
	})
}

func TestGELUSpecialValues(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		x := []float32{1e20, -1e20, 3e38, -3e38, 0, float32(math.NaN())}
		dy := []float32{2, 2, 2, 2, 2, 2}
		y, dx := make([]float32, len(x)), make([]float32, len(x))
		geluTo(k, y, x)
		geluGradTo(k, dx, x, dy)
		for i, want := range []float32{1e20, 0, 3e38, 0, 0} {
			if math.Abs(float64(y[i]-want)) > 1e-30 {
				t.Errorf("gelu(%v) = %v, want %v", x[i], y[i], want)
			}
		}
		for i, want := range []float32{2, 0, 2, 0, 1} {
			if math.Abs(float64(dx[i]-want)) > 1e-30 {
				t.Errorf("gradient of gelu at %v, times 2, is %v, want %v", x[i], dx[i], want)
			}
		}
		if y[5] == y[5] || dx[5] == dx[5] {
			t.Errorf("a NaN gives %v, gradient %v", y[5], dx[5])
		}
	})
}

// The float64 kernels agree with the definition and, by differences, with each other.
func TestGELU64(t *testing.T) {
	x, dy := make([]float64, 2001), make([]float64, 2001)
	for i := range x {
		x[i], dy[i] = float64(i-1000)/100, 1
	}
	y, dx := make([]float64, len(x)), make([]float64, len(x))
	geluTo(&genericKernels, y, x)
	geluGradTo(&genericKernels, dx, x, dy)
	const h = 1e-5
	for i, v := range x {
		if math.Abs(y[i]-gelu64(v)) > 1e-14*max(1, math.Abs(v)) {
			t.Errorf("gelu(%v) = %v, want %v", v, y[i], gelu64(v))
		}
		if diff := (gelu64(v+h) - gelu64(v-h)) / (2 * h); math.Abs(dx[i]-diff) > 1e-9 {
			t.Errorf("gradient of gelu at %v is %v, by differences %v", v, dx[i], diff)
		}
	}
	geluGradTo(&genericKernels, dx[:2], []float64{1e200, -1e200}, dy)
	if dx[0] != 1 || dx[1] != 0 {
		t.Errorf("gradients of gelu at ±1e200 are %v", dx[:2])
	}
}

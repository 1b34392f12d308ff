package cpu

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// activations adds the functions of one operand, the gated units and GELU's gradient with its sum.
func activations(add addCase, r *rand.Rand) {
	for _, n := range []int{1, 7, 17000} {
		x, dy := random(r, n), random(r, n)
		for _, f := range []struct {
			op, grad exec.Op
			f, df    func(float64) float64
		}{
			{exec.OpTanh, exec.OpTanhGrad, math.Tanh, func(x float64) float64 { return 1 - math.Tanh(x)*math.Tanh(x) }},
			{exec.OpSigmoid, exec.OpSigmoidGrad, sigmoid64, func(x float64) float64 { return sigmoid64(x) * (1 - sigmoid64(x)) }},
			{exec.OpReLU, exec.OpReLUGrad, func(x float64) float64 { return max(x, 0) }, func(x float64) float64 {
				if x > 0 {
					return 1
				}
				return 0
			}},
		} {
			y, dx := make([]float64, n), make([]float64, n)
			for i, v := range x.f {
				y[i], dx[i] = f.f(v), dy.f[i]*f.df(v)
			}
			add(1e-6, exec.Instr{Op: f.op}, []tensor{x}, outputs(x.shape), y)
			add(1e-6, exec.Instr{Op: f.grad}, []tensor{floats(y, n), dy}, outputs(x.shape), dx)
		}
	}
	for _, s := range [][2]int{{1, 1}, {3, 17}, {70, 64}, {130, 65}, {3, 6000}} {
		rows, n := s[0], s[1]
		gate, up, dy := random(r, rows, n), random(r, rows, n), random(r, rows, n)
		for _, act := range []exec.Activation{exec.SiLU, exec.GELUTanh} {
			f, df := silu64, siluGrad64
			if act == exec.GELUTanh {
				f, df = gelu64, geluGrad64
			}
			y, dgate, dup := make([]float64, rows*n), make([]float64, rows*n), make([]float64, rows*n)
			both, dboth := floats(make([]float64, 2*rows*n), rows, 2*n), make([]float64, 2*rows*n)
			for i, g := range gate.f {
				y[i], dgate[i], dup[i] = f(g)*up.f[i], dy.f[i]*up.f[i]*df(g), dy.f[i]*f(g)
				at := i/n*2*n + i%n
				both.f[at], both.f[at+n] = g, up.f[i]
				dboth[at], dboth[at+n] = dgate[i], dup[i]
			}
			at := exec.Attrs{Activation: act}
			add(1e-6, exec.Instr{Op: exec.OpGLU, Attrs: at}, []tensor{gate, up}, outputs(gate.shape), y)
			add(1e-6, exec.Instr{Op: exec.OpGLU, Attrs: at}, []tensor{both, absent}, outputs(gate.shape), y)
			add(1e-6, exec.Instr{Op: exec.OpGLUGrad, Attrs: at}, []tensor{gate, up, dy}, outputs(gate.shape, gate.shape), dgate, dup)
			add(1e-6, exec.Instr{Op: exec.OpGLUGrad, Attrs: at}, []tensor{both, absent, dy}, append(outputs(both.shape), absent), dboth)
		}
		for erf, form := range map[bool]int{false: 0, true: 1} {
			y, dx := make([]float64, rows*n), make([]float64, rows*n)
			for i, v := range gate.f {
				y[i], dx[i] = geluForms[form].f(v), dy.f[i]*geluForms[form].df(v)
			}
			at := exec.Attrs{Erf: erf}
			add(1e-6, exec.Instr{Op: exec.OpGELU, Attrs: at}, []tensor{gate}, outputs(gate.shape), y)
			add(1e-6, exec.Instr{Op: exec.OpGELUGrad, Attrs: at}, []tensor{gate, dy}, outputs(gate.shape), dx)
			add(1e-6, exec.Instr{Op: exec.OpGELUGrad, Attrs: at}, []tensor{gate, dy}, outputs(gate.shape, []int{n}), dx, naiveColSum(dx, rows, n))
		}
	}
}

func sigmoid64(x float64) float64  { return 1 / (1 + math.Exp(-x)) }
func silu64(x float64) float64     { return x * sigmoid64(x) }
func siluGrad64(x float64) float64 { return sigmoid64(x) * (1 + x*(1-sigmoid64(x))) }

// Bounds in units of the last place of the functions within ±limit; beyond it, and for the
// product x·σ(x) towards -∞, of the absolute error.
func TestActivationBounds(t *testing.T) {
	oneGoroutine(t)
	for _, c := range []struct {
		name       string
		f          func(k *kernels, dst, x []float32)
		want       func(float64) float64
		lo, hi     float64 // where the bound in ulp holds
		ulp, tiny  float64
		step, wide uint32
	}{
		{"tanh", tanhTo[float32], math.Tanh, -100, 100, 3, 0, 9973, 100},
		{"sigmoid", sigmoidTo[float32], sigmoid64, -87, 100, 2.5, 2e-38, 9973, 120},
		{"silu", func(k *kernels, dst, x []float32) { gluTo(k, exec.SiLU, dst, x, ones32[:len(x)]) }, silu64, -87, 100, 3, 2e-36, 9973, 120},
		{"gelu", geluTo[float32], func(x float64) float64 {
			return x / (1 + math.Exp(-2*geluA*(x+geluB*x*x*x)))
		}, -5, 100, 30, 1e-6, 9973, 120},
		{"exp", func(k *kernels, dst, x []float32) { expScale(k, dst, x, 0, 1) }, math.Exp, -110, 88.7, 1, 0, 9973, 88},
	} {
		everyKernels(t, func(t *testing.T, k *kernels) {
			worst, at, tiny := 0.0, float32(0), 0.0
			float32s(float32(c.wide), c.step, func(x []float32) {
				y := make([]float32, len(x))
				c.f(k, y, x)
				for i, x := range x {
					want := c.want(float64(x))
					if float64(x) < c.lo || float64(x) > c.hi {
						tiny = max(tiny, math.Abs(float64(y[i])-want))
					} else if u := ulps(y[i], want); u > worst || u != u {
						worst, at = u, x
					}
				}
			})
			t.Logf("%s: worst %.2f ulp at %v, beyond %.2g", c.name, worst, at, tiny)
			if !(worst <= c.ulp && tiny <= c.tiny) {
				t.Errorf("%s is off by %v ulp at %v, beyond by %g", c.name, worst, at, tiny)
			}
		})
	}
}

var ones32 = slices.Repeat([]float32{1}, 5000)

// NaN and infinity come out as they should, and the gradients of ReLU and of the others at 0.
func TestActivationSpecialValues(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		inf, nan := float32(math.Inf(1)), float32(math.NaN())
		x := []float32{inf, -inf, nan, 0, 1e30, -1e30}
		for _, c := range []struct {
			name string
			f    func(k *kernels, dst, x []float32)
			want []float32
		}{
			{"tanh", tanhTo[float32], []float32{1, -1, nan, 0, 1, -1}},
			{"sigmoid", sigmoidTo[float32], []float32{1, 0, nan, 0.5, 1, 0}},
			{"relu", reluTo[float32], []float32{inf, 0, nan, 0, 1e30, 0}},
			{"gelu", geluTo[float32], []float32{inf, 0, nan, 0, 1e30, 0}},
			{"silu", func(k *kernels, dst, x []float32) { gluTo(k, exec.SiLU, dst, x, ones32[:len(x)]) }, []float32{inf, 0, nan, 0, 1e30, 0}},
			{"silu's gradient", func(k *kernels, dst, x []float32) {
				gluGradTo(k, exec.SiLU, dst, make([]float32, len(x)), x, ones32[:len(x)], ones32[:len(x)])
			}, []float32{1, 0, nan, 0.5, 1, 0}},
			{"gelu's gradient in a gated unit", func(k *kernels, dst, x []float32) {
				gluGradTo(k, exec.GELUTanh, dst, make([]float32, len(x)), x, ones32[:len(x)], ones32[:len(x)])
			}, []float32{1, 0, nan, 0.5, 1, 0}},
			{"relu's gradient", func(k *kernels, dst, x []float32) { reluGradTo(k, dst, x, ones32[:len(x)]) }, []float32{1, 0, 0, 0, 1, 0}},
		} {
			y := make([]float32, len(x))
			c.f(k, y, x)
			for i, want := range c.want {
				if want != want && y[i] == y[i] || want == want && y[i] != want && !(math.Abs(float64(y[i]-want)) <= 1e-30) {
					t.Errorf("%s of %v is %v, want %v", c.name, x[i], y[i], want)
				}
			}
		}
	})
}

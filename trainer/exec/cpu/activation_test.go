package cpu

import (
	"math"
	"math/rand/v2"

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
		dx := make([]float64, rows*n)
		for i, v := range gate.f {
			dx[i] = dy.f[i] * geluGrad64(v)
		}
		add(1e-6, exec.Instr{Op: exec.OpGELUGrad}, []tensor{gate, dy}, outputs(gate.shape, []int{n}), dx, naiveColSum(dx, rows, n))
	}
}

func sigmoid64(x float64) float64  { return 1 / (1 + math.Exp(-x)) }
func silu64(x float64) float64     { return x * sigmoid64(x) }
func siluGrad64(x float64) float64 { return sigmoid64(x) * (1 + x*(1-sigmoid64(x))) }

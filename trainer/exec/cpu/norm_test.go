package cpu

import (
	"math"
	"math/rand/v2"
	"slices"

	"hone/trainer/exec"
)

func naiveNorm(x, gain, bias []float64, rows, c int, eps float64) (y, mean, rstd []float64) {
	y, mean, rstd = make([]float64, rows*c), make([]float64, rows), make([]float64, rows)
	for r := range rows {
		row := x[r*c : (r+1)*c]
		for _, v := range row {
			mean[r] += v / float64(c)
		}
		variance := 0.0
		for _, v := range row {
			variance += (v - mean[r]) * (v - mean[r]) / float64(c)
		}
		rstd[r] = 1 / math.Sqrt(variance+eps)
		for k, v := range row {
			y[r*c+k] = (v-mean[r])*rstd[r]*gain[k] + bias[k]
		}
	}
	return
}

// naiveNormGrad is the gradient of naiveNorm, or with mean nil of the RMS norm.
func naiveNormGrad(dy, x, gain, mean, rstd []float64, rows, c int) (dx, dgain, dbias []float64) {
	dx, dgain, dbias = make([]float64, rows*c), make([]float64, c), make([]float64, c)
	for r := range rows {
		m := 0.0
		if mean != nil {
			m = mean[r]
		}
		h, hx := 0.0, 0.0
		for k := range c {
			g, xhat := dy[r*c+k], (x[r*c+k]-m)*rstd[r]
			h += g * gain[k] / float64(c)
			hx += g * gain[k] * xhat / float64(c)
			dgain[k] += g * xhat
			dbias[k] += g
		}
		if mean == nil {
			h = 0
		}
		for k := range c {
			dx[r*c+k] = rstd[r] * (dy[r*c+k]*gain[k] - h - (x[r*c+k]-m)*rstd[r]*hx)
		}
	}
	return
}

func naiveRMS(x, gain []float64, rows, c int, eps float64) (y, rstd []float64) {
	y, rstd = make([]float64, rows*c), make([]float64, rows)
	for r := range rows {
		s := 0.0
		for _, v := range x[r*c : (r+1)*c] {
			s += v * v / float64(c)
		}
		rstd[r] = 1 / math.Sqrt(s+eps)
		for k := range c {
			y[r*c+k] = x[r*c+k] * rstd[r] * gain[k]
		}
	}
	return
}

func plus(a, b []float64) []float64 {
	c := slices.Clone(a)
	for i, v := range b {
		c[i] += v
	}
	return c
}

// norms adds every form of both norms and their gradients.
func norms(add addCase, r *rand.Rand, x, gain, bias, dy tensor) {
	const eps, bound = 1e-5, 5e-6
	rows, c := x.shape[0], x.shape[1]
	op := func(op exec.Op) exec.Instr { return exec.Instr{Op: op, Attrs: exec.Attrs{Eps: eps}} }
	one, b, dres := []int{rows}, random(r, rows, c), random(r, rows, c)
	sum := floats(plus(x.f, b.f), rows, c)

	y, mean, rstd := naiveNorm(x.f, gain.f, bias.f, rows, c, eps)
	ys, ms, rs := naiveNorm(sum.f, gain.f, bias.f, rows, c, eps)
	plain, _, _ := naiveNorm(x.f, gain.f, make([]float64, c), rows, c, eps)
	add(bound, op(exec.OpLayerNorm), []tensor{x, gain, bias}, outputs(x.shape, one, one), y, mean, rstd)
	add(bound, op(exec.OpLayerNorm), []tensor{x, gain, absent}, outputs(x.shape, nil, nil), plain)
	add(bound, op(exec.OpAddLayerNorm), []tensor{x, b, gain, bias}, outputs(x.shape, x.shape, one, one), sum.f, ys, ms, rs)
	m, s := floats(mean, rows), floats(rstd, rows)
	dx, dgain, dbias := naiveNormGrad(dy.f, x.f, gain.f, mean, rstd, rows, c)
	res := plus(dx, dres.f)
	if c > 1 { // of one column dx is 0 and what is left is rounding
		add(bound, op(exec.OpLayerNormGrad), []tensor{dy, x, gain, m, s, absent}, outputs(x.shape, gain.shape, gain.shape, gain.shape), dx, dgain, dbias)
	}
	add(bound, op(exec.OpLayerNormGrad), []tensor{dy, x, gain, m, s, dres}, outputs(x.shape, gain.shape, nil, gain.shape), res, dgain, nil, naiveColSum(res, rows, c))
	add(bound, op(exec.OpLayerNormGrad), []tensor{dy, x, gain, m, s, absent}, outputs(nil, nil, gain.shape, nil), nil, nil, dbias)

	y, rstd = naiveRMS(x.f, gain.f, rows, c, eps)
	ys, rs = naiveRMS(sum.f, gain.f, rows, c, eps)
	add(bound, op(exec.OpRMSNorm), []tensor{x, gain}, outputs(x.shape, one), y, rstd)
	add(bound, op(exec.OpRMSNorm), []tensor{x, gain}, outputs(x.shape, nil), y)
	add(bound, op(exec.OpAddRMSNorm), []tensor{x, b, gain}, outputs(x.shape, x.shape, one), sum.f, ys, rs)
	s = floats(rstd, rows)
	dx, dgain, _ = naiveNormGrad(dy.f, x.f, gain.f, nil, rstd, rows, c)
	res = plus(dx, dres.f)
	if c > 1 {
		add(bound, op(exec.OpRMSNormGrad), []tensor{dy, x, gain, s, absent}, outputs(x.shape, gain.shape, nil), dx, dgain)
	}
	add(bound, op(exec.OpRMSNormGrad), []tensor{dy, x, gain, s, dres}, outputs(x.shape, nil, gain.shape), res, nil, naiveColSum(res, rows, c))

	if n := 3; c%n == 0 && c > n { // of each of three heads
		short, stat := floats(gain.f[:c/n], c/n), []int{rows, n}
		y, rstd = naiveRMS(x.f, short.f, rows*n, c/n, eps)
		add(bound, op(exec.OpRMSNorm), []tensor{x, short}, outputs(x.shape, stat), y, rstd)
		dx, dgain, _ = naiveNormGrad(dy.f, x.f, short.f, nil, rstd, rows*n, c/n)
		add(bound, op(exec.OpRMSNormGrad), []tensor{dy, x, short, floats(rstd, stat...), absent}, outputs(x.shape, short.shape, nil), dx, dgain)
		y, rstd = naiveRMS(sum.f, short.f, rows*n, c/n, eps)
		add(bound, op(exec.OpAddRMSNorm), []tensor{x, b, short}, outputs(x.shape, x.shape, stat), sum.f, y, rstd)
	}
}

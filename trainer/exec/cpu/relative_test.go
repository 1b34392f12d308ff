package cpu

import (
	"math"
	"math/rand/v2"

	"hone/trainer/exec"
)

// relatives adds the scores of distances and their gradients, with and without types.
func relatives(add addCase, r *rand.Rand) {
	for _, s := range [][5]int{{1, 1, 1, 1, 0}, {2, 5, 3, 4, 0}, {1, 37, 2, 16, 0}, {3, 4, 2, 5, 6}} { // B, T, H, D, keys before
		b, t, h, d, before := s[0], s[1], s[2], s[3], s[4]
		rows, c, keys := b*t, h*d, before+t
		n := t + keys - 1
		q, k, qs, seg, dy := random(r, rows, c), random(r, n, c), random(r, rows, c), random(r, 2, c), random(r, rows, h, n)
		types := ints(make([]int32, b*keys)...)
		for i := range types.i {
			types.i[i] = int32(r.IntN(2))
		}
		at := exec.Attrs{T: t, Heads: h, Scale: 0.3}
		for _, typed := range []bool{false, true} {
			y := make([]float64, rows*h*n)
			dq, dk, dqs, dseg := make([]float64, rows*c), make([]float64, n*c), make([]float64, rows*c), make([]float64, 2*c)
			for i := range y {
				row, head, dist := i/(h*n), i/n%h, i%n
				key, kind := row%t+dist-(t-1), 1
				if key >= 0 && key < keys && types.i[row/t*keys+before+row%t] == types.i[row/t*keys+key] {
					kind = 0
				}
				g := 0.3 * dy.f[i]
				for e := range d {
					a, at := row*c+head*d+e, dist*c+head*d+e
					y[i] += 0.3 * q.f[a] * k.f[at]
					dq[a] += g * k.f[at]
					dk[at] += g * q.f[a]
					if typed && key >= 0 && key < keys {
						at := kind*c + head*d + e
						y[i] += 0.3 * qs.f[a] * seg.f[at]
						dqs[a] += g * seg.f[at]
						dseg[at] += g * qs.f[a]
					}
				}
			}
			ins := []tensor{q, k, absent, absent, absent}
			outs, want := append(outputs(q.shape, k.shape), absent, absent), [][]float64{dq, dk}
			if typed {
				ins = []tensor{q, k, qs, seg, types}
				outs, want = outputs(q.shape, k.shape, qs.shape, seg.shape), [][]float64{dq, dk, dqs, dseg}
			}
			add(1e-5, exec.Instr{Op: exec.OpRelativeScores, Attrs: at}, ins, outputs(dy.shape), y)
			add(1e-5, exec.Instr{Op: exec.OpRelativeScoresGrad, Attrs: at}, append(ins[:5:5], dy), outs, want...)
		}
	}
}

// rowOps adds what goes over rows, and the loss of spans.
func rowOps(add addCase, r *rand.Rand) {
	for _, s := range [][2]int{{1, 1}, {7, 33}, {300, 40}} {
		rows, c := s[0], s[1]
		x, bias := random(r, rows, c), random(r, c)
		sum, turned := make([]float64, rows*c), make([]float64, rows*c)
		for i, v := range x.f {
			sum[i], turned[i%c*rows+i/c] = v+bias.f[i%c], v
		}
		add(1e-6, exec.Instr{Op: exec.OpAddBias}, []tensor{x, bias}, outputs(x.shape), sum)
		twice := make([]float64, rows*c)
		for i, v := range x.f {
			twice[i] = 2 * v
		}
		add(1e-7, exec.Instr{Op: exec.OpScale, Attrs: exec.Attrs{Scale: 2}}, []tensor{x}, outputs(x.shape), twice)
		add(1e-7, exec.Instr{Op: exec.OpTranspose}, []tensor{x}, outputs([]int{c, rows}), turned)
	}
	scores, weights, dloss := random(r, 12, 2), random(r, 3), random(r, 1)
	spans, targets := ints(0, 5, 5, 6, 8, 12), ints(4, 0, 5, -1, 8, 11)
	spans.shape, targets.shape = []int{3, 2}, []int{3, 2}
	loss, nll, lse, d := 0.0, make([]float64, 3), make([]float64, 6), make([]float64, 24)
	for i, target := range targets.i {
		if target < 0 {
			continue
		}
		sum := 0.0
		for row := spans.i[i/2*2]; row < spans.i[i/2*2+1]; row++ {
			sum += math.Exp(scores.f[int(row)*2+i%2])
		}
		lse[i] = math.Log(sum)
		nll[i/2] += (lse[i] - scores.f[int(target)*2+i%2]) / 2
		for row := spans.i[i/2*2]; row < spans.i[i/2*2+1]; row++ {
			p := math.Exp(scores.f[int(row)*2+i%2] - lse[i])
			if row == target {
				p--
			}
			d[int(row)*2+i%2] = p / 2 * weights.f[i/2] * dloss.f[0]
		}
	}
	for i, w := range weights.f {
		loss += w * nll[i]
	}
	add(1e-6, exec.Instr{Op: exec.OpSpanCrossEntropy}, []tensor{scores, spans, targets, weights}, outputs([]int{1}, []int{3}, []int{3, 2}), []float64{loss}, nll, lse)
	add(5e-6, exec.Instr{Op: exec.OpSpanCrossEntropyGrad}, []tensor{scores, spans, targets, weights, floats(lse, 3, 2), dloss}, outputs(scores.shape), d)
	x, w := random(r, 5, 3), random(r, 5)
	for _, squared := range []bool{true, false} {
		op, grad, goals := exec.OpSquaredError, exec.OpSquaredErrorGrad, random(r, 5, 3)
		if !squared {
			op, grad = exec.OpBinaryCrossEntropy, exec.OpBinaryCrossEntropyGrad
			for i := range goals.f {
				goals.f[i] = []float64{0, 1, 2.5}[i%3] // no, yes, and one that weighs more
			}
		}
		loss, errs, d := 0.0, make([]float64, 5), make([]float64, 15)
		for i, v := range x.f {
			p, goal := 1/(1+math.Exp(-v)), goals.f[i]
			e, slope := (v-goal)*(v-goal), 2*(v-goal)
			if !squared {
				if e, slope = -math.Log(1-p), p; goal > 0 {
					e, slope = -goal*math.Log(p), goal*(p-1)
				}
			}
			errs[i/3] += e / 3
			d[i] = slope / 3 * w.f[i/3] * dloss.f[0]
		}
		for i, e := range errs {
			loss += w.f[i] * e
		}
		add(1e-6, exec.Instr{Op: op}, []tensor{x, goals, w}, outputs([]int{1}, []int{5}), []float64{loss}, errs)
		add(5e-6, exec.Instr{Op: grad}, []tensor{x, goals, w, dloss}, outputs(x.shape), d)
	}
}

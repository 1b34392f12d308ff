package cpu

import (
	"math"
	"math/rand/v2"
	"slices"

	"hone/trainer/exec"
)

// vectorOps adds what makes vectors of texts, and compares them.
func vectorOps(add addCase, r *rand.Rand) {
	spans := ints(0, 3, 3, 4, 5, 5, 6, 9)
	spans.shape = []int{4, 2}
	for _, c := range []int{2, 5, 70} {
		x, dy := random(r, 9, c), random(r, 4, c)
		y, dx := make([]float64, 4*c), make([]float64, 9*c)
		for s := range 4 {
			first, end := int(spans.i[2*s]), int(spans.i[2*s+1])
			for i := first; i < end; i++ {
				for k := range c {
					y[s*c+k] += x.f[i*c+k] / float64(end-first)
					dx[i*c+k] = dy.f[s*c+k] / float64(end-first)
				}
			}
		}
		add(1e-6, exec.Instr{Op: exec.OpMeanRows}, []tensor{x, spans}, outputs(dy.shape), y)
		add(1e-6, exec.Instr{Op: exec.OpMeanRowsGrad}, []tensor{dy, spans}, outputs(x.shape), dx)

		d := (c + 1) / 2
		eps := exec.Attrs{Eps: 1e-12}
		slopes, unit, norm, back := random(r, 9, d), make([]float64, 9*d), make([]float64, 9), make([]float64, 9*c)
		x = random(r, 9, c)
		clear(x.f[2*c : 3*c]) // a row that is not there
		for i := range 9 {
			along := 0.0
			for k := range d {
				norm[i] += x.f[i*c+k] * x.f[i*c+k]
			}
			norm[i] = max(math.Sqrt(norm[i]), 1e-12)
			for k := range d {
				unit[i*d+k] = x.f[i*c+k] / norm[i]
				along += unit[i*d+k] * slopes.f[i*d+k]
			}
			for k := range d {
				if i != 2 {
					back[i*c+k] = (slopes.f[i*d+k] - unit[i*d+k]*along) / norm[i]
				}
			}
		}
		add(1e-6, exec.Instr{Op: exec.OpUnitRows, Attrs: eps}, []tensor{x}, outputs(slopes.shape, []int{9}), unit, norm)
		add(2e-5, exec.Instr{Op: exec.OpUnitRowsGrad, Attrs: eps}, []tensor{slopes, floats(unit, 9, d), floats(norm, 9)}, outputs(x.shape), back)

		other, factors := random(r, 9, c), random(r, 9, 1)
		dots, scaled := make([]float64, 9), make([]float64, 9*c)
		for i, v := range x.f {
			dots[i/c] += v * other.f[i]
			scaled[i] = v * factors.f[i/c]
		}
		add(1e-6, exec.Instr{Op: exec.OpDotRows}, []tensor{x, other}, outputs(factors.shape), dots)
		add(1e-6, exec.Instr{Op: exec.OpScaleRows}, []tensor{x, factors}, outputs(x.shape), scaled)

		negative, weights, dloss := random(r, 9, c), random(r, 9), random(r, 1)
		const margin = 0.5
		loss, distances := 0.0, make([]float64, 18)
		da, dp, dn := make([]float64, 9*c), make([]float64, 9*c), make([]float64, 9*c)
		for i := range 9 {
			for k := i * c; k < (i+1)*c; k++ {
				distances[2*i] += (x.f[k] - other.f[k]) * (x.f[k] - other.f[k])
				distances[2*i+1] += (x.f[k] - negative.f[k]) * (x.f[k] - negative.f[k])
			}
			distances[2*i], distances[2*i+1] = math.Sqrt(distances[2*i]), math.Sqrt(distances[2*i+1])
			hinge := distances[2*i] - distances[2*i+1] + margin
			if hinge <= 0 {
				continue
			}
			loss += weights.f[i] * hinge
			for k := i * c; k < (i+1)*c; k++ {
				s := weights.f[i] * dloss.f[0]
				dp[k] = -s * (x.f[k] - other.f[k]) / distances[2*i]
				dn[k] = s * (x.f[k] - negative.f[k]) / distances[2*i+1]
				da[k] = -dp[k] - dn[k]
			}
		}
		at := exec.Attrs{Margin: margin}
		add(5e-6, exec.Instr{Op: exec.OpTriplet, Attrs: at}, []tensor{x, other, negative, weights}, outputs([]int{1}, []int{9, 2}), []float64{loss}, distances)
		add(2e-5, exec.Instr{Op: exec.OpTripletGrad, Attrs: at},
			[]tensor{x, other, negative, weights, floats(distances, 9, 2), dloss}, outputs(x.shape, x.shape, x.shape), da, dp, dn)
	}

	x := random(r, 2, 6)
	same := slices.Clone(x.f)
	for _, i := range []int{1, 3, 5, 9, 11} { // a text of row 0 again, and one that is not there; of row 1 too, and a text of its anchor
		same[i] = -7
	}
	texts, columns := ints(4, 1, 9, 2), ints(4, -1, 1, -1, 3, -1, -1, -1, 9, -1, 1, 2)
	texts.shape, columns.shape = []int{2, 2}, []int{6, 2}
	add(1e-7, exec.Instr{Op: exec.OpMaskSame, Attrs: exec.Attrs{Scale: -7}}, []tensor{x, texts, columns, ints(0, 4)}, outputs(x.shape), same)

	scores, goals, weights, dloss := random(r, 7, 1), floats([]float64{1, 0, 2, 2, 5, 0.5, 3}, 7, 1), floats([]float64{1, 1, 1, 1, 0, 1, 1}, 7), random(r, 1)
	const scale = 3
	sum := 1.0
	each := func(f func(i, j int, e float64)) {
		for i := range 7 {
			for j := range 7 {
				if i != 4 && j != 4 && goals.f[i] < goals.f[j] {
					f(i, j, math.Exp(scale*(scores.f[i]-scores.f[j])))
				}
			}
		}
	}
	each(func(_, _ int, e float64) { sum += e })
	slopes := make([]float64, 7)
	each(func(i, j int, e float64) {
		slopes[i] += 6 * scale * e / sum * dloss.f[0]
		slopes[j] -= 6 * scale * e / sum * dloss.f[0]
	})
	lse := []float64{math.Log(sum)}
	at := exec.Attrs{Scale: scale}
	add(1e-6, exec.Instr{Op: exec.OpCoSENT, Attrs: at}, []tensor{scores, goals, weights}, outputs([]int{1}, []int{1}), []float64{6 * lse[0]}, lse)
	add(5e-6, exec.Instr{Op: exec.OpCoSENTGrad, Attrs: at}, []tensor{scores, goals, weights, floats(lse, 1), dloss}, outputs(scores.shape), slopes)
}

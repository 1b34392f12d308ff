package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"hone/trainer/exec"
)

func naiveCrossEntropy(x []float64, targets []int32, weights []float64, rows, v int) (loss float64, nll, lse []float64) {
	nll, lse = make([]float64, rows), make([]float64, rows)
	for r, target := range targets {
		if target < 0 {
			continue
		}
		sum := 0.0
		for _, l := range x[r*v : (r+1)*v] {
			sum += math.Exp(l)
		}
		lse[r] = math.Log(sum)
		nll[r] = lse[r] - x[r*v+int(target)]
		loss += weights[r] * nll[r]
	}
	return
}

// Logits that exp alone could not take, and one that is no number.
func TestCrossEntropyExtremes(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		x := []float64{1e4, 0, -1e4, -1e4, 0, 1e4, 1, math.NaN(), 3}
		got := launchOn[float32](t, testDevice(t, 1, k.name), &exec.Instr{Op: exec.OpCrossEntropy},
			[]tensor{floats(x, 3, 3), ints(0, 0, 0), floats([]float64{1, 1, 1}, 3)}, outputs([]int{1}, []int{3}, []int{3}))
		nll := got[1]
		if nll[0] != 0 || nll[1] != 2e4 || !math.IsNaN(nll[2]) || !math.IsNaN(got[0][0]) {
			t.Errorf("nll %v, loss %v", nll, got[0])
		}
	})
}

// heads adds the product and the loss in one, with some rows at a time.
func heads(add addCase, r *rand.Rand) {
	for _, s := range [][4]int{{1, 1, 1, 1}, {7, 5, 33, 3}, {70, 40, 129, 16}, {33, 17, 65, 33}} { // R, C, V, P
		rows, c, v, p := s[0], s[1], s[2], s[3]
		for _, transposed := range []bool{false, true} {
			x, w, targets, weights, dloss := headOperands(r, rows, c, v, transposed)
			in := exec.Instr{Op: exec.OpLinearCrossEntropy, Attrs: exec.Attrs{Transposed: transposed}}
			one, some := []int{rows}, []int{p, v}
			add(5e-6, in, []tensor{x, w, targets, weights, dloss}, outputs([]int{1}, one, one, x.shape, w.shape, some))
			add(5e-6, in, []tensor{x, w, targets, weights, absent}, outputs([]int{1}, one, one, nil, nil, some))
			bias := random(r, v)
			add(5e-6, in, []tensor{x, w, targets, weights, dloss, bias}, outputs([]int{1}, one, one, x.shape, w.shape, some, bias.shape))
			add(5e-6, in, []tensor{x, w, targets, weights, absent, bias}, append(outputs([]int{1}, one, one, nil, nil, some), absent))
		}
	}
}

func headOperands(r *rand.Rand, rows, c, v int, transposed bool) (x, w, targets, weights, dloss tensor) {
	x, w, weights, dloss = random(r, rows, c), random(r, v, c), random(r, rows), random(r, 1)
	if transposed {
		w = random(r, c, v)
	}
	targets = ints(make([]int32, rows)...)
	for i := range targets.i {
		targets.i[i] = int32(r.IntN(v+1)) - 1
	}
	return
}

// However many rows at a time, the bits are those of the separate ops.
func TestLinearCrossEntropyIsTheSeparateOps(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		r := rand.New(rand.NewPCG(61, 62))
		d := testDevice(t, 2, k.name)
		const rows, c, v = 100, 40, 301
		for _, transposed := range []bool{false, true} {
			x, w, targets, weights, dloss := headOperands(r, rows, c, v, transposed)
			bias := random(r, v)
			at := exec.Attrs{Transposed: transposed}
			logits := floats(launchOn[float32](t, d, &exec.Instr{Op: exec.OpLinear, Attrs: at}, []tensor{x, w, bias}, outputs([]int{rows, v}))[0], rows, v)
			want := launchOn[float32](t, d, &exec.Instr{Op: exec.OpCrossEntropy}, []tensor{logits, targets, weights}, outputs([]int{1}, []int{rows}, []int{rows}))
			grad := launchOn[float32](t, d, &exec.Instr{Op: exec.OpCrossEntropyGrad},
				[]tensor{logits, targets, weights, floats(want[2], rows), dloss}, outputs(logits.shape))[0]
			dlogits := floats(grad, rows, v)
			want = append(want, launchOn[float32](t, d, &exec.Instr{Op: exec.OpLinearGradX, Attrs: at}, []tensor{dlogits, w}, outputs(x.shape))[0],
				launchOn[float32](t, d, &exec.Instr{Op: exec.OpLinearGradW, Attrs: at}, []tensor{x, dlogits}, outputs(w.shape))[0])
			for _, p := range []int{1, 7, 64, rows} {
				got := launchOn[float32](t, d, &exec.Instr{Op: exec.OpLinearCrossEntropy, Attrs: at}, []tensor{x, w, targets, weights, dloss, bias},
					outputs([]int{1}, []int{rows}, []int{rows}, x.shape, w.shape, []int{p, v}, bias.shape))
				compare(t, "the bias's gradient", got[6], naiveColSum(grad, rows, v), 1e-6)
				for i := range want {
					sameBits(t, fmt.Sprintf("output %d, %d rows at a time", i, p), got[i], want[i])
				}
			}
		}
	})
}

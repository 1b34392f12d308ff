package cpu

import (
	"math"
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

package cpu

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"hone/trainer/exec"
)

// Losses with weights of classes, smoothed targets and weights of a yes are torch's, with the weights as a loader
// gives them: a label's over the mean of all labels', so that the loss is divided by their number.
func TestLossesOfTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/losses.json")
	if err != nil {
		t.Fatal(err)
	}
	var reference struct {
		Cases []struct {
			Name                        string
			Rows, Labels                int
			Logits, Grad, Weight, Goals []float64
			Targets                     []int32
			Loss, Smoothing             float64
		}
	}
	if err := json.Unmarshal(text, &reference); err != nil || len(reference.Cases) < 7 {
		t.Fatalf("%d cases, %v", len(reference.Cases), err)
	}
	everyKernels(t, func(t *testing.T, k *kernels) {
		d := testDevice(t, 1, k.name)
		for _, c := range reference.Cases {
			check := func(launch func(in *exec.Instr, ins, outs []tensor) [][]float64, bound float64) {
				x, n, weights := floats(c.Logits, c.Rows, c.Labels), float64(c.Rows), make([]float64, c.Rows)
				for i := range weights {
					weights[i] = 1
				}
				if c.Goals != nil {
					goals := make([]float64, len(c.Goals))
					for i, g := range c.Goals {
						if goals[i] = g; c.Weight != nil {
							goals[i] *= c.Weight[i%c.Labels]
						}
					}
					ins := []tensor{x, floats(goals, c.Rows, c.Labels), floats(weights, c.Rows)}
					got := launch(&exec.Instr{Op: exec.OpBinaryCrossEntropy}, ins, outputs([]int{1}, []int{c.Rows}))
					grad := launch(&exec.Instr{Op: exec.OpBinaryCrossEntropyGrad}, append(ins, floats([]float64{1 / n}, 1)), outputs(x.shape))
					compare(t, c.Name, []float64{got[0][0] / n}, []float64{c.Loss}, bound)
					compare(t, c.Name+": gradient", grad[0], c.Grad, bound)
					return
				}
				targets, sum := make([]int32, c.Rows), 0.0
				n = 0
				for i, target := range c.Targets {
					if targets[i] = max(-1, target); target < 0 {
						continue
					}
					if c.Weight != nil {
						weights[i] = c.Weight[target]
					}
					sum, n = sum+weights[i], n+1
				}
				for i := range weights {
					weights[i] *= n / sum
				}
				of := exec.Attrs{Smoothing: c.Smoothing}
				ins := []tensor{x, ints(targets...), floats(weights, c.Rows)}
				got := launch(&exec.Instr{Op: exec.OpCrossEntropy, Attrs: of}, ins, outputs([]int{1}, []int{c.Rows}, []int{c.Rows}))
				ins = append(ins, floats(got[2], c.Rows), floats([]float64{1 / n}, 1))
				grad := launch(&exec.Instr{Op: exec.OpCrossEntropyGrad, Attrs: of}, ins, outputs(x.shape))
				compare(t, c.Name, []float64{got[0][0] / n}, []float64{c.Loss}, bound)
				compare(t, c.Name+": gradient", grad[0], c.Grad, bound)
			}
			check(func(in *exec.Instr, ins, outs []tensor) [][]float64 { return launchOn[float32](t, d, in, ins, outs) }, 1e-6)
			bound := 1e-13
			if strings.HasPrefix(c.Name, "LabelSmoother") {
				bound = 2e-8 // it adds in float32
			}
			check(func(in *exec.Instr, ins, outs []tensor) [][]float64 { return launchOn[float64](t, d, in, ins, outs) }, bound)
		}
	})
}

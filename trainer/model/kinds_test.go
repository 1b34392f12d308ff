package model

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// Losses, logits and gradients of heads that give a number, any number of labels, or the right one
// of several choices, are those of transformers: see testdata/kinds.py.
func TestKindsParity(t *testing.T) {
	againstReference(t)
	text, err := os.ReadFile("testdata/kinds.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Kinds []struct {
			Fixture, Architecture, Problem string
			Goals                          []float32
			Loss                           float64
			Logits                         []float64
			Weights, Gradients             map[string][]float64
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	for _, k := range ref.Kinds {
		t.Run(k.Architecture+"/"+k.Problem, func(t *testing.T) {
			r := readReference(t, k.Fixture)
			c := r.Config
			c.Architectures = []string{k.Architecture}
			switch k.Problem {
			case Regression:
				c.SetLabels([]string{"score"})
			case MultiLabel:
				c.SetLabels([]string{"a", "b", "c"})
			}
			if k.Problem != "choice" {
				c.ProblemType = k.Problem
			}
			h, err := c.Head()
			if err != nil {
				t.Fatal(err)
			}
			for name, v := range k.Weights {
				r.values["weight/"+name] = v
			}
			for dt, bound := range map[exec.DType]float64{exec.F32: 2e-5, exec.F64: 1e-11} {
				n := network(t, cpu.Options{Threads: 2, Kernels: "generic"}, dt, c, r.options(h))
				r.load(t, n)
				f, _ := r.feed(Classifier) // the rows that are pooled
				f.Labels, f.Seed = nil, 1
				if f.LabelWeights, f.Goals = []float32{0.5, 0.5}, k.Goals; h == MultipleChoice {
					f.Goals = nil // one question, and none
					f.Spans, f.Answers, f.LabelWeights = []int32{0, 2, 0, 0}, []int32{1, -1}, []float32{1, 0}
				}
				b := len(r.IDs)
				x := executor(t, n, Train, b, len(r.IDs[0]), b)
				run(t, n, x, f)
				what := dt.String() + ": "
				compare(t, what+"loss", read(t, x, "loss"), []float64{k.Loss}, bound)
				compare(t, what+"logits", read(t, x, "logits"), k.Logits, bound)
				for _, p := range n.Layout().Params {
					want, ok := k.Gradients[p.Name]
					if !ok {
						t.Fatalf("the reference lacks the gradient of %s", p.Name)
					}
					var got [3]float64
					for i, g := range arena(t, n, exec.Grad, p) {
						got[0] += g
						got[1] += g * math.Cos(float64(i))
						got[2] += g * g
					}
					size := math.Sqrt(want[2] * float64(p.Elems)) // the greatest sum of such elements
					least := 0.0
					if size < 1e-12 { // zero by the mathematics, and a rounding in both
						size, least = 1, bound
					}
					for i, scale := range []float64{size, size, max(want[2], least)} {
						if !(math.Abs(got[i]-want[i]) <= bound*scale) {
							t.Errorf("%sgradient of %s: sum %d is %.15g, want %.15g", what, p.Name, i, got[i], want[i])
						}
					}
				}
				e := executor(t, n, Evaluate, b, len(r.IDs[0]), b)
				run(t, n, e, f)
				compare(t, what+"logits of evaluate", read(t, e, "logits"), k.Logits, bound)
			}
		})
	}
}

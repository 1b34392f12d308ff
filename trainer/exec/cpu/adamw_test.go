package cpu

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"hone/trainer/exec"
)

type adamWStep struct{ P, M, V []float64 }

type adamWReference struct {
	Torch string
	Clip  float64
	Lrs   []float64
	Hyper struct {
		Betas       [2]float64
		Eps         float64
		WeightDecay float64 `json:"weight_decay"`
	}
	Start            []float64
	Grads            [][]float64
	Float32, Float64 []adamWStep
}

// Five steps, one of them clipped, equal PyTorch's (testdata/adamw.py).
func TestAdamWAgainstTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/adamw.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref adamWReference
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	t.Run("float32", func(t *testing.T) { testAdamW[float32](t, &ref, ref.Float32, 1e-6) })
	t.Run("float64", func(t *testing.T) { testAdamW[float64](t, &ref, ref.Float64, 1e-14) })
}

func testAdamW[T float](t *testing.T, ref *adamWReference, want []adamWStep, bound float64) {
	d := testDevice(t, 2, "")
	in := &exec.Instr{Op: exec.OpAdamW, Attrs: exec.Attrs{
		Beta1: ref.Hyper.Betas[0], Beta2: ref.Hyper.Betas[1], Eps: ref.Hyper.Eps, WeightDecay: ref.Hyper.WeightDecay,
	}}
	n := len(ref.Start)
	zero := floats(make([]float64, n), n)
	p, m, v := place[T](t, d, floats(ref.Start, n)), place[T](t, d, zero), place[T](t, d, zero)
	clipped := 0
	for i, grad := range ref.Grads {
		norm2 := 0.0
		for _, g := range grad {
			norm2 += g * g
		}
		if math.Sqrt(norm2) > ref.Clip {
			clipped++
		}
		args := []exec.Arg{p, place[T](t, d, floats(grad, n)), m, v,
			place[T](t, d, wide(ref.Lrs[i], float64(i+1), ref.Clip)), place[T](t, d, wide(norm2)), p, m, v}
		if err := d.Launch(in, args); err != nil {
			t.Fatal(err)
		}
		compare(t, fmt.Sprintf("step %d: p", i+1), fetch[T](t, d, p), want[i].P, bound)
		compare(t, fmt.Sprintf("step %d: m", i+1), fetch[T](t, d, m), want[i].M, bound)
		compare(t, fmt.Sprintf("step %d: v", i+1), fetch[T](t, d, v), want[i].V, bound)
	}
	if clipped == 0 || clipped == len(ref.Grads) {
		t.Errorf("%d of %d gradients were clipped: the fixture tests one side only", clipped, len(ref.Grads))
	}
}

// Threads, allocation, a norm that is no number, and padding of zeros.
func TestAdamWSlices(t *testing.T) {
	const n = 3*elemChunk + 5
	in := &exec.Instr{Op: exec.OpAdamW, Attrs: exec.Attrs{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.01}}
	x := make([]float64, n)
	for i := range n - 10 {
		x[i] = math.Sin(float64(i))
	}
	run := func(threads int, clip, norm2 float64) []float64 {
		d := testDevice(t, threads, "")
		p, m, v := place[float32](t, d, floats(x, n)), place[float32](t, d, floats(make([]float64, n), n)), place[float32](t, d, floats(make([]float64, n), n))
		args := []exec.Arg{p, place[float32](t, d, floats(x, n)), m, v, place[float32](t, d, wide(0.1, 1, clip)), place[float32](t, d, wide(norm2)), p, m, v}
		for range 2 {
			if err := d.Launch(in, args); err != nil {
				t.Fatal(err)
			}
		}
		out := fetch[float32](t, d, p)
		if allocs := testing.AllocsPerRun(3, func() { d.Launch(in, args) }); allocs != 0 {
			t.Errorf("%v allocations a launch", allocs)
		}
		return out
	}
	want := run(1, 0, 0)
	sameBits(t, "2 threads", run(2, 0, 0), want)
	sameBits(t, "3 threads", run(3, 0, 0), want)
	sameBits(t, "a norm below the clip", run(1, 1, 0.5), want)
	for i := n - 10; i < n; i++ {
		if want[i] != 0 {
			t.Errorf("padding became %v", want[i])
		}
	}
	for _, norm2 := range []float64{math.NaN(), math.Inf(1)} {
		for _, clip := range []float64{0, 1} {
			for i, v := range run(1, clip, norm2) {
				if v != float64(float32(x[i])) {
					t.Fatalf("squared norm %v, clip %v: parameter %d became %v, was %v", norm2, clip, i, v, x[i])
				}
			}
		}
	}
}

package model

import (
	"math"
	"slices"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// part is the k-th of so many batches of a reference that go on from each other.
func (r *reference) part(k, of int) *reference {
	p, n := *r, len(r.IDs)/of
	p.IDs, p.Types, p.Order, p.Targets = r.IDs[k*n:][:n], r.Types[k*n:][:n], r.Order[k*n:][:n], r.Targets[k*n:][:n]
	return &p
}

// With the hidden states of what came before, XLNet's logits, losses, gradients and steps of
// training are those of transformers: memories of one batch and a half, and what each step
// keeps is what its own weights made.
func TestMemoryParity(t *testing.T) {
	againstReference(t)
	const steps, batch, length, m = 5, 2, 4, 6
	r := readReference(t, "xlnet-memory")
	if got := r.Config.Memory(LanguageModel); got != m || r.Config.Memory(Classifier) != 0 {
		t.Fatalf("a memory of %d rows, want %d, and none of a classifier", got, m)
	}
	v := len(r.values["XLNetLMHeadModel/logits"]) / steps
	for _, kernels := range kernelSets(t) {
		for dt, bound := range parity {
			if dt == exec.F64 && kernels != "generic" {
				continue
			}
			n := network(t, cpu.Options{Threads: 2, Kernels: kernels}, dt, r.Config, Options{})
			r.load(t, n)
			e, x := executor(t, n, Evaluate, batch, length, batch*length), executor(t, n, Train, batch, length, 0)
			feed := func(k int) (f *Feed, targets int) {
				f, targets = r.part(k, steps).feed(LanguageModel)
				f.Before, f.Slots = slices.Repeat([]int32{int32(k * length)}, batch), [2]int32{int32(k % 2), int32((k + 1) % 2)}
				return f, targets
			}
			step := func(k int) float64 {
				f, targets := feed(k)
				if err := n.Feed(x, f); err != nil {
					t.Fatal(err)
				}
				if dt == exec.F64 {
					if err := exec.Feed(x, "seed", []float64{1 / float64(targets)}); err != nil {
						t.Fatal(err)
					}
				}
				if err := x.Run(); err != nil {
					t.Fatal(err)
				}
				return read(t, x, "loss")[0] / float64(targets)
			}
			what := kernels + " " + dt.String() + ": "
			for k := range steps {
				f, _ := feed(k)
				f.Targets, f.Weights = nil, nil
				for i := range int32(batch * length) {
					f.Pool = append(f.Pool, i)
				}
				run(t, n, e, f)
				got, want := read(t, e, "logits"), r.values["XLNetLMHeadModel/logits"][k*v:][:v]
				if k == 0 { // where the first token in order sees nothing
					got, want = r.part(k, steps).real(LanguageModel, got, want)
				}
				compare(t, what+"logits", got, want, bound)
			}
			for k := range 3 {
				step(k)
			}
			compare(t, what+"loss", []float64{step(2)}, r.values["XLNetLMHeadModel/loss"], bound) // a step may run again
			for _, p := range n.Layout().Params {
				compareGradient(t, what+p.Name, arena(t, n, exec.Grad, p), r.values["XLNetLMHeadModel/grad/"+p.Name], bound)
			}
			moments := map[string][2][]float64{}
			for k, want := range r.values["XLNetLMHeadModel/losses"] {
				if got := step(k); !(math.Abs(got-want) <= 1e-4) {
					t.Errorf("%sloss of step %d is %.6f, want %.6f", what, k, got, want)
				}
				for _, p := range n.Layout().Params {
					w := arena(t, n, exec.Param, p)
					if moments[p.Name][0] == nil {
						moments[p.Name] = [2][]float64{make([]float64, len(w)), make([]float64, len(w))}
					}
					adamW(w, arena(t, n, exec.Grad, p), moments[p.Name][0], moments[p.Name][1], k+1, r.LR, p.Decay)
					if err := n.upload(p, 0, w); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
}

// What is kept of another document is not seen: neither by a document that begins with its row,
// nor by the second one of a row.
func TestMemoryOfOthers(t *testing.T) {
	const steps, batch, length = 5, 2, 4
	r := readReference(t, "xlnet-memory")
	n := network(t, cpu.Options{Threads: 2}, exec.F32, r.Config, Options{})
	r.load(t, n)
	x := executor(t, n, Evaluate, batch, length, batch*length)
	logits := func(first int, before int32, second bool) []float64 {
		var got []float64
		for k := first; k < 3; k++ {
			f, _ := r.part(k, steps).feed(LanguageModel)
			f.Targets, f.Weights, f.Slots = nil, nil, [2]int32{int32(k % 2), int32((k + 1) % 2)}
			for i := range int32(batch * length) {
				f.Pool = append(f.Pool, i)
				if second && i%length >= 2 {
					f.Segments[i] = 1
				}
			}
			f.Before = []int32{before, before}
			run(t, n, x, f)
			got = read(t, x, "logits")
		}
		return got
	}
	v := len(logits(2, 0, true)) / (batch * length)
	if !slices.Equal(logits(0, 0, true), logits(2, 0, true)) {
		t.Error("a document sees what came before it in its row")
	}
	with, without := logits(0, 6, true), logits(2, 0, true)
	for row := range batch * length {
		same := slices.Equal(with[row*v:][:v], without[row*v:][:v])
		if second := row%length >= 2; same != second {
			t.Errorf("row %d: the same with a memory as without: %v, want %v", row, same, second)
		}
	}
}

// A layer that runs again for its gradients reads the memory that it read before.
func TestMemoryRecomputed(t *testing.T) {
	const steps = 5
	r := readReference(t, "xlnet-memory")
	var want [][]float64
	for _, again := range []bool{false, true} {
		n := network(t, cpu.Options{Threads: 2}, exec.F32, r.Config, Options{Recompute: again})
		r.load(t, n)
		x := executor(t, n, Train, 2, 4, 0)
		var got [][]float64
		for k := range 3 {
			f, _ := r.part(k, steps).feed(LanguageModel)
			f.Before, f.Slots = []int32{int32(4 * k), int32(4 * k)}, [2]int32{int32(k % 2), int32((k + 1) % 2)}
			run(t, n, x, f)
			got = append(got, gradients(t, n)...)
		}
		if want == nil {
			want = got
		}
		for i := range want {
			if !slices.Equal(got[i], want[i]) {
				t.Fatalf("gradient %d differs", i)
			}
		}
	}
}

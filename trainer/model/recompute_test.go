package model

import (
	"slices"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// What runs again gives the same bits, takes less memory, and is no more than the forward
// passes of the layers.
func TestRecompute(t *testing.T) {
	for _, c := range families(16, 16) {
		t.Run(c.ModelType, func(t *testing.T) {
			c.VocabSize = 31
			f := random(c, 3, 16, 5)
			var want [][]float64
			var scratch int
			for _, again := range []bool{false, true} {
				n := network(t, cpu.Options{Threads: 2}, exec.F32, c, Options{Recompute: again})
				if err := n.Init(3); err != nil {
					t.Fatal(err)
				}
				x := executor(t, n, Train, 3, 16, 0)
				run(t, n, x, f)
				got := [][]float64{read(t, x, "loss"), read(t, x, "nll")}
				got = append(got, gradients(t, n)...)
				p := x.Program()
				if !again {
					want, scratch = got, p.Size(exec.Scratch)
					continue
				}
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("value %d of loss, nll and gradients has other bits", i)
					}
				}
				if p.Size(exec.Scratch) >= scratch {
					t.Errorf("%d bytes of scratch, %d without", p.Size(exec.Scratch), scratch)
				}
				forward, second := 0, 0
				loss, over := p.Named["loss"], false
				for i := range p.Instrs {
					switch in := &p.Instrs[i]; {
					case in.Again:
						second++
					case !over:
						forward++
					}
					over = over || slices.Contains(p.Instrs[i].Out, loss)
				}
				if second == 0 || second >= forward {
					t.Errorf("%d of %d instructions run again", second, forward)
				}
			}
		})
	}
}

// So do encoders, and an encoder with its decoder.
func TestReferencesRecomputed(t *testing.T) {
	for _, name := range references {
		r := readReference(t, name)
		c := r.Config
		c.Architectures = r.Heads[:1]
		h, err := c.Head()
		if err != nil {
			t.Fatal(err)
		}
		if h != LanguageModel {
			continue
		}
		t.Run(name, func(t *testing.T) {
			f, _ := r.feed(h)
			var want [][]float64
			for _, again := range []bool{false, true} {
				o := r.options(h)
				o.Recompute = again
				n := network(t, cpu.Options{Threads: 1}, exec.F32, c, o)
				r.load(t, n)
				x := executor(t, n, Train, len(r.IDs), len(r.IDs[0]), 0)
				run(t, n, x, f)
				got := [][]float64{read(t, x, "loss")}
				got = append(got, gradients(t, n)...)
				if want == nil {
					want = got
				}
				for i := range want {
					if !slices.Equal(got[i], want[i]) {
						t.Errorf("value %d of loss and gradients has other bits", i)
					}
				}
				if ran := slices.ContainsFunc(x.Program().Instrs, func(in exec.Instr) bool { return in.Again }); ran != again {
					t.Errorf("recompute %v: instructions run again: %v", again, ran)
				}
			}
		})
	}
}

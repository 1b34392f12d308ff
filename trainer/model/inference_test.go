package model

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/float"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// A network for inference, whose weights lie in panels, gives the logits of one that trains, bit for bit, in every family
// and head of the references; and so do networks that keep the matrices in 16 bits, of weights that fit those.
func TestInference(t *testing.T) {
	for _, name := range references {
		r := readReference(t, name)
		for _, architecture := range r.Heads {
			c := r.Config
			c.Architectures = []string{architecture}
			h, err := c.Head()
			if err != nil {
				t.Fatal(err)
			}
			f, _ := r.feed(h)
			b, tt, s := len(r.IDs), len(r.IDs[0]), 0
			if h.pools() {
				s = b
			}
			if h == LanguageModel {
				f.Targets, f.Weights, f.Pool, s = nil, nil, nil, b*tt
				for i := range int32(s) {
					f.Pool = append(f.Pool, i)
				}
			}
			for _, kernels := range kernelSets(t) {
				t.Run(architecture+"/"+kernels, func(t *testing.T) {
					checkInference(t, c, cpu.Options{Threads: 2, Kernels: kernels}, r.options(h), func(n *Network) { r.load(t, n) }, func(n *Network) []float64 {
						x := executor(t, n, Evaluate, b, tt, s)
						run(t, n, x, f)
						if h == Encoder || h == Base {
							return read(t, x, "hidden")
						}
						return read(t, x, "logits")
					})
				})
			}
		}
	}
}

// The same holds for the families of decoders with odd sizes, for their losses and for reading with caches.
func TestInferenceDecodes(t *testing.T) {
	for _, width := range []int{20, 64} {
		for _, c := range families(width, 16) {
			c.VocabSize = 31 + width
			for _, kernels := range kernelSets(t) {
				t.Run(c.ModelType+"/"+kernels, func(t *testing.T) {
					checkInference(t, c, cpu.Options{Threads: 2, Kernels: kernels}, Options{}, func(n *Network) {
						if err := n.Init(3); err != nil {
							t.Fatal(err)
						}
					}, func(n *Network) []float64 {
						f := random(c, 2, 16, 5)
						x := executor(t, n, Evaluate, 2, 16, 0)
						run(t, n, x, f)
						got := append(read(t, x, "loss"), read(t, x, "nll")...)
						x = executor(t, n, Decode, 2, 16, 5)
						run(t, n, x, &Feed{Tokens: f.Tokens[:5], Positions: []int32{0, 1, 2, 0, 1}, Sequences: []int32{0, 0, 0, 1, 1}, Pool: []int32{2, 4}})
						return append(got, read(t, x, "logits")...)
					})
				})
			}
		}
	}
}

// checkInference compares what run gives for a plain network with what it gives for those of inference.
func checkInference(t *testing.T, c Config, o cpu.Options, opts Options, load func(n *Network), run func(n *Network) []float64) {
	plain := network(t, o, exec.F32, c, opts)
	load(plain)
	types := []exec.DType{exec.F32, exec.BF16, exec.F16}
	if o.Kernels == "generic" {
		types = types[:1]
	}
	for _, dt := range types {
		opts := opts
		opts.Inference = true
		opts.Stored = func(string) exec.DType { return dt }
		n := network(t, o, exec.F32, c, opts)
		panels := 0
		for _, p := range n.Layout().Params {
			values := make([]float32, p.Elems)
			if err := plain.Weight(p.Name, values); err != nil {
				t.Fatal(err)
			}
			if p.DType == dt && dt != exec.F32 {
				for i, v := range values {
					values[i] = map[exec.DType]float32{exec.BF16: float.FromBF16(float.ToBF16(v)), exec.F16: float.FromF16(float.ToF16(v))}[dt]
				}
				if err := plain.SetWeight(p.Name, values); err != nil {
					t.Fatal(err)
				}
			}
			if err := n.SetWeight(p.Name, values); err != nil {
				t.Fatal(err)
			}
			back := make([]float32, p.Elems)
			if err := n.Weight(p.Name, back); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(back, values) {
				t.Errorf("%v: %s comes back with other values", dt, p.Name)
			}
			if p.Form != exec.Rows {
				panels++
			}
			if p.Trainable {
				t.Errorf("%s is trainable", p.Name)
			}
		}
		if panels == 0 {
			t.Error("no parameter is in panels")
		}
		want, got := run(plain), run(n)
		if !slices.Equal(got, want) {
			t.Errorf("%v: other bits than of a network that trains", dt)
		}
	}
}

// What an inference network cannot do is refused, and listings show what lies in panels.
func TestInferenceRefuses(t *testing.T) {
	c := families(64, 16)[1]
	n := network(t, cpu.Options{Threads: 1}, exec.F32, c, Options{Inference: true, Stored: func(string) exec.DType { return exec.BF16 }})
	if _, err := n.Program(Train, 1, 4, 0); err == nil || !strings.Contains(err.Error(), "the network is one for inference") {
		t.Errorf("training: %v", err)
	}
	p, _ := n.Layout().Param("model.layers.0.mlp.down_proj.weight")
	values := make([]float32, p.Elems)
	values[7] = 1.001
	if err := n.SetWeight(p.Name, values); err == nil || !strings.Contains(err.Error(), "is kept as bf16, which cannot hold its element 7, 1.001") {
		t.Errorf("a value of more bits: %v", err)
	}
	prog, err := n.Program(Decode, 1, 8, 1)
	if err != nil {
		t.Fatal(err)
	}
	var listing bytes.Buffer
	if err := prog.Print(&listing); err != nil {
		t.Fatal(err)
	}
	if s := listing.String(); !strings.Contains(s, "down_proj.weight[64 68]:bf16:panels") || !strings.Contains(s, "q_proj.weight+2[128 64]:bf16:panels") {
		t.Errorf("listing:\n%s", s)
	}
}

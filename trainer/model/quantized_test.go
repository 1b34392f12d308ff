package model

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// A network that keeps frozen weights as blocks of Q8_0 gives the loss, the logits and the
// gradients of one that has their values as floats, bit for bit: one weight, and all that can be.
func TestQuantized(t *testing.T) {
	one := map[string]string{
		"gpt2": "transformer.h.1.mlp.c_fc.weight", "llama": "model.layers.1.self_attn.q_proj.weight",
		"qwen3": "model.layers.0.mlp.up_proj.weight", "palm": "model.layers.1.mlp.gate_up_proj.weight",
		"mistral": "model.layers.1.self_attn.v_proj.weight", "gemma3_text": "model.layers.1.self_attn.k_proj.weight",
	}
	for _, c := range families(32, 16) {
		c.VocabSize = 31
		for _, which := range []string{"one weight", "all that can be"} {
			frozen := func(name string) bool { return name == one[c.ModelType] }
			if which != "one weight" {
				frozen = func(name string) bool {
					return !strings.Contains(name, "layers.1.") && !strings.Contains(name, ".h.1.")
				}
			}
			for _, o := range []cpu.Options{{Threads: 2, Kernels: "generic"}, {Threads: 2}} {
				t.Run(c.ModelType+"/"+which+"/"+o.Kernels, func(t *testing.T) { checkQuantized(t, c, o, frozen) })
			}
		}
	}
}

func checkQuantized(t *testing.T, c Config, o cpu.Options, frozen func(name string) bool) {
	opts := Options{Trainable: func(name string) bool { return !frozen(name) }}
	plain := network(t, o, exec.F32, c, opts)
	if err := plain.Init(3); err != nil {
		t.Fatal(err)
	}
	blocked := func(p exec.ParamInfo) bool {
		return frozen(p.Name) && len(p.Shape) == 2 && p.Shape[1]%exec.Q8_0.Block() == 0
	}
	names := map[string]bool{}
	for _, p := range plain.Layout().Params {
		names[p.Name] = blocked(p)
	}
	opts.Stored = func(name string) exec.DType {
		if names[name] {
			return exec.Q8_0
		}
		return exec.F32
	}
	opts.Recompute = o.Kernels == "" // the same bits, too
	n := network(t, o, exec.F32, c, opts)
	if err := n.Init(3); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(7, 8))
	some := 0
	for _, p := range n.Layout().Params {
		if !names[p.Name] {
			continue
		}
		some++
		blocks := make([]byte, p.DType.Bytes(p.Elems))
		for i := range blocks {
			blocks[i] = byte(r.Uint32())
		}
		for i := 0; i < len(blocks); i += 34 { // scales of 2^-10 to 2^-8
			blocks[i+1] = 0x14 | blocks[i+1]&3
		}
		if err := n.SetBlocks(p.Name, blocks); err != nil {
			t.Fatal(err)
		}
		values := make([]float32, p.Elems)
		if err := n.Weight(p.Name, values); err != nil {
			t.Fatal(err)
		}
		if err := plain.SetWeight(p.Name, values); err != nil {
			t.Fatal(err)
		}
		if err := n.SetWeight(p.Name, values); err == nil {
			t.Errorf("%s took floats", p.Name)
		}
	}
	if some == 0 {
		t.Fatal("nothing is quantised")
	}
	if n.Layout().Bytes >= plain.Layout().Bytes {
		t.Errorf("%d bytes of parameters, %d as floats", n.Layout().Bytes, plain.Layout().Bytes)
	}
	f := random(c, 2, 16, 5)
	for _, kind := range []Kind{Train, Evaluate} {
		var want, got [][]float64
		for i, net := range []*Network{plain, n} {
			x := executor(t, net, kind, 2, 16, 0)
			run(t, net, x, f)
			all := [][]float64{read(t, x, "loss"), read(t, x, "nll")}
			for _, p := range net.Layout().Params {
				if kind == Train && p.Trainable {
					all = append(all, arena(t, net, exec.Grad, p))
				}
			}
			if i == 0 {
				want = all
			} else {
				got = all
			}
		}
		if !slices.EqualFunc(got, want, slices.Equal[[]float64]) {
			t.Errorf("%v: other bits than of floats: loss %v, want %v", kind, got[0], want[0])
		}
	}
	p, err := n.Program(Evaluate, 2, 16, 0)
	if err != nil {
		t.Fatal(err)
	}
	var listing bytes.Buffer
	if err := p.Print(&listing); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(listing.String(), "dequantize") || !strings.Contains(listing.String(), ":q8_0") {
		t.Errorf("the listing does not show it:\n%s", listing.String())
	}
}

// What cannot be kept in blocks is refused by name.
func TestQuantizedRefused(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	stored := func(string) exec.DType { return exec.Q8_0 }
	c := families(32, 16)[0]
	if _, err := NewNetwork(dev, exec.F32, c, Options{Stored: stored}); err == nil || !strings.Contains(err.Error(), "wte.weight: of type q8_0, which cannot be trained") {
		t.Errorf("a trained one: %v", err)
	}
	c = families(16, 16)[0]
	if _, err := NewNetwork(dev, exec.F32, c, Options{Stored: stored, Trainable: func(string) bool { return false }}); err == nil || !strings.Contains(err.Error(), "rows of 16 are not whole blocks of q8_0, 32 each") {
		t.Errorf("rows of half a block: %v", err)
	}
}

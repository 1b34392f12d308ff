package model

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/float"
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

// A network for inference that keeps its matrices in blocks gives the loss, the logits and the decoded logits of one that
// has their values as floats, bit for bit, whatever the number of rows. With activations of 8 bits it gives others, which
// do not depend on it either.
func TestQuantizedInference(t *testing.T) {
	for _, c := range families(64, 16) {
		c.VocabSize = 95
		for _, kernels := range kernelSets(t) {
			for _, dt := range []exec.DType{exec.Q8_0, exec.Q4_0, exec.Q4_1} {
				t.Run(fmt.Sprint(c.ModelType, "/", kernels, "/", dt), func(t *testing.T) {
					checkQuantizedInference(t, c, cpu.Options{Threads: 2, Kernels: kernels}, dt)
				})
			}
		}
	}
}

func checkQuantizedInference(t *testing.T, c Config, o cpu.Options, dt exec.DType) {
	plain := network(t, o, exec.F32, c, Options{Inference: true})
	if err := plain.Init(3); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, p := range plain.Layout().Params {
		names[p.Name] = p.Form == exec.Panels && p.Shape[1]%dt.Block() == 0
	}
	stored := func(name string) exec.DType {
		if names[name] {
			return dt
		}
		return exec.F32
	}
	exact := network(t, o, exec.F32, c, Options{Inference: true, Stored: stored})
	rounded := network(t, o, exec.F32, c, Options{Inference: true, Stored: stored, Int8: true})
	r := rand.New(rand.NewPCG(7, 8))
	some := 0
	for _, p := range exact.Layout().Params {
		values := make([]float32, p.Elems)
		if !p.DType.Quantized() {
			if err := plain.Weight(p.Name, values); err != nil {
				t.Fatal(err)
			}
			for _, n := range []*Network{exact, rounded} {
				if err := n.SetWeight(p.Name, values); err != nil {
					t.Fatal(err)
				}
			}
			continue
		}
		some++
		blocks := make([]byte, dt.Bytes(p.Elems))
		for i := range blocks {
			blocks[i] = byte(r.Uint32())
		}
		for i := 0; i < len(blocks); i += dt.Bytes(32) { // scales of about 0.1 over the largest number
			shift := map[exec.DType]int{exec.Q8_0: 10, exec.Q4_0: 6, exec.Q4_1: 7}[dt]
			binary.LittleEndian.PutUint16(blocks[i:], float.ToF16(float32(math.Ldexp(1+r.Float64(), -shift))))
			if dt == exec.Q4_1 {
				binary.LittleEndian.PutUint16(blocks[i+2:], float.ToF16(float32(r.NormFloat64()/10)))
			}
		}
		for _, n := range []*Network{exact, rounded} {
			if err := n.SetBlocks(p.Name, blocks); err != nil {
				t.Fatal(err)
			}
		}
		if err := exact.Weight(p.Name, values); err != nil {
			t.Fatal(err)
		}
		want := make([]float32, p.Elems)
		if err := exec.Dequantize(dt, want, blocks); err != nil || !slices.Equal(values, want) {
			t.Fatalf("%s comes back with other values (%v)", p.Name, err)
		}
		if err := plain.SetWeight(p.Name, values); err != nil {
			t.Fatal(err)
		}
	}
	if some == 0 {
		if c.ModelType == "gpt2" { // whose matrices are transposed, and here it has no other
			return
		}
		t.Fatal("nothing is quantised")
	}
	f := random(c, 2, 16, 5)
	outputs := func(n *Network) (loss, decoded []float64) {
		x := executor(t, n, Evaluate, 2, 16, 0)
		run(t, n, x, f)
		loss = append(read(t, x, "loss"), read(t, x, "nll")...)
		// A text at once, and a token at a time.
		s, err := n.NewSession(1, 16)
		if err != nil {
			t.Fatal(err)
		}
		for _, parts := range [][]int32{{13}, {1, 9, 2, 1}} {
			at := int32(0)
			for _, rows := range parts {
				x, err := s.Executor(Decode, int(rows))
				if err != nil {
					t.Fatal(err)
				}
				feed := &Feed{Pool: []int32{rows - 1}}
				for i := range rows {
					feed.Tokens, feed.Positions, feed.Sequences = append(feed.Tokens, f.Tokens[at+i]), append(feed.Positions, at+i), append(feed.Sequences, 0)
				}
				run(t, n, x, feed)
				if at += rows; at == 13 {
					decoded = append(decoded, read(t, x, "logits")...)
				}
			}
		}
		if half := len(decoded) / 2; !slices.Equal(decoded[:half], decoded[half:]) {
			t.Error("logits depend on how many tokens are read at once")
		}
		return loss, decoded
	}
	wantLoss, want := outputs(plain)
	loss, got := outputs(exact)
	if !slices.Equal(loss, wantLoss) || !slices.Equal(got, want) {
		t.Errorf("other bits than of floats: loss %v, want %v", loss[0], wantLoss[0])
	}
	loss, got = outputs(rounded)
	if slices.Equal(got, want) {
		t.Error("activations are not rounded to 8 bits")
	}
	if d := math.Abs(loss[0] - wantLoss[0]); d > 0.02*wantLoss[0] {
		t.Errorf("loss %v with activations of 8 bits, %v without", loss[0], wantLoss[0])
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

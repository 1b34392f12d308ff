package bench

import (
	"math"
	"testing"

	"hone/trainer/exec/cpu"
)

// The work of a token is that of SmolLM2's matrices, each read once, and of the keys and values that it sees.
func TestWorkOfAToken(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c := Config{Name: "small", Family: "llama", Layers: 2, Heads: 3, KVHeads: 1, Dim: 96, Inner: 160, T: 2048, V: 515}
	m, err := c.model()
	if err != nil {
		t.Fatal(err)
	}
	source := &weights{config: m}
	for _, name := range DecodeTypes {
		net, err := source.network(dev, name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, err := newStepper(net, Reading{Sequences: 2, Tokens: 1, Position: 10})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.turn(); err != nil {
			t.Fatal(err)
		}
		if s.took <= 0 {
			t.Errorf("%s: a step took %g s", name, s.took)
		}
		matrices := 0
		padded := 0
		for _, p := range net.Layout().Params {
			if len(p.Shape) == 2 {
				matrices += p.Elems
				padded += p.Bytes()
			}
		}
		flops, bytes := s.work()
		const kv = 32 // of a token, one head
		if want := 2*2*float64(matrices) + 2*2*4*11*96; math.Abs(flops/want-1) > 1e-9 {
			t.Errorf("%s: %g FLOPs, want %g", name, flops, want)
		}
		if want := float64(padded + 2*2*2*4*11*kv); bytes != want {
			t.Errorf("%s: %g bytes, want %g", name, bytes, want)
		}
	}
}

// Training and decoding have peers of their own.
func TestPeers(t *testing.T) {
	for s, ok := range map[string]bool{"torch=python": true, "llama=python": true, "llama=": false, "llama": false, "jax=python": false} {
		if _, err := ParsePeer(s); (err == nil) != ok {
			t.Errorf("%s: %v", s, err)
		}
	}
}

package model

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/graph"
)

// Frequencies and scales are those of transformers, which are float32, for each type of rope_parameters
// (testdata/rope.py).
func TestRotations(t *testing.T) {
	text, err := os.ReadFile("testdata/rope.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Cases []struct {
			Parameters  json.RawMessage
			Frequencies []float64
			Scale       float64
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, x := range doc.Cases {
		for _, key := range []string{"rope_parameters", "rope_scaling"} {
			c, err := ReadConfig(strings.NewReader(fmt.Sprintf(
				`{"model_type": "llama", "hidden_size": 128, "num_attention_heads": 4, "max_position_embeddings": 1024, %q: %s}`, key, x.Parameters)))
			if err != nil {
				t.Fatalf("%s: %v", x.Parameters, err)
			}
			text, err := c.JSON() // what is written means the same
			if err != nil {
				t.Fatal(err)
			}
			if c, err = ReadConfig(strings.NewReader(string(text))); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			f := c.Family.(Llama)
			seen[f.RopeScaling.RopeType] = true
			got := f.RopeScaling.rotation(f.headDim(), f.RopeTheta, f.MaxPositionEmbeddings)
			if len(got.freqs) != len(x.Frequencies) || !(math.Abs(got.scale-x.Scale) <= 1e-7) {
				t.Fatalf("%s: %d frequencies, scale %g, want %d and %g", x.Parameters, len(got.freqs), got.scale, len(x.Frequencies), x.Scale)
			}
			for i, want := range x.Frequencies {
				if !(math.Abs(got.freqs[i]-want) <= 2e-6*want) {
					t.Errorf("%s: frequency %d is %v, want %v", x.Parameters, i, got.freqs[i], want)
				}
			}
			longest := 1024
			if f.RopeScaling.RopeType == "longrope" {
				longest = 256
			}
			if c.MaxLength() != longest {
				t.Errorf("%s: sequences of at most %d tokens, want %d", x.Parameters, c.MaxLength(), longest)
			}
		}
	}
	for _, name := range ropeTypes {
		if !seen[name] {
			t.Errorf("no case of %s", name)
		}
	}
}

// Activations by their names have transformers' values (testdata/activations.py), and all names of its list
// but those of functions with parameters are known.
func TestActivations(t *testing.T) {
	text, err := os.ReadFile("testdata/activations.json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		X      []float64
		Values map[string][]float64
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for name, want := range doc.Values {
		if !slices.Contains(activations, name) {
			t.Errorf("%s is not known", name)
			continue
		}
		b := &builder{Builder: graph.New(name, exec.F64)}
		y := activation(b, name, b.Input("x", exec.F64, len(want)))
		p, err := b.Lower(exec.NewLayout(exec.F64, nil), graph.Outputs{Named: []graph.Named{{Name: "y", Node: y}}})
		if err != nil {
			t.Fatal(err)
		}
		x, err := exec.NewExecutor(exec.NewMemory(dev, 0, 0, 0), p)
		if err != nil {
			t.Fatal(err)
		}
		if err := exec.Feed(x, "x", doc.X); err != nil {
			t.Fatal(err)
		}
		if err := x.Run(); err != nil {
			t.Fatal(err)
		}
		for i, got := range read(t, x, "y") {
			// gelu_fast and laplace have constants of some digits, softplus is x from 20 on in torch.
			if !(math.Abs(got-want[i]) <= 3e-9*max(1, math.Abs(want[i]))) {
				t.Errorf("%s(%g) is %v, want %v", name, doc.X[i], got, want[i])
			}
		}
	}
	if len(doc.Values) != len(activations) {
		t.Errorf("%d activations, transformers has %d", len(activations), len(doc.Values))
	}
}

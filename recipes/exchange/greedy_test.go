package exchange

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"hone/eval/generate"
	"hone/trainer/exec/cpu"
	"hone/trainer/pretrained"
)

// Real models, imported from GGUF files, write what transformers writes with the same dequantised
// weights; see testdata/gguf/greedy.py. A text may differ from where the two best logits there
// are within 1e-3. HONE_TEST_MODELS names the directory of the files.
func TestGreedyGGUF(t *testing.T) {
	dir := os.Getenv("HONE_TEST_MODELS")
	if dir == "" {
		t.Skip("HONE_TEST_MODELS names no directory of GGUF files")
	}
	text, err := os.ReadFile("testdata/gguf/greedy.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Models map[string][]struct {
			Prompt      string
			Tokens, IDs []int32
			Apart       []float64
		}
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	for name, list := range want.Models {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			dst := filepath.Join(t.TempDir(), "model")
			if _, err := Import(t.Context(), path, dst, silent()); err != nil {
				t.Fatal(err)
			}
			dev, err := cpu.New(cpu.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			m, err := pretrained.Open(dev, dst, 0)
			if err != nil {
				t.Fatal(err)
			}
			g, _, err := generate.Open(m)
			if err != nil {
				t.Fatal(err)
			}
			same := 0
			var requests []generate.Request
			var alone [][]int32
			for _, w := range list {
				if got := append(slices.Clone(g.Before), m.Tokenizer.Encode(nil, w.Prompt)...); !slices.Equal(got, w.Tokens) {
					t.Errorf("%q is %v, want %v", w.Prompt, got, w.Tokens)
				}
				r, err := g.Generate(t.Context(), w.Prompt, generate.Options{MaxTokens: 32}, nil)
				if err != nil {
					t.Fatal(err)
				}
				requests = append(requests, generate.Request{Prompt: w.Tokens, Options: generate.Options{MaxTokens: 32}})
				alone = append(alone, r.IDs)
				ids := w.IDs // the reference has the token that ends a text too
				if n := len(ids); n > 0 && slices.Contains(g.Ends, ids[n-1]) {
					ids = ids[:n-1]
				}
				k := 0
				for k < min(len(ids), len(r.IDs)) && ids[k] == r.IDs[k] {
					k++
				}
				switch {
				case k == len(ids) && k == len(r.IDs):
					same++
				case k < len(w.Apart) && w.Apart[k] <= 1e-3:
					t.Logf("%q differs from token %d on, where two logits are %g apart", w.Prompt, k, w.Apart[k])
				default:
					t.Errorf("%q: %v, want %v", w.Prompt, r.IDs, ids)
				}
			}
			t.Logf("%d of %d texts are the same", same, len(list))
			results, err := g.Write(t.Context(), requests)
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range results {
				if !slices.Equal(r.IDs, alone[i]) {
					t.Errorf("%q: side by side with others %v, alone %v", list[i].Prompt, r.IDs, alone[i])
				}
			}
		})
	}
}

// llama.cpp continues prompts by an exported file as hone does by the model that it was exported of.
// HONE_LLAMA_CPP names a Python that has llama-cpp-python.
func TestLlamaCpp(t *testing.T) {
	python := os.Getenv("HONE_LLAMA_CPP")
	if python == "" {
		t.Skip("HONE_LLAMA_CPP names no Python with llama-cpp-python")
	}
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	prompts := []string{"the habit", "th", "abcabc a b", "xyz", "aab d e f", "th tk tm"}
	for name := range ggufModels(t) {
		if name == "bert" {
			continue
		}
		dir := t.TempDir()
		model, path := filepath.Join(dir, "model"), filepath.Join(dir, "m.gguf")
		if _, err := Import(t.Context(), "testdata/gguf/"+name+".gguf", model, silent()); err != nil {
			t.Fatal(err)
		}
		if _, err := ExportGGUF(t.Context(), model, path, "F32", silent()); err != nil {
			t.Fatal(err)
		}
		ask, err := json.Marshal(map[string]any{"file": path, "prompts": prompts, "tokens": 16})
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(python, "testdata/gguf/llamacpp.py")
		cmd.Stdin = bytes.NewReader(ask)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var want []struct{ Tokens, IDs []int32 }
		if err := json.Unmarshal(out, &want); err != nil {
			t.Fatal(err)
		}
		m, err := pretrained.Open(dev, model, 0)
		if err != nil {
			t.Fatal(err)
		}
		g, _, err := generate.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		for i, prompt := range prompts {
			if got := append(slices.Clone(g.Before), m.Tokenizer.Encode(nil, prompt)...); !slices.Equal(got, want[i].Tokens) {
				t.Errorf("%s: %q is %v, want %v", name, prompt, got, want[i].Tokens)
			}
			r, err := g.Generate(t.Context(), prompt, generate.Options{MaxTokens: 16}, nil)
			if err != nil || !slices.Equal(r.IDs, want[i].IDs) {
				t.Errorf("%s: %q goes on %v, want %v, %v", name, prompt, r.IDs, want[i].IDs, err)
			}
		}
	}
}

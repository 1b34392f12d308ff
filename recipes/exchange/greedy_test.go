package exchange

import (
	"encoding/json"
	"os"
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
			for _, w := range list {
				if got := append(slices.Clone(g.Before), m.Tokenizer.Encode(nil, w.Prompt)...); !slices.Equal(got, w.Tokens) {
					t.Errorf("%q is %v, want %v", w.Prompt, got, w.Tokens)
				}
				r, err := g.Generate(t.Context(), w.Prompt, generate.Options{MaxTokens: 32}, nil)
				if err != nil {
					t.Fatal(err)
				}
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
		})
	}
}

package run

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hone/checkpoint"
	"hone/eval/generate"
	"hone/recipes/exchange"
	"hone/trainer/exec/cpu"
	"hone/trainer/pretrained"
)

// Imported models write what transformers writes: with what the post-processor sets around a
// prompt and no more, and up to the first of the ends that their files name; as do their
// exports.
func TestGenerateImported(t *testing.T) {
	if testing.Short() {
		t.Skip("compares numbers of many models: not in short mode")
	}
	text, err := os.ReadFile(filepath.Join(modelsDir, "generate.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Cases []struct {
			Model            string
			Config           map[string]any
			PostProcessor    any            `json:"post_processor"`
			GenerationConfig map[string]any `json:"generation_config"`
			Texts            []struct {
				Prompt string
				IDs    []int32
				New    []int32
			}
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	ended := 0
	for i, c := range ref.Cases {
		what := fmt.Sprintf("%d: %s, %v, %v", i, c.Model, c.Config, c.GenerationConfig)
		dir := modelCopy(t, c.Model)
		setJSON(t, filepath.Join(dir, checkpoint.ConfigFile), c.Config)
		setJSON(t, filepath.Join(dir, checkpoint.TokenizerFile), map[string]any{"post_processor": c.PostProcessor})
		os.Remove(filepath.Join(dir, checkpoint.GenerationFile))
		if c.GenerationConfig != nil {
			b, err := json.Marshal(c.GenerationConfig)
			if err != nil {
				t.Fatal(err)
			}
			writeFile(t, filepath.Join(dir, checkpoint.GenerationFile), b)
		}
		at := filepath.Join(t.TempDir(), "model")
		if _, err := exchange.Import(t.Context(), dir, at, quiet()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if i%4 == 2 { // once through an export
			out := filepath.Join(t.TempDir(), "exported")
			if _, err := exchange.Export(t.Context(), at, out, exchange.ExportOptions{DType: "fp32", MaxShardSize: 1 << 30}, quiet()); err != nil {
				t.Fatal(err)
			}
			at = out
		}
		m, err := pretrained.Open(dev, at, 0)
		if err != nil {
			t.Fatal(err)
		}
		g, _, err := generate.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range c.Texts {
			r, err := g.Generate(t.Context(), x.Prompt, generate.Options{MaxTokens: 12}, nil)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			want := x.New
			if r.Reason == "end of text" && len(want) > 0 {
				want = want[:len(want)-1]
				ended++
			}
			if !slices.Equal(r.IDs, want) {
				t.Errorf("%s: %q is gone on with %v (%s), want %v", what, x.Prompt, r.IDs, r.Reason, x.New)
			}
		}
	}
	if ended < 25 {
		t.Errorf("only %d texts came to an end", ended)
	}
}

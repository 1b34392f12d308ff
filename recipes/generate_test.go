package recipes

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hone/checkpoint"
	"hone/eval/generate"
	"hone/trainer/exec/cpu"
)

// change sets keys of a JSON file.
func change(t *testing.T, path string, keys map[string]any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range keys {
		all[k] = v
	}
	if b, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	write(t, path, b)
}

// Imported models write what transformers writes: with what the post-processor sets around a
// prompt and no more, and up to the first of the ends that their files name; as do their
// exports.
func TestGenerateImported(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(huggingFaceDir, "generate.json"))
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
		dir := copyModel(t, c.Model)
		change(t, filepath.Join(dir, checkpoint.ConfigFile), c.Config)
		change(t, filepath.Join(dir, checkpoint.TokenizerFile), map[string]any{"post_processor": c.PostProcessor})
		os.Remove(filepath.Join(dir, generationFile))
		if c.GenerationConfig != nil {
			b, err := json.Marshal(c.GenerationConfig)
			if err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(dir, generationFile), b)
		}
		at := filepath.Join(t.TempDir(), "model")
		if _, err := Import(t.Context(), dir, at, silent()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if i%4 == 2 { // once through an export
			out := filepath.Join(t.TempDir(), "exported")
			if _, err := Export(t.Context(), at, out, ExportOptions{"fp32", 1 << 30}, silent()); err != nil {
				t.Fatal(err)
			}
			at = out
		}
		m, err := OpenModel(dev, at)
		if err != nil {
			t.Fatal(err)
		}
		g, _, err := m.Generator()
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

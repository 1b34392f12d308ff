package run

import (
	"encoding/json"
	"fmt"
	"math"
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

// Beam searches with imported models find what transformers finds, all prompts of a model in
// one call or each for itself, and whatever has been read before.
func TestBeamsImported(t *testing.T) {
	if testing.Short() {
		t.Skip("compares numbers of many models: not in short mode")
	}
	text, err := os.ReadFile(filepath.Join(modelsDir, "beams.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Cases []struct {
			Model            string
			GenerationConfig json.RawMessage `json:"generation_config"`
			Texts            []struct {
				Prompt  string
				IDs     []int32
				Results []struct {
					New   []int32
					Score float64
				}
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
	ended, cut := 0, 0
	for i, c := range ref.Cases {
		what := fmt.Sprintf("%d: %s, %s", i, c.Model, c.GenerationConfig)
		dir := modelCopy(t, c.Model)
		writeFile(t, filepath.Join(dir, checkpoint.GenerationFile), c.GenerationConfig)
		at := filepath.Join(t.TempDir(), "model")
		if _, err := exchange.Import(t.Context(), dir, at, quiet()); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		m, err := pretrained.Open(dev, at, 0)
		if err != nil {
			t.Fatal(err)
		}
		g, s, err := generate.Open(m)
		if err != nil || len(s.Ignored) > 0 {
			t.Fatalf("%s: %v, ignored %q", what, err, s.Ignored)
		}
		o := generate.Options{Beams: generate.Beams{LengthPenalty: 1}}
		s.Sampling(&o, func(string) bool { return false })
		var requests []generate.Request
		for _, x := range c.Texts {
			requests = append(requests, generate.Request{Prompt: x.IDs, Options: o})
		}
		together, err := g.Write(t.Context(), requests)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for k, x := range c.Texts {
			alone, err := g.Write(t.Context(), requests[k:k+1])
			if err != nil || len(alone) != len(x.Results) {
				t.Fatalf("%s: %v, %d results", what, err, len(alone))
			}
			for n, want := range x.Results {
				r := together[0]
				together = together[1:]
				if *r.Score != *alone[n].Score || !slices.Equal(r.IDs, alone[n].IDs) {
					t.Errorf("%s: %q: result %d is %v with score %v in company, and %v with %v alone", what, x.Prompt, n, r.IDs, *r.Score, alone[n].IDs, *alone[n].Score)
				}
				ids := want.New
				if r.Reason == "end of text" {
					ids = ids[:len(ids)-1]
					ended++
				} else {
					cut++
				}
				if !slices.Equal(r.IDs, ids) || math.Abs(*r.Score-want.Score) > 2e-5*math.Abs(want.Score) {
					t.Errorf("%s: %q: result %d is %v with score %v (%s), want %v with %v", what, x.Prompt, n, r.IDs, *r.Score, r.Reason, want.New, want.Score)
				}
			}
		}
	}
	if ended < 20 || cut < 100 {
		t.Errorf("%d texts ended, %d were cut: too few", ended, cut)
	}
}

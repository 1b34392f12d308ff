package generate

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"testing"
)

// TestBeams compares texts and scores with those of transformers' beam search, with a model of
// three tables: testdata/beams.py.
func TestBeams(t *testing.T) {
	text, err := os.ReadFile("testdata/beams.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Last, Before, Length [][]float32
		Cases                []struct {
			Options json.RawMessage
			Ends    []int32
			Prompts [][]int32
			Results []struct {
				Prompt int
				IDs    []int32
				Score  float64
			}
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	ended, cut := 0, 0
	for k, c := range file.Cases {
		settings, err := ReadSettings(c.Options)
		if err != nil || len(settings.Ignored) > 0 {
			t.Fatalf("case %d: %v, ignored %q", k, err, settings.Ignored)
		}
		o := Options{Beams: Beams{LengthPenalty: 1}}
		settings.Sampling(&o, func(string) bool { return false })
		results := map[int][]beam{}
		for i, prompt := range c.Prompts {
			s := newSearch(o.Beams, len(c.Ends), o.MaxTokens)
			p := o.Sampler.picker(prompt, c.Ends)
			var w workspace
			for !s.done {
				var scores [][]float32
				for _, b := range s.running {
					p.text = append(slices.Clone(prompt), b.ids...)
					n := len(p.text)
					row := slices.Clone(file.Last[p.text[n-1]])
					for id, v := range file.Before[p.text[n-2]] {
						row[id] = row[id] + file.Length[n][id] + v
					}
					w.logSoftmax(row)
					p.process(&w, row)
					scores = append(scores, row)
				}
				s.step(scores, func(ids []int32) string {
					if slices.Contains(c.Ends, ids[len(ids)-1]) {
						return "end of text"
					}
					return ""
				})
			}
			results[i] = s.finished
		}
		for _, want := range c.Results {
			if len(results[want.Prompt]) == 0 {
				t.Fatalf("case %d, %s: prompt %d has too few texts", k, c.Options, want.Prompt)
			}
			got := results[want.Prompt][0]
			results[want.Prompt] = results[want.Prompt][1:]
			if !slices.Equal(got.ids, want.IDs) || math.Abs(float64(got.score)-want.Score) > 2e-6*math.Abs(want.Score) {
				t.Errorf("case %d, %s: prompt %d: %v with score %g, want %v with %g", k, c.Options, want.Prompt, got.ids, got.score, want.IDs, want.Score)
			}
			if got.reason == "length" {
				cut++
			} else {
				ended++
			}
		}
	}
	if ended < 50 || cut < 50 {
		t.Errorf("%d texts ended, %d were cut: too few", ended, cut)
	}
}

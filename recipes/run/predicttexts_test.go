package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// textTask is a task of writing, by a template.
func textTask(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "say.toml")
	writeFile(t, path, []byte("kind = \"text_to_text\"\nanswer = \"answer\"\n[template]\ntext = \"say {{ word }}: {{ words | join(' ') }}\"\n"))
	return path
}

// textRows are rows of it, and their prompts.
func textRows(t *testing.T, n int) (rows, prompts []string) {
	t.Helper()
	words := strings.Fields("the cat sat on a model and reads many words of every length 고양이가 앉았다")
	for i := range n {
		some := words[i%7 : i%7+i%5+1]
		row, err := json.Marshal(map[string]any{"id": i, "word": words[i*5%len(words)], "words": some})
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, string(row)+"\n")
		prompts = append(prompts, fmt.Sprintf("say %s: %s", words[i*5%len(words)], strings.Join(some, " ")))
	}
	return rows, prompts
}

type writtenRow struct {
	ID         int
	Prediction *string
	Reason     *string `json:"finish_reason"`
	Truncated  bool
}

// What is written for a row is what hone generate writes for the prompt that its task makes of it, which is what
// transformers writes (TestGenerateImported, TestBeamsImported), whatever else is written beside it and in which order.
func TestPredictTexts(t *testing.T) {
	in, said := filepath.Join(t.TempDir(), "in.jsonl"), textTask(t)
	rows, prompts := textRows(t, 70)
	for _, c := range []struct {
		model string
		write generate.Options
		asked []string
	}{
		{"t5", generate.Options{MaxTokens: 12, Sampler: generate.Sampler{Temperature: 1, Seed: 2}}, []string{"temperature"}},
		{"gpt2-sharded-bf16", generate.Options{MaxTokens: 12}, nil},
		{"gpt2-sharded-bf16", generate.Options{MaxTokens: 9, Beams: generate.Beams{NumBeams: 3, LengthPenalty: 1}}, []string{"num-beams", "max-tokens"}},
		{"llama-tied-sharded-bf16", generate.Options{MaxTokens: 12, Sampler: generate.Sampler{Temperature: 0.9, Seed: 5}}, []string{"temperature"}},
		{"xlnet", generate.Options{MaxTokens: 8, Sampler: generate.Sampler{Temperature: 1, Seed: 2}}, []string{"temperature"}},
	} {
		t.Run(c.model, func(t *testing.T) {
			model := importTiny(t, c.model, nil)
			p := PredictOptions{Task: said, Write: c.write, Asked: c.asked}
			writeFile(t, in, []byte(strings.Join(rows, "")))
			out, done := predictRows(t, model, in, p)
			got := rowsOf[writtenRow](t, out)
			dev, err := OpenDevice(1, false)
			if err != nil {
				t.Fatal(err)
			}
			defer dev.Close()
			m, err := pretrained.Open(dev, model, 0)
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]bool{}
			for i, prompt := range prompts[:24] {
				g, _, err := generate.Open(m) // which has not read the others
				if err != nil {
					t.Fatal(err)
				}
				want, err := g.Generate(t.Context(), prompt, c.write, nil)
				if err != nil {
					t.Fatal(err)
				}
				reason := map[string]string{"end of text": "stop", "length": "length"}[want.Reason]
				text := strings.TrimSpace(strings.ToValidUTF8(want.Text, "�"))
				if got[i].ID != i || *got[i].Prediction != text || *got[i].Reason != reason || got[i].Truncated {
					t.Errorf("row %d: %q, %s; hone generate writes %q, %s", i, *got[i].Prediction, *got[i].Reason, text, reason)
				}
				kinds[text] = true
			}
			if len(kinds) < 6 || len(got) != len(rows) || done.Truncated != 0 {
				t.Errorf("%d rows, %d texts of 24 rows: %+v", len(got), len(kinds), done)
			}
			slices.Reverse(rows)
			defer slices.Reverse(rows)
			writeFile(t, in, []byte(strings.Join(rows, "")+strings.Repeat(rows[3], 400))) // more than are written together
			out, _ = predictRows(t, model, in, p)
			for i, row := range rowsOf[writtenRow](t, out) {
				want := got[len(rows)-1-min(i, len(rows)-1)]
				if i >= len(rows) {
					want = got[len(rows)-1-3]
				}
				if *row.Prediction != *want.Prediction || *row.Reason != *want.Reason {
					t.Fatalf("row %d: %q among others, %q before", i, *row.Prediction, *want.Prediction)
				}
			}
		})
	}
}

// Texts that were written before an interruption are kept, and the others written after them; a prompt without room is
// cut, and said to be.
func TestPredictTextsResumes(t *testing.T) {
	dir := t.TempDir()
	in, out, said := filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "out.jsonl"), textTask(t)
	rows, _ := textRows(t, 90)
	rows[5] = `{"id": 5, "word": "long", "words": [` + strings.Repeat(`"word", `, 200) + `"end"]}` + "\n"
	writeFile(t, in, []byte(strings.Join(rows, "")))
	model := importTiny(t, "gpt2-sharded-bf16", nil)
	p := PredictOptions{Task: said, Write: generate.Options{MaxTokens: 10}, RowsOptions: RowsOptions{In: in}}
	want, all := predictRows(t, model, in, p)
	if list := rowsOf[writtenRow](t, want); all.Truncated != 1 || !list[5].Truncated || list[4].Truncated {
		t.Errorf("%+v: a prompt that is too long: %+v", all, list[5])
	}
	p.Out = out
	for left := 5; ; left += 10 {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o := Options{Console: quiet()}
		calls := left
		o.Bar = func(string, string) recipes.Bar { return stopping{&calls, cancel} }
		done, err := Predict(ctx, model, p, o)
		if errors.Is(err, context.Canceled) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if left == 5 || done.Resumed < 5 {
			t.Errorf("%+v: hardly any row was kept", done)
		}
		if done.Unended == 0 || done.Unended != all.Unended || done.Truncated != all.Truncated {
			t.Errorf("%+v is counted after interruptions, and %+v without", done, all)
		}
		break
	}
	got, err := os.ReadFile(out)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v: other rows after interruptions", err)
	}
	p.Write.MaxTokens = 11
	p.Out = filepath.Join(dir, "other.jsonl")
	writeFile(t, p.Out+".part", []byte(`{"model": "x"}`+"\n"))
	if _, err := Predict(t.Context(), model, p, Options{Console: quiet()}); !errors.Is(err, recipes.ErrInput) || !strings.Contains(err.Error(), "writing") {
		t.Errorf("of other options: %v", err)
	}
	p.Abstain = 0.5
	if _, err := Predict(t.Context(), model, p, Options{Console: quiet()}); !errors.Is(err, recipes.ErrInput) || !strings.Contains(err.Error(), "--abstain is for predictions with a probability, which those of the kind text_to_text have not") {
		t.Errorf("abstaining: %v", err)
	}
}

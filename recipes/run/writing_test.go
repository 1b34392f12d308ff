package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/eval/report"
	"hone/recipes"
)

const writingRecipe = `
[corpus.pairs]
source = %q
text = "en"
[task.say]
kind = "text_to_text"
text = "en"
answer = "de"
metrics = ["chrf", "bleu", "rouge1", "loss"]
[tokenizer]
kind = "char"
[model]
model_type = %q
[[stage]]
name = "write"
kind = "finetune"
task = "say"
sequence_length = 32
batch_size = 4
optim = "muon"
steps = 60
learning_rate = 1e-2
warmup_steps = 2
dropout = 0.1
eval_every = 20
eval_generate = 6
save_every = 20
`

// At each validation of a stage of writing the model writes some texts: what their metrics say is in metrics.jsonl, in
// the report and in the checkpoints, of which it decides the best; the texts are samples. All is the same, to the last
// bit, in a run that was interrupted, and with the weights that a run without any writing has.
func TestWritesAtValidation(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	for split, n := range map[string]int{"train": 40, "val": 9} {
		var text strings.Builder
		for i := range n {
			word := string(rune('a'+i%5)) + string(rune('a'+i%3))
			fmt.Fprintf(&text, "{\"en\": \"%s %s\", \"de\": \"%s\"}\n", word, word, word)
		}
		writeFile(t, filepath.Join(dir, split+".jsonl"), []byte(text.String()))
	}
	for _, family := range []string{"t5\"\nd_model = 16\nd_kv = 8\nd_ff = 32\nnum_layers = 1\nnum_decoder_layers = 1\nnum_heads = 2", "gpt2\"\nn_layer = 1\nn_head = 2\nn_embd = 16\nn_positions = 32"} {
		name, keys, _ := strings.Cut(family, "\"")
		t.Run(name, func(t *testing.T) {
			run := func(to string, stop int64, overrides ...string) (*report.Run, error) {
				t.Helper()
				text := strings.Replace(fmt.Sprintf(writingRecipe, dir, name), "model_type = \""+name+"\"", "model_type = \""+name+"\""+keys, 1)
				r, err := parsed("x.toml", text, overrides)
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				o := Options{Console: quiet()}
				o.Dir, o.Cache = to, cache
				o.Bar = func(title, _ string) recipes.Bar {
					if title == "write" && stop > 0 {
						return stopAt{done: stop, stop: cancel}
					}
					return quietBar{}
				}
				return Run(ctx, r, o)
			}
			final := func(of string) (*checkpoint.Checkpoint, []byte) {
				t.Helper()
				c, err := checkpoint.Open(checkpoint.FinalDir(filepath.Join(of, "write")))
				if err != nil {
					t.Fatal(err)
				}
				weights, err := c.File(checkpoint.ModelFile)
				if err != nil {
					t.Fatal(err)
				}
				return c, weights
			}
			whole, parts, plain := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "parts"), filepath.Join(t.TempDir(), "plain")
			if _, err := run(whole, 0); err != nil {
				t.Fatal(err)
			}
			for _, stop := range []int64{25, 47} {
				if _, err := run(parts, stop); !errors.Is(err, context.Canceled) {
					t.Fatal(err)
				}
			}
			if _, err := run(parts, 0); err != nil {
				t.Fatal(err)
			}
			_, logs, samples, err := report.Read(whole)
			if err != nil {
				t.Fatal(err)
			}
			_, others, again, err := report.Read(parts)
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range [][]report.Validation{logs.Validation, others.Validation} {
				for i := range list {
					list[i].Scored = nil // which is printed by its address
				}
			}
			c, weights := final(whole)
			if other, w := final(parts); other.Manifest.Step != c.Manifest.Step || !bytes.Equal(weights, w) {
				t.Errorf("interrupted: another model, of step %d, not %d", other.Manifest.Step, c.Manifest.Step)
			}
			if len(logs.Validation) != 3 || fmt.Sprintf("%+v", logs.Validation) != fmt.Sprintf("%+v", others.Validation) || !slices.Equal(samples, again) {
				t.Errorf("interrupted: %+v, %d samples; else %+v, %d samples", others.Validation, len(again), logs.Validation, len(samples))
			}
			best, at := -1.0, 0
			for _, v := range logs.Validation {
				for _, name := range []string{"chrf", "bleu", "rouge1"} {
					if !v.Metrics[name].Known() {
						t.Errorf("step %d: no %s", v.Step, name)
					}
				}
				if y := float64(v.Metrics["chrf"]); y > best {
					best, at = y, v.Step
				}
			}
			if best < 10 || c.Manifest.Step != at || c.Manifest.Metrics["val_chrf"] != best {
				t.Errorf("the best is that of step %d, of chrF %g: %+v", c.Manifest.Step, c.Manifest.Metrics["val_chrf"], logs.Validation)
			}
			if len(samples) != 3*3 && len(samples) != 3*6 { // of prompts that are alike, one is shown
				t.Errorf("%d samples", len(samples))
			}
			last := samples[len(samples)-1]
			if last.Reference == "" || last.Prompt != last.Reference+" "+last.Reference || last.Step != 60 {
				t.Errorf("%+v", last)
			}
			page, err := os.ReadFile(filepath.Join(whole, report.HTMLFile))
			if err != nil || !bytes.Contains(page, []byte("Validation, chrF")) || !bytes.Contains(page, []byte("<th>reference</th><td dir=\"auto\">"+last.Reference)) {
				t.Errorf("%v: no chart or no samples in the report", err)
			}
			if _, err := run(plain, 0, "stage.write.eval_generate=0", "stage.write.save_total_limit=3"); err != nil {
				t.Fatal(err)
			}
			for _, step := range []int{20, 40, 60} {
				a, err := os.ReadFile(filepath.Join(plain, "write", "checkpoints", fmt.Sprintf("step-%06d", step), checkpoint.ModelFile))
				if err != nil {
					t.Fatal(err)
				}
				if step == at && !bytes.Equal(a, weights) {
					t.Errorf("writing has changed the model of step %d", step)
				}
			}
			if c, _ := final(plain); len(c.Manifest.Metrics) != 1 {
				t.Errorf("without writing: %v", c.Manifest.Metrics)
			}
		})
	}
}

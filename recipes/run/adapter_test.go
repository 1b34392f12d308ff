package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/recipes"
	hexec "hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

const adapting = `
[corpus.notes]
source = '%s'
validation = 0.2
[[stage]]
name = "more"
kind = "pretrain"
from = '%s'
objective = "%s"
sequence_length = 24
batch_size = 4
micro_batch_size = 2
steps = %d
save_every = 5
learning_rate = 1e-2
lr_scheduler_type = "constant"
[stage.adapter]
r = 2
lora_dropout = 0.1
target_modules = "all-linear"
[[stage]]
name = "labels"
kind = "finetune"
from = '%s'
sequence_length = 24
batch_size = 4
steps = %d
save_every = 5
learning_rate = 1e-2
lr_scheduler_type = "constant"
[stage.adapter]
r = 2
lora_alpha = 4
use_rslora = true
%s
[[stage]]
name = "evaluate"
kind = "evaluate"
models = ["labels"]
split = "validation"
`

// A peftCheck is what testdata/peft/make.py compares with PEFT.
type peftCheck struct {
	Base    string    `json:"base"`
	Adapter string    `json:"adapter"`
	IDs     []int32   `json:"ids"`
	Logits  []float32 `json:"logits"`
}

// An adapter of each family trains from an imported model: ten steps equal five, a resume and five more, bit for bit; the
// checkpoint holds the adapter alone, with the hash of the base, which stays as it is; and other stages and commands take
// it as a model. With HONE_PEFT_PYTHON, a Python with peft and transformers, PEFT loads it and gives the same logits.
func TestAdapterStages(t *testing.T) {
	source := notes(t)
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	python, outer := os.Getenv("HONE_PEFT_PYTHON"), t
	var checks []peftCheck
	for _, f := range imported {
		if f.model == "bert-base" || python == "" && !slices.Contains([]string{"gpt2", "llama", "bert", "t5", "xlnet"}, f.model) {
			continue // a language model of a base begins with a random layer; the others differ by their names
		}
		t.Run(f.model, func(t *testing.T) {
			dir := importAs(outer, f.model, f.tokenizer, f.keys)
			before, err := os.ReadFile(filepath.Join(dir, checkpoint.ModelFile))
			if err != nil {
				t.Fatal(err)
			}
			saved := ""
			if f.model == "bert" { // which has no pooler: it would stay random
				saved = `modules_to_save = ["pooler"]`
			}
			targets := "target_modules = 'all-linear'\nuse_dora = true\n"
			run := func(where string, steps int) error {
				r, err := parsed("x.toml", fmt.Sprintf(adapting, source, dir, f.objective, steps, dir, steps, targets+saved), chosen(f.model))
				if err != nil {
					return err
				}
				_, err = Run(context.Background(), r, Options{Console: quiet(), Dir: where, Cache: filepath.Join(t.TempDir(), "cache")})
				return err
			}
			whole, parts := filepath.Join(outer.TempDir(), "run"), filepath.Join(t.TempDir(), "parts")
			for _, part := range []struct {
				dir   string
				steps int
			}{{whole, 10}, {parts, 5}, {parts, 10}} {
				if err := run(part.dir, part.steps); err != nil {
					t.Fatal(err)
				}
			}
			for _, stage := range []string{"more", "labels"} {
				at := func(run string) string {
					return filepath.Join(checkpoint.StepDir(filepath.Join(run, stage), 10), checkpoint.AdapterFile)
				}
				a, err := os.ReadFile(at(whole))
				if err != nil {
					t.Fatal(err)
				}
				if b, err := os.ReadFile(at(parts)); err != nil || !bytes.Equal(a, b) {
					t.Errorf("%s: ten steps differ from five, a resume and five more (%v)", stage, err)
				}
				final := checkpoint.FinalDir(filepath.Join(whole, stage))
				c, err := checkpoint.Open(final)
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := c.Manifest.Files[checkpoint.ModelFile]; ok || c.Manifest.BaseSHA256 == "" {
					t.Errorf("%s: the files %v, of a base %q", stage, c.Manifest.Files, c.Manifest.BaseSHA256)
				}
				file, err := c.Tensors(checkpoint.AdapterFile)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range file.Tensors() {
					if name := strings.TrimPrefix(x.Name, "base_model.model."); !model.InAdapter(name) && !strings.Contains(name, "pooler") && !newHead(name) {
						t.Errorf("%s: the adapter holds %s", stage, x.Name)
					}
				}
				file.Close()
				found, _, err := Checkpoint(context.Background(), filepath.Join(whole, stage), Options{Console: quiet(), Cache: filepath.Join(t.TempDir(), "cache")})
				if err != nil {
					t.Fatal(err)
				}
				m, err := pretrained.Open(dev, found, 0)
				if err != nil {
					t.Fatal(err)
				}
				if stage == "labels" != (m.Head == model.Classifier) {
					t.Errorf("%s: a %v", stage, m.Head)
				}
				if m.Head == model.Classifier || m.Config.ModelType != "t5" && m.Config.ModelType != "xlnet" {
					base, _ := filepath.Abs(dir)
					checks = append(checks, peftCheck{Base: base, Adapter: final, IDs: textOf(m), Logits: logitsOf(t, m)})
				}
			}
			if after, err := os.ReadFile(filepath.Join(dir, checkpoint.ModelFile)); err != nil || !bytes.Equal(before, after) {
				t.Error("the base has changed")
			}
			if f.model == "bert" {
				saved = ""
				if err := run(filepath.Join(t.TempDir(), "other"), 5); err == nil || !strings.Contains(err.Error(), "bert.pooler.dense.weight") || !errors.Is(err, recipes.ErrInput) {
					t.Errorf("a pooler that stays random: %v", err)
				}
			}
		})
	}
	if python == "" {
		t.Log("set HONE_PEFT_PYTHON to a Python with peft and transformers to have PEFT read the adapters")
		return
	}
	text, err := json.Marshal(checks)
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "list.json")
	writeFile(t, list, text)
	out, err := exec.Command(python, "../exchange/testdata/peft/make.py", "check", list).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// newHead says that a parameter is one of a new head.
func newHead(name string) bool {
	return slices.ContainsFunc([]string{"score.", "classifier.", "pre_classifier.", "classification_head.", "sequence_summary.", "logits_proj."}, func(head string) bool { return strings.HasPrefix(name, head) })
}

// textOf is a text of tokens, whose end T5 and XLNet would look for.
func textOf(m *pretrained.Model) []int32 {
	ids := []int32{5, 9, 3, 11, 7}
	if len(m.Config.EOSTokenID) > 0 {
		ids[4] = int32(m.Config.EOSTokenID[0])
	}
	return ids
}

// logitsOf are what a model's head gives for textOf: a classifier's, or those of the last token.
func logitsOf(t *testing.T, m *pretrained.Model) []float32 {
	t.Helper()
	ids := textOf(m)
	n := len(ids)
	x, err := m.Net.Executor(model.Evaluate, 1, n, 1)
	if err != nil {
		t.Fatal(err)
	}
	f := &model.Feed{Tokens: ids, Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n), Pool: []int32{int32(n - 1)}}
	for i := range n {
		f.Positions[i], f.Order[i] = int32(i), int32(i)
	}
	if m.Head == model.Classifier {
		f.Labels, f.LabelWeights = []int32{-1}, []float32{1}
		if m.Net.PoolsFirst() {
			f.Pool[0] = 0
		}
	}
	if err := m.Net.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
	logits := make([]float32, x.Program().Values[x.Program().Named["logits"]].Elems())
	if err := hexec.Read(x, "logits", logits); err != nil {
		t.Fatal(err)
	}
	return logits
}

package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/exec/cpu"
	"hone/trainer/pretrained"
)

// oneLetter is a corpus whose texts are one letter of sixteen each: 4 bits a byte, whoever
// predicts them.
func oneLetter(t *testing.T) string {
	t.Helper()
	r := rand.New(rand.NewPCG(7, 7))
	dir := filepath.Join(t.TempDir(), "letters")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{"train": 2000, "validation": 400} {
		var b bytes.Buffer
		for range n {
			fmt.Fprintf(&b, "{\"text\": %q}\n", string(rune('a'+r.IntN(16))))
		}
		writeFile(t, filepath.Join(dir, name+".jsonl"), b.Bytes())
	}
	return dir
}

const lettersRecipe = `
[corpus.letters]
source = %q
[tokenizer]
kind = "byte"
%s
[model]
%s
[[stage]]
name = "model"
kind = "pretrain"
objective = %q
sequence_length = 32
steps = 80
batch_size = 8
learning_rate = 1e-2
eval_every = 80
eval_documents = 0
[[stage]]
name = "text"
kind = "evaluate"
models = ["model"]
split = "validation"
baselines = ["kneser_ney_5", "zstd_primed", "markov"]
eval_documents = 0
`

const (
	smallGPT2  = "model_type = \"gpt2\"\nn_layer = 1\nn_head = 2\nn_embd = 16\nn_positions = 32"
	smallBERT  = "model_type = \"bert\"\nnum_hidden_layers = 1\nnum_attention_heads = 2\nhidden_size = 16\nintermediate_size = 32\nmax_position_embeddings = 32"
	smallXLNet = "model_type = \"xlnet\"\nn_layer = 1\nn_head = 2\nd_model = 16\nd_inner = 32"
)

// What is in the divisor is in the sum: a text of one letter of sixteen costs 4 bits, whatever
// stands around it, for the model as for the baselines, in training as at the end and later.
func TestATextOfOneTokenIsNotFree(t *testing.T) {
	corpus := oneLetter(t)
	task := filepath.Join(t.TempDir(), "letters.toml")
	writeFile(t, task, fmt.Appendf(nil, "kind = \"likelihood\"\nsource = %q\nsplit = \"validation\"\nbaselines = [\"kneser_ney_5\"]\n", corpus))
	for _, test := range []struct {
		name, ends, model, objective string
	}{
		{"bos", `bos = "<|endoftext|>"`, smallGPT2, "causal"},
		{"eos", `eos = "<|endoftext|>"`, smallGPT2, "causal"},
		{"another eos", `eos = "<|pad|>"`, smallGPT2, "causal"},
		{"both", "bos = \"<|pad|>\"\neos = \"<|endoftext|>\"", smallGPT2, "causal"},
		{"separator", `separator = "<|endoftext|>"`, smallGPT2, "causal"},
		{"none", "", smallGPT2, "causal"},
		{"prefix", `eos = "<|endoftext|>"`, smallGPT2, "prefix_lm"},
		{"permuted, eos", `eos = "<|endoftext|>"`, smallXLNet, "permutation"},
		{"permuted, bos", `bos = "<|endoftext|>"`, smallXLNet, "permutation"},
	} {
		if testing.Short() && test.name != "eos" {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := parsed("x.toml", fmt.Sprintf(lettersRecipe, corpus, test.ends, test.model, test.objective), nil)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Console: quiet()}
			o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "cache")
			run, err := Run(context.Background(), r, o)
			if err != nil {
				t.Fatal(err)
			}
			tk, err := recipes.LoadTask(task)
			if err != nil {
				t.Fatal(err)
			}
			later, err := Evaluate(context.Background(), filepath.Join(o.Dir, "model"), tk, 0, o)
			if err != nil {
				t.Fatal(err)
			}
			four := func(what string, bits float64) {
				if !(math.Abs(bits-4) < 0.1) {
					t.Errorf("%s: %.3f bits, want 4", what, bits)
				}
			}
			model := bits(t, run, "bits_per_byte")
			four("the model", model.Value)
			four("kneser_ney_5", model.Baselines[0].Value)
			if zstd := model.Baselines[1].Value; zstd < 4 {
				t.Errorf("zstd: %.3f bits", zstd)
			}
			characters := bits(t, run, "bits_per_character")
			four("the model's characters", characters.Value)
			four("markov", characters.Baselines[0].Value)
			if v := float64(run.Stages[0].BitsPerByte); math.Abs(v-model.Value) > 1e-9 {
				t.Errorf("in training %v, at the end %v", v, model.Value)
			}
			if v := bits(t, later, "bits_per_byte"); v.Value != model.Value || v.Baselines[0].Value != model.Baselines[0].Value {
				t.Errorf("later %v beside %v, at the end %v beside %v", v.Value, v.Baselines[0].Value, model.Value, model.Baselines[0].Value)
			}
			if test.objective == "causal" && test.name != "bos" { // which has not learned an end
				oneLetterWritten(t, filepath.Join(o.Dir, "model"))
			}
		})
	}
}

// What a masked model is scored by is the same for its baseline where a text has no neighbours.
func TestMaskedTextOfOneToken(t *testing.T) {
	if testing.Short() {
		t.Skip("compares figures: not in short mode")
	}
	corpus := oneLetter(t)
	for _, ends := range []string{`bos = "<|endoftext|>"`, `eos = "<|endoftext|>"`, ""} {
		text := fmt.Sprintf(lettersRecipe, corpus, ends, smallBERT, "masked")
		text = strings.Replace(text, `"kneser_ney_5", "zstd_primed", "markov"`, `"bidirectional_trigram"`, 1)
		r, err := parsed("x.toml", text, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Console: quiet()}
		o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "cache")
		run, err := Run(context.Background(), r, o)
		if err != nil {
			t.Fatal(err)
		}
		loss := bits(t, run, "loss")
		for who, v := range map[string]float64{"the model": loss.Value, "the trigram": loss.Baselines[0].Value} {
			if math.Abs(v/math.Ln2-4) > 0.1 {
				t.Errorf("%q: %s: %.3f bits, want 4", ends, who, v/math.Ln2)
			}
		}
		if loss.N != 400 {
			t.Errorf("%q: %d documents, want 400", ends, loss.N)
		}
	}
}

func bits(t *testing.T, run *report.Run, metric string) *metric.Evaluation {
	t.Helper()
	for i := range run.Evaluations {
		if run.Evaluations[i].Metric == metric {
			return &run.Evaluations[i]
		}
	}
	t.Fatalf("no %s", metric)
	return nil
}

// oneLetterWritten looks whether a model writes what it has learned: it begins as documents do.
func oneLetterWritten(t *testing.T, dir string) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	m, err := pretrained.Open(dev, dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	g, _, err := generate.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	r, err := g.Generate(t.Context(), "", generate.Options{MaxTokens: 5}, nil)
	if err != nil || len(r.Text) != 1 || r.Text[0] < 'a' || r.Text[0] > 'p' || r.Reason != "end of text" {
		t.Errorf("from nothing %+v, %v: want a letter and the end", r, err)
	}
}

const cutRecipe = `
[corpus.notes]
source = %q
validation = 0.2
[tokenizer]
kind = "byte"
[model]
model_type = "gpt2"
n_layer = 1
n_head = 2
n_embd = 16
n_positions = 64
[[stage]]
name = "text"
kind = "pretrain"
sequence_length = 32
steps = 2
batch_size = 4
learning_rate = 1e-3
eval_documents = 4
[[stage]]
name = "labels"
kind = "finetune"
from = "text"
sequence_length = 56
steps = 2
batch_size = 4
learning_rate = 1e-3
eval_documents = 0
[[stage]]
name = "scores"
kind = "evaluate"
models = ["labels"]
split = "validation"
eval_documents = 0
`

// How many documents a figure is of, and how many of them were read in windows or cut, is said:
// while training, and in the report.
func TestWhatFiguresAreOf(t *testing.T) {
	r, err := parsed("x.toml", fmt.Sprintf(cutRecipe, notes(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	o := Options{Console: quiet()}
	o.Say = func(line string) { said = append(said, line) }
	o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "cache")
	run, err := Run(context.Background(), r, o)
	if err != nil {
		t.Fatal(err)
	}
	var n, long int64
	for _, c := range run.Data {
		for _, s := range c.Splits {
			if s.Name == "validation" {
				n = s.Documents
			}
		}
	}
	text, labels := run.Stages[0].Validated, run.Stages[1].Validated
	if text == nil || *text != (metric.Scored{Split: "validation", Documents: n, Chosen: 4, Scored: 4, What: "each token of a text, and its end", Row: 32, Longer: 4}) {
		t.Errorf("of text %+v, of %d documents", text, n)
	}
	if labels == nil || labels.Longer == 0 || labels.Longer == n { // those of water alone
		t.Fatalf("of labels %+v, of %d documents", labels, n)
	}
	long = labels.Longer
	want := metric.Scored{Split: "validation", Documents: n, Chosen: n, Scored: n, What: "the label of each", Row: 56, Longer: long, Cut: true}
	if *labels != want {
		t.Errorf("of labels %+v, want %+v", labels, want)
	}
	for _, e := range run.Evaluations {
		if e.Scored == nil || *e.Scored != want {
			t.Errorf("%s of %+v, want %+v", e.Metric, e.Scored, want)
		}
	}
	for _, line := range []string{"stage text: validation: " + report.Words(text), "stage labels: validation: " + report.Words(labels)} {
		if !slices.Contains(said, line) {
			t.Errorf("not said: %q", line)
		}
	}
	if !slices.ContainsFunc(said, func(s string) bool {
		return strings.HasPrefix(s, "stage labels: ") && strings.HasSuffix(s, " % of the documents read were longer than a row of 56 tokens, and were cut")
	}) {
		t.Errorf("said %q", said)
	}
}

// What imported models make of texts, whatever of bos and eos they have, is what transformers
// makes of them in lm-evaluation-harness's windows, with the end behind them.
func TestLikelihoodOfImportedModels(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(modelsDir, "likelihood.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Texts []string
		Cases []struct {
			Model  string
			Config map[string]any
			Nats   []float64
		}
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	corpus, task := filepath.Join(t.TempDir(), "texts.jsonl"), filepath.Join(t.TempDir(), "texts.toml")
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, text := range want.Texts {
		if err := enc.Encode(map[string]string{"text": text}); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, corpus, b.Bytes())
	writeFile(t, task, fmt.Appendf(nil, "kind = \"likelihood\"\nsource = %q\nsplit = \"train\"\n", corpus))
	tk, err := recipes.LoadTask(task)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Console: quiet()}
	o.Cache = t.TempDir()
	for _, c := range want.Cases {
		dir := modelCopy(t, c.Model)
		path := filepath.Join(dir, checkpoint.ConfigFile)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := json.Unmarshal(text, &config); err != nil {
			t.Fatal(err)
		}
		maps.Copy(config, c.Config)
		if text, err = json.Marshal(config); err != nil {
			t.Fatal(err)
		}
		writeFile(t, path, text)
		dst := filepath.Join(t.TempDir(), "imported")
		if _, err := exchange.Import(context.Background(), dir, dst, o.Console); err != nil {
			t.Fatal(err)
		}
		run, err := Evaluate(context.Background(), dst, tk, 0, o)
		if err != nil {
			t.Fatal(err)
		}
		e := bits(t, run, "bits_per_byte")
		for i, nats := range c.Nats {
			if got := e.Items.Sums[i]; !(math.Abs(got-nats) <= 1e-5*nats) {
				t.Errorf("%s with %v: %q costs %.6f nats, want %.6f", c.Model, c.Config, want.Texts[i], got, nats)
			}
		}
		if e.Scored.Longer != 2 {
			t.Errorf("%s: %d documents are longer than a row, want 2", c.Model, e.Scored.Longer)
		}
	}
}

package run

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/eval"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// reviews writes a labelled corpus of three splits, whose texts are of many lengths.
func reviews(t *testing.T) string {
	t.Helper()
	r := rand.New(rand.NewSource(1))
	words := [3][]string{strings.Fields("the a film was it and very so story my day in of to this that"), strings.Fields("good great fine lovely happy"), strings.Fields("bad poor awful sad dark")}
	dir := t.TempDir()
	for name, n := range map[string]int{"train": 200, "validation": 20, "test": 40} {
		var b bytes.Buffer
		for range n {
			label := r.Intn(2)
			text := make([]string, 2+r.Intn(20))
			for i := range text {
				kind := 0
				if r.Intn(4) == 0 {
					kind = 1 + label
				}
				text[i] = words[kind][r.Intn(len(words[kind]))]
			}
			fmt.Fprintf(&b, "{\"text\": %q, \"label\": %q}\n", strings.Join(text, " "), []string{"pos", "neg"}[label])
		}
		writeFile(t, filepath.Join(dir, name+".jsonl"), b.Bytes())
	}
	return dir
}

const exportedRecipe = `
[corpus.reviews]
source = '%s'
[tokenizer]
kind = "%s"
vocab_size = 400
%s
[model]
%s
[[stage]]
name = "pre"
kind = "pretrain"
objective = "%s"
sequence_length = 48
batch_size = 8
steps = 2
learning_rate = 1e-3
[[stage]]
name = "labels"
kind = "finetune"
from = "pre"
sequence_length = 48
batch_size = 16
steps = %d
learning_rate = 5e-3
`

var exported = []struct {
	name, tokenizer, ends, model, objective string
	language, labels                        [2]string // what stands around a text
}{
	{"gpt2", "byte_bpe", "", "model_type = \"gpt2\"\nn_layer = 2\nn_head = 2\nn_embd = 32\nn_positions = 64", "causal", [2]string{recipes.EndOfText, ""}, [2]string{recipes.EndOfText, recipes.EndOfText}},
	{"gpt2, an end alone", "byte_bpe", "eos = '" + recipes.EndOfText + "'", "model_type = \"gpt2\"\nn_layer = 2\nn_head = 2\nn_embd = 32\nn_positions = 64", "causal", [2]string{recipes.EndOfText, ""}, [2]string{"", recipes.EndOfText}},
	{"llama", "byte_bpe", "", "model_type = \"llama\"\nhidden_size = 32\nintermediate_size = 64\nnum_hidden_layers = 2\nnum_attention_heads = 2\nmax_position_embeddings = 64", "causal", [2]string{recipes.EndOfText, ""}, [2]string{recipes.EndOfText, recipes.EndOfText}},
	{"qwen3", "byte_bpe", "bos = '" + recipes.EndOfText + "'", "model_type = \"qwen3\"\nhidden_size = 32\nintermediate_size = 64\nnum_hidden_layers = 2\nnum_attention_heads = 2\nmax_position_embeddings = 64", "causal", [2]string{recipes.EndOfText, ""}, [2]string{recipes.EndOfText, ""}},
	{"bert", "wordpiece", "", "model_type = \"bert\"\nhidden_size = 32\nintermediate_size = 64\nnum_hidden_layers = 2\nnum_attention_heads = 2\nmax_position_embeddings = 64", "masked", [2]string{recipes.EndOfText, recipes.EndOfText}, [2]string{recipes.EndOfText, recipes.EndOfText}},
	{"roberta", "byte_bpe", "", "model_type = \"roberta\"\nhidden_size = 32\nintermediate_size = 64\nnum_hidden_layers = 2\nnum_attention_heads = 2\nmax_position_embeddings = 66", "masked", [2]string{recipes.EndOfText, recipes.EndOfText}, [2]string{recipes.EndOfText, recipes.EndOfText}},
	{"distilbert", "wordpiece", "", "model_type = \"distilbert\"\ndim = 32\nhidden_dim = 64\nn_layers = 2\nn_heads = 2\nmax_position_embeddings = 64", "masked", [2]string{recipes.EndOfText, recipes.EndOfText}, [2]string{recipes.EndOfText, recipes.EndOfText}},
	{"t5", "unigram", "eos = '" + recipes.EndOfText + "'", "model_type = \"t5\"\nd_model = 32\nd_kv = 16\nd_ff = 64\nnum_layers = 2\nnum_decoder_layers = 2\nnum_heads = 2", "span_corruption", [2]string{"", recipes.EndOfText}, [2]string{"", recipes.EndOfText}},
	{"xlnet", "byte_bpe", "", "model_type = \"xlnet\"\nd_model = 32\nd_inner = 64\nn_layer = 2\nn_head = 2", "permutation", [2]string{recipes.EndOfText, ""}, [2]string{recipes.EndOfText, recipes.EndOfText}},
}

// exportedCheck is what hone says of texts, for testdata/huggingface/exported.py.
type exportedCheck struct {
	Exported string
	Texts    []string
	IDs      [][]int32 // with what stands around them
	Probs    [][]float64
	Labels   []int
}

// predict gives the test texts with their ids and a classifier's probabilities.
func predict(t *testing.T, m *pretrained.Model, dir, source, cache string) exportedCheck {
	t.Helper()
	corpus, err := corpus.Prepare(t.Context(), corpus.Spec{From: source, Text: "text", Label: "label"}, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer corpus.Close()
	tok := m.Tokenizer.(*tokenizer.Pipeline)
	cfg := data.Config{Records: corpus.Test, Tokenizer: tok, T: cmp.Or(m.Config.MaxLength(), 256), BatchSize: 8, MicroBatchSize: 8, MaxSeqs: 16, Objective: data.Labelled(task.Classification), Labels: corpus.Labels}
	if cfg.BOS, cfg.EOS, cfg.Separator, err = recipes.Framing(tok, &m.Config); err != nil {
		t.Fatal(err)
	}
	list, _, err := eval.Classify(t.Context(), m.Net, cfg, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := exportedCheck{Exported: dir}
	for _, p := range list {
		r, err := corpus.Test.Record(p.Record)
		if err != nil {
			t.Fatal(err)
		}
		e, err := tok.Tokenize(r.Text, true)
		if err != nil {
			t.Fatal(err)
		}
		c.Texts, c.IDs, c.Probs, c.Labels = append(c.Texts, r.Text), append(c.IDs, e.IDs), append(c.Probs, p.Probs), append(c.Labels, p.Label)
	}
	return c
}

// TestExported: models that are trained with a tokenizer of hone's own, or from an imported
// one, say by their files alone what stands around a text, on which side rows are filled up
// and by what. With HONE_TRANSFORMERS, a Python with torch and transformers, ids and
// probabilities are compared with AutoTokenizer's and AutoModel's, one text at a time and in
// batches:
//
//	HONE_TRANSFORMERS=/path/to/python go test ./recipes/run -run Exported -v
func TestExported(t *testing.T) {
	if testing.Short() {
		t.Skip("compares figures: not in short mode")
	}
	python := os.Getenv("HONE_TRANSFORMERS")
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	steps := 2
	if python != "" {
		steps = 40
	}
	corpus := reviews(t)
	cache, kept := t.TempDir(), t.TempDir()
	var checks []exportedCheck
	export := func(t *testing.T, dir string, around [2]string) *pretrained.Model {
		t.Helper()
		out := filepath.Join(kept, t.Name(), filepath.Base(dir))
		if _, err := exchange.Export(t.Context(), dir, out, exchange.ExportOptions{DType: "fp32", MaxShardSize: 1 << 30}, quiet()); err != nil {
			t.Fatal(err)
		}
		m, err := pretrained.Open(dev, dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		other, err := tokenizer.Open(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, tok := range []*tokenizer.Pipeline{m.Tokenizer.(*tokenizer.Pipeline), other} {
			if !framedBy(tok, around[0], around[1]) {
				before, after := tok.Frame()
				t.Errorf("%s: around a text stand %v and %v, want %q", dir, before, after, around)
			}
		}
		if m.Head == model.Classifier {
			checks = append(checks, predict(t, m, out, corpus, cache))
		}
		return m
	}
	few := func(t *testing.T, name string) {
		if python == "" && !strings.HasPrefix(name, "gpt2") && name != "bert" && name != "t5" && name != "xlnet" {
			t.Skip("only with HONE_TRANSFORMERS")
		}
	}
	for _, f := range exported {
		t.Run(f.name, func(t *testing.T) {
			few(t, f.name)
			r, err := parsed("x.toml", fmt.Sprintf(exportedRecipe, corpus, f.tokenizer, f.ends, f.model, f.objective, steps), nil)
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Console: quiet()}
			o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), cache
			if _, err := Run(t.Context(), r, o); err != nil {
				t.Fatal(err)
			}
			for stage, around := range map[string][2]string{"pre": f.language, "labels": f.labels} {
				m := export(t, filepath.Join(o.Dir, stage), around)
				pad, ok := m.Tokenizer.Special(recipes.Pad)
				if !ok || m.Config.PadTokenID == nil || *m.Config.PadTokenID != int(pad) {
					t.Errorf("%s: pad_token_id %v", stage, deref(m.Config.PadTokenID))
				}
				// A recipe that goes on from it frames its documents alike.
				var got ends
				if got.bos, got.eos, got.separator, err = recipes.Framing(m.Tokenizer.(*tokenizer.Pipeline), &m.Config); err != nil {
					t.Fatal(err)
				}
				if want := (ends{r.Tokenizer.BOS, r.Tokenizer.EOS, r.Tokenizer.Separator}); got != want {
					t.Errorf("%s: documents between %q once it is read, want %q", stage, got, want)
				}
				text, err := m.Checkpoint.File(checkpoint.TokenizerConfigFile)
				if err != nil {
					t.Fatal(err)
				}
				var keys map[string]any
				if err := json.Unmarshal(text, &keys); err != nil {
					t.Fatal(err)
				}
				side := "right"
				if m.Config.ModelType == "xlnet" {
					side = "left"
				}
				if keys["tokenizer_class"] != "PreTrainedTokenizerFast" || keys["pad_token"] != recipes.Pad || keys["padding_side"] != side || (keys["model_max_length"] == nil) != (m.Config.MaxLength() == 0) {
					t.Errorf("%s: %s", stage, text)
				}
			}
		})
	}
	for _, f := range imported {
		t.Run("from "+f.model, func(t *testing.T) {
			few(t, f.model)
			dir := importAs(t, f.model, f.tokenizer, f.keys)
			head, _, _ := strings.Cut(fmt.Sprintf(fromImported, corpus, dir, f.objective, dir), "validation = ")
			_, direct, _ := strings.Cut(fmt.Sprintf(fromImported, corpus, dir, f.objective, dir), "name = \"direct\"")
			r, err := parsed("x.toml", head+"[[stage]]\nname = \"direct\""+direct, chosen(f.model))
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Console: quiet()}
			o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), cache
			if _, err := Run(t.Context(), r, o); err != nil {
				t.Fatal(err)
			}
			around := [2]string{f.ends.bos + f.ends.separator, f.ends.eos + f.ends.separator}
			export(t, filepath.Join(o.Dir, "direct"), around)
		})
	}
	if python == "" {
		return
	}
	b, err := json.Marshal(checks)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "checks.json")
	writeFile(t, file, b)
	out, err := exec.Command(python, filepath.Join(modelsDir, "exported.py"), file).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(fmt.Errorf("exported.py: %w", err))
	}
}

// A tokenizer that frames texts already is written as it was; another gets what a model reads
// around them, and keeps what it did to offsets.
func TestFramed(t *testing.T) {
	for _, test := range []struct {
		file, before, after string
		joined              bool
		first, second       string // of "a", and "a" and "b"
	}{
		{"gpt2", recipes.EndOfText, "", false, "[<|endoftext|> a]", "[<|endoftext|> a <|endoftext|> b]"},
		{"gpt2", recipes.EndOfText, recipes.EndOfText, true, "[<|endoftext|> a <|endoftext|>]", "[<|endoftext|> a <|endoftext|> b <|endoftext|>]"},
		{"bert", "[SEP]", "", true, "[[SEP] a]", "[[SEP] a [SEP] b]"},
		{"t5", "", "", false, "[▁a]", "[▁a ▁ b]"},
	} {
		tok, err := tokenizer.Open(filepath.Join("testdata/tokenizers", test.file+".json"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := tok.Framed(test.before, test.after, test.joined)
		if err != nil {
			t.Fatal(err)
		}
		framed, err := tokenizer.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		one, err1 := framed.Tokenize("a", true)
		two, err2 := framed.TokenizePair("a", "b", true)
		if got := fmt.Sprint(one.Tokens); err1 != nil || got != test.first {
			t.Errorf("%s: %s, want %s; %v", test.file, got, test.first, err1)
		}
		if got := fmt.Sprint(two.Tokens); err2 != nil || got != test.second {
			t.Errorf("%s: %s, want %s; %v", test.file, got, test.second, err2)
		}
		if a, b := tok.Encode(nil, "a b"), framed.Encode(nil, "a b"); !slices.Equal(a, b) {
			t.Errorf("%s: %v, was %v", test.file, b, a)
		}
		if _, err := tok.Framed("<nowhere>", "", false); err == nil || !strings.Contains(err.Error(), `the token "<nowhere>" that is to be added to texts is not in the vocabulary`) {
			t.Errorf("%v", err)
		}
	}
}

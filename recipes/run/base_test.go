package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/eval/generate"
	"hone/recipes"
	"hone/recipes/exchange"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// notes writes a labelled corpus.
func notes(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	for i := range 80 {
		label, text := "land", "the cat sat on the mat and the dog sat on the log"
		if i%2 == 0 {
			label, text = "water", "two boats go over the water, one river runs down to the sea"
		}
		fmt.Fprintf(&b, "{\"text\": %q, \"label\": %q}\n", fmt.Sprintf("%s %d", text, i), label)
	}
	path := filepath.Join(t.TempDir(), "notes.jsonl")
	writeFile(t, path, b.Bytes())
	return path
}

// importAs imports a model that transformers has written, with a tokenizer of its family's kind.
func importAs(t *testing.T, name, tokenizer string, keys map[string]any) string {
	t.Helper()
	dir := modelCopy(t, name)
	text, err := os.ReadFile(filepath.Join("testdata/tokenizers", tokenizer+".json"))
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, checkpoint.TokenizerFile), text)
	removeFile(t, dir, checkpoint.TokenizerConfigFile)
	path := filepath.Join(dir, checkpoint.ConfigFile)
	if text, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"bos_token_id", "eos_token_id", "pad_token_id"} {
		delete(config, k)
	}
	for k, v := range keys {
		config[k] = v
	}
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	writeFile(t, path, text)
	dst := filepath.Join(t.TempDir(), "imported")
	if _, err := exchange.Import(t.Context(), dir, dst, quiet()); err != nil {
		t.Fatal(err)
	}
	return dst
}

// ends of texts, as a recipe has them.
type ends struct{ bos, eos, separator string }

// imported are models of every family, with tokenizers as the published ones have them.
var imported = []struct {
	model, tokenizer string
	keys             map[string]any
	objective        string
	ends             ends
}{
	{"gpt2", "gpt2", map[string]any{"bos_token_id": 0, "eos_token_id": 0}, "causal", ends{separator: "<|endoftext|>"}},
	{"llama", "llama", map[string]any{"bos_token_id": 1, "eos_token_id": 2}, "causal", ends{"<s>", "</s>", ""}},
	{"qwen3", "gpt2", map[string]any{"bos_token_id": nil, "eos_token_id": 0}, "prefix_lm", ends{eos: "<|endoftext|>"}},
	{"mistral", "llama", map[string]any{"bos_token_id": 1, "eos_token_id": 2, "rope_parameters": map[string]any{
		"rope_type": "yarn", "factor": 2.0, "attention_factor": 1.25, "original_max_position_embeddings": 16, "rope_theta": 100.0, // in a recipe no key has all of them
	}}, "causal", ends{"<s>", "</s>", ""}},
	{"gemma3", "llama", map[string]any{"bos_token_id": 1, "eos_token_id": 2}, "causal", ends{"<s>", "</s>", ""}},
	{"bert", "bert", map[string]any{"pad_token_id": 0}, "masked", ends{"[CLS]", "[SEP]", ""}},
	{"bert-base", "bert", map[string]any{"pad_token_id": 0}, "masked", ends{"[CLS]", "[SEP]", ""}},
	{"xlm-roberta", "roberta", map[string]any{"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}, "masked", ends{"<s>", "</s>", ""}},
	{"roberta", "roberta", map[string]any{"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1}, "masked", ends{"<s>", "</s>", ""}},
	{"distilbert", "bert", map[string]any{"pad_token_id": 0}, "masked", ends{"[CLS]", "[SEP]", ""}},
	{"t5", "t5", map[string]any{"eos_token_id": 1, "pad_token_id": 0, "decoder_start_token_id": 0}, "span_corruption", ends{eos: "</s>"}},
	{"xlnet", "xlnet", map[string]any{"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 5}, "permutation", ends{eos: "<cls>"}},
}

// chosen says what a recipe must say of an imported model, if anything: XLNet's post-processor
// sets two tokens behind a text.
func chosen(model string) (overrides []string) {
	if model == "xlnet" {
		overrides = []string{`tokenizer.eos="<cls>"`}
	}
	return overrides
}

const fromImported = `
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
steps = 6
learning_rate = 1e-2
[[stage]]
name = "labels"
kind = "finetune"
from = "more"
sequence_length = 24
batch_size = 4
steps = 2
learning_rate = 1e-3
[[stage]]
name = "direct"
kind = "finetune"
from = '%s'
sequence_length = 24
batch_size = 4
steps = 2
learning_rate = 1e-3
`

// A parsed goes on from an imported model of each family: its pretraining, and a classifier.
// Tokenizer, special tokens and configuration stay the model's.
func parsed(file, text string, overrides []string) (*recipes.Recipe, error) {
	return recipes.Parse(file, text, overrides, Options{Console: quiet()}.host(context.Background()))
}

func TestFromImported(t *testing.T) {
	if testing.Short() {
		t.Skip("compares numbers of many models: not in short mode")
	}
	source := notes(t)
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, f := range imported {
		t.Run(f.model, func(t *testing.T) {
			dir := importAs(t, f.model, f.tokenizer, f.keys)
			text := fmt.Sprintf(fromImported, source, dir, f.objective, dir)
			if keys := chosen(f.model); keys != nil {
				if _, err := parsed("x.toml", text, nil); err == nil || !strings.Contains(err.Error(), `sets ["<sep>" "<cls>"] around a text`) {
					t.Errorf("two tokens behind a text: error %v", err)
				}
			}
			r, err := parsed("x.toml", text, chosen(f.model))
			if err != nil {
				t.Fatal(err)
			}
			if got := (ends{r.Tokenizer.BOS, r.Tokenizer.EOS, r.Tokenizer.Separator}); got != f.ends {
				t.Errorf("documents between %q, want %q", got, f.ends)
			}
			var said []string
			o := Options{Console: quiet()}
			o.Say = func(line string) { said = append(said, line) }
			o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "cache")
			run, err := Run(context.Background(), r, o)
			if err != nil {
				t.Fatal(err)
			}
			if fresh, base := strings.Contains(strings.Join(said, "\n"), "stage more: starts from "+dir+" (step 0); new parameters: [cls.predictions.transform.dense.weight "), f.model == "bert-base"; fresh != base {
				t.Errorf("an output layer afresh: %v, of a base: %v: %q", fresh, base, said)
			}
			if loss := run.Stages[0].TrainLoss; !(loss > 0 && loss < 20) {
				t.Errorf("loss %v", loss)
			}
			before, err := pretrained.Open(dev, dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			after, err := pretrained.Open(dev, filepath.Join(o.Dir, "more"), 0)
			if err != nil {
				t.Fatal(err)
			}
			chain := after.Checkpoint.Manifest.Provenance
			if len(chain) != 2 || chain[0].Imported == nil || len(chain[1].Corpora) == 0 {
				t.Errorf("provenance %+v", chain)
			}
			a, b := before.Config, after.Config
			if a.VocabSize != b.VocabSize || !slices.Equal(a.EOSTokenID, b.EOSTokenID) || fmt.Sprint(deref(a.BOSTokenID), deref(a.PadTokenID)) != fmt.Sprint(deref(b.BOSTokenID), deref(b.PadTokenID)) {
				t.Errorf("configuration %+v, was %+v", b, a)
			}
			if bytes.Equal(weights(t, before), weights(t, after)) {
				t.Error("nothing was learned")
			}
			for _, stage := range []string{"labels", "direct"} {
				m, err := pretrained.Open(dev, filepath.Join(o.Dir, stage), 0)
				if err != nil {
					t.Fatal(err)
				}
				if m.Head != model.Classifier || !slices.Equal(m.Config.Labels(), []string{"land", "water"}) {
					t.Errorf("%s: a %v of %q", stage, m.Head, m.Config.Labels())
				}
			}
			tk := &task.Task{Name: "notes", Kind: task.Classification, Spec: corpus.Spec{Name: "notes", From: source, Text: "text"}, Split: "train", Limits: task.NoLimits}
			if _, err := Evaluate(context.Background(), filepath.Join(o.Dir, "labels"), tk, 0, o); err != nil {
				t.Error(err)
			}
			g, _, err := generate.Open(after)
			if err == nil {
				_, err = g.Generate(context.Background(), "the cat", generate.Options{MaxTokens: 4}, nil)
			}
			if decodes := f.objective == "causal" || f.objective == "prefix_lm"; decodes && err != nil {
				t.Error(err)
			}
			again, err := parsed("x.toml", text, chosen(f.model))
			if err == nil {
				_, err = Run(context.Background(), again, o)
			}
			if err != nil {
				t.Errorf("run again: %v", err)
			}
		})
	}
}

func deref(p *int) any {
	if p == nil {
		return nil
	}
	return *p
}

func weights(t *testing.T, m *pretrained.Model) []byte {
	t.Helper()
	b, err := m.Checkpoint.File(checkpoint.ModelFile)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What cannot be started from is a fault of the recipe, with its line.
func TestFromFaults(t *testing.T) {
	corpus := notes(t)
	bert := importAs(t, "bert", "bert", nil)
	classifier := importAs(t, "distilbert-classifier", "bert", nil)
	for _, test := range []struct{ from, more, want string }{
		{"nothere", "", `x.toml:8: stage.more.from: no stage is called "nothere"`},
		{"not/here", "", "x.toml:8: stage.more.from: not/here: no such directory"},
		{modelsDir + "/bert", "", "x.toml:8: stage.more.from: " + modelsDir + "/bert: no cache directory to import it into"},
		{"hf:bert", "", `x.toml:8: stage.more.from: "hf:bert": the organisation is missing`},
		{t.TempDir(), "", "is not a checkpoint: it has no manifest.json"},
		{importAs(t, "t5-encoder", "t5", nil), "", "is a base encoder: hone's models of a t5 have a decoder too"},
		{classifier, "", "x.toml:8: stage.more.from: " + classifier + " is a classifier, without the output layer of a language model"},
		{bert, "[model]\nmodel_type = \"gpt2\"", "model.model_type: \"gpt2\", but " + bert + " is a bert"},
		{bert, "[model]\nnum_hidden_layers = 7", "model.num_hidden_layers: 7, but the checkpoint " + bert + " has 2 (hint: leave the key out)"},
		{bert, "[tokenizer]\nfile = 'testdata/tokenizers/none.json'", "none.json: no such file"},
		{bert, "[[stage]]\nname = \"b\"\nkind = \"finetune\"\nsteps = 1\nlearning_rate = 1\nfrom = '" + classifier + "'", "stage.b.from: an earlier stage starts from another checkpoint, " + bert},
	} {
		text, _, _ := strings.Cut(fmt.Sprintf(fromImported, corpus, test.from, "masked", ""), "[[stage]]\nname = \"labels\"")
		_, err := parsed("x.toml", text+test.more+"\n", nil)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.from, err, test.want)
		}
	}
}

// A stage that starts from a classifier of other labels keeps its body, not its head.
func TestFromClassifier(t *testing.T) {
	dir := importAs(t, "distilbert-classifier", "bert", nil)
	text := fmt.Sprintf(fromImported, notes(t), "", "masked", dir)
	head, _, _ := strings.Cut(text, "[[stage]]")
	_, direct, _ := strings.Cut(text, "[[stage]]\nname = \"direct\"")
	r, err := parsed("x.toml", head+"[[stage]]\nname = \"direct\""+direct, nil)
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	o := Options{Console: quiet()}
	o.Say = func(line string) { said = append(said, line) }
	o.Dir, o.Cache = filepath.Join(t.TempDir(), "run"), filepath.Join(t.TempDir(), "cache")
	if _, err := Run(context.Background(), r, o); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(said, func(s string) bool {
		return strings.Contains(s, "new parameters: [pre_classifier.weight classifier.weight pre_classifier.bias classifier.bias]")
	}) {
		t.Errorf("said %q", said)
	}
}

// A recipe with a tokenizer from elsewhere frames its documents as that does.
func TestFraming(t *testing.T) {
	two, three := 2, 3
	for _, test := range []struct {
		file   string
		config *model.Config
		want   ends
	}{
		{"testdata/tokenizers/bert.json", nil, ends{"[CLS]", "[SEP]", ""}},
		{"testdata/tokenizers/llama.json", nil, ends{bos: "<s>"}},
		{"testdata/tokenizers/llama.json", &model.Config{BOSTokenID: &three, EOSTokenID: model.TokenIDs{2, 0}}, ends{"<s>", "</s>", ""}},
		{"testdata/tokenizers/gpt2.json", nil, ends{separator: "<|endoftext|>"}},
		{"testdata/tokenizers/gpt2.json", &model.Config{BOSTokenID: &two, EOSTokenID: model.TokenIDs{2}}, ends{separator: "<|endoftext|>"}}, // 2 is no special token
		{"testdata/tokenizers/t5.json", nil, ends{eos: "</s>"}},
	} {
		tok, err := tokenizer.Open(test.file)
		if err != nil {
			t.Fatal(err)
		}
		var got ends
		if got.bos, got.eos, got.separator, err = recipes.Framing(tok, test.config); err != nil || got != test.want {
			t.Errorf("%s: %q, %v, want %q", test.file, got, err, test.want)
		}
	}
}

// Special tokens that a recipe names are those of its tokenizer, learned here or not: known
// before any work.
func TestNamedTokens(t *testing.T) {
	const text = `
[corpus.notes]
source = '%s'
[tokenizer]
%s
[model]
model_type = "%s"
[[stage]]
name = "pretrain"
kind = "pretrain"
objective = "%s"
steps = 1
learning_rate = 1e-3
`
	corpus := notes(t)
	for _, test := range []struct{ tokenizer, model, objective, want string }{
		{"kind = \"wordpiece\"\nvocab_size = 300\nbos = \"[CLS]\"\neos = \"[SEP]\"", "bert", "masked",
			"x.toml:7: tokenizer.bos: [CLS] is not one of the special tokens; a tokenizer that is learned here has <|endoftext|>, <|pad|>, <|mask|>\nx.toml:8: tokenizer.eos: [SEP]"},
		{"kind = \"byte_bpe\"\nvocab_size = 300\nseparator = \"<s>\"", "gpt2", "causal", "tokenizer.separator: <s> is not one of"},
		{"file = \"testdata/tokenizers/bert.json\"\nbos = \"<s>\"", "bert", "masked", "tokenizer.bos: <s> is not one of the special tokens; testdata/tokenizers/bert.json has [PAD], [UNK], [CLS], [SEP], [MASK]"},
		{"file = \"testdata/tokenizers/bert.json\"\nbos = \"[CLS]\"\neos = \"[SEP]\"", "bert", "masked", ""},
		{"kind = \"byte_bpe\"\nvocab_size = 300\nbos = \"<|endoftext|>\"", "gpt2", "causal", ""},
	} {
		_, err := parsed("x.toml", fmt.Sprintf(text, corpus, test.tokenizer, test.model, test.objective), nil)
		if got := fmt.Sprint(err); (test.want == "") != (err == nil) || err != nil && !strings.Contains(got, test.want) {
			t.Errorf("%s: %v, want %q", test.tokenizer, err, test.want)
		}
	}
}

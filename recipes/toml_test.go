package recipes

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/trainer/model"
)

const fiveFaults = `# five mistakes
seed = 1

[corpus.godoc]
source = "no/such/file.arrow"

[model]
n_layr = 2

[[stage]]
name = "pretrain"
kind = "pretrain"
from = "finetune"
steps = -5
batch_size = "many"
learning_rate = 1e-3
prompts = [
  "a = b # not a key",
]

[[stage]]
name = "finetune"
kind = "finetune"
from = "pretrain"
steps = 5
learning_rate = [1e-3, 3e-4]
`

// anyHost can all that recipes ask for, and imports no models.
var anyHost = Host{
	Precision: func(string) error { return nil },
	Model:     func(string) (string, error) { return "", nil },
}

func parse(file, text string, overrides []string) (*Recipe, error) {
	return Parse(file, text, overrides, anyHost)
}

func TestEveryFaultAtOnceWithItsLine(t *testing.T) {
	_, err := parse("bad.toml", fiveFaults, nil)
	var faults *Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error %v", err)
	}
	want := []string{
		`bad.toml:5: corpus.godoc.source: no/such/file.arrow: no such file`,
		`bad.toml:8: model.n_layr: unknown key; did you mean "n_layer"?`,
		`bad.toml:13: stage.pretrain.from: stage "finetune" comes later; a stage starts from an earlier one`,
		`bad.toml:14: stage.pretrain.steps: -5 is less than 1`,
		`bad.toml:15: stage.pretrain.batch_size: want an integer, not the string "many"`,
		`bad.toml:17: stage.pretrain.prompts: only a stage of kind evaluate has it`,
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
}

// The keys of [model] are those of model_type's config.json.
func TestModelKeys(t *testing.T) {
	const text = `[corpus.godoc]
source = "goroot:"

[model]
model_type = "llama"
hidden_size = 64
num_hidden_layers = 2
num_attention_heads = 4
num_key_value_heads = 1
rope_scaling = { rope_type = "llama3", factor = 8, low_freq_factor = 1, high_freq_factor = 4, original_max_position_embeddings = 128 }

[[stage]]
name = "pretrain"
kind = "pretrain"
steps = 1
learning_rate = 1e-3
`
	r, err := parse("llama.toml", text, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := r.Model.Family.(model.Llama)
	if !ok || f.HiddenSize != 64 || f.NumKeyValueHeads != 1 || f.RopeScaling.Factor != 8 || r.Stages[0].SequenceLength != 256 {
		t.Errorf("model %+v, sequence length %d", r.Model, r.Stages[0].SequenceLength)
	}
	resolved, err := r.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	again, err := parse("llama.toml", resolved, nil)
	if err != nil {
		t.Fatalf("%v in\n%s", err, resolved)
	}
	if !reflect.DeepEqual(again.Model, r.Model) {
		t.Errorf("resolved %+v, want %+v", again.Model, r.Model)
	}
	for o, want := range map[string]string{
		"model.n_layer=2":             `llama.toml:4: model.n_layer: unknown key: this family calls it num_hidden_layers`,
		"model.hiden_size=2":          `did you mean "hidden_size"?`,
		"model.hidden_size=66":        `llama.toml:4: model.hidden_size: 66 is not a multiple of num_attention_heads, 4`,
		"model.num_attention_heads=3": `llama.toml:6: model.hidden_size: 64 is not a multiple of num_attention_heads, 3`,
		"model.model_type=lama":       `"lama" is not known; did you mean "llama"?`,
		"stage.pretrain.dropout=0.1":  "stage.pretrain.dropout: llama has dropout of attention weights only, attention_dropout",

		"stage.pretrain.attention_dropout=1": "stage.pretrain.attention_dropout: 1 is not 0 or more and below 1",
	} {
		if _, err := parse("llama.toml", text, []string{o}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", o, err, want)
		}
	}
}

// T5's one rate is of attention's weights too.
func TestAttentionDropout(t *testing.T) {
	text, file, err := Source("t5-mini")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parse(file, text, []string{"stage.pretrain.dropout=0.1"}); err != nil {
		t.Error(err)
	}
	const want = "stage.pretrain.attention_dropout: t5 has no dropout of attention weights by itself"
	if _, err := parse(file, text, []string{"stage.pretrain.attention_dropout=0.1"}); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
}

func TestSyntaxErrorHasItsLine(t *testing.T) {
	_, err := parse("bad.toml", "seed = 1\nname = \"x\n", nil)
	if err == nil || !strings.HasPrefix(err.Error(), "bad.toml:2: ") {
		t.Errorf("error %v", err)
	}
}

func TestOverrides(t *testing.T) {
	text, file, err := Source("quickstart")
	if err != nil {
		t.Fatal(err)
	}
	r, err := parse(file, text, []string{"seed=7", "stage.pretrain.steps=3", "stage.0.save_every=2m", "model.num_hidden_layers=1", "corpus.godoc.licence=MIT"})
	if err != nil {
		t.Fatal(err)
	}
	s := r.Stages[0]
	if got := fmt.Sprint(r.Seed, s.Steps, s.SaveEvery, r.ModelKeys["num_hidden_layers"], r.Corpus["godoc"].Licence); got != "7 3 2m0s 1MIT" {
		t.Errorf("got %s", got)
	}
	for o, want := range map[string]string{
		"seed":                     "an override is key=value",
		"stage.pretain.steps=3":    "no stage is called \"pretain\"; there are pretrain",
		"stage.pretrain.stepz=3":   "did you mean \"steps\"?",
		"stage.pretrain.steps=lot": "want an integer, not the string \"lot\"",
		"sede=3":                   "did you mean \"seed\"?",
	} {
		if _, err := parse(file, text, []string{o}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %s", o, err, want)
		}
	}
}

// Overrides reach what lies within a stage, a corpus and the model.
func TestNestedOverrides(t *testing.T) {
	text := strings.Replace(fiveFaults[strings.Index(fiveFaults, "[corpus"):strings.Index(fiveFaults, "[model]")], "no/such/file.arrow", "goroot:", 1) +
		"[tokenizer]\ncorpus = \"godoc\"\n[corpus.more]\nsource = \"goroot:\"\n[model]\nmodel_type = \"llama\"\n" +
		"[[stage]]\nname = \"pretrain\"\nkind = \"pretrain\"\nsteps = 1\nlearning_rate = 1\n" +
		"[[stage.mixture]]\ncorpus = \"godoc\"\nweight = 1\n[[stage.mixture]]\ncorpus = \"more\"\nweight = 1\n"
	r, err := parse("x.toml", text, []string{"stage.pretrain.mixture.0.weight=3", "stage.0.mixture.1.weight=0.5", "corpus.more.licence=MIT", "model.rope_scaling.rope_type=llama3",
		"model.rope_scaling.factor=4", "model.rope_scaling.low_freq_factor=1", "model.rope_scaling.high_freq_factor=4", "model.rope_scaling.original_max_position_embeddings=64"})
	if err != nil {
		t.Fatal(err)
	}
	scaling := r.Model.Family.(model.Llama).RopeScaling
	if got := fmt.Sprintf("%v %v %v %v", r.Stages[0].Mixture, r.Corpus["more"].Licence, scaling.RopeType, scaling.Factor); got != "[{godoc 3 0} {more 0.5 0}] MIT llama3 4" {
		t.Errorf("got %s", got)
	}
	for o, want := range map[string]string{
		"stage.pretrain.mixture.2.weight=1": "no mixture is called \"2\"; there are 0, 1",
		"stage.pretrain.mixture.0.wieght=1": "stage.pretrain.mixture.0.wieght: unknown key; did you mean \"weight\"?",
		"stage.pretrain.mixture.0=1":        "stage.0.mixture.0 is a table: name one of its keys",
		"stage.pretrain.lora.rank=8":        "stage.pretrain.lora: unknown key",
		"stage.pretrain.steps.more=8":       "stage.0.steps is a value, and has no keys of its own",
		"stage.pretrain=8":                  "stage.pretrain is a table: name one of its keys",
		"stage.steps=8":                     "there are several: name one, as in stage.NAME.steps",
		"stage..steps=8":                    "the key has nothing before, between or after its dots",
		"model.rope_scaling.facto=8":        "did you mean \"factor\"?",
		"stage.pretrain.mixture.0.weight=x": "stage.pretrain.mixture.0.weight: want a number, not the string \"x\"",
	} {
		if _, err := parse("x.toml", text, []string{o}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want one that says %s", o, err, want)
		}
	}
}

// Where a corpus does not come with Go, the error says where it is from and how to point
// at it; with its files beside it each recipe is valid.
func TestBuiltinRecipesAreValid(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, want := range map[string]string{
		"shakespeare-char": "corpus.shakespeare.source: input.txt: no such file; get it from https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt, or say where it lies: corpus.shakespeare.source=PATH",
		"sst2-minilm":      "corpus.sst2.source: SST2/*.tsv: matches no file; get it from https://github.com/clairett/pytorch-sentiment-classification/tree/master/data/SST2, or say where it lies: corpus.sst2.source=PATH",
		"dna-mini":         "corpus.dna.source: Ecoli_*.fa: matches no file; get it from https://github.com/solovictor/CNNPromoterData, or say where it lies: corpus.dna.source=PATH",
	} {
		if _, err := Load(name, nil, anyHost); err == nil || !strings.Contains(err.Error()+"\n", want+"\n") {
			t.Errorf("%s: error %v, want a line that ends in %s", name, err, want)
		}
	}
	if list, err := List(); err != nil || len(list["recipes"]) != len(Builtin()) {
		t.Errorf("without the corpora %d recipes are listed, %v", len(list["recipes"]), err)
	}
	host := whereBuiltinsRun(t)
	for _, name := range Builtin() {
		if _, err := Load(name, nil, host); err != nil {
			t.Error(err)
		}
	}
}

func TestKeyLines(t *testing.T) {
	lines := keyLines("a = 1\nb = '''\nc = 2\n'''\nd = [ # x]\n  \"]\",\n]\n[t.u]\n\"e\" = 1\n[[s]]\nf = \"\"\"\ng=1\n\"\"\"\n[[s]]\nf = 1\n")
	for key, want := range map[string]int{"a": 1, "b": 2, "c": 0, "d": 5, "t.u": 8, "t.u.e": 9, "s.0": 10, "s.0.f": 11, "s.0.g": 0, "s.1.f": 15} {
		if lines[key] != want {
			t.Errorf("%s: line %d, want %d", key, lines[key], want)
		}
	}
}

// A text without end is not a recipe, and a pipe may have one.
func TestTextWithoutEnd(t *testing.T) {
	if _, err := os.Stat("/dev/zero"); err != nil {
		t.Skip("no /dev/zero here")
	}
	if _, err := Load("/dev/zero", nil, anyHost); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("a recipe: error %v", err)
	}
	if _, err := LoadTask("/dev/zero"); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
		t.Errorf("a task: error %v", err)
	}
}

// An unknown key of a task is answered by the keys of tasks, and not by those of recipes.
func TestUnknownKeyOfTask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "task.toml")
	for key, want := range map[string]string{"corpus": "corpus: unknown key; known: ", "sorce": `sorce: unknown key; did you mean "source"?`} {
		if err := os.WriteFile(path, []byte("kind = \"likelihood\"\nsource = \"goroot:\"\n"+key+" = \"x\"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadTask(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "recipe") {
			t.Errorf("%s: error %v, want %q", key, err, want)
		}
	}
}

// A task says how its files are read, as a corpus does.
func TestReadingOfTask(t *testing.T) {
	tk, err := ParseTask("x.toml", "kind = \"classification\"\nformat = \"csv\"\ncolumn_names = [\"label\", \"text\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	if c, err := tk.Compile(); err != nil || c.Spec.Read.Format != "csv" || !slices.Equal(c.Spec.Read.ColumnNames, []string{"label", "text"}) {
		t.Errorf("%+v, %v", c.Spec.Read, err)
	}
	if _, err := ParseTask("x.toml", "kind = \"classification\"\nformat = \"cvs\"\n"); err == nil || !strings.HasPrefix(err.Error(), "x.toml:2: format: ") {
		t.Error(err)
	}
}

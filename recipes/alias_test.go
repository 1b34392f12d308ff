package recipes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Of each key of TrainingArguments a recipe either has it or says what hone has for it.
func TestTrainingArguments(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "training_arguments.txt"))
	if err != nil {
		t.Fatal(err)
	}
	known := map[string][]string{}
	for _, table := range recipeTables() {
		known[table.name] = table.keys
	}
	n := 0
	for line := range strings.Lines(string(text)) {
		key := strings.TrimSpace(line)
		if strings.HasPrefix(key, "#") {
			continue
		}
		n++
		if !slices.Contains(known["[[stage]]"], key) && tableOf(key) == "" && alias(key, true, nil) == "" {
			t.Errorf("nothing is said of %s", key)
		}
	}
	if n < 100 {
		t.Errorf("%d keys", n)
	}
	for key, now := range renamed {
		if !slices.Contains(known["[[stage]]"], now) {
			t.Errorf("%s is called %s, which is no key of a stage", key, now)
		}
		if slices.Contains(known["[[stage]]"], key) {
			t.Errorf("%s is a key of a stage", key)
		}
	}
	for key := range elsewhere {
		if slices.Contains(known["[[stage]]"], key) {
			t.Errorf("%s is a key of a stage", key)
		}
	}
}

func TestAliases(t *testing.T) {
	const head = "[corpus.godoc]\nsource = \"goroot:\"\n\n"
	for _, c := range []struct{ recipe, want string }{
		{"[[stage]]\nmax_steps = 1000\n", ":5: stage.0.max_steps: unknown key: hone calls it steps: steps = 1000"},
		{"max_steps = 1000\n", "max_steps: unknown key: hone calls it steps: steps = 1000, of a [[stage]]"},
		{"[[stage]]\nnum_train_epochs = 3\n", "num_train_epochs: unknown key: hone counts steps, not epochs; hone check says how many documents a step takes"},
		{"[[stage]]\nper_device_train_batch_size = 8\ngradient_accumulation_steps = 4\n", "per_device_train_batch_size: unknown key: hone has batch_size, the rows of a step, and micro_batch_size, those that are computed at once: batch_size = 32, micro_batch_size = 8"},
		{"[[stage]]\nper_device_train_batch_size = 8\ngradient_accumulation_steps = 4\n", "gradient_accumulation_steps: unknown key: hone has batch_size, the rows of a step, and micro_batch_size, those that are computed at once: batch_size = 32, micro_batch_size = 8"},
		{"[[stage]]\nbatch_size = 32\ngradient_accumulation_steps = 4\n", "micro_batch_size = 8 is a batch_size of 32 in 4"},
		{"[[stage]]\neval_steps = 500\n", "hone calls it eval_every: eval_every = 500"},
		{"[[stage]]\nsave_steps = 0.1\nsteps = 300\n", "hone calls it save_every, and counts steps: save_every = 30"},
		{"[[stage]]\nwarmup_ratio = 0.03\nsteps = 1000\n", "hone has warmup_steps: 0.03 of 1000 are warmup_steps = 30"},
		{"[[stage]]\nfp16 = true\n", `hone has precision = "fp32", "bf16" or "auto"`},
		{"[[stage]]\nbf16 = true\n", `hone has precision: precision = "bf16"`},
		{"[[stage]]\nmin_lr = 1e-4\nlearning_rate = 1e-3\n", "min_lr_ratio = 0.1"},
		{"[[stage]]\nseed = 4\n", "seed: unknown key: it is a key of the recipe itself, above all tables"},
		{"[[stage]]\nlearning_rat = 1\n", `unknown key; did you mean "learning_rate"?`},
		{"vocab_size = 9\n", "vocab_size: unknown key: it is a key of [tokenizer]"},
		{"[model]\nnum_hidden_layers = 2\n", "model.num_hidden_layers: unknown key: this family calls it n_layer"},
	} {
		text := head + c.recipe
		if !strings.HasPrefix(c.recipe, "[") {
			text = c.recipe + head
		}
		if _, err := parse("a.toml", text, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s:\n%v\nwant %s", c.recipe, err, c.want)
		}
	}
}

// What is missing or of another kind is said in plain words.
func TestPlainFaults(t *testing.T) {
	for _, c := range []struct{ recipe, want, not string }{
		{"[[stage]]\nname = \"a\"\nkind = \"pretrain\"\n", "stage.a.steps: missing: want 1 or more", "0 is less than 1"},
		{"[[stage]]\nname = \"a\"\nkind = \"pretrain\"\n", "stage.a.learning_rate: missing: want a number such as 1e-3", "missing; one of \n"},
		{"[[model]]\nn_layer = 1\n", "model: want one table, begun by [model], not a list of tables", "map[string]"},
		{"[[corpus]]\nsource = \"x\"\n", "corpus: want a table for each corpus, begun by [corpus.NAME], not a list of tables", "map[string]"},
		{"corpus = [{source = \"x\"}]\n", "corpus: want a table for each corpus, begun by [corpus.NAME], not a list", "map[string]"},
		{"seed = 2026-11-30\n", "seed: want an integer, not a date", "time."},
		{"[stage]\nname = \"a\"\n", "stage: want tables, each begun by [[stage]], not a table", "%!"},
		{"[[stage]]\nname = \"a\"\nkind = \"pretrain\"\nlearning_rate = [1e-3, \"x\"]\n", `want a list of numbers; entry 2 is the string "x"`, "%!"},
		{"[[stage]]\nname = \"a\"\nkind = \"finetune\"\nfrom = \"b\"\n", `no stage is called "b"`, "known: \n"},
		{"", "a recipe needs a corpus", "tokenizer.corpus: missing"},
	} {
		if _, err := parse("a.toml", c.recipe, nil); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error()+"\n", c.not) {
			t.Errorf("%s:\n%v\nwant %s, and not %s", c.recipe, err, c.want, c.not)
		}
	}
}

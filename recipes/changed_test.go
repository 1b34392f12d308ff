package recipes

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Recipes as earlier versions resolved them, in testdata/earlier/COMMIT, are what
// testdata/earlier says today: a run goes on when hone has gained a key.
func TestEarlierRecipes(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "earlier", "*", "*.toml"))
	if err != nil || len(paths) < 38 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	for _, path := range paths {
		old, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		text, err := os.ReadFile(filepath.Join("testdata", "earlier", name))
		if err != nil {
			t.Fatal(err)
		}
		changed := func(overrides ...string) string {
			r, err := parse(name, string(text), overrides)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			list, err := r.Changed(string(old), false)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			return strings.Join(list, ", ")
		}
		if got := changed(); got != "" {
			t.Errorf("%s: %s", path, got)
		}
		if got := changed("stage.pretrain.steps=60", "threads=1", "stage.pretrain.log_every=1"); got != "" {
			t.Errorf("%s: %s", path, got)
		}
		for o, want := range map[string]string{
			"tokenizer.vocab_size=300":          "tokenizer.vocab_size (300, was 4096)",
			"seed=9":                            "seed (9, was ",
			"stage.pretrain.ema_decay=0.99":     "stage.pretrain.ema_decay (0.99, was 0)", // which the first ones did not have
			"stage.pretrain.recompute=true":     "stage.pretrain.recompute (true, was ",
			"stage.pretrain.steps=49":           "stage.pretrain.steps (49, was 50)",
			"stage.pretrain.micro_batch_size=2": "stage.pretrain.micro_batch_size (2, was ",
			"model.initializer_range=0.5":       "model.initializer_range (0.5, was 0.02)",
		} {
			if strings.HasPrefix(o, "model.") && (name == "t5.toml" || name == "palm.toml") {
				continue // which have no such key
			}
			if got := changed(o); !strings.HasPrefix(got, want) || strings.Contains(got, ", stage") {
				t.Errorf("%s: %s: %q, want %s", path, o, got, want)
			}
		}
	}
}

// Since attention's weights have dropout, T5's one rate is theirs too: that is a change.
func TestEarlierDropout(t *testing.T) {
	for _, c := range []struct{ commit, file, want string }{
		{"6236b06", "t5", "stage.pretrain.dropout (0.1, was \"0.1, but not of attention's weights\")"}, {"5c229db", "gpt2", ""},
	} {
		text, err := os.ReadFile(filepath.Join("testdata", "earlier", c.file+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		old, err := os.ReadFile(filepath.Join("testdata", "earlier", c.commit, c.file+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := parse(c.file+".toml", string(text), []string{"stage.pretrain.dropout=0.1"})
		if err != nil {
			t.Fatal(err)
		}
		list, err := r.Changed(strings.Replace(string(old), "dropout = 0.0", "dropout = 0.1", 1), false)
		if got := strings.Join(list, ", "); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", c.file, got, err)
		}
	}
}

// Questions of one passage were once held out apart; other documents still are as they were.
func TestEarlierGroups(t *testing.T) {
	const text = `[task.qa]
kind = %q
source = "testdata"
text = "question"
text_pair = "context"
%s
validation = 0.1
[[stage]]
name = "tune"
kind = "finetune"
task = "qa"
steps = 5
learning_rate = 1e-3
[model]
model_type = "bert"
`
	for kind, of := range map[string]struct{ keys, want string }{
		"question_answering":  {`answer = "answers"`, `corpus.qa.group ("context", was "none: each text by itself")`},
		"pair_classification": {`label = "same"`, ""},
	} {
		r, err := parse("x.toml", fmt.Sprintf(text, kind, of.keys), nil)
		if err != nil {
			t.Fatal(err)
		}
		now, err := r.Resolved()
		if err != nil {
			t.Fatal(err)
		}
		for old, want := range map[string]string{now: "", strings.Replace(now, "group = \"context\"\n", "", 1): of.want} {
			list, err := r.Changed(old, false)
			if got := strings.Join(list, ", "); err != nil || got != want {
				t.Errorf("%s: %q, %v, want %q", kind, got, err, want)
			}
		}
	}
}

// What this hone does not know is a change, wherever it stands.
func TestRecipesOfNewerHones(t *testing.T) {
	r, err := parse("x.toml", pretraining, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.Resolved()
	if err != nil {
		t.Fatal(err)
	}
	const table = "[stage.lora]\nrank = 8\n"
	list, err := r.Changed("newest = 1\n"+text+"strength = \"x\"\n"+table, false)
	if got := strings.Join(list, ", "); err != nil || got != "newest (gone, was 1), stage.pretrain.lora.rank (gone, was 8), stage.pretrain.strength (gone, was x)" {
		t.Errorf("%s, %v", got, err)
	}
	// A key of another kind had no effect.
	if list, err := r.Changed(text+"samples = 3\nlm_weight = 1.0\n", false); err != nil || len(list) > 0 {
		t.Errorf("%v, %v", list, err)
	}
	if list, err := r.Changed(strings.Replace(text, "batch_size = 16", "batch_size = \"many\"", 1), false); err != nil || len(list) == 0 {
		t.Errorf("%v, %v", list, err)
	}
}

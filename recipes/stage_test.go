package recipes

import (
	"reflect"
	"strings"
	"testing"
)

const kinds = pretraining + `
[[stage]]
name = "label"
kind = "finetune"
steps = 5
learning_rate = 1e-3
[[stage]]
name = "score"
kind = "evaluate"
models = ["pretrain"]
`

// A key of another kind or objective is refused, whatever its value.
func TestKeysOfKinds(t *testing.T) {
	for o, want := range map[string]string{
		"stage.pretrain.samples=-7":            "only a stage of kind evaluate has it",
		"stage.pretrain.samples=0":             "only a stage of kind evaluate has it",
		"stage.pretrain.lm_weight=0":           "only a stage of kind finetune has it",
		"stage.pretrain.max_sequences=4":       `only a stage of kind pretrain with objective = "masked" or finetune has it`,
		"stage.pretrain.mlm_probability=0.2":   `only objective = "masked" has it, not causal`,
		"stage.label.mlm_probability=0.2":      `only a stage of kind pretrain with objective = "masked" has it`,
		"stage.label.against=\"pretrain\"":     "only a stage of kind pretrain has it",
		"stage.label.split=test":               "only a stage of kind evaluate has it",
		"stage.score.optim=no_such_optimizer":  "only a stage of kind pretrain or finetune has it",
		"stage.score.steps=-5":                 "only a stage of kind pretrain or finetune has it",
		"stage.score.precision=bf16":           "only a stage of kind pretrain or finetune has it",
		"stage.score.sequence_length=16":       "only a stage of kind pretrain or finetune has it",
		"stage.score.from=pretrain":            "only a stage of kind pretrain or finetune has it",
		"stage.score.mixture=[{corpus=\"a\"}]": "only a stage of kind pretrain or finetune has it",
		"stage.score.noise_density=0.2":        `only a stage of kind pretrain with objective = "span_corruption" has it`,
		"stage.score.max_sequences=3":          `only a stage of kind pretrain with objective = "masked" or finetune has it`,
		"stage.score.objective=classification": "only a stage of kind pretrain or finetune has it",
		"stage.pretrain.objective=\"masked\"":  "gpt2 does not learn by masked",
		"stage.pretrain.kind=\"pretraining\"":  `"pretraining" is not known; did you mean "pretrain"?`,
		"stage.label.objective=\"multilable\"": `"multilable" is not known; did you mean "multi_label"?`,
	} {
		key, _, _ := strings.Cut(o, "=")
		_, err := parse("x.toml", kinds, []string{o})
		if err == nil || !strings.Contains(err.Error(), "x.toml: "+key+": "+want) && !strings.Contains(err.Error(), key+": "+want) {
			t.Errorf("%s: error %v, want %q", o, err, want)
		}
	}
	if _, err := parse("x.toml", kinds, nil); err != nil {
		t.Error(err)
	}
	// It has its line, as others have.
	if _, err := parse("x.toml", kinds+"optim = \"adamw\"\n", nil); err == nil || err.Error() != "x.toml:18: stage.score.optim: only a stage of kind pretrain or finetune has it" {
		t.Error(err)
	}
}

func TestMaxSequencesOfPairs(t *testing.T) {
	const text = pretraining + "objective = \"masked\"\nmax_sequences = 4\n[model]\nmodel_type = \"bert\"\n"
	if _, err := parse("x.toml", text, nil); err == nil || !strings.Contains(err.Error(), "x.toml:9: stage.pretrain.max_sequences: only next_sentence = true has it") {
		t.Error(err)
	}
	if r, err := parse("x.toml", text, []string{"stage.pretrain.next_sentence=true"}); err != nil || r.Stages[0].MaxSequences != 4 {
		t.Error(err)
	}
}

// A resolved recipe has the keys of each stage's groups, no more, and means the same.
func TestResolvedAgain(t *testing.T) {
	host := whereBuiltinsRun(t)
	for _, name := range Builtin() {
		r, err := Load(name, nil, host)
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.Resolved()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(name+".toml", text, nil, host)
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, text)
			continue
		}
		for i := range r.Stages {
			r.Stages[i].Auto = false
			if !reflect.DeepEqual(r.Stages[i], again.Stages[i]) {
				t.Errorf("%s: stage %s was\n%+v, is\n%+v", name, r.Stages[i].Name, r.Stages[i], again.Stages[i])
			}
		}
		if second, err := again.Resolved(); err != nil || second != text {
			t.Errorf("%s: %v\n%s\nagain\n%s", name, err, text, second)
		}
	}
}

// The groups that are written are all.
func TestWrittenGroups(t *testing.T) {
	w := reflect.TypeFor[written]()
	if len(groups()) != w.NumField() {
		t.Fatalf("%d groups, %d written", len(groups()), w.NumField())
	}
	for i, g := range groups() {
		if w.Field(i).Name != g.name {
			t.Errorf("group %d is %s, written as %s", i, g.name, w.Field(i).Name)
		}
	}
	seen := map[string]string{}
	for _, g := range groups() {
		_, keys := tagged(g.in(new(Stage)))
		for _, k := range keys {
			if seen[k] != "" {
				t.Errorf("%s is in %s and in %s", k, seen[k], g.name)
			}
			seen[k] = g.name
		}
	}
}

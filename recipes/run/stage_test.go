package run

import (
	"strings"
	"testing"

	"hone/data"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/trainer/model"
)

// The keys reach the loader.
func TestObjectiveReachesTheLoader(t *testing.T) {
	s := recipes.Stage{
		Common: recipes.Common{Kind: "pretrain"}, Training: recipes.Training{Objective: "masked"},
		Masking: recipes.Masking{MLMProbability: 0.15, RandomReplaceProb: 0.5, WholeWordMask: true},
	}
	var keys recipes.Tokenizer
	var c data.Config
	setObjective(&s, &c, &keys, planned{size: 300}, model.Config{})
	if want := (data.Masking{MLMProbability: 0.15, RandomReplaceProb: 0.5, WholeWordMask: true}); c.Objective != data.Masked || c.Masking != want {
		t.Errorf("%v, %+v", c.Objective, c.Masking)
	}
	if whole := c.Objective.Validating(&c); whole {
		t.Error("what is masked gives no text a probability")
	}
	if m := retention(&s, false); m.Metric != "val_loss" || m.HigherIsBetter {
		t.Errorf("kept by %+v", m)
	}
	c.Objective = data.Permutation
	if !c.Objective.Validating(&c) || !c.LeftToRight {
		t.Error("a permutation is not validated from left to right")
	}
	var tok tokenizer.Tokenizer = planned{size: 300}
	s.Objective = "span_corruption"
	c = data.Config{T: 64}
	if setObjective(&s, &c, &keys, tok, model.Config{}); c.Pad != recipes.Pad {
		t.Errorf("a decoder starts with %q", c.Pad)
	}
}

// A model is scored on texts of one's own if these and labels are all that its task reads.
func TestTaskFile(t *testing.T) {
	for _, c := range []struct{ kind, objective, want string }{
		{"finetune", "classification", "with columns text and label"},
		{"pretrain", "causal", `kind = "likelihood"`},
		{"finetune", "multi_label", ""},
		{"finetune", "token_labels", ""},
	} {
		s := &recipes.Stage{Common: recipes.Common{Kind: c.kind}}
		s.Objective = c.objective
		file := taskFile(s, true)
		if !strings.Contains(file, c.want) || (file == "") != (c.want == "") {
			t.Errorf("%s: %q", c.objective, file)
		}
		if file != "" {
			if _, err := recipes.ParseTask("task.toml", file); err == nil || !strings.Contains(err.Error(), "texts.jsonl") {
				t.Errorf("%s: %v: want nothing but a missing texts.jsonl", c.objective, err)
			}
		}
	}
	if s := (&recipes.Stage{Common: recipes.Common{Kind: "pretrain"}}); taskFile(s, false) != "" {
		t.Error("a model without bits per byte")
	}
}

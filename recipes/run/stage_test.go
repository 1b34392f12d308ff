package run

import (
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

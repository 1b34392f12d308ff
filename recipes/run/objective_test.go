package run

import (
	"errors"
	"testing"

	"hone/data"
	"hone/data/corpus"
	"hone/data/tokenizer"
	"hone/recipes"
)

// The keys reach the loader.
func TestObjectiveReachesTheLoader(t *testing.T) {
	s := recipes.Stage{
		Common: recipes.Common{Kind: "pretrain"}, Training: recipes.Training{Objective: "masked"},
		Masking: recipes.Masking{MLMProbability: 0.15, RandomReplaceProb: 0.5, WholeWordMask: true},
	}
	var keys recipes.Tokenizer
	var c data.Config
	setObjective(&s, &c, &keys, planned{size: 300})
	if want := (data.Masking{MLMProbability: 0.15, RandomReplaceProb: 0.5, WholeWordMask: true}); c.Objective != data.Masked || c.Masking != want {
		t.Errorf("%v, %+v", c.Objective, c.Masking)
	}
	if whole := validating(&c); whole {
		t.Error("what is masked gives no text a probability")
	}
	if m := retention(&s, false); m.Metric != "val_loss" || m.HigherIsBetter {
		t.Errorf("kept by %+v", m)
	}
	c.Objective = data.Permutation
	if !validating(&c) || !c.LeftToRight {
		t.Error("a permutation is not validated from left to right")
	}
	var tok tokenizer.Tokenizer = planned{size: 300}
	s.Objective = "span_corruption"
	c = data.Config{}
	if setObjective(&s, &c, &keys, tok); c.Pad != recipes.Pad {
		t.Errorf("a decoder starts with %q", c.Pad)
	}
}

// sayings is a split of texts.
type sayings []string

func (s sayings) Rows() int64                           { return int64(len(s)) }
func (s sayings) Record(i int64) (corpus.Record, error) { return corpus.Record{Text: s[i]}, nil }

func TestKeepsText(t *testing.T) {
	docs := sayings{"Ünits of length", "two", "three"}
	for kind, lost := range map[string]int{"byte": 0, "byte_bpe": 0, "char": 0, "wordpiece": 1} {
		o := tokenizer.TrainOptions{Kind: kind, VocabSize: 400, Lowercase: kind == "wordpiece"}
		if kind == "byte" {
			o.VocabSize = 0
		}
		tok, err := TrainTokenizer(t.Context(), docs, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		var lossy *lossyError
		if err := keepsText(t.Context(), tok, docs); errors.As(err, &lossy) {
			got = lossy.lost
		} else if err != nil {
			t.Fatal(err)
		}
		if got != lost {
			t.Errorf("%s: %d texts lost, want %d", kind, got, lost)
		}
	}
}

package recipes

import (
	"slices"
	"strings"
	"testing"

	"hone/data"
	"hone/data/task"
	"hone/trainer/model"
)

const pretraining = `[corpus.godoc]
source = "goroot:"
[[stage]]
name = "pretrain"
kind = "pretrain"
steps = 5
learning_rate = 1e-3
`

// Every family learns something, and what it does not learn is refused with what it does.
func TestObjectivesOfFamilies(t *testing.T) {
	for _, family := range model.ModelTypes {
		c, err := model.SmallConfig(family)
		if err != nil {
			t.Fatal(err)
		}
		if len(Objectives(c)) == 0 {
			t.Errorf("%s learns nothing", family)
		}
		for _, o := range append(data.Objectives, data.Labelled(task.Classification)) {
			_, err := parse("x.toml", pretraining+"objective = \""+o.String()+"\"\n[model]\nmodel_type = \""+family+"\"\n", nil)
			fault := err != nil && strings.Contains(err.Error(), "x.toml:8: stage.pretrain.objective: ")
			if can := slices.Contains(Objectives(c), o); fault == can {
				t.Errorf("%s, %v: %v", family, o, err)
			}
		}
	}
	_, err := parse("x.toml", pretraining+"objective = \"masked\"\n", nil)
	if want := "x.toml:8: stage.pretrain.objective: gpt2 does not learn by masked, but by causal, prefix_lm; masked is for bert, camembert, distilbert, roberta, xlm-roberta"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestKeysOfObjectives(t *testing.T) {
	// A model_type that is not known has no say in what it learns: the other faults show.
	faults := func(lines string) string {
		_, err := parse("x.toml", pretraining+lines+"\n", nil)
		if err == nil {
			return ""
		}
		return err.Error()
	}
	for _, test := range []struct{ lines, want string }{
		{`objective = "maskd"`, `"maskd" is not known; did you mean "masked"?`},
		{`objective = "classification"`, `"classification" is not known`},
		{`mlm_probability = 0.2`, `mlm_probability: only objective = "masked" has it, not causal`},
		{`whole_word_mask = true`, `whole_word_mask: only objective = "masked" has it, not causal`},
		{`next_sentence = true`, `next_sentence: only objective = "masked" has it, not causal`},
		{"objective = \"masked\"\nnext_sentence = true\n[model]\nmodel_type = \"roberta\"", `next_sentence: roberta has no head that judges pairs of texts; bert has`},
		{"objective = \"masked\"\nnext_sentence = true\n[model]\nmodel_type = \"bert\"\ntype_vocab_size = 1", `next_sentence: two texts have two types of tokens, but model.type_vocab_size is 1`},
		{"objective = \"permutation\"\nsequence_length = 32\n[model]\nmodel_type = \"xlnet\"\nuse_mems_train = true", `model.mem_len: missing: with use_mems_train it is`},
		{"objective = \"masked\"\nmlm_probability = 1.5", `mlm_probability: 1.5 is not above 0 and below 1`},
		{"objective = \"masked\"\nrandom_replace_prob = -1", `random_replace_prob: -1 is less than 0`},
		{"objective = \"masked\"\nmask_replace_prob = 0.9\nrandom_replace_prob = 0.2", `mask_replace_prob: 0.9 and random_replace_prob, 0.2, are together more than 1`},
		{"objective = \"permutation\"\nmax_span_length = -2", `max_span_length: -2 is less than 1`},
		{"objective = \"span_corruption\"\nmean_noise_span_length = 0.5", `mean_noise_span_length: 0.5 is less than 1`},
		{"objective = \"span_corruption\"\nnoise_density = nan", `noise_density: NaN is not a finite number`},
		{"objective = \"span_corruption\"\n[tokenizer]\nbos = \"<|endoftext|>\"", `tokenizer.eos: missing`},
		{"objective = \"masked\"\n[[stage]]\nname = \"e\"\nkind = \"evaluate\"\nmodels = [\"pretrain\"]\nbaselines = [\"zstd_primed\"]", `zstd_primed is not for these models, which learn "pretrain" by masked`},
		{"[[stage]]\nname = \"f\"\nkind = \"finetune\"\nsteps = 1\nlearning_rate = 1\ntrainable = \"body\"", `trainable: "body" is not known`},
		{"trainable = \"head\"", `trainable: only a stage of kind finetune has it`},
		{"against = \"adamw\"", `against: no stage is called "adamw"`},
		{"[[stage]]\nname = \"f\"\nkind = \"finetune\"\nsteps = 1\nlearning_rate = 1\nagainst = \"pretrain\"\nrandom_windows = true", "against: only a stage of kind pretrain has it\n"},
		{"[[stage]]\nname = \"f\"\nkind = \"finetune\"\nsteps = 1\nlearning_rate = 1\nrandom_windows = true", "random_windows: only a stage of kind pretrain has it"},
		{"[corpus.x]\nsource = \".\"\nhold_out = \"start\"", `hold_out: "start" is not known`},
		{"[corpus.x]\nsource = \".\"\nhold_out = \"end\"", "hold_out: nothing is held out"},
	} {
		if got := faults(test.lines); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q lacks %q", test.lines, got, test.want)
		}
	}
	for _, lines := range []string{"", `objective = "prefix_lm"`} {
		if got := faults(lines); got != "" {
			t.Errorf("%s: %s", lines, got)
		}
	}
}

// What objectives hide gets special tokens of a tokenizer that is trained, and its usual share.
func TestSpecialsOfObjectives(t *testing.T) {
	s := Stage{Common: Common{Kind: "pretrain"}, Training: Training{Objective: "masked"}}
	s.fillObjective()
	if s.MLMProbability != 0.15 || s.MaskReplaceProb != 0.8 || s.RandomReplaceProb != 0.1 {
		t.Errorf("%+v", s)
	}
	r := &Recipe{Stages: []Stage{s, {Common: Common{Kind: "pretrain"}, Training: Training{Objective: "span_corruption"}}}}
	if names := r.specials(); len(names) != 101 || names[0] != Mask || names[100] != "<extra_id_99>" {
		t.Errorf("special tokens %v", names)
	}
}

// What an objective predicts is what models learn, and the head of a kind of task one that they
// have: both are said in words, for data knows no model.
func TestWordsOfModels(t *testing.T) {
	for _, o := range data.Objectives {
		if !slices.ContainsFunc(model.ModelTypes, func(name string) bool {
			c, err := model.SmallConfig(name)
			return err == nil && c.Traits().Learns.String() == o.Predicts()
		}) {
			t.Errorf("no family learns %q, which %v predicts", o.Predicts(), o)
		}
	}
	for _, k := range task.Kinds {
		if !slices.ContainsFunc(model.Heads(), func(h model.Head) bool { return h.String() == k.Head }) {
			t.Errorf("%v: no model has the head %q", k, k.Head)
		}
	}
}

package recipes

import (
	"slices"
	"strings"
	"testing"
)

const tuning = "[corpus.godoc]\nsource = \"goroot:\"\n[[stage]]\nname = \"tune\"\nkind = \"finetune\"\nsteps = 1\nlearning_rate = 1e-3\n"

// tuningFault is what is wrong with keys of a finetune stage; "": nothing.
func tuningFault(keys string) string {
	_, err := Parse("x.toml", tuning+keys, nil, Host{Precision: func(string) error { return nil }})
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestControlKeys(t *testing.T) {
	for _, c := range []struct{ keys, want string }{
		{"early_stopping_patience = 3", ""},
		{"early_stopping_patience = 3\nearly_stopping_threshold = 0.01\neval_every = 10", ""},
		{"early_stopping_patience = -1", "-1 is less than 0"},
		{"early_stopping_threshold = 0.01", "nothing ends early: early_stopping_patience says after how many validations"},
		{"early_stopping_patience = 3\nearly_stopping_threshold = -1.0", "-1 is negative"},
		{"early_stopping_patience = 3\neval_every = 0", "there is one validation, at the end"},
		{"early_stopping_patience = 3\neval_every = \"5m\"", "the result would depend on the speed of the machine"},
		{"metric_for_best_model = \"macro_f1\"", ""},
		{"metric_for_best_model = \"loss\"", ""},
		{"metric_for_best_model = \"makro_f1\"", "\"makro_f1\" is no metric of classification; did you mean \"macro_f1\"?"},
		{"metric_for_best_model = \"bleu\"", "\"bleu\" is no metric of classification; known: accuracy, macro_f1, loss"},
		{"seeds = 5", ""},
		{"seeds = [7, 0]", ""},
		{"seeds = 0", "want a number of seeds, such as 5, or a list of different seeds, such as [1, 2, 3], not the integer 0"},
		{"seeds = []", "the list is empty"},
		{"seeds = [1, 2, 1]", "1 comes twice"},
		{"seeds = [1, -2]", "entry 2 is the integer -2"},
		{"seeds = [1, \"x\"]", "entry 2 is the string \"x\""},
		{"seeds = \"x\"", "not the string \"x\""},
		{"threshold_for = \"f1\"\npositive_label = \"net\"", ""},
		{"threshold_for = \"precision_at_recall\"\npositive_label = \"net\"\nthreshold_recall = 0.9", ""},
		{"threshold_for = \"f1\"", "positive_label: missing: the label that threshold_for chooses a threshold of"},
		{"threshold_for = \"f2\"\npositive_label = \"net\"", "\"f2\" is not known; did you mean \"f1\"?"},
		{"threshold_for = \"precision_at_recall\"\npositive_label = \"net\"", "threshold_recall: 0 is not above 0 and at most 1"},
		{"threshold_for = \"f1\"\npositive_label = \"net\"\nthreshold_recall = 0.5", "only threshold_for = \"precision_at_recall\" has it"},
		{"positive_label = \"net\"", "only threshold_for of two labels has it"},
		{"costs = {net = {os = 5}}", ""},
		{"costs = {net = 5}", "that of \"net\" is the integer 5"},
		{"costs = {net = {os = -5}}", "the cost of \"os\" for \"net\" is the integer -5"},
		{"costs = {net = {os = 5}}\nthreshold_for = \"f1\"\npositive_label = \"net\"", "give threshold_for or costs"},
		{"class_weights = \"balanced\"", ""},
		{"class_weights = {net = 2, \"a b\" = 0.5}", ""},
		{"class_weights = \"equal\"", "want \"balanced\", or a table of weights by label, such as {spam = 5, ham = 1}, not the string \"equal\""},
		{"class_weights = {}", "want \"balanced\""},
		{"class_weights = {net = 0}", "the weight of \"net\" is the integer 0: want a number above 0"},
		{"freeze = [\"embeddings\", \"layers:0-1\", \"layers:2\"]", ""},
		{"freeze = [\"layers:3-1\"]", "\"layers:3-1\" is no part of a model"},
		{"freeze = [\"head\"]", "\"head\" is no part of a model: want \"embeddings\", or layers counted from 0"},
		{"freeze = [\"embeddings\"]\ntrainable = \"head\"", "keeps the whole body as it is"},
		{"layerwise_lr_decay = 0.8", ""},
		{"layerwise_lr_decay = 1.5", "1.5 is not above 0 and at most 1"},
		{"label_smoothing_factor = 0.1", ""},
		{"label_smoothing_factor = 1", "1 is not 0 or more and below 1"},
		{"label_smoothing_factor = 0.1\nclass_weights = \"balanced\"", "labels with class_weights are not smoothed"},
		{"objective = \"regression\"\ntask = \"r\"\nclass_weights = \"balanced\"\nlabel_smoothing_factor = 0.1\n[task.r]\nkind = \"regression\"\ntext = \"text\"\nlabel = \"label\"", "regression has no classes that could be weighed"},
		{"objective = \"regression\"\ntask = \"r\"\nlabel_smoothing_factor = 0.1\n[task.r]\nkind = \"regression\"\ntext = \"text\"\nlabel = \"label\"", "targets of regression are not smoothed"},
	} {
		if got := tuningFault(c.keys); (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.keys, got, c.want)
		}
	}
}

// Weights of labels are written as they are read.
func TestClassWeightsResolved(t *testing.T) {
	for _, keys := range []string{`class_weights = "balanced"`, `class_weights = {"a \"b\"" = 0.5, "net" = 2}`} {
		r, err := Parse("x.toml", tuning+keys, nil, Host{Precision: func(string) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		text, err := r.Resolved()
		if err != nil || !strings.Contains(text, "\n"+keys+"\n") {
			t.Errorf("%s: %v in %s", keys, err, text)
		}
		if changed, err := r.Changed(text, false); err != nil || len(changed) > 0 {
			t.Errorf("%s: changed %v, %v", keys, changed, err)
		}
		if c, err := Parse("x.toml", tuning+"costs = {net = {\"o s\" = 5}}", nil, Host{Precision: func(string) error { return nil }}); err != nil {
			t.Fatal(err)
		} else if text, err := c.Resolved(); err != nil {
			t.Error(err)
		} else if changed, err := c.Changed(text, false); err != nil || len(changed) > 0 || !strings.Contains(text, "o s") {
			t.Errorf("changed %v, %v in %s", changed, err, text)
		}
		if changed, err := r.Changed(strings.Replace(text, keys, `class_weights = {net = 3}`, 1), false); err != nil || len(changed) == 0 {
			t.Errorf("%s: changed %v, %v", keys, changed, err)
		}
	}
}

// Seeds are written as they are given, and none where none are.
func TestSeedsResolved(t *testing.T) {
	for keys, want := range map[string][]int{"": {9}, "seeds = 3": {9, 10, 11}, "seeds = [4, 2]": {4, 2}} {
		r, err := Parse("x.toml", "seed = 9\n"+tuning+keys, nil, Host{Precision: func(string) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Stages[0].SeedsFrom(r.Seed); !slices.Equal(got, want) {
			t.Errorf("%s: seeds %v, want %v", keys, got, want)
		}
		text, err := r.Resolved()
		if err != nil || !strings.Contains(text, "\n"+keys+"\n") || keys == "" && strings.Contains(text, "seeds") {
			t.Errorf("%s: %v in %s", keys, err, text)
		}
		if changed, err := r.Changed(text, false); err != nil || len(changed) > 0 {
			t.Errorf("%s: changed %v, %v", keys, changed, err)
		}
		other, err := Parse("x.toml", "seed = 9\n"+tuning+"seeds = 4", nil, Host{Precision: func(string) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		if changed, err := other.Changed(text, false); err != nil || len(changed) != 1 || !strings.HasPrefix(changed[0], "stage.tune.seeds") {
			t.Errorf("%s: changed %v, %v", keys, changed, err)
		}
	}
}

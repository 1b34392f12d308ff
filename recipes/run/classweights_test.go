package run

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/data/corpus"
	"hone/data/task"
	"hone/recipes"
)

// Balanced weights are scikit-learn's: of a, a, a, b: 4/(2·3) and 4/(2·1). Of sets of labels they are the examples
// without a label over those with it.
func TestBalanced(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "rows.jsonl")
	var b strings.Builder
	for i := range 8 {
		fmt.Fprintf(&b, "{\"text\": \"text %d\", \"label\": %q, \"all\": %s}\n", i, []string{"a", "b", "a", "a"}[i%4], []string{`["a"]`, `["a","b"]`, `[]`, `["a"]`}[i%4])
	}
	writeFile(t, path, []byte(b.String()))
	balanced := &recipes.ClassWeights{Balanced: true}
	set := *task.Of(task.MultiLabel)
	set.Columns.Label = "all"
	set.Read()
	for _, c := range []struct {
		t       *task.Task
		of      *recipes.ClassWeights
		labels  []string
		want    []float32
		message string
	}{
		{nil, balanced, []string{"a", "b"}, []float32{4.0 / (2 * 3), 4.0 / 2}, ""},
		{nil, balanced, []string{"b", "a"}, []float32{4.0 / 2, 4.0 / (2 * 3)}, ""},
		{nil, nil, []string{"a", "b"}, nil, ""},
		{nil, &recipes.ClassWeights{Of: map[string]float64{"b": 3}}, []string{"a", "b"}, []float32{1, 3}, ""},
		{nil, &recipes.ClassWeights{Of: map[string]float64{"c": 3}}, []string{"a", "b"}, nil, `label "c" is not one of the 2 known`},
		{nil, balanced, []string{"a", "b", "c"}, nil, `no document of split train has the label "c"`},
		{&set, balanced, []string{"a", "b"}, []float32{2.0 / 6, 6.0 / 2}, ""},
	} {
		s := recipes.Stage{Common: recipes.Common{Kind: "finetune"}, Training: recipes.Training{Objective: task.Classification.Name}}
		spec := corpus.Spec{From: path, Label: "label"}
		if s.ClassWeights = c.of; c.t != nil {
			s.Objective, spec = c.t.Kind.Name, c.t.Spec
			spec.From = path
			s.SetTask(c.t)
		}
		read, err := corpus.Prepare(context.Background(), spec, filepath.Join(dir, "cache"), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := classWeights(context.Background(), &s, read, c.labels)
		if !slices.Equal(got, c.want) || (err == nil) != (c.message == "") || err != nil && !strings.Contains(err.Error(), c.message) {
			t.Errorf("%+v of %q: %v, %v; want %v, %q", c.of, c.labels, got, err, c.want, c.message)
		}
		read.Close()
	}
}

// Labels with weights, and smoothed ones, are trained to another model, and weights are said.
func TestWeightedRun(t *testing.T) {
	f := &tuner{notes(t), filepath.Join(t.TempDir(), "cache")}
	seen := map[string]string{}
	for _, keys := range []string{"", "class_weights = \"balanced\"", "class_weights = {land = 5}", "label_smoothing_factor = 0.1"} {
		dir := t.TempDir()
		_, said, err := f.run(t, dir, 3, "steps = 4\nlearning_rate = 0.003\n"+keys, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		w := string(weightsOf(t, filepath.Join(dir, "tune")))
		if other, ok := seen[w]; ok {
			t.Errorf("%q changes nothing of %q", keys, other)
		}
		seen[w] = keys
		if want := "stage tune: labels weigh in the loss: land 5, water 1"; strings.Contains(keys, "land") && !slices.Contains(said, want) {
			t.Errorf("said %q", said)
		}
	}
	if _, _, err := f.run(t, t.TempDir(), 3, "steps = 4\nlearning_rate = 0.003\nclass_weights = {lands = 5}", "", 0); err == nil || !strings.Contains(err.Error(), `stage tune: class_weights: label "lands" is not one of the 2 known (did you mean "land"?)`) {
		t.Error(err)
	}
}

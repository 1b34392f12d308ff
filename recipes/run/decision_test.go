package run

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/data/corpus"
	"hone/data/task"
	"hone/eval"
)

// Thresholds are chosen on validation, kept in the checkpoint, and followed and said by evaluation and prediction;
// through an interruption too.
func TestThresholdsOfARun(t *testing.T) {
	f := &tuner{notes(t), filepath.Join(t.TempDir(), "cache")}
	const keys = "steps = 6\neval_every = 2\nsave_every = 1\nlearning_rate = 1e-4\n"
	decision := func(dir string) *eval.Decision {
		c, err := checkpoint.Open(checkpoint.FinalDir(filepath.Join(dir, "tune")))
		if err != nil {
			t.Fatal(err)
		}
		text, err := c.File(decisionFile)
		if err != nil {
			t.Fatal(err)
		}
		d := new(eval.Decision)
		if err := json.Unmarshal(text, d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	const recall = "threshold_for = \"precision_at_recall\"\nthreshold_recall = 1.0\npositive_label = \"land\""
	dir, halted := t.TempDir(), t.TempDir()
	run, _, err := f.run(t, dir, 3, keys+recall, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	d := decision(dir)
	if d.Split != "validation" || d.Documents == 0 || len(d.Thresholds) != 1 || d.Positive != "land" {
		t.Errorf("%+v", d)
	}
	if _, _, err := f.run(t, halted, 3, keys+recall, "tune", 3); err == nil {
		t.Fatal("not interrupted")
	}
	if _, _, err := f.run(t, halted, 3, keys+recall, "", 0); err != nil {
		t.Fatal(err)
	}
	if again := decision(halted); fmt.Sprint(*again) != fmt.Sprint(*d) {
		t.Errorf("%+v, interrupted %+v", d, again)
	}
	if e := run.Evaluations[0]; e.Scored == nil || !strings.Contains(e.Scored.What, d.Words()) {
		t.Errorf("%+v", e.Scored)
	}
	if v := run.Stages[0].Validated; v == nil || !strings.Contains(v.What, d.Words()) {
		t.Errorf("validated by another decision than that of the checkpoint: %+v", v)
	}
	// Every note of land is found: no other label is predicted for one.
	if c := run.Classifications[0]; slices.Index(c.Labels, "land") != 0 || c.Confusion[0][1] != 0 {
		t.Errorf("%q %v", c.Labels, c.Confusion)
	}

	o := Options{Console: quiet(), Cache: f.cache}
	var said []string
	o.Say = func(line string) { said = append(said, line) }
	tk := &task.Task{Name: "notes", Kind: task.Classification, Spec: corpus.Spec{Name: "notes", From: f.corpus}, Split: "train"}
	scored, err := Evaluate(context.Background(), filepath.Join(dir, "tune"), tk, 0, o)
	if err != nil || !strings.Contains(scored.Evaluations[0].Scored.What, d.Words()) {
		t.Errorf("%+v, %v", scored, err)
	}
	// Where land costs nothing, it is always predicted, and what is trained stays the same.
	costs := t.TempDir()
	if _, _, err := f.run(t, costs, 3, keys+"costs = {water = {land = 0}}", "", 0); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.jsonl")
	if _, err := Predict(context.Background(), filepath.Join(costs, "tune"), PredictOptions{RowsOptions: RowsOptions{In: f.corpus, Out: out}}, o); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil || bytes.Count(text, []byte(`"prediction": "land"`)) != 80 {
		t.Errorf("%v: %.500s", err, text)
	}
	if want := "which labels are predicted was decided: the one with the least expected cost, by the probabilities of the model"; !slices.Contains(said, want) {
		t.Errorf("said %q", said)
	}
	last := func(dir string) []byte {
		b, err := os.ReadFile(filepath.Join(checkpoint.StepDir(filepath.Join(dir, "tune"), 6), checkpoint.ModelFile))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(last(costs), last(dir)) {
		t.Error("what labels cost changes what is trained")
	}
}

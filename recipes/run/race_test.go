package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/eval/report"
	"hone/recipes"
)

const raceRecipe = `
[corpus.notes]
source = %q
validation = 0.2
[tokenizer]
kind = "byte"
[model]
model_type = "gpt2"
n_layer = 1
n_head = 2
n_embd = 16
n_positions = 32
[[stage]]
name = "model"
kind = "pretrain"
steps = 12
batch_size = 4
learning_rate = %s
eval_every = 4
save_every = 4
`

// A stopAt is a bar that ends a run once it has come so far.
type stopAt struct {
	quietBar
	done int64
	stop context.CancelFunc
}

func (b stopAt) Set(done, _ int64, _ string) {
	if done == b.done {
		b.stop()
	}
}

// A learning rate that diverges is out, and the others are as if it had not been; through an
// interruption too.
func TestRateThatDiverges(t *testing.T) {
	corpus := notes(t)
	run := func(dir, rates string, stop int64) (*report.Run, error) {
		t.Helper()
		r, err := parsed("x.toml", fmt.Sprintf(raceRecipe, corpus, rates), nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		o := Options{Console: quiet()}
		o.Dir, o.Cache = dir, filepath.Join(t.TempDir(), "cache")
		o.Bar = func(title, _ string) recipes.Bar {
			if strings.Contains(title, "learning rate 0.01") && stop > 0 {
				return stopAt{done: stop, stop: cancel}
			}
			return quietBar{}
		}
		return Run(ctx, r, o)
	}
	final := func(dir string) []byte {
		c, err := checkpoint.Open(checkpoint.FinalDir(filepath.Join(dir, "model")))
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.File(checkpoint.ModelFile)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	alone, race, halted := t.TempDir(), t.TempDir(), t.TempDir()
	if _, err := run(alone, "0.01", 0); err != nil {
		t.Fatal(err)
	}
	got, err := run(race, "[1e30, 0.01, 1e-4]", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run(halted, "[1e30, 0.01, 1e-4]", 6); !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: %v", err)
	}
	again, err := run(halted, "[1e30, 0.01, 1e-4]", 0)
	if err != nil {
		t.Fatal(err)
	}
	want := final(alone)
	if !bytes.Equal(final(race), want) || !bytes.Equal(final(halted), want) {
		t.Error("another rate that diverged, or an interruption, changed the model")
	}
	trials := got.Stages[0].Trials
	if len(trials) != 3 || trials[0].Value.Known() || !trials[1].Chosen || !trials[2].Value.Known() {
		t.Errorf("%+v", trials)
	}
	if !slices.EqualFunc(trials[1:], again.Stages[0].Trials[1:], func(a, b report.Trial) bool { return a == b }) {
		t.Errorf("%+v, interrupted %+v", trials, again.Stages[0].Trials)
	}
	for _, dir := range []string{race, halted} { // what is read again is the same
		if r, err := Report(dir); err != nil || len(r.Stages[0].Trials) != 3 || r.Stages[0].Trials[0].Value.Known() {
			t.Errorf("%+v, %v", r, err)
		}
	}
	m, err := readMetrics(race)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(m.Events, func(e report.Event) bool {
		return e.Event == "diverged" && e.Step == 2 && e.Stage == "model/lr-1e+30" && strings.HasPrefix(e.Detail, "the loss is ")
	}) {
		t.Errorf("%+v", m.Events)
	}
	if _, err := run(t.TempDir(), "[1e30, 1e29]", 0); err == nil || !strings.Contains(err.Error(), "stage model: every learning rate diverged: 1e+30 at step 2 (the loss is ") || !strings.Contains(err.Error(), ", 1e+29 at step 2 (") {
		t.Errorf("all of them: %v", err)
	}
	if _, err := run(t.TempDir(), "1e30", 0); err == nil || !strings.Contains(err.Error(), "step 2: the loss is ") {
		t.Errorf("one alone: %v", err)
	}
}

package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer"
)

const tuneRecipe = `
seed = %d
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
n_positions = 64
[[stage]]
name = "tune"
kind = "finetune"
batch_size = 2
dropout = 0.1
%s
[[stage]]
name = "evaluate"
kind = "evaluate"
models = ["tune"]
`

// A tuner runs tuneRecipe. stop, if it is not 0, is the step at which the training is interrupted whose bar has a
// title with in.
type tuner struct {
	corpus, cache string
}

func (f *tuner) run(t *testing.T, dir string, seed int, keys, in string, stop int64) (*report.Run, []string, error) {
	t.Helper()
	r, err := parsed("x.toml", fmt.Sprintf(tuneRecipe, seed, f.corpus, keys), nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var said []string
	o := Options{Dir: dir, Cache: f.cache, Console: quiet()}
	o.Say = func(line string) { said = append(said, line) }
	o.Bar = func(title, _ string) recipes.Bar {
		if stop > 0 && strings.Contains(title, in) {
			return stopAt{done: stop, stop: cancel}
		}
		return quietBar{}
	}
	run, err := Run(ctx, r, o)
	return run, said, err
}

// weightsOf are those of the final model of a stage, or of the best checkpoint of a trial.
func weightsOf(t *testing.T, dir string) []byte {
	t.Helper()
	c, err := checkpoint.Open(checkpoint.FinalDir(dir))
	if err != nil {
		c, err = checkpoint.Best(dir, checkpoint.Retention{Metric: "val_accuracy", HigherIsBetter: true}, nil)
	}
	if err != nil || c == nil {
		t.Fatal(c, err)
	}
	b, err := c.File(checkpoint.ModelFile)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Each learning rate is tried with each seed, and each trial is the run that has that seed alone; through an
// interruption too. The report has their means and deviations.
func TestSeeds(t *testing.T) {
	f := &tuner{notes(t), filepath.Join(t.TempDir(), "cache")}
	const keys = "steps = 6\neval_every = 2\nsave_every = 2\nlearning_rate = [0.003, 1e-4]\nseeds = %s"
	whole, halted, alone := t.TempDir(), t.TempDir(), t.TempDir()
	got, _, err := f.run(t, whole, 3, fmt.Sprintf(keys, "2"), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.run(t, halted, 3, fmt.Sprintf(keys, "2"), "learning rate 0.003, seed 4", 3); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again, _, err := f.run(t, halted, 3, fmt.Sprintf(keys, "2"), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	trials := got.Stages[0].Trials
	var names []string
	best := map[float64]float64{}
	for i, u := range trials {
		names = append(names, u.Curve)
		if u != again.Stages[0].Trials[i] {
			t.Errorf("%+v, interrupted %+v", u, again.Stages[0].Trials[i])
		}
		if !bytes.Equal(weightsOf(t, filepath.Join(whole, u.Curve)), weightsOf(t, filepath.Join(halted, u.Curve))) {
			t.Errorf("%s is another after an interruption", u.Curve)
		}
		best[u.LearningRate] += float64(u.Value) / 2
	}
	if want := []string{"tune/lr-0.003-seed-3", "tune/lr-0.003-seed-4", "tune/lr-0.0001-seed-3", "tune/lr-0.0001-seed-4"}; !slices.Equal(names, want) {
		t.Errorf("trials %q, want %q", names, want)
	}
	if bytes.Equal(weightsOf(t, filepath.Join(whole, names[0])), weightsOf(t, filepath.Join(whole, names[1]))) {
		t.Error("the seed changes nothing")
	}
	if _, _, err := f.run(t, alone, 4, "steps = 6\neval_every = 2\nsave_every = 2\nlearning_rate = 0.003", "", 0); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(weightsOf(t, filepath.Join(whole, names[1])), weightsOf(t, filepath.Join(alone, "tune"))) {
		t.Error("the trial of seed 4 is not the run of seed 4")
	}
	for _, s := range report.Spreads(trials) {
		var v []float64
		for _, u := range trials {
			if u.LearningRate == s.LearningRate {
				v = append(v, float64(u.Value))
			}
		}
		if want := math.Abs(v[0]-v[1]) / math.Sqrt2; s.N != 2 || math.Abs(float64(s.Mean)-best[s.LearningRate]) > 1e-12 || math.Abs(float64(s.Deviation)-want) > 1e-12 {
			t.Errorf("%+v of %v", s, v)
		}
	}
	k := slices.IndexFunc(trials, func(u report.Trial) bool { return u.Chosen })
	if !bytes.Equal(weightsOf(t, filepath.Join(whole, trials[k].Curve)), weightsOf(t, filepath.Join(whole, "tune"))) {
		t.Errorf("the final model is not that of %s", trials[k].Curve)
	}
	var text strings.Builder
	if err := report.WriteText(&text, got); err != nil || !strings.Contains(text.String(), "standard deviation") {
		t.Errorf("%v: %s", err, text.String())
	}
	if page, err := os.ReadFile(filepath.Join(whole, report.HTMLFile)); err != nil || !bytes.Contains(page, []byte("mean over seeds")) || !bytes.Contains(page, []byte("learning rate 0.003, seed 4")) {
		t.Errorf("the page lacks the seeds: %v", err)
	}
}

// The best mean over seeds decides, not the best run; rates that diverge come last.
func TestChoose(t *testing.T) {
	rows := func(values ...float64) (list []trial) { // of two seeds a rate
		for i, v := range values {
			u := trial{row: report.Trial{LearningRate: float64(i / 2), Seed: uint64(i % 2), Value: 0}}
			if u.row.Value = metric.Number(v); math.IsNaN(v) {
				u.diverged = &trainer.DivergedError{Step: 1}
			}
			list = append(list, u)
		}
		return list
	}
	nan := math.NaN()
	for _, c := range []struct {
		values []float64
		higher bool
		want   int
	}{
		{[]float64{0.9, 0.1, 0.6, 0.7}, true, 3},
		{[]float64{0.9, 0.1, 0.6, 0.7}, false, 1},
		{[]float64{0.9, nan, 0.1, 0.2}, true, 3},
		{[]float64{nan, nan, nan, 0.2}, true, 3},
		{[]float64{0.5, 0.5, 0.5, 0.5}, true, 0},
	} {
		won, err := choose(new(recipes.Stage), rows(c.values...), c.higher)
		if err != nil || int(won.row.LearningRate)*2+int(won.row.Seed) != c.want || !won.row.Chosen {
			t.Errorf("%v: %+v, %v; want number %d", c.values, won, err, c.want)
		}
	}
	if _, err := choose(new(recipes.Stage), rows(nan, nan), true); err == nil {
		t.Error("nothing to choose from")
	}
}

// Where validation gets no better, training ends, the best checkpoint is the stage's, and the report says so;
// through an interruption too.
func TestEarlyStopping(t *testing.T) {
	f := &tuner{notes(t), filepath.Join(t.TempDir(), "cache")}
	const keys = "steps = 40\neval_every = 2\nsave_every = 3\nlog_every = 4\nlearning_rate = 1e-9\nlr_scheduler_type = \"constant\"\nearly_stopping_patience = 2"
	whole, halted := t.TempDir(), t.TempDir()
	got, said, err := f.run(t, whole, 3, keys, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.run(t, halted, 3, keys, "tune", 5); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	again, _, err := f.run(t, halted, 3, keys, "", 0)
	if err != nil {
		t.Fatal(err)
	}
	for dir, run := range map[string]*report.Run{whole: got, halted: again} {
		s := run.Stages[0]
		if s.Steps != 6 || s.BestStep != 2 || s.Stopped != "no better val_accuracy in 2 validations" {
			t.Errorf("%+v", s)
		}
		if c, err := checkpoint.Open(checkpoint.FinalDir(filepath.Join(dir, "tune"))); err != nil || c.Manifest.Step != 2 {
			t.Errorf("%v, %v", c, err)
		}
		m, err := readMetrics(dir)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, e := range m.Events {
			if e.Event == "stopped early" && e.Step == 6 {
				n++
			}
		}
		if last, ok := lastStep(m, "tune"); n != 1 || !ok || last.Step != 6 {
			t.Errorf("%d events, last step %+v", n, last)
		}
	}
	if len(got.Evaluations) == 0 || !slices.Contains(said, "stage tune: stopped early at step 6: no better val_accuracy in 2 validations") {
		t.Errorf("said %q", said)
	}
	// By the loss, which falls, training goes on.
	other := t.TempDir()
	longer, _, err := f.run(t, other, 3, strings.Replace(strings.Replace(keys, "40", "8", 1), "1e-9", "1e-3", 1)+"\nmetric_for_best_model = \"loss\"", "", 0)
	if err != nil || longer.Stages[0].Steps != 8 || longer.Stages[0].BestStep != 8 || longer.Stages[0].Stopped != "" {
		t.Errorf("%+v, %v", longer.Stages[0], err)
	}
	_, said, err = f.run(t, whole, 3, keys, "", 0)
	if err != nil || !strings.HasPrefix(said[len(said)-1], "nothing to do") {
		t.Errorf("%q, %v", said, err)
	}
}

package run

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"hone/checkpoint"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer"
)

// trialPrefix begins the names of the directories of a stage's trials, where it has several.
const trialPrefix = "lr-"

// A trial is one training of a stage, with one of its learning rates and one of its seeds.
type trial struct {
	row      report.Trial
	name     string // in messages
	dir      string
	best     *checkpoint.Checkpoint
	diverged *trainer.DivergedError
	several  bool // it is one of several
}

// trials are those of a stage: every learning rate with every seed.
func (w *runner) trials(s *recipes.Stage) (list []trial) {
	dir, seeds := w.stageDir(s.Name), s.SeedsFrom(w.r.Seed)
	for _, rate := range s.LearningRate {
		for _, seed := range seeds {
			t := trial{row: report.Trial{LearningRate: rate, Seed: uint64(seed)}, dir: dir, name: fmt.Sprintf("learning rate %g", rate)}
			t.several = len(s.LearningRate)*len(seeds) > 1
			if t.several {
				t.dir = filepath.Join(dir, fmt.Sprintf("%s%g", trialPrefix, rate))
			}
			if len(seeds) > 1 {
				t.dir += fmt.Sprintf("-seed-%d", seed)
				t.name += fmt.Sprintf(", seed %d", seed)
			}
			t.row.Curve = w.curve(t.dir)
			list = append(list, t)
		}
	}
	return list
}

// note tells it from the others of its stage.
func (t *trial) note() string {
	if t.several {
		return " (" + t.name + ")"
	}
	return ""
}

// choose marks the best trial: of the learning rate with the best mean over seeds, the best one. A rate that diverged
// with more of the seeds than another comes after that.
func choose(s *recipes.Stage, trials []trial, higher bool) (*trial, error) {
	var out []string
	var rows []report.Trial
	for i := range trials {
		rows = append(rows, trials[i].row)
		if d := trials[i].diverged; d != nil {
			out = append(out, fmt.Sprintf("%s at step %d (%s)", strings.TrimPrefix(trials[i].name, "learning rate "), d.Step, d.What))
		}
	}
	if len(out) == len(trials) {
		return nil, fmt.Errorf("stage %s: every learning rate diverged: %s (hint: try lower rates, or more warmup_steps)", s.Name, strings.Join(out, ", "))
	}
	better := func(a, b float64) bool { return a != b && (a > b) == higher }
	rates := report.Spreads(rows)
	best := slices.MinFunc(rates, func(a, b report.Spread) int {
		switch {
		case a.Diverged != b.Diverged:
			return a.Diverged - b.Diverged
		case better(float64(a.Mean), float64(b.Mean)):
			return -1
		case better(float64(b.Mean), float64(a.Mean)):
			return 1
		}
		return 0
	})
	var won *trial
	for i := range trials {
		t := &trials[i]
		if t.row.LearningRate == best.LearningRate && t.diverged == nil && (won == nil || better(float64(t.row.Value), float64(won.row.Value))) {
			won = t
		}
	}
	won.row.Chosen = true
	return won, nil
}

// stoppedWords says why a training ended before its last step.
func stoppedWords(s *recipes.Stage, metric string) string {
	words := fmt.Sprintf("no better %s in %d validations", metric, s.EarlyStoppingPatience)
	if s.EarlyStoppingThreshold > 0 {
		words = fmt.Sprintf("no %s better by more than %g in %d validations", metric, s.EarlyStoppingThreshold, s.EarlyStoppingPatience)
	}
	return words
}

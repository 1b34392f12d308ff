package recipes

import (
	"slices"

	"hone/data"
)

// Stopping are the keys of what validation decides: which checkpoint is the best, and whether training ends early.
type Stopping struct {
	MetricForBestModel     string  `toml:"metric_for_best_model,omitempty" doc:"metric of validation that says which checkpoint is the best, of those of the task, or loss; \"\": the first one that the task lists, or that of its kind"`
	EarlyStoppingPatience  int     `toml:"early_stopping_patience,omitzero" unit:"validations" doc:"training ends after so many validations in a row that are no better than the best before them, which is kept; 0: it ends with the last step"`
	EarlyStoppingThreshold float64 `toml:"early_stopping_threshold,omitzero" doc:"by how much a validation has to be better than the best before it, to count as better for early_stopping_patience"`
}

func (d *decoder) stopping(s *Stage, at string) {
	d.positive(at+"early_stopping_patience", s.EarlyStoppingPatience, 0)
	d.notNegative(at+"early_stopping_threshold", s.EarlyStoppingThreshold, "")
	if t := data.TaskOf(s.Learns()); s.MetricForBestModel != "" && t != nil {
		if known := append(slices.Clone(t.Kind.Metrics), "loss"); !slices.Contains(known, s.MetricForBestModel) {
			d.fault(at+"metric_for_best_model", "%q is no metric of %s%s", s.MetricForBestModel, t.Kind, suggest(s.MetricForBestModel, known))
		}
	}
	switch {
	case s.EarlyStoppingPatience == 0 && s.EarlyStoppingThreshold != 0:
		d.fault(at+"early_stopping_threshold", "nothing ends early: early_stopping_patience says after how many validations")
	case s.EarlyStoppingPatience > 0 && s.EvalEvery == Every{}:
		d.fault(at+"early_stopping_patience", "there is one validation, at the end: eval_every says after how many steps there is one")
	case s.EarlyStoppingPatience > 0 && s.EvalEvery.Time > 0:
		d.fault(at+"early_stopping_patience", "with eval_every = %q the result would depend on the speed of the machine: want a number of steps", s.EvalEvery)
	}
}

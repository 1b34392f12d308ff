package recipes

// Stopping are the keys of stages that end where their validation gets no better.
type Stopping struct {
	EarlyStoppingPatience  int     `toml:"early_stopping_patience,omitzero" unit:"validations" doc:"training ends after so many validations in a row that are no better than the best before them, which is kept; 0: it ends with the last step"`
	EarlyStoppingThreshold float64 `toml:"early_stopping_threshold,omitzero" doc:"by how much a validation has to be better than the best before it, to count as better for early_stopping_patience"`
}

func (d *decoder) stopping(s *Stage, at string) {
	d.positive(at+"early_stopping_patience", s.EarlyStoppingPatience, 0)
	d.notNegative(at+"early_stopping_threshold", s.EarlyStoppingThreshold, "")
	switch {
	case s.EarlyStoppingPatience == 0 && s.EarlyStoppingThreshold != 0:
		d.fault(at+"early_stopping_threshold", "nothing ends early: early_stopping_patience says after how many validations")
	case s.EarlyStoppingPatience > 0 && s.EvalEvery == Every{}:
		d.fault(at+"early_stopping_patience", "there is one validation, at the end: eval_every says after how many steps there is one")
	case s.EarlyStoppingPatience > 0 && s.EvalEvery.Time > 0:
		d.fault(at+"early_stopping_patience", "with eval_every = %q the result would depend on the speed of the machine: want a number of steps", s.EvalEvery)
	}
}

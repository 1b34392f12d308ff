package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Schedule is the learning rate of a step; the first step is 0.
type Schedule func(step int) float64

// ScheduleConfig has the names of transformers' TrainingArguments.
type ScheduleConfig struct {
	Kind        string  // "constant", "linear" or "cosine": the way down after the warm-up
	LR          float64 // the peak
	Steps       int     // of the whole run; a constant rate does not need it
	WarmupSteps int     // from 0 up to LR in a straight line: step s has s/WarmupSteps of it
	WarmupRatio float64 // in place of WarmupSteps: this share of Steps, rounded up
	MinLRRatio  float64 // the rate at step Steps and beyond, as a share of LR
}

var scheduleKinds = []string{"constant", "linear", "cosine"}

// NewSchedule gives the rates of transformers' get_constant_schedule_with_warmup,
// get_linear_schedule_with_warmup and get_cosine_schedule_with_warmup, and of
// get_cosine_with_min_lr_schedule_with_warmup where MinLRRatio is set. Beyond Steps the
// rate stays where it ended; transformers' cosine would rise again. The error holds every fault.
func NewSchedule(c ScheduleConfig) (Schedule, error) {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("optim: "+format, args...))
		}
	}
	if !slices.Contains(scheduleKinds, c.Kind) {
		faults = append(faults, unknown("schedule", c.Kind, scheduleKinds))
	}
	check(c.LR >= 0 && !math.IsInf(c.LR, 1), "learning rate %g: want a number ≥ 0", c.LR)
	check(c.WarmupSteps >= 0, "warmup_steps %d: want ≥ 0", c.WarmupSteps)
	check(c.WarmupRatio >= 0 && c.WarmupRatio <= 1, "warmup_ratio %g: want 0 to 1", c.WarmupRatio)
	check(c.WarmupSteps == 0 || c.WarmupRatio == 0, "warmup_steps %d and warmup_ratio %g are both given; choose one", c.WarmupSteps, c.WarmupRatio)
	check(c.MinLRRatio >= 0 && c.MinLRRatio <= 1, "min_lr_ratio %g: want 0 to 1", c.MinLRRatio)
	check(c.Kind != "constant" || c.MinLRRatio == 0, "min_lr_ratio %g has no meaning for a constant schedule", c.MinLRRatio)
	check(c.Steps > 0 || c.Kind == "constant" && c.WarmupRatio == 0 && c.Steps == 0, "steps %d: want > 0", c.Steps)
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	warmup := float64(c.WarmupSteps)
	if c.WarmupRatio > 0 {
		warmup = math.Ceil(c.WarmupRatio * float64(c.Steps))
	}
	return func(step int) float64 {
		s := float64(step)
		if s < warmup {
			return c.LR * (s / warmup)
		}
		progress := min(1, (s-warmup)/max(1, float64(c.Steps)-warmup))
		share := 1.0 // of the way from MinLRRatio to 1
		switch c.Kind {
		case "linear":
			share = 1 - progress
		case "cosine":
			share = 0.5 * (1 + math.Cos(math.Pi*progress))
		}
		return c.LR * (c.MinLRRatio + float64((1-c.MinLRRatio)*share))
	}, nil
}

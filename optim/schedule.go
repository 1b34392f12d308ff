package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// A Schedule gives the learning rate of a step; the first step has number 0.
type Schedule func(step int) float64

// ScheduleConfig has the names of transformers' TrainingArguments and schedules.
type ScheduleConfig struct {
	Kind        string  // one of Schedules
	LR          float64 // the peak
	Steps       int     // of the whole run; constant and inverse_sqrt do not need it
	WarmupSteps int     // of linear warm-up: step s has the rate LR·s/WarmupSteps
	WarmupRatio float64 // instead of WarmupSteps: the warm-up as a share of Steps, rounded up
	MinLRRatio  float64 // the learning rate at step Steps and beyond, as a share of LR
	DecaySteps  int     // warmup_stable_decay: length of the decay, which ends with the run
	DecayType   string  // warmup_stable_decay: one of DecayTypes
}

// Schedules are the names of the schedules, by what the learning rate does after the warm-up.
var Schedules = []string{"constant", "linear", "cosine", "inverse_sqrt", "warmup_stable_decay"}

// DecayTypes are the shapes of the decay at the end of warmup_stable_decay.
var DecayTypes = []string{"linear", "cosine", "1-sqrt"}

// NewSchedule makes a schedule with the learning rates of these functions of transformers:
// get_constant_schedule_with_warmup, get_linear_schedule_with_warmup,
// get_cosine_schedule_with_warmup (with MinLRRatio,
// get_cosine_with_min_lr_schedule_with_warmup), get_inverse_sqrt_schedule (its time scale is
// the warm-up; without one, 10,000 steps) and get_wsd_schedule, whose warm-up begins at
// MinLRRatio. After Steps the rate stays at its last value, where the cosine of transformers
// would rise again; inverse_sqrt keeps falling. The error lists every fault of c; all of them
// are faults of the user's input (exit code 2).
func NewSchedule(c ScheduleConfig) (Schedule, error) {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("optim: "+format, args...))
		}
	}
	if !slices.Contains(Schedules, c.Kind) {
		faults = append(faults, unknown("schedule", c.Kind, Schedules))
	}
	endless := c.Kind == "constant" || c.Kind == "inverse_sqrt"
	stable := c.Kind == "warmup_stable_decay"
	check(c.LR >= 0 && !math.IsInf(c.LR, 1), "learning rate %g: want a number ≥ 0", c.LR)
	check(c.WarmupSteps >= 0, "warmup_steps %d: want ≥ 0", c.WarmupSteps)
	check(c.WarmupRatio >= 0 && c.WarmupRatio <= 1, "warmup_ratio %g: want 0 to 1", c.WarmupRatio)
	check(c.WarmupSteps == 0 || c.WarmupRatio == 0, "warmup_steps %d and warmup_ratio %g are both given; choose one", c.WarmupSteps, c.WarmupRatio)
	check(c.MinLRRatio >= 0 && c.MinLRRatio <= 1, "min_lr_ratio %g: want 0 to 1", c.MinLRRatio)
	check(!endless || c.MinLRRatio == 0, "min_lr_ratio %g has no meaning for a schedule of kind %s", c.MinLRRatio, c.Kind)
	check(c.Steps > 0 || endless && c.WarmupRatio == 0 && c.Steps == 0, "steps %d: want > 0", c.Steps)
	check(stable || c.DecaySteps == 0 && c.DecayType == "", "decay steps %d, decay type %q: only warmup_stable_decay has them", c.DecaySteps, c.DecayType)
	warmup := float64(c.WarmupSteps)
	if c.WarmupRatio > 0 {
		warmup = math.Ceil(c.WarmupRatio * float64(c.Steps))
	}
	if stable {
		if !slices.Contains(DecayTypes, c.DecayType) {
			faults = append(faults, unknown("decay type", c.DecayType, DecayTypes))
		}
		check(c.DecaySteps > 0, "decay steps %d: want > 0", c.DecaySteps)
		check(warmup+float64(c.DecaySteps) <= float64(c.Steps), "%g steps of warm-up and %d of decay are more than steps, %d", warmup, c.DecaySteps, c.Steps)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}

	between := func(share float64) float64 { // MinLRRatio at 0, 1 at 1
		return c.LR * (c.MinLRRatio + float64((1-c.MinLRRatio)*share))
	}
	if stable {
		decay, end := float64(c.DecaySteps), float64(c.Steps)
		return func(step int) float64 {
			s := float64(step)
			switch {
			case s < warmup:
				return between(s / warmup)
			case s < end-decay:
				return c.LR
			}
			progress := min(1, (s-(end-decay))/decay)
			switch c.DecayType {
			case "linear":
				return between(1 - progress)
			case "cosine":
				return between(0.5 * (1 + math.Cos(math.Pi*progress)))
			}
			return between(1 - math.Sqrt(progress))
		}, nil
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
		case "inverse_sqrt":
			scale := warmup
			if scale == 0 {
				scale = 10_000
			}
			share = 1 / math.Sqrt((s+(scale-warmup))/scale)
		}
		return between(share)
	}, nil
}

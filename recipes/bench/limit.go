package bench

import (
	"fmt"
	"io"

	"hone/trainer/exec/cpu"
)

// turns are the limits of the machine as they were in turns with something that is
// measured. A share of them says what the program makes of the processor, whatever its
// clock and its company.
type turns struct {
	measure    func(seconds float64) (mean, best cpu.Limits)
	spent      float64 // seconds since the last measurement
	mean, best []cpu.Limits
}

// The limits take a twentieth of the time of what is measured, in turns that are long beside
// a scheduler's.
const (
	turnEvery = 0.25 // seconds
	turnPart  = 1. / 20
	turnMost  = 0.2 // seconds
)

// add takes what was measured, in seconds, and measures the limits when it is their turn.
func (t *turns) add(seconds float64) {
	if t.spent += seconds; t.spent >= turnEvery {
		t.take(min(t.spent*turnPart, turnMost))
	}
}

func (t *turns) take(seconds float64) {
	mean, best := t.measure(seconds)
	t.mean, t.best, t.spent = append(t.mean, mean), append(t.best, best), 0
}

// limits are the medians: of steps, which share the cores with whatever else runs, and of
// single operations, most of which are over before they would share them. What was over
// before the first turn came is measured now.
func (t *turns) limits() (ofSteps, ofOps cpu.Limits) {
	if len(t.mean) == 0 {
		t.take(turnEvery * turnPart)
	}
	return medianLimits(t.mean), medianLimits(t.best)
}

func medianLimits(seen []cpu.Limits) cpu.Limits {
	of := func(field func(cpu.Limits) float64) float64 {
		var list []float64
		for _, l := range seen {
			list = append(list, field(l))
		}
		return median(list)
	}
	return cpu.Limits{
		GFLOPS:    of(func(l cpu.Limits) float64 { return l.GFLOPS }),
		BF16:      of(func(l cpu.Limits) float64 { return l.BF16 }),
		Bandwidth: of(func(l cpu.Limits) float64 { return l.Bandwidth }),
	}
}

// turns begins to measure the limits in turns with something. The best of all that are
// seen are the machine's.
func (b *Result) turns() *turns {
	return &turns{measure: func(seconds float64) (mean, best cpu.Limits) {
		mean, best = b.gauge.Measure(seconds)
		b.GFLOPS, b.BF16, b.Bandwidth = max(b.GFLOPS, best.GFLOPS), max(b.BF16, best.BF16), max(b.Bandwidth, best.Bandwidth)
		return mean, best
	}}
}

// products is the limit of the matrix products of the precision that is measured.
func (b *Result) products(l cpu.Limits) float64 {
	if b.Precision == "bf16" {
		return l.BF16
	}
	return l.GFLOPS
}

// share of a limit, both in GFLOP/s. Nothing is faster than the limit, so a share above 1 is
// a fault of the measurement: it is kept as one, and 0 stands in its place.
func (b *Result) share(what string, rate, limit float64) float64 {
	if rate > limit {
		b.Faults = append(b.Faults, fmt.Sprintf("%s: %.1f GFLOP/s, where multiply-adds alone came to %.1f in turns with it", what, rate, limit))
		return 0
	}
	return rate / limit
}

// percent is a share as it is printed; of one that is not known, nothing.
func percent(share float64, digits int) string {
	if share == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, 100*share)
}

// printFaults says what was measured wrongly.
func (b *Result) printFaults(w io.Writer) error {
	if len(b.Faults) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nmeasured wrongly, so that the share is left out:")
	for _, f := range b.Faults {
		fmt.Fprintf(w, "  %s\n", f)
	}
	_, err := fmt.Fprintln(w, "Something else took the processor, or its clock moved: measure again on a quiet machine, or with more --seconds.")
	return err
}

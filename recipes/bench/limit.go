package bench

import (
	"fmt"
	"io"

	"hone/trainer/exec/cpu"
)

// turns are the limits of the machine, measured in turns with something else. A share of them says
// how well a program uses the processor, whatever its clock rate and other load.
type turns struct {
	measure    func(seconds float64) (mean, best cpu.Limits)
	spent      float64 // seconds since the last measurement
	mean, best []cpu.Limits
}

// Measuring the limits takes a twentieth of the time, in turns that are long compared to those of
// the scheduler.
const (
	turnEvery = 0.25 // seconds
	turnPart  = 1. / 20
	turnMost  = 0.2 // seconds
)

// add notes a measurement, in seconds, and measures the limits when it is their turn.
func (t *turns) add(seconds float64) {
	if t.spent += seconds; t.spent >= turnEvery {
		t.take(min(t.spent*turnPart, turnMost))
	}
}

func (t *turns) take(seconds float64) {
	mean, best := t.measure(seconds)
	t.mean, t.best, t.spent = append(t.mean, mean), append(t.best, best), 0
}

// limits are the medians of the limits for steps, which share the cores with other load, and for
// single operations, most of which end before they have to share them. If no turn has come yet,
// they are measured now.
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

// turns begins to measure the limits in turns with something. The best values are those of the
// machine.
func (b *Result) turns() *turns {
	return &turns{measure: func(seconds float64) (mean, best cpu.Limits) {
		mean, best = b.gauge.Measure(seconds)
		b.GFLOPS, b.BF16, b.Bandwidth = max(b.GFLOPS, best.GFLOPS), max(b.BF16, best.BF16), max(b.Bandwidth, best.Bandwidth)
		return mean, best
	}}
}

// products is the limit of matrix products in the precision of the measurement.
func (b *Result) products(l cpu.Limits) float64 {
	if b.Precision == "bf16" {
		return l.BF16
	}
	return l.GFLOPS
}

// share is the share of a limit, both in GFLOP/s. Nothing is faster than the limit, so that a share
// above 1 is an error of the measurement: it is noted in Faults, and 0 is returned.
func (b *Result) share(what string, rate, limit float64) float64 {
	if rate > limit {
		b.Faults = append(b.Faults, fmt.Sprintf("%s: %.1f GFLOP/s, while multiply-adds alone reached %.1f in turns with it", what, rate, limit))
		return 0
	}
	return rate / limit
}

// percent formats a share; one that is not known is empty.
func percent(share float64, digits int) string {
	if share == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, 100*share)
}

// printFaults lists the errors of the measurement.
func (b *Result) printFaults(w io.Writer) error {
	if len(b.Faults) == 0 {
		return nil
	}
	fmt.Fprintln(w, "\nerrors of the measurement, whose shares are left out:")
	for _, f := range b.Faults {
		fmt.Fprintf(w, "  %s\n", f)
	}
	_, err := fmt.Fprintln(w, "The processor was busy or changed its clock rate: measure again on an idle machine, or with more --seconds.")
	return err
}

package bench

import (
	"math"
	"strings"
	"testing"

	"hone/trainer/exec/cpu"
)

// madeUpTurns are limits of turns that come to these GFLOP/s, one after another.
func madeUpTurns(gflops ...float64) *turns {
	return &turns{measure: func(float64) (mean, best cpu.Limits) {
		rate := gflops[0]
		gflops = gflops[1:]
		return cpu.Limits{GFLOPS: rate, BF16: 4 * rate, Bandwidth: 20}, cpu.Limits{GFLOPS: 2 * rate, BF16: 8 * rate, Bandwidth: 40}
	}}
}

// A TestBenchSharesAreOfTurns that falls to a third of its rate after the beginning changes no share: they are
// of the limits in turns with the steps.
func TestBenchSharesAreOfTurns(t *testing.T) {
	c := Configs[0]
	m := meter{config: c, params: 800_000, steps: []float64{0.050, 0.054, 0.052}, total: 0.156}
	b := &Result{Precision: "fp32", GFLOPS: 300, BF16: 1200}
	turns := madeUpTurns(90, 100, 110)
	for range 3 {
		turns.add(0.1)
		turns.add(0.2)
	}
	if len(turns.mean) != 3 || turns.spent != 0 {
		t.Fatalf("%d turns in 0.9 s, %g s left", len(turns.mean), turns.spent)
	}
	s := m.result(b, turns)
	gflops := c.flops(m.params, 0) / 1e9 / 0.052
	if s.Limit != 100 || math.Abs(s.Share-gflops/100) > 1e-9 || len(b.Faults) > 0 {
		t.Errorf("%g GFLOP/s are %g of %g, %q", gflops, s.Share, s.Limit, b.Faults)
	}
	var out strings.Builder
	b.Steps = []Step{*s}
	if err := b.Print(&out); err != nil || !strings.Contains(out.String(), ", 76.7 % of the 100 measured in turns with the steps;") {
		t.Errorf("%v: %s", err, out.String())
	}
	b.Precision = "bf16"
	if s := m.result(b, turns); s.Limit != 400 {
		t.Errorf("of products of bf16 %g GFLOP/s", s.Limit)
	}
}

// A program that seems to be faster than the processor is an error of the measurement, and has no share.
func TestBenchShareAboveOneIsAFault(t *testing.T) {
	c := Configs[0]
	b := &Result{Precision: "fp32", GFLOPS: 300}
	m := meter{config: c, params: 800_000, steps: []float64{0.052}, total: 0.052}
	b.Steps = []Step{*m.result(b, madeUpTurns(50))}
	b.Peers = []Beside{{Config: c, Name: "hone"}, {Config: c, Name: "torch", TokensPerSecond: 1}}
	const fault = "the step of nano: 76.7 GFLOP/s, while multiply-adds alone reached 50.0 in turns with it"
	if b.Steps[0].Share != 0 || len(b.Faults) != 1 || b.Faults[0] != fault {
		t.Fatalf("a share of %g, %q", b.Steps[0].Share, b.Faults)
	}
	var table, markdown strings.Builder
	if err := b.Print(&table); err != nil {
		t.Fatal(err)
	}
	if err := b.Markdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{table.String(), markdown.String()} {
		if !strings.Contains(text, fault) || strings.Contains(text, "153") {
			t.Errorf("a share is printed, or its fault is not: %s", text)
		}
	}
	if !strings.Contains(table.String(), ", – % of the 50 measured in turns") {
		t.Error(table.String())
	}
}

// An TestBenchOpsAreOfTurns that memory would not let through so fast had its operands in a cache;
// arithmetic has no such way out.
func TestBenchOpsAreOfTurns(t *testing.T) {
	c := Configs[0]
	_, p, err := c.program()
	if err != nil {
		t.Fatal(err)
	}
	limits := cpu.Limits{GFLOPS: 100, Bandwidth: 10}
	lines := func(times float64) ([]Op, []string) {
		o := &ops{p: p}
		for i := range p.Instrs {
			flops, bytes := p.Cost(i)
			o.took = append(o.took, []float64{times * max(flops/100e9, bytes/10e9)})
		}
		b := &Result{Precision: "fp32"}
		return o.lines(c.Name, c.seen, b, limits), b.Faults
	}
	slow, faults := lines(2)
	for _, l := range slow {
		if l.Limit != "flops" && l.Limit != "bytes" || !(l.Share > 0.2 && l.Share < 0.51) {
			t.Errorf("twice its limit: %+v", l)
		}
	}
	if len(faults) > 0 {
		t.Errorf("%q", faults)
	}
	fast, faults := lines(0.5)
	cached, impossible := 0, 0
	for _, l := range fast {
		switch {
		case l.Limit == "cache" && l.Share == 0:
			cached++
		case l.Limit == "flops" && l.Share == 0:
			impossible++
		case l.Share > 1:
			t.Errorf("%+v", l)
		}
	}
	if cached == 0 || impossible == 0 || len(faults) != impossible {
		t.Errorf("%d from a cache, %d impossible, %q", cached, impossible, faults)
	}
}

// What a comparison takes is its steps' time and its peer's starts.
func TestPeerSeconds(t *testing.T) {
	const starts = 2*peerStarts + peerCompiles
	for _, c := range []struct{ step, seconds, want float64 }{
		{0.1, 8, starts + (warmUp+4*20)*0.1*(1+2*peerStep)}, // 20 steps in a turn of 2 s
		{5, 8, starts + (warmUp+4)*5*(1+2*peerStep)},        // one step, though it takes longer
	} {
		flops := c.step * honeMultiples * 100e9
		if got := peerSeconds(flops, 100, c.seconds); math.Abs(got-c.want) > 1e-6 {
			t.Errorf("a step of %g s: %g s, want %g", c.step, got, c.want)
		}
	}
}

package run

import (
	"math"
	"testing"

	"hone/trainer/exec/cpu"
)

// What a run logs as its share of the machine's limit is none where it comes to more than
// that, once the limit has been measured again.
func TestMFUIsNoMoreThanOne(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	w := &runner{dev: dev, limits: map[bool]float64{false: 100}}
	if share := w.mfu(false, 60); share != 0.6 {
		t.Errorf("60 of 100: %v", share)
	}
	if share := w.mfu(false, 110); !(share > 0 && share < 1e-3) {
		t.Errorf("110 FLOP/s, where the limit has risen to %g: %v", w.limits[false], share)
	}
	if share := w.mfu(false, 1e30); !math.IsNaN(float64(share)) {
		t.Errorf("1e30 FLOP/s: %v", share)
	}
}

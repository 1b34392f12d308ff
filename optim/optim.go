// Package optim emits parameter updates as instructions over the arenas of a
// model, and gives learning-rate schedules and the order in which the gradients of
// micro-batches are combined.
package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"hone/trainer/exec"
)

// Config says which optimiser, with torch.optim's names for its numbers. LR is the
// schedule's peak; the rate of each step is fed (see Scalars).
type Config struct {
	Name         string  // "adamw", or "muon": with AdamW where Muon has no say
	LR           float64 // ≥ 0
	Beta1, Beta2 float64 // in [0, 1)
	Eps          float64 // > 0
	WeightDecay  float64 // ≥ 0, on parameters with Decay alone
	MaxGradNorm  float64 // clip the whole gradient to this 2-norm; 0: never
}

// A Tensor is a part of an optimiser's state, for checkpoints.
type Tensor struct {
	Name   string // torch's state name and the parameter's: "exp_avg.transformer.wte.weight"
	DType  exec.DType
	Shape  []int
	Offset int // bytes, in the state arena
}

// An Optimizer updates all trainable parameters of a layout from the gradient arena.
// Its state lies in the state arena from offset 0 on; what else a trainer keeps
// there (see Accumulator) comes after Bytes.
type Optimizer interface {
	// Update emits the update. It declares the input "scalars" (3) float64, fed from
	// Scalars, and the output "norm2" (1) float64: the gradient's squared 2-norm before
	// clipping.
	Update(b *exec.Builder, l *exec.Layout)
	// State names the tensors to save, in arena order.
	State(l *exec.Layout) []Tensor
	// Bytes is the size of the state, a multiple of 64.
	Bytes(l *exec.Layout) int
}

var names = []string{"adamw", "muon"}

// New makes an optimiser. Its error holds every fault of cfg.
func New(cfg Config) (Optimizer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Name == "muon" {
		return newMuon(cfg), nil
	}
	return newAdamW(cfg), nil
}

func (c *Config) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("optim: "+format, args...))
		}
	}
	if !slices.Contains(names, c.Name) {
		faults = append(faults, unknown("optimizer", c.Name, names))
	}
	nonNegative := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) } // a NaN is not ≥ 0
	check(nonNegative(c.LR), "learning rate %g: want a number ≥ 0", c.LR)
	check(c.Beta1 >= 0 && c.Beta1 < 1, "beta1 %g: want 0 ≤ beta1 < 1", c.Beta1)
	check(c.Beta2 >= 0 && c.Beta2 < 1, "beta2 %g: want 0 ≤ beta2 < 1", c.Beta2)
	// Zero would make 0/0 of elements that never had a gradient, the padding among them.
	check(float32(c.Eps) > 0 && !math.IsInf(c.Eps, 1), "epsilon %g: want a number > 0 in float32", c.Eps)
	check(nonNegative(c.WeightDecay), "weight decay %g: want a number ≥ 0", c.WeightDecay)
	check(nonNegative(c.MaxGradNorm), "maximum gradient norm %g: want a number ≥ 0 (0: no clipping)", c.MaxGradNorm)
	return errors.Join(faults...)
}

// Scalars is what the input "scalars" is fed: the learning rate, the number of this
// update counted from 1 (of the bias corrections), and the norm to clip to.
func (c *Config) Scalars(lr float64, update int) [3]float64 {
	return [3]float64{lr, float64(update), c.MaxGradNorm}
}

// unknown is the error for a name outside a closed set. A recipe names the nearest
// one before it comes here.
func unknown(what, got string, known []string) error {
	return fmt.Errorf("optim: unknown %s %q; known: %s", what, got, strings.Join(known, ", "))
}

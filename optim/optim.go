// Package optim emits the updates of a model's parameters as instructions over its
// arenas. It also has the learning-rate schedules, and the order in which the
// gradients of micro-batches are added.
package optim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"hone/trainer/exec"
)

// Config is the configuration of an optimiser; its fields have torch.optim's names. LR is
// the peak of the schedule; the learning rate of each step is an input of the program
// (see Scalars).
type Config struct {
	Name         string  // one of Names
	LR           float64 // ≥ 0
	Beta1, Beta2 float64 // in [0, 1); Adafactor and SGD have none
	Momentum     float64 // of SGD, in [0, 1)
	Eps          float64 // > 0; Adafactor's eps1; SGD and Lion have none
	WeightDecay  float64 // ≥ 0; only for parameters with Decay
	MaxGradNorm  float64 // 2-norm that the whole gradient is clipped to; 0: no clipping
	// LayerDecay is the factor of the learning rate from a layer to the one below it, as ELECTRA's layer-wise decay (Clark et
	// al. 2020): LayerDecay^ParamInfo.Above; 0: 1.
	LayerDecay float64
	EMADecay   float64 // in [0, 1): decay of an exponential moving average of the weights; 0: no average
}

// Names of the optimisers:
//
//	adamw      Loshchilov & Hutter 2019, as torch.optim.AdamW
//	muon       Jordan et al. 2024, as torch.optim.Muon, for the weights of hidden layers; AdamW for the rest
//	sgd        with momentum, as torch.optim.SGD: weight decay is part of the gradient
//	adafactor  Shazeer & Stern 2018, as torch.optim.Adafactor: the learning rate is relative to a
//	           parameter's root mean square, and at most 1/√step
//	lion       Chen et al. 2023; it needs a learning rate 3 to 10 times smaller than AdamW's
//	lamb       You et al. 2020, for parameters with Decay; AdamW for the rest, as in its authors' code
var Names = []string{"adamw", "muon", "sgd", "adafactor", "lion", "lamb"}

// A Tensor is a part of an optimiser's state, for checkpoints.
type Tensor struct {
	Name   string // torch's state name and the parameter's: "exp_avg.transformer.wte.weight"
	DType  exec.DType
	Shape  []int
	Offset int // byte offset in the state arena
}

// An Optimizer updates all trainable parameters of a layout from the gradient arena.
// Its state takes the first Bytes of the state arena; what else a trainer keeps there
// (see Accumulator) follows it.
type Optimizer struct {
	cfg  Config
	rule rule
}

// A rule is what differs between optimisers.
type rule interface {
	emit(b *exec.Builder, l *exec.Layout, in inputs)
	state(l *exec.Layout) []Tensor // in arena order
	bytes(l *exec.Layout) int      // of the state, a multiple of 64
}

// inputs are what every update reads.
type inputs struct{ scalars, norm2 exec.ID }

// New makes an optimiser. Its error lists every fault of cfg; all of them are faults of the
// user's input (exit code 2).
func New(cfg Config) (*Optimizer, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	o := &Optimizer{cfg: cfg}
	switch cfg.Name {
	case "adamw":
		o.rule = newAdamW(cfg)
	case "muon":
		o.rule = newMuon(cfg)
	case "sgd", "lion":
		o.rule = newMomentum(cfg)
	case "adafactor":
		o.rule = &adafactor{cfg}
	case "lamb":
		o.rule = newLAMB(cfg)
	}
	return o, nil
}

// Update emits the update of all trainable parameters. It declares the input "scalars",
// float64 of shape (3), which Scalars fills, and the output "norm2", float64 of shape (1):
// the squared 2-norm of the gradient before clipping.
func (o *Optimizer) Update(b *exec.Builder, l *exec.Layout) {
	in := inputs{b.Input("scalars", exec.F64, 3), b.Scratch("norm2", exec.F64, 1)}
	b.Emit(exec.OpSumSquares, []exec.ID{wholeGrad(b, l)}, []exec.ID{in.norm2}, exec.Attrs{}, "grad")
	b.Output("norm2", in.norm2)
	o.rule.emit(b, l, in)
	o.average(b, l, in)
}

// State lists the tensors to save, in the order of the arena. Where an average is kept, a
// checkpoint is saved after Exchange: its model has the average as weights, and the tensors
// weights.NAME are the weights that training continues from.
func (o *Optimizer) State(l *exec.Layout) []Tensor {
	return append(o.rule.state(l), o.averages(l)...)
}

// Bytes is the size of the state in bytes, a multiple of 64.
func (o *Optimizer) Bytes(l *exec.Layout) int {
	n := o.rule.bytes(l)
	if o.Averages() {
		n += l.GradBytes()
	}
	return n
}

func (c *Config) validate() error {
	var faults []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("optim: "+format, args...))
		}
	}
	if !slices.Contains(Names, c.Name) {
		faults = append(faults, unknown("optimizer", c.Name, Names))
	}
	nonNegative := func(x float64) bool { return x >= 0 && !math.IsInf(x, 1) } // false for NaN
	check(nonNegative(c.LR), "learning rate %g: want a number ≥ 0", c.LR)
	check(c.Beta1 >= 0 && c.Beta1 < 1, "beta1 %g: want 0 ≤ beta1 < 1", c.Beta1)
	check(c.Beta2 >= 0 && c.Beta2 < 1, "beta2 %g: want 0 ≤ beta2 < 1", c.Beta2)
	check(c.Momentum >= 0 && c.Momentum < 1, "momentum %g: want 0 ≤ momentum < 1", c.Momentum)
	check(c.EMADecay >= 0 && c.EMADecay < 1, "ema decay %g: want 0 ≤ decay < 1 (0: no average)", c.EMADecay)
	// With an epsilon of zero, elements that never had a gradient, padding included, would become 0/0.
	switch {
	case c.Name == "sgd" || c.Name == "lion": // have none
	case c.Name == "adafactor": // uses the square of epsilon
		check(float32(c.Eps*c.Eps) > 0 && !math.IsInf(c.Eps, 1), "epsilon %g: want a number > 0 whose square is > 0 in float32, such as 1e-8", c.Eps)
	default:
		check(float32(c.Eps) > 0 && !math.IsInf(c.Eps, 1), "epsilon %g: want a number > 0 in float32", c.Eps)
	}
	check(nonNegative(c.WeightDecay), "weight decay %g: want a number ≥ 0", c.WeightDecay)
	check(c.LayerDecay >= 0 && c.LayerDecay <= 1, "layer decay %g: want 0 < decay ≤ 1 (0: 1)", c.LayerDecay)
	check(nonNegative(c.MaxGradNorm), "maximum gradient norm %g: want a number ≥ 0 (0: no clipping)", c.MaxGradNorm)
	return errors.Join(faults...)
}

// Scalars is the value of the input "scalars": the learning rate, the number of the update
// counted from 1 (for the bias corrections), and the norm that the gradient is clipped to.
func (c *Config) Scalars(lr float64, update int) [3]float64 {
	return [3]float64{lr, float64(update), c.MaxGradNorm}
}

// rate is the factor of a parameter's learning rate; 0: 1.
func (c *Config) rate(p *exec.ParamInfo) float64 {
	if c.LayerDecay == 0 || c.LayerDecay == 1 {
		return 0
	}
	return math.Pow(c.LayerDecay, float64(p.Above))
}

// unknown is the error for a name that is not among the known ones. Recipes check names
// before, and suggest the nearest one.
func unknown(what, got string, known []string) error {
	return fmt.Errorf("optim: unknown %s %q; known: %s", what, got, strings.Join(known, ", "))
}

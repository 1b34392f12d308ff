package run

import (
	"slices"
	"strings"

	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// A Device is what a run computes on.
type Device interface {
	exec.Device
	Threads() int
	// PeakFLOPS and PeakBF16 measure the limit of products, GFLOP/s.
	PeakFLOPS(threads int) float64
	PeakBF16(threads int) float64
}

// OpenDevice opens the device of this machine, for products of bf16 too if they are asked for;
// threads 0 is one for each core. This file is the one place that names a device: everything else
// takes the one that it is given. An error is recipes.ErrInput.
func OpenDevice(threads int, bf16 bool) (Device, error) {
	dev, err := cpu.New(cpu.Options{Threads: threads, BF16: bf16})
	if err != nil {
		return nil, recipes.Input(err)
	}
	return dev, nil
}

// openDevice opens the one that runs all stages of a recipe.
func openDevice(r *recipes.Recipe) (Device, error) {
	return OpenDevice(r.Threads, slices.ContainsFunc(r.Stages, func(s recipes.Stage) bool { return s.BF16() }))
}

// precision says what the device lacks for one of recipes.Precisions; nil: nothing.
func precision(name string) error { return cpu.CheckPrecision(name, "") }

// machine describes where a run runs.
func machine() string { return cpu.Machine() }

// kindOf is the kind of a device, and its kernel set.
func kindOf(dev exec.Device) (kind, kernels string) {
	kind, kernels, _ = strings.Cut(dev.Name(), "/")
	return kind, kernels
}

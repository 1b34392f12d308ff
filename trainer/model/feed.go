package model

import (
	"fmt"

	"hone/trainer/exec"
)

// A Feed is what the host gives a program; see Inputs. Fields that the program does not
// take are nil, except Rng and Seed, which only a training program looks at.
type Feed struct {
	Tokens, Segments, Positions, Order, Targets []int32   // (R)
	Weights                                     []float32 // (R)
	Pool, Labels                                []int32   // (S)
	LabelWeights                                []float32 // (S)
	Rng                                         [4]int32  // seed low, seed high, step, micro-batch
	Seed                                        float32   // factor of all gradients, usually 1/NumTargets
}

// Feed copies the inputs to the device. A field too many or too few is an error.
func (n *Network) Feed(x *exec.Executor, f *Feed) error {
	for _, v := range [...]struct {
		name string
		data []int32
	}{
		{"tokens", f.Tokens}, {"segments", f.Segments}, {"positions", f.Positions}, {"order", f.Order},
		{"targets", f.Targets}, {"pool", f.Pool}, {"labels", f.Labels},
	} {
		if use, err := takes(x, v.name, v.data != nil); err != nil {
			return err
		} else if use {
			if err := exec.Feed(x, v.name, v.data); err != nil {
				return fmt.Errorf("model: %w", err)
			}
		}
	}
	n.seed[0] = f.Seed
	for _, v := range [...]struct {
		name string
		data []float32
	}{
		{"weights", f.Weights}, {"label_weights", f.LabelWeights},
	} {
		if use, err := takes(x, v.name, v.data != nil); err != nil {
			return err
		} else if use {
			if err := n.feedFloats(x, v.name, v.data); err != nil {
				return err
			}
		}
	}
	named := x.Program().Named
	if _, ok := named["seed"]; ok {
		if err := n.feedFloats(x, "seed", n.seed[:]); err != nil {
			return err
		}
	}
	if _, ok := named["rng"]; ok {
		if err := exec.Feed(x, "rng", f.Rng[:]); err != nil {
			return fmt.Errorf("model: %w", err)
		}
	}
	return nil
}

func takes(x *exec.Executor, name string, given bool) (bool, error) {
	_, ok := x.Program().Named[name]
	switch {
	case ok && !given:
		return false, fmt.Errorf("model: program %s: %s is not fed", x.Program().Name, name)
	case !ok && given:
		return false, fmt.Errorf("model: program %s: %s is fed, but there is no such input", x.Program().Name, name)
	}
	return ok, nil
}

func (n *Network) feedFloats(x *exec.Executor, name string, data []float32) error {
	var err error
	if n.layout.DType == exec.F32 {
		err = exec.Feed(x, name, data)
	} else {
		n.wide = n.wide[:0]
		for _, v := range data {
			n.wide = append(n.wide, float64(v))
		}
		err = exec.Feed(x, name, n.wide)
	}
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}

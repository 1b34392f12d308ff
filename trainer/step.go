package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"

	"hone/checkpoint"
	"hone/data"
	"hone/trainer/exec"
)

// forwardBackward runs the training program on one micro-batch, with the seed
// 1/NumTargets of the whole global batch, so that accumulation changes nothing.
func (t *Trainer) forwardBackward(run func() error, b *data.Batch, micro int) error {
	f := t.feed
	f.Batch(b)
	f.Slots = t.slots(micro)
	f.Seed = 1 / float32(b.NumTargets)
	if t.vectors != nil { // whose loss has it
		f.Seed, f.Cotangents = 1, t.vectors.Cotangents(micro)
	}
	f.Rng = t.random(micro)
	if err := t.net.Feed(t.train, &f.Feed); err != nil {
		return err
	}
	return run()
}

// random keys the random numbers of a micro-batch.
func (t *Trainer) random(micro int) [4]int32 {
	return [4]int32{int32(t.cfg.Seed), int32(t.cfg.Seed >> 32), int32(t.step), int32(micro)}
}

// compare lays in which texts of the step are compared with which. Where they are in several micro-batches, it makes
// the vectors of all, with the dropout that they will have again, and gives the loss, whose gradients for the vectors
// forwardBackward takes. In other trainings it does nothing.
func (t *Trainer) compare() (loss float64, err error) {
	if t.net.Contrast() == nil {
		return 0, nil
	}
	f, c := t.feed, &t.cfg.Data
	f.Compare(t.batches, c.Slots())
	if t.vectors == nil {
		return 0, nil
	}
	for m, b := range t.batches {
		f.Batch(b)
		f.Rng, f.Cotangents = t.random(m), nil
		x := t.vectors.Executor()
		if err := t.net.Feed(x, &f.Feed); err != nil {
			return 0, err
		}
		if err := x.Run(); err != nil {
			return 0, err
		}
		if err := t.vectors.Add(m); err != nil {
			return 0, err
		}
	}
	return t.vectors.Run(f.Contrasted, 1/float32(t.batches[0].NumTargets))
}

// slots are the memories that a micro-batch reads and writes, in a model that has any. Each micro-batch has its own;
// a step writes to other slots than it reads, for the next step, so that it can run again.
func (t *Trainer) slots(micro int) [2]int32 {
	n, odd := len(t.combine), t.step%2
	return [2]int32{int32(odd*n + micro), int32((1-odd)*n + micro)}
}

// loss is the sum over the micro-batch's targets.
func (t *Trainer) loss() (float64, error) {
	return t.readFloat(t.train, "loss", t.net.Layout().DType)
}

func (t *Trainer) readFloat(x *exec.Executor, name string, dt exec.DType) (float64, error) {
	if dt == exec.F64 {
		err := exec.Read(x, name, t.wide[:1])
		return t.wide[0], err
	}
	err := exec.Read(x, name, t.narrow[:])
	return float64(t.narrow[0]), err
}

// clipAndUpdate runs the optimiser's program and returns the gradient's norm.
func (t *Trainer) clipAndUpdate() (float64, error) {
	if err := t.update.Run(); err != nil {
		return 0, err
	}
	norm2, err := t.readFloat(t.update, "norm2", exec.F64)
	if err != nil {
		return 0, err
	}
	if math.IsNaN(norm2) || math.IsInf(norm2, 0) {
		return 0, t.explain("the gradient is not finite")
	}
	return math.Sqrt(norm2), nil
}

// A DivergedError says that a loss, a gradient, weights or another figure of a training is not finite.
type DivergedError struct {
	Step int
	What string // the loss is NaN
	err  error  // all that is known; nil: What
}

func (e *DivergedError) Error() string {
	if e.err == nil {
		return e.What
	}
	return e.err.Error()
}

func (e *DivergedError) Unwrap() error { return e.err }

// explain runs the step in progress again with every output checked, and names the first operation whose result is
// not finite. The weights are still those of the step, since an update with a gradient that is not finite writes
// nothing.
func (t *Trainer) explain(what string) error {
	diverged := func(err error) error { return &DivergedError{t.step + 1, what, err} }
	loader, err := data.NewLoader(t.cfg.Data, t.start)
	if err != nil {
		return fmt.Errorf("%s; and its batch cannot be read again: %w", what, err)
	}
	defer loader.Close()
	t.batches = t.batches[:0]
	for range t.combine {
		b, err := loader.Next(context.Background())
		if err != nil {
			return fmt.Errorf("%s; and its batch cannot be read again: %w", what, err)
		}
		t.batches = append(t.batches, b)
	}
	if _, err := t.compare(); err != nil {
		return fmt.Errorf("%s; and its vectors cannot be compared again: %w", what, err)
	}
	for m, b := range t.batches {
		err = t.forwardBackward(t.train.RunChecked, b, m)
		var nf *exec.NonFiniteError
		if errors.As(err, &nf) {
			return diverged(fmt.Errorf("%s; first in micro-batch %d: %w; a lower learning_rate or max_grad_norm may help", what, m, nf))
		}
		if err != nil {
			return fmt.Errorf("%s; and a checked rerun failed: %w", what, err)
		}
	}
	return diverged(fmt.Errorf("%s, yet a checked rerun of its %d micro-batches found every value finite: the sum over them overflows", what, len(t.combine)))
}

func (t *Trainer) lastGood() string {
	c, err := checkpoint.Latest(t.cfg.Dir, nil)
	if err != nil || c == nil {
		return "; no checkpoint had been saved"
	}
	return "; the last good checkpoint is " + c.Dir
}

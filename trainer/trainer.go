// Package trainer trains models: it takes batches, runs the step's program on each micro-batch, combines the
// gradients, updates the weights, and keeps checkpoints. Pretraining and fine-tuning differ only in the objective, the
// head and the initial weights.
package trainer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"hone/checkpoint"
	"hone/data"
	"hone/optim"
	"hone/trainer/exec"
	"hone/trainer/feed"
	"hone/trainer/model"
)

// Config is what a Trainer needs to know beside the model and the data.
type Config struct {
	Dir         string // of the stage: checkpoints lie in Dir/checkpoints
	Steps       int
	Seed        uint64
	Data        data.Config
	Schedule    optim.Schedule
	MaxGradNorm float64 // 0: no clipping
	SaveDue     Due
	Retention   checkpoint.Retention // its metric is the one that hooks set
	Stopping    Stopping
	Hooks       []Hook
	Manifest    checkpoint.Manifest // what every checkpoint of this stage says of itself
	Files       []checkpoint.File   // further files of every checkpoint: config.json, tokenizer.json
	Adapter     map[string]string   // checkpoints hold what is trained alone, an adapter with this metadata; nil: the whole model
	Say         func(line string)   // for the run's log
}

// Stopping ends a training early: after Patience values of Retention's metric in a row that are not better than the
// best one before them by more than Threshold, as transformers' EarlyStoppingCallback does. Patience 0: never.
type Stopping struct {
	Patience  int
	Threshold float64
}

// Due says whether something that happens at intervals is due at a step, given the time since it last happened.
type Due func(step int, since time.Duration) bool

// A Hook is called after each step at which it is due, and after the last one.
type Hook struct {
	Due Due
	Do  func(ctx context.Context, t *Trainer, s StepInfo) error
}

// StepInfo is what one step did.
type StepInfo struct {
	Step     int     // 1 is the first
	Tokens   int64   // seen by the stage so far, padding not counted
	Loss     float64 // mean over the step's targets, in nats
	LR       float64
	GradNorm float64 // before clipping
	Seconds  float64 // of this step
	DataWait float64 // of these, seconds spent waiting for the loader
	Padding  float64 // share of the step's positions
}

// A Trainer holds one stage of training.
type Trainer struct {
	cfg     Config
	net     *model.Network
	opt     *optim.Optimizer
	loader  *data.Loader
	train   *exec.Executor
	update  *exec.Executor
	combine []*exec.Executor // after each micro-batch of a step
	// exchange puts the averaged weights in the network, and back; nil: none are kept.
	exchange *exec.Executor

	step    int
	info    StepInfo // of that step, once this process or the one before it has done it
	tokens  int64
	start   data.Cursor // where the step in progress began, for a checked rerun
	cursor  data.Cursor // where the next step begins
	pending bool        // the hooks of the step have not been called
	metrics map[string]float64
	files   []checkpoint.File // of the present weights
	best    float64
	hasBest bool
	isBest  bool // the present weights are the best so far
	waited  int  // values since one was better; see Stopping
	feed    *feed.Feed
	vectors *model.VectorLoss // of texts that are compared across the micro-batches of a step; nil: there are none
	batches []*data.Batch     // of the step in progress
	// What the host feeds and reads each step.
	wide   [3]float64
	narrow [1]float32
	chunk  []byte // of a save
}

// New prepares a stage: it resumes from the newest good checkpoint in the stage's
// directory, or starts from the network's weights as they are.
func New(net *model.Network, opt *optim.Optimizer, cfg Config) (*Trainer, error) {
	cfg.Data = cfg.Data.WithDefaults()
	t := &Trainer{cfg: cfg, net: net, opt: opt}
	if err := t.programs(); err != nil {
		return nil, fmt.Errorf("trainer: %w", err)
	}
	if err := t.resume(); err != nil {
		return nil, fmt.Errorf("trainer: %w", err)
	}
	return t, nil
}

// StateBytes is the size of the state arena that a stage needs: the optimiser's
// moments, and one gradient arena for each level of the accumulation tree.
func StateBytes(l *exec.Layout, opt *optim.Optimizer, micro int) int {
	acc := optim.Accumulator{Layout: l}
	return opt.Bytes(l) + acc.Bytes(micro)
}

func (t *Trainer) programs() error {
	c := &t.cfg.Data
	var err error
	slots := c.Slots()
	t.feed = feed.New(t.net, slots)
	length, _ := c.Lengths()
	t.train, err = t.net.Executor(model.Train, c.MicroBatchSize, length, slots)
	if err != nil {
		return err
	}
	if micro := c.BatchSize / c.MicroBatchSize; t.net.Contrast() != nil && micro > 1 {
		if t.vectors, err = model.NewVectorLoss(t.net, micro, c.MicroBatchSize, length, slots); err != nil {
			return err
		}
	}
	b := exec.NewBuilder("update")
	t.opt.Update(b, t.net.Layout())
	p, err := b.Program()
	if err != nil {
		return err
	}
	if t.update, err = exec.NewExecutor(t.net.Memory(), p); err != nil {
		return err
	}
	if t.opt.Averages() {
		b := exec.NewBuilder("exchange")
		t.opt.Exchange(b, t.net.Layout())
		if p, err = b.Program(); err != nil {
			return err
		}
		if t.exchange, err = exec.NewExecutor(t.net.Memory(), p); err != nil {
			return err
		}
	}
	acc := optim.Accumulator{Layout: t.net.Layout(), Offset: t.opt.Bytes(t.net.Layout())}
	micro := c.BatchSize / c.MicroBatchSize
	for m := range micro {
		b := exec.NewBuilder(fmt.Sprintf("combine.%d", m))
		adds, store := optim.Carry(m, micro)
		for _, level := range adds {
			acc.Add(b, level)
		}
		if store >= 0 {
			acc.Stash(b, store)
		}
		p, err := b.Program()
		if err != nil {
			return err
		}
		x, err := exec.NewExecutor(t.net.Memory(), p)
		if err != nil {
			return err
		}
		t.combine = append(t.combine, x)
	}
	return nil
}

// Step is the number of steps done.
func (t *Trainer) Step() int { return t.step }

// Executors of a step, for profiling: the training program's, those that combine the
// gradients of micro-batches, the update's.
func (t *Trainer) Executors() []*exec.Executor {
	return slices.Concat([]*exec.Executor{t.train}, t.combine, []*exec.Executor{t.update})
}

// Cursor is where the next step begins in the data.
func (t *Trainer) Cursor() data.Cursor { return t.cursor }

// Read counts what this Trainer has read: nothing, if there was no step left to do.
func (t *Trainer) Read() data.Stats {
	if t.loader == nil {
		return data.Stats{}
	}
	return t.loader.Stats()
}

// Network is the model in training.
func (t *Trainer) Network() *model.Network { return t.net }

// SetMetric records a validation metric of the present weights. The next checkpoint
// carries it; the one with the best value of Retention.Metric is always saved and kept.
func (t *Trainer) SetMetric(name string, value float64) {
	if t.metrics == nil {
		t.metrics = map[string]float64{}
	}
	// A number that JSON cannot hold is no metric: a checkpoint without it is never the best.
	finite := !math.IsNaN(value) && !math.IsInf(value, 0)
	if t.metrics[name] = value; !finite {
		delete(t.metrics, name)
	}
	r := t.cfg.Retention
	if name != r.Metric {
		return
	}
	t.isBest = finite && (!t.hasBest || r.HigherIsBetter && value > t.best || !r.HigherIsBetter && value < t.best)
	t.waited++
	if t.isBest && (!t.hasBest || math.Abs(value-t.best) > t.cfg.Stopping.Threshold) {
		t.waited = 0
	}
	if t.isBest {
		t.best, t.hasBest = value, true
	}
}

// SetFile gives the next checkpoint a further file, if it is of the present weights, like SetMetric.
func (t *Trainer) SetFile(f checkpoint.File) { t.files = append(t.files, f) }

// Stopped says that the training ends before its last step; see Stopping.
func (t *Trainer) Stopped() bool {
	return t.cfg.Stopping.Patience > 0 && t.waited >= t.cfg.Stopping.Patience
}

// Run trains to the last step, or until it is Stopped. When ctx ends, the step in progress is finished, or its hooks are abandoned, to be
// called when the stage is resumed; then a checkpoint is saved, and ctx's error is returned.
func (t *Trainer) Run(ctx context.Context) error {
	ended := func() bool { return t.step >= t.cfg.Steps || t.Stopped() }
	if !ended() {
		loader, err := data.NewLoader(t.cfg.Data, t.cursor)
		if err != nil {
			return fmt.Errorf("trainer: %w", err)
		}
		t.loader = loader
		defer loader.Close()
	}
	saved, savedStep := time.Now(), t.step
	interrupted := func() error {
		if t.step > savedStep {
			if err := t.save(t.pending); err != nil {
				return fmt.Errorf("trainer: step %d: %w", t.step, err)
			}
		}
		if t.step > 0 {
			t.cfg.Say(fmt.Sprintf("%s: interrupted; step %d is saved", t.cfg.Manifest.Stage, t.step))
		}
		return ctx.Err()
	}
	called := make([]time.Time, len(t.cfg.Hooks))
	for i := range called {
		called[i] = saved
	}
	for t.pending || !ended() {
		if !t.pending {
			if err := t.trainStep(ctx); err != nil {
				if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
					return interrupted()
				}
				return fmt.Errorf("trainer: step %d: %w%s", t.step+1, err, t.lastGood())
			}
			t.pending = true
		}
		if ctx.Err() != nil {
			return interrupted()
		}
		last := t.step == t.cfg.Steps
		for i, h := range t.cfg.Hooks {
			if last || h.Due(t.step, time.Since(called[i])) {
				if err := t.averaged(func() error { return h.Do(ctx, t, t.info) }); err != nil {
					if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
						return interrupted()
					}
					return fmt.Errorf("trainer: step %d: %w", t.step, err)
				}
				called[i] = time.Now()
			}
		}
		t.pending = false
		if ended() || t.isBest || t.cfg.SaveDue(t.step, time.Since(saved)) {
			if err := t.save(false); err != nil {
				return fmt.Errorf("trainer: step %d: %w", t.step, err)
			}
			saved, savedStep = time.Now(), t.step
		}
	}
	return nil
}

// averaged calls do with the averaged weights in the network, if there are any: these are evaluated and saved.
func (t *Trainer) averaged(do func() error) error {
	if t.exchange == nil {
		return do()
	}
	if err := t.exchange.Run(); err != nil {
		return err
	}
	return errors.Join(do(), t.exchange.Run())
}

// trainStep is one step: for each micro-batch, forward, loss and backward; the
// gradients combined in a binary tree; then clipping and the update. ctx may end it only
// before it has begun.
func (t *Trainer) trainStep(ctx context.Context) error {
	began := time.Now()
	before := t.loader.Stats()
	t.batches = t.batches[:0]
	for range t.combine {
		b, err := t.loader.Next(ctx)
		if err != nil {
			return err
		}
		if b.NumTargets == 0 {
			return errors.New("the batch has no target: nothing to learn from")
		}
		t.batches = append(t.batches, b)
		ctx = context.Background() // a step that has begun is finished
	}
	t.start = t.cursor
	t.isBest = false
	clear(t.metrics)
	t.files = nil
	loss, err := t.compare()
	if err != nil {
		return err
	}
	for m, combine := range t.combine {
		b := t.batches[m]
		if err := t.forwardBackward(t.train.Run, b, m); err != nil {
			return err
		}
		if t.vectors == nil {
			sum, err := t.loss()
			if err != nil {
				return err
			}
			loss += sum
		}
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return t.explain(fmt.Sprintf("the loss is %v", loss))
		}
		if err := combine.Run(); err != nil {
			return err
		}
		for _, s := range b.Seqs {
			t.tokens += int64(s.Last - s.First + 1)
		}
		t.cursor = b.Cursor
	}
	targets := t.batches[0].NumTargets
	lr := t.cfg.Schedule(t.step)
	t.wide = [3]float64{lr, float64(t.step + 1), t.cfg.MaxGradNorm}
	if err := exec.Feed(t.update, "scalars", t.wide[:]); err != nil {
		return err
	}
	norm, err := t.clipAndUpdate()
	if err != nil {
		return err
	}
	t.step++
	now := t.loader.Stats()
	t.info = StepInfo{
		Step: t.step, Tokens: t.tokens, Loss: loss / float64(targets), LR: lr, GradNorm: norm,
		Seconds: time.Since(began).Seconds(), DataWait: (now.Wait - before.Wait).Seconds(),
		Padding: float64(now.Padding-before.Padding) / float64(now.Positions-before.Positions),
	}
	return nil
}

package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"hone/checkpoint"
	"hone/eval"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

func (w *runner) stageDir(name string) string { return filepath.Join(w.o.Dir, name) }

// from opens the model that a stage starts from; nil: it starts from random weights.
func (w *runner) from(ctx context.Context, s *recipes.Stage) (from *checkpoint.Checkpoint, hash string, err error) {
	if s.From == "" {
		return nil, "", nil
	}
	c := w.start
	if !w.r.IsBase(s) {
		dir, err := w.model(ctx, s.From)
		if err != nil {
			return nil, "", fmt.Errorf("stage %s: %w", s.Name, err)
		}
		if c, err = checkpoint.Open(dir); err != nil {
			return nil, "", fmt.Errorf("stage %s: %w", s.Name, err)
		}
	}
	return c, c.Manifest.Weights(), nil
}

// train trains a stage. worked is false if it was done already.
func (w *runner) train(ctx context.Context, s *recipes.Stage) (worked bool, err error) {
	dir := w.stageDir(s.Name)
	from, fromHash, err := w.from(ctx, s)
	if err != nil {
		return false, err
	}
	done, err := readStage(dir)
	if err != nil {
		return false, err
	}
	// A changed base is a changed input of the run: once accepted, the stage goes on.
	if done != nil && done.From != fromHash && !w.r.IsBase(s) {
		w.log(fmt.Sprintf("stage %s: starts over, since the model that it starts from, %s, has changed", s.Name, s.From))
		if err := clearStage(dir, w.log); err != nil {
			return false, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		done = nil
	}
	if done != nil && max(done.Asked, done.Steps) >= s.Steps {
		if c, err := checkpoint.Open(checkpoint.FinalDir(dir)); err == nil {
			w.final[s.Name] = c.Manifest
			return false, nil
		}
		w.log(fmt.Sprintf("stage %s: its final model is damaged, and is taken from its checkpoints again", s.Name))
	}

	if t := s.TaskOf(); t != nil {
		for _, name := range s.Sources() {
			read := trainConfig(w.r, s, w.corpora, w.tok)
			if err := limits(ctx, t, w.corpora[name], read); err != nil {
				return true, recipes.Input(fmt.Errorf("stage %s: corpus %s: %w", s.Name, name, err))
			}
		}
	}
	if done == nil {
		// Noted before the first step: from another start these checkpoints must not go on.
		if err := writeStage(dir, &stageDone{From: fromHash}); err != nil {
			return true, err
		}
	}

	if _, err := w.report(); err != nil { // so far
		return true, err
	}
	bits, err := w.bitsPerByte(ctx, s)
	if err != nil {
		return true, err
	}
	ret := retention(s, bits)
	corpus := stageCorpus(w.corpora, s)
	labels := labelsOf(w.r, s, corpus)
	weights, err := classWeights(ctx, s, corpus, labels)
	if err != nil {
		return true, fmt.Errorf("stage %s: %w", s.Name, err)
	}
	if weights != nil {
		w.log(weightsNote(s, labels, weights))
	}
	trials := w.trials(s)
	for i := range trials {
		// Only a collection frees the arenas of the training before, and Go's heap is too
		// small beside them to start one.
		runtime.GC()
		t := &trials[i]
		t.row.Metric, t.row.Value = ret.Metric, metric.Missing
		err := w.trainAt(ctx, s, from, t, bits, weights)
		if err == nil {
			t.best, err = checkpoint.Best(t.dir, ret, w.log)
		}
		if err == nil && t.best == nil {
			err = fmt.Errorf("stage %s: %s: %w", s.Name, t.dir, &trainer.DivergedError{Step: t.row.Steps, What: ret.Metric + " was never finite"})
		}
		var diverged *trainer.DivergedError
		if errors.As(err, &diverged) && len(trials) > 1 {
			t.diverged = diverged
			w.log(fmt.Sprintf("stage %s: %s diverged at step %d: %s", s.Name, t.name, diverged.Step, diverged.What))
			e := report.Event{Event: "diverged", Step: diverged.Step, Stage: t.row.Curve, Detail: diverged.What}
			if err := w.metrics.Write(e); err != nil {
				return true, err
			}
			continue
		}
		if err != nil {
			return true, err
		}
		t.row.Value, t.row.BestStep = metric.Number(t.best.Manifest.Metrics[ret.Metric]), t.best.Manifest.Step
		w.log(fmt.Sprintf("stage %s: %s: best %s %.4f at step %d", s.Name, t.name, ret.Metric, t.row.Value, t.row.BestStep))
	}
	won, err := choose(s, trials, ret.HigherIsBetter)
	if err != nil {
		return true, err
	}
	if err := checkpoint.SetFinal(dir, won.best); err != nil {
		return true, err
	}
	w.final[s.Name] = won.best.Manifest
	d := stageDone{From: fromHash, Asked: s.Steps}
	if done != nil {
		d.From = done.From
	}
	d.Stage, err = w.summary(s, won)
	if err != nil {
		return true, err
	}
	if len(trials) > 1 {
		for _, t := range trials {
			d.Trials = append(d.Trials, t.row)
		}
	}
	return true, writeStage(dir, &d)
}

// retention keeps the latest checkpoints, and the best one by the validation metric.
func retention(s *recipes.Stage, bits bool) checkpoint.Retention {
	r := checkpoint.Retention{Keep: s.SaveTotalLimit}
	r.Metric, r.HigherIsBetter = eval.Best(s.Learns(), s.MetricForBestModel, bits, s.EvalGenerate)
	return r
}

// trainAt trains a stage with one of its learning rates and seeds.
func (w *runner) trainAt(ctx context.Context, s *recipes.Stage, from *checkpoint.Checkpoint, try *trial, bits bool, weights []float32) error {
	corpus, dir, rate := stageCorpus(w.corpora, s), try.dir, try.row.LearningRate
	read := trainConfig(w.r, s, w.corpora, w.tok)
	read.Seed, read.ClassWeights = try.row.Seed, weights
	if w.r.TokenCache && read.Objective.OfText() {
		if err := w.readTokens(ctx, s, &read); err != nil {
			return fmt.Errorf("stage %s: %w", s.Name, err)
		}
	}
	if read.Windows && s.RandomWindows == nil {
		w.log(windowsNote(s))
	}
	config := w.config(s)
	opt, err := recipes.NewOptimizer(s, rate)
	if err != nil {
		return err
	}
	schedule, err := recipes.NewSchedule(&s.Training, rate)
	if err != nil {
		return err
	}
	o, err := modelOptions(w.r, s, config)
	if err != nil {
		return recipes.Input(fmt.Errorf("stage %s: %w", s.Name, err))
	}
	o.State = func(l *exec.Layout) int { return trainer.StateBytes(l, opt, s.BatchSize/s.MicroBatchSize) }
	net, err := model.NewNetwork(w.dev, exec.F32, config, o)
	if err != nil {
		return err
	}
	if err := net.Init(try.row.Seed); err != nil {
		return err
	}
	origin := checkpoint.Origin{Stage: s.Name, RecipeSHA256: w.hash, Recipe: w.text, Tokenizer: w.tokSum, Corpora: w.provenance(s, read.Mixture)}
	kind, _ := kindOf(w.dev)
	manifest := checkpoint.Manifest{
		Hone: recipes.Version(), Stage: s.Name, Kernels: w.dev.Name(), Device: kind,
		Provenance: []checkpoint.Origin{origin},
	}
	if from != nil {
		load := pretrained.Load
		if _, other := keptLabels(w.r, s, corpus); other != nil && w.r.IsBase(s) && w.r.Base.Head != model.LanguageModel {
			if w.r.Base.Head == model.Classifier {
				w.log(fmt.Sprintf("stage %s: does not use the trained head of %s: %v", s.Name, s.From, other))
			}
			load = pretrained.LoadBody
		}
		fresh, err := load(net, from)
		if err != nil {
			return fmt.Errorf("stage %s: %w", s.Name, err)
		}
		if s.Adapter != nil {
			if err := net.StartMagnitudes(); err != nil {
				return err
			}
			if left := frozen(net, fresh); len(left) > 0 {
				return recipes.Input(fmt.Errorf("stage %s: %s lacks %s, which would stay random: name its module in modules_to_save", s.Name, s.From, strings.Join(left, ", ")))
			}
		}
		w.log(fmt.Sprintf("stage %s: starts from %s (step %d); new parameters: %v", s.Name, s.From, from.Manifest.Step, fresh))
		manifest.Provenance = from.Manifest.Chain(origin)
	}
	w.params[s.Name] = net.Layout().Elems()
	configJSON, err := net.Config().JSON()
	if err != nil {
		return err
	}
	files, err := w.tokenizerFiles(s, config)
	if err != nil {
		return err
	}
	files = append(files, checkpoint.BytesFile(checkpoint.ConfigFile, configJSON))
	if s.Loss != "" {
		text, err := w.r.Sentence(s).JSON()
		if err != nil {
			return err
		}
		files = append(files, checkpoint.BytesFile(pretrained.SentenceFile, text))
	}
	if t := w.r.StageTask(s); t != nil {
		text, err := t.TOML()
		if err != nil {
			return err
		}
		files = append(files, checkpoint.BytesFile(recipes.TaskFile, text))
	}

	var made map[string]string // an adapter's metadata
	if s.Adapter != nil {
		base, err := w.adapterBase(s, from)
		if err != nil {
			return err
		}
		text, err := pretrained.AdapterConfig(s.Adapter.LoRA(), o.Adapter, net.Config(), o.Head, base)
		if err != nil {
			return err
		}
		files, made, manifest.BaseSHA256 = append(files, checkpoint.BytesFile(checkpoint.AdapterConfigFile, text)), base.Metadata(), base.SHA256
	}

	bar := w.o.Bar(s.Name+try.note(), "steps")
	defer bar.Close()
	watch, err := w.watch(net, s, corpus, read, w.curve(dir), rate, bits, bar)
	if err != nil {
		return err
	}
	t, err := trainer.New(net, opt, trainer.Config{
		Dir: dir, Steps: s.Steps, Seed: try.row.Seed,
		Data:     read,
		Schedule: schedule, MaxGradNorm: s.MaxGradNorm,
		SaveDue: s.SaveEvery.Due, Retention: retention(s, bits),
		Stopping: trainer.Stopping{Patience: s.EarlyStoppingPatience, Threshold: s.EarlyStoppingThreshold},
		Hooks:    []trainer.Hook{watch.log(), watch.evaluate()},
		Manifest: manifest,
		Files:    files,
		Adapter:  made,
		Say:      w.log,
	})
	if err != nil {
		return fmt.Errorf("stage %s: %w", s.Name, err)
	}
	if err := watch.began(t); err != nil {
		return err
	}
	if w.o.Hold != nil {
		defer w.o.Hold()()
	}
	stopped := t.Stopped() // in an earlier process, which has said so
	err = t.Run(ctx)
	try.row.Steps = t.Step()
	if err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("stage %s: %w", s.Name, err)
	}
	if t.Stopped() {
		try.row.Stopped = stoppedWords(s, retention(s, bits).Metric)
	}
	if t.Stopped() && !stopped {
		w.log(fmt.Sprintf("stage %s: stopped early at step %d: %s", s.Name, t.Step(), try.row.Stopped))
		if err := w.metrics.Write(report.Event{Event: "stopped early", Step: t.Step(), Stage: try.row.Curve, Detail: try.row.Stopped}); err != nil {
			return err
		}
	}
	if n := t.Read(); n.Truncated > 0 {
		w.log(fmt.Sprintf("stage %s: %.1f %% of the documents read were longer than a row of %d tokens, and were cut",
			s.Name, 100*float64(n.Truncated)/float64(n.Documents), read.T))
	}
	if n := t.Read(); n.Unheld > 0 {
		w.log(fmt.Sprintf("stage %s: %.1f %% of the questions read have an answer that no window of their context has whole, and were learned to have none (hint: a longer sequence_length, or a greater doc_stride of the task)",
			s.Name, 100*float64(n.Unheld)/float64(n.Documents)))
	}
	return nil
}

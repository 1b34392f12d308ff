package run

import (
	"cmp"
	"context"
	"fmt"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/eval"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// scoredTogether is the number of positions that are scored at a time, if one document has fewer.
const scoredTogether = 4096

// Evaluate scores a checkpoint on a task, on limit documents evenly spaced; 0: on all.
func Evaluate(ctx context.Context, dir string, t *task.Task, limit int, o Options) (*report.Run, error) {
	dev, err := OpenDevice(0, false)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	m, err := pretrained.Open(dev, dir, 0)
	if err != nil {
		return nil, recipes.Input(err)
	}
	bar := o.Bar("reading corpus "+t.Name, "bytes")
	spec := t.Spec
	spec.Say = o.Say
	c, err := corpus.Prepare(ctx, spec, o.Cache, recipes.Progress(bar))
	bar.Close()
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer c.Close()
	var split *corpus.Split
	for _, s := range c.Splits() {
		if s.Name == t.Split {
			split = s
		}
	}
	if split == nil {
		return nil, recipes.Input(fmt.Errorf("task %s: %s has no split %s", t.Name, t.Spec.From, t.Split))
	}
	if err := eval.CanFit(c, t.Baselines); err != nil {
		return nil, recipes.Input(fmt.Errorf("task %s: %w", t.Name, err))
	}
	var ends recipes.Tokenizer
	if tok, ok := m.Tokenizer.(*tokenizer.Pipeline); ok {
		if ends.BOS, ends.EOS, ends.Separator, err = recipes.Framing(tok, &m.Config); err != nil {
			return nil, recipes.Input(fmt.Errorf("checkpoint %s: %w", m.Checkpoint.Dir, err))
		}
	}
	if m.Head.String() != t.Kind.Head() {
		return nil, recipes.Input(fmt.Errorf("task %s: a task of kind %s needs a %s, and %s is a %v", t.Name, t.Kind, t.Kind.Head(), dir, m.Head))
	}
	length := cmp.Or(m.Config.MaxLength(), 512)
	y := &eval.Yardstick{
		Corpus: c, Split: split, Tokenizer: eval.Ordinary(m.Tokenizer), Limit: limit, Say: o.Say, Watch: watched(o.Console),
		Config: data.Config{
			Records: split, Tokenizer: m.Tokenizer, T: length,
			BatchSize: max(1, scoredTogether/length), BOS: ends.BOS, EOS: ends.EOS, Separator: ends.Separator,
		},
	}
	if task.Labelled(t.Kind) {
		if err := c.Unlabelled(split, "to compare with"); err != nil {
			return nil, recipes.Input(fmt.Errorf("task %s: %w", t.Name, err))
		}
		if y.Labels, err = c.MatchLabels(m.Config.Labels()); err != nil {
			return nil, recipes.Input(fmt.Errorf("task %s: %w", t.Name, err))
		}
		if n := split.Rows() - split.Labelled(); n > 0 {
			o.Say(fmt.Sprintf("task %s: left out %d of the %d documents of split %s, which have no label", t.Name, n, split.Rows(), split.Name))
		}
		y.Config.Objective, y.Config.Labels = data.Labelled(t.Kind), y.Labels
	} else {
		learned := recipes.Objectives(m.Config)[0]
		y.Config.Objective = learned
		if !learned.Validating(&y.Config) {
			return nil, recipes.Input(fmt.Errorf("task %s: a %s is trained by the objective %s, which gives texts no probability", t.Name, m.Config.ModelType, learned))
		}
		y.Config.Consecutive = m.Config.Memory(m.Head) > 0
	}
	kind, kernels := kindOf(dev)
	run := &report.Run{
		Recipe: "eval " + t.Name, Version: recipes.Version(),
		Machine:    report.Machine{Description: machine(), Device: kind, Kernels: kernels, Threads: dev.Threads(), PeakFLOPs: metric.Missing},
		Provenance: []report.Corpus{{Corpus: c.Provenance}},
	}
	run.Evaluations, run.Classifications, err = score(ctx, y, m.Checkpoint.Manifest.Stage, m.Net, nil, t.Baselines)
	if err != nil {
		return nil, err
	}
	return run, nil
}

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
	"hone/eval/generate"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// scoredTogether is the number of positions that are scored at a time, if one document has fewer.
const scoredTogether = 4096

// Evaluate scores a checkpoint on a task, on limit documents evenly spaced; 0: on all.
func Evaluate(ctx context.Context, dir string, t *task.Task, limit int, o Options) (*report.Run, error) {
	m, err := OpenModel(dir, pretrained.Options{}, o.Say)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	c, err := taskCorpus(ctx, t, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var split *corpus.Split
	for _, s := range c.Splits() {
		if s.Name == t.Split {
			split = s
		}
	}
	if split == nil {
		return nil, recipes.Input(fmt.Errorf("task %s: %s has no split %s: it has %s (hint: test = 0.1 in the task holds some out, as in training)", t.Name, t.Spec.From, t.Split, describeSplits(c)))
	}
	if err := eval.CanFit(c, t.Baselines, t.Kind.Labels != task.OneOf); err != nil {
		return nil, recipes.Input(fmt.Errorf("task %s: %w", t.Name, err))
	}
	y, err := taskYardstick(ctx, m.Model, t, c, split, o)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("task %s: %w", t.Name, err))
	}
	switch {
	case t.Limits.Overlap == 1:
	case c.Train == nil || c.Train.Rows() == 0 || split == c.Train:
		o.Say(fmt.Sprintf("task %s: max_overlap is not checked: %s has no split train beside split %s, and the texts that the model has learned from are not here", t.Name, t.Spec.From, t.Split))
	default:
		err = overlap(ctx, t, split, t, c.Train, "split train")
	}
	if err == nil {
		err = truncated(ctx, t, split, y.Config)
	}
	if err != nil {
		return nil, recipes.Input(err)
	}
	y.Limit = limit
	if y.Decision, err = decisionOf(m.Model); err != nil {
		return nil, err
	}
	if y.Settings, err = generate.SettingsOf(m.Checkpoint); err != nil {
		return nil, recipes.Input(err)
	}
	kind, kernels := kindOf(m.Device)
	run := &report.Run{
		Recipe: "eval " + t.Name, Version: recipes.Version(),
		Machine:    report.Machine{Description: machine(), Device: kind, Kernels: kernels, Threads: m.Device.Threads(), PeakFLOPs: metric.Missing},
		Provenance: []report.Corpus{{Corpus: c.Provenance}},
	}
	run.Evaluations, run.Classifications, err = score(ctx, y, m.Checkpoint.Manifest.Stage, m.Net, nil, t.Baselines)
	if err != nil {
		return nil, err
	}
	return run, nil
}

// taskCorpus opens the documents of a task, which Close gives up.
func taskCorpus(ctx context.Context, t *task.Task, o Options) (*corpus.Corpus, error) {
	if t.Spec.From == "" {
		return nil, recipes.Input(fmt.Errorf("task %s: source is missing: where the documents are (hint: --source PATH)", t.Name))
	}
	bar := o.Bar("reading corpus "+t.Name, "bytes")
	defer bar.Close()
	spec := t.Spec
	spec.Say = o.Say
	c, err := corpus.Prepare(ctx, spec, o.Cache, recipes.Progress(bar))
	if err != nil {
		return nil, recipes.Input(err)
	}
	return c, nil
}

// taskYardstick is a split of a corpus on which a checkpoint is scored, or which it labels.
func taskYardstick(ctx context.Context, m *pretrained.Model, t *task.Task, c *corpus.Corpus, split *corpus.Split, o Options) (*eval.Yardstick, error) {
	cfg, err := taskConfig(m, t, split)
	if err != nil {
		return nil, err
	}
	y := &eval.Yardstick{
		Corpus: c, Split: split, Tokenizer: eval.Ordinary(m.Tokenizer), Say: o.Say, Watch: watched(o.Console), Config: cfg,
	}
	if !t.Kind.Labelled() {
		return y, nil
	}
	if t.Kind.Losses != nil {
		if y.Sentence, err = howOf(m, ""); err != nil {
			return nil, err
		}
		y.Config.Prompts = recipes.PromptsOf(y.Sentence)
	}
	if !t.Plain() {
		if err := surveyTask(ctx, t, c, nil, o.Say); err != nil {
			return nil, err
		}
	} else {
		if err := c.Unlabelled(split, "to compare with"); err != nil {
			return nil, err
		}
		if n := split.Rows() - split.Labelled(); n > 0 {
			o.Say(fmt.Sprintf("task %s: left out %d of the %d documents of split %s, which have no label", t.Name, n, split.Rows(), split.Name))
		}
	}
	if t.Kind.Classes() {
		if y.Labels, err = c.MatchLabels(m.Config.Labels()); err != nil {
			return nil, err
		}
		y.Config.Labels = y.Labels
	}
	return y, nil
}

// taskConfig is how a checkpoint reads records of a task; its labels are the model's.
func taskConfig(m *pretrained.Model, t *task.Task, records corpus.Records) (data.Config, error) {
	var ends recipes.Tokenizer
	var err error
	bare := false
	tok, ok := m.Tokenizer.(*tokenizer.Pipeline)
	if ok {
		before, after := tok.Frame()
		// A model that labels texts reads them with what its tokenizer sets around them, as transformers does, and
		// with nothing else.
		if bare = len(before)+len(after) == 0 && !t.Kind.Writes(); !bare {
			c := &m.Config
			if !t.Kind.Writes() {
				c = nil
			}
			if ends.BOS, ends.EOS, ends.Separator, err = recipes.Framing(tok, c); err != nil {
				return data.Config{}, fmt.Errorf("checkpoint %s: %w", m.Checkpoint.Dir, err)
			}
		}
	}
	if m.Head.String() != t.Kind.Head {
		return data.Config{}, fmt.Errorf("a task of kind %s needs a %s, and %s is a %v", t.Kind, t.Kind.Head, m.Checkpoint.Dir, m.Head)
	}
	if p := t.Kind.Problem; p != "" && p != m.Config.Problem() {
		return data.Config{}, fmt.Errorf("a task of kind %s needs a model of %s, and %s is of %s", t.Kind, p, m.Checkpoint.Dir, m.Config.Problem())
	}
	length := cmp.Or(m.Config.MaxLength(), 512)
	cfg := data.Config{
		Records: records, Tokenizer: m.Tokenizer, T: length, BatchSize: max(1, scoredTogether/length),
		BOS: ends.BOS, EOS: ends.EOS, Separator: ends.Separator, Bare: bare, Encoder: m.Config.Traits().EncoderDecoder,
	}
	if !t.Kind.Labelled() {
		learned := recipes.Objectives(m.Config)[0]
		cfg.Objective = learned
		if !learned.Validating(&cfg) {
			return data.Config{}, fmt.Errorf("a %s is trained by the objective %s, which gives texts no probability", m.Config.ModelType, learned)
		}
		cfg.Consecutive = m.Config.Memory(m.Head) > 0
		return cfg, nil
	}
	cfg.Objective = data.OfTask(t)
	if t.Kind.Classes() {
		cfg.Labels = m.Config.Labels()
	}
	if cfg.Encoder {
		cfg.Pad = padding(tok)
	}
	if ok && cfg.Paired() {
		before, after := cmp.Or(ends.BOS, ends.Separator), cmp.Or(ends.EOS, ends.Separator)
		cfg.Pair, err = pairFrame(tok, before, after, m.Config)
	}
	return cfg, err
}

package recipes

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"hone/checkpoint"
	"hone/data"
	"hone/data/tokenizer"
	"hone/eval"
	"hone/eval/report"
	"hone/optim"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// stageDone is stage.json: what a stage started from, and once it is done, what came of
// it. Steps is 0 until then.
type stageDone struct {
	report.Stage
	// From is the model that the stage started from, by the hash of its file; a
	// stage whose start has changed is not done.
	From string `json:"from,omitempty"`
}

const stageFile = "stage.json"

// stageFiles are those of a stage's directory beside checkpoints.
var stageFiles = []string{stageFile, evaluationFile}

// trialPrefix begins the directories of a stage's learning rates, where it has several.
const trialPrefix = "lr-"

func (w *runner) stageDir(name string) string { return filepath.Join(w.o.Dir, name) }

// readStage reads stage.json; nil: the stage has not begun.
func readStage(dir string) (*stageDone, error) {
	d := new(stageDone)
	err := checkpoint.ReadSealed(filepath.Join(dir, stageFile), d)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, checkpoint.ErrDamaged):
		return nil, fmt.Errorf("run: %w\nhint: remove it, and the stage goes on from its checkpoints; --fresh starts over", err)
	case err != nil:
		return nil, fmt.Errorf("run: %w", err)
	}
	return d, nil
}

func writeStage(dir string, d *stageDone) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("run: %w", err)
	}
	return checkpoint.WriteSealed(filepath.Join(dir, stageFile), d)
}

// from opens the model that a stage starts from: nil for random weights.
func (w *runner) from(s *Stage) (from *checkpoint.Checkpoint, hash string, err error) {
	if s.From == "" {
		return nil, "", nil
	}
	c := w.start
	if !w.r.isBase(s) {
		if c, err = checkpoint.Open(checkpoint.FinalDir(w.stageDir(s.From))); err != nil {
			return nil, "", fmt.Errorf("stage %s: %w", s.Name, err)
		}
	}
	return c, c.Manifest.Files[checkpoint.ModelFile].SHA256, nil
}

// train does a pretraining or fine-tuning stage; worked is false if it was done.
func (w *runner) train(ctx context.Context, s *Stage) (worked bool, err error) {
	dir := w.stageDir(s.Name)
	from, fromHash, err := w.from(s)
	if err != nil {
		return false, err
	}
	done, err := readStage(dir)
	if err != nil {
		return false, err
	}
	// Another base is one of the run's inputs: where it is accepted, what has begun goes on.
	if done != nil && done.From != fromHash && !w.r.isBase(s) {
		w.log(fmt.Sprintf("stage %s: its start, %s, has changed since: the stage is done again", s.Name, s.From))
		if err := clearStage(dir, w.log); err != nil {
			return false, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		done = nil
	}
	if done != nil && done.Steps >= s.Steps {
		if c, err := checkpoint.Open(checkpoint.FinalDir(dir)); err == nil {
			w.final[s.Name] = c.Manifest
			return false, nil
		}
		w.log(fmt.Sprintf("stage %s: its final model is damaged: taken from its checkpoints again", s.Name))
	}

	if done == nil {
		// Noted before the first step: another start must not go on with these checkpoints.
		if err := writeStage(dir, &stageDone{From: fromHash}); err != nil {
			return true, err
		}
	}

	if _, err := w.report(); err != nil { // so far
		return true, err
	}
	type try struct {
		rate float64
		dir  string
		best *checkpoint.Checkpoint
	}
	bits, err := w.bitsPerByte(ctx, s)
	if err != nil {
		return true, err
	}
	ret := retention(s, bits)
	var won *try
	var trials []report.Trial
	var out []string // rates that came to nothing, and why
	for _, rate := range s.LearningRate {
		// Go's heap is small beside the arenas of the training before, which only a
		// collection gives back: without it they would pile up.
		runtime.GC()
		t := &try{rate: rate, dir: dir}
		if len(s.LearningRate) > 1 {
			t.dir = filepath.Join(dir, fmt.Sprintf("%s%g", trialPrefix, rate))
		}
		trial := report.Trial{LearningRate: rate, Curve: w.curve(t.dir), Metric: ret.Metric, Value: report.Missing}
		err := w.trainAt(ctx, s, from, rate, t.dir, bits)
		if err == nil {
			t.best, err = checkpoint.Best(t.dir, ret, w.log)
		}
		if err == nil && t.best == nil {
			err = fmt.Errorf("stage %s: %s: %w", s.Name, t.dir, &trainer.DivergedError{Step: s.Steps, What: ret.Metric + " was never finite"})
		}
		var diverged *trainer.DivergedError
		if errors.As(err, &diverged) && len(s.LearningRate) > 1 {
			w.log(fmt.Sprintf("stage %s: learning rate %g is out: step %d: %s", s.Name, rate, diverged.Step, diverged.What))
			e := report.Event{Event: "diverged", Step: diverged.Step, Stage: trial.Curve, Detail: diverged.What}
			if err := w.metrics.Write(e); err != nil {
				return true, err
			}
			trials, out = append(trials, trial), append(out, fmt.Sprintf("%g at step %d (%s)", rate, diverged.Step, diverged.What))
			continue
		}
		if err != nil {
			return true, err
		}
		a := t.best.Manifest.Metrics[ret.Metric]
		w.log(fmt.Sprintf("stage %s: learning rate %g: best %s %.4f at step %d", s.Name, rate, ret.Metric, a, t.best.Manifest.Step))
		if won == nil || (a > won.best.Manifest.Metrics[ret.Metric]) == ret.HigherIsBetter && a != won.best.Manifest.Metrics[ret.Metric] {
			won = t
		}
		trial.Value = report.Number(a)
		trials = append(trials, trial)
	}
	if won == nil {
		return true, fmt.Errorf("stage %s: every learning rate diverged: %s (hint: try lower ones, or a longer warmup)", s.Name, strings.Join(out, ", "))
	}
	for i := range trials {
		trials[i].Chosen = trials[i].LearningRate == won.rate
	}
	if err := checkpoint.SetFinal(dir, won.best); err != nil {
		return true, err
	}
	w.final[s.Name] = won.best.Manifest
	d := stageDone{From: fromHash}
	if done != nil {
		d.From = done.From
	}
	d.Stage, err = w.summary(s, won.dir, won.best)
	if err != nil {
		return true, err
	}
	d.LearningRate = won.rate
	if len(trials) > 1 {
		d.Trials = trials
	}
	return true, writeStage(dir, &d)
}

// retention keeps the latest checkpoints and the best by the validation metric.
func retention(s *Stage, bits bool) checkpoint.Retention {
	r := checkpoint.Retention{Keep: s.SaveTotalLimit, Metric: "val_loss"}
	switch {
	case s.Kind == "finetune":
		r.Metric, r.HigherIsBetter = "val_accuracy", true
	case bits:
		r.Metric = "val_bits_per_byte"
	}
	return r
}

// bitsPerByte reports whether a stage's validation gives any: the objective must give
// whole texts a probability, and the tokenizer keep them as they are.
func (w *runner) bitsPerByte(ctx context.Context, s *Stage) (bool, error) {
	c := data.Config{Objective: s.objective()}
	if s.Kind == "finetune" || !validating(&c) {
		return false, nil
	}
	err := keepsText(ctx, w.tok, stageCorpus(w.corpora, s).Validation)
	var lossy *lossyError
	if errors.As(err, &lossy) {
		w.log(fmt.Sprintf("stage %s: validated by loss, not bits per byte: %v", s.Name, lossy))
		return false, nil
	}
	return err == nil, err
}

// A lossyError says that tokens are not the text: what they cost is then less than what
// the text costs, and bits per byte would flatter.
type lossyError struct {
	lost, of int
	first    int64 // document
}

func (e *lossyError) Error() string {
	return fmt.Sprintf("the tokenizer does not keep the text of %d of %d documents (the first: %d)", e.lost, e.of, e.first)
}

// keepsText looks whether a tokenizer gives back the texts of a split: all, or a thousand
// evenly spaced.
func keepsText(ctx context.Context, tok tokenizer.Tokenizer, split data.Records) error {
	n := min(split.Rows(), 1000)
	tok = ordinary(tok)
	e := &lossyError{of: int(n), first: -1}
	var ids []int32
	for i := range n {
		if err := ctx.Err(); err != nil {
			return err
		}
		at := i * split.Rows() / n
		r, err := split.Record(at)
		if err != nil {
			return err
		}
		if ids = tok.Encode(ids[:0], r.Text); tok.Decode(ids) != r.Text {
			if e.lost++; e.first < 0 {
				e.first = at
			}
		}
	}
	if e.lost > 0 {
		return e
	}
	return nil
}

// stageConfig is the model of a stage.
func stageConfig(r *Recipe, s *Stage, tok tokenizer.Tokenizer, labels []string) model.Config {
	c := r.Model
	if err := c.SetDropout(s.Dropout, s.AttentionDropout); err != nil {
		panic(err) // the recipe is validated
	}
	if r.base == nil { // a base keeps its own, and rows of its embedding that are of no token
		c.VocabSize = tok.Size()
		c.BOSTokenID, c.EOSTokenID, c.PadTokenID = nil, nil, nil
		ends := r.Tokenizer
		if id, ok := tok.Special(cmp.Or(ends.BOS, ends.Separator)); ok {
			c.BOSTokenID = new(int(id))
		}
		if id, ok := tok.Special(cmp.Or(ends.EOS, ends.Separator)); ok {
			c.EOSTokenID = model.TokenIDs{int(id)}
		}
		if id, ok := tok.Special(padding(tok)); ok {
			c.PadTokenID = new(int(id))
			c.Edit(func(_, family any) {
				if f, ok := family.(*model.T5); ok {
					f.DecoderStartTokenID = int(id)
				}
			})
		}
	}
	if s.Kind == "finetune" {
		c.SetLabels(labels)
		if id, ok := tok.Special(padding(tok)); ok && c.PadTokenID == nil { // by which batches are filled up
			c.PadTokenID = new(int(id))
		}
	}
	return c
}

func head(s *Stage) model.Head {
	if s.Kind == "finetune" {
		return model.Classifier
	}
	if s.NextSentence {
		return model.Pretraining
	}
	return model.LanguageModel
}

// modelOptions are those of a stage's network, but for its state.
func modelOptions(s *Stage, c model.Config) model.Options {
	o := model.Options{
		Head: head(s), AuxiliaryLM: s.LMWeight > 0, MicroBatches: s.BatchSize / s.MicroBatchSize,
		Recompute: s.Recompute, BF16: s.bf16(),
	}
	if s.Trainable == trainableHead {
		o.Trainable = c.InHead
	}
	o.EncoderLength = encoderLength(s)
	return o
}

// encoderLength is the length of an encoder's rows beside a decoder's of its own; 0: there
// are none.
func encoderLength(s *Stage) int {
	if s.objective() == data.SpanCorruption {
		return s.SequenceLength
	}
	return 0
}

// loader is the stage's view of a split.
func loaderConfig(r *Recipe, s *Stage, c *data.Corpus, split *data.Split, tok tokenizer.Tokenizer) data.Config {
	cfg := data.Config{
		Records: split, Tokenizer: tok,
		T: s.SequenceLength, BatchSize: s.BatchSize, MicroBatchSize: s.MicroBatchSize,
		Seed: uint64(r.Seed), Shuffle: true, MaxSeqs: s.MaxSequences,
		BOS: r.Tokenizer.BOS, EOS: r.Tokenizer.EOS, Separator: r.Tokenizer.Separator,
	}
	if s.Kind == "finetune" {
		cfg.Objective, cfg.Labels = data.Classification, r.labels(s, c)
	} else {
		s.setObjective(&cfg, &r.Tokenizer, tok)
		cfg.Consecutive = r.Model.Memory(head(s)) > 0
	}
	return cfg
}

// evalConfig is how a split is scored.
func evalConfig(r *Recipe, s *Stage, c *data.Corpus, split *data.Split, tok tokenizer.Tokenizer) data.Config {
	cfg := loaderConfig(r, s, c, split, tok)
	validating(&cfg)
	return cfg
}

// trainAt trains a stage with one of its learning rates.
func (w *runner) trainAt(ctx context.Context, s *Stage, from *checkpoint.Checkpoint, rate float64, dir string, bits bool) error {
	corpus := stageCorpus(w.corpora, s)
	read := trainConfig(w.r, s, w.corpora, w.tok)
	if w.r.TokenCache && read.Objective != data.Classification {
		if err := w.readTokens(ctx, s, &read); err != nil {
			return fmt.Errorf("stage %s: %w", s.Name, err)
		}
	}
	if read.Windows && s.RandomWindows == nil {
		w.log(windowsNote(s))
	}
	config := w.config(s)
	opt, err := newOptimizer(s, rate)
	if err != nil {
		return err
	}
	schedule, err := newSchedule(s, rate)
	if err != nil {
		return err
	}
	o := modelOptions(s, config)
	o.State = func(l *exec.Layout) int { return trainer.StateBytes(l, opt, s.BatchSize/s.MicroBatchSize) }
	net, err := model.NewNetwork(w.dev, exec.F32, config, o)
	if err != nil {
		return err
	}
	if err := net.Init(uint64(w.r.Seed)); err != nil {
		return err
	}
	origin := checkpoint.Origin{Stage: s.Name, RecipeSHA256: w.hash, Recipe: w.text, Tokenizer: w.tokSum, Corpora: w.provenance(s, read.Mixture)}
	manifest := checkpoint.Manifest{
		Hone: Version(), Stage: s.Name, Kernels: w.dev.Name(), Device: "cpu",
		Provenance: []checkpoint.Origin{origin},
	}
	if from != nil {
		load := trainer.LoadWeights
		if _, other := w.r.keptLabels(s, corpus); other != nil && w.r.isBase(s) && w.r.base.head != model.LanguageModel {
			if w.r.base.head == model.Classifier {
				w.log(fmt.Sprintf("stage %s: the trained head of %s is left out: %v", s.Name, s.From, other))
			}
			load = trainer.LoadBody
		}
		fresh, err := load(net, from)
		if err != nil {
			return fmt.Errorf("stage %s: %w", s.Name, err)
		}
		w.log(fmt.Sprintf("stage %s: starts from %s (step %d); fresh: %v", s.Name, s.From, from.Manifest.Step, fresh))
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

	bar := w.o.Bar(s.Name+rateNote(s, rate), "steps")
	defer bar.Close()
	watch, err := w.watch(net, s, corpus, read, w.curve(dir), rate, bits, bar)
	if err != nil {
		return err
	}
	t, err := trainer.New(net, opt, trainer.Config{
		Dir: dir, Steps: s.Steps, Seed: uint64(w.r.Seed),
		Data:     read,
		Schedule: schedule, MaxGradNorm: s.MaxGradNorm,
		SaveDue: s.SaveEvery.Due, Retention: retention(s, bits),
		Hooks:    []trainer.Hook{watch.log(), watch.evaluate()},
		Manifest: manifest,
		Files:    files,
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
	if err := t.Run(ctx); err != nil {
		if errors.Is(err, context.Canceled) {
			return err
		}
		return fmt.Errorf("stage %s: %w", s.Name, err)
	}
	if n := t.Read(); n.Truncated > 0 {
		w.log(fmt.Sprintf("stage %s: of the documents read, %.1f %% were longer than the %d tokens of a row, and cut there",
			s.Name, 100*float64(n.Truncated)/float64(n.Documents), read.T))
	}
	return nil
}

func rateNote(s *Stage, rate float64) string {
	if len(s.LearningRate) > 1 {
		return fmt.Sprintf(" (learning rate %g)", rate)
	}
	return ""
}

func newOptimizer(s *Stage, rate float64) (*optim.Optimizer, error) {
	return optim.New(optim.Config{
		Name: s.Optim, LR: rate, Beta1: s.AdamBeta1, Beta2: s.AdamBeta2, Eps: s.AdamEpsilon,
		Momentum: s.Momentum, WeightDecay: s.WeightDecay, MaxGradNorm: s.MaxGradNorm, EMADecay: s.EMADecay,
	})
}

func newSchedule(s *Stage, rate float64) (optim.Schedule, error) {
	c := optim.ScheduleConfig{Kind: s.LRSchedulerType, LR: rate, Steps: s.Steps, WarmupSteps: s.WarmupSteps, MinLRRatio: s.MinLRRatio}
	switch c.Kind {
	case "constant", "inverse_sqrt": // have no end
		c.MinLRRatio = 0
	case "warmup_stable_decay":
		c.DecaySteps, c.DecayType = s.decaySteps(), s.DecayType
	}
	return optim.NewSchedule(c)
}

// tokenizerFiles are the files of a tokenizer in a checkpoint of a stage: those of the base,
// where there is one. Its tokenizer.json sets around a text what the model has learned to see
// there.
func (w *runner) tokenizerFiles(s *Stage, c model.Config) ([]checkpoint.File, error) {
	before, after := w.r.Tokenizer.ends(s)
	text := w.tokFile
	anew := !framedBy(w.tok, before, after)
	if anew {
		var err error
		if text, err = w.tok.Framed(before, after, joins(c)); err != nil {
			return nil, err
		}
	}
	files := []checkpoint.File{checkpoint.BytesFile(checkpoint.TokenizerFile, text)}
	if w.r.base == nil {
		text, err := tokenizerConfig(c, w.r.Tokenizer.settings(w.tok, c))
		return append(files, checkpoint.BytesFile(tokenizerConfigFile, text)), err
	}
	for _, name := range tokenizerFiles {
		text, err := os.ReadFile(filepath.Join(w.r.base.dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && name == tokenizerConfigFile {
			text, err = w.adapted(text, anew, c)
		}
		if err != nil {
			return nil, fmt.Errorf("run: %w", err)
		}
		files = append(files, checkpoint.BytesFile(name, text))
	}
	return files, nil
}

// framedBy tells whether a tokenizer sets these tokens around a text; "": none.
func framedBy(tok *tokenizer.Pipeline, before, after string) bool {
	first, last := tok.Frame()
	is := func(ids []int32, name string) bool {
		if name == "" {
			return len(ids) == 0
		}
		id, ok := tok.Special(name)
		return ok && len(ids) == 1 && ids[0] == id
	}
	return is(first, before) && is(last, after)
}

// adapted is tokenizer_config.json of a base, for its tokenizer as a stage writes it. Where that
// sets other tokens around texts, the class that would set its own makes room for one that does
// what tokenizer.json says.
func (w *runner) adapted(text []byte, anew bool, c model.Config) ([]byte, error) {
	keys := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, fmt.Errorf("%s: %w", tokenizerConfigFile, err)
	}
	_, padded := keys["pad_token"]
	pad := padding(w.tok)
	if !anew && (padded || pad == "") {
		return text, nil
	}
	if !padded && pad != "" {
		keys["pad_token"] = json.RawMessage(strconv.Quote(pad))
	}
	if _, ok := keys["padding_side"]; !ok && anew {
		keys["padding_side"] = json.RawMessage(strconv.Quote(paddingSide(c)))
	}
	if anew {
		return tokenizerConfig(c, keys)
	}
	text, err := json.MarshalIndent(keys, "", "  ")
	return append(text, '\n'), err
}

// A watch logs and evaluates one training.
type watch struct {
	w       *runner
	s       *Stage
	net     *model.Network
	corpus  *data.Corpus
	read    data.Config // of the training
	place   data.Cursor // at the last line
	padding float64     // of the steps since
	bar     Bar
	flops   float64 // of a token, forward and backward
	name    string  // of the curve in metrics.jsonl
	rate    float64 // peak learning rate
	bits    bool    // validation gives bits per byte
	before  float64 // seconds that earlier processes spent up to where this one resumed
	seconds float64 // since then, in steps
	loss    []float64
	tokens  int64 // at the last line
	at      float64
	waited  float64
	val     string
	told    bool // of what validation is
}

func (w *runner) watch(net *model.Network, s *Stage, corpus *data.Corpus, read data.Config, name string, rate float64, bits bool, bar Bar) (*watch, error) {
	length, _ := read.Lengths()
	p, err := net.Program(model.Train, s.MicroBatchSize, length, read.Slots())
	if err != nil {
		return nil, err
	}
	return &watch{
		w: w, s: s, net: net, corpus: corpus, read: read, bar: bar, name: name, rate: rate, bits: bits,
		flops: p.FLOPs() / float64(s.MicroBatchSize*s.SequenceLength),
	}, nil
}

// began looks up where a resumed training stands.
func (h *watch) began(t *trainer.Trainer) error {
	step := t.Step()
	h.place = t.Cursor()
	h.bar.Set(int64(step), int64(h.s.Steps), "")
	if step == 0 {
		return nil
	}
	m, err := readMetrics(h.w.o.Dir)
	if err != nil {
		return err
	}
	for _, l := range m.Steps {
		if l.Stage == h.name && l.Step <= step {
			h.before, h.tokens, h.at = float64(l.Seconds), l.Tokens, float64(l.Seconds)
		}
	}
	h.seconds = h.before
	return h.w.metrics.Write(report.Event{Event: "resumed", Step: step, Stage: h.name})
}

// A stepLine is a line of metrics.jsonl with what a report does not draw.
type stepLine struct {
	report.Step
	DataWait     float64            `json:"data_wait"` // share of the time that steps waited for data
	Padding      float64            `json:"padding"`   // share of the positions
	LearningRate float64            `json:"learning_rate"`
	Mixture      map[string]mixLine `json:"mixture,omitempty"` // by corpus
}

// log is the hook that writes metrics and moves the bar.
func (h *watch) log() trainer.Hook {
	return trainer.Hook{
		Due: func(int, time.Duration) bool { return true },
		Do: func(_ context.Context, t *trainer.Trainer, i trainer.StepInfo) error {
			h.loss = append(h.loss, i.Loss)
			h.seconds += i.Seconds
			h.waited += i.DataWait
			h.padding += i.Padding
			took := h.seconds - h.at
			speed := float64(i.Tokens-h.tokens) / took
			h.bar.Set(int64(i.Step), int64(h.s.Steps), fmt.Sprintf("loss %.3f, %s tokens/s%s", i.Loss, thousands(speed), h.val))
			if i.Step%h.s.LogEvery != 0 && i.Step != h.s.Steps {
				return nil
			}
			mean := 0.0
			for _, l := range h.loss {
				mean += l / float64(len(h.loss))
			}
			line := stepLine{Step: report.Step{
				Step: i.Step, Stage: h.name, Tokens: i.Tokens, Loss: report.Number(mean), LR: report.Number(i.LR),
				GradNorm: report.Number(i.GradNorm), TokensPerSecond: report.Number(speed), Seconds: report.Number(h.seconds),
				MFU: h.w.mfu(h.s.bf16(), float64(len(h.loss)*h.s.BatchSize*h.s.SequenceLength)*h.flops/took),
			}, DataWait: h.waited / took, Padding: h.padding / float64(len(h.loss)), LearningRate: h.rate,
				Mixture: mixed(h.read.Mixture, h.read.MixtureBy, t.Cursor())}
			for _, name := range wrapped(h.read.Mixture, h.place, t.Cursor()) {
				e := report.Event{Event: "wrapped", Step: i.Step, Stage: h.name, Detail: "corpus " + name}
				if err := h.w.metrics.Write(e); err != nil {
					return err
				}
			}
			h.place, h.padding = t.Cursor(), 0
			h.loss, h.waited, h.tokens, h.at = h.loss[:0], 0, i.Tokens, h.seconds
			return h.w.metrics.Write(line)
		},
	}
}

// evaluate is the hook that scores the validation split.
func (h *watch) evaluate() trainer.Hook {
	return trainer.Hook{
		Due: h.s.EvalEvery.Due,
		Do: func(ctx context.Context, t *trainer.Trainer, _ trainer.StepInfo) error {
			clock := startClock()
			line := report.Validation{Step: t.Step(), Stage: h.name, Loss: report.Missing, BitsPerByte: report.Missing, Accuracy: report.Missing}
			cfg := evalConfig(h.w.r, h.s, h.corpus, h.corpus.Validation, h.w.tok)
			if h.s.Kind == "finetune" {
				list, longer, err := eval.Classify(ctx, h.net, cfg, h.s.EvalDocuments, nil)
				if err != nil {
					return err
				}
				line.Scored = scored(&cfg, h.corpus.Validation, h.s.EvalDocuments, len(list), longer)
				acc, loss := accuracy(list)
				line.Accuracy, line.Loss = report.Number(acc), report.Number(loss)
				t.SetMetric("val_accuracy", acc)
				h.val = fmt.Sprintf(", validation %.1f %%", 100*acc)
			} else {
				list, longer, err := eval.Likelihood(ctx, h.net, cfg, h.s.EvalDocuments, nil)
				if err != nil {
					return err
				}
				line.Scored = scored(&cfg, h.corpus.Validation, h.s.EvalDocuments, len(list), longer)
				loss, bpb := likelihood(list)
				line.Loss = report.Number(loss)
				t.SetMetric("val_loss", loss)
				h.val = fmt.Sprintf(", validation loss %.3f", loss)
				if cfg.NextSentence {
					list, _, err := eval.Classify(ctx, h.net, cfg, h.s.EvalDocuments, nil)
					if err != nil {
						return err
					}
					acc, _ := accuracy(list)
					line.Accuracy = report.Number(acc)
					h.val += fmt.Sprintf(", next sentence %.1f %%", 100*acc)
				}
				if h.bits {
					line.BitsPerByte = report.Number(bpb)
					t.SetMetric("val_bits_per_byte", bpb)
					h.val = fmt.Sprintf(", validation %.3f bits/byte", bpb)
				}
			}
			if !h.told {
				h.told = true
				h.w.log(fmt.Sprintf("stage %s: validation: %s", h.s.Name, line.Scored.Words()))
			}
			h.seconds += clock()
			h.at = h.seconds
			return h.w.metrics.Write(line)
		},
	}
}

// scored says what the figures of a split are of, limit as eval takes it.
func scored(c *data.Config, split *data.Split, limit, n, longer int) *report.Scored {
	s := &report.Scored{
		Split: split.Name, Documents: split.Rows(), Chosen: split.Rows(), Scored: int64(n), Row: c.T, Longer: int64(longer),
		What: "each token of a text", Cut: c.Objective == data.Classification,
	}
	if limit > 0 {
		s.Chosen = min(s.Chosen, int64(limit))
	}
	_, end := c.End()
	switch {
	case end:
		s.What += ", and its end"
	case c.NextSentence:
		s.What, s.Longer = "hidden tokens of pairs of texts, and whether the second follows the first", 0
	case hides(c.Objective):
		s.What = "hidden tokens of each"
	case s.Cut:
		s.What = "the label of each"
	}
	return s
}

func accuracy(list []eval.Prediction) (acc, loss float64) {
	for _, p := range list {
		if p.Best() == p.Label {
			acc++
		}
		loss -= math.Log(max(p.Probs[p.Label], 1e-300))
	}
	n := float64(len(list))
	return acc / n, loss / n
}

func likelihood(list []eval.Document) (loss, bitsPerByte float64) {
	var nats float64
	var tokens, bytes int
	for _, d := range list {
		nats += d.Nats
		tokens += d.Tokens
		bytes += d.Bytes
	}
	return nats / float64(tokens), nats / math.Ln2 / float64(bytes)
}

func thousands(v float64) string {
	n := int64(math.Round(v))
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}

package run

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"hone/data"
	"hone/data/corpus"
	"hone/eval"
	"hone/eval/metric"
	"hone/eval/report"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/model"
)

// A watch logs and validates one training.
type watch struct {
	w       *runner
	s       *recipes.Stage
	net     *model.Network
	corpus  *corpus.Corpus
	read    data.Config // of the training
	place   data.Cursor // at the last line of metrics.jsonl
	padding float64     // of the steps since
	bar     recipes.Bar
	flops   float64 // of a token, forward and backward
	name    string  // of the curve in metrics.jsonl
	rate    float64 // peak learning rate
	bits    bool    // validation gives bits per byte
	before  float64 // seconds of the training in earlier processes, up to where this one resumed
	seconds float64 // since then, in steps
	loss    []float64
	tokens  int64 // at the last line
	at      float64
	waited  float64
	val     string
	told    bool // what is validated has been said
}

func (w *runner) watch(net *model.Network, s *recipes.Stage, corpus *corpus.Corpus, read data.Config, name string, rate float64, bits bool, bar recipes.Bar) (*watch, error) {
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

// began finds the last line of metrics.jsonl of a training that resumes.
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

// A stepLine is a line of metrics.jsonl, with figures that the report does not draw.
type stepLine struct {
	report.Step
	DataWait     float64            `json:"data_wait"` // share of the time that steps waited for data
	Padding      float64            `json:"padding"`   // share of the positions
	LearningRate float64            `json:"learning_rate"`
	Mixture      map[string]mixLine `json:"mixture,omitempty"` // by corpus
}

// log is the hook that writes metrics.jsonl and moves the progress bar.
func (h *watch) log() trainer.Hook {
	return trainer.Hook{
		Due: func(int, time.Duration) bool { return true },
		Do: func(_ context.Context, t *trainer.Trainer, i trainer.StepInfo) error {
			h.loss = append(h.loss, i.Loss)
			h.seconds += i.Seconds
			h.waited += i.DataWait
			h.padding += i.Padding
			h.bar.Set(int64(i.Step), int64(h.s.Steps), fmt.Sprintf("loss %.3f, %s tokens/s%s", i.Loss, recipes.Thousands(h.speed(i)), h.val))
			if i.Step%h.s.LogEvery != 0 && i.Step != h.s.Steps {
				return nil
			}
			return h.write(t, i)
		},
	}
}

// speed is that since the last line, in tokens a second.
func (h *watch) speed(i trainer.StepInfo) float64 {
	return float64(i.Tokens-h.tokens) / (h.seconds - h.at)
}

// write writes a line of the steps since the last one.
func (h *watch) write(t *trainer.Trainer, i trainer.StepInfo) error {
	took, mean := h.seconds-h.at, 0.0
	for _, l := range h.loss {
		mean += l / float64(len(h.loss))
	}
	line := stepLine{Step: report.Step{
		Step: i.Step, Stage: h.name, Tokens: i.Tokens, Loss: metric.Number(mean), LR: metric.Number(i.LR),
		GradNorm: metric.Number(i.GradNorm), TokensPerSecond: metric.Number(h.speed(i)), Seconds: metric.Number(h.seconds),
		MFU: h.w.mfu(h.s.BF16(), float64(len(h.loss)*h.s.BatchSize*h.s.SequenceLength)*h.flops/took),
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
}

// evaluate is the hook that scores the validation split.
func (h *watch) evaluate() trainer.Hook {
	return trainer.Hook{
		Due: h.s.EvalEvery.Due,
		Do: func(ctx context.Context, t *trainer.Trainer, i trainer.StepInfo) error {
			clock := startClock()
			y := h.w.yardstick(h.corpus, h.corpus.Validation, h.s.EvalDocuments, evalConfig(h.w.r, h.s, h.corpus, h.corpus.Validation, h.w.tok))
			y.Rule = h.s.Rule()
			y.Written = h.s.EvalGenerate
			if h.s.Loss != "" {
				y.Sentence = h.w.r.Sentence(h.s)
			}
			v, err := eval.ScorerOf(y.Config.Objective).Validate(ctx, y, h.net, h.bits)
			if other := (*eval.MetricError)(nil); errors.As(err, &other) {
				err = recipes.Input(err)
			}
			if err != nil {
				return err
			}
			if err := v.Has(retention(h.s, h.bits).Metric); err != nil {
				return recipes.Input(fmt.Errorf("stage %s: %w (hint: metric_for_best_model, or metrics of the task)", h.s.Name, err))
			}
			if v.Decision != nil {
				f, err := decisionFileOf(v.Decision)
				if err != nil {
					return err
				}
				t.SetFile(f)
			}
			for name, figure := range v.Metrics {
				t.SetMetric(name, figure)
			}
			h.val = ", " + v.Note
			if err := h.samples(t.Step(), v.Texts); err != nil {
				return err
			}
			if t.Stopped() && len(h.loss) > 0 { // no other line follows
				if err := h.write(t, i); err != nil {
					return err
				}
			}
			line := report.Validation{
				Step: t.Step(), Stage: h.name, Loss: v.Loss, BitsPerByte: v.BitsPerByte, Accuracy: v.Accuracy, Scored: v.Scored,
				Metrics: eval.Others(v.Metrics),
			}
			if !h.told {
				h.told = true
				h.w.log(fmt.Sprintf("stage %s: validation: %s", h.s.Name, report.Words(line.Scored)))
			}
			h.seconds += clock()
			h.at = h.seconds
			return h.w.metrics.Write(line)
		},
	}
}

// samples logs texts that the model has written at a step, and frees what writing them took.
func (h *watch) samples(step int, texts []eval.WrittenText) error {
	if len(texts) == 0 {
		return nil
	}
	runtime.GC() // which alone frees the caches
	log, err := report.OpenLog(filepath.Join(h.w.o.Dir, report.SamplesFile))
	if err != nil {
		return err
	}
	for _, x := range texts {
		err = errors.Join(err, log.Write(report.Sample{Stage: h.name, Step: step, Prompt: x.Source, Text: x.Text, Reference: x.Reference}))
	}
	return errors.Join(err, log.Close())
}

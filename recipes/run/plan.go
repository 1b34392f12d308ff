package run

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"hone/data/corpus"
	"hone/recipes"
	"hone/trainer"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// A Plan is an estimate of the memory and time that a recipe takes, made before any work.
type Plan struct {
	Recipe string      `json:"recipe"`
	Device string      `json:"device"`
	Splits []PlanSplit `json:"splits"` // of the corpora
	Stages []PlanStage `json:"stages"`
	// Warnings are about what will run and is probably not meant.
	Warnings []string `json:"warnings"`
	Memory   int64    `json:"memory_bytes"` // peak of the process
	Minutes  float64  `json:"minutes"`
}

// A PlanStage is a stage of a Plan.
type PlanStage struct {
	Name             string  `json:"name"`
	Kind             string  `json:"kind"`
	Parameters       int     `json:"parameters,omitempty"`
	Trained          int     `json:"trained_parameters,omitempty"` // the others are frozen: they have no gradients and no moments
	Steps            int     `json:"steps,omitempty"`              // of all learning rates
	TokensPerStep    int     `json:"tokens_per_step,omitempty"`
	DocumentsPerStep float64 `json:"documents_per_step,omitempty"` // about
	Epochs           float64 `json:"epochs,omitempty"`             // of one learning rate, about
	FLOPsPerStep     float64 `json:"flops_per_step,omitempty"`
	TokensPerSecond  float64 `json:"tokens_per_second,omitempty"` // measured
	Memory           int64   `json:"memory_bytes"`                // arenas
	Minutes          float64 `json:"minutes"`
}

// processBytes is the memory of the process beside the arenas of a stage: 18 MB of the program's
// own pages, and Go's heap: corpus and tokenizer, batches made ahead, scratch of the kernels. It
// was measured, and hardly depends on the model.
const processBytes = 40 << 20

// Check plans a recipe. It opens the corpora (and converts them on first use), and
// runs a few steps of each training stage on made-up tokens to measure their speed.
func Check(ctx context.Context, r *recipes.Recipe, o Options) (*Plan, error) {
	if err := fits(r, o.Say); err != nil {
		return nil, err
	}
	dev, err := openDevice(r)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	corpora, err := openCorpora(ctx, r, o)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(corpora)) {
		o.Say(fmt.Sprintf("corpus %s: %s", name, describeCorpus(corpora[name])))
		if c := r.Corpus[name]; len(c.Read().Keys()) > 0 {
			o.Say(fmt.Sprintf("corpus %s: read with %s", name, strings.Join(c.Read().Keys(), ", ")))
		}
	}
	known, err := survey(ctx, r, corpora, o)
	if err != nil {
		return nil, err
	}
	p := &Plan{Recipe: r.Name, Device: dev.Name(), Splits: known.plan(), Warnings: append([]string{}, known.warnings()...)}
	for i := range r.Stages {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s := &r.Stages[i]
		ps := PlanStage{Name: s.Name, Kind: s.Kind}
		if !s.Trains() {
			if err := planEvaluate(r, s, corpora, &ps); err != nil {
				return nil, err
			}
		} else if err := planTrain(r, s, stageCorpus(corpora, s), dev, &ps); err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.Name, err)
		} else {
			windows, warning := windows(r, s, stageCorpus(corpora, s)), ""
			if ps.DocumentsPerStep, ps.Epochs, warning = known.stage(s, windows); warning != "" {
				p.Warnings = append(p.Warnings, warning)
			}
			if s.TaskOf() != nil {
				if n, epochs, err := counted(ctx, r, s, corpora); err != nil {
					return nil, recipes.Input(fmt.Errorf("stage %s: %w", s.Name, err))
				} else if n > 0 {
					ps.DocumentsPerStep, ps.Epochs = n, epochs
				}
			}
			if windows && s.RandomWindows == nil {
				p.Warnings = append(p.Warnings, windowsNote(s))
			}
		}
		p.Stages = append(p.Stages, ps)
		p.Memory = max(p.Memory, ps.Memory)
		p.Minutes += ps.Minutes
	}
	p.Memory += processBytes
	return p, nil
}

// Programs are those of the stages that train: the step, the validation and the update.
func Programs(ctx context.Context, r *recipes.Recipe, o Options) ([]*exec.Program, error) {
	corpora, err := openCorpora(ctx, r, o)
	if err != nil {
		return nil, err
	}
	var list []*exec.Program
	for i := range r.Stages {
		s := &r.Stages[i]
		if !s.Trains() {
			continue
		}
		parts, err := newStageParts(r, s, labelsOf(r, s, stageCorpus(corpora, s)))
		if err != nil {
			return nil, fmt.Errorf("stage %s: %w", s.Name, err)
		}
		for _, p := range parts.programs() {
			p.Name = s.Name + ": " + p.Name
			list = append(list, p)
		}
	}
	return list, nil
}

func planTrain(r *recipes.Recipe, s *recipes.Stage, corpus *corpus.Corpus, dev Device, ps *PlanStage) error {
	parts, err := newStageParts(r, s, labelsOf(r, s, corpus))
	if err != nil {
		return err
	}
	micro := s.BatchSize / s.MicroBatchSize
	state := trainer.StateBytes(parts.layout, parts.opt, micro)
	ps.Parameters = parts.layout.Elems()
	for _, x := range parts.layout.Params {
		if x.Trainable {
			ps.Trained += x.Elems
		}
	}
	ps.Steps = s.Steps * s.Trials(r.Seed)
	ps.TokensPerStep = s.BatchSize * (parts.length + parts.encoder)
	ps.FLOPsPerStep = parts.train.FLOPs()*float64(micro) + parts.update.FLOPs()
	if parts.represent != nil {
		ps.FLOPsPerStep += parts.represent.FLOPs() * float64(micro)
	}
	ps.Memory = parts.bytes(s)
	if windows(r, s, corpus) { // a text has no more tokens than bytes
		ps.Memory += 4 * corpus.Provenance.Bytes
	}

	o, err := modelOptions(r, s, parts.config)
	if err != nil {
		return err
	}
	o.State = func(*exec.Layout) int { return state }
	net, err := model.NewNetwork(dev, exec.F32, parts.config, o)
	if err != nil {
		return err
	}
	if err := net.Init(1); err != nil {
		return err
	}
	train, err := exec.NewExecutor(net.Memory(), parts.train)
	if err != nil {
		return err
	}
	update, err := exec.NewExecutor(net.Memory(), parts.update)
	if err != nil {
		return err
	}
	if err := net.Feed(train, madeUp(s, &parts)); err != nil {
		return err
	}
	if err := exec.Feed(update, "scalars", []float64{0, 1, 0}); err != nil {
		return err
	}
	runs := []*exec.Executor{train}
	if parts.represent != nil {
		x, err := exec.NewExecutor(net.Memory(), parts.represent)
		if err != nil {
			return err
		}
		f := madeUp(s, &parts)
		f.Cotangents = nil
		if err := net.Feed(x, f); err != nil {
			return err
		}
		runs = append(runs, x)
	}
	best := math.Inf(1)
	for range 3 {
		clock := startClock()
		for _, x := range runs {
			if err := x.Run(); err != nil {
				return err
			}
		}
		if err := dev.Sync(); err != nil {
			return err
		}
		step := clock() * float64(micro)
		if err := update.Run(); err != nil {
			return err
		}
		if err := dev.Sync(); err != nil {
			return err
		}
		best = min(best, step+clock()-step/float64(micro))
	}
	ps.TokensPerSecond = float64(ps.TokensPerStep) / best
	ps.Minutes = best * float64(ps.Steps) / 60
	if n := s.EvalEvery.Steps; n > 0 {
		// Forward alone is a third of a step.
		docs := int(corpus.Validation.Rows())
		if s.EvalDocuments > 0 {
			docs = min(docs, s.EvalDocuments)
		}
		tokens := float64(docs) * float64(corpus.Provenance.Bytes) / float64(corpus.Provenance.Documents) / BytesPerToken
		ps.Minutes += float64(ps.Steps/n) * tokens / ps.TokensPerSecond / 3 / 60
	}
	return nil
}

// BytesPerToken of English under a byte-level BPE of some thousand tokens, for estimates.
const BytesPerToken = 3.5

func planEvaluate(r *recipes.Recipe, s *recipes.Stage, corpora map[string]*corpus.Corpus, ps *PlanStage) error {
	for _, name := range s.Models {
		m, err := r.Stage(name)
		if err != nil {
			return err
		}
		parts, err := newStageParts(r, m, labelsOf(r, m, stageCorpus(corpora, m)))
		if err != nil {
			return err
		}
		ps.Parameters = parts.layout.Elems()
		ps.Memory = max(ps.Memory, int64(parts.layout.Bytes)+arenas(parts.val))
	}
	return nil
}

// Print writes the plan as tables, with its warnings.
func (p *Plan) Print(w io.Writer) error {
	fmt.Fprintf(w, "recipe %s on %s\n", p.Recipe, p.Device)
	if err := printSplits(w, p.Splits); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "stage\tkind\tparameters\tsteps\ttokens/step\tdocuments/step\tepochs\tGFLOP/step\ttokens/s\tMB\tminutes")
	for _, s := range p.Stages {
		fmt.Fprintf(t, "%s\t%s\t%.3g M\t%d\t%d\t%.3g\t%.3g\t%.1f\t%.0f\t%.0f\t%.1f\n", s.Name, s.Kind, float64(s.Parameters)/1e6,
			s.Steps, s.TokensPerStep, s.DocumentsPerStep, s.Epochs, s.FLOPsPerStep/1e9, s.TokensPerSecond, float64(s.Memory)/1e6, s.Minutes)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, s := range p.Stages {
		if s.Trained > 0 && s.Trained < s.Parameters {
			fmt.Fprintf(w, "%s trains %d of %d parameters, %.2g %%; the others are frozen\n", s.Name, s.Trained, s.Parameters, 100*float64(s.Trained)/float64(s.Parameters))
		}
	}
	_, err := fmt.Fprintf(w, "peak memory %.0f MB, training %.1f minutes on this machine\n", float64(p.Memory)/1e6, p.Minutes)
	for _, warning := range p.Warnings {
		if err == nil {
			_, err = fmt.Fprintf(w, "warning: %s\n", warning)
		}
	}
	return err
}

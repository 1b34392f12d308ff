package run

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hone/data/task"
	"hone/eval"
	"hone/eval/generate"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// PredictOptions say what is predicted.
type PredictOptions struct {
	RowsOptions
	Abstain float64 // a prediction that is less probable is null
	Task    string  // name or file of the task; "": the one that the model was trained for
	// Write says how texts are written, and Asked which of its options, by their names on the command line, the user has
	// asked for; others are those of the model's files.
	Write generate.Options
	Asked []string
}

// Predict adds to the rows of a file what the model dir predicts of them.
func Predict(ctx context.Context, dir string, p PredictOptions, o Options) (*Rowed, error) {
	if !(p.Abstain >= 0 && p.Abstain <= 1) {
		return nil, recipes.Input(fmt.Errorf("predict: --abstain %g is no probability: want it from 0 to 1", p.Abstain))
	}
	m, err := OpenModel(dir, pretrained.Options{}, o.Say)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	t, err := p.task(m.Model)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if t.Kind.Reads == task.Texts {
		if err := p.suits(t, false, false); err != nil {
			return nil, err
		}
		return p.vectors(ctx, m, t, o)
	}
	c, err := taskConfig(m.Model, t, nil)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("predict: %w", err))
	}
	c.BatchSize = max(1, predictedTogether/c.T)
	decision, err := decisionOf(m.Model)
	if err != nil {
		return nil, err
	}
	if decision != nil && (t.Kind.Labels == task.OneOf || t.Kind.Labels == task.AnyOf) {
		o.Say("which labels are predicted was decided: " + decision.Words())
	}
	predictor, err := eval.NewPredictor(m.Net, c, decision)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if err := p.suits(t, predictor.Unsure() != "", predictor.Writes()); err != nil {
		return nil, err
	}
	if predictor.Writes() {
		if predictor.Writer, err = p.writer(m.Model, o.Say); err != nil {
			return nil, recipes.Input(err)
		}
	}
	done, err := p.each(ctx, &labeller{
		doing: "predicting", columns: predictor.Columns, fields: slices.DeleteFunc(slices.Clone(t.Spec.Fields), func(f string) bool { return slices.Contains(p.Text, f) }),
		of: map[string]string{
			"model": m.Checkpoint.Manifest.SHA256, "kernels": m.kernels(), "work": "predict " + t.Kind.String(), "task": p.Task,
			"abstain": fmt.Sprint(p.Abstain), "writing": predictor.Writer.String(),
		},
		together: predictor.Together(),
		label: func(ctx context.Context, records rowRecords, ready func([]labelledRow) error) error {
			err := predictor.Predict(ctx, records, p.Abstain, func(list []eval.Predicted) error {
				rows := make([]labelledRow, len(list))
				for i, r := range list {
					rows[i] = labelledRow(r)
				}
				return ready(rows)
			})
			if err != nil && !errors.Is(err, context.Canceled) {
				return recipes.Input(err)
			}
			return err
		},
	}, o)
	if err != nil {
		return nil, err
	}
	for _, note := range []struct {
		of   string
		n    int64
		hint string
	}{
		{"abstained from " + predictor.Unsure(), done.Unsure, ""},
		{"questions to which the model finds no answer, whose predictions are null", done.None, ""},
		{"rows with an empty text, whose predictions are null", done.Empty, ""},
		{"texts that did not end by themselves, whose finish_reason is length", done.Unended, " (hint: --max-tokens)"},
	} {
		if note.n > 0 {
			o.Say(fmt.Sprintf("%s: %d%s", note.of, note.n, note.hint))
		}
	}
	return done, nil
}

// suits refuses options that change nothing for a task. sure: its predictions have probabilities; writes: they are texts that
// the model writes.
func (p *PredictOptions) suits(t *task.Task, sure, writes bool) error {
	if p.Abstain > 0 && !sure {
		return recipes.Input(fmt.Errorf("predict: --abstain is for predictions with a probability, which those of the kind %v have not", t.Kind))
	}
	if len(p.Asked) > 0 && !writes {
		return recipes.Input(fmt.Errorf("predict: --%s is for tasks that write texts, and this one is of the kind %v", p.Asked[0], t.Kind))
	}
	return nil
}

// writer writes as its options say and, where these do not, as the model's files do.
func (p *PredictOptions) writer(m *pretrained.Model, say func(string)) (*eval.Writer, error) {
	g, s, err := generate.Open(m)
	if err != nil {
		return nil, err
	}
	asked := func(option string) bool { return slices.Contains(p.Asked, option) }
	if !asked("temperature") {
		s = s.Undrawn()
	}
	w := &eval.Writer{Generator: g, Options: p.Write}
	if followed := s.Sampling(&w.Options, asked); len(followed) > 0 {
		say("generation_config.json: " + strings.Join(followed, ", "))
	}
	for _, key := range s.Ignored {
		say("generation_config.json: " + key + " is not followed")
	}
	if w.Options.N > 1 {
		say(fmt.Sprintf("generation_config.json: %d results are not followed: a row has one", w.Options.N))
	}
	w.Options.N = 1
	return w, w.Options.Validate(m.Config.VocabSize)
}

// predictedTogether is the number of positions of a batch: few enough for the states of all to stay
// in the caches of cores.
const predictedTogether = 1024

// task is the one that is predicted by, without what it compares predictions with: the one that was
// named, or that the model has been trained for, or a plain one of its kind.
func (p *PredictOptions) task(m *pretrained.Model) (*task.Task, error) {
	t, err := p.trained(m)
	if err != nil {
		return nil, err
	}
	if t, err = t.Predicting(p.Text); err != nil {
		return nil, fmt.Errorf("predict: --text names %w", err)
	}
	p.Text = t.Texts()
	return t, nil
}

func (p *PredictOptions) trained(m *pretrained.Model) (*task.Task, error) {
	if p.Task != "" {
		return recipes.LoadTask(p.Task)
	}
	if _, ok := m.Checkpoint.Manifest.Files[recipes.TaskFile]; ok {
		text, err := m.Checkpoint.File(recipes.TaskFile)
		if err != nil {
			return nil, err
		}
		t, err := recipes.ParseTask(recipes.TaskFile, string(text))
		if err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", m.Checkpoint.Dir, err)
		}
		return t.Compile()
	}
	for _, k := range task.Kinds {
		if k.Usual != nil && k.Head == m.Head.String() && (k.Problem == "" || k.Problem == m.Config.Problem()) {
			t := task.Of(k)
			t.Columns = *k.Usual
			return t, nil
		}
	}
	return nil, fmt.Errorf("predict: %s is a %v, and does not say which task it was trained for (hint: --task NAME|FILE; hone embed makes vectors, hone generate and hone chat write texts)", m.Checkpoint.Dir, m.Head)
}

package run

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"hone/data/task"
	"hone/eval"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// PredictOptions say what is predicted.
type PredictOptions struct {
	RowsOptions
	Abstain float64 // a prediction that is less probable is null
	Task    string  // name or file of the task; "": the one that the model was trained for
}

// Predict adds to the rows of a file what the model dir predicts of them.
func Predict(ctx context.Context, dir string, p PredictOptions, o Options) (*Rowed, error) {
	if !(p.Abstain >= 0 && p.Abstain <= 1) {
		return nil, recipes.Input(fmt.Errorf("predict: --abstain %g is no probability: want it from 0 to 1", p.Abstain))
	}
	dev, err := OpenDevice(0, false)
	if err != nil {
		return nil, err
	}
	defer dev.Close()
	m, err := pretrained.Open(dev, dir, 0)
	if err != nil {
		return nil, recipes.Input(err)
	}
	o.sayStored(m)
	t, err := p.task(m)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if p.Text == nil {
		if p.Text = textsOf(t); p.Text == nil && (t.Columns.Text.Template != nil || t.Columns.Words != "") {
			p.Text = []string{}
		}
	}
	c, err := taskConfig(m, t, nil)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("predict: %w", err))
	}
	c.BatchSize = max(1, predictedTogether/c.T)
	predictor, err := eval.NewPredictor(m.Net, c)
	if err != nil {
		return nil, recipes.Input(err)
	}
	if p.Abstain > 0 && !predictor.Confident() {
		return nil, recipes.Input(fmt.Errorf("predict: --abstain is for predictions with one probability, which those of the kind %v have not", t.Kind))
	}
	_, kernels := kindOf(dev)
	var abstained, empty int64
	done, err := p.each(ctx, &labeller{
		doing: "predicting", columns: predictor.Columns, fields: slices.DeleteFunc(slices.Clone(t.Spec.Fields), func(f string) bool { return slices.Contains(p.Text, f) }),
		of: map[string]string{
			"model": m.Checkpoint.Manifest.SHA256, "kernels": kernels, "work": "predict " + t.Kind.String(), "task": p.Task,
			"abstain": fmt.Sprint(p.Abstain),
		},
		label: func(ctx context.Context, records rowRecords) ([]labelledRow, error) {
			list, err := predictor.Predict(ctx, records, p.Abstain)
			if err != nil && !errors.Is(err, context.Canceled) {
				return nil, recipes.Input(err)
			}
			if err != nil {
				return nil, err
			}
			rows := make([]labelledRow, len(list))
			for i, r := range list {
				rows[i] = labelledRow{r.Values, r.Cut}
				if r.Abstained {
					abstained++
				}
				if r.Empty {
					empty++
				}
			}
			return rows, nil
		},
	}, o)
	if err != nil {
		return nil, err
	}
	if abstained > 0 {
		o.Say(fmt.Sprintf("abstained from %d predictions, which are null", abstained))
	}
	if empty > 0 {
		o.Say(fmt.Sprintf("rows with an empty text, whose predictions are null: %d", empty))
	}
	return done, nil
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
	plain := *t
	plain.Columns.Label, plain.Columns.LabelColumns, plain.Columns.Answer = "", nil, task.Part{}
	if plain.Kind == task.TokenLabels { // of a list, which is no text
		if len(p.Text) > 1 {
			return nil, fmt.Errorf("predict: --text names %d columns, and a task of kind %v reads one, of lists of words", len(p.Text), plain.Kind)
		}
		if len(p.Text) == 1 {
			plain.Columns.Words, p.Text = p.Text[0], nil
		}
	}
	if len(p.Text) > 0 && plain.Columns.Text.Template == nil {
		plain.Columns.Text.Column = p.Text[0]
		if len(p.Text) > 1 {
			plain.Columns.Pair = task.Part{Column: p.Text[1]}
		}
		if plain.Kind == task.Classification && len(p.Text) > 1 {
			plain.Kind = task.PairClassification
		}
	}
	if n := len(textsOf(&plain)); len(p.Text) > 0 && n != len(p.Text) {
		return nil, fmt.Errorf("predict: --text names %d columns, and a task of kind %v reads %d", len(p.Text), plain.Kind, n)
	}
	plain.Read()
	return &plain, nil
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
		if k.Head() != m.Head.String() || k.Problem() != "" && k.Problem() != m.Config.Problem() {
			continue
		}
		t := task.Of(k)
		switch k {
		case task.TokenLabels:
			t.Columns.Words = "words"
		case task.QuestionAnswering:
			t.Columns.Text.Column, t.Columns.Pair.Column = "question", "context"
		case task.Likelihood, task.TextToText, task.MultipleChoice: // only a task says what is read
			continue
		}
		return t, nil
	}
	return nil, fmt.Errorf("predict: %s is a %v, and does not say which task it was trained for (hint: --task NAME|FILE; hone embed makes vectors, hone generate and hone chat write texts)", m.Checkpoint.Dir, m.Head)
}

// textsOf are the columns with the texts of a task's records; nil: no column is named, and the text
// is wherever a file has it.
func textsOf(t *task.Task) (columns []string) {
	for _, part := range []task.Part{t.Columns.Text, t.Columns.Pair} {
		if part.Template == nil && part.Column != "" {
			columns = append(columns, part.Column)
		}
	}
	return columns
}

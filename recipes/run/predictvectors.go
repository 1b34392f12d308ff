package run

import (
	"context"
	"errors"
	"fmt"

	"hone/data/source"
	"hone/data/task"
	"hone/eval"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// vectors adds what a model predicts whose vectors of texts are compared: of retrieval the vector of the text that looks
// for others, behind its prompt; of similarity the cosine of the vectors of two texts.
func (p *PredictOptions) vectors(ctx context.Context, m *Model, t *task.Task, o Options) (*Rowed, error) {
	if !m.Head.Headless() { // the task was named, and is not the one that the model was trained for
		body, err := OpenModel(m.Checkpoint.Dir, pretrained.Options{Body: true}, func(string) {})
		if err != nil {
			return nil, err
		}
		defer body.Close()
		m = body
	}
	v, err := vectorsOf(m, "", o)
	if err != nil {
		return nil, err
	}
	if t.Kind.Labels == task.Nearest {
		if t.Columns.Text.Template != nil {
			return nil, recipes.Input(errors.New("predict: the vectors of texts that a template makes are not added to rows (hint: hone embed makes those of a column)"))
		}
		rows := p.RowsOptions
		rows.Text = rows.Text[:1]
		return v.rows(ctx, recipes.PromptNamed(v.how, recipes.QueryPrompts), rows, o)
	}
	embedder, prompt, err := v.prompted(recipes.PromptNamed(v.how, recipes.QueryPrompts), o)
	if err != nil {
		return nil, recipes.Input(err)
	}
	return p.each(ctx, &labeller{
		doing: "predicting", columns: []source.Column{source.Numbers("prediction"), source.Truths("truncated")}, fields: t.Spec.Fields,
		of: map[string]string{
			"model": v.model.Checkpoint.Manifest.SHA256, "kernels": v.model.kernels(), "work": "predict " + t.Kind.String(), "task": p.Task,
			"pooling": v.how.String(), "prompt": prompt,
		},
		label: func(ctx context.Context, records rowRecords, ready func([]labelledRow) error) error {
			texts := make([]string, 0, 2*len(records))
			for i := range records {
				e, err := t.Example(&records[i])
				if err != nil {
					return recipes.Input(fmt.Errorf("data: %s: %w", records[i].Path, err))
				}
				texts = append(texts, e.Text, e.Pair)
			}
			list, cut, err := embedder.Embed(ctx, texts)
			if none := (*eval.NoTokensError)(nil); errors.As(err, &none) {
				return recipes.Input(fmt.Errorf("data: %s: a text has no tokens (hint: leave the row out)", records[none.Text/2].Path))
			}
			if err != nil {
				return err
			}
			rows := make([]labelledRow, len(records))
			for i := range rows {
				near, err := eval.Cosine(list[2*i], list[2*i+1])
				if err != nil {
					return recipes.Input(fmt.Errorf("data: %s: %w", records[i].Path, err))
				}
				long := cut[2*i] || cut[2*i+1]
				rows[i] = labelledRow{Values: []any{near, long}, Cut: long}
			}
			return ready(rows)
		},
	}, o)
}

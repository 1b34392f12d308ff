package run

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

// A TaskPlan is what a task makes of its documents.
type TaskPlan struct {
	Task     string         `json:"task"`
	Kind     string         `json:"kind"`
	Splits   []TaskSplit    `json:"splits"`
	Examples []task.Example `json:"examples,omitempty"` // the first ten
	Tokens   string         `json:"-"`                  // these, as a model reads them
	Cut      int64          `json:"cut"`                // of these, longer than the model's longest sequence
	labels   task.Labels
}

// A TaskSplit has the counts of a split.
type TaskSplit struct {
	Split string `json:"split"`
	Rows  int64  `json:"rows"`
	task.Counts
	Shared int64 `json:"shared"` // examples whose text is in training too
}

// shownExamples is the number of examples that a TaskPlan shows.
const shownExamples = 10

// CheckTask reads all documents of a task, and shows the first ones; with dir, the directory of a
// checkpoint, in the tokens of its model.
func CheckTask(ctx context.Context, t *task.Task, dir string, o Options, colour bool) (*TaskPlan, error) {
	c, err := taskCorpus(ctx, t, o)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	plan := &TaskPlan{Task: t.Name, Kind: t.Kind.Name, labels: t.Kind.Labels}
	labels := map[string]bool{}
	for _, split := range c.Splits() {
		n, err := t.Survey(ctx, split)
		if err != nil {
			return nil, recipes.Input(err)
		}
		s := TaskSplit{Split: split.Name, Rows: split.Rows(), Counts: *n}
		for l := range n.Labels {
			labels[l] = true
		}
		if split != c.Train && c.Train != nil {
			if s.Shared, err = t.Shared(ctx, t, c.Train, split); err != nil {
				return nil, recipes.Input(err)
			}
		}
		plan.Splits = append(plan.Splits, s)
	}
	split := c.Splits()[0]
	for _, s := range c.Splits() {
		if split.Rows() == 0 {
			split = s
		}
	}
	rows := few{split, min(shownExamples, split.Rows())}
	for i := range rows.Rows() {
		r, err := rows.Record(i)
		if err != nil {
			return nil, recipes.Input(err)
		}
		e, err := t.Example(&r)
		if err != nil {
			return nil, recipes.Input(err)
		}
		plan.Examples = append(plan.Examples, e)
	}
	if dir == "" || !t.Kind.Labelled() {
		return plan, nil
	}
	m, err := readable(dir, t.Kind)
	if err != nil {
		return nil, recipes.Input(err)
	}
	cfg, err := taskConfig(m, t, rows)
	if err != nil {
		return nil, recipes.Input(fmt.Errorf("task %s: %w", t.Name, err))
	}
	cfg.BatchSize, cfg.Epochs = shownExamples, 1
	if t.Kind.Classes() {
		cfg.Labels = t.Labels
		if len(cfg.Labels) == 0 {
			cfg.Labels = slices.Sorted(maps.Keys(labels))
		}
	}
	l, err := data.NewLoader(cfg, data.Cursor{})
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer l.Close()
	b, err := l.Next(ctx)
	if err != nil {
		return nil, recipes.Input(err)
	}
	var out strings.Builder
	err = data.Preview(&out, b, cfg.Tokenizer, colour)
	plan.Tokens, plan.Cut = out.String(), l.Stats().Truncated
	return plan, err
}

// few are the first records of a split.
type few struct {
	*corpus.Split
	n int64
}

func (f few) Rows() int64 { return f.n }

// readable is a checkpoint without its weights: how a model of a kind of task would read texts that
// began with it.
func readable(dir string, k *task.Kind) (*pretrained.Model, error) {
	c, err := checkpoint.Open(pretrained.Dir(dir))
	if err != nil {
		return nil, err
	}
	m := &pretrained.Model{Checkpoint: c}
	text, err := c.File(checkpoint.ConfigFile)
	if err == nil {
		m.Config, err = model.ReadConfig(bytes.NewReader(text))
	}
	if err != nil {
		return nil, fmt.Errorf("checkpoint %s: %w", c.Dir, err)
	}
	if m.Head, err = recipes.HeadOf(m.Config, k); err != nil {
		return nil, err
	}
	m.Config.ProblemType = k.Problem
	tok, err := c.File(checkpoint.TokenizerFile)
	if err != nil {
		return nil, err
	}
	m.Tokenizer, err = tokenizer.Parse(tok)
	return m, err
}

// Print writes the counts and the examples.
func (p *TaskPlan) Print(w io.Writer) error {
	fmt.Fprintf(w, "task %s: %s\n\n", p.Task, p.Kind)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "split\tdocuments\texamples\twithout text\twithout label\tin training too\tlabels")
	for _, s := range p.Splits {
		var labels []string
		names := slices.SortedFunc(maps.Keys(s.Labels), func(a, b string) int { return cmp.Or(cmp.Compare(s.Labels[b], s.Labels[a]), strings.Compare(a, b)) })
		const most = 20
		for _, l := range names[:min(most, len(names))] {
			labels = append(labels, fmt.Sprintf("%s %d", l, s.Labels[l]))
		}
		if n := len(names) - most; n > 0 {
			labels = append(labels, fmt.Sprintf("and %d more", n))
		}
		if s.Counts.Examples > 0 {
			switch p.labels {
			case task.Number:
				labels = append(labels, fmt.Sprintf("%g to %g, mean %.4g", s.Least, s.Greatest, s.Mean))
			case task.Choice:
				labels = append(labels, fmt.Sprintf("%d to %d choices", s.Choices[0], s.Choices[1]))
			}
		}
		shared := "–"
		if s.Split != "train" {
			shared = fmt.Sprint(s.Shared)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%s\n", s.Split, s.Rows, s.Counts.Examples, s.Null, s.Unlabelled, shared, strings.Join(labels, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if p.Tokens != "" {
		if p.Cut > 0 {
			fmt.Fprintf(w, "%d of these %d documents are longer than the longest sequence of the model, and are cut\n", p.Cut, len(p.Examples))
		}
		_, err := io.WriteString(w, p.Tokens)
		return err
	}
	for i, e := range p.Examples {
		fmt.Fprintf(w, "── document %d\n", i)
		for _, part := range []struct{ name, text string }{{"text", e.Text}, {"second text", e.Pair}, {"answer", e.Answer}, {"label", e.Label}, {"labels", strings.Join(e.Labels, ", ")}} {
			if part.text != "" {
				fmt.Fprintf(w, "%s: %q\n", part.name, part.text)
			}
		}
		for k, c := range e.Choices {
			mark := " "
			if e.HasLabel && k == e.Right {
				mark = "→"
			}
			fmt.Fprintf(w, "%s choice %d: %q\n", mark, k, c)
		}
		if p.labels == task.Number && e.HasLabel {
			fmt.Fprintf(w, "number: %g\n", e.Value)
		}
	}
	_, err := fmt.Fprintln(w, "\nhone check TASK --model MODEL shows them in the model's tokens")
	return err
}

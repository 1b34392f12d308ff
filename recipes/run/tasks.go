package run

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/recipes"
	"hone/trainer/model"
)

// columnsOf are the columns of a corpus that the tasks of stages read, beside its text and label,
// and of these the one that has words in place of a text; "": none.
func columnsOf(r *recipes.Recipe, name string) (fields []string, words string) {
	for i := range r.Stages {
		s := &r.Stages[i]
		for _, t := range tasksOf(r, s) {
			if !slices.Contains(s.Sources(), name) {
				continue
			}
			words = cmp.Or(words, t.Spec.Words)
			for _, f := range t.Needs(r.Corpus[name].Text) {
				if !slices.Contains(fields, f) {
					fields = append(fields, f)
				}
			}
		}
	}
	return fields, words
}

// tasksOf are the tasks by which a stage reads its corpus: its own, or those that its models have
// learned.
func tasksOf(r *recipes.Recipe, s *recipes.Stage) (list []*task.Task) {
	if t := s.TaskOf(); t != nil {
		return []*task.Task{t}
	}
	for _, name := range s.Models {
		if m, err := r.Stage(name); err == nil && m.TaskOf() != nil {
			list = append(list, m.TaskOf())
		}
	}
	return list
}

// surveyTasks reads the examples of every task of a recipe, so that what cannot be read is said
// before anything is trained, and sets the labels of corpora whose tasks find them.
func surveyTasks(ctx context.Context, r *recipes.Recipe, corpora map[string]*corpus.Corpus, say func(string)) error {
	done := map[string]bool{}
	for i := range r.Stages {
		s := &r.Stages[i]
		for _, t := range tasksOf(r, s) {
			for _, name := range s.Sources() {
				if key := fmt.Sprintf("%p %s", t, name); !done[key] {
					done[key] = true
					if err := surveyTask(ctx, t, corpora[name], s, say); err != nil {
						return fmt.Errorf("stage %s: corpus %s: %w", s.Name, name, err)
					}
				}
			}
		}
	}
	return nil
}

// drawFew leaves in training splits the few documents of each label that recipes ask for.
func drawFew(ctx context.Context, r *recipes.Recipe, corpora map[string]*corpus.Corpus, say func(string)) error {
	for _, name := range slices.Sorted(maps.Keys(corpora)) {
		n, c := r.Corpus[name].ExamplesPerLabel, corpora[name]
		if n == 0 || c.Train == nil {
			continue
		}
		label := func(r *corpus.Record) (string, bool, error) { return r.Label, r.HasLabel, nil }
		for i := range r.Stages {
			if !slices.Contains(r.Stages[i].Sources(), name) {
				continue
			}
			for _, t := range tasksOf(r, &r.Stages[i]) {
				if t.Kind.Labels != task.OneOf {
					return fmt.Errorf("corpus %s: examples_per_label: documents of %s do not have one label each", name, t.Kind)
				}
				label = func(r *corpus.Record) (string, bool, error) {
					e, err := t.Example(r)
					return e.Label, e.HasLabel && !e.Null, err
				}
			}
		}
		all := c.Train.Rows()
		fewer, err := c.FewOfEach(ctx, n, uint64(r.Seed), label)
		if err != nil {
			return fmt.Errorf("corpus %s: %w", name, err)
		}
		if c.Train.Rows() == 0 {
			return fmt.Errorf("corpus %s: examples_per_label: no document of split train has a label (hint: label names the column)", name)
		}
		note := fmt.Sprintf("corpus %s: training has %d of its %d documents, %d of each label, drawn by seed %d", name, c.Train.Rows(), all, n, r.Seed)
		if len(fewer) > 0 {
			note += fmt.Sprintf("; %s, and %d labels in all, have fewer", fewer[0], len(fewer))
		}
		say(note)
	}
	return nil
}

// surveyTask reads the examples of a task in all splits of a corpus. s is the stage that trains or
// evaluates by it; nil: none.
func surveyTask(ctx context.Context, t *task.Task, c *corpus.Corpus, s *recipes.Stage, say func(string)) error {
	all, train := map[string]int64{}, &task.Counts{}
	trains := s != nil && s.Trains()
	for _, split := range c.Splits() {
		n, err := t.Survey(ctx, split)
		if err != nil {
			return err
		}
		for l, k := range n.Labels {
			all[l] += k
		}
		if n.Null+n.Unlabelled > 0 && t.Kind.Labelled() {
			say(fmt.Sprintf("corpus %s: split %s: %d of %d documents are left out: %d without a text, %d without a label", c.Provenance.Name, split.Name, n.Null+n.Unlabelled, split.Rows(), n.Null, n.Unlabelled))
		}
		needed := trains && split != c.Test || s != nil && !trains && split.Name == s.Split
		if n.Examples == 0 && split.Rows() > 0 && needed && t.Kind.Labelled() {
			return fmt.Errorf("no document of split %s has what %s predicts (hint: label names the column)", split.Name, t.Kind)
		}
		if split == c.Train {
			train = n
		}
	}
	if trains && c.Train != nil {
		for _, l := range t.Labels {
			if train.Labels[l] == 0 {
				return fmt.Errorf("no document of split train has the label %q: a model cannot learn it (hint: leave it out of labels, or add examples)", l)
			}
		}
		if t.Kind.Labels == task.Number && train.Least == train.Greatest {
			return fmt.Errorf("all %d numbers of split train are %g: there is nothing to learn", train.Examples, train.Least)
		}
	}
	if !t.Kind.Classes() {
		return nil
	}
	if t.Kind.Labels != task.OneOf || len(t.Labels) > 0 {
		c.Labels = slices.Sorted(maps.Keys(all))
		if len(t.Labels) > 0 {
			c.Labels = t.Labels
		}
	}
	if c.Train != nil && trains {
		for _, l := range c.Labels {
			if train.Labels[l] == 0 {
				return fmt.Errorf("label %q is in other splits and not in split train: a model cannot learn it", l)
			}
		}
	}
	return nil
}

// limits refuses corpora of which more documents are cut, or have been seen in training, than the
// task of a stage allows. read is how the stage reads its training split.
func limits(ctx context.Context, t *task.Task, c *corpus.Corpus, read data.Config) error {
	for _, split := range []*corpus.Split{c.Validation, c.Test} {
		if err := overlap(ctx, t, split, t, c.Train, "split train"); err != nil {
			return err
		}
	}
	for _, split := range c.Splits() {
		if err := truncated(ctx, t, split, read); err != nil {
			return err
		}
	}
	return nil
}

// overlap refuses a held-out split of which more texts have been seen in training than its task allows.
// train, which the task of reads, is called what in the message.
func overlap(ctx context.Context, t *task.Task, split *corpus.Split, of *task.Task, train *corpus.Split, what string) error {
	if t.Limits.Overlap == 1 || train == nil || split == nil || split.Rows() == 0 {
		return nil
	}
	n, err := t.Shared(ctx, of, train, split)
	if err != nil {
		return err
	}
	if share := float64(n) / float64(split.Rows()); share > t.Limits.Overlap {
		return fmt.Errorf("%d of the %d texts of split %s are in %s too, %.1f %%: more than max_overlap = %g of task %s (hint: dedup = \"exact\" of the corpus leaves them out of training)",
			n, split.Rows(), split.Name, what, 100*share, t.Limits.Overlap, t.Name)
	}
	return nil
}

// truncated refuses a split of which more documents are cut than its task allows, or have an answer that no
// row has whole. read is how a split is read.
func truncated(ctx context.Context, t *task.Task, split *corpus.Split, read data.Config) error {
	if t.Limits.Truncated == 1 || !t.Kind.Labelled() {
		return nil
	}
	read.Records, read.Mixture, read.Unlabelled = split, nil, true
	n, err := data.Count(ctx, read)
	if err != nil {
		return err
	}
	if share := float64(n.Truncated+n.Unheld) / float64(max(1, n.Documents)); share > t.Limits.Truncated {
		return fmt.Errorf("%d of the %d documents of split %s are longer than a row of %d tokens, or have an answer that no window has whole, %.1f %%: more than max_truncated = %g of task %s (hint: a longer sequence_length, if the model takes it)",
			n.Truncated+n.Unheld, n.Documents, split.Name, read.T, 100*share, t.Limits.Truncated, t.Name)
	}
	return nil
}

// seen are the training splits that a model of the recipe has learned from, and the tasks by which it has
// read them: those of its stage, and of the stages that this started from.
func (w *runner) seen(s *recipes.Stage, each func(of *task.Task, train *corpus.Split, what string) error) error {
	for s != nil {
		of := data.TaskOf(s.Learns())
		if of == nil {
			of = task.WholeTexts
		}
		for _, name := range s.Sources() {
			if err := each(of, w.corpora[name].Train, fmt.Sprintf("split train of corpus %s, which stage %s has learned from,", name, s.Name)); err != nil {
				return err
			}
		}
		s, _ = w.r.Stage(s.From) // nil: it started from a model of elsewhere, or from none
	}
	return nil
}

// pairFrame is the special tokens of two texts in one sequence, as the tokenizer of a checkpoint
// sets them whose frame of a single text is before and after.
func pairFrame(tok *tokenizer.Pipeline, before, after string, c model.Config) (*tokenizer.PairFrame, error) {
	if !framedBy(tok, before, after) {
		text, err := tok.Framed(before, after, joins(c))
		if err != nil {
			return nil, err
		}
		if tok, err = tokenizer.Parse(text); err != nil {
			return nil, err
		}
	}
	return tok.PairFrame()
}

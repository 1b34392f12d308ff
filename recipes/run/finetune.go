package run

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"hone/data"
	"hone/data/corpus"
	"hone/data/source"
	"hone/data/task"
	"hone/recipes"
	"hone/trainer/pretrained"
)

// A Finetuning is a recipe that trains a model on a file.
type Finetuning struct {
	Recipe string
	Why    []string // what was guessed, and from what
}

// Finetuner says which model is trained on which file. Task is a kind of task, the name of a
// built-in one, or a file; Text and Label are columns; "": they are guessed.
type Finetuner struct {
	Model, File, Task, Text, Label string

	Read recipes.Reading // how the file is read, where it does not say so itself
}

const (
	sampled          = 2000 // documents that are looked at to guess
	documentsPerStep = 32
	usualEpochs      = 3
	fewDocuments     = 2000 // so many are seen more often
)

// Finetune writes a recipe that trains a model on a file.
func Finetune(ctx context.Context, f Finetuner, o Options) (*Finetuning, error) {
	dir, note, err := Checkpoint(ctx, f.Model, o)
	if err != nil {
		return nil, err
	}
	if note != "" {
		o.Say(note)
	}
	out := &Finetuning{}
	say := func(format string, args ...any) { out.Why = append(out.Why, fmt.Sprintf(format, args...)) }
	var t *recipes.Task
	inspect := func() (*corpus.Info, error) {
		info, err := corpus.Inspect(ctx, []string{f.File}, corpus.InspectOptions{CacheDir: o.Cache, Say: o.Say, Read: f.Read.Options()}, nil)
		return info, recipes.Input(err)
	}
	var info *corpus.Info
	if f.Task != "" && !slices.Contains(task.Names(), f.Task) {
		if f.Text != "" || f.Label != "" {
			return nil, recipes.Input(fmt.Errorf("finetune: --text and --label beside --task %s, which names its columns itself (hint: hone cp copies a task to a file, to change them)", f.Task))
		}
		if t, err = recipes.ReadTask(f.Task); err != nil {
			return nil, err
		}
		switch told := !reflect.ValueOf(f.Read).IsZero(); {
		case told && !reflect.ValueOf(t.Reading).IsZero():
			return nil, recipes.Input(fmt.Errorf("finetune: task %s says itself how files are read: leave --column-names and its like out (hint: hone cp copies a task to a file, to change it)", f.Task))
		case !told:
			f.Read = t.Reading
		}
		if info, err = inspect(); err != nil {
			return nil, err
		}
	} else {
		if info, err = inspect(); err != nil {
			return nil, err
		}
		s, err := sample(ctx, f, info, o)
		if err != nil {
			return nil, recipes.Input(err)
		}
		if column, n := s.Repeated(); n > 0 && len(f.Read.ColumnNames) == 0 && delimited(info) {
			return nil, recipes.Input(fmt.Errorf("%s: its first line seems to be a row, and no header: %q is a value of its column in %d of the first %d rows too (hint: --column-names A,B names the columns of a file without a header)", f.File, column, n, len(s.Rows)))
		}
		var why []string
		if t, why, err = recipes.Guess(s, f.Task, f.Text, f.Label); err != nil {
			return nil, err
		}
		out.Why = append(out.Why, why...)
	}
	t.Name, t.Source, t.Reading = "", f.File, f.Read
	compiled, err := t.Compile()
	if err != nil {
		return nil, err
	}
	compiled.Name = "file"
	held := held(info)
	for i, share := range []*float64{&t.Validation, &t.Test} {
		if *share > 0 { // the task says it
			held[i] = 0
		} else {
			*share = held[i]
		}
	}
	switch {
	case held == [2]float64{}:
	case held[0] > 0 && held[1] > 0:
		say("a tenth of the documents is held out to validate the training, and a tenth to test the model: the file has no such splits (keys validation and test)")
	case held[0] > 0:
		say("a tenth of the documents is held out to validate the training: there is no such split (key validation)")
	default:
		say("a tenth of the documents is held out to test the model: there is no such split (key test)")
	}
	if group := compiled.Spec.Group; group != "" && t.Validation+t.Test > 0 {
		say("documents of one %s are held out together (key group)", group)
	}
	m, err := readable(dir, compiled.Kind)
	if err != nil {
		return nil, recipes.Input(err)
	}
	spec := compiled.Spec
	spec.Say = o.Say
	c, err := corpus.Prepare(ctx, spec, o.Cache, nil)
	if err != nil {
		return nil, recipes.Input(err)
	}
	defer c.Close()
	if c.Train == nil || c.Train.Rows() == 0 {
		return nil, recipes.Input(fmt.Errorf("%s has no documents to train on: it has %s", f.File, describeSplits(c)))
	}
	size, err := sizes(ctx, m, compiled, c)
	if err != nil {
		return nil, recipes.Input(err)
	}
	say("rows of %d tokens: of %d documents %.1f %% are longer, and are cut; they have %.0f tokens on average", size.length, size.looked, 100*size.cut, size.mean)
	say("%d steps of about %.0f documents, %d epochs of %.0f", size.steps, size.perStep, size.epochs, size.documents)
	out.Recipe, err = finetuneRecipe(f, t, compiled, m, size)
	return out, err
}

// held are the shares of the training split that are held out for the splits that are not there.
func held(info *corpus.Info) (shares [2]float64) {
	for i, name := range []string{"validation", "test"} {
		if !slices.ContainsFunc(info.Splits, func(s corpus.SplitInfo) bool { return s.Name == name && s.Rows > 0 }) {
			shares[i] = 0.1
		}
	}
	return shares
}

// delimited reports whether files are CSV or TSV, whose first line names the columns.
func delimited(info *corpus.Info) bool {
	for format := range info.Formats {
		format, _, _ = strings.Cut(format, "+")
		if format == source.CSV || format == source.TSV {
			return true
		}
	}
	return false
}

// sample reads some documents with all their columns.
func sample(ctx context.Context, f Finetuner, info *corpus.Info, o Options) (s task.Sample, err error) {
	s.Columns = info.Columns
	text, words := "", ""
	for _, c := range info.Columns {
		switch t := info.Types[c]; {
		case strings.Contains(t, "utf8") && !strings.Contains(t, "<"):
			text = cmp.Or(text, c)
		case strings.Contains(t, "list<") && strings.Contains(t, "utf8"):
			words = cmp.Or(words, c)
		}
	}
	if text == "" && words == "" {
		return s, fmt.Errorf("%s has no column of texts: its columns are %s", f.File, strings.Join(info.Columns, ", "))
	}
	if text != "" {
		words = ""
	}
	c, err := corpus.Prepare(ctx, corpus.Spec{From: f.File, Read: f.Read.Options(), Text: text, Words: words, Fields: info.Columns, Say: o.Say}, o.Cache, nil)
	if err != nil {
		return s, err
	}
	defer c.Close()
	split := c.Splits()[0]
	n := min(sampled, split.Rows())
	for i := range n {
		r, err := split.Record(i * split.Rows() / n)
		if err != nil {
			return s, err
		}
		s.Rows = append(s.Rows, r.Fields)
	}
	return s, nil
}

// stageSizes are the sizes of a stage that trains on a file.
type stageSizes struct {
	length, looked, batch, steps, epochs int
	cut, mean, perStep, documents        float64
}

func sizes(ctx context.Context, m *pretrained.Model, t *task.Task, c *corpus.Corpus) (z stageSizes, err error) {
	counts, err := t.Survey(ctx, c.Train)
	if err != nil {
		return z, err
	}
	cfg, err := taskConfig(m, t, few{c.Train, min(sampled, c.Train.Rows())})
	if err != nil {
		return z, err
	}
	if t.Kind.Classes() {
		if cfg.Labels = t.Labels; len(cfg.Labels) == 0 {
			cfg.Labels = slices.Sorted(maps.Keys(counts.Labels))
		}
	}
	longest := cfg.T
	z.length = 32
	if t.Kind.Reads == task.Passage { // windows of a context want room for it
		z.length = 384
	}
	for ; ; z.length *= 2 {
		z.length = min(z.length, longest)
		cfg.T, cfg.BatchSize = z.length, 1
		n, err := data.Count(ctx, cfg)
		if err != nil {
			return z, err
		}
		z.looked, z.cut = int(n.Documents), float64(n.Truncated)/float64(max(1, n.Documents))
		filled := float64(n.Positions-n.Padding) / float64(max(1, n.Documents))
		if z.mean = filled; z.cut <= 0.01 || z.length == longest || z.length >= 512 {
			break
		}
	}
	if t.Limits.Truncated < z.cut {
		return z, fmt.Errorf("task %s: %.1f %% of the documents are longer than %d tokens: more than max_truncated = %g", t.Name, 100*z.cut, z.length, t.Limits.Truncated)
	}
	z.batch = max(1, int(math.Round(documentsPerStep*z.mean/float64(z.length))))
	z.perStep = float64(z.batch*z.length) / z.mean * 0.97 // rows are not quite full
	z.documents = float64(counts.Examples) * (1 - t.Spec.Shares.Validation - t.Spec.Shares.Test)
	z.epochs = usualEpochs
	if z.documents < fewDocuments {
		z.epochs = 10
	}
	z.steps = max(20, int(math.Ceil(float64(z.epochs)*z.documents/z.perStep)))
	return z, nil
}

// finetuneRecipe is the text of the recipe.
func finetuneRecipe(f Finetuner, t *recipes.Task, compiled *task.Task, m *pretrained.Model, z stageSizes) (string, error) {
	name := strings.Map(func(c rune) rune {
		if strings.ContainsRune(". :*?[]{},", c) {
			return '-'
		}
		return c
	}, strings.TrimSuffix(filepath.Base(f.File), filepath.Ext(f.File)))
	if name = strings.TrimLeft(name, "-"); name == "" {
		name = "tune"
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s, trained on %s for %s\nname = %q\n\n", f.Model, f.File, compiled.Kind, name)
	table, err := t.Table(name)
	if err != nil {
		return "", err
	}
	b.Write(table)
	config := m.Config
	dropout := 0.1
	if config.SetDropout(dropout, 0) != nil {
		dropout = 0
	}
	every := max(5, z.steps/6)
	fmt.Fprintf(&b, `
[[stage]]
name = "tune"
kind = "finetune"
task = %q
from = %q
sequence_length = %d
batch_size = %d
steps = %d
learning_rate = %g
lr_scheduler_type = "linear"
min_lr_ratio = 0
warmup_steps = %d
weight_decay = 0.01
adam_beta2 = 0.999
dropout = %g
eval_every = %d
save_every = %d
eval_documents = 1000

[[stage]]
name = "evaluate"
kind = "evaluate"
task = %q
models = ["tune"]
split = "test"
eval_documents = 0
`, name, f.Model, z.length, z.batch, z.steps, 5e-5, z.steps/10, dropout, every, every, name)
	if len(t.Baselines) > 0 {
		var list []string
		for _, name := range t.Baselines {
			list = append(list, fmt.Sprintf("%q", name))
		}
		fmt.Fprintf(&b, "baselines = [%s]\n", strings.Join(list, ", "))
	}
	return b.String(), nil
}

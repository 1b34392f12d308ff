package recipes

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"hone/checkpoint"
	"hone/data"
	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer/template"
	"hone/eval"
)

//go:embed tasks/*.toml
var taskFiles embed.FS

// A Task is the file of a task.Task.
type Task struct {
	Name        string `toml:"name,omitempty" doc:"name of the task in reports; without it the file's name"`
	Description string `toml:"description,omitempty" doc:"what the task is, in one line, for hone ls"`
	Kind        string `toml:"kind" need:"yes" doc:"what is predicted: text itself (likelihood), one label of a text (classification) or of two (pair_classification), any number of labels (multi_label), one of each word (token_labels), a number (regression), the right one of several texts (multiple_choice), the part of a second text that answers a question (question_answering), a text (text_to_text)"`
	Source      string `toml:"source,omitempty" doc:"where the documents are, as source of a corpus in a recipe; a stage that names a corpus reads that"`
	Reading

	Text           string       `toml:"text,omitempty" doc:"name of the column with the text; \"\": text"`
	TextPair       string       `toml:"text_pair,omitempty" doc:"name of the column with the second of two texts"`
	Words          string       `toml:"words,omitempty" doc:"name of the column with the list of the words of token_labels"`
	Label          string       `toml:"label,omitempty" doc:"name of the column with the label: a text, an integer or a boolean; a list of multi_label; a list, one for each word, of token_labels; a number of regression; of multiple_choice the right one's number from 0, letter from A, or text; \"\": label, where there is one"`
	LabelColumns   []string     `toml:"label_columns,omitempty" doc:"columns of 0 and 1, one for each label of multi_label, in place of label"`
	LabelSeparator string       `toml:"label_separator,omitempty" doc:"what stands between the labels of multi_label in one text, such as \",\"; \"\": the column has lists"`
	Labels         []string     `toml:"labels,omitempty" doc:"labels that there are: any other is an error, and integers in the column stand for these in their order; none: those of the documents"`
	FirstLabel     int          `toml:"first_label,omitempty" doc:"integer in the column that stands for the first of labels, which is 0 or 1"`
	Choices        []string     `toml:"choices,omitempty" doc:"columns with the choices of multiple_choice: one for each, or one of lists"`
	Answer         string       `toml:"answer,omitempty" doc:"name of the column with the text that text_to_text writes; of question_answering with its answers, a struct of the lists text and answer_start as SQuAD has it; its question is in text, its context in text_pair"`
	Template       TaskTemplate `toml:"template,omitempty" doc:"templates that write texts of the columns of a document, in place of single columns"`

	DocStride  int      `toml:"doc_stride,omitzero" unit:"tokens" doc:"tokens that two windows of a context have in common, of question_answering; 0: 128, and at most half of those that a window has of the context"`
	Group      string   `toml:"group,omitempty" doc:"column whose documents of one value are held out together by validation and test; \"\": of question_answering text_pair, so that the questions about a passage are in one split, else the text"`
	Split      string   `toml:"split,omitempty" doc:"split of the documents that an evaluation scores"`
	Validation float64  `toml:"validation,omitzero" doc:"share of the training split of source that is held out as the validation split; 0: none"`
	Test       float64  `toml:"test,omitzero" doc:"share of the training split of source that is held out as the test split; 0: none"`
	Metrics    []string `toml:"metrics,omitempty" doc:"metrics of an evaluation; none: those of the kind"`
	Baselines  []string `toml:"baselines,omitempty" doc:"baselines that the model stands beside, on the same documents"`

	MaxTruncated float64 `toml:"max_truncated" doc:"share of the documents of a split that may be longer than a row, and are cut: more are refused"`
	MaxOverlap   float64 `toml:"max_overlap" doc:"share of the documents of a held-out split whose text may be in the training split too: more are refused"`
}

// TaskTemplate are templates in the Jinja subset of chat templates; their variables are the columns
// of a document.
type TaskTemplate struct {
	Text     string `toml:"text,omitempty" doc:"template of the text"`
	TextPair string `toml:"text_pair,omitempty" doc:"template of the second text"`
	Choice   string `toml:"choice,omitempty" doc:"template of a choice, which is the variable choice"`
	Answer   string `toml:"answer,omitempty" doc:"template of the text that is written"`
}

var taskSplits = []string{"train", "validation", "test"}

func defaultTask() Task { return Task{Split: "test", MaxTruncated: 1, MaxOverlap: 1} }

// Tasks lists the built-in tasks.
func Tasks() []string {
	entries, err := taskFiles.ReadDir("tasks")
	if err != nil {
		panic(err) // the embedded tree always has it
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".toml"))
	}
	return names
}

func builtinTask(name string) (string, bool) {
	b, err := taskFiles.ReadFile("tasks/" + name + ".toml")
	return string(b), err == nil
}

// LoadTask reads a task, built in by name or from a file. An error is ErrInput; it is a *Faults
// when the task itself is at fault.
func LoadTask(nameOrFile string) (*task.Task, error) {
	t, err := ReadTask(nameOrFile)
	if err != nil {
		return nil, err
	}
	return t.Compile()
}

// ReadTask reads and validates the file of a task.
func ReadTask(nameOrFile string) (*Task, error) {
	text, file, err := taskSource(nameOrFile)
	if err != nil {
		return nil, err
	}
	return ParseTask(file, text)
}

// taskSource is the text of a task, built in or in a file, and the name to call it by in messages.
func taskSource(nameOrFile string) (text, file string, err error) {
	if text, ok := builtinTask(nameOrFile); ok {
		return text, nameOrFile + ".toml", nil
	}
	b, err := readText(nameOrFile)
	if err == nil {
		return string(b), nameOrFile, nil
	}
	if !strings.ContainsAny(nameOrFile, "./\\") {
		return "", "", Input(fmt.Errorf("no task is called %q%s", nameOrFile, suggest(nameOrFile, Tasks())))
	}
	return "", "", Input(fmt.Errorf("task: %w", err))
}

// ParseTask reads the text of a task; messages call it file.
func ParseTask(file, text string) (*Task, error) {
	tree, err := treeOf("task", file, text)
	if err != nil {
		return nil, err
	}
	faults := &Faults{File: file}
	t := defaultTask()
	t.Name = strings.TrimSuffix(filepath.Base(file), ".toml")
	d := decoder{faults: faults, lines: keyLines(text), task: true}
	d.table(tree, "", reflect.ValueOf(&t).Elem())
	d.taskKeys(&t, "")
	if t.Source != "" {
		d.sourceExists("source", t.Source, "")
	}
	if len(faults.List) > 0 {
		return nil, faults
	}
	return &t, nil
}

// taskKeys checks the keys of a task.
func (d *decoder) taskKeys(t *Task, at string) {
	d.oneOf(at+"kind", t.Kind, task.Names())
	d.oneOf(at+"split", t.Split, taskSplits)
	for _, s := range []struct {
		key string
		v   float64
	}{{"max_truncated", t.MaxTruncated}, {"max_overlap", t.MaxOverlap}} {
		if !(s.v >= 0 && s.v <= 1) {
			d.fault(at+s.key, "%g is not 0 or more and at most 1", s.v)
		}
	}
	for _, s := range []struct {
		key string
		v   float64
	}{{"validation", t.Validation}, {"test", t.Test}} {
		if !(s.v >= 0 && t.Validation+t.Test < 1) {
			d.fault(at+s.key, "%g: validation and test must be 0 or more, and together less than 1, so that something is left to train on", s.v)
		}
	}
	kind, err := task.ParseKind(t.Kind)
	d.reading(t.Reading.Options(), at)
	if err != nil {
		return // a fault already
	}
	for _, b := range t.Baselines {
		d.oneOf(at+"baselines", b, eval.Fitted(kind.Baselines))
	}
	for _, m := range t.Metrics {
		d.oneOf(at+"metrics", m, kind.Metrics)
	}
	given := map[string]bool{
		"text": t.Text != "" || t.Template.Text != "", "text_pair": t.TextPair != "" || t.Template.TextPair != "", "label": t.Label != "", "label_columns": len(t.LabelColumns) > 0,
		"words": t.Words != "", "choices": len(t.Choices) > 0, "answer": t.Answer != "" || t.Template.Answer != "",
		"label_separator": t.LabelSeparator != "", "template.choice": t.Template.Choice != "", "doc_stride": t.DocStride != 0,
	}
	takes := map[string]bool{}
	for _, key := range kind.Keys {
		name, optional := strings.CutPrefix(key, "?")
		either, or, two := strings.Cut(name, "|")
		takes[either], takes[cmp.Or(or, either)] = true, true
		switch {
		case optional:
		case two && given[either] == given[or]:
			d.fault(at+either, "want %s or %s, and not both", either, or)
		case !two && !given[name] && name != "text": // which may have its usual name
			d.fault(at+name, "missing: %s needs it", t.Kind)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if given[key] && !takes[key] {
			d.fault(at+key, "%s does not have it", t.Kind)
		}
	}
	d.positive(at+"doc_stride", t.DocStride, 0)
	if len(t.LabelColumns) == 1 {
		d.fault(at+"label_columns", "want a column for each of two labels or more")
	}
	if len(t.Labels) > 0 && !kind.Classes() {
		d.fault(at+"labels", "%s has no labels of a set", t.Kind)
	}
	if len(t.Labels) > 0 && len(t.LabelColumns) > 0 {
		d.fault(at+"labels", "label_columns names the labels already")
	}
	seen := map[string]bool{}
	for _, l := range slices.Concat(t.Labels, t.LabelColumns) {
		if seen[l] {
			d.fault(at+"labels", "%q is listed twice", l)
		}
		seen[l] = true
	}
	switch {
	case t.FirstLabel != 0 && len(t.Labels) == 0:
		d.fault(at+"first_label", "there are no labels for integers to stand for: labels lists them")
	case t.FirstLabel != 0 && t.FirstLabel != 1:
		d.fault(at+"first_label", "%d is not 0 or 1", t.FirstLabel)
	}
	if kind.Labels == task.OneOf && len(t.Labels) == 1 {
		d.fault(at+"labels", "1 label leaves nothing to choose; want 2 or more")
	}
	for _, p := range []struct{ key, column, text string }{
		{"text", t.Text, t.Template.Text}, {"text_pair", t.TextPair, t.Template.TextPair}, {"choice", "", t.Template.Choice}, {"answer", t.Answer, t.Template.Answer},
	} {
		switch parsed, err := parseTemplate(p.text); {
		case err != nil:
			d.fault(at+"template."+p.key, "%v", err)
		case p.text != "" && p.column != "":
			d.fault(at+"template."+p.key, "%s names a column already: give one of them", p.key)
		case p.key == "text" && p.text != "" && len(parsed.Variables()) == 0:
			d.fault(at+"template.text", "it reads no column, so that all texts would be the same")
		}
	}
}

func parseTemplate(text string) (*template.Template, error) {
	if text == "" {
		return nil, nil
	}
	return template.Parse(text)
}

// Compile gives the task that a valid file describes.
func (t *Task) Compile() (*task.Task, error) {
	kind, err := task.ParseKind(t.Kind)
	if err != nil {
		return nil, Input(err)
	}
	out := &task.Task{
		Name: t.Name, Description: t.Description, Kind: kind, Split: t.Split, Metrics: t.Metrics, Baselines: t.Baselines,
		Spec: corpus.Spec{Name: t.Name, From: t.Source, Read: t.Reading.Options()}, Labels: t.Labels,
		Limits: task.Limits{Truncated: t.MaxTruncated, Overlap: t.MaxOverlap}, Stride: t.DocStride,
		Columns: task.Columns{
			Text: task.Part{Column: t.Text}, Pair: task.Part{Column: t.TextPair}, Answer: task.Part{Column: t.Answer},
			Words: t.Words, Choices: t.Choices, Label: t.Label, LabelColumns: t.LabelColumns, Separator: t.LabelSeparator, FirstLabel: t.FirstLabel, Group: t.Group,
		},
	}
	if len(t.LabelColumns) > 0 {
		out.Labels = t.LabelColumns
	}
	c := &out.Columns
	for _, p := range []struct {
		to   **template.Template
		text string
	}{{&c.Text.Template, t.Template.Text}, {&c.Pair.Template, t.Template.TextPair}, {&c.Choice, t.Template.Choice}, {&c.Answer.Template, t.Template.Answer}} {
		if *p.to, err = parseTemplate(p.text); err != nil {
			return nil, Input(fmt.Errorf("task %s: %w", t.Name, err))
		}
	}
	out.Spec.Shares.Validation, out.Spec.Shares.Test = t.Validation, t.Test
	out.Read()
	return out, nil
}

// TaskFile is the file of a checkpoint that has the task that its model was trained for.
const TaskFile = "task.toml"

// TOML is the task as a file.
func (t *Task) TOML() ([]byte, error) { return encodeTask(t.Name, t) }

// Table is the task as a table of a recipe, [task.NAME].
func (t *Task) Table(name string) ([]byte, error) {
	return encodeTask(name, map[string]map[string]*Task{"task": {name: t}})
}

func encodeTask(name string, v any) ([]byte, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("task %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// readTasks reads what stages name as their tasks: tables of the recipe itself, built-in tasks, files.
func (d *decoder) readTasks(tree map[string]any) {
	d.tasks = map[string]Task{}
	if tables, ok := tree["task"].(map[string]any); ok {
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			at := join("task", name)
			table, ok := tables[name].(map[string]any)
			if !ok {
				d.fault(at, "want a table, begun by [task.NAME], not %s", describe(tables[name]))
				continue
			}
			t := defaultTask()
			t.Name = name
			d.table(table, at, reflect.ValueOf(&t).Elem())
			if !d.earlier {
				d.taskKeys(&t, at+".")
			}
			d.tasks[name] = t
		}
	}
	stages, _ := tree["stage"].([]map[string]any)
	for i, s := range stages {
		name, ok := s["task"].(string)
		if !ok || name == "" {
			continue // which is a fault of its own
		}
		if _, ok := d.tasks[taskName(name)]; ok {
			continue
		}
		t, err := ReadTask(name)
		if err != nil {
			d.fault(fmt.Sprintf("stage.%d.task", i), "%v", err)
			continue
		}
		d.tasks[taskName(name)] = *t
	}
}

// taskName is the name of a task that a recipe names so: of a file its own, without its ending.
func taskName(nameOrFile string) string {
	return strings.TrimSuffix(filepath.Base(nameOrFile), ".toml")
}

// usedTasks are the tasks that stages name.
func (d *decoder) usedTasks(stages []Stage) map[string]Task {
	used := map[string]Task{}
	for i := range stages {
		if t, ok := d.tasks[stages[i].Task]; ok {
			used[stages[i].Task] = t
		}
	}
	for name := range d.tasks {
		if _, ok := used[name]; !ok && !d.earlier && len(d.faults.List) == 0 {
			d.fault(join("task", name), "no stage names it: task = %q", name)
		}
	}
	return used
}

// StageTask is the task that a stage trains its model for, as a file of the model's checkpoints:
// without what belongs to the corpus. nil: it learns from text alone.
func (r *Recipe) StageTask(s *Stage) *Task {
	learned := data.TaskOf(s.Learns())
	if learned == nil {
		return nil
	}
	t, ok := r.Tasks[s.Task]
	if !ok {
		c := r.Corpus[s.Corpus]
		t = defaultTask()
		t.Kind, t.Text, t.Label = learned.Kind.String(), c.Text, c.Label
	}
	t.Source, t.Reading, t.Validation, t.Test, t.Group = "", Reading{}, 0, 0, ""
	return &t
}

// CheckpointTask is the task that the model of a checkpoint was trained for; nil: none is kept.
func CheckpointTask(c *checkpoint.Checkpoint) (*task.Task, error) {
	if _, ok := c.Manifest.Files[TaskFile]; !ok {
		return nil, nil
	}
	text, err := c.File(TaskFile)
	if err != nil {
		return nil, err
	}
	t, err := ParseTask(filepath.Join(c.Dir, TaskFile), string(text))
	if err != nil {
		return nil, err
	}
	return t.Compile()
}

// IsTask reports whether a name, or a file, is that of a task, and not of a recipe.
func IsTask(nameOrFile string) bool {
	if _, ok := builtin(nameOrFile); ok {
		return false
	}
	text, file, err := taskSource(nameOrFile)
	if err != nil {
		return false
	}
	tree, err := treeOf("task", file, text)
	_, kind := tree["kind"]
	_, stages := tree["stage"]
	return err == nil && kind && !stages
}

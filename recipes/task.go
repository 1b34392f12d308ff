package recipes

import (
	"embed"
	"fmt"
	"reflect"
	"strings"

	"hone/data/corpus"
	"hone/data/task"
	"hone/eval"
)

//go:embed tasks/*.toml
var taskFiles embed.FS

// A Task is the file of a task.Task.
type Task struct {
	Name        string   `toml:"name" doc:"name of the task in reports; without it the file's name"`
	Description string   `toml:"description" doc:"what the task is, in one line, for hone ls"`
	Kind        string   `toml:"kind" need:"yes" doc:"what is measured: the likelihood of text under a language model, or classification"`
	Source      string   `toml:"source" need:"yes" doc:"where the documents are, as source of a corpus in a recipe"`
	Text        string   `toml:"text" doc:"name of the column with the text; \"\": text"`
	Label       string   `toml:"label" doc:"name of the column with the label; \"\": label, where there is one"`
	Split       string   `toml:"split" doc:"split of the documents that is scored"`
	Baselines   []string `toml:"baselines" doc:"baselines that the model stands beside, on the same documents"`
}

var taskSplits = []string{"train", "validation", "test"}

func defaultTask() Task { return Task{Split: "test"} }

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

// LoadTask reads a task, built in by name or from a file. An error is ErrInput; it is a *Faults
// when the task itself is at fault.
func LoadTask(nameOrFile string) (*task.Task, error) {
	text, err := taskFiles.ReadFile("tasks/" + nameOrFile + ".toml")
	file := nameOrFile + ".toml"
	if err != nil {
		file = nameOrFile
		if text, err = readText(nameOrFile); err != nil {
			if !strings.ContainsAny(nameOrFile, "./\\") {
				return nil, Input(fmt.Errorf("no task is called %q%s", nameOrFile, suggest(nameOrFile, Tasks())))
			}
			return nil, Input(fmt.Errorf("task: %w", err))
		}
	}
	tree, err := treeOf("task", file, string(text))
	if err != nil {
		return nil, err
	}
	faults := &Faults{File: file}
	t := defaultTask()
	t.Name = strings.TrimSuffix(file, ".toml")
	d := decoder{faults: faults, lines: keyLines(string(text)), task: true}
	d.table(tree, "", reflect.ValueOf(&t).Elem())
	d.oneOf("kind", t.Kind, task.Names())
	d.oneOf("split", t.Split, taskSplits)
	d.sourceExists("source", t.Source, "")
	kind, err := task.ParseKind(t.Kind)
	if err == nil { // else it is a fault already
		for _, b := range t.Baselines {
			d.oneOf("baselines", b, eval.Fitted(kind.Baselines()))
		}
	}
	if len(faults.List) > 0 {
		return nil, faults
	}
	return &task.Task{
		Name: t.Name, Description: t.Description, Kind: kind, Split: t.Split, Baselines: t.Baselines,
		Spec: corpus.Spec{Name: t.Name, From: t.Source, Text: t.Text, Label: t.Label},
	}, nil
}

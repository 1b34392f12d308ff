package recipes

import (
	"embed"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

//go:embed tasks/*.toml
var taskFiles embed.FS

// A Task says what a checkpoint is evaluated on.
type Task struct {
	Name        string   `toml:"name"`
	Description string   `toml:"description"`
	Kind        string   `toml:"kind"`   // likelihood (of a language model), classification
	Source      string   `toml:"source"` // as of a corpus in a recipe
	Text        string   `toml:"text"`
	Label       string   `toml:"label"`
	Split       string   `toml:"split"` // train, validation, test
	Baselines   []string `toml:"baselines"`
}

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

// LoadTask reads a task, built in by name or from a file.
func LoadTask(nameOrFile string) (*Task, error) {
	text, err := taskFiles.ReadFile("tasks/" + nameOrFile + ".toml")
	file := nameOrFile + ".toml"
	if err != nil {
		file = nameOrFile
		if text, err = readText(nameOrFile); err != nil {
			if !strings.ContainsAny(nameOrFile, "./\\") {
				return nil, fmt.Errorf("no task is called %q%s", nameOrFile, suggest(nameOrFile, Tasks()))
			}
			return nil, fmt.Errorf("task: %w", err)
		}
	}
	faults := &Faults{File: file}
	tree := map[string]any{}
	if _, err := toml.Decode(string(text), &tree); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			faults.List = append(faults.List, Fault{Line: pe.Position.Line, Key: pe.LastKey, Message: pe.Message})
			return nil, faults
		}
		return nil, fmt.Errorf("task %s: %w", file, err)
	}
	t := &Task{Name: strings.TrimSuffix(file, ".toml"), Split: "test"}
	d := decoder{faults: faults, lines: keyLines(string(text)), task: true}
	d.table(tree, "", reflect.ValueOf(t).Elem())
	d.oneOf("kind", t.Kind, []string{"likelihood", "classification"})
	d.oneOf("split", t.Split, []string{"train", "validation", "test"})
	d.sourceExists("source", t.Source, "")
	for _, b := range t.Baselines {
		d.oneOf("baselines", b, slices.DeleteFunc(slices.Clone(baselines), func(s string) bool { return s == "random_init" }))
	}
	if len(faults.List) > 0 {
		return nil, faults
	}
	return t, nil
}

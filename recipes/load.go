package recipes

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// origin is where a recipe comes from, as the validator needs it.
type origin struct {
	file  string
	lines map[string]int // line of each key, by its path: "stage.0.steps"
	set   []string       // keys that the file and the overrides set, by their paths
}

// A Host is the machine that a recipe is for.
type Host struct {
	// Precision says what it lacks for one of Precisions.
	Precision func(name string) error
	// Model gives the checkpoint of a model that a stage starts from and that is none: of one
	// on the hub, say, which is imported. "": it is no such model.
	Model func(name string) (dir string, err error)
}

// Load reads a recipe, built in by name or from a file, applies overrides
// ("stage.pretrain.steps=50"), fills in defaults and validates it whole. An error is
// ErrInput; it is a *Faults when the recipe itself is at fault.
func Load(nameOrFile string, overrides []string, h Host) (*Recipe, error) {
	text, file, err := Source(nameOrFile)
	if err != nil {
		return nil, err
	}
	if IsTask(nameOrFile) {
		return nil, Input(fmt.Errorf("%s is a task, not a recipe (hint: task = %q in a [[stage]], or hone eval MODEL --task %s)", nameOrFile, nameOrFile, nameOrFile))
	}
	return Parse(file, text, overrides, h)
}

// treeOf reads the TOML of a recipe or a task, kind saying which. An error has the line of what
// is no TOML.
func treeOf(kind, file, text string) (map[string]any, error) {
	tree := map[string]any{}
	_, err := toml.Decode(text, &tree)
	var pe toml.ParseError
	switch {
	case errors.As(err, &pe):
		return nil, &Faults{File: file, List: []Fault{{Line: pe.Position.Line, Key: pe.LastKey, Message: pe.Message}}}
	case err != nil:
		return nil, Input(fmt.Errorf("%s %s: %w", kind, file, err))
	}
	return tree, nil
}

// Parse is Load of a recipe's text; messages call it file.
func Parse(file, text string, overrides []string, h Host) (*Recipe, error) {
	tree, err := treeOf("recipe", file, text)
	if err != nil {
		return nil, err
	}
	faults := &Faults{File: file}
	r := defaultRecipe()
	r.Name = strings.TrimSuffix(filepath.Base(file), ".toml")
	r.origin = origin{file: file, lines: keyLines(text)}
	for _, o := range overrides {
		if err := override(tree, o, r.origin.lines); err != nil {
			faults.List = append(faults.List, Fault{Key: o, Message: err.Error()})
		}
	}
	r.origin.set = setPaths("", tree)
	d := decoder{faults: faults, lines: r.origin.lines, set: r.origin.set, host: h}
	d.readTasks(tree)
	d.table(tree, "", reflect.ValueOf(&r).Elem())
	r.Tasks = d.usedTasks(r.Stages)
	d.base(&r)
	d.model(&r)
	r.resolve(h.Precision)
	d.frame(&r)
	d.validate(&r)
	if len(faults.List) > 0 {
		sort.SliceStable(faults.List, func(a, b int) bool { return faults.List[a].Line < faults.List[b].Line })
		return nil, faults
	}
	return &r, nil
}

// maxText is the largest recipe or task that is read, in bytes.
const maxText = 16 << 20

// readText reads a recipe or a task from a file, or from a pipe, which may not end: up to maxText.
func readText(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxText+1))
	if err == nil && len(text) > maxText {
		err = fmt.Errorf("%s has more than %d MiB: not a recipe or a task", path, maxText>>20)
	}
	return text, err
}

// Source is the text of a recipe or a task, which share one name space, built in or in a file, and the name to call it by in messages.
// An error is ErrInput.
func Source(nameOrFile string) (text, file string, err error) {
	for _, find := range []func(string) (string, bool){builtin, builtinTask} {
		if text, ok := find(nameOrFile); ok {
			return text, nameOrFile + ".toml", nil
		}
	}
	b, err := readText(nameOrFile)
	if err == nil {
		return string(b), nameOrFile, nil
	}
	if !strings.ContainsAny(nameOrFile, "./\\") {
		return "", "", Input(fmt.Errorf("no recipe is called %q%s", nameOrFile, suggest(nameOrFile, slices.Concat(Builtin(), Tasks()))))
	}
	return "", "", Input(fmt.Errorf("recipe: %w", err))
}

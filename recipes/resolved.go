package recipes

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

// SetKeys is the resolved recipe without the keys that nobody set.
func (r *Recipe) SetKeys(resolved string) string {
	at := keyLines(resolved)
	keep := map[int]bool{}
	for _, path := range r.origin.set {
		if at[path] == 0 {
			continue // it has its zero value, which is not written
		}
		keep[at[path]] = true
		keep[at[path[:max(0, strings.LastIndexByte(path, '.'))]]] = true // its table's header
	}
	var b strings.Builder
	for i, line := range strings.Split(resolved, "\n") {
		if !keep[i+1] {
			continue
		}
		if strings.HasPrefix(line, "[") && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// An Outline is a stage by its name and kind: what recipes of every version have.
type Outline struct{ Name, Kind string }

// Trains says that the stage trains a model.
func (o *Outline) Trains() bool { return o.Kind != evaluate }

// Outlines are the stages of a recipe's text, which need not be valid here.
func Outlines(text string) ([]Outline, error) {
	var r struct{ Stage []Outline }
	_, err := toml.Decode(text, &r)
	return r.Stage, err
}

// Resolved is the recipe with every default filled in, as TOML. A stage has the keys of its
// kind and its objective.
func (r *Recipe) Resolved() (string, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	var stages struct {
		List []written `toml:"stage"`
	}
	for i := range r.Stages {
		stages.List = append(stages.List, r.Stages[i].written())
	}
	above := *r
	above.Stages = nil
	err := enc.Encode(above)
	if err == nil && len(stages.List) > 0 {
		b.WriteByte('\n')
		err = enc.Encode(stages)
	}
	if err != nil {
		return "", fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	return b.String(), nil
}

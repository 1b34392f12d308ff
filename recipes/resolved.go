package recipes

import (
	"bytes"
	"fmt"
	"slices"
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

// Outlines are the stages of a recipe's text, which need not be valid here.
func Outlines(text string) ([]Outline, error) {
	var r struct{ Stage []Outline }
	_, err := toml.Decode(text, &r)
	return r.Stage, err
}

// Resolved is the recipe with every default filled in, as TOML.
func (r *Recipe) Resolved() (string, error) {
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.Indent = ""
	if err := enc.Encode(r); err != nil {
		return "", fmt.Errorf("recipe %s: %w", r.Name, err)
	}
	return b.String(), nil
}

// ChangedKeys compares two resolved recipes. Keys that do not change the result
// (threads, description, token_cache, log_every) and a larger number of steps are no change;
// nor are places of what is remembered by its content.
func ChangedKeys(old, now string, remembered bool) ([]string, error) {
	a, b := map[string]any{}, map[string]any{}
	if _, err := toml.Decode(old, &a); err != nil {
		return nil, err
	}
	if _, err := toml.Decode(now, &b); err != nil {
		return nil, err
	}
	fa, fb := map[string]any{}, map[string]any{}
	flatten("", a, fa)
	flatten("", b, fb)
	// A stage that another one starts from is no place.
	stage := func(keys map[string]any, v any) bool {
		_, ok := keys[fmt.Sprintf("stage.%v.name", v)]
		return ok || v == ""
	}
	var changed []string
	for k, v := range fb {
		last := k[strings.LastIndexByte(k, '.')+1:]
		place := k == "tokenizer.file" || strings.HasPrefix(k, "corpus.") && last == "source" ||
			strings.HasPrefix(k, "stage.") && last == "from" && !stage(fa, fa[k]) && !stage(fb, v)
		if place && remembered {
			continue
		}
		if last == "threads" || last == "description" || last == "token_cache" || last == "log_every" {
			continue
		}
		was, ok := fa[k]
		if ok && last == "steps" {
			x, _ := was.(int64)
			y, _ := v.(int64)
			if y >= x {
				continue
			}
		}
		if !ok || fmt.Sprint(was) != fmt.Sprint(v) {
			changed = append(changed, fmt.Sprintf("%s (%v, was %v)", k, shown(v, true), shown(was, ok)))
		}
	}
	for k, v := range fa {
		if _, ok := fb[k]; !ok {
			changed = append(changed, fmt.Sprintf("%s (gone, was %v)", k, v))
		}
	}
	slices.Sort(changed)
	return changed, nil
}

func shown(v any, ok bool) string {
	if !ok {
		return "not there"
	}
	if s, isText := v.(string); isText {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprint(v)
}

func flatten(prefix string, tree map[string]any, into map[string]any) {
	for k, v := range tree {
		switch v := v.(type) {
		case map[string]any:
			flatten(join(prefix, k), v, into)
		case []map[string]any:
			for i, e := range v {
				name := fmt.Sprint(i)
				if s, ok := e["name"].(string); ok {
					name = s
				}
				flatten(join(join(prefix, k), name), e, into)
			}
		default:
			into[join(prefix, k)] = v
		}
	}
}

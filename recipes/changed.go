package recipes

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// Changed compares the resolved recipe that a run was begun with, maybe by an older hone,
// with this one. A key that the older hone did not have counts as its default, and one that
// a stage of its kind does not have, as none. Keys that do not change the result (threads,
// description, token_cache, log_every) and a larger number of steps are no change; nor are
// places of what is remembered by its content.
func (r *Recipe) Changed(old string, remembered bool) ([]string, error) {
	was, err := r.readEarlier(old)
	if err != nil {
		return nil, err
	}
	text, err := r.Resolved()
	if err != nil {
		return nil, err
	}
	now, err := flatKeys(text)
	if err != nil {
		return nil, err
	}
	// A stage that another one starts from is no place.
	stage := func(keys map[string]any, v any) bool {
		_, ok := keys[fmt.Sprintf("stage.%v.name", v)]
		return ok || v == "" || v == nil
	}
	all := maps.Clone(was)
	maps.Copy(all, now)
	var changed []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		last := k[strings.LastIndexByte(k, '.')+1:]
		x, before := was[k]
		y, after := now[k]
		place := k == "tokenizer.file" || (strings.HasPrefix(k, "corpus.") || strings.HasPrefix(k, "task.")) && last == "source" ||
			strings.HasPrefix(k, "stage.") && last == "from" && !stage(was, x) && !stage(now, y)
		if strings.HasPrefix(k, "corpus.") && last == "label" { // whose default was once written as "label"
			if x == "label" {
				x = ""
			}
			if y == "label" {
				y = ""
			}
		}
		less, steps := x.(int64)
		more, _ := y.(int64)
		switch {
		case last == "threads", last == "description", last == "token_cache", last == "log_every":
		case place && remembered:
		case last == "steps" && steps && more >= less:
		case !after:
			changed = append(changed, fmt.Sprintf("%s (gone, was %v)", k, x))
		case !before || fmt.Sprint(x) != fmt.Sprint(y):
			changed = append(changed, fmt.Sprintf("%s (%v, was %v)", k, shown(y, after), shown(x, before)))
		}
	}
	return changed, nil
}

// readEarlier is the keys of a resolved recipe, as this hone would have resolved it, by their
// paths. What it cannot read stays as it is.
func (r *Recipe) readEarlier(text string) (map[string]any, error) {
	tree := map[string]any{}
	if _, err := toml.Decode(text, &tree); err != nil {
		return nil, err
	}
	o := defaultRecipe()
	o.Base = r.Base
	d := decoder{faults: &Faults{}, earlier: true}
	d.readTasks(tree)
	d.table(tree, "", reflect.ValueOf(&o).Elem())
	o.Tasks = d.usedTasks(o.Stages)
	d.model(&o)
	if t := &o.Tokenizer; t.BOS == "" && t.EOS == "" && t.Separator == "" { // which was not a key yet
		t.Separator = EndOfText
	}
	o.resolve(func(string) error { return nil }) // no older hone left precision = "auto"
	resolved, err := o.Resolved()
	if err != nil {
		return nil, err
	}
	keys, err := flatKeys(resolved)
	if err != nil {
		return nil, err
	}
	raw := map[string]any{}
	flatten("", tree, raw)
	for _, f := range d.faults.List {
		for k, v := range raw {
			if k == f.Key || strings.HasPrefix(k, f.Key+".") {
				keys[k] = v
			}
		}
	}
	// Before group was a key, documents were held out by their text alone.
	for k, v := range keys {
		if _, ok := raw[k]; !ok && strings.HasPrefix(k, "corpus.") && strings.HasSuffix(k, ".group") && v != "" {
			keys[k] = "none: each text by itself"
		}
	}
	// Before attention_dropout was a key, no family left out weights of attention.
	if c := r.Model; c.Family != nil && c.SetDropout(0, 0.5) != nil {
		for i := range o.Stages {
			at := "stage." + o.Stages[i].Name + "."
			if _, ok := raw[at+"attention_dropout"]; !ok && o.Stages[i].Dropout > 0 {
				keys[at+"dropout"] = fmt.Sprintf("%g, but not of attention's weights", o.Stages[i].Dropout)
			}
		}
	}
	return keys, nil
}

// flatKeys are the keys of a recipe's text by their paths, stages by their names.
func flatKeys(text string) (map[string]any, error) {
	tree, keys := map[string]any{}, map[string]any{}
	_, err := toml.Decode(text, &tree)
	flatten("", tree, keys)
	return keys, err
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

package recipes

import (
	"fmt"
	"iter"
	"maps"
	"math"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"hone/data/source"
	"hone/trainer/model"
)

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// decoder fills structs from the parsed tree and notes every fault on the way.
type decoder struct {
	faults  *Faults
	lines   map[string]int
	set     []string          // keys that are there, by their paths
	names   map[string]string // of a stage's path, for messages: "stage.0" -> "stage.pretrain"
	host    Host
	task    bool            // it is no recipe: what keys are called there, or by other tools, does not help
	tasks   map[string]Task // that stages name
	earlier bool            // an earlier hone wrote it, which gave all stages all keys: those of other kinds had no effect
}

func (d *decoder) fault(path, format string, args ...any) {
	shown := path
	for prefix, name := range d.names {
		if path == prefix || strings.HasPrefix(path, prefix+".") {
			shown = name + strings.TrimPrefix(path, prefix)
		}
	}
	line := d.lines[path]
	if i := strings.LastIndexByte(path, '.'); line == 0 && i > 0 {
		line = d.lines[path[:i]] // a key that is missing: its table's line
	}
	d.faults.List = append(d.faults.List, Fault{Line: line, Key: shown, Message: fmt.Sprintf(format, args...)})
}

// absent reports that nobody has set a key.
func (d *decoder) absent(path string) bool { return !slices.Contains(d.set, path) }

// A recipeTable is a table of a recipe and its keys.
type recipeTable struct {
	name string
	keys []string
}

// recipeItself names the keys above all tables.
const recipeItself = "the recipe itself, above all tables"

// recipeTables are those whose keys do not depend on the recipe.
func recipeTables() []recipeTable {
	var list []recipeTable
	for _, t := range []struct {
		name string
		of   any
	}{{recipeItself, Recipe{}}, {"[[stage]]", Stage{}}, {"[[stage.mixture]]", Mix{}}, {"[stage.adapter]", Adapter{}}, {"[corpus.NAME]", Corpus{}}, {"[tokenizer]", Tokenizer{}}} {
		_, keys := tagged(reflect.ValueOf(t.of))
		list = append(list, recipeTable{t.name, keys})
	}
	return list
}

// fields are the fields of a struct.
func fields(t reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// tagged gives the fields of structs that have a toml tag, also within embedded ones, and
// the tags in their order.
func tagged(structs ...reflect.Value) (values map[string]reflect.Value, keys []string) {
	values = map[string]reflect.Value{}
	for _, v := range structs {
		for f := range fields(v.Type()) {
			tag, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			switch {
			case tag == "-":
			case tag != "":
				values[tag] = v.FieldByIndex(f.Index)
				keys = append(keys, tag)
			case f.Anonymous && f.Type.Kind() == reflect.Struct:
				inner, more := tagged(v.FieldByIndex(f.Index))
				maps.Copy(values, inner)
				keys = append(keys, more...)
			}
		}
	}
	return values, keys
}

// table fills structs by their toml tags.
func (d *decoder) table(tree map[string]any, path string, structs ...reflect.Value) {
	fields, known := tagged(structs...)
	keys := make([]string, 0, len(tree))
	for k := range tree {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		f, ok := fields[k]
		if !ok {
			hint := suggest(k, known)
			if !d.task {
				hint = unknown(path, k, tree[k], tree, known)
			}
			d.fault(join(path, k), "unknown key%s", hint)
			continue
		}
		d.value(f, tree[k], join(path, k))
	}
}

func (d *decoder) value(f reflect.Value, x any, path string) {
	want := func(what string) { d.fault(path, "want %s, not %s", what, describe(x)) }
	numbers, ok := x.([]any)
	if !ok {
		numbers = []any{x}
	}
	for _, n := range numbers {
		if n, ok := n.(float64); ok && !(math.Abs(n) <= math.MaxFloat32) { // what is computed in fp32 would be infinite
			d.fault(path, "%g is not a finite number", n)
			return
		}
	}
	switch p := f.Addr().Interface().(type) {
	case *Every:
		switch x := x.(type) {
		case int64:
			*p = Every{Steps: int(x)}
		case string:
			t, err := time.ParseDuration(x)
			if err != nil || t <= 0 {
				want(`a number of steps or a time such as "5m"`)
				return
			}
			*p = Every{Time: t}
		default:
			want(`a number of steps or a time such as "5m"`)
		}
		return
	case **bool:
		b, ok := x.(bool)
		if !ok {
			want("true or false")
			return
		}
		*p = &b
		return
	case *Rates:
		list, ok := x.([]any)
		if !ok {
			list = []any{x}
		}
		*p = nil
		for i, e := range list {
			switch e := e.(type) {
			case float64:
				*p = append(*p, e)
			case int64:
				*p = append(*p, float64(e))
			default:
				if !ok {
					want("a number, or a list of numbers")
				} else {
					d.fault(path, "want a list of numbers; entry %d is %s", i+1, describe(e))
				}
				return
			}
		}
		return
	case *Costs:
		*p = d.costs(x, path)
		return
	case **ClassWeights:
		*p = d.classWeights(x, path)
		return
	case **Seeds:
		*p = d.seeds(x, path)
		return
	case *[]string:
		list, ok := x.([]any)
		if !ok {
			want(`a list of strings, such as ["a", "b"]`)
			return
		}
		*p = nil
		for i, e := range list {
			s, ok := e.(string)
			if !ok {
				d.fault(path, "want a list of strings; entry %d is %s", i+1, describe(e))
				return
			}
			*p = append(*p, s)
		}
		return
	case *[]Mix:
		list, ok := x.([]map[string]any)
		if !ok {
			want("tables, each begun by [[stage.mixture]]")
			return
		}
		*p = nil
		for i, t := range list {
			var m Mix
			d.table(t, fmt.Sprintf("%s.%d", path, i), reflect.ValueOf(&m).Elem())
			*p = append(*p, m)
		}
		return
	case **Adapter:
		t, ok := x.(map[string]any)
		if !ok {
			want("one table, begun by [stage.adapter]")
			return
		}
		a := defaultAdapter()
		d.table(t, path, reflect.ValueOf(&a).Elem())
		*p = &a
		return
	case *model.Names:
		if s, ok := x.(string); ok {
			*p = model.Names{Pattern: s}
			return
		}
		*p = model.Names{}
		d.value(reflect.ValueOf(&p.List).Elem(), x, path)
		return
	case *map[string]int:
		t, ok := x.(map[string]any)
		if !ok {
			want("a table of integers, such as { q_proj = 16 }")
			return
		}
		*p = map[string]int{}
		for k, v := range t {
			n, ok := v.(int64)
			if !ok || n < 1 || n > math.MaxInt32 {
				d.fault(path, "%q: want an integer from 1 on, not %s", k, describe(v))
				continue
			}
			(*p)[k] = int(n)
		}
		return
	case *map[string]float64:
		t, ok := x.(map[string]any)
		if !ok {
			want("a table of numbers, such as { q_proj = 16 }")
			return
		}
		*p = map[string]float64{}
		for k, v := range t {
			var f float64
			d.value(reflect.ValueOf(&f).Elem(), v, path)
			(*p)[k] = f
		}
		return
	case *map[string]any:
		t, ok := x.(map[string]any)
		if !ok {
			want(fmt.Sprintf("one table, begun by [%s]", path))
			return
		}
		*p = t
		return
	case *map[string]Corpus:
		tree, ok := x.(map[string]any)
		if !ok {
			want("a table for each corpus, begun by [corpus.NAME]")
			return
		}
		*p = map[string]Corpus{}
		for name, e := range tree {
			t, ok := e.(map[string]any)
			if !ok {
				d.fault(join(path, name), "want a table, begun by [corpus.NAME], not %s", describe(e))
				continue
			}
			c := defaultCorpus()
			d.table(t, join(path, name), reflect.ValueOf(&c).Elem())
			(*p)[name] = c
		}
		return
	case *map[string]Task:
		*p = d.tasks // which have been read, for stages need them
		return
	case *[]Stage:
		list, ok := x.([]map[string]any)
		if !ok {
			want("tables, each begun by [[stage]]")
			return
		}
		d.names = map[string]string{}
		for i, t := range list {
			at := fmt.Sprintf("%s.%d", path, i)
			if name, ok := t["name"].(string); ok && name != "" {
				d.names[at] = path + "." + name
			}
			*p = append(*p, d.stage(t, at))
		}
		return
	}
	switch f.Kind() {
	case reflect.String:
		if day, ok := x.(time.Time); ok { // a TOML date without quotes
			x = day.Format(time.DateOnly)
		}
		s, ok := x.(string)
		if !ok {
			want("a string")
			return
		}
		f.SetString(s)
	case reflect.Bool:
		b, ok := x.(bool)
		if !ok {
			want("true or false")
			return
		}
		f.SetBool(b)
	case reflect.Int:
		n, ok := x.(int64)
		if !ok {
			want("an integer")
			return
		}
		if n > math.MaxInt32 || n < math.MinInt32 {
			d.fault(path, "%d is out of range: want at most %d", n, math.MaxInt32)
			return
		}
		f.SetInt(n)
	case reflect.Float64:
		switch x := x.(type) {
		case float64:
			f.SetFloat(x)
		case int64:
			f.SetFloat(float64(x))
		default:
			want("a number")
		}
	case reflect.Struct:
		t, ok := x.(map[string]any)
		if !ok {
			want(fmt.Sprintf("one table, begun by [%s]", path))
			return
		}
		d.table(t, path, f)
	}
}

// defaultModelType is that of a recipe that names none.
const defaultModelType = "gpt2"

// model makes of the keys of [model] a configuration of the family that model_type
// names, and puts the defaults beside them.
func (d *decoder) model(r *Recipe) {
	kind := defaultModelType
	if r.Base != nil {
		kind = r.Base.Config.ModelType
	}
	if x, ok := r.ModelKeys["model_type"]; ok {
		d.value(reflect.ValueOf(&kind).Elem(), x, "model.model_type")
	}
	c, err := model.SmallConfig(kind)
	if err != nil {
		d.fault("model.model_type", "%q is not known%s", kind, suggest(kind, model.ModelTypes))
		return
	}
	if r.Base != nil {
		if kind != r.Base.Config.ModelType {
			d.fault("model.model_type", "%q, but %s is a %s", kind, r.Base.From, r.Base.Config.ModelType)
		}
		c = r.Base.Config
	}
	keys := map[string]any{}
	c.Edit(func(common, family any) {
		structs := []reflect.Value{reflect.ValueOf(common).Elem(), reflect.ValueOf(family).Elem()}
		d.table(r.ModelKeys, "model", structs...)
		fields, _ := tagged(structs...)
		for k, f := range fields {
			if f.Kind() != reflect.Struct || !f.IsZero() { // a table of nothing
				keys[k] = f.Interface()
			}
		}
	})
	if r.Base != nil {
		d.same(r, r.ModelKeys, c)
		c = r.Base.Config
	}
	r.ModelKeys, r.Model = keys, c
}

func describe(x any) string {
	switch x := x.(type) {
	case string:
		return fmt.Sprintf("the string %q", x)
	case int64:
		return fmt.Sprintf("the integer %d", x)
	case float64:
		return fmt.Sprintf("the number %g", x)
	case bool:
		return fmt.Sprint(x)
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "a list of tables, as [[…]] begins one"
	case time.Time:
		return "a date"
	}
	return fmt.Sprintf("%v", x)
}

// suggest names the nearest known word, or all of them where none is near.
func suggest(word string, known []string) string {
	if near := source.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return ""
	}
	return "; known: " + strings.Join(known, ", ")
}

package recipes

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"hone/data/source"
	"hone/trainer/model"
)

// A Fault is one thing wrong with a recipe.
type Fault struct {
	Line    int    // 0: from the command line, or of the recipe as a whole
	Key     string // dotted, stages by name
	Message string
}

// Faults is every fault of a recipe, in the order of the file.
type Faults struct {
	File string
	List []Fault
}

func (f *Faults) Error() string {
	var b strings.Builder
	for i, x := range f.List {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(f.File)
		if x.Line > 0 {
			fmt.Fprintf(&b, ":%d", x.Line)
		}
		b.WriteString(": ")
		if x.Key != "" {
			b.WriteString(x.Key + ": ")
		}
		b.WriteString(x.Message)
	}
	return b.String()
}

// origin is where a recipe comes from, as the validator needs it.
type origin struct {
	file  string
	lines map[string]int // line of each key, by its path: "stage.0.steps"
	set   []string       // keys that the file and the overrides set, by their paths
}

// Load reads a recipe, built in by name or from a file, applies overrides
// ("stage.pretrain.steps=50"), fills in defaults and validates it whole. The
// error is a *Faults when the recipe itself is at fault.
func Load(nameOrFile string, overrides []string) (*Recipe, error) {
	text, file, err := Source(nameOrFile)
	if err != nil {
		return nil, err
	}
	return parse(file, text, overrides)
}

func parse(file, text string, overrides []string) (*Recipe, error) {
	tree := map[string]any{}
	faults := &Faults{File: file}
	if _, err := toml.Decode(text, &tree); err != nil {
		var pe toml.ParseError
		if errors.As(err, &pe) {
			faults.List = append(faults.List, Fault{Line: pe.Position.Line, Key: pe.LastKey, Message: pe.Message})
			return nil, faults
		}
		return nil, fmt.Errorf("recipe %s: %w", file, err)
	}
	r := defaultRecipe()
	r.Name = strings.TrimSuffix(filepath.Base(file), ".toml")
	r.origin = origin{file: file, lines: keyLines(text)}
	for _, o := range overrides {
		if err := override(tree, o, r.origin.lines); err != nil {
			faults.List = append(faults.List, Fault{Key: o, Message: err.Error()})
		}
	}
	r.origin.set = setPaths("", tree)
	d := decoder{faults: faults, lines: r.origin.lines, set: r.origin.set}
	d.table(tree, "", reflect.ValueOf(&r).Elem())
	d.base(&r)
	d.model(&r)
	r.resolve()
	d.frame(&r)
	d.validate(&r)
	if len(faults.List) > 0 {
		sort.SliceStable(faults.List, func(a, b int) bool { return faults.List[a].Line < faults.List[b].Line })
		return nil, faults
	}
	return &r, nil
}

// override applies one key=value of the command line. A stage is named by its
// name or its number: stage.pretrain.steps=50, stage.0.steps=50.
func override(tree map[string]any, o string, lines map[string]int) error {
	key, value, ok := strings.Cut(o, "=")
	if !ok || key == "" {
		return errors.New("an override is key=value, such as seed=2 or stage.pretrain.steps=50")
	}
	var parsed map[string]any
	if _, err := toml.Decode("v = "+value, &parsed); err != nil {
		if _, err := toml.Decode("v = '"+value+"'", &parsed); err != nil {
			return fmt.Errorf("%q cannot be read as a value; a text with both kinds of quotes must be quoted as in TOML", value)
		}
	}
	path := strings.Split(key, ".")
	at, walked := tree, ""
	for i, part := range path[:len(path)-1] {
		walked = join(walked, part)
		switch next := at[part].(type) {
		case map[string]any:
			at = next
		case []map[string]any:
			if i+2 >= len(path) {
				return fmt.Errorf("there are several: name one, as in %s.NAME.%s", walked, path[len(path)-1])
			}
			k, names := -1, []string(nil)
			for j, e := range next {
				names = append(names, fmt.Sprint(e["name"]))
				if e["name"] == path[i+1] || fmt.Sprint(j) == path[i+1] {
					k = j
				}
			}
			if k < 0 {
				return fmt.Errorf("no %s is called %q; there are %s", part, path[i+1], strings.Join(names, ", "))
			}
			rest := strings.Join(path[i+2:], ".")
			walked += fmt.Sprintf(".%d", k)
			if strings.Contains(rest, ".") || rest == "" {
				return fmt.Errorf("%q is no key of a stage: one word is", rest)
			}
			next[k][rest] = parsed["v"]
			delete(lines, join(walked, rest))
			return nil
		case nil:
			m := map[string]any{}
			at[part] = m
			at = m
		default:
			return fmt.Errorf("%s is a value, and has no keys of its own", walked)
		}
	}
	at[path[len(path)-1]] = parsed["v"]
	delete(lines, key)
	return nil
}

// setPaths are the paths of all keys of a tree, tables of a list by their numbers.
func setPaths(path string, tree map[string]any) (paths []string) {
	for k, v := range tree {
		at := join(path, k)
		switch v := v.(type) {
		case map[string]any:
			paths = append(paths, setPaths(at, v)...)
		case []map[string]any:
			for i, t := range v {
				paths = append(paths, setPaths(fmt.Sprintf("%s.%d", at, i), t)...)
			}
		default:
			paths = append(paths, at)
		}
	}
	return paths
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// keyLines finds the line of each key in a TOML text that has been parsed without
// error: headers, key = value at the start of a line, values over several lines.
func keyLines(text string) map[string]int {
	lines := map[string]int{}
	count := map[string]int{}
	prefix := ""
	depth, quote := 0, ""
	for i, line := range strings.Split(text, "\n") {
		t := strings.TrimSpace(line)
		if depth == 0 && quote == "" {
			switch {
			case strings.HasPrefix(t, "[["):
				name := numbered(strings.Trim(strings.SplitN(t, "]]", 2)[0], "[ "), count)
				prefix = fmt.Sprintf("%s.%d", name, count[name])
				count[name]++
				lines[prefix] = i + 1
				if lines[name] == 0 {
					lines[name] = i + 1
				}
				continue
			case strings.HasPrefix(t, "["):
				prefix = strings.Trim(strings.SplitN(t, "]", 2)[0], "[ ")
				lines[prefix] = i + 1
				continue
			}
			if key, rest, ok := strings.Cut(t, "="); ok && !strings.HasPrefix(t, "#") {
				lines[join(prefix, strings.Trim(strings.TrimSpace(key), `"'`))] = i + 1
				t = rest
			}
		}
		depth, quote = scanValue(t, depth, quote)
	}
	return lines
}

// numbered puts into the name of a table within one of several, stage.mixture, the
// number of that one: stage.2.mixture.
func numbered(name string, count map[string]int) string {
	path := ""
	for part := range strings.SplitSeq(name, ".") {
		if n := count[path]; n > 0 {
			path = fmt.Sprintf("%s.%d", path, n-1)
		}
		path = join(path, strings.TrimSpace(part))
	}
	return path
}

// scanValue follows brackets and quotes of a line, so that what lies inside a
// value over several lines is not taken for keys.
func scanValue(s string, depth int, quote string) (int, string) {
	for i := 0; i < len(s); {
		if quote != "" {
			switch {
			case strings.HasPrefix(s[i:], quote):
				i += len(quote)
				quote = ""
			case s[i] == '\\' && quote[0] == '"':
				i += 2
			default:
				i++
			}
			continue
		}
		switch c := s[i]; {
		case c == '#':
			return depth, ""
		case strings.HasPrefix(s[i:], `"""`), strings.HasPrefix(s[i:], `'''`):
			quote = s[i : i+3]
			i += 3
			continue
		case c == '"' || c == '\'':
			quote = s[i : i+1]
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		i++
	}
	if len(quote) == 1 {
		quote = ""
	}
	return depth, quote
}

// decoder fills structs from the parsed tree and notes every fault on the way.
type decoder struct {
	faults *Faults
	lines  map[string]int
	set    []string          // keys that are there, by their paths
	names  map[string]string // of a stage's path, for messages: "stage.0" -> "stage.pretrain"
	task   bool              // it is no recipe: what keys are called there, or by other tools, does not help
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
	}{{recipeItself, Recipe{}}, {"[[stage]]", Stage{}}, {"[corpus.NAME]", Corpus{}}, {"[tokenizer]", Tokenizer{}}} {
		_, keys := tagged(reflect.ValueOf(t.of))
		list = append(list, recipeTable{t.name, keys})
	}
	return list
}

// tagged gives the fields of structs that have a toml tag, and the tags in their order.
func tagged(structs ...reflect.Value) (fields map[string]reflect.Value, keys []string) {
	fields = map[string]reflect.Value{}
	for _, v := range structs {
		for i := range v.NumField() {
			if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("toml"), ","); tag != "" && tag != "-" {
				fields[tag] = v.Field(i)
				keys = append(keys, tag)
			}
		}
	}
	return fields, keys
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
			d.fault(path, "%g is no number to compute with", n)
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
			s := defaultStage()
			d.table(t, at, reflect.ValueOf(&s).Elem())
			*p = append(*p, s)
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
	if r.base != nil {
		kind = r.base.config.ModelType
	}
	if x, ok := r.ModelKeys["model_type"]; ok {
		d.value(reflect.ValueOf(&kind).Elem(), x, "model.model_type")
	}
	c, err := model.SmallConfig(kind)
	if err != nil {
		d.fault("model.model_type", "%q is not known%s", kind, suggest(kind, model.ModelTypes))
		return
	}
	if r.base != nil {
		if kind != r.base.config.ModelType {
			d.fault("model.model_type", "%q, but %s is a %s", kind, r.base.from, r.base.config.ModelType)
		}
		c = r.base.config
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
	if r.base != nil {
		d.same(r, r.ModelKeys, c)
		c = r.base.config
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

// Source is the text of a recipe and the name to call it by in messages.
func Source(nameOrFile string) (text, file string, err error) {
	if text, ok := builtin(nameOrFile); ok {
		return text, nameOrFile + ".toml", nil
	}
	b, err := readText(nameOrFile)
	if err == nil {
		return string(b), nameOrFile, nil
	}
	if !strings.ContainsAny(nameOrFile, "./\\") {
		return "", "", fmt.Errorf("no recipe is called %q%s", nameOrFile, suggest(nameOrFile, Builtin()))
	}
	return "", "", fmt.Errorf("recipe: %w", err)
}

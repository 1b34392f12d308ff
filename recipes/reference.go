package recipes

import (
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"hone/data/clean"
	"hone/data/source"
	"hone/data/task"
	"hone/data/tokenizer"
	"hone/eval"
	"hone/optim"
	"hone/trainer/model"
)

// A Reference lists keys: of recipes, or of tasks.
type Reference []Section

// A Section is the keys of a table, or of a part of it.
type Section struct {
	Table string `json:"table"` // such as [[stage]]; "": the keys above all tables
	Of    string `json:"of"`    // which such tables have these keys; "": all
	Keys  []Key  `json:"keys"`
}

// A Key is a key of a recipe or of a task.
type Key struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"`
	Unit    string   `json:"unit,omitempty"`
	Default string   `json:"default"` // as TOML; "": it must be given, or is none
	Needed  bool     `json:"needed,omitempty"`
	Values  []string `json:"values,omitempty"` // those that it can have
	Meaning string   `json:"meaning"`
}

// choices are the values of keys that have few, by table and key.
func choices() map[string][]string {
	return map[string][]string{
		"[[stage]].kind": stageKinds, "[[stage]].objective": objectives(stageKinds...),
		"[[stage]].lr_scheduler_type": optim.Schedules, "[[stage]].optim": optim.Names, "[[stage]].decay_type": optim.DecayTypes,
		"[[stage]].precision": append(slices.Clone(Precisions), "auto"), "[[stage]].trainable": trainables, "[[stage]].mixture_by": mixtureUnits,
		"[[stage]].split": evaluatedSplits, "[[stage]].baselines": baselines(),
		"[corpus.NAME].format": source.Formats, "[corpus.NAME].on_error": onErrors, "[corpus.NAME].normalize": clean.Forms, "[corpus.NAME].dedup": clean.Dedups,
		"[corpus.NAME].hold_out": holdOuts, "[corpus.NAME].quote": source.Quotes,
		"[tokenizer].kind": tokenizer.TrainKinds, "[stage.adapter].peft_type": peftTypes,
		"[model].model_type": model.ModelTypes,
		"task.format":        source.Formats, "task.quote": source.Quotes,
		"task.kind": task.Names(), "task.split": taskSplits, "task.baselines": eval.Fitted(baselines()),
	}
}

// RecipeReference lists the keys of recipes: those of stages by their kind and objective,
// those of the model by its family.
func RecipeReference() Reference {
	r, s, c := defaultRecipe(), defaultStage(), defaultCorpus()
	ref := Reference{
		{"", "", keysOf("", &r)},
		{"[corpus.NAME]", "", keysOf("[corpus.NAME]", &c)},
		{"[tokenizer]", "", keysOf("[tokenizer]", &r.Tokenizer)},
	}
	for _, g := range groups() {
		ref = append(ref, Section{"[[stage]]", strings.Join(g.stages(), ", "), keysOf("[[stage]]", g.in(&s).Addr().Interface())})
	}
	ref = append(ref, Section{"[[stage.mixture]]", "", keysOf("[[stage.mixture]]", new(Mix))})
	adapter := defaultAdapter()
	ref = append(ref, Section{"[stage.adapter]", "", keysOf("[stage.adapter]", &adapter)})
	scaling := Section{Table: "[model.rope_scaling]"}
	for _, name := range model.ModelTypes {
		c, err := model.SmallConfig(name)
		if err != nil {
			continue // there is no such family
		}
		c.Edit(func(common, family any) {
			ref = append(ref, Section{"[model]", fmt.Sprintf("model_type = %q", name), keysOf("[model]", common, family)})
			if f := reflect.ValueOf(family).Elem().FieldByName("RopeScaling"); f.IsValid() {
				scaling.Keys = keysOf(scaling.Table, f.Addr().Interface())
				scaling.Of = strings.TrimPrefix(scaling.Of+", "+name, ", ")
			}
		})
	}
	return append(ref, scaling)
}

// TaskReference lists the keys of tasks.
func TaskReference() Reference {
	t := defaultTask()
	return Reference{{"task", "", keysOf("task", &t)}}
}

// keysOf are the keys of structs that hold their defaults.
func keysOf(table string, structs ...any) (keys []Key) {
	values := choices()
	for _, of := range structs {
		v := reflect.ValueOf(of).Elem()
		for f := range fields(v.Type()) {
			name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
			if f.Anonymous {
				keys = append(keys, keysOf(table, v.FieldByIndex(f.Index).Addr().Interface())...)
			}
			if name == "" || name == "-" {
				continue
			}
			k := Key{
				Name: name, Type: typeOf(f.Type), Unit: f.Tag.Get("unit"), Meaning: f.Tag.Get("doc"),
				Needed: f.Tag.Get("need") != "", Values: values[table+"."+name],
			}
			if m, ok := modelMeanings[name]; ok && strings.HasPrefix(table, "[model") {
				k.Unit, k.Meaning = m.unit, m.doc
			}
			if !k.Needed {
				k.Default = asTOML(v.FieldByIndex(f.Index))
			}
			keys = append(keys, k)
		}
	}
	return keys
}

// typeOf names the type of a key's value.
func typeOf(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[Every]():
		return "integer or string"
	case reflect.TypeFor[Rates]():
		return "number or list of numbers"
	case reflect.TypeFor[ClassWeights]():
		return "string or table"
	case reflect.TypeFor[Seeds]():
		return "integer or list of integers"
	case reflect.TypeFor[model.Names]():
		return "string or list of strings"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "integer"
	case reflect.Float64:
		return "number"
	case reflect.Pointer:
		return typeOf(t.Elem())
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Struct {
			return "tables"
		}
		return "list of " + typeOf(t.Elem()) + "s"
	case reflect.Map:
		if t.Elem().Kind() == reflect.Struct {
			return "tables"
		}
	}
	return "table"
}

// asTOML writes a default; "": it is none.
func asTOML(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Every:
		return x.String()
	}
	switch v.Kind() {
	case reflect.String:
		return fmt.Sprintf("%q", v.String())
	case reflect.Bool, reflect.Int, reflect.Float64:
		return fmt.Sprint(v.Interface())
	case reflect.Slice:
		if v.Len() == 0 && v.Type().Elem().Kind() == reflect.String {
			return "[]"
		}
	}
	return ""
}

// Find is the part of a reference that a word names: a table, or a key wherever it occurs,
// which words before it narrow down to a table: corpus.text, stage.pretrain.steps. The error
// of a word that names nothing says what is near.
func (ref Reference) Find(name string) (Reference, error) {
	var found Reference
	for _, s := range ref {
		if tableName(s.Table) == name {
			found = append(found, s)
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	words := strings.Split(name, ".")
	last := words[len(words)-1]
	var known []string
	for _, s := range ref {
		first, _, _ := strings.Cut(tableName(s.Table), ".")
		for _, k := range s.Keys {
			known = append(known, k.Name)
			if k.Name == last && (len(words) == 1 || words[0] == first) {
				found = append(found, Section{s.Table, s.Of, []Key{k}})
			}
		}
		known = append(known, tableName(s.Table))
	}
	if len(found) > 0 {
		return found.merged(), nil
	}
	if says := alias(last, nil, nil); says != "" && len(ref) > 1 {
		return nil, fmt.Errorf("no key is called %q: %s", name, says)
	}
	if near := source.Nearest(last, known); near != "" {
		return nil, fmt.Errorf("no key is called %q; did you mean %q?", name, near)
	}
	slices.Sort(known)
	known = slices.DeleteFunc(slices.Compact(known), func(k string) bool { return !strings.Contains(k, last) })
	if last != "" && len(known) > 0 {
		return nil, fmt.Errorf("no key is called %q; these have it in their names: %s", name, strings.Join(known, ", "))
	}
	return nil, fmt.Errorf("no key is called %q", name)
}

// merged puts sections together that have the same keys, as families do.
func (ref Reference) merged() (list Reference) {
	for _, s := range ref {
		i := slices.IndexFunc(list, func(o Section) bool { return o.Table == s.Table && reflect.DeepEqual(o.Keys, s.Keys) })
		if i < 0 {
			list = append(list, s)
			continue
		}
		list[i].Of = strings.TrimPrefix(list[i].Of+", "+strings.TrimPrefix(s.Of, "model_type = "), ", ")
	}
	return list
}

// tableName is a table's, as the first words of a key have it.
func tableName(table string) string {
	return strings.TrimSuffix(strings.Trim(table, "[]"), ".NAME")
}

// title says what a section is of.
func (s *Section) title() string {
	switch {
	case s.Table == "":
		return "The recipe itself, above all tables"
	case s.Table == "task":
		return "A task"
	case s.Table == "[[stage]]" && s.Of == "":
		return "[[stage]], of every kind"
	case s.Table == "[[stage]]":
		return "[[stage]], of kind " + strings.ReplaceAll(s.Of, ", ", " or ")
	case strings.Contains(s.Of, "="):
		return s.Table + ", " + s.Of
	case s.Of != "":
		return s.Table + ", of " + s.Of
	}
	return s.Table
}

// absent says what it means that a key is not there, which has no default.
func (k *Key) absent() string {
	switch {
	case k.Needed:
		return "required"
	case strings.HasPrefix(k.Type, "table"):
		return ""
	}
	return "not given"
}

// kind is the type of a key, with its unit.
func (k *Key) kind() string {
	if k.Unit == "" {
		return k.Type
	}
	return k.Type + ", " + k.Unit
}

// meaning is what a key says, with its values where the text does not name them.
func (k *Key) meaning() string {
	named := !slices.ContainsFunc(k.Values, func(v string) bool { return !strings.Contains(k.Meaning, v) })
	if len(k.Values) == 0 || named {
		return k.Meaning
	}
	which := "; one of "
	if strings.HasPrefix(k.Type, "list") {
		which = "; any of "
	}
	return k.Meaning + which + strings.Join(k.Values, ", ")
}

// Print writes a reference for a terminal.
func (ref Reference) Print(w io.Writer) error {
	var b strings.Builder
	for i, s := range ref {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(s.title() + "\n")
		for _, k := range s.Keys {
			b.WriteString("\n  " + k.Name)
			if k.Default != "" {
				b.WriteString(" = " + k.Default)
			} else if k.absent() != "" {
				b.WriteString(", " + k.absent())
			}
			b.WriteString(" (" + k.kind() + ")\n")
			writeWrapped(&b, k.meaning(), "      ", 88)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeWrapped writes words in lines of a width.
func writeWrapped(b *strings.Builder, text, indent string, width int) {
	line := indent
	for word := range strings.FieldsSeq(text) {
		if line != indent && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	b.WriteString(line + "\n")
}

// Markdown writes a reference as tables under headings of a level.
func (ref Reference) Markdown(w io.Writer, level int) error {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "<", "&lt;").Replace
	for _, s := range ref {
		fmt.Fprintf(&b, "\n%s %s\n\n| key | type | default | meaning |\n|---|---|---|---|\n", strings.Repeat("#", level), s.title())
		for _, k := range s.Keys {
			value := k.absent()
			if k.Default != "" {
				value = "`" + k.Default + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", k.Name, cell(k.kind()), cell(value), cell(k.meaning()))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

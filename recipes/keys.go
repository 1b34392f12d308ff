package recipes

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/BurntSushi/toml"

	"hone/trainer/model"
)

// Keys are those that KEY=VALUE can override in a recipe, built in or from a file, with the
// names of its corpora and stages in them: stage.pretrain.steps. Of a recipe that cannot be
// read they are the keys above all tables.
func Keys(nameOrFile string) []string {
	var keys []string
	add := func(prefix string, of []string, but ...string) {
		for _, k := range of {
			if !slices.Contains(but, k) {
				keys = append(keys, prefix+k)
			}
		}
	}
	tables := map[string][]string{}
	for _, t := range recipeTables() {
		tables[t.name] = t.keys
	}
	add("", tables[recipeItself], "corpus", "tokenizer", "model", "stage")
	var r struct {
		Corpus map[string]any
		Model  struct {
			ModelType string `toml:"model_type"`
		}
		Stage []struct {
			Name, Kind, Objective string
			Mixture               []map[string]any
		}
	}
	text, _, err := Source(nameOrFile)
	if err != nil {
		return keys
	}
	if _, err := toml.Decode(text, &r); err != nil {
		return keys
	}
	for _, name := range slices.Sorted(maps.Keys(r.Corpus)) {
		add("corpus."+name+".", tables["[corpus.NAME]"])
	}
	add("tokenizer.", tables["[tokenizer]"])
	if r.Model.ModelType == "" {
		r.Model.ModelType = defaultModelType
	}
	if c, err := model.SmallConfig(r.Model.ModelType); err == nil {
		c.Edit(func(common, family any) {
			_, own := tagged(reflect.ValueOf(common).Elem(), reflect.ValueOf(family).Elem())
			add("model.", own)
		})
	}
	for i, s := range r.Stage {
		name := s.Name
		if name == "" {
			name = fmt.Sprint(i)
		}
		if s.Objective == "" {
			s.Objective = defaultObjective(s.Kind)
		}
		for _, g := range groups() {
			if g.has(s.Kind, s.Objective) {
				_, own := tagged(g.in(new(Stage)))
				add("stage."+name+".", own, "mixture")
			}
		}
		for j := range s.Mixture {
			add(fmt.Sprintf("stage.%s.mixture.%d.", name, j), tables["[[stage.mixture]]"])
		}
	}
	return keys
}

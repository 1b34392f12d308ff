package recipes

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// override applies one key=value of the command line. A stage is named by its name or its
// number, what lies within it by more words: stage.pretrain.steps=50, stage.0.steps=50,
// stage.pretrain.mixture.0.weight=2.
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
	if slices.Contains(path, "") {
		return errors.New("the key has nothing before, between or after its dots")
	}
	last := path[len(path)-1]
	at, walked := tree, ""
	for i := 0; i < len(path)-1; i++ {
		part := path[i]
		walked = join(walked, part)
		switch next := at[part].(type) {
		case map[string]any:
			at = next
		case []map[string]any:
			i++
			k, names := -1, []string(nil)
			for j, e := range next {
				name, named := e["name"].(string)
				if !named {
					name = fmt.Sprint(j)
				}
				names = append(names, name)
				if name == path[i] || fmt.Sprint(j) == path[i] && k < 0 {
					k = j
				}
			}
			switch {
			case i == len(path)-1 && k < 0:
				return fmt.Errorf("there are several: name one, as in %s.NAME.%s", walked, last)
			case i == len(path)-1:
				return fmt.Errorf("%s.%s is a table: name one of its keys", walked, last)
			case k < 0:
				return fmt.Errorf("no %s is called %q; there are %s", part, path[i], strings.Join(names, ", "))
			}
			at, walked = next[k], fmt.Sprintf("%s.%d", walked, k)
		case nil:
			m := map[string]any{}
			at[part] = m
			at = m
		default:
			return fmt.Errorf("%s is a value, and has no keys of its own", walked)
		}
	}
	at[last] = parsed["v"]
	delete(lines, join(walked, last))
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

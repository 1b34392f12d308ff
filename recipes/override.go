package recipes

import (
	"errors"
	"fmt"
	"strings"

	"github.com/BurntSushi/toml"
)

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

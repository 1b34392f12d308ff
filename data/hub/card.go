package hub

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// CardFile is the file that says what a repository holds.
const CardFile = "README.md"

// A Card is what the front matter of a repository's README.md says of it.
type Card struct {
	Licence string   // as the hub names it; several with a comma between; "": not said
	Configs []Config // of a data set, as they stand there; none: its files say them
}

// A Config is one of the configurations of a data set.
type Config struct {
	Name    string
	Default bool
	Dir     string      // that the patterns begin from; "": the repository's root
	Files   []DataFiles // in their order; none: all below Dir, by their names
	// Keys are further ones that it has, sorted: those that say how datasets reads the files.
	Keys []string
	// Classes are what integers stand for, by column, as dataset_info says of it.
	Classes map[string][]string
}

// DataFiles are the files of a split.
type DataFiles struct {
	Split    string
	Patterns []string // paths, with * for a part of a name and ** for directories
}

// splitName is a name of a split as datasets allows it.
var splitName = regexp.MustCompile(`^\w+(\.\w+)*$`)

// aboutKeys are keys of configurations that change nothing of what a file says: columns that
// are not read cost nothing here, and features are what the files themselves say.
var aboutKeys = []string{"version", "description", "license", "features", "columns", "drop_labels", "drop_metadata", "batch_size", "chunksize"}

// ReadCard reads the front matter of a README.md: YAML between lines of three dashes. Where
// there is none, the card is empty.
func ReadCard(readme []byte) (*Card, error) {
	var raw struct {
		License     yaml.Node
		LicenseName string    `yaml:"license_name"`
		Info        yaml.Node `yaml:"dataset_info"`
		Configs     []struct {
			Name    *string              `yaml:"config_name"`
			Default bool                 `yaml:"default"`
			Dir     string               `yaml:"data_dir"`
			Files   yaml.Node            `yaml:"data_files"`
			Keys    map[string]yaml.Node `yaml:",inline"`
		}
	}
	if err := yaml.Unmarshal(frontMatter(readme), &raw); err != nil {
		return nil, fmt.Errorf("%s: its front matter: %w", CardFile, err)
	}
	c := new(Card)
	licences, err := words(&raw.License)
	if err != nil {
		return nil, fmt.Errorf("%s: license: %w", CardFile, err)
	}
	if c.Licence = strings.Join(licences, ", "); raw.LicenseName != "" && (c.Licence == "" || c.Licence == "other") {
		c.Licence = raw.LicenseName
	}
	classes := classNames(&raw.Info)
	seen := map[string]bool{}
	for i, r := range raw.Configs {
		if r.Name == nil || *r.Name == "" {
			return nil, fmt.Errorf("%s: configs: entry %d has no config_name", CardFile, i+1)
		}
		if seen[*r.Name] {
			return nil, fmt.Errorf("%s: configs: %s is listed twice", CardFile, *r.Name)
		}
		seen[*r.Name] = true
		files, err := dataFiles(&r.Files)
		if err != nil {
			return nil, fmt.Errorf("%s: configs: %s: data_files: %w", CardFile, *r.Name, err)
		}
		for _, key := range aboutKeys {
			delete(r.Keys, key)
		}
		c.Configs = append(c.Configs, Config{*r.Name, r.Default, r.Dir, files, slices.Sorted(maps.Keys(r.Keys)), classes[*r.Name]})
	}
	return c, nil
}

// Config is the configuration of a name; of "", the only one, or the one that the card calls the
// default. Nil: the card names none, so that the files say all.
func (c *Card) Config(name string) (*Config, error) {
	if len(c.Configs) == 0 && name == "" {
		return nil, nil
	}
	var names []string
	var found *Config
	for i := range c.Configs {
		o := &c.Configs[i]
		names = append(names, o.Name)
		if name != "" && o.Name != name || name == "" && !o.Default && o.Name != "default" && len(c.Configs) > 1 {
			continue
		}
		if found != nil {
			return nil, fmt.Errorf("%s calls both %s and %s the default", CardFile, found.Name, o.Name)
		}
		found = o
	}
	switch {
	case found != nil:
		return found, nil
	case len(names) == 0:
		return nil, fmt.Errorf("it has no configuration %q: its %s names none", name, CardFile)
	}
	list := strings.Join(names, ", ")
	if name != "" {
		return nil, fmt.Errorf("it has no configuration %q, but these: %s", name, list)
	}
	return nil, fmt.Errorf("it has %d configurations and no default: %s (hint: name one behind the data set, as in /%s)", len(names), list, names[0])
}

// Match returns those of a repository's files that the patterns of a split name, in the order of
// the patterns. Each must match; hidden files, and those in directories with two underscores
// before their names, are matched only where a pattern has such a name too.
func (d DataFiles) Match(dir string, files []File) ([]File, error) {
	var list []File
	seen := map[string]bool{}
	for _, pattern := range d.Patterns {
		if strings.Contains(pattern, "://") {
			return nil, fmt.Errorf("split %s: %s is an address, and not a file of the repository", d.Split, pattern)
		}
		matches, err := glob(path.Join(dir, pattern))
		if err != nil {
			return nil, fmt.Errorf("split %s: %s: %w", d.Split, pattern, err)
		}
		matched := false
		for _, f := range files {
			if !matches(f.Path) {
				continue
			}
			matched = true
			if !seen[f.Path] {
				seen[f.Path] = true
				list = append(list, f)
			}
		}
		if !matched {
			return nil, fmt.Errorf("split %s: no file matches %s", d.Split, pattern)
		}
	}
	return list, nil
}

// glob is the matcher of a pattern.
func glob(pattern string) (func(name string) bool, error) {
	var re strings.Builder
	elements := strings.Split(pattern, "/")
	for i, e := range elements {
		last := i == len(elements)-1
		switch {
		case e == "**" && last:
			re.WriteString(`.*`)
		case e == "**":
			re.WriteString(`(.*/)?`)
		case strings.Contains(e, "**"):
			return nil, errors.New("** stands for directories, and has no other characters beside it")
		default:
			for rest := e; rest != ""; {
				c, size := utf8.DecodeRuneInString(rest)
				set := setPattern.FindString(rest)
				switch {
				case c == '*':
					re.WriteString(`[^/]*`)
				case c == '?':
					re.WriteString(`[^/]`)
				case set != "":
					re.WriteString(strings.Replace(strings.ReplaceAll(set, `\`, `\\`), "[!", "[^", 1))
					size = len(set)
				default:
					re.WriteString(regexp.QuoteMeta(rest[:size]))
				}
				rest = rest[size:]
			}
			if !last {
				re.WriteString("/")
			}
		}
	}
	compiled, err := regexp.Compile(`^` + re.String() + `$`)
	if err != nil {
		return nil, err
	}
	hidden := asides(pattern)
	return func(name string) bool { return compiled.MatchString(name) && asides(name) == hidden }, nil
}

// setPattern is a set of characters in a pattern.
var setPattern = regexp.MustCompile(`^\[!?[^\]/]+\]`)

// asides counts the hidden elements of a path and the directories that begin with two
// underscores.
func asides(name string) int {
	n := 0
	elements := strings.Split(name, "/")
	for i, e := range elements {
		if strings.HasPrefix(e, ".") || strings.HasPrefix(e, "__") && i < len(elements)-1 {
			n++
		}
	}
	return n
}

// classNames reads the names of classes from dataset_info, which is of one configuration or a
// list of them: by configuration, and column. Where it cannot be read, classes stay numbers.
func classNames(n *yaml.Node) map[string]map[string][]string {
	type info struct {
		Config   string `yaml:"config_name"`
		Features []struct {
			Name string
			Type yaml.Node `yaml:"dtype"`
		}
	}
	var list []info
	if n.Decode(&list) != nil {
		var one info
		if n.Decode(&one) != nil {
			return nil
		}
		list = []info{one}
	}
	all := map[string]map[string][]string{}
	for _, i := range list {
		all[i.Config] = map[string][]string{}
		for _, f := range i.Features {
			var label struct {
				Class struct{ Names yaml.Node } `yaml:"class_label"`
			}
			if f.Type.Kind != yaml.MappingNode || f.Type.Decode(&label) != nil {
				continue
			}
			var names []string
			byNumber := map[string]string{}
			if label.Class.Names.Decode(&byNumber) == nil {
				for k := range len(byNumber) {
					if name, ok := byNumber[strconv.Itoa(k)]; ok {
						names = append(names, name)
					}
				}
			} else if label.Class.Names.Decode(&names) != nil {
				continue
			}
			if len(names) > 0 && len(names) >= len(byNumber) {
				all[i.Config][f.Name] = names
			}
		}
	}
	return all
}

// frontMatter is the text between a first line of three dashes and the next one; nil where the
// file does not begin so.
func frontMatter(readme []byte) []byte {
	var text []byte
	first := true
	for line := range bytes.Lines(bytes.TrimPrefix(readme, []byte("\ufeff"))) {
		rule := string(bytes.TrimRight(line, "\r\n")) == "---"
		switch {
		case first && !rule:
			return nil
		case !first && rule:
			return text
		case !first:
			text = append(text, line...)
		}
		first = false
	}
	return nil // dashes without an end are a rule in a text
}

// words reads a string, or a list of them.
func words(n *yaml.Node) ([]string, error) {
	var one string
	var list []string
	switch {
	case n.IsZero() || n.Tag == "!!null":
		return nil, nil
	case n.Kind == yaml.SequenceNode:
		err := n.Decode(&list)
		return list, err
	}
	err := n.Decode(&one)
	return []string{one}, err
}

// dataFiles reads data_files in each of its forms: a pattern, a list of them, or splits with
// patterns. Without a split they are for training, as datasets has it.
func dataFiles(n *yaml.Node) ([]DataFiles, error) {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.SequenceNode && len(n.Content) > 0 && n.Content[0].Kind == yaml.MappingNode {
		var list []DataFiles
		for _, e := range n.Content {
			var raw struct {
				Split string
				Path  yaml.Node
			}
			if err := e.Decode(&raw); err != nil {
				return nil, err
			}
			patterns, err := words(&raw.Path)
			if err != nil {
				return nil, err
			}
			if !splitName.MatchString(raw.Split) || len(patterns) == 0 {
				return nil, errors.New("an entry lacks a split with a name, or a path")
			}
			for _, f := range list {
				if f.Split == raw.Split {
					return nil, fmt.Errorf("split %s is listed twice", raw.Split)
				}
			}
			list = append(list, DataFiles{raw.Split, patterns})
		}
		return list, nil
	}
	patterns, err := words(n)
	if err != nil || len(patterns) == 0 {
		return nil, err
	}
	return []DataFiles{{"train", patterns}}, nil
}

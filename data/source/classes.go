package source

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// classNames gives the names of classes by column, from the features that Hugging Face
// datasets writes into the metadata of Arrow and Parquet files. Where these cannot be read,
// labels remain numbers.
func classNames(metadata string) map[string][]string {
	var meta struct{ Info features }
	if len(metadata) > maxState || json.Unmarshal([]byte(metadata), &meta) != nil {
		return nil
	}
	return meta.Info.classes()
}

// features are the features of a data set.
type features struct {
	Features map[string]json.RawMessage
}

func (f *features) classes() map[string][]string {
	all := map[string][]string{}
	for column, raw := range f.Features {
		var label struct {
			Type    string `json:"_type"`
			Names   []string
			Feature json.RawMessage // of the elements of a list
		}
		var list []json.RawMessage // as older versions have it
		if json.Unmarshal(raw, &list) == nil && len(list) == 1 {
			label.Feature = list[0]
		} else if json.Unmarshal(raw, &label) != nil {
			continue
		}
		if label.Feature != nil && json.Unmarshal(label.Feature, &label) != nil {
			continue
		}
		if label.Type == "ClassLabel" {
			all[column] = label.Names
		}
	}
	return all
}

// Classes returns the names of the classes that integers stand for, by column, of a Hugging
// Face data set in a directory: from dataset_info.json, or from the head of README.md. A
// column about which several parts of the set disagree is left out.
func Classes(dir string) map[string][]string {
	all := map[string][]string{}
	merge := func(more map[string][]string) {
		for column, names := range more {
			if was, ok := all[column]; ok && !slices.Equal(was, names) {
				names = nil
			}
			all[column] = names
		}
	}
	var info features
	if readState(filepath.Join(dir, "dataset_info.json"), &info) == nil {
		merge(info.classes())
	}
	var infos map[string]features
	if readState(filepath.Join(dir, "dataset_infos.json"), &infos) == nil {
		for _, f := range infos {
			merge(f.classes())
		}
	}
	if text, err := ReadState(filepath.Join(dir, "README.md")); err == nil {
		for _, l := range readmeClasses(string(text)) {
			merge(map[string][]string{l.column: l.names})
		}
	}
	for column, names := range all {
		if names == nil {
			delete(all, column)
		}
	}
	return all
}

type namedClasses struct {
	column string
	names  []string
}

// readmeClasses finds the lists of class names in the YAML between the lines "---" at the
// head of a data set's card, which the hub writes in one form:
//
//	features:
//	- name: label
//	  dtype:
//	    class_label:
//	      names:
//	        '0': negative
//	        '1': positive
func readmeClasses(text string) (all []namedClasses) {
	text, ok := strings.CutPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "---\n")
	head, _, closed := strings.Cut(text, "\n---")
	if !ok || !closed {
		return nil
	}
	column, class, names := "", -1, -1 // the column, and how far class_label and names are indented
	for line := range strings.Lines(head) {
		body := strings.TrimLeft(line, " ")
		indent := len(line) - len(body)
		if body = strings.TrimSpace(body); body == "" {
			continue
		}
		if names >= 0 {
			key, name, ok := strings.Cut(body, ":")
			if item, isItem := strings.CutPrefix(body, "- "); isItem && indent >= names {
				key, name, ok = "", item, true
			}
			if l := &all[len(all)-1]; ok && (indent > names || key == "" && indent == names) {
				l.names = append(l.names, yamlString(name))
				continue
			}
			names, class = -1, -1
		}
		switch key, value, _ := strings.Cut(strings.TrimPrefix(body, "- "), ":"); {
		case key == "name":
			column, class = yamlString(value), -1
		case key == "class_label":
			class = indent
		case key == "names" && class >= 0 && indent > class && value == "":
			names = indent
			all = append(all, namedClasses{column: column})
		}
	}
	return slices.DeleteFunc(all, func(l namedClasses) bool { return l.column == "" || len(l.names) == 0 })
}

// yamlString reads a value of one line, which may be quoted.
func yamlString(s string) string {
	s = strings.TrimSpace(s)
	if inner, ok := strings.CutPrefix(s, "'"); ok && strings.HasSuffix(inner, "'") {
		return strings.ReplaceAll(inner[:len(inner)-1], "''", "'")
	}
	if text, err := strconv.Unquote(s); err == nil {
		return text
	}
	return s
}

// SetClasses sets the names of the classes that the integers of a column, or of its lists, stand
// for, if the file has none.
func (t *Table) SetClasses(column string, names []string) {
	for i := range t.Columns {
		if c := &t.Columns[i]; c.Name == column && (c.Scalar() || c.IDs()) && c.classes == nil {
			c.classes = names
		}
	}
}

// SetClasses is as for a Table.
func (a *File) SetClasses(column string, names []string) {
	for i := range a.fields {
		if f := &a.fields[i]; f.name == column && f.classes == nil {
			f.classes = names
		}
	}
}

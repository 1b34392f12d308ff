package hub

import (
	"fmt"
	"strings"
	"testing"
)

const glue = `---
# of the data set
license: [mit, other]
configs:
- config_name: cola
  data_files:
  - split: train
    path: cola/train-*
  - split: test
    path: [cola/test-*, "more/**/t?st[0-9].jsonl"]
- config_name: ax
  data_files: ax/*.parquet
  field: rows
  version: 1.0.0
- config_name: all
  data_dir: sub
dataset_info:
- config_name: cola
  features:
  - name: label
    dtype:
      class_label:
        names:
          '1': good
          '0': bad
  - name: more
    dtype: {class_label: {names: [x, y]}}
  - name: text
    dtype: string
  - name: holes
    dtype: {class_label: {names: {'0': x, '2': y}}}
- config_name: ax
  features:
  - name: label
    dtype: int64
---
# GLUE
license: none
`

func TestCard(t *testing.T) {
	for _, c := range []struct{ readme, want string }{
		{glue, "{mit, other [{cola false  [{train [cola/train-*]} {test [cola/test-* more/**/t?st[0-9].jsonl]}] [] map[label:[bad good] more:[x y]]} {ax false  [{train [ax/*.parquet]}] [field] map[]} {all false sub [] [] map[]}]}"},
		{"---\nlicense: apache-2.0\r\n---\r\n", "{apache-2.0 []}"},
		{"\ufeff---\nlicense: mit\n---", "{mit []}"},
		{"---\nlicense: other\nlicense_name: llama3\n---\n", "{llama3 []}"},
		{"---\nlicense:\n---\n", "{ []}"},
		{"# no front matter\n---\nlicense: mit\n---\n", "{ []}"},
		{"---\nlicense: mit\n", "{ []}"},
		{"", "{ []}"},
		{"---\nx: &a [train-*]\nconfigs:\n- config_name: c\n  default: true\n  data_files: *a\n---\n", "{ [{c true  [{train [train-*]}] [] map[]}]}"},
	} {
		card, err := ReadCard([]byte(c.readme))
		if err != nil {
			t.Errorf("%q: %v", c.readme, err)
		} else if got := fmt.Sprint(*card); got != c.want {
			t.Errorf("%q: %s, want %s", c.readme, got, c.want)
		}
	}
	for text, want := range map[string]string{
		"license: [":    "README.md: its front matter: yaml: ",
		"license: {}":   "README.md: license: ",
		"configs: {}":   "README.md: its front matter: ",
		"configs: [{}]": "README.md: configs: entry 1 has no config_name",
		"configs: [{config_name: a}, {config_name: a}]":                                                                    "configs: a is listed twice",
		"configs: [{config_name: a, data_files: [{split: a}]}]":                                                            "configs: a: data_files: an entry lacks a split with a name, or a path",
		"configs: [{config_name: a, data_files: [{split: a-b, path: x}]}]":                                                 "lacks a split with a name",
		"configs: [{config_name: a, data_files: [{split: a, path: x}, {split: a, path: y}]}]":                              "split a is listed twice",
		"configs: [{config_name: a, data_files: {train: x}}]":                                                              "configs: a: data_files: ",
		"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\nlicense: [*c,*c,*c,*c]": "README.md: license: ",
	} {
		if card, err := ReadCard([]byte("---\n" + text + "\n---\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v, %v, want %s", text, card, err, want)
		}
	}
}

func TestConfig(t *testing.T) {
	card, err := ReadCard([]byte(glue))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := card.Config("ax"); err != nil || c.Name != "ax" {
		t.Errorf("%+v, %v", c, err)
	}
	for name, want := range map[string]string{
		"":     "it has 3 configurations and no default: cola, ax, all (hint: name one behind the data set, as in /cola)",
		"sst2": `it has no configuration "sst2", but these: cola, ax, all`,
	} {
		if c, err := card.Config(name); err == nil || err.Error() != want {
			t.Errorf("%q: %+v, %v", name, c, err)
		}
	}
	card.Configs[1].Default = true
	if c, err := card.Config(""); err != nil || c.Name != "ax" {
		t.Errorf("%+v, %v", c, err)
	}
	card.Configs[0].Name = "default"
	if _, err := card.Config(""); err == nil || !strings.Contains(err.Error(), "calls both default and ax the default") {
		t.Error(err)
	}
	card.Configs = card.Configs[2:]
	if c, err := card.Config(""); err != nil || c.Name != "all" {
		t.Errorf("%+v, %v", c, err)
	}
	card.Configs = nil
	if c, err := card.Config(""); err != nil || c != nil {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := card.Config("x"); err == nil || !strings.Contains(err.Error(), "its README.md names none") {
		t.Error(err)
	}
}

func TestMatch(t *testing.T) {
	var files []File
	for _, name := range strings.Fields(".hid.txt .hidden/a.txt __x/a.txt a.txt b/a.txt b/c/a.txt b/c/d1.json b/c/de.json train-0.txt x+y.txt") {
		files = append(files, File{Path: name})
	}
	for _, c := range []struct{ dir, pattern, want string }{
		{"", "*.txt", "a.txt train-0.txt x+y.txt"},
		{"", "**", "a.txt b/a.txt b/c/a.txt b/c/d1.json b/c/de.json train-0.txt x+y.txt"},
		{"", "**/*.json", "b/c/d1.json b/c/de.json"},
		{"", "**/a.txt", "a.txt b/a.txt b/c/a.txt"},
		{"", "b/**/a.txt", "b/a.txt b/c/a.txt"},
		{"b", "*/a.txt", "b/c/a.txt"},
		{"b/c/", "./d[0-9].json", "b/c/d1.json"},
		{"", "b/c/d[!0-9].json", "b/c/de.json"},
		{"", "?.txt", "a.txt"},
		{"", "x+y.txt", "x+y.txt"},
		{"", ".hidden/*", ".hidden/a.txt"},
		{"", "__x/*", "__x/a.txt"},
		{"", ".*", ".hid.txt"},
	} {
		list, err := DataFiles{"train", []string{c.pattern}}.Match(c.dir, files)
		var names []string
		for _, f := range list {
			names = append(names, f.Path)
		}
		if got := strings.Join(names, " "); err != nil || got != c.want {
			t.Errorf("%s in %q: %q, %v, want %q", c.pattern, c.dir, got, err, c.want)
		}
	}
	for pattern, want := range map[string]string{
		"b/*.csv":          "split train: no file matches b/*.csv",
		"**.txt":           "** stands for directories",
		"https://x/a.json": "is an address",
		"hf://x/a.json":    "is an address",
		"[z-a]":            "split train: [z-a]: ",
		"../a.txt":         "no file matches",
	} {
		if list, err := (DataFiles{"train", []string{"a.txt", pattern}}).Match("", files); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", pattern, list, err)
		}
	}
}

// FuzzCard: no card ends the program, and what it says can be used.
func FuzzCard(f *testing.F) {
	f.Add([]byte(glue))
	f.Add([]byte("---\nlicense: &a [*a]\n---\n"))
	f.Add([]byte("---\nconfigs:\n- {config_name: a, data_files: [{split: train, path: '[!a]**'}]}\n---\n"))
	f.Fuzz(func(t *testing.T, readme []byte) {
		card, err := ReadCard(readme)
		if err != nil {
			return
		}
		for _, c := range card.Configs {
			if _, err := card.Config(c.Name); err != nil {
				t.Error(err)
			}
			for _, d := range c.Files {
				_, _ = d.Match(c.Dir, []File{{Path: "a/b.txt"}}) // an error is fine
			}
		}
	})
}

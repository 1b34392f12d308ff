package corpus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/data/clean"
	"hone/data/hub/hubtest"
	"hone/data/source"
)

func startHub(t *testing.T) *hubtest.Server {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_HUB_OFFLINE", "HF_TOKEN_PATH"} {
		t.Setenv(name, "")
	}
	t.Setenv("HF_HOME", t.TempDir())
	s := hubtest.Start()
	t.Cleanup(s.Close)
	t.Setenv("HF_ENDPOINT", s.URL)
	return s
}

// TestHubSplits: the files of a data set on the hub go where datasets puts them
// (testdata/hub.py). Splits that there are no others for are left out or read as one.
func TestHubSplits(t *testing.T) {
	text, err := os.ReadFile("testdata/hub.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name, Card, Config, Error string
		Files                     []string
		Splits                    map[string][]string
	}
	if err := json.Unmarshal(text, &cases); err != nil || len(cases) < 20 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	says := map[string]string{
		"sharded":                "hf:datasets/org/set: 1 file left out: the data is in data/SPLIT-00000-of-00001",
		"sharded, another split": "hf:datasets/org/set: splits left out, since their names do not say train, validation or test: unsupervised",
		"default":                "hf:datasets/org/set: it has 2 configurations; the default one is read, default",
		"called default":         "hf:datasets/org/set: it has 2 configurations; the default one is read, one",
		"mnli":                   "hf:datasets/org/set/mnli: its splits validation_matched and validation_mismatched are read as one, validation",
		"what is no data":        "hf:datasets/org/set: files of no known kind left out: d/README.md, d/dataset_info.json, d/picture.xyz",
		"two formats":            "hf:datasets/org/set: 1 file of text left out: the data set is of json",
	}
	fails := map[string]string{
		"none named":           "data: hf:datasets/org/set: it has 3 configurations and no default: cola, ax, mnli (hint: name one behind the data set, as in /cola)",
		"wrong name":           `data: hf:datasets/org/set/sst2: it has no configuration "sst2", but these: cola, ax, mnli`,
		"no such file":         "data: hf:datasets/org/set: configuration c: split train: no file matches b.jsonl",
		"two splits in a name": "its name stands for two splits, train and test",
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			server := startHub(t)
			files := map[string]string{}
			for _, name := range c.Files {
				files[name] = `{"text": "a"}` + "\n"
			}
			if c.Card != "" {
				files["README.md"] = "---\n" + c.Card + "---\n"
			}
			server.Commit("datasets/org/set", files)
			from := "hf:datasets/org/set"
			if c.Config != "" {
				from += "/" + c.Config
			}
			var said []string
			cache := t.TempDir()
			l, err := list(context.Background(), from, cache, source.Options{}, func(s string) { said = append(said, s) }, nil)
			if fails[c.Name] != "" {
				if err == nil || !strings.Contains(err.Error(), fails[c.Name]) {
					t.Fatalf("error %v, want %s", err, fails[c.Name])
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Error != "" {
				t.Fatalf("read, where datasets says %s", c.Error)
			}
			want := map[string][]string{}
			for split, names := range c.Splits {
				if side, said, _ := sideSaid(split); said {
					want[splitNames[side]] = append(want[splitNames[side]], names...)
				}
			}
			got := map[string][]string{}
			for _, f := range l.files {
				_, name, _ := strings.Cut(filepath.ToSlash(f.path), "/files/")
				got[splitNames[f.side]] = append(got[splitNames[f.side]], name)
				if _, err := os.Stat(f.path); err != nil {
					t.Error(err)
				}
			}
			for _, m := range []map[string][]string{want, got} {
				for _, names := range m {
					slices.Sort(names)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("splits %v, want %v", got, want)
			}
			if fmt.Sprint(said) != "["+says[c.Name]+"]" {
				t.Errorf("it said %q, want %q", said, says[c.Name])
			}
			// Nothing else is fetched.
			for _, q := range server.Requests() {
				if _, name, ok := strings.Cut(q.Path, "/resolve/"); ok {
					_, name, _ = strings.Cut(name, "/")
					if name != "README.md" && !slices.ContainsFunc(slices.Collect(maps.Values(want)), func(l []string) bool { return slices.Contains(l, name) }) {
						t.Errorf("%s was fetched", name)
					}
				}
			}
		})
	}
}

// rows of a data set, in Parquet and as JSONL.
func hubRows(t *testing.T, server *hubtest.Server) (commit string) {
	t.Helper()
	return server.Commit("datasets/org/set", map[string]string{
		"README.md":   "---\nlicense: cc-by-4.0\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names:\n          '0': bad\n          '1': good\n---\n",
		"train.jsonl": `{"text": "one", "label": 1}` + "\n" + `{"text": "two", "label": 0}` + "\n",
		"test.jsonl":  `{"text": "three", "label": 1}` + "\n",
	})
}

// A data set of the hub is a corpus as others are: opened, cleaned, inspected and converted.
func TestHubCorpus(t *testing.T) {
	ctx := context.Background()
	server := startHub(t)
	cache := t.TempDir()
	commit := hubRows(t, server)
	address := server.URL + "/datasets/org/set/tree/" + commit
	check := func(c *Corpus, err error, source string) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p := c.Provenance
		if p.Source != source || p.Licence != "cc-by-4.0" || p.Documents != 3 || len(p.SHA256) != 64 || c.Train.Rows() != 2 || c.Test.Rows() != 1 || fmt.Sprint(c.Labels) != "[bad good]" {
			t.Errorf("%+v, labels %v", p, c.Labels)
		}
	}
	spec := Spec{From: "hf:datasets/org/set"}
	c, err := Prepare(ctx, spec, cache, nil)
	check(c, err, address)
	spec.Source = "a paper"
	c, err = Prepare(ctx, spec, cache, nil)
	check(c, err, "a paper ("+address+")")
	spec = Spec{From: "hf:datasets/org/set", Rules: clean.Rules{Normalize: "NFC"}}
	c, err = Prepare(ctx, spec, cache, nil)
	check(c, err, address)

	// Pinned, and without the network.
	server.Commit("datasets/org/set", map[string]string{"train.jsonl": `{"text": "other"}` + "\n"})
	server.Requests()
	c, err = Prepare(ctx, Spec{From: "hf:datasets/org/set@" + commit}, cache, nil)
	check(c, err, address)
	if list := server.Requests(); len(list) > 0 {
		t.Errorf("of a commit in the cache, it asked %+v", list)
	}
	info, err := Inspect(ctx, []string{"hf:datasets/org/set@" + commit}, InspectOptions{CacheDir: cache}, nil)
	if err != nil || info.Files != 2 || info.Rows != 3 || len(info.Splits) != 2 {
		t.Errorf("%+v, %v", info, err)
	}
	m, err := Convert(ctx, "hf:datasets/org/set@"+commit, filepath.Join(t.TempDir(), "out"), ConvertOptions{CacheDir: cache, Name: "set"}, nil)
	if err != nil || m.Source != address || m.Licence != "cc-by-4.0" || m.Rows != 3 {
		t.Errorf("%+v, %v", m, err)
	}
}

// Where configurations have classes of their own, integers stand for those of the one that is
// read, and for none where it names none.
func TestHubClasses(t *testing.T) {
	server := startHub(t)
	rows := `{"text": "a", "label": 0}` + "\n" + `{"text": "b", "label": 1}` + "\n"
	server.Commit("datasets/org/set", map[string]string{"a.jsonl": rows, "b.jsonl": rows, "c.jsonl": rows, "README.md": `---
configs:
- {config_name: a, data_files: a.jsonl}
- {config_name: b, data_files: b.jsonl}
- {config_name: c, data_files: c.jsonl}
dataset_info:
- config_name: a
  features:
  - name: label
    dtype:
      class_label:
        names:
          '0': bad
          '1': good
- config_name: b
  features:
  - name: label
    dtype: {class_label: {names: {'0': fish, '1': bird}}}
- config_name: c
  features:
  - name: label
    dtype: int64
---
`})
	cache := t.TempDir()
	for part, want := range map[string]string{"a": "[bad good]", "b": "[bird fish]", "c": "[0 1]"} {
		c, err := Prepare(context.Background(), Spec{From: "hf:datasets/org/set/" + part}, cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(c.Labels) != want {
			t.Errorf("%s: labels %v, want %s", part, c.Labels, want)
		}
		c.Close()
	}
}

// A set of Parquet files, as the hub writes them, says the same from there as from a directory.
func TestHubParquet(t *testing.T) {
	ctx := context.Background()
	server := startHub(t)
	text, err := os.ReadFile("../source/testdata/tables/datasets.parquet")
	if err != nil {
		t.Fatal(err)
	}
	local := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(local, 0o777); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, name := range []string{"train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "validation-00000-of-00001.parquet"} {
		files["data/"+name] = string(text)
		if err := os.WriteFile(filepath.Join(local, name), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	server.Commit("datasets/org/set", files)
	cache := t.TempDir()
	open := func(from string) *Corpus {
		t.Helper()
		c, err := Prepare(ctx, Spec{From: from}, cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, b := open("hf:datasets/org/set"), open(local)
	defer a.Close()
	defer b.Close()
	if a.Provenance.SHA256 != b.Provenance.SHA256 || a.Provenance.Name != "set" || fmt.Sprint(a.Labels) != fmt.Sprint(b.Labels) || a.Train.Rows() != 12 || a.Validation.Rows() != 6 || a.Train.SHA256 != b.Train.SHA256 {
		t.Errorf("%+v, want as %+v", a.Provenance, b.Provenance)
	}
	for i := range a.Train.Rows() {
		x, err1 := a.Train.Record(i)
		y, err2 := b.Train.Record(i)
		if err1 != nil || err2 != nil || !reflect.DeepEqual(x, y) {
			t.Errorf("record %d: %+v, %+v, %v, %v", i, x, y, err1, err2)
		}
	}
}

func TestHubRefused(t *testing.T) {
	ctx := context.Background()
	server := startHub(t)
	server.Commit("datasets/org/script", map[string]string{"script.py": "print()", "README.md": "# A card\n"})
	server.Commit("datasets/org/pictures", map[string]string{"a.png": "PNG"})
	server.Commit("datasets/org/mixed", map[string]string{"a.jsonl": "{}", "b.csv": "a"})
	server.Commit("datasets/org/dirs", map[string]string{"en/train.jsonl": `{"text": "a"}`, "ko/train.jsonl": `{"text": "b"}`, "ko/test.jsonl": `{"text": "c"}`})
	server.Commit("datasets/org/odd", map[string]string{"data/left-00000-of-00001.jsonl": "{}", "data/right-00000-of-00001.jsonl": "{}"})
	server.Commit("datasets/org/none-data", map[string]string{"d/a.png": "PNG", "README.md": "---\nconfigs:\n- config_name: c\n  data_files: d/*\n---\n"})
	server.Commit("datasets/org/keys", map[string]string{"a.csv": "x|y\n", "README.md": "---\nconfigs:\n- config_name: c\n  data_files: a.csv\n  version: 1.0.0\n  sep: \"|\"\n  names: [text, label]\n---\n"})
	server.Commit("datasets/org/card", map[string]string{"a.jsonl": "{}", "README.md": "---\nconfigs: [\n---\n"})
	server.Branch("datasets/org/dirs", "refs/convert/parquet", server.Commit("datasets/org/dirs", map[string]string{"en/train/0000.jsonl": `{"text": "a"}`, "ko/train/0000.jsonl": `{"text": "b"}`}))
	cache := t.TempDir()
	for from, want := range map[string]string{
		"hf:org/set":                                "data: hf:org/set is a model (hint: a data set is hf:datasets/org/set)",
		"hf:datasets/set":                           "the organisation is missing",
		"hf:datasets/org/none":                      "data: hf:datasets/org/none: the hub has no such data set, or it is private",
		"hf:datasets/org/script":                    "it has a program that makes the data, script.py, which is not run (hint: @refs/convert/parquet is the data",
		"hf:datasets/org/pictures":                  "it has no data files of a known kind",
		"hf:datasets/org/mixed":                     "it has as many files of csv as of json, and its README.md does not say which are the data",
		"hf:datasets/org/dirs/fr":                   "it names no configurations, and has no data files at fr",
		"hf:datasets/org/odd":                       "it has no split train, validation or test, but left, right",
		"hf:datasets/org/none-data":                 "configuration c: it has no data files of a known kind",
		"hf:datasets/org/keys":                      "configuration c: keys of its card that are not followed: names, sep (hint: say how its files are read by keys of the corpus",
		"hf:datasets/org/card":                      "data: hf:datasets/org/card: README.md: its front matter: yaml: ",
		"hf:datasets/org/dirs@refs/convert/parquet": "it has 2 configurations: en, ko (hint: name one behind the data set, as in /en)",
	} {
		if c, err := Prepare(ctx, Spec{From: from}, cache, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", from, c, err, want)
		}
	}
	// A directory of a set without configurations, and one of its files.
	for from, want := range map[string]string{
		"hf:datasets/org/dirs/ko@refs/convert/parquet": "[ko/train/0000.jsonl]",
		"hf:datasets/org/dirs/ko/train/0000.jsonl":     "[ko/train/0000.jsonl]",
	} {
		l, err := list(ctx, from, cache, source.Options{}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range l.files {
			_, name, _ := strings.Cut(filepath.ToSlash(f.path), "/files/")
			names = append(names, name)
		}
		if fmt.Sprint(names) != want {
			t.Errorf("%s: %v, want %s", from, names, want)
		}
	}
	c, err := Prepare(ctx, Spec{From: "hf:datasets/org/keys", Read: source.Options{Delimiter: "|", ColumnNames: []string{"text", "label"}}}, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if r, err := c.Train.Record(0); err != nil || r.Text != "x" || r.Label != "y" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Prepare(ctx, Spec{From: "hf:datasets/org/dirs"}, "", nil); err == nil || !strings.Contains(err.Error(), "no cache directory") {
		t.Error(err)
	}
	// A wait for the network is interrupted.
	server.Close()
	t.Setenv("HF_ENDPOINT", "https://127.0.0.1:1")
	ctx, cancel := context.WithCancel(ctx)
	_, err = list(ctx, "hf:datasets/org/dirs", cache, source.Options{}, func(string) { cancel() }, nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted while it waits: %v", err)
	}
}

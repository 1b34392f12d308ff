package corpus

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/data/clean"
)

// Files of words without a text: the words are the text, numbers are the names of classes, and
// documents are held out by their words.
func TestWords(t *testing.T) {
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "dataset_info.json"), `{"features": {"tokens": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "Sequence"}, "ner_tags": {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "Sequence"}}}`)
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "{\"tokens\": [\"Ann\", \"runs\", \"%d\"], \"ner_tags\": [1, 0, 0]}\n", i)
	}
	writeText(t, filepath.Join(dir, "train.jsonl"), lines.String())
	spec := Spec{From: dir, Words: "tokens", Fields: []string{"tokens", "ner_tags"}}
	open := func(spec Spec) *Corpus {
		t.Helper()
		c, err := Prepare(t.Context(), spec, filepath.Join(t.TempDir(), "cache"), nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	c := open(spec)
	r, err := c.Train.Record(7)
	if err != nil || r.Text != "Ann runs 7" || fmt.Sprintf("%s", r.Fields["ner_tags"]) != `["B-PER","O","O"]` {
		t.Errorf("%+v, %v", r, err)
	}
	if n, err := c.Train.MeanBytes(); err != nil || n < 10 || n > 13 {
		t.Errorf("%g bytes each, %v", n, err)
	}
	spec.Shares = clean.Shares{Validation: 0.2, Test: 0.1}
	c = open(spec)
	if n := []int64{c.Train.Rows(), c.Validation.Rows(), c.Test.Rows()}; n[0]+n[1]+n[2] != 200 || n[1] < 20 || n[1] > 60 || n[2] < 5 || n[2] > 40 {
		t.Errorf("splits of %d", n)
	}
	if _, err := Prepare(t.Context(), Spec{From: dir, Fields: spec.Fields}, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), `no column "text"`) {
		t.Errorf("%v", err)
	}
}

// Documents of one value of the group are in one split, whatever their texts; without a group they
// are held out one by one.
func TestGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "questions.csv")
	lines := "text,passage,text_of\n"
	for i := range 300 {
		lines += fmt.Sprintf("question %d,passage %d,\n", i, i/10)
	}
	writeText(t, path, lines)
	spec := Spec{From: path, Fields: []string{"passage"}, Shares: clean.Shares{Validation: 0.2, Test: 0.2}}
	passages := func(spec Spec) map[string][]string {
		t.Helper()
		c, err := Prepare(t.Context(), spec, filepath.Join(t.TempDir(), "cache"), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := map[string][]string{}
		for _, s := range c.Splits() {
			for i := range s.Rows() {
				r, err := s.Record(i)
				if err != nil {
					t.Fatal(err)
				}
				p, _ := r.Fields["passage"].(string)
				if !slices.Contains(in[p], s.Name) {
					in[p] = append(in[p], s.Name)
				}
			}
		}
		return in
	}
	spec.Group = "passage"
	for _, text := range []string{"", "passage"} { // which may be the text itself
		spec := spec
		spec.Text = text
		seen := map[string]bool{}
		for p, splits := range passages(spec) {
			if len(splits) > 1 {
				t.Errorf("%s is in %q", p, splits)
			}
			seen[splits[0]] = true
		}
		if len(seen) != 3 {
			t.Errorf("splits %v", seen)
		}
	}
	spec.Group = ""
	apart := 0
	for _, splits := range passages(spec) {
		if len(splits) > 1 {
			apart++
		}
	}
	if apart < 20 {
		t.Errorf("%d of 30 passages in several splits", apart)
	}
	spec.Group = "pasage"
	if _, err := Prepare(t.Context(), spec, t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), `no column "pasage" (did you mean "passage"`) {
		t.Errorf("%v", err)
	}
}

// What is wrong with a row is said at its line of the file, whichever file of the split it is in.
func TestWhereLines(t *testing.T) {
	dir := t.TempDir()
	writeText(t, filepath.Join(dir, "a_train.csv"), "text,label\n\"of two\nlines\",x\n\nplain,y\n")
	writeText(t, filepath.Join(dir, "b_train.csv"), "text,label\none,x\ntwo,y\n")
	c, err := Prepare(t.Context(), Spec{From: dir}, filepath.Join(t.TempDir(), "cache"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for i, want := range []string{"a_train.csv: line 2", "a_train.csv: line 5", "b_train.csv: line 2", "b_train.csv: line 3"} {
		if got := c.Train.Where(int64(i)); got != filepath.Join(dir, want) {
			t.Errorf("record %d: %s, want %s", i, got, want)
		}
	}
}

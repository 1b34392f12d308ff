package corpus

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/data/clean"
)

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// labelled makes n rows of CSV with labels in turn.
func labelled(n int, labels ...string) string {
	text := "text,label\n"
	for i := range n {
		text += fmt.Sprintf("a sentence of number %d,%s\n", i, labels[i%len(labels)])
	}
	return text
}

// TestLabels: which values are classes, and which say that a row has none, however the corpus
// is read.
func TestLabels(t *testing.T) {
	const card = "---\nlicense: mit\ndataset_info:\n- config_name: one\n  features:\n  - name: text\n    dtype: string\n  - name: label\n    dtype:\n" +
		"      class_label:\n        names:\n          '0': bad news\n          '1': \"good\"\n  - name: idx\n    dtype: int32\n  splits:\n  - name: train\n---\n# A set\n"
	const info = `{"features": {"text": {"dtype": "string", "_type": "Value"}, "label": {"names": ["bad news", "good"], "_type": "ClassLabel"}}}`
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
		rows  [3]int64 // with a label, by split
		said  string
	}{
		{"blank", map[string]string{"train.csv": labelled(9, "b", "", "a"), "test.csv": labelled(2, "  ")}, []string{"a", "b"}, [3]int64{6, 0, 0}, ""},
		{"lines of JSON", map[string]string{"train.jsonl": `{"text": "one", "label": "x"}` + "\n" + `{"text": "two", "label": ""}` + "\n" + `{"text": "three", "label": null}` + "\n" + `{"text": "four"}` + "\n"},
			[]string{"x"}, [3]int64{1, 0, 0}, ""},
		{"-1 alone in a split", map[string]string{"train.csv": labelled(20, "0", "1"), "val.csv": labelled(4, "0", "1"), "test.csv": labelled(12, "-1")}, []string{"0", "1"}, [3]int64{20, 4, 0}, "label -1 marks documents without a label"},
		{"-1 beside three classes", map[string]string{"train.csv": labelled(20, "0", "1", "2", "-1")}, []string{"0", "1", "2"}, [3]int64{15, 0, 0}, "label -1 marks documents without a label"},
		{"-1 as a class", map[string]string{"train.csv": labelled(21, "0", "1", "-1"), "test.csv": labelled(12, "-1", "1")}, []string{"-1", "0", "1"}, [3]int64{21, 0, 12}, "label -1 is taken for a class"},
		{"-1 and 1", map[string]string{"train.csv": labelled(20, "1", "-1"), "test.csv": labelled(12, "-1")}, []string{"-1", "1"}, [3]int64{20, 0, 12}, ""},
		{"a card", map[string]string{"README.md": card, "train.csv": labelled(20, "0", "1"), "test.csv": labelled(3, "-1")}, []string{"bad news", "good"}, [3]int64{20, 0, 0}, ""},
		{"names that are there already", map[string]string{"README.md": card, "train.csv": labelled(20, "good", "bad news")}, []string{"bad news", "good"}, [3]int64{20, 0, 0}, ""},
		{"dataset_info.json", map[string]string{"dataset_info.json": info, "train.jsonl": `{"text": "one", "label": 1}` + "\n" + `{"text": "two", "label": 0}` + "\n" + `{"text": "three", "label": -1}` + "\n"},
			[]string{"bad news", "good"}, [3]int64{2, 0, 0}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range c.files {
				writeText(t, filepath.Join(dir, name), text)
			}
			check := func(spec Spec) *Corpus {
				t.Helper()
				corpus, err := Prepare(context.Background(), spec, t.TempDir(), nil)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { corpus.Close() })
				var rows [3]int64
				for i, s := range []*Split{corpus.Train, corpus.Validation, corpus.Test} {
					if s == nil {
						continue
					}
					rows[i] = s.Labelled()
					n := int64(0)
					for _, r := range all(t, s) {
						if r.HasLabel {
							n++
						}
						if r.HasLabel != slices.Contains(c.want, r.Label) {
							t.Errorf("%+v", r)
						}
					}
					if n != rows[i] {
						t.Errorf("split %s: %d rows with a label, announced %d", s.Name, n, rows[i])
					}
				}
				if !slices.Equal(corpus.Labels, c.want) || rows != c.rows {
					t.Errorf("labels %q, %v rows, want %q, %v", corpus.Labels, rows, c.want, c.rows)
				}
				return corpus
			}
			var said []string
			check(Spec{From: dir, Say: func(s string) { said = append(said, s) }})
			if !strings.Contains(strings.Join(said, "\n"), c.said) {
				t.Errorf("said %q, not %q", said, c.said)
			}
			converted := filepath.Join(t.TempDir(), "converted")
			m, err := Convert(context.Background(), dir, converted, ConvertOptions{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range m.Splits {
				if i := slices.Index(splitNames[:], s.Name); s.Labelled != c.rows[i] {
					t.Errorf("corpus.json: %s: %d with a label, want %d", s.Name, s.Labelled, c.rows[i])
				}
			}
			check(Spec{From: converted})
			check(Spec{From: dir, Rules: clean.Rules{MinLength: 1}})
			x, err := Inspect(context.Background(), []string{dir}, InspectOptions{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, l := range x.Labels {
				names = append(names, l.Name)
			}
			if slices.Sort(names); !slices.Equal(names, c.want) {
				t.Errorf("inspected: %q", names)
			}
			for _, s := range x.Splits {
				if i := slices.Index(splitNames[:], s.Name); s.Labelled != c.rows[i] {
					t.Errorf("inspected: %s: %d with a label, want %d", s.Name, s.Labelled, c.rows[i])
				}
			}
		})
	}
}

// TestShared: texts of held-out splits that are in the training split too, also of a sample.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	line := func(s string) string { return fmt.Sprintf("{\"text\": %q}\n", s) }
	writeText(t, filepath.Join(dir, "train.jsonl"), line("one")+line("two")+line("two")+line("")+line("Three"))
	writeText(t, filepath.Join(dir, "dev.jsonl"), line("two")+line("two")+line("four"))
	writeText(t, filepath.Join(dir, "test.jsonl"), line("one")+line("")+line("three")+line("two "))
	x, err := Inspect(context.Background(), []string{dir}, InspectOptions{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(x.Splits) != 3 || x.Splits[0].Shared != nil || *x.Splits[1].Shared != (SharedTexts{3, 2}) || *x.Splits[2].Shared != (SharedTexts{3, 1}) {
		t.Errorf("%+v", x.Splits)
	}
	s := newFinder()
	s.most = 100
	for i := range 5000 {
		s.hold(1, fmt.Sprint(i))
	}
	for i := range 5000 {
		s.train(fmt.Sprint(i*4), 2)
	}
	n := s.count(1)
	if share := float64(n.Shared) / float64(n.Rows); n.Rows > 100 || n.Rows < 40 || share < 0.1 || share > 0.4 || len(s.held) > 100 {
		t.Errorf("%+v, %d texts kept", n, len(s.held))
	}
}

package corpus

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/data/clean"
	"hone/data/source"
)

// write makes files of lines of JSON, so many rows in each.
func writeRows(t *testing.T, dir string, rows map[string]int) {
	t.Helper()
	n := 0
	for name, count := range rows {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for range count {
			n++
			fmt.Fprintf(&text, "{\"text\": \"row %d of %s\"}\n", n, name)
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSplitNames: a file goes where datasets puts it (testdata/splits.py), but for eval and
// evaluation, which it takes for a test. Where it would put one into two splits, there is an
// error; and case makes no difference.
func TestSplitNames(t *testing.T) {
	text, err := os.ReadFile("testdata/splits.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string][]string
	if err := json.Unmarshal(text, &all); err != nil || len(all) < 30 {
		t.Fatalf("%d names, %v", len(all), err)
	}
	all["eval.jsonl"], all["evaluation.jsonl"] = []string{"validation"}, []string{"validation"}
	all["Reviews_TEST.csv"] = []string{"test"}
	for below, want := range all {
		side, err := sideOf(source.Entry{Path: below, Below: below})
		if len(want) > 1 {
			if err == nil || !strings.Contains(err.Error(), "two splits") || !strings.Contains(err.Error(), below) {
				t.Errorf("%s: %v, %v, want an error", below, side, err)
			}
			continue
		}
		if err != nil || splitNames[side] != want[0] {
			t.Errorf("%s: %v, %v, want %s", below, splitNames[side], err, want)
		}
	}
}

// TestSplitsOfFiles: the same splits whether files are opened, converted or inspected, and
// nothing above what was named has a say.
func TestSplitsOfFiles(t *testing.T) {
	ctx := context.Background()
	above := filepath.Join(t.TempDir(), "test", "dev")
	suffix, words, trees := filepath.Join(above, "suffix"), filepath.Join(above, "words"), filepath.Join(above, "trees")
	writeRows(t, suffix, map[string]int{"reviews_train.jsonl": 24, "reviews_validation.jsonl": 8, "reviews_test.jsonl": 7})
	writeRows(t, words, map[string]int{"developers.jsonl": 10, "other.jsonl": 10, "testimonials.jsonl": 10, "valids.jsonl": 10})
	writeRows(t, trees, map[string]int{"train/a.jsonl": 5, "eval/b.jsonl": 3, "test/c.jsonl": 2})
	for _, c := range []struct {
		from string
		want [3]int64
	}{
		{suffix, [3]int64{24, 8, 7}},
		{words, [3]int64{40, 0, 0}},
		{trees, [3]int64{5, 3, 2}},
		{filepath.Join(trees, "test"), [3]int64{2, 0, 0}},
		{filepath.Join(words, "other.jsonl"), [3]int64{10, 0, 0}},
		{filepath.Join(suffix, "reviews_test.jsonl"), [3]int64{0, 0, 7}},
		{filepath.Join(suffix, "*.jsonl"), [3]int64{24, 8, 7}},
		{filepath.Join(trees, "*", "*.jsonl"), [3]int64{5, 3, 2}},
		{filepath.Join(trees, "*"), [3]int64{5, 3, 2}},
		{filepath.Join(trees, "test", "*"), [3]int64{2, 0, 0}},
	} {
		check := func(how string, got [3]int64) {
			if got != c.want {
				t.Errorf("%s %s: %v, want %v", how, c.from, got, c.want)
			}
		}
		rows := func(spec Spec) (got [3]int64) {
			corpus, err := Prepare(ctx, spec, t.TempDir(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer corpus.Close()
			for i, s := range []*Split{corpus.Train, corpus.Validation, corpus.Test} {
				if s != nil {
					got[i] = s.Rows()
				}
			}
			return got
		}
		converted := filepath.Join(t.TempDir(), "converted")
		if _, err := Convert(ctx, c.from, converted, ConvertOptions{}, nil); err != nil {
			t.Fatal(err)
		}
		check("opened", rows(Spec{From: c.from}))
		check("cleaned", rows(Spec{From: c.from, Rules: clean.Rules{MinLength: 1}}))
		check("converted", rows(Spec{From: converted}))
		held := rows(Spec{From: c.from, Shares: clean.Shares{Validation: 0.5}})
		if held[2] != c.want[2] || held[0]+held[1] != c.want[0]+c.want[1] || held[1] < c.want[1] {
			t.Errorf("with a share held out: %v of %v", held, c.want)
		}
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	writeRows(t, dir, map[string]int{
		"corpus.jsonl": 40, "queries.jsonl": 3, "readme.csv.jsonl": 1, "licence.jsonl": 1, "state.json": 2, "cache-misses.jsonl": 1, "citation.json": 1,
		"README.md": 1, "LICENSE": 1, "sub/dataset_info.json": 1, "table.xlsx": 1, "cache-0123456789abcdef.arrow": 1, ".hidden.jsonl": 1,
	})
	var said []string
	c, err := Prepare(context.Background(), Spec{From: dir, Say: func(s string) { said = append(said, s) }}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if c.Train.Rows() != 49 {
		t.Errorf("%d rows", c.Train.Rows())
	}
	want := dir + ": 5 files left out: cache-0123456789abcdef.arrow (derived by datasets), LICENSE, README.md, dataset_info.json (describes the data), table.xlsx (of no known kind)"
	if len(said) == 0 || said[0] != want {
		t.Errorf("said %q, want %q", said, want)
	}
	// What is named itself is data.
	named, err := Prepare(context.Background(), Spec{From: filepath.Join(dir, "README.md")}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	named.Close()
}

func TestIndicesFile(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Base(shard(t, dir, "data", [2]string{"a", "x"}, [2]string{"b", "y"}))
	state := fmt.Sprintf(`{"_data_files": [{"filename": %q}], "_indices_data_files": [{"filename": "indices.arrow"}], "_fingerprint": "0"}`, one)
	if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(state), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Prepare(context.Background(), Spec{From: dir}, "", nil); err == nil || !strings.Contains(err.Error(), "indices.arrow") || !strings.Contains(err.Error(), "flatten_indices") {
		t.Errorf("%v", err)
	}
}

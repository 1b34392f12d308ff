package corpus

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"hone/data/clean"
	"hone/data/source"
)

// Rules are applied once, counted, and leave the splits that file names say.
func TestPrepareCleans(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	r := rand.New(rand.NewPCG(4, 4))
	document := func() string {
		words := make([]string, 60)
		for i := range words {
			words[i] = fmt.Sprint("w", r.IntN(5000))
		}
		return strings.Join(words, " ")
	}
	held := document()
	write := func(split string, texts ...string) {
		w := source.NewShards(dir, split, 0, "text", "label")
		for _, s := range texts {
			w.Append(source.Value{Text: s, Null: s == ""}, source.Value{Text: "x"})
		}
		if _, err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	twice := document()
	texts := []string{twice, strings.ToUpper(twice), twice + " and more", held + " more", "", "short", "\u1112\u1161\u11ab" + strings.Repeat(" \u1100", 30)}
	for range 200 {
		texts = append(texts, document())
	}
	write("train", texts...)
	write("test", held)
	spec := Spec{From: dir, Licence: "MIT", Shares: clean.Shares{Validation: 0.1},
		Rules: clean.Rules{Normalize: "NFC", MinLength: 10, Scripts: []string{"Latin"}, Dedup: "near"}.WithDefaults()}
	var made os.FileInfo
	for range 2 {
		c, err := Prepare(context.Background(), spec, cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		m := c.Manifest
		if want := (source.Drops{"null text": 1, "too short": 1, "script": 1}); !maps.Equal(m.Drops, want) {
			t.Errorf("drops %v, want %v", m.Drops, want)
		}
		if d := *m.Duplicates; d != (Duplicates{Documents: 205, Exact: 1, Near: 2, NGram: 3, Threshold: 0.8}) {
			t.Errorf("duplicates %+v", d)
		}
		if c.Train.Rows()+c.Validation.Rows() != 201 || c.Validation.Rows() < 8 || c.Test.Rows() != 1 {
			t.Errorf("%d for training, %d for validation, %d for the test", c.Train.Rows(), c.Validation.Rows(), c.Test.Rows())
		}
		raw, err := Prepare(context.Background(), Spec{From: dir}, cache, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.Provenance.SHA256 != raw.Provenance.SHA256 || c.Provenance.Licence != "MIT" || c.Provenance.Documents != 202 {
			t.Errorf("provenance %+v", c.Provenance)
		}
		raw.Close()
		c.Close()
		info, err := os.Stat(filepath.Join(c.Dir, manifestName))
		if err != nil {
			t.Fatal(err)
		}
		if made != nil && !os.SameFile(made, info) {
			t.Error("cleaned again")
		}
		made = info
	}
	// Another recipe, that says less of the same texts, does not find there what this one said.
	other := spec
	other.Licence = ""
	c, err := Prepare(context.Background(), other, cache, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Provenance.Licence != "" {
		t.Errorf("provenance %+v", c.Provenance)
	}
	c.Close()
	spec.SHA256 = strings.Repeat("0", 64)
	if _, err := Prepare(context.Background(), spec, cache, nil); err == nil || !strings.Contains(err.Error(), "not the expected corpus") {
		t.Errorf("another hash: %v", err)
	}
	spec.SHA256, spec.Rules.MinLength = "", 1e6
	if _, err := Prepare(context.Background(), spec, cache, nil); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("nothing left: %v", err)
	}
}

// Rules hold for files of every format, whose other columns stay; what an earlier
// conversion has counted stays counted.
func TestConvertCleans(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long := "the quick brown fox jumps over the lazy dog and runs away from all of them"
	rows := []string{long, long + " again", "Cafe\u0301 is a word with a mark that NFC joins", "short", "short", ""}
	lines, table := "", "body\tstars\tid\n"
	for i, r := range rows {
		q := fmt.Sprintf("%q", r)
		if r == "" {
			q = "null"
		}
		lines += fmt.Sprintf(`{"body": %s, "stars": %d, "id": %d, "messages": [{"role": "user", "content": "hi"}]}`+"\n", q, i%2, i)
		if r != "" {
			table += fmt.Sprintf("%s\t%d\t%d\n", r, i%2, i)
		}
	}
	rules := clean.Rules{Normalize: "NFC", MinLength: 6, Dedup: "near"}
	opt := ConvertOptions{Text: "body", Label: "stars", Name: "reviews", Licence: "MIT", Rules: rules}
	arrow := filepath.Join(dir, "arrow")
	jsonl := write("reviews.jsonl", lines)
	if _, err := Convert(context.Background(), jsonl, arrow, ConvertOptions{Text: "body", Label: "stars", Source: "a shop"}, nil); err != nil {
		t.Fatal(err)
	}
	again := opt
	again.Text, again.Label = "", ""
	for _, from := range []struct {
		path  string
		opt   ConvertOptions
		nulls int64
	}{{jsonl, opt, 1}, {write("reviews.tsv", table), opt, 0}, {arrow, again, 1}} {
		for _, threads := range []int{1, 3} {
			before := runtime.GOMAXPROCS(threads)
			out := filepath.Join(dir, fmt.Sprint(filepath.Base(from.path), threads))
			m, err := Convert(context.Background(), from.path, out, from.opt, nil)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			want := source.Drops{"too short": 2}
			if from.nulls > 0 {
				want["null text"] = from.nulls
			}
			if m.Rows != 2 || !maps.Equal(m.Drops, want) || *m.Duplicates != (Duplicates{Documents: 3, Near: 1, NGram: 3, Threshold: 0.8}) {
				t.Errorf("%s: %d rows, drops %v, duplicates %+v", from.path, m.Rows, m.Drops, m.Duplicates)
			}
			if m.Name != "reviews" || m.Licence != "MIT" || from.path == arrow && m.Source != "a shop" {
				t.Errorf("%s: %+v", from.path, m.Corpus)
			}
			c, err := Prepare(context.Background(), Spec{From: out, Fields: []string{"id"}}, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			r := all(t, c.Train)
			if len(r) != 2 || r[0].Text != long || r[0].Label != "0" || fmt.Sprint(r[1].Fields["id"]) != "2" || r[1].Text != "Caf\u00e9 is a word with a mark that NFC joins" {
				t.Errorf("%s: %+v", from.path, r)
			}
			c.Close()
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	opt.Text, opt.Label = "", ""
	if _, err := Convert(context.Background(), jsonl, filepath.Join(dir, "no"), opt, nil); err == nil || !strings.Contains(err.Error(), "text column") {
		t.Errorf("no text: %v", err)
	}
}

// BenchmarkClean is the whole of a conversion with near duplicates removed, on all
// processors.
func BenchmarkClean(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	docs := make([]Record, 8000)
	bytes := int64(0)
	for i := range docs {
		words := make([]string, 50+r.IntN(300))
		for k := range words {
			words[k] = fmt.Sprint("word", r.IntN(20000))
		}
		docs[i].Text = strings.Join(words, " ")
		if i%5 == 4 {
			docs[i].Text = docs[i-1].Text + " and a little more"
		}
		bytes += int64(len(docs[i].Text))
	}
	var files []sided
	for _, f := range stored(b, docs).Train.files {
		files = append(files, sided{path: f.Path()})
	}
	b.SetBytes(bytes)
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		opt := ConvertOptions{Rules: clean.Rules{Dedup: "near"}}
		if err := convertFiles(context.Background(), files, filepath.Join(dir, fmt.Sprint(i)), opt, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}

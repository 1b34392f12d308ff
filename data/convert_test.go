package data

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
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
		if c.Provenance.SHA256 != raw.Provenance.SHA256 || c.Provenance.Licence != "MIT" || c.Provenance.Rows != 202 {
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
	spec.SHA256 = strings.Repeat("0", 64)
	if _, err := Prepare(context.Background(), spec, cache, nil); err == nil || !strings.Contains(err.Error(), "another corpus") {
		t.Errorf("another hash: %v", err)
	}
	spec.SHA256, spec.Rules.MinLength = "", 1e6
	if _, err := Prepare(context.Background(), spec, cache, nil); err == nil || !strings.Contains(err.Error(), "too short") {
		t.Errorf("nothing left: %v", err)
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
	c := shards(b, docs)
	b.SetBytes(bytes)
	dir := b.TempDir()
	for i := 0; b.Loop(); i++ {
		opt := ConvertOptions{Rules: clean.Rules{Dedup: "near"}}
		if err := convertSplits(context.Background(), c.Splits(), "test", filepath.Join(dir, fmt.Sprint(i)), opt, nil); err != nil {
			b.Fatal(err)
		}
	}
}

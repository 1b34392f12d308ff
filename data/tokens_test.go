package data

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/data/corpus"
	"hone/data/source"
)

// shards writes documents as a corpus of files and opens it.
func shards(t testing.TB, docs []corpus.Record) *corpus.Corpus {
	t.Helper()
	dir := t.TempDir()
	w := source.NewShards(dir, "train", 64<<10, "text")
	for _, d := range docs {
		w.Append(source.Value{Text: d.Text, Null: d.Null})
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := corpus.Prepare(context.Background(), corpus.Spec{From: dir}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func cacheTokens(t testing.TB, c *corpus.Corpus, key, dir string) *corpus.TokenSplit {
	t.Helper()
	s, err := c.CacheTokens(context.Background(), c.Train, byteTokenizer{}, key, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestTokenCacheGivesTheSameBatches(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	docs := randomCorpus(r, 3000, 100)
	c, cache := shards(t, docs), t.TempDir()
	tokens := cacheTokens(t, c, "ab", cache)
	cfg := testConfig(nil, Causal)
	cfg.T, cfg.Records = 64, c.Train
	want := drain(t, open(t, cfg, Cursor{}), -1)
	for range 2 { // made, then found
		cfg.Records = tokens
		got := drain(t, open(t, cfg, Cursor{}), -1)
		if len(got) != len(want) {
			t.Fatalf("%d batches, want %d", len(got), len(want))
		}
		for i := range got {
			if !equal(&got[i], &want[i]) {
				t.Fatalf("batch %d differs", i)
			}
		}
		before, err := os.Stat(tokens.Dir)
		if err != nil {
			t.Fatal(err)
		}
		tokens = cacheTokens(t, c, "ab", cache)
		if now, err := os.Stat(tokens.Dir); err != nil || now.ModTime() != before.ModTime() {
			t.Errorf("made anew: %v", err)
		}
	}
	if other := cacheTokens(t, c, "another tokenizer", cache); other.Dir == tokens.Dir {
		t.Error("two tokenizers share a cache")
	}
	if _, err := tokens.Record(3000); err == nil {
		t.Error("a document beyond the last is read")
	}
	shard, err := filepath.Glob(filepath.Join(tokens.Dir, "*.arrow"))
	if err != nil || len(shard) == 0 {
		t.Fatal(shard, err)
	}
	b, err := os.ReadFile(shard[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2]++
	if err := os.WriteFile(shard[0], b, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = c.CacheTokens(context.Background(), c.Train, byteTokenizer{}, "ab", cache, nil)
	if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), tokens.Dir) {
		t.Errorf("a damaged cache: %v", err)
	}
}

// Ready batches out of the cache, in random order.
func BenchmarkLoaderFromTokenCache(b *testing.B) {
	for _, words := range []int{40, 400} {
		b.Run(fmt.Sprint(5*words, "tokens"), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			docs := make([]corpus.Record, 20_000_000/5/words/4)
			for i := range docs {
				docs[i].Text = strings.Repeat("word ", 1+r.IntN(2*words))
			}
			tokens := cacheTokens(b, shards(b, docs), "ab", b.TempDir())
			l, err := NewLoader(Config{Records: tokens, Tokenizer: byteTokenizer{}, T: 1024, BatchSize: 32, Seed: 1, Shuffle: true}, Cursor{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			n := 0
			for b.Loop() {
				batch, err := l.Next(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				n += batch.NumTargets
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
		})
	}
}

package data

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/data/source"
)

// shards writes documents as a corpus of files and opens it.
func shards(t testing.TB, docs []Record) *Corpus {
	t.Helper()
	dir := t.TempDir()
	w := source.NewShards(dir, "train", 64<<10, "text")
	for _, d := range docs {
		w.Append(source.Value{Text: d.Text, Null: d.Null})
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := Prepare(context.Background(), Spec{From: dir}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func cacheTokens(t testing.TB, c *Corpus, key, dir string) *TokenSplit {
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

func TestTokenCacheStops(t *testing.T) {
	c, cache := shards(t, []Record{{Text: "abc"}}), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.CacheTokens(ctx, c.Train, byteTokenizer{}, "ab", cache, nil); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(cache); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// Ready batches out of the cache, in random order.
func BenchmarkLoaderFromTokenCache(b *testing.B) {
	for _, words := range []int{40, 400} {
		b.Run(fmt.Sprint(5*words, "tokens"), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			docs := make([]Record, 20_000_000/5/words/4)
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

// TestTokenManifestIsWhatWasWritten edits a shard of tokens together with the manifest that
// has its hash, and flips bits of the manifest, which says where in a shard tokens lie.
func TestTokenManifestIsWhatWasWritten(t *testing.T) {
	c, cache := shards(t, randomCorpus(rand.New(rand.NewPCG(4, 4)), 30, 20)), t.TempDir()
	tokens := cacheTokens(t, c, "ab", cache)
	found, err := filepath.Glob(filepath.Join(tokens.Dir, tokensPrefix+"*"+tokensSuffix))
	if err != nil || len(found) != 1 {
		t.Fatal(found, err)
	}
	m, err := readTokens(tokens.Dir)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		_, err := c.CacheTokens(context.Background(), c.Train, byteTokenizer{}, "ab", cache, nil)
		if err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), "remove "+tokens.Dir) {
			t.Errorf("%s: %v", what, err)
		}
	}
	shard := filepath.Join(tokens.Dir, m.Shards[0].File)
	text, err := os.ReadFile(shard)
	if err != nil {
		t.Fatal(err)
	}
	edited := bytes.Clone(text)
	edited[m.Shards[0].Batches[0].Values] ^= 1
	sum := sha256.Sum256(edited)
	both := bytes.Replace(manifest, []byte(m.Shards[0].SHA256), []byte(hex.EncodeToString(sum[:])), 1)
	for path, text := range map[string][]byte{shard: edited, found[0]: both} {
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	refused("shard and manifest edited together")
	if err := os.WriteFile(shard, text, 0o666); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < 8*len(manifest); i += 7 {
		flipped := bytes.Clone(manifest)
		flipped[i/8] ^= 1 << (i % 8)
		if err := os.WriteFile(found[0], flipped, 0o666); err != nil {
			t.Fatal(err)
		}
		refused(fmt.Sprintf("bit %d flipped", i))
	}
	if err := os.WriteFile(found[0], manifest, 0o666); err != nil {
		t.Fatal(err)
	}
	cacheTokens(t, c, "ab", cache)
}

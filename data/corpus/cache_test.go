package corpus

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/data/source"
)

// stored writes documents as a corpus of files and opens it.
func stored(t testing.TB, docs []Record) *Corpus {
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

func encoded(t testing.TB, c *Corpus, key, dir string) *TokenSplit {
	t.Helper()
	s, err := c.CacheTokens(context.Background(), c.Train, byteIDs{}, key, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// byteIDs has a token a byte, after the end of text, which is 0.
type byteIDs struct{}

func (byteIDs) Encode(dst []int32, text string) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i])+1)
	}
	return dst
}

func (byteIDs) Decode(ids []int32) string {
	b := make([]byte, len(ids))
	for i, id := range ids {
		b[i] = byte(id - 1)
	}
	return string(b)
}

func (byteIDs) Special(name string) (int32, bool) { return 0, name == "<|endoftext|>" }
func (byteIDs) Size() int                         { return 257 }

// documents are some of many lengths, and one that is none.
func documents() (list []Record) {
	for i := range 30 {
		list = append(list, Record{Text: strings.Repeat("abc ", i*i%23), Null: i == 7})
	}
	return list
}

func TestTokenCacheStops(t *testing.T) {
	c, cache := stored(t, []Record{{Text: "abc"}}), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.CacheTokens(ctx, c.Train, byteIDs{}, "ab", cache, nil); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(cache); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// TestTokenManifestIsWhatWasWritten edits a shard of tokens together with the manifest that
// has its hash, and flips bits of the manifest, which says where in a shard tokens lie.
func TestTokenManifestIsWhatWasWritten(t *testing.T) {
	c, cache := stored(t, documents()), t.TempDir()
	tokens := encoded(t, c, "ab", cache)
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
		_, err := c.CacheTokens(context.Background(), c.Train, byteIDs{}, "ab", cache, nil)
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
	encoded(t, c, "ab", cache)
}

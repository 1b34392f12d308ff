package corpus

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"hone/checkpoint/file"
	"hone/data/source"
	"hone/data/tokenizer"
)

// tokensVersion is the version of the cache's layout and of the way in which text is encoded.
const tokensVersion = 2

// The name of the manifest contains the hash of its content, which includes the hashes of the
// shards.
const tokensPrefix, tokensSuffix = "tokens-", ".json"

// tokensManifest is the manifest beside the shards.
type tokensManifest struct {
	Version   int                 `json:"version"`
	Corpus    string              `json:"corpus_sha256"`
	Tokenizer string              `json:"tokenizer_sha256"`
	Split     string              `json:"split"`
	Rows      int64               `json:"rows"`
	Tokens    int64               `json:"tokens"`
	Shards    []source.TokenShard `json:"shards"`
}

// TokenSplit is a split whose documents are tokens on disk, without labels. Documents
// without text or with too much of it are empty. It is safe for concurrent use.
type TokenSplit struct {
	*source.Tokens
	Dir   string
	Count int64 // tokens of all documents
}

// Record returns the tokens of document i.
func (s *TokenSplit) Record(i int64) (Record, error) {
	ids, err := s.Row(nil, i)
	return Record{IDs: ids}, err
}

// CacheTokens encodes a split of the corpus once, into a directory of cacheDir that is
// named by the hash of text, tokenizer and version, and opens it. A token takes 4 bytes on
// disk. tokenizerSHA256 is the hash of tokenizer.json. progress counts documents, then
// verified bytes, and may be nil.
func (c *Corpus) CacheTokens(ctx context.Context, s *Split, tok tokenizer.Tokenizer, tokenizerSHA256, cacheDir string, progress func(done, total int64)) (*TokenSplit, error) {
	if t, ok := tok.(interface{ Ordinary() tokenizer.Tokenizer }); ok {
		tok = t.Ordinary()
	}
	maxBytes := MaxDocBytes
	h := sha256.New()
	fmt.Fprintln(h, tokensVersion, c.Provenance.SHA256, tokenizerSHA256, s.Name, s.rows, maxBytes)
	fmt.Fprintf(h, "%q\n", filepath.Base(c.Dir)) // which names the rules of cleaning
	for _, f := range s.files {
		fmt.Fprintf(h, "%q %q\n", cacheName(cacheDir, f.Path()), f.columns[0])
	}
	dir := filepath.Join(cacheDir, "tokens-"+hex.EncodeToString(h.Sum(nil))[:24])
	m, err := readTokens(dir)
	if errors.Is(err, os.ErrNotExist) {
		m = &tokensManifest{Version: tokensVersion, Corpus: c.Provenance.SHA256, Tokenizer: tokenizerSHA256, Split: s.Name}
		if err = encodeSplit(ctx, s, tok, maxBytes, dir, m, progress); err == nil {
			m, err = readTokens(dir)
		}
	}
	if err != nil {
		return nil, err
	}
	t, err := source.OpenTokens(ctx, dir, m.Shards, progress)
	if err == nil && t.Rows() != s.rows {
		err = errors.Join(fmt.Errorf("data: %s: %d documents, of a split of %d", dir, t.Rows(), s.rows), t.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("%w (hint: remove %s, and it will be made anew)", err, dir)
	}
	return &TokenSplit{t, dir, m.Tokens}, nil
}

func readTokens(dir string) (*tokensManifest, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("data: tokens: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tokensPrefix) && strings.HasSuffix(e.Name(), tokensSuffix) {
			names = append(names, e.Name())
		}
	}
	if len(names) != 1 {
		return nil, fmt.Errorf("data: %s: damaged: %d manifests (hint: remove it, and it will be made anew)", dir, len(names))
	}
	path := filepath.Join(dir, names[0])
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("data: tokens: %w", err)
	}
	if sum := sha256.Sum256(b); names[0] != tokensPrefix+hex.EncodeToString(sum[:])+tokensSuffix {
		return nil, fmt.Errorf("data: %s: damaged: its content does not match its name (hint: remove %s, and it will be made anew)", path, dir)
	}
	m := new(tokensManifest)
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("data: %s: %w", path, err)
	}
	return m, nil
}

// encodeSplit writes the tokens of a split. Documents are encoded in parallel, and
// written in their order.
func encodeSplit(ctx context.Context, s *Split, tok tokenizer.Tokenizer, maxBytes int, dir string, m *tokensManifest, progress func(done, total int64)) error {
	cacheDir := filepath.Dir(dir)
	if err := os.MkdirAll(cacheDir, 0o755); err != nil {
		return fmt.Errorf("data: cache: %w", err)
	}
	tmp, err := temporary(dir)
	if err != nil {
		return fmt.Errorf("data: cache: %w", err)
	}
	defer os.RemoveAll(tmp) // after publishing there is none
	out := source.NewTokenShards(tmp, s.Name, 0)
	closed := false
	defer func() {
		if !closed {
			out.Close() // its files go the next moment
		}
	}()
	const chunk = 64 // documents a worker takes
	type encoded struct {
		ids []int32
		end [chunk]int
		err error
	}
	workers := runtime.GOMAXPROCS(0)
	parts := make([]encoded, 4*workers)
	for from := int64(0); from < s.rows; from += int64(len(parts) * chunk) {
		if err := ctx.Err(); err != nil {
			return err
		}
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for k := w; k < len(parts); k += workers {
					p := &parts[k]
					p.ids, p.err = p.ids[:0], nil
					for i := range chunk {
						if row := from + int64(k*chunk+i); row < s.rows && p.err == nil {
							p.ids, p.err = encodeRecord(s, row, tok, maxBytes, p.ids)
						}
						p.end[i] = len(p.ids)
					}
				}
			})
		}
		wg.Wait()
		for k := range parts {
			if parts[k].err != nil {
				return parts[k].err
			}
			start := 0
			for i, end := range parts[k].end {
				if from+int64(k*chunk+i) < s.rows {
					out.Append(parts[k].ids[start:end])
				}
				start = end
			}
		}
		if progress != nil {
			progress(min(from+int64(len(parts)*chunk), s.rows), s.rows)
		}
	}
	m.Shards, err = out.Close()
	closed = true
	if err != nil {
		return err
	}
	for _, sh := range m.Shards {
		m.Rows += sh.Rows
		m.Tokens += sh.Tokens
	}
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("data: cache: %w", err)
	}
	sum := sha256.Sum256(b)
	if err := file.WriteBytes(filepath.Join(tmp, tokensPrefix+hex.EncodeToString(sum[:])+tokensSuffix), b); err != nil {
		return fmt.Errorf("data: cache: %w", err)
	}
	if err := file.Publish(tmp, dir); err != nil {
		if _, e := readTokens(dir); e == nil {
			return nil // another process was first: its result is the same
		}
		return fmt.Errorf("data: cache: %w", err)
	}
	return nil
}

func encodeRecord(s *Split, row int64, tok tokenizer.Tokenizer, maxBytes int, ids []int32) ([]int32, error) {
	r, err := s.Record(row)
	if err != nil || r.Null || len(r.Text) > maxBytes {
		return ids, err
	}
	if !utf8.ValidString(r.Text) {
		return ids, fmt.Errorf("data: record %d%s: invalid UTF-8 at byte %d", row, r.Place(), r.InvalidUTF8())
	}
	ids = tok.Encode(ids, r.Text)
	if err := tokenizer.Fault(tok); err != nil {
		return ids, fmt.Errorf("data: record %d%s: %w", row, r.Place(), err)
	}
	return ids, nil
}

package data

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"hone/data/corpus"
	"hone/data/source"
)

// anonymous returns the anonymous memory of the process that is resident: what files
// that are mapped or cached take is not its own.
func anonymous(t *testing.T) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return kib << 10
		}
	}
	t.Skip("this system does not tell RssAnon")
	return 0
}

// watch calls read often until stop is called, which returns the largest value.
func watch(t *testing.T, read func(*testing.T) int64) (stop func() int64) {
	end, ended := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for {
			most = max(most, read(t))
			select {
			case <-end:
				ended <- most
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() int64 { close(end); return <-ended }
}

// TestDrain makes a corpus of Arrow shards, of 10 GB or as many as are asked for, and
// reads an epoch of it in random order, in 300 MB of anonymous memory:
//
//	HONE_DRAIN_GB=10 go test ./data -run 'TestDrain$' -v -timeout 2h
//
// The corpus takes that much of the temporary directory (TMPDIR).
func TestDrain(t *testing.T) {
	gb, err := strconv.ParseFloat(os.Getenv("HONE_DRAIN_GB"), 64)
	if err != nil {
		t.Skip("set HONE_DRAIN_GB to the size of the corpus, as 10")
	}
	const limit = 300_000_000
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(1, 1))
	var text strings.Builder
	for text.Len() < 1<<20 {
		fmt.Fprintf(&text, "word%d ", r.IntN(50000))
	}
	w := source.NewShards(dir, "train", 0, "text")
	bytes, docs, longest := int64(0), int64(0), 0
	for ; float64(bytes) < gb*1e9; docs++ {
		// Most documents are short, one of a thousand is long.
		n := 200 + r.IntN(8000)
		if docs%1000 == 999 {
			n = 500_000
		}
		from := r.IntN(text.Len() - n)
		w.Append(source.Value{Text: text.String()[from : from+n]})
		bytes += int64(n)
		longest = max(longest, n)
	}
	shards, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	stop := watch(t, anonymous)
	start := time.Now()
	c, err := corpus.Prepare(context.Background(), corpus.Spec{From: dir}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	opened := time.Since(start)
	l, err := NewLoader(Config{Records: c.Train, Tokenizer: byteTokenizer{}, Objective: Causal, T: 1024, BatchSize: 32, Shuffle: true, Epochs: 1}, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	start = time.Now()
	targets := int64(0)
	for {
		b, err := l.Next(context.Background())
		if err != nil {
			break // the numbers tell whether it was the end
		}
		targets += int64(b.NumTargets)
	}
	most := stop()
	t.Logf("%.1f GB of text in %d documents, the longest of %d bytes, and %d shards: opened and verified in %v, drained in %v; at most %.0f MB of anonymous memory",
		float64(bytes)/1e9, docs, longest, len(shards), opened.Round(time.Millisecond), time.Since(start).Round(time.Millisecond), float64(most)/1e6)
	if s := l.Stats(); s.Documents != docs || s.Bytes != bytes || targets != bytes+docs {
		t.Errorf("read %d documents of %d bytes, %d targets", s.Documents, s.Bytes, targets)
	}
	if most > limit {
		t.Errorf("more than %d bytes", limit)
	}
}

// fewDescriptors lets the process have no more than n files open.
func fewDescriptors(t *testing.T, n uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Setrlimit(syscall.RLIMIT_NOFILE, &old) })
}

// descriptors counts the descriptors of the process.
func descriptors(t *testing.T) int64 {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Error(err)
	}
	return int64(len(list))
}

// Ten thousand files, a thousand of text, and a thousand shards of a converted corpus
// are read in random order with a hundred descriptors.
func TestFewDescriptors(t *testing.T) {
	const limit = 100
	one := t.TempDir()
	w := source.NewShards(one, "train", 0, "text")
	w.Append(source.Value{Text: "a document"})
	shards, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	arrow, err := os.ReadFile(filepath.Join(one, shards[0].File))
	if err != nil {
		t.Fatal(err)
	}
	files := func(n int, ending string, content []byte) string {
		dir := t.TempDir()
		first := filepath.Join(dir, "00000"+ending)
		if err := os.WriteFile(first, content, 0o644); err != nil {
			t.Fatal(err)
		}
		for i := range n - 1 { // links are cheaper than files, and as many to open
			if err := os.Link(first, filepath.Join(dir, fmt.Sprintf("%05d%s", i+1, ending))); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	converted := files(1000, ".arrow", arrow)
	m := corpus.Manifest{FormatVersion: corpus.ManifestVersion, Splits: []corpus.SplitManifest{{Name: "train", Rows: 1000}}}
	sums := sha256.New()
	for i := range 1000 {
		sh := shards[0]
		sh.File = fmt.Sprintf("%05d.arrow", i)
		fmt.Fprintf(sums, "%s  %s\n", sh.SHA256, sh.File)
		m.Splits[0].Shards = append(m.Splits[0].Shards, sh)
	}
	m.SHA256 = hex.EncodeToString(sums.Sum(nil))
	b, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(filepath.Join(converted, "corpus.json"), b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	fewDescriptors(t, limit)
	for _, from := range []struct {
		dir   string
		files int64
	}{
		{files(10_000, ".arrow", arrow), 10_000},
		{files(1000, ".txt", []byte("a document")), 1000},
		{converted, 1000},
	} {
		var most, calls int64
		look := func(int64, int64) {
			if calls++; calls%16 == 0 {
				most = max(most, descriptors(t))
			}
		}
		c, err := corpus.Prepare(context.Background(), corpus.Spec{From: from.dir}, t.TempDir(), look)
		if err != nil {
			t.Fatal(err)
		}
		l, err := NewLoader(Config{Records: c.Train, Tokenizer: byteTokenizer{}, Objective: Causal, T: 1024, BatchSize: 32, Shuffle: true, Epochs: 1}, Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = l.Next(context.Background())
			look(0, 0)
		}
		if n := l.Stats().Documents; n != from.files {
			t.Errorf("%d documents of %d: %v", n, from.files, err)
		}
		l.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if most == 0 || most > limit {
			t.Errorf("%d descriptors", most)
		}
		t.Logf("%d files: at most %d descriptors", from.files, most)
	}
}

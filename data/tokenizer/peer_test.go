package tokenizer

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPeer encodes 10 MB of the data sets beside testdata/peer.py, in turn with it and
// on as many threads, and prints the best of each. It runs where HONE_PEER names a
// Python that has the libraries.
func TestPeer(t *testing.T) {
	python := os.Getenv("HONE_PEER")
	if python == "" {
		t.Skip("HONE_PEER names no Python")
	}
	needSets(t)
	var text []string
	size := 0
	for line := range lines(t, []string{"wikitext2/test.txt", "wikitext2/valid.txt", "classic_books/Bram_Stoker__Dracula.md.gz", "classic_books/Charles_Dickens__Great_Expectations.md.gz", "classic_books/Charlotte_Bronte__Jane_Eyre.md.gz", "tinyshakespeare/input.txt", "multi30k/train_first20000.en.gz", "multi30k/train_first20000.de.gz", "nsmc_rebuilt/reviews_lm.txt.gz"}) {
		text = append(text, strings.TrimSuffix(lossy(line), "\n"))
		if size += len(line); size > 10e6 {
			break
		}
	}
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	kinds := make(map[string]*Pipeline)
	for _, c := range readJSON[[]agreeCase](t, "agree/cases.json") {
		if slices.Contains([]string{"GPT-2", "BERT", "T5", "unigram as t5"}, c.Name) {
			kinds[c.Name] = c.open(t)
		}
	}
	ask := startPeer(t, python, write("text", []byte(strings.Join(text, "\n"))))
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for _, c := range []struct {
		kind, peer string
		threads    int
	}{
		{"GPT-2", "encode_batch", 2},
		{"GPT-2", "encode_batch_fast", 2},
		{"GPT-2", "tiktoken", 1},
		{"BERT", "encode_batch", 2},
		{"T5", "encode_batch", 2},
		{"unigram as t5", "encode_batch", 2},
	} {
		p := kinds[c.kind]
		if p == nil {
			t.Logf("%s: not here, see agreeCase.open", c.kind)
			continue
		}
		name := c.kind + ", " + c.peer
		path := write(strings.ReplaceAll(c.kind, " ", "")+".json", p.JSON())
		ours, theirs := math.Inf(1), math.Inf(1)
		var n int
		var want string
		for range 3 {
			start := time.Now()
			n = encodeAll(p, text, c.threads)
			ours = min(ours, time.Since(start).Seconds())
			var seconds float64
			seconds, want = ask(c.peer, path)
			theirs = min(theirs, seconds)
		}
		if fmt.Sprint(n) != want {
			t.Errorf("%s: %d tokens, the peer has %s", name, n, want)
		}
		t.Logf("%-27s %d threads: %5.1f MB/s, the peer %5.1f MB/s: %.2f ×", name, c.threads, float64(size)/ours/1e6, float64(size)/theirs/1e6, theirs/ours)
	}
}

// startPeer starts testdata/peer.py. The function sends it a line and gives the seconds
// and the result of the answer.
func startPeer(t *testing.T, python string, text ...string) func(method, path string) (float64, string) {
	cmd := exec.Command(python, append([]string{"testdata/peer.py"}, text...)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	answers := bufio.NewReader(out)
	return func(method, path string) (seconds float64, result string) {
		fmt.Fprintln(in, method, path)
		if _, err := fmt.Fscan(answers, &seconds, &result); err != nil {
			t.Fatalf("%s: the peer ended: %v", method, err)
		}
		return seconds, result
	}
}

// TestPeerTrain learns a BPE of 32,000 tokens from a file of 100 MB, the data sets and the
// Go source tree, beside testdata/peer.py, which is given the same file. Both read it
// within the time, and learn the same merges.
func TestPeerTrain(t *testing.T) {
	python := os.Getenv("HONE_PEER")
	if python == "" {
		t.Skip("HONE_PEER names no Python")
	}
	needSets(t)
	path := filepath.Join(t.TempDir(), "text")
	size := writeCorpus(t, path, 100e6)
	ask := startPeer(t, python)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	start := time.Now()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := Train(func(yield func(string) bool) {
		b := bufio.NewReaderSize(f, 1<<16)
		for {
			s, err := b.ReadString('\n')
			if err != nil || !yield(s) {
				break // writeCorpus ends with a line
			}
		}
	}, TrainOptions{VocabSize: 32000, Special: special[:1]}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ours := time.Since(start).Seconds()
	theirs, want := ask("train", path)
	var merges []string
	for _, m := range p.model.(*bpe).merges {
		merges = append(merges, p.Token(m[0])+" "+p.Token(m[1]))
	}
	if got := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(merges, "\n")))); got != want {
		t.Errorf("the %d merges are %s, the peer's are %s", len(merges), got, want)
	}
	t.Logf("%d MB, %d merges: %.1f s, the peer %.1f s: %.2f ×", size/1e6, len(merges), ours, theirs, theirs/ours)
}

// writeCorpus writes lines of the data sets and then of Go's source.
func writeCorpus(t *testing.T, path string, size int) (written int) {
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriter(f)
	full := func(line string) bool {
		n, err := w.WriteString(lossy(strings.TrimSuffix(line, "\n")) + "\n")
		if err != nil {
			t.Fatal(err)
		}
		written += n
		return written >= size
	}
	for _, set := range readJSON[[]struct{ File string }](t, "agree/sets.json") {
		for line := range lines(t, []string{set.File}) {
			if full(line) {
				break
			}
		}
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(filepath.Join(strings.TrimSpace(string(root)), "src"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || written >= size {
			return err
		}
		data, err := os.ReadFile(path)
		for line := range strings.Lines(string(data)) {
			if full(line) {
				break
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if written < size {
		t.Fatalf("only %d bytes of text", written)
	}
	return written
}

// encodeAll encodes lines on several threads and counts the tokens.
func encodeAll(p *Pipeline, text []string, threads int) int {
	const some = 256
	var next, n atomic.Int64
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			var ids []int32
			for {
				end := int(next.Add(some))
				if end-some >= len(text) {
					return
				}
				for _, s := range text[end-some : min(end, len(text))] {
					ids = p.Encode(ids[:0], s)
					n.Add(int64(len(ids)))
				}
			}
		})
	}
	wg.Wait()
	return int(n.Load())
}

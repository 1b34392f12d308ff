package tokenizer

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sets is where the large data sets lie, beside the repository.
const sets = "../../../shared/data"

// lines gives the lines of files, with their ends.
func lines(t testing.TB, files []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range files {
			f, err := os.Open(filepath.Join(sets, filepath.FromSlash(name)))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			var r io.Reader = f
			if strings.HasSuffix(name, ".gz") {
				if r, err = gzip.NewReader(f); err != nil {
					t.Fatal(err)
				}
			}
			b := bufio.NewReader(r)
			for {
				s, err := b.ReadString('\n')
				if s != "" && !yield(s) {
					return
				}
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// needSets skips a test where the data sets are not.
func needSets(t testing.TB) {
	if _, err := os.Stat(sets); err != nil {
		t.Skipf("the data sets are not here: %v", err)
	}
}

// TestTrainSetsAgree trains on whole data sets: the same merges in the same order
// as Hugging Face's trainer finds.
func TestTrainSetsAgree(t *testing.T) {
	needSets(t)
	t.Parallel()
	type set struct {
		Set          string
		Files        []string
		VocabSize    int `json:"vocab_size"`
		MinFrequency int `json:"min_frequency"`
		Tokens       int
		Merges       int
		SHA256       string
	}
	list := readJSON[[]set](t, "train.json")
	if len(list) < 10 {
		t.Fatalf("%d sets", len(list))
	}
	trained := make(map[string]*Pipeline)
	for _, s := range list {
		// The merges to a smaller vocabulary are the first of those to a larger one.
		p := trained[s.Set]
		if p == nil {
			largest := s
			for _, x := range list {
				if x.Set == s.Set && x.VocabSize > largest.VocabSize {
					largest = x
				}
			}
			var err error
			if p, err = Train(lines(t, s.Files), TrainOptions{VocabSize: largest.VocabSize, MinFrequency: largest.MinFrequency, Special: special[:1]}, nil); err != nil {
				t.Fatal(err)
			}
			if p.Size() != largest.Tokens {
				t.Errorf("%s: %d tokens, want %d", s.Set, p.Size(), largest.Tokens)
			}
			trained[s.Set] = p
		}
		all := p.model.(*bpe).merges
		if len(all) < s.Merges || s.Tokens < s.VocabSize && len(all) != s.Merges {
			t.Errorf("%s to %d: %d merges, want %d", s.Set, s.VocabSize, len(all), s.Merges)
			continue
		}
		var merges []string
		for _, m := range all[:s.Merges] {
			merges = append(merges, p.Token(m[0])+" "+p.Token(m[1]))
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(merges, "\n")))); sum != s.SHA256 {
			t.Errorf("%s to %d: the %d merges are %s, want %s", s.Set, s.VocabSize, s.Merges, sum, s.SHA256)
		}
	}
}

// TestTrainKinds trains every kind on a small text: what is written is read back as
// the same, and known text comes back.
func TestTrainKinds(t *testing.T) {
	docs := readJSON[[]string](t, "docs.json")
	dna := []string{"ACGTACGTAC", "TTGACA", "ACGTTT"}
	trained := map[string]bool{}
	for _, c := range []struct {
		opts TrainOptions
		docs []string
		text string // comes back from its tokens
	}{
		{TrainOptions{Kind: "byte_bpe", VocabSize: 600}, docs, docs[0]},
		{TrainOptions{Kind: "wordpiece", VocabSize: 1500, Lowercase: true}, docs, ""},
		{TrainOptions{Kind: "unigram", VocabSize: 1500}, docs, ""},
		{TrainOptions{Kind: "byte"}, nil, docs[0] + "\x00\xff한"},
		{TrainOptions{Kind: "char"}, docs, docs[0]},
		{TrainOptions{Kind: "kmer", K: 3}, dna, "ACGTACGTAC"},
		{TrainOptions{Kind: "kmer", K: 1}, dna, "GATTACA"},
	} {
		trained[c.opts.Kind] = true
		c.opts.Special = []string{"<s>"}
		p, err := Train(slices.Values(c.docs), c.opts, nil)
		if err != nil {
			t.Errorf("%s: %v", c.opts.Kind, err)
			continue
		}
		if c.opts.VocabSize > 0 && p.Size() != c.opts.VocabSize {
			t.Errorf("%s: %d tokens, want %d", c.opts.Kind, p.Size(), c.opts.VocabSize)
		}
		if id, ok := p.Special("<s>"); !ok || id != 0 {
			t.Errorf("%s: <s> is %d, %t", c.opts.Kind, id, ok)
		}
		if got := p.Decode(p.Encode(nil, c.text)); got != c.text {
			t.Errorf("%s: %q, want %q", c.opts.Kind, got, c.text)
		}
		again, err := Parse(p.JSON())
		if err != nil {
			t.Errorf("%s: %v", c.opts.Kind, err)
			continue
		}
		if string(again.JSON()) != string(p.JSON()) {
			t.Errorf("%s: the file changes as it is read and written", c.opts.Kind)
		}
		for _, d := range c.docs {
			if a, b := p.Encode(nil, d), again.Encode(nil, d); !slices.Equal(a, b) {
				t.Errorf("%s: %q is %d, read back %d", c.opts.Kind, d, a, b)
			}
			if c.opts.Kind == "char" && len(p.Encode(nil, d)) != len([]rune(d)) {
				t.Errorf("char: %q has %d tokens", d, len(p.Encode(nil, d)))
			}
		}
		slices.Reverse(c.docs)
		reversed, err := Train(slices.Values(c.docs), c.opts, nil)
		if err != nil || string(reversed.JSON()) != string(p.JSON()) {
			t.Errorf("%s: the order of documents changes the result (%v)", c.opts.Kind, err)
		}
		slices.Reverse(c.docs)
	}
	for _, kind := range TrainKinds {
		if !trained[kind] {
			t.Errorf("no %s is trained here", kind)
		}
	}
	for _, c := range []struct {
		opts TrainOptions
		want string
	}{
		{TrainOptions{Kind: "nonsense"}, `unknown kind "nonsense" (known: byte_bpe, wordpiece,`},
		{TrainOptions{Kind: "kmer"}, "K is 0"},
		{TrainOptions{Kind: "byte", VocabSize: 300}, "a byte tokenizer has 256 tokens"},
		{TrainOptions{Kind: "wordpiece", VocabSize: 5}, "less than"},
		{TrainOptions{Kind: "unigram", VocabSize: 5}, "less than"},
	} {
		if _, err := Train(slices.Values(docs), c.opts, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.opts, err, c.want)
		}
	}
}

// TestTrainUnigramLikelihood holds text that was not trained on against what
// SentencePiece's model of the same size gives: not worse by more than 0.5 %.
func TestTrainUnigramLikelihood(t *testing.T) {
	needSets(t)
	t.Parallel()
	for _, s := range readJSON[[]struct {
		Set           string
		Files         []string
		VocabSize     int     `json:"vocab_size"`
		LogLikelihood float64 `json:"log_likelihood"`
	}](t, "unigram.json") {
		var train, held []string
		i := 0
		for line := range lines(t, s.Files) {
			line = strings.ReplaceAll(line, "<unk>", "unk")
			if i%10 == 9 {
				held = append(held, line)
			} else {
				train = append(train, line)
			}
			i++
		}
		var done, total int64
		p, err := Train(slices.Values(train), TrainOptions{Kind: "unigram", VocabSize: s.VocabSize}, func(d, n int64) { done, total = d, n })
		if err != nil {
			t.Fatal(err)
		}
		if p.Size() != s.VocabSize || done != total {
			t.Errorf("%s: %d tokens, progress %d of %d", s.Set, p.Size(), done, total)
		}
		m := p.model.(*unigram)
		sum := 0.0
		for _, line := range held {
			for _, id := range p.Encode(nil, line) {
				if id == m.unk {
					sum += m.low
				} else {
					sum += m.scores[id]
				}
			}
		}
		t.Logf("%s: log-likelihood %.0f, SentencePiece %.0f", s.Set, sum, s.LogLikelihood)
		if sum < 1.005*s.LogLikelihood {
			t.Errorf("%s: log-likelihood %.0f, SentencePiece's is %.0f", s.Set, sum, s.LogLikelihood)
		}
	}
}

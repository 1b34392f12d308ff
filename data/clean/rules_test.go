package clean

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestFilter(t *testing.T) {
	for _, test := range []struct {
		rules              Rules
		text, want, reason string
	}{
		{Rules{}, "x\u0301", "x\u0301", ""},
		{Rules{Normalize: "NFC"}, "e\u0301", "é", ""},
		{Rules{Normalize: "NFKC"}, "ﬁ①", "fi1", ""},
		{Rules{Normalize: "NFD"}, "\ud55c", "\u1112\u1161\u11ab", ""},
		{Rules{MinLength: 2}, "é", "é", "too short"},
		{Rules{MinLength: 2, Normalize: "NFD"}, "é", "e\u0301", ""},
		{Rules{MaxLength: 3}, "한국어", "한국어", ""},
		{Rules{MaxLength: 3}, "한국어!", "한국어!", "too long"},
		{Rules{Scripts: []string{"Hangul"}}, "한국어 abc", "한국어 abc", ""},
		{Rules{Scripts: []string{"Hangul"}}, "한국어 abcd", "한국어 abcd", "script"},
		{Rules{Scripts: []string{"Hangul", "Latin"}, ScriptShare: 1}, "한국어 abcd 1", "한국어 abcd 1", ""},
		{Rules{Scripts: []string{"Hangul", "Latin"}, ScriptShare: 1}, "한국어 abcd я", "한국어 abcd я", "script"},
		{Rules{Scripts: []string{"Latin"}}, "1, 2!", "1, 2!", ""},
	} {
		if err := test.rules.Check(); err != nil {
			t.Fatal(err)
		}
		got, reason := NewFilter(test.rules).Apply(test.text)
		if got != test.want || reason != test.reason {
			t.Errorf("%+v on %q: %q, %q; want %q, %q", test.rules, test.text, got, reason, test.want, test.reason)
		}
	}
	for _, bad := range []Rules{{Normalize: "nfc"}, {Scripts: []string{"latin"}}, {Dedup: "all"}, {MinLength: 3, MaxLength: 2}, {Threshold: 2}} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
}

func insertAll(t testing.TB, x *Index, texts []string) []Verdict {
	t.Helper()
	out := make([]Verdict, len(texts))
	for i, text := range texts {
		s := x.Sign(text)
		var err error
		if out[i], err = x.Insert(int64(i), &s); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Pairs planted just above the threshold are found, and what is called near is near.
func TestIndexRecallAndPrecision(t *testing.T) {
	planted, found, called, right := 0, 0, 0, 0
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 8))
		texts := corpus(rng, 1500)
		n := len(texts)
		of := map[int]int{}
		for i := range 700 {
			c := nearCopy(rng, texts[i], 0.8)
			if s := Similarity(texts[i], c, DedupNGram); s >= 0.8 && s < 0.9 {
				of[len(texts)] = i
				texts = append(texts, c)
			}
			// And others that are alike, though less than the threshold asks.
			if c := nearCopy(rng, texts[i+700], 0.5); Similarity(texts[i+700], c, DedupNGram) < 0.78 {
				texts = append(texts, c)
			}
		}
		read := func(id int64) (string, error) { return texts[id], nil }
		for i, v := range insertAll(t, NewIndex(Rules{Dedup: "near"}, read), texts) {
			_, is := of[i]
			if is {
				planted++
			}
			if v == Fresh {
				continue
			}
			called++
			if is {
				found++
				right++
				continue
			}
			for k := range n {
				if k != i && Similarity(texts[k], texts[i], DedupNGram) >= 0.8 {
					right++
					break
				}
			}
		}
	}
	recall, precision := float64(found)/float64(planted), float64(right)/float64(called)
	t.Logf("recall %.4f of %d, precision %.4f of %d", recall, planted, precision, called)
	if planted < 500 || recall < 0.95 || precision < 0.98 {
		t.Errorf("recall %.4f of %d, precision %.4f of %d", recall, planted, precision, called)
	}
}

func TestIndexExact(t *testing.T) {
	texts := []string{"The cat sat.", "the cat, sat", "", "!", "a dog", "the cat sat on"}
	want := []Verdict{Fresh, Exact, Fresh, Exact, Fresh, Fresh}
	for _, kind := range Dedups {
		got := insertAll(t, NewIndex(Rules{Dedup: kind}, func(id int64) (string, error) { return texts[id], nil }), texts)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", kind, got, want)
		}
	}
	x := NewIndex(Rules{Dedup: "near"}, func(int64) (string, error) { return "", fmt.Errorf("disk on fire") })
	long := strings.Join(randomWords(rand.New(rand.NewPCG(1, 1)), 100), " ")
	insertAll(t, x, []string{long})
	s := x.Sign(long + " more")
	if _, err := x.Insert(1, &s); err == nil || err.Error() != "disk on fire" {
		t.Errorf("a text that cannot be read again: %v", err)
	}
}

// Signing runs on all processors in a conversion; this is one.
func BenchmarkIndex(b *testing.B) {
	texts := corpus(rand.New(rand.NewPCG(1, 1)), 5000)
	bytes := 0
	for _, t := range texts {
		bytes += len(t)
	}
	b.SetBytes(int64(bytes))
	for b.Loop() {
		x := NewIndex(Rules{Dedup: "near"}, func(id int64) (string, error) { return texts[id], nil })
		insertAll(b, x, texts)
	}
}

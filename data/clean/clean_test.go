package clean

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// corpus makes n texts of 10 to 200 words of a Zipf-like vocabulary.
func corpus(rng *rand.Rand, n int) []string {
	texts := make([]string, n)
	for i := range texts {
		texts[i] = strings.Join(randomWords(rng, 10+rng.IntN(190)), " ")
	}
	return texts
}

func randomWords(rng *rand.Rand, n int) []string {
	w := make([]string, n)
	for i := range w {
		u := rng.Float64()
		w[i] = fmt.Sprintf("w%d", int(3000*u*u*u))
	}
	return w
}

// nearCopy changes words of a text, one after the other, as long as the
// similarity stays at least s.
func nearCopy(rng *rand.Rand, text string, s float64) string {
	w := strings.Fields(text)
	for tries := 0; tries < 20; tries++ {
		i := rng.IntN(len(w))
		old := w[i]
		w[i] = fmt.Sprintf("changed%d", rng.IntN(1000))
		if Similarity(text, strings.Join(w, " "), 3) < s {
			w[i] = old
		}
	}
	return strings.Join(w, " ")
}

func find1(t *testing.T, texts []string, opt Options) Duplicates {
	t.Helper()
	d, err := Find(context.Background(), texts, opt, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestRecall plants pairs whose similarity is just above 0.8 among other texts.
func TestRecall(t *testing.T) {
	found, planted, false1 := 0, 0, 0
	for seed := range uint64(3) {
		rng := rand.New(rand.NewPCG(seed, 7))
		texts := corpus(rng, 1000)
		type pair struct{ a, b int }
		var pairs []pair
		for i := range 500 {
			c := nearCopy(rng, texts[i], 0.8)
			if s := Similarity(texts[i], c, 3); s < 0.8 {
				t.Fatalf("planted a pair of similarity %v", s)
			} else if s > 0.95 {
				continue // too short a text for a copy near 0.8
			}
			pairs = append(pairs, pair{i, len(texts)})
			texts = append(texts, c)
		}
		d := find1(t, texts, Options{Seed: seed})
		for _, p := range pairs {
			planted++
			if d.Cluster[p.a] == d.Cluster[p.b] {
				found++
			}
		}
		// Nothing but a planted pair may be clustered.
		copyOf := map[int]int{}
		for _, p := range pairs {
			copyOf[p.b] = p.a
		}
		for i, c := range d.Cluster {
			if c != i && copyOf[i] != c {
				false1++
			}
		}
	}
	recall := float64(found) / float64(planted)
	t.Logf("%d of %d planted pairs found (%.4f), %d false", found, planted, recall, false1)
	if planted < 500 || recall < 0.95 {
		t.Errorf("recall %.4f of %d planted pairs", recall, planted)
	}
	if false1 > 0 {
		t.Errorf("%d texts in clusters that are not theirs", false1)
	}
}

// TestCandidates measures the banding alone: the share of pairs at a similarity
// of 0.8 that become candidates, which the exact check cannot raise.
func TestCandidates(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	var seeds [bands * rows]uint64
	for i := range seeds {
		seeds[i] = rng.Uint64()
	}
	share := func(s float64) float64 {
		hit := 0
		const n = 600
		for range n {
			// Two sets with the wanted similarity: common elements of all.
			var a, b []uint64
			for range 100 {
				h := rng.Uint64()
				switch u := rng.Float64(); {
				case u < s:
					a, b = append(a, h), append(b, h)
				case u < (1+s)/2:
					a = append(a, h)
				default:
					b = append(b, h)
				}
			}
			x, y := sign(a, &seeds), sign(b, &seeds)
			for k := range x {
				if x[k] == y[k] {
					hit++
					break
				}
			}
		}
		return float64(hit) / n
	}
	high, low := share(0.8), share(0.2)
	t.Logf("candidates: %.4f at similarity 0.8, %.4f at 0.2", high, low)
	if high < 0.99 {
		t.Errorf("only %.4f of the pairs at 0.8 become candidates", high)
	}
	if low > 0.15 { // 1-(1-0.2^4)^32 = 0.05
		t.Errorf("%.4f of the pairs at 0.2 become candidates: the bands do not discriminate", low)
	}
}

func TestExact(t *testing.T) {
	texts := []string{
		"Read reads bytes into p, and returns the number of them.",
		"something else altogether, that nothing here is like",
		"read Reads\n\tbytes (into p) and returns: the number of them",
		"...", "!!!", "",
		"한국어 문장은 이렇게 쓰고, 띄어쓰기로 나뉜다",
		"한국어 문장은 이렇게 쓰고 띄어쓰기로 나뉜다!",
		"Über STRASSE", "über strasse",
	}
	d := find1(t, texts, Options{})
	want := []int{0, 1, 0, 3, 3, 3, 6, 6, 8, 8}
	if !reflect.DeepEqual(d.Cluster, want) || d.Exact != 5 || d.Near != 0 {
		t.Errorf("%+v, want clusters %v", d, want)
	}
}

// TestChain joins clusters over a text in the middle, the exact duplicate of a
// near duplicate included.
func TestChain(t *testing.T) {
	var w []string
	for i := range 60 {
		w = append(w, fmt.Sprintf("word%d", i))
	}
	a := strings.Join(w, " ")
	w[5], w[20] = "x", "y"
	b := strings.Join(w, " ")
	w[35], w[50] = "z", "q"
	c := strings.Join(w, " ")
	if s := Similarity(a, c, 3); s >= 0.7 {
		t.Fatalf("the ends are alike by themselves: %v", s)
	}
	d := find1(t, []string{"first of all", c, a, b, strings.ToUpper(b)}, Options{})
	if want := []int{0, 1, 1, 1, 1}; !reflect.DeepEqual(d.Cluster, want) {
		t.Errorf("clusters %v, want %v", d.Cluster, want)
	}
	if d.Exact != 1 || d.Near != 2 {
		t.Errorf("%d exact and %d near, want 1 and 2", d.Exact, d.Near)
	}
}

func TestDeterminism(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	texts := corpus(rng, 500)
	for i := range 200 {
		texts = append(texts, nearCopy(rng, texts[i], 0.75))
	}
	first := find1(t, texts, Options{})
	if first.Near == 0 {
		t.Fatal("no near duplicates to compare")
	}
	for _, n := range []int{1, 2, 3} {
		old := runtime.GOMAXPROCS(n)
		d, err := Find(context.Background(), texts, Options{}, func(done, total int64) {})
		runtime.GOMAXPROCS(old)
		if err != nil || !reflect.DeepEqual(d, first) {
			t.Errorf("GOMAXPROCS %d: other clusters, %v", n, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Find(ctx, []string{"a", "b"}, Options{}, nil); err == nil {
		t.Error("no error")
	}
}

func TestAssign(t *testing.T) {
	// Values of one machine that must hold on all of them.
	if k := Key("The quick brown fox, 123."); k != Key("the QUICK brown\nfox 123") {
		t.Errorf("keys differ")
	} else if k != 0x8ce5453e8e01e112 {
		t.Errorf("key %#x", k)
	}
	s := Shares{Validation: 0.05, Test: 0.1}
	var counts [3]int
	for i := range 20000 {
		counts[s.Assign(Key(fmt.Sprint("text ", i)))]++
	}
	if c := counts; c[Test] < 1850 || c[Test] > 2150 || c[Validation] < 900 || c[Validation] > 1100 {
		t.Errorf("train, validation, test: %v", counts)
	}
	if got := (Shares{}).Assign(Key("text")); got != Train {
		t.Errorf("without shares: %v", got)
	}
}

func TestOverlap(t *testing.T) {
	train := []string{"a b c d e f", "x y"}
	held := []string{"b c d e f g", "A B, C D E!"}
	// Held: bcdef cdefg abcde; train: abcde bcdef, and "x y" as a whole.
	shared, distinct := Overlap(train, held, 5)
	if shared != 2 || distinct != 3 {
		t.Errorf("%d of %d, want 2 of 3", shared, distinct)
	}
	if shared, distinct := Overlap(train, nil, 5); shared != 0 || distinct != 0 {
		t.Errorf("of nothing: %d of %d", shared, distinct)
	}
}

func TestNGrams(t *testing.T) {
	a := ngrams(nil, "one two three four", 3)
	b := ngrams(nil, "One, two: three", 3)
	c := ngrams(nil, "two three four", 3)
	if !slices.Equal(a, []uint64{b[0], c[0]}) || len(b) != 1 || len(c) != 1 {
		t.Errorf("%x, %x, %x", a, b, c)
	}
	if n := len(ngrams(nil, "two words", 3)); n != 1 {
		t.Errorf("%d n-grams of two words", n)
	}
	if ngrams(nil, "two words", 3)[0] == ngrams(nil, "words two", 3)[0] {
		t.Error("the order of words does not count")
	}
	if n := len(ngrams(nil, " .. ", 3)); n != 0 {
		t.Errorf("%d n-grams of no words", n)
	}
	if got := ngrams([]uint64{7}, "p q r s", 3); len(got) != 3 || got[0] != 7 {
		t.Errorf("appended: %x", got)
	}
}

func BenchmarkFind(b *testing.B) {
	texts := corpus(rand.New(rand.NewPCG(1, 1)), 2000)
	n := 0
	for _, t := range texts {
		n += len(t)
	}
	b.SetBytes(int64(n))
	for b.Loop() {
		if _, err := Find(context.Background(), texts, Options{}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

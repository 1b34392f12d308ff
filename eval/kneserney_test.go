package eval

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// kneserNeyCase is one of testdata/kneserney.py's.
type kneserNeyCase struct {
	Vocab, Order int
	Docs, Held   [][]int32
	Discounts    [][4]float64
	Probs        [][]float64
	LogProbs     []float64 `json:"log_probs"`
}

func kneserNeyCases(t *testing.T) (cases []kneserNeyCase) {
	t.Helper()
	text, err := os.ReadFile("testdata/kneserney.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

func TestKneserNeyReference(t *testing.T) {
	for i, c := range kneserNeyCases(t) {
		m, err := FitKneserNey(c.Docs, c.Vocab, c.Order, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, want := range c.Discounts {
			for d := range want {
				if got := m.levels[k].discount[d]; math.Abs(got-want[d]) > 1e-12 {
					t.Errorf("case %d: length %d: discount %d is %v, want %v", i, k+1, d, got, want[d])
				}
			}
		}
		for d, doc := range c.Held {
			if got := m.LogProb(doc); math.Abs(got-c.LogProbs[d]) > 1e-9 {
				t.Errorf("case %d: document %d: log probability %v, want %v", i, d, got, c.LogProbs[d])
			}
			w := m.start()
			for p, id := range doc {
				if got, want := w.step(id), c.Probs[d][p]; math.Abs(got-want) > 1e-12 {
					t.Errorf("case %d: document %d: position %d: probability %v, want %v", i, d, p, got, want)
				}
			}
		}
	}
}

// After any context, seen or not, the probabilities of all ids sum to 1 and
// none is 0.
func TestKneserNeySumsToOne(t *testing.T) {
	for i, c := range kneserNeyCases(t) {
		m, err := FitKneserNey(c.Docs, c.Vocab, c.Order, nil)
		if err != nil {
			t.Fatal(err)
		}
		last := int32(c.Vocab - 1)
		contexts := [][]int32{{}, {0}, {last}, {last, last}, {last, 0, last, 0, last}, {0, 0, 0, 0, 0, 0}}
		for _, doc := range slices.Concat(c.Docs[:min(10, len(c.Docs))], c.Held) {
			contexts = append(contexts, doc, doc[:len(doc)/2])
		}
		for _, context := range contexts {
			sum := 0.0
			for id := range int32(c.Vocab) {
				w := m.start()
				for _, past := range context {
					w.step(past)
				}
				p := w.step(id)
				if !(p > 0 && p <= 1) {
					t.Fatalf("case %d: after %v: P(%d) = %v", i, context, id, p)
				}
				sum += p
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Errorf("case %d: after %v: probabilities sum to %.15f", i, context, sum)
			}
		}
	}
}

func TestKneserNeyEdges(t *testing.T) {
	docs := [][]int32{{1, 2, 3, 0}, {}, {1, 2, 0}}
	var calls, last int64
	m, err := FitKneserNey(docs, 4, 5, func(done, total int64) {
		calls++
		last = done
		if total != 7 {
			t.Errorf("total = %d, want 7", total)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls == 0 || last != 7 {
		t.Errorf("progress: %d calls, last at %d of 7", calls, last)
	}
	if got := m.LogProb(nil); got != 0 {
		t.Errorf("empty document: %v, want 0", got)
	}
	for _, id := range []int32{4, -1, math.MaxInt32} {
		if got := m.LogProb([]int32{1, id, 2}); !math.IsInf(got, -1) {
			t.Errorf("id %d outside the vocabulary: %v, want -Inf", id, got)
		}
	}
	// Order matters: what was seen is likelier than its reverse.
	if m.LogProb([]int32{1, 2, 3, 0}) <= m.LogProb([]int32{0, 3, 2, 1}) {
		t.Error("the training document is no likelier than its reverse")
	}
	for want, f := range map[string]func() (*KneserNey, error){
		"order 0":         func() (*KneserNey, error) { return FitKneserNey(docs, 4, 0, nil) },
		"order 9":         func() (*KneserNey, error) { return FitKneserNey(docs, 4, 9, nil) },
		"vocabulary of 0": func() (*KneserNey, error) { return FitKneserNey(docs, 0, 5, nil) },
		"document 0, position 2: id 3 outside [0, 3)": func() (*KneserNey, error) { return FitKneserNey(docs, 3, 5, nil) },
		"no tokens": func() (*KneserNey, error) { return FitKneserNey([][]int32{{}}, 3, 5, nil) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// Enough n-grams for several growths of every table.
func TestKneserNeyLarger(t *testing.T) {
	docs, held := zipfDocs(1, 300, 100), zipfDocs(2, 20, 100)
	m, err := FitKneserNey(docs, 500, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.levels[4].grams.n < 10_000 {
		t.Fatalf("only %d 5-grams", m.levels[4].grams.n)
	}
	unigram, err := FitKneserNey(docs, 500, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range held {
		w := m.start()
		for range 3 {
			sum := 0.0
			for id := range int32(500) {
				at := walk{m: m, ctx: append([]int32(nil), w.ctx...), next: make([]int32, len(w.next)), known: w.known}
				sum += at.step(id)
			}
			if math.Abs(sum-1) > 1e-12 {
				t.Fatalf("probabilities sum to %.15f", sum)
			}
			w.step(doc[0])
		}
	}
	if a, b := total(m, held), total(unigram, held); a <= b {
		t.Errorf("5-gram %v nats, unigram %v: the context told it nothing", a, b)
	}
}

func total(m *KneserNey, docs [][]int32) (sum float64) {
	for _, d := range docs {
		sum += m.LogProb(d)
	}
	return sum
}

// zipfDocs are documents of n ids in [0, 500) in which an id leans on the one
// before it.
func zipfDocs(seed uint64, docs, n int) [][]int32 {
	state := seed
	random := func() float64 {
		state = state*6364136223846793005 + 1442695040888963407
		return float64(state>>11) / (1 << 53)
	}
	out := make([][]int32, docs)
	for i := range out {
		id := int32(0)
		for range n {
			step := int32(math.Pow(500, random())) - 1
			id = (id/2 + step) % 500
			out[i] = append(out[i], id)
		}
	}
	return out
}

func BenchmarkFitKneserNey(b *testing.B) {
	docs := zipfDocs(1, 10_000, 120)
	for b.Loop() {
		if _, err := FitKneserNey(docs, 500, 5, nil); err != nil {
			b.Fatal(err)
		}
	}
}

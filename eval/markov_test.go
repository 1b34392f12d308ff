package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// plainMarkov is the definition: P_k(x|c) = (n(c x) + α P_{k-1}(x|c')) / (n(c ·) + α).
func plainMarkov(train [][]int32, vocab int, alpha float64, context []int32, id int32) float64 {
	p := 1 / float64(vocab)
	if len(context) > 0 {
		p = plainMarkov(train, vocab, alpha, context[1:], id)
	}
	seen, followed := 0.0, 0.0
	for _, doc := range train {
		for t := len(context); t < len(doc); t++ {
			if slices.Equal(doc[t-len(context):t], context) {
				followed++
				if doc[t] == id {
					seen++
				}
			}
		}
	}
	return (seen + alpha*p) / (followed + alpha)
}

func TestMarkov(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	draw := func(n int) (docs [][]int32) {
		for range n {
			doc := make([]int32, rng.IntN(40))
			for i := range doc {
				doc[i] = int32(rng.IntN(4))
				if i > 1 && rng.IntN(3) > 0 { // what there is to learn
					doc[i] = (doc[i-1] + doc[i-2]) % 4
				}
			}
			docs = append(docs, doc)
		}
		return docs
	}
	train, validation, test := draw(30), draw(10), draw(5)
	m, err := FitMarkov(train, validation, 5, nil)
	if err != nil {
		t.Fatal(err)
	}
	cost := func(docs [][]int32, order int, alpha float64) (sum float64) {
		for _, doc := range docs {
			for t, id := range doc {
				sum -= math.Log(plainMarkov(train, 5, alpha, doc[max(0, t-order):t], id))
			}
		}
		return sum
	}
	got := 0.0
	for _, doc := range test {
		got += m.Nats(doc)
	}
	if want := cost(test, m.Order(), m.Alpha()); math.Abs(got-want) > 1e-9*want {
		t.Errorf("order %d, α %g: %v nats, want %v", m.Order(), m.Alpha(), got, want)
	}
	// The choice is the best on validation, of these at least.
	chosen := cost(validation, m.Order(), m.Alpha())
	for _, order := range []int{0, 1, 2, 3, 5} {
		for _, alpha := range []float64{0.25, 2, 16, 128} {
			if c := cost(validation, order, alpha); c < chosen-1e-9 {
				t.Errorf("order %d, α %g cost %v on validation, those chosen (%d, %g) %v", order, alpha, c, m.Order(), m.Alpha(), chosen)
			}
		}
	}
	if m.Order() < 2 {
		t.Errorf("order %d of a text of order 2", m.Order())
	}
	// What follows a context is a distribution, also where the context is new.
	for _, context := range [][]int32{{}, {0}, {3, 3, 3, 3}, {4, 4}} {
		sum := 0.0
		for id := range int32(5) {
			sum += math.Exp(m.Nats(context) - m.Nats(append(slices.Clone(context), id)))
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("after %v the probabilities add up to %v", context, sum)
		}
	}
	if n := m.Nats([]int32{5}); !math.IsInf(n, 1) {
		t.Errorf("an id outside the vocabulary costs %v", n)
	}
	for want, f := range map[string]func() (*Markov, error){
		"no tokens of training":   func() (*Markov, error) { return FitMarkov([][]int32{{}}, validation, 5, nil) },
		"no tokens of validation": func() (*Markov, error) { return FitMarkov(train, nil, 5, nil) },
		"outside [0, 3)":          func() (*Markov, error) { return FitMarkov(train, validation, 3, nil) },
	} {
		if _, err := f(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

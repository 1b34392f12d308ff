package eval

import (
	"math"
	"math/rand/v2"
	"testing"
)

// sentences are documents of a made-up language, in which the token between two others
// depends on both.
func sentences(n, vocab int, r *rand.Rand) [][]int32 {
	docs := make([][]int32, n)
	for i := range docs {
		doc := []int32{0}
		for range 3 + r.IntN(12) {
			last := int(doc[len(doc)-1])
			doc = append(doc, int32(1+(last*3+r.IntN(1+r.IntN(4)))%(vocab-2)))
		}
		docs[i] = append(doc, 0)
	}
	return docs
}

// The counts, taken anew by maps, and the formulas written out.
func TestBidirectionalTrigramByDefinition(t *testing.T) {
	const vocab = 12 // token 11 is never seen
	r := rand.New(rand.NewPCG(3, 4))
	docs := sentences(40, vocab, r)
	m, err := FitBidirectionalTrigram(docs, vocab, nil)
	if err != nil {
		t.Fatal(err)
	}
	type two [2]int32
	type three [3]int32
	c1, c2, c3, left, between := map[int32]float64{}, map[two]float64{}, map[three]float64{}, map[int32]float64{}, map[two]float64{}
	events := 0.0
	for _, d := range docs {
		for i := 1; i < len(d); i++ {
			c2[two{d[i-1], d[i]}]++
			left[d[i-1]]++
			if i+1 < len(d) {
				c1[d[i]]++
				events++
				c3[three{d[i-1], d[i], d[i+1]}]++
				between[two{d[i-1], d[i+1]}]++
			}
		}
	}
	follows := map[int32]float64{}
	for k := range c2 {
		follows[k[1]]++
	}
	var n2, n3 [5]float64
	for _, c := range c2 {
		if c < 5 {
			n2[int(c)]++
		}
	}
	for _, c := range c3 {
		if c < 5 {
			n3[int(c)]++
		}
	}
	d2, d3 := discounts(n2), discounts(n3)
	unigram := func(w int32) float64 { return (c1[w] + 1./vocab) / (events + 1) }
	lower := func(w int32) float64 { return (follows[w] + 1./vocab) / float64(len(c2)+1) }
	bigram := func(l, w int32) float64 {
		if left[l] == 0 {
			return lower(w)
		}
		taken := 0.0
		for k, c := range c2 {
			if k[0] == l {
				taken += d2[min(int(c), 3)]
			}
		}
		p := taken / left[l] * lower(w)
		if c := c2[two{l, w}]; c > 0 {
			p += (c - d2[min(int(c), 3)]) / left[l]
		}
		return p
	}
	for l := int32(-1); l < vocab; l++ {
		for r := int32(-1); r < vocab; r++ {
			want, sum := make([]float64, vocab), 0.0
			for w := range want {
				want[w] = unigram(int32(w))
				if l >= 0 {
					want[w] = bigram(l, int32(w))
				}
				if r >= 0 {
					want[w] *= bigram(int32(w), r)
				}
				sum += want[w]
			}
			n, taken := 0.0, 0.0
			for k, c := range c3 {
				if k[0] == l && k[2] == r {
					n += c
					taken += d3[min(int(c), 3)]
				}
			}
			total, best := 0.0, int32(0)
			for w := range want {
				want[w] /= sum
				if c := c3[three{l, int32(w), r}]; n > 0 {
					want[w] *= taken / n
					if c > 0 {
						want[w] += (c - d3[min(int(c), 3)]) / n
					}
				}
				if want[w] > want[best]+1e-15 {
					best = int32(w)
				}
			}
			for w := range want {
				got, nats := m.Predict(l, r, int32(w))
				if got != best || math.Abs(math.Exp(-nats)-want[w]) > 1e-12 {
					t.Fatalf("between %d and %d: %d first, want %d; P(%d) = %v, want %v", l, r, got, best, w, math.Exp(-nats), want[w])
				}
				total += math.Exp(-nats)
			}
			if math.Abs(total-1) > 1e-12 {
				t.Errorf("between %d and %d: probabilities sum to %v", l, r, total)
			}
		}
	}
}

// Both neighbours say more than either, and either more than none.
func TestBidirectionalTrigramUsesBothSides(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	m, err := FitBidirectionalTrigram(sentences(3000, 40, r), 40, nil)
	if err != nil {
		t.Fatal(err)
	}
	var both, left, right, none float64
	for _, d := range sentences(300, 40, r) {
		for i := 1; i+1 < len(d); i++ {
			for _, k := range []struct {
				sum  *float64
				l, r int32
			}{{&both, d[i-1], d[i+1]}, {&left, d[i-1], -1}, {&right, -1, d[i+1]}, {&none, -1, -1}} {
				_, nats := m.Predict(k.l, k.r, d[i])
				*k.sum += nats
			}
		}
	}
	if !(both < 0.8*min(left, right) && max(left, right) < 0.9*none) {
		t.Errorf("%v nats from both sides, %v from the left, %v from the right, %v from none", both, left, right, none)
	}
}

func TestBidirectionalTrigramErrors(t *testing.T) {
	for _, bad := range []struct {
		docs  [][]int32
		vocab int
	}{{nil, 4}, {[][]int32{{0, 1}}, 4}, {[][]int32{{0, 4, 0}}, 4}, {[][]int32{{0, -1, 0}}, 4}, {[][]int32{{0, 1, 0}}, 0}, {[][]int32{{0, 1, 0}}, 1<<21 + 1}} {
		if _, err := FitBidirectionalTrigram(bad.docs, bad.vocab, nil); err == nil {
			t.Errorf("%v, vocabulary of %d: fitted", bad.docs, bad.vocab)
		}
	}
	m, err := FitBidirectionalTrigram([][]int32{{0, 1, 0}}, 4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, nats := m.Predict(0, 0, 4); !math.IsInf(nats, 1) {
		t.Errorf("a token outside the vocabulary costs %v", nats)
	}
	if best, _ := m.Predict(9, 9, 1); best != 1 {
		t.Errorf("neighbours outside the vocabulary: %d, want the most frequent token", best)
	}
}

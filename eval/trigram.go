package eval

import (
	"fmt"
	"math"
	"slices"
)

var bidirectionalTrigram = Baseline{Name: "bidirectional_trigram"} // between a token's two neighbours

// BidirectionalTrigram predicts a token from its left and right neighbour: by the counts of
// the three together, backing off to the product of bigrams P(w|left)·P(right|w), and where a
// neighbour is not known to the other one, or to the frequency of tokens. Discounts are those
// of modified Kneser–Ney smoothing. It is not safe for concurrent use.
type BidirectionalTrigram struct {
	vocab   int
	unigram []float64 // how often a token is
	lower   []float64 // what bigrams back off to: after how many others a token comes
	after   pairs     // by the left token: those that come after it
	before  pairs     // by the right token: those that come before it
	between pairs     // by both: those between them

	total   []float64 // bigrams that a token begins
	backoff []float64 // what their discounts take
	probs   []float64 // scratch
}

// pairs are counts of a token in a context, sorted by context and token.
type pairs struct {
	keys     []uint64 // context<<tokenBits | token
	counts   []uint32
	discount [4]float64
}

// tokenBits hold a token, so that three fit a key.
const tokenBits = 21

// FitBidirectionalTrigram counts the documents of token ids in [0, vocab). Every id except a
// document's first and last, which are its frame, is an event between two others. progress
// counts tokens and may be nil.
func FitBidirectionalTrigram(docs [][]int32, vocab int, progress func(done, total int64)) (*BidirectionalTrigram, error) {
	if vocab < 1 || vocab > 1<<tokenBits {
		return nil, fmt.Errorf("bidirectional trigram: vocabulary of %d; want 1 to %d", vocab, 1<<tokenBits)
	}
	m := &BidirectionalTrigram{
		vocab: vocab, unigram: make([]float64, vocab), lower: make([]float64, vocab), probs: make([]float64, vocab),
		backoff: make([]float64, vocab), total: make([]float64, vocab),
	}
	var after, before, between []uint64
	events := 0
	for i, doc := range docs {
		for t, id := range doc {
			if id < 0 || int(id) >= vocab {
				return nil, fmt.Errorf("bidirectional trigram: document %d, position %d: id %d outside [0, %d)", i, t, id, vocab)
			}
			if t == 0 {
				continue
			}
			left, w := uint64(doc[t-1]), uint64(id)
			after, before = append(after, left<<tokenBits|w), append(before, w<<tokenBits|left)
			if t+1 < len(doc) {
				between = append(between, (left<<tokenBits|uint64(doc[t+1]))<<tokenBits|w)
				m.unigram[id]++
				events++
			}
		}
	}
	if events == 0 {
		return nil, fmt.Errorf("bidirectional trigram: no token between two others")
	}
	for i, list := range [][]uint64{after, before, between} {
		*[]*pairs{&m.after, &m.before, &m.between}[i] = count(list)
		if progress != nil {
			progress(int64(i+1)*int64(events)/3, int64(events))
		}
	}
	// Add one to the count of every token, so that none is impossible.
	for w := range m.unigram {
		m.unigram[w] = (m.unigram[w] + 1/float64(vocab)) / float64(events+1)
	}
	for i, key := range m.after.keys {
		left, c := key>>tokenBits, m.after.counts[i]
		m.total[left] += float64(c)
		m.backoff[left] += m.after.discount[min(c, 3)]
		m.lower[key&(1<<tokenBits-1)]++
	}
	for w := range m.lower {
		if m.total[w] > 0 {
			m.backoff[w] /= m.total[w]
		} else {
			m.backoff[w] = 1
		}
		m.lower[w] = (m.lower[w] + 1/float64(vocab)) / float64(len(m.after.keys)+1)
	}
	return m, nil
}

// count sorts keys, counts them and estimates their discounts.
func count(keys []uint64) pairs {
	slices.Sort(keys)
	var p pairs
	var n [5]float64
	for i := 0; i < len(keys); {
		end := i + 1
		for end < len(keys) && keys[end] == keys[i] {
			end++
		}
		p.keys, p.counts = append(p.keys, keys[i]), append(p.counts, uint32(end-i))
		if end-i < len(n) {
			n[end-i]++
		}
		i = end
	}
	p.discount = discounts(n)
	return p
}

// of gives the range of a context's keys.
func (p *pairs) of(context uint64) (first, end int) {
	first, _ = slices.BinarySearch(p.keys, context<<tokenBits)
	n, _ := slices.BinarySearch(p.keys[first:], (context+1)<<tokenBits)
	return first, first + n
}

// Predict returns the most probable token between two neighbours (-1: not known), of equally
// probable ones the lowest, and the negative log-likelihood of a given token there in nats.
func (m *BidirectionalTrigram) Predict(left, right, token int32) (best int32, nats float64) {
	p := m.distribution(left, right)
	for w := range p {
		if p[w] > p[best] {
			best = int32(w)
		}
	}
	if token < 0 || int(token) >= m.vocab {
		return best, math.Inf(1)
	}
	return best, -math.Log(p[token])
}

// distribution gives the probability of each token; it is valid until the next call.
func (m *BidirectionalTrigram) distribution(left, right int32) []float64 {
	p := m.probs
	if left < 0 || int(left) >= m.vocab {
		copy(p, m.unigram)
	} else {
		for w := range p {
			p[w] = m.backoff[left] * m.lower[w]
		}
		m.after.add(p, uint64(left))
	}
	if right >= 0 && int(right) < m.vocab {
		// P(right|w) of all w: the backoff of each, plus the discounted counts of the seen ones.
		first, end := m.before.of(uint64(right))
		for w := range p {
			for first < end && int(m.before.keys[first]&(1<<tokenBits-1)) < w {
				first++
			}
			q := m.backoff[w] * m.lower[right]
			if first < end && int(m.before.keys[first]&(1<<tokenBits-1)) == w {
				c := m.before.counts[first]
				q += (float64(c) - m.after.discount[min(c, 3)]) / m.total[w]
			}
			p[w] *= q
		}
		normalize(p)
		if left >= 0 && int(left) < m.vocab {
			if share := m.between.backoff(uint64(left)<<tokenBits | uint64(right)); share < 1 {
				for w := range p {
					p[w] *= share
				}
				m.between.add(p, uint64(left)<<tokenBits|uint64(right))
			}
		}
	}
	return p
}

// add adds the discounted counts of a context to p.
func (p *pairs) add(probs []float64, context uint64) {
	first, end := p.of(context)
	total := 0.0
	for _, c := range p.counts[first:end] {
		total += float64(c)
	}
	for i := first; i < end; i++ {
		c := p.counts[i]
		probs[p.keys[i]&(1<<tokenBits-1)] += (float64(c) - p.discount[min(c, 3)]) / total
	}
}

// backoff gives the probability that the discounts take from a context; of a context that was
// never seen, 1.
func (p *pairs) backoff(context uint64) float64 {
	first, end := p.of(context)
	total, taken := 0.0, 0.0
	for _, c := range p.counts[first:end] {
		total += float64(c)
		taken += p.discount[min(c, 3)]
	}
	if total == 0 {
		return 1
	}
	return taken / total
}

func normalize(p []float64) {
	sum := 0.0
	for _, v := range p {
		sum += v
	}
	for i := range p {
		p[i] /= sum
	}
}

package eval

import (
	"fmt"
	"math"
)

// maxMarkov is the longest context of a Markov model: 4¹⁰ of a text of four letters.
const maxMarkov = 10

var markov = Baseline{Name: "markov", Tunes: true} // on the same tokens, the ends of documents apart

// Markov is the k-mer Markov model of sequence analysis: the probability of a token given the k
// tokens before it, from counts of training. The counts of each length are interpolated with the
// prediction of the next shorter context, which has the weight of α observations (MacKay & Peto
// 1995), down to the uniform distribution; else sequences that do not occur in training would be
// impossible. k and α are those that predict the validation text best. Contexts do not cross
// documents.
type Markov struct {
	vocab  int
	order  int // k
	alpha  float64
	tables []table   // [k]: n-grams of k+1 ids, with their counts
	totals [][]int32 // [k]: how often each context of k ids was followed
}

// FitMarkov counts documents of token ids in [0, vocab) and chooses k, up to 10, and α on
// validation. progress counts tokens and may be nil.
func FitMarkov(train, validation [][]int32, vocab int, progress func(done, total int64)) (*Markov, error) {
	var total, done int64
	for i, docs := range [][][]int32{train, validation} {
		n := int64(0)
		for k, doc := range docs {
			for t, id := range doc {
				if id < 0 || int(id) >= vocab {
					return nil, fmt.Errorf("markov: document %d, position %d: id %d outside [0, %d)", k, t, id, vocab)
				}
			}
			n += int64(len(doc))
		}
		if n == 0 {
			return nil, fmt.Errorf("markov: no tokens of %s", [...]string{"training", "validation"}[i])
		}
		if n > math.MaxInt32 {
			return nil, fmt.Errorf("markov: %d tokens; at most %d fit its 32-bit counts", n, math.MaxInt32)
		}
		total += n
	}
	m := &Markov{vocab: vocab, order: maxMarkov, tables: make([]table, maxMarkov+1), totals: make([][]int32, maxMarkov+1)}
	for k := range m.tables {
		m.tables[k].slots = make([]gram, 1<<10)
	}
	tell := func(doc []int32) {
		if done += int64(len(doc)); progress != nil {
			progress(done, total)
		}
	}
	var ctx, next [maxMarkov + 2]uint32 // ctx[k]: the context of k ids
	for _, doc := range train {
		for t, id := range doc {
			for k := 0; k <= min(t, maxMarkov); k++ {
				g, _ := m.tables[k].add(int32(ctx[k]), id)
				g.count++
				next[k+1] = g.node
			}
			ctx, next = next, ctx
			ctx[0] = 0
		}
		tell(doc)
	}
	contexts := 1
	for k := range m.tables {
		m.totals[k] = make([]int32, contexts)
		for _, g := range m.tables[k].slots {
			if g.key != 0 {
				m.totals[k][g.key>>32] += int32(g.count)
			}
		}
		contexts = m.tables[k].n
	}

	best := math.Inf(1)
	for _, alpha := range []float64{0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128} {
		var nats [maxMarkov + 1]float64 // by order
		for _, doc := range validation {
			m.walk(doc, alpha, func(p *[maxMarkov + 1]float64) {
				for k, p := range p {
					nats[k] -= math.Log(p)
				}
			})
		}
		for k, n := range nats {
			if n < best {
				best, m.order, m.alpha = n, k, alpha
			}
		}
	}
	for _, doc := range validation {
		tell(doc)
	}
	return m, nil
}

// Order is k, and Alpha the weight of the next shorter context.
func (m *Markov) Order() int     { return m.order }
func (m *Markov) Alpha() float64 { return m.alpha }

// Nats gives -ln P(doc), the sum over all its ids. An id outside the vocabulary has
// probability 0.
func (m *Markov) Nats(doc []int32) (sum float64) {
	m.walk(doc, m.alpha, func(p *[maxMarkov + 1]float64) { sum -= math.Log(p[m.order]) })
	return sum
}

// walk calls f with each id's probabilities given 0, 1, 2, … ids before it.
func (m *Markov) walk(doc []int32, alpha float64, tell func(p *[maxMarkov + 1]float64)) {
	var probs [maxMarkov + 1]float64
	var ctx, next [maxMarkov + 2]uint32
	known := 0 // contexts of up to so many ids were seen in training
	for _, id := range doc {
		p := 1 / float64(m.vocab)
		if id < 0 || int(id) >= m.vocab {
			p = 0
		}
		longest := 0
		for k := range probs {
			if k <= known {
				count := uint32(0)
				if g := m.tables[k].find(int32(ctx[k]), id); g != nil {
					count = g.count
					next[k+1], longest = g.node, k+1
				}
				p = (float64(count) + float64(alpha*p)) / (float64(m.totals[k][ctx[k]]) + alpha)
			}
			probs[k] = p
		}
		ctx, next = next, ctx
		ctx[0], known = 0, longest
		tell(&probs)
	}
}

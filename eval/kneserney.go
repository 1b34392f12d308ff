package eval

import (
	"fmt"
	"math"
)

var kneserNey5 = Baseline{Name: "kneser_ney_5"} // on the same tokens

// KneserNey is an n-gram language model with interpolated modified Kneser–Ney
// smoothing (Chen & Goodman 1999, with the counts of n-grams at a document's
// start as in Heafield et al. 2013). It is safe for concurrent use.
type KneserNey struct {
	vocab  int
	levels []level // levels[k]: n-grams of k+1 ids
}

// level holds the n-grams of one length and, for each context of one id less,
// what interpolation needs.
//
// An n-gram is (context, last id), its context the number of an n-gram of the
// level below, so that walking a document needs one lookup for each length: the
// n-gram found at one position is the context at the next.
type level struct {
	grams    table
	discount [4]float64 // taken from a count of 1, 2, and 3 or more
	contexts []history
}

type history struct {
	total   float64 // sum of the counts of the n-grams with this context
	backoff float64 // probability left to the shorter context
}

// FitKneserNey fits a model of the given order to documents of token ids in
// [0, vocab). Discounts come from the counts of counts of each length; where
// those do not determine them (tiny or artificial corpora, and the unigrams of
// a small vocabulary) they are ½, 1 and 1½. Every id of a document is an event,
// the first given only that a document starts, so end-of-text must be in docs
// if it is to be scored; contexts never reach across documents.
//
// At order 5 it takes about 1 µs and 100 bytes per token, twice that while tables
// grow. progress counts tokens and may be nil.
func FitKneserNey(docs [][]int32, vocab, order int, progress func(done, total int64)) (*KneserNey, error) {
	if order < 1 || order > 8 {
		return nil, fmt.Errorf("kneser-ney: order %d; want 1 to 8", order)
	}
	if vocab < 1 {
		return nil, fmt.Errorf("kneser-ney: vocabulary of %d", vocab)
	}
	var total, done, told int64
	for i, doc := range docs {
		for t, id := range doc {
			if id < 0 || int(id) >= vocab {
				return nil, fmt.Errorf("kneser-ney: document %d, position %d: id %d outside [0, %d)", i, t, id, vocab)
			}
		}
		total += int64(len(doc))
	}
	if total == 0 {
		return nil, fmt.Errorf("kneser-ney: no tokens to fit")
	}
	if total > math.MaxInt32 {
		return nil, fmt.Errorf("kneser-ney: %d tokens; at most %d fit its 32-bit counts", total, math.MaxInt32)
	}

	m := &KneserNey{vocab: vocab, levels: make([]level, order)}
	for k := range m.levels {
		m.levels[k].grams.slots = make([]gram, 1<<10)
	}
	// The start of a document has an id of its own after the vocabulary. It is only a
	// context, with no count as a unigram.
	start, _ := m.levels[0].grams.add(0, int32(vocab))
	ctx := make([]int32, order+1) // ctx[k]: the context of k ids, ctx[0] the empty one
	next := make([]int32, order+1)
	for _, doc := range docs {
		ctx[1] = int32(start.node)
		for t, id := range doc {
			var shorter *gram
			for k := 0; k < order && k <= t+1; k++ {
				g, added := m.levels[k].grams.add(ctx[k], id)
				// The longest n-grams count their occurrences; so do those that
				// begin with the start, as nothing can precede it. All others
				// count the distinct ids that precede them.
				if k == order-1 || k == t+1 {
					g.count++
				}
				if added && k > 0 {
					shorter.count++
				}
				next[k+1], shorter = int32(g.node), g
			}
			ctx, next = next, ctx
			ctx[0] = 0
		}
		if done += int64(len(doc)); progress != nil && (done-told >= 1<<16 || done == total) {
			progress(done, total)
			told = done
		}
	}

	contexts := 1
	for k := range m.levels {
		m.levels[k].estimate(contexts)
		contexts = m.levels[k].grams.n
	}
	return m, nil
}

// LogProb returns ln P(doc), the sum over all its ids, in nats (≤ 0). An id
// outside the vocabulary has probability 0: the result is −Inf.
func (m *KneserNey) LogProb(doc []int32) float64 {
	sum := 0.0
	w := m.start()
	for _, id := range doc {
		sum += math.Log(w.step(id))
	}
	return sum
}

// walk is a place in a document: the contexts of all lengths that end there.
type walk struct {
	m         *KneserNey
	ctx, next []int32 // as in FitKneserNey
	known     int     // contexts of up to this many ids were seen in training
}

func (m *KneserNey) start() walk {
	w := walk{m: m, ctx: make([]int32, len(m.levels)+1), next: make([]int32, len(m.levels)+1), known: 1}
	w.ctx[1] = int32(m.levels[0].grams.find(0, int32(m.vocab)).node)
	return w
}

// step returns the probability of id here and moves past it.
func (w *walk) step(id int32) float64 {
	if id < 0 || int(id) >= w.m.vocab {
		return 0
	}
	p := 1 / float64(w.m.vocab)
	longest := 0
	for k := 0; k <= w.known && k < len(w.m.levels); k++ {
		l := &w.m.levels[k]
		c := l.contexts[w.ctx[k]]
		if c.total == 0 {
			break // ends a document each time, so nothing follows any longer one
		}
		p = float64(c.backoff * p)
		if g := l.grams.find(w.ctx[k], id); g != nil {
			p += (float64(g.count) - l.discount[min(g.count, 3)]) / c.total
			w.next[k+1] = int32(g.node)
			longest = k + 1
		}
	}
	w.ctx, w.next = w.next, w.ctx
	w.ctx[0] = 0
	w.known = longest
	return p
}

// estimate turns the counts of a level into discounts and its contexts' mass.
func (l *level) estimate(contexts int) {
	var n [5]float64 // n[i]: n-grams with count i
	for i := range l.grams.slots {
		if c := l.grams.slots[i].count; c > 0 && c < 5 {
			n[c]++
		}
	}
	l.discount = discounts(n)
	l.contexts = make([]history, contexts)
	for i := range l.grams.slots {
		if g := &l.grams.slots[i]; g.count > 0 {
			c := &l.contexts[g.key>>32]
			c.total += float64(g.count)
			c.backoff += l.discount[min(g.count, 3)]
		}
	}
	for i := range l.contexts {
		if c := &l.contexts[i]; c.total > 0 {
			c.backoff /= c.total
		}
	}
}

// discounts are Chen & Goodman's for n-grams seen once, twice, and three times or more,
// n[i] of which were seen i times.
func discounts(n [5]float64) [4]float64 {
	if n[1] > 0 && n[2] > 0 && n[3] > 0 {
		y := n[1] / (n[1] + 2*n[2])
		d := [4]float64{0, 1 - 2*y*n[2]/n[1], 2 - 3*y*n[3]/n[2], 3 - 4*y*n[4]/n[3]}
		// A discount of 0 would leave no probability for tokens that a context never had.
		if d[1] > 0 && d[2] > 0 && d[3] > 0 {
			return d
		}
	}
	return [4]float64{0, 0.5, 1, 1.5}
}

// table is an open-addressed hash table of n-grams. Go's map would take three
// times the memory and time.
type table struct {
	slots []gram // a power of two
	n     int
}

type gram struct {
	key   uint64 // context << 32 | id+1; 0 is an empty slot
	node  uint32 // numbered in order of first occurrence
	count uint32
}

// find returns the n-gram or nil.
func (t *table) find(past, id int32) *gram {
	key := uint64(past)<<32 | uint64(id+1)
	for i := t.slot(key); ; i = (i + 1) & (len(t.slots) - 1) {
		switch t.slots[i].key {
		case key:
			return &t.slots[i]
		case 0:
			return nil
		}
	}
}

// add finds the n-gram or adds it with count 0. The pointer is valid until the
// next add to this table.
func (t *table) add(past, id int32) (g *gram, added bool) {
	if t.n >= len(t.slots)/4*3 {
		t.grow()
	}
	key := uint64(past)<<32 | uint64(id+1)
	for i := t.slot(key); ; i = (i + 1) & (len(t.slots) - 1) {
		switch t.slots[i].key {
		case key:
			return &t.slots[i], false
		case 0:
			t.slots[i] = gram{key: key, node: uint32(t.n)}
			t.n++
			return &t.slots[i], true
		}
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]gram, 2*len(old))
	for _, g := range old {
		if g.key == 0 {
			continue
		}
		i := t.slot(g.key)
		for t.slots[i].key != 0 {
			i = (i + 1) & (len(t.slots) - 1)
		}
		t.slots[i] = g
	}
}

// slot is where the search for key begins.
func (t *table) slot(key uint64) int {
	key *= 0x9e3779b97f4a7c15
	key ^= key >> 32
	key *= 0xd6e8feb86659fd93
	return int(key>>32) & (len(t.slots) - 1)
}

package tokenizer

import "strings"

// merger is the training text of a BPE: each different word once, as symbols, with
// its count; and the pairs of neighbours in them.
type merger struct {
	words   []mergeWord
	symbols []int32 // of all words, one after the other
	counts  []int64
	index   pairIndex // pair of ids → pairs
	pairs   []pairStat
	touched []int32 // pairs that came into being in this merge
	queue   []candidate
}

// mergeWord is symbols[start : start+n], shrinking in place.
type mergeWord struct{ start, n int }

type pairStat struct {
	key   uint64
	count int64
	words []int32 // where it came into being since it was last queued
}

// candidate is a pair to be merged in some words. One pair can have several,
// when a token is reached by two ways; each carries words of its own.
type candidate struct {
	count int64 // as of when it was queued
	key   uint64
	pair  int32
	words []int32
}

// less puts the most frequent first, then the least ids.
func (a candidate) less(b candidate) bool {
	if a.count != b.count {
		return a.count > b.count
	}
	return a.key < b.key
}

// newMerger takes words apart by symbols, which appends those of a word.
func newMerger(words []wordCount, symbols func(dst []int32, w string) []int32) *merger {
	c := &merger{words: make([]mergeWord, len(words)), counts: make([]int64, len(words))}
	size := 0
	for _, w := range words {
		size += len(w.word)
	}
	c.symbols = make([]int32, 0, size)
	for i, w := range words {
		start := len(c.symbols)
		c.symbols = symbols(c.symbols, w.word)
		c.words[i] = mergeWord{start, len(c.symbols) - start}
		c.counts[i] = w.n
	}
	// Two passes, so that the lists of words are allocated once.
	var places []int32 // by pair: words that have it
	last := []int32{}
	each := func(f func(pair, word int32)) {
		for w, x := range c.words {
			s := c.symbols[x.start : x.start+x.n]
			for i := 1; i < len(s); i++ {
				f(c.pair(s[i-1], s[i]), int32(w))
			}
		}
	}
	each(func(p, w int32) {
		if int(p) == len(places) {
			places, last = append(places, 0), append(last, -1)
		}
		c.pairs[p].count += c.counts[w]
		if last[p] != w {
			last[p] = w
			places[p]++
		}
	})
	total := 0
	for _, n := range places {
		total += int(n)
	}
	arena := make([]int32, total)
	for p, n := range places {
		c.pairs[p].words, arena = arena[:0:n], arena[n:]
		c.touched = append(c.touched, int32(p))
		last[p] = -1
	}
	each(func(p, w int32) {
		if last[p] != w {
			last[p] = w
			c.pairs[p].words = append(c.pairs[p].words, w)
		}
	})
	c.enqueue()
	return c
}

// pair gives the number of a pair, which may be new.
func (c *merger) pair(left, right int32) int32 {
	key := pairKey(left, right)
	i, isNew := c.index.at(key, int32(len(c.pairs)))
	if isNew {
		c.pairs = append(c.pairs, pairStat{key: key})
	}
	return i
}

// add counts n more of a pair in a word, or fewer.
func (c *merger) add(left, right, word int32, n int64) {
	i := c.pair(left, right)
	p := &c.pairs[i]
	p.count += n * c.counts[word]
	if n < 0 {
		return
	}
	if len(p.words) == 0 {
		c.touched = append(c.touched, i)
	}
	if len(p.words) == 0 || p.words[len(p.words)-1] != word {
		p.words = append(p.words, word)
	}
}

// enqueue makes candidates of the pairs that came into being.
func (c *merger) enqueue() {
	for _, i := range c.touched {
		p := &c.pairs[i]
		if p.count > 0 {
			c.queue = heapPush(c.queue, candidate{p.count, p.key, i, p.words})
		}
		p.words = nil
	}
	c.touched = c.touched[:0]
}

// merge puts id for each pair (left, right) in words.
func (c *merger) merge(words []int32, left, right, id int32) {
	for _, w := range words {
		x := &c.words[w]
		s := c.symbols[x.start : x.start+x.n]
		n := 0 // s[:n] is done, s[i:] is to come
		for i := 0; i < len(s); i++ {
			if s[i] != left || i+1 == len(s) || s[i+1] != right {
				s[n] = s[i]
				n++
				continue
			}
			if n > 0 {
				c.add(s[n-1], left, w, -1)
				c.add(s[n-1], id, w, 1)
			}
			if i+2 < len(s) {
				c.add(right, s[i+2], w, -1)
				c.add(id, s[i+2], w, 1)
			}
			s[n] = id
			n++
			i++
		}
		x.n = n
	}
	c.enqueue()
}

// merge learns merges until the vocabulary is full. A right part loses prefix, if
// it has it.
func (l *learner) merge(c *merger, prefix string) {
	known := len(l.tokens)
	total := int64(l.opts.VocabSize - known)
	floor := int64(max(1, l.opts.MinFrequency))
	for len(l.tokens) < l.opts.VocabSize && len(c.queue) > 0 {
		if n := c.pairs[c.queue[0].pair].count; n != c.queue[0].count {
			c.queue[0].count = n // it was pushed before neighbours were merged
			heapFix(c.queue, 0)
			continue
		}
		var top candidate
		top, c.queue = heapPop(c.queue)
		if top.count < floor {
			break
		}
		left, right := int32(top.key>>32), int32(uint32(top.key))
		// Runs such as "aaaaa" reach one token by two ways; it keeps one id.
		id := l.add(l.tokens[left] + strings.TrimPrefix(l.tokens[right], prefix))
		l.merges = append(l.merges, [2]int32{left, right})
		c.merge(top.words, left, right, id)
		l.progress(int64(len(l.tokens)-known), total)
	}
}

// pairIndex is a hash table from a pair's key, never 0, to its number. The pair
// (0, 0) has the key 0 and a place of its own.
type pairIndex struct {
	slots []pairEntry
	n     int
	zero  int32 // 1 + the number of the key 0
}

type pairEntry struct {
	key   uint64
	value int32
}

// at gives the number of a key; one that is new gets next.
func (x *pairIndex) at(key uint64, next int32) (value int32, isNew bool) {
	if key == 0 {
		if isNew = x.zero == 0; isNew {
			x.zero = next + 1
		}
		return x.zero - 1, isNew
	}
	if 4*x.n >= 3*len(x.slots) {
		x.grow()
	}
	mask := uint64(len(x.slots) - 1)
	for i := hashPair(key) & mask; ; i = (i + 1) & mask {
		s := &x.slots[i]
		if s.key == key {
			return s.value, false
		}
		if s.key == 0 {
			*s = pairEntry{key, next}
			x.n++
			return next, true
		}
	}
}

func hashPair(key uint64) uint64 {
	key *= 0x9e3779b97f4a7c15
	return key ^ key>>32
}

func (x *pairIndex) grow() {
	old := x.slots
	x.slots = make([]pairEntry, max(1<<12, 2*len(old)))
	mask := uint64(len(x.slots) - 1)
	for _, e := range old {
		if e.key == 0 {
			continue
		}
		i := hashPair(e.key) & mask
		for x.slots[i].key != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = e
	}
}

// lastMerges drops a pair that is learned again later: the later rank counts.
func lastMerges(merges [][2]int32, merged []int32) ([][2]int32, []int32) {
	last := make(map[[2]int32]int, len(merges))
	for i, m := range merges {
		last[m] = i
	}
	n := 0
	for i, m := range merges {
		if last[m] == i {
			merges[n], merged[n] = m, merged[i]
			n++
		}
	}
	return merges[:n], merged[:n]
}

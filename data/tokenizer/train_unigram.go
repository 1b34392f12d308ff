package tokenizer

import (
	"cmp"
	"encoding/json"
	"iter"
	"math"
	"runtime"
	"slices"
	"sync"
	"unicode/utf8"
)

// Settings of SentencePiece's unigram trainer.
const (
	pieceRunes    = 16        // characters of the longest token
	seedPieces    = 1_000_000 // tokens to begin with
	runeCoverage  = 0.9995    // of all characters met; rarer ones are unknown
	shrinkFactor  = 0.75      // tokens that one round of pruning leaves
	emSteps       = 2         // of expectation and maximization between prunings
	leastExpected = 0.5       // a token expected less often goes
	unigramChunks = 8         // parts of the words, whose sums are added in order whatever the processors
)

const unigramNormalizer = `{"type": "Sequence", "normalizers": [{"type": "Nmt"}, {"type": "NFKC"}, ` +
	`{"type": "Strip", "strip_left": true, "strip_right": true}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}`

// trainUnigram learns a unigram language model as SentencePiece does: it begins
// with all frequent parts of words, fits their probabilities by expectation and
// maximization, and drops in turn those whose loss costs the likelihood least.
func (l *learner) trainUnigram(docs iter.Seq[string]) (*Pipeline, error) {
	f := file{
		Normalizer:   json.RawMessage(unigramNormalizer),
		PreTokenizer: json.RawMessage(`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}`),
		Decoder:      json.RawMessage(`{"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}`),
	}
	words, err := countThrough(docs, f)
	if err != nil {
		return nil, err
	}
	words = slices.DeleteFunc(words, func(w wordCount) bool { return !utf8.ValidString(w.word) })
	required := coveredRunes(words)
	if err := l.room(len(required), "characters"); err != nil {
		return nil, err
	}
	size := l.opts.VocabSize - len(l.tokens)
	u := &unigramTrainer{words: words}
	u.seed(required, l.ids, max(2, int64(l.opts.MinFrequency)))
	first := len(u.pieces)
	// More than are wanted, as characters may have to come back at the end.
	for wanted := size + size/10; ; {
		for range emSteps {
			u.step()
		}
		l.progress(int64(first-len(u.pieces)), int64(max(first-wanted, 1)))
		before := len(u.pieces)
		if before <= wanted {
			break
		}
		u.prune(max(wanted, int(shrinkFactor*float64(before))))
		if len(u.pieces) == before {
			break
		}
	}
	v := &vocabulary{kind: "Unigram"}
	unk := int64(l.ids[unknownToken])
	v.unkID = &unk
	for _, s := range l.tokens {
		v.pieces, v.scores = append(v.pieces, s), append(v.scores, 0)
	}
	pieces := u.final(required, size)
	for _, p := range pieces {
		v.pieces, v.scores = append(v.pieces, p.text), append(v.scores, readScore(writeScore(p.score))) // what a reader of the file has
	}
	l.progress(int64(max(first-size, 1)), int64(max(first-size, 1)))
	return l.finish(f, v)
}

// coveredRunes gives the most frequent characters, up to the coverage.
func coveredRunes(words []wordCount) []rune {
	counts := map[rune]int64{}
	total := int64(0)
	for _, w := range words {
		for _, r := range w.word {
			counts[r] += w.n
			total += w.n
		}
	}
	runes := frequentRunes(words, 0)
	slices.SortStableFunc(runes, func(a, b rune) int { return cmp.Compare(counts[b], counts[a]) })
	sum := int64(0)
	for i, r := range runes {
		if float64(sum) >= runeCoverage*float64(total) {
			return runes[:i]
		}
		sum += counts[r]
	}
	return runes
}

type scoredPiece struct {
	text  string
	score float64 // the logarithm of its probability
}

type unigramTrainer struct {
	words  []wordCount
	pieces []scoredPiece
	trie   *trie
}

// seed takes the parts of words that are met at least twice, with their counts for
// probabilities. Parts are counted by length: one that is frequent has frequent
// parts.
func (u *unigramTrainer) seed(required []rune, special map[string]int32, least int64) {
	known := make(map[string]bool, len(required))
	for _, r := range required {
		known[string(r)] = true
	}
	var list []scoredPiece
	last := map[string]int64{}
	for _, w := range u.words {
		for _, r := range w.word {
			if s := string(r); known[s] {
				last[s] += w.n
			}
		}
	}
	take := func(level map[string]int64, runes int) {
		for s, n := range level {
			if _, ok := special[s]; !ok {
				list = append(list, scoredPiece{s, float64(n) * float64(runes)})
			}
		}
	}
	take(last, 1)
	singles := len(list)
	var starts []int
	for length := 2; length <= pieceRunes && len(last) > 0; length++ {
		level := map[string]int64{}
		for _, w := range u.words {
			starts = starts[:0]
			for i := range w.word {
				starts = append(starts, i)
			}
			starts = append(starts, len(w.word))
			before := false // the part that ends one character earlier is frequent
			for i := 0; i+length-1 < len(starts); i++ {
				_, ok := last[w.word[starts[i]:starts[i+length-1]]]
				if i > 0 && before && ok {
					level[w.word[starts[i-1]:starts[i+length-1]]] += w.n
				}
				before = ok
			}
		}
		for s, n := range level {
			if n < least {
				delete(level, s)
			}
		}
		take(level, length)
		last = level
	}
	compare := func(a, b scoredPiece) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.text, b.text))
	}
	slices.SortFunc(list[:singles], compare)
	slices.SortFunc(list[singles:], compare)
	list = list[:min(len(list), max(seedPieces, singles))]
	sum := 0.0
	for _, p := range list {
		sum += p.score
	}
	for i := range list {
		list[i].score = math.Log(list[i].score / sum)
	}
	u.pieces = list
}

// edge is a token in a word: from one place to another.
type edge struct{ from, to, id int32 } // id -1: an unknown character

// lattice holds the tokens that a word can be cut into.
type lattice struct {
	edges       []edge
	alpha, beta []float64
	best        []float64
	back        []int32 // edge by which the best path comes to a place
}

// fill lists the edges of w, by where they begin.
func (x *lattice) fill(t *trie, w string) {
	x.edges = x.edges[:0]
	for i := 0; i < len(w); {
		_, size := utf8.DecodeRuneInString(w[i:])
		single := false
		node := int32(0)
		for j := i; j < len(w); {
			if node = t.next(node, w[j]); node == 0 {
				break
			}
			j++
			if id := t.value[node]; id >= 0 {
				x.edges = append(x.edges, edge{int32(i), int32(j), id})
				single = single || j-i == size
			}
		}
		if !single {
			x.edges = append(x.edges, edge{int32(i), int32(i + size), -1})
		}
		i += size
	}
}

func logAdd(a, b float64) float64 {
	if a < b {
		a, b = b, a
	}
	if b < a-50 {
		return a
	}
	return a + math.Log1p(math.Exp(b-a))
}

func filled(s []float64, n int) []float64 {
	if cap(s) < n {
		s = make([]float64, n, 2*n)
	}
	s = s[:n]
	for i := range s {
		s[i] = math.Inf(-1)
	}
	return s
}

// score is that of an edge; low is that of an unknown character.
func (u *unigramTrainer) score(e edge, low float64) float64 {
	if e.id < 0 {
		return low
	}
	return u.pieces[e.id].score
}

// index makes the trie anew.
func (u *unigramTrainer) index() {
	u.trie = newTrie()
	for id, p := range u.pieces {
		u.trie.add(p.text, int32(id))
	}
}

// low is the score of what is unknown.
func (u *unigramTrainer) low() float64 {
	low := 0.0
	for _, p := range u.pieces {
		low = min(low, p.score)
	}
	return low - unknownPenalty
}

// inChunks calls f for parts of n things, several at a time.
func inChunks(n int, f func(chunk, from, to int)) {
	var wg sync.WaitGroup
	limit := make(chan struct{}, runtime.GOMAXPROCS(0))
	for k := range unigramChunks {
		wg.Go(func() {
			limit <- struct{}{}
			f(k, k*n/unigramChunks, (k+1)*n/unigramChunks)
			<-limit
		})
	}
	wg.Wait()
}

// step is one of expectation and maximization.
func (u *unigramTrainer) step() {
	u.index()
	low := u.low()
	parts := make([][]float64, unigramChunks)
	inChunks(len(u.words), func(k, from, to int) {
		expected := make([]float64, len(u.pieces))
		var x lattice
		for _, w := range u.words[from:to] {
			x.fill(u.trie, w.word)
			n := len(w.word)
			x.alpha, x.beta = filled(x.alpha, n+1), filled(x.beta, n+1)
			x.alpha[0], x.beta[n] = 0, 0
			for _, e := range x.edges {
				x.alpha[e.to] = logAdd(x.alpha[e.to], x.alpha[e.from]+u.score(e, low))
			}
			for _, e := range slices.Backward(x.edges) {
				x.beta[e.from] = logAdd(x.beta[e.from], x.beta[e.to]+u.score(e, low))
			}
			for _, e := range x.edges {
				if e.id >= 0 {
					expected[e.id] += float64(w.n) * math.Exp(x.alpha[e.from]+u.pieces[e.id].score+x.beta[e.to]-x.alpha[n])
				}
			}
		}
		parts[k] = expected
	})
	kept := u.pieces[:0]
	total := 0.0
	for i, p := range u.pieces {
		n := 0.0
		for _, part := range parts {
			n += part[i]
		}
		if n < leastExpected {
			continue
		}
		total += n
		kept = append(kept, scoredPiece{p.text, n})
	}
	u.pieces = kept
	// The digamma function in place of the logarithm makes rare tokens rarer.
	logTotal := digamma(total)
	for i := range u.pieces {
		u.pieces[i].score = digamma(u.pieces[i].score) - logTotal
	}
}

func digamma(x float64) float64 {
	sum := 0.0
	for ; x < 7; x++ {
		sum -= 1 / x
	}
	x -= 0.5
	y := 1 / (x * x)
	return sum + math.Log(x) + y*(1.0/24-y*(7.0/960-y*(31.0/8064-y*127.0/30720)))
}

// viterbi gives the best path through the lattice, from its end; without the edge
// that covers all if whole is false.
func (u *unigramTrainer) viterbi(x *lattice, n int, low float64, whole bool) float64 {
	x.best = filled(x.best, n+1)
	x.best[0] = 0
	if cap(x.back) < n+1 {
		x.back = make([]int32, 2*n+2)
	}
	x.back = x.back[:n+1]
	for i, e := range x.edges {
		if !whole && e.from == 0 && int(e.to) == n {
			continue
		}
		if s := x.best[e.from] + u.score(e, low); s > x.best[e.to] {
			x.best[e.to], x.back[e.to] = s, int32(i)
		}
	}
	return x.best[n]
}

// prune leaves size tokens: those without which the likelihood would lose most.
func (u *unigramTrainer) prune(size int) {
	u.index()
	low := u.low()
	parts := make([][]float64, unigramChunks)
	inChunks(len(u.words), func(k, from, to int) {
		counts := make([]float64, len(u.pieces))
		var x lattice
		for _, w := range u.words[from:to] {
			x.fill(u.trie, w.word)
			u.viterbi(&x, len(w.word), low, true)
			for at := int32(len(w.word)); at > 0; {
				e := x.edges[x.back[at]]
				if e.id >= 0 {
					counts[e.id] += float64(w.n)
				}
				at = e.from
			}
		}
		parts[k] = counts
	})
	counts := make([]float64, len(u.pieces))
	sum, all := 0.0, 0.0
	for i := range counts {
		for _, part := range parts {
			counts[i] += part[i]
		}
		sum += counts[i]
	}
	for _, w := range u.words {
		all += float64(w.n)
	}
	type loss struct {
		piece int
		cost  float64
	}
	lists := make([][]loss, unigramChunks)
	inChunks(len(u.pieces), func(k, from, to int) {
		var x lattice
		for i := from; i < to; i++ {
			if counts[i] == 0 {
				continue // no best path has it
			}
			p := u.pieces[i]
			x.fill(u.trie, p.text)
			other := u.viterbi(&x, len(p.text), low, false)
			if other > p.score {
				continue // its parts do better
			}
			cost := math.Inf(1) // nothing can stand for it
			if !math.IsInf(other, -1) {
				alternatives, logs := 0, 0.0
				for at := int32(len(p.text)); at > 0; {
					e := x.edges[x.back[at]]
					if e.id < 0 {
						logs = math.Inf(-1)
					} else {
						logs += math.Log(counts[e.id] + counts[i])
					}
					alternatives++
					at = e.from
				}
				before := math.Log(counts[i]) - math.Log(sum)
				after := logs - float64(alternatives)*math.Log(sum+counts[i]*float64(alternatives-1))
				cost = counts[i] / all * (before - after)
			}
			lists[k] = append(lists[k], loss{i, cost})
		}
	})
	list := slices.Concat(lists...)
	slices.SortStableFunc(list, func(a, b loss) int { return cmp.Compare(b.cost, a.cost) })
	list = list[:min(size, len(list))]
	slices.SortFunc(list, func(a, b loss) int { return cmp.Compare(a.piece, b.piece) })
	kept := make([]scoredPiece, len(list))
	for i, x := range list {
		kept[i] = u.pieces[x.piece]
	}
	u.pieces = kept
}

// final gives size tokens, the characters among them, the most probable first.
func (u *unigramTrainer) final(required []rune, size int) []scoredPiece {
	scores := make(map[string]float64, len(u.pieces))
	least := 0.0
	for _, p := range u.pieces {
		scores[p.text] = p.score
		least = min(least, p.score)
	}
	var list []scoredPiece
	for _, r := range required {
		s := string(r)
		score, ok := scores[s]
		if !ok {
			score = least
			least -= 0.0001
		}
		list = append(list, scoredPiece{s, score})
		delete(scores, s)
	}
	compare := func(a, b scoredPiece) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.text, b.text))
	}
	slices.SortFunc(u.pieces, compare)
	for _, p := range u.pieces {
		if _, ok := scores[p.text]; ok && len(list) < size {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, compare)
	return list
}

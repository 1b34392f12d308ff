package tokenizer

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// TrainOptions say what Train learns.
type TrainOptions struct {
	VocabSize    int      // special tokens, 256 bytes and merges together
	Special      []string // such as "<|endoftext|>"; they take the ids from 0
	MinFrequency int      // a pair seen less often is not merged; 0 and 1: any
}

// Train learns a byte-level BPE from docs. Its merges are those of Hugging
// Face's BpeTrainer with the byte-level alphabet: ids are special tokens, then
// bytes in the order of their spelling, then merges. The result depends on the
// multiset of docs' pieces alone. A text too small to give VocabSize tokens gives
// fewer; Size tells.
//
// Memory grows with the number of different pieces, not with the text. Special
// tokens that stand in docs are ordinary text there. If progress is not nil it
// is called as merges are learned (done and total count them), after docs has
// been read to its end.
func Train(docs iter.Seq[string], opts TrainOptions, progress func(done, total int64)) (*BPE, error) {
	t, err := newAlphabet(opts)
	if err != nil {
		return nil, err
	}
	c := newCorpus(docs, &t.bytes)
	if len(c.counts) == 0 {
		return nil, errors.New("tokenizer: no text to train on")
	}
	total := int64(opts.VocabSize - len(t.tokens))
	floor := int64(max(1, opts.MinFrequency))
	ids := make(map[string]int32, opts.VocabSize)
	for b, id := range t.bytes {
		ids[string([]byte{byte(b)})] = id
	}
	var merged []int32
	for len(t.tokens) < opts.VocabSize && len(c.queue) > 0 {
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
		text := t.tokens[left].text + t.tokens[right].text
		// Runs such as "aaaaa" reach one token by two ways; it keeps one id.
		id, ok := ids[text]
		if !ok {
			id = int32(len(t.tokens))
			ids[text] = id
			t.tokens = append(t.tokens, token{text, t.tokens[left].piece + t.tokens[right].piece, true})
		}
		t.merges = append(t.merges, [2]int32{left, right})
		merged = append(merged, id)
		c.merge(top.words, left, right, id)
		if progress != nil {
			progress(total-int64(opts.VocabSize-len(t.tokens)), total)
		}
	}
	t.merges, merged = lastMerges(t.merges, merged)
	t.build(merged)
	return t, nil
}

// newAlphabet checks opts and makes the tokens that need no learning.
func newAlphabet(opts TrainOptions) (*BPE, error) {
	if least := 256 + len(opts.Special); opts.VocabSize < least {
		return nil, fmt.Errorf("tokenizer: vocabulary size %d is less than %d: 256 bytes and %d special tokens",
			opts.VocabSize, least, len(opts.Special))
	}
	if opts.VocabSize > maxSize {
		return nil, fmt.Errorf("tokenizer: vocabulary size %d is more than %d", opts.VocabSize, maxSize)
	}
	if opts.MinFrequency < 0 {
		return nil, fmt.Errorf("tokenizer: minimum frequency %d is negative", opts.MinFrequency)
	}
	t := &BPE{}
	p := splitter{runeClass()}
	for i, s := range opts.Special {
		if s == "" || !utf8.ValidString(s) {
			return nil, fmt.Errorf("tokenizer: special token %q is empty or invalid UTF-8", s)
		}
		if slices.Contains(opts.Special[:i], s) {
			return nil, fmt.Errorf("tokenizer: special token %q is given twice", s)
		}
		// Otherwise merges could spell it, and any text could contain it.
		if text, ok := unspell(s); ok && p.end(text, 0) == len(text) {
			return nil, fmt.Errorf("tokenizer: special token %q could be part of ordinary text (write it like <|%s|>)", s, s)
		}
		t.tokens = append(t.tokens, token{s, s, true})
		t.added = append(t.added, &added{content: s, id: int32(i), special: true, inVocab: true})
	}
	alphabet := byteRune
	slices.Sort(alphabet[:])
	for _, r := range alphabet {
		t.bytes[runeByte[r]] = int32(len(t.tokens))
		t.tokens = append(t.tokens, token{string([]byte{runeByte[r]}), string(r), true})
	}
	return t, nil
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

// corpus is the training text: each different piece once, with its count.
type corpus struct {
	words   [][]int32 // symbols, shrinking in place
	counts  []int64
	index   map[uint64]int32 // pair of ids → pairs
	pairs   []pairStat
	touched []int32 // pairs that came into being in this merge
	queue   []candidate
}

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

func newCorpus(docs iter.Seq[string], bytes *[256]int32) *corpus {
	c := &corpus{index: make(map[uint64]int32)}
	p := splitter{runeClass()}
	seen := make(map[string]int32)
	for doc := range docs {
		for i := 0; i < len(doc); {
			j := p.end(doc, i)
			w := doc[i:j]
			i = j
			k, ok := seen[w]
			if !ok {
				k = int32(len(c.counts))
				seen[strings.Clone(w)] = k // the document need not stay
				symbols := make([]int32, len(w))
				for n := range len(w) {
					symbols[n] = bytes[w[n]]
				}
				c.words = append(c.words, symbols)
				c.counts = append(c.counts, 0)
			}
			c.counts[k]++
		}
	}
	for w, symbols := range c.words {
		for i := 1; i < len(symbols); i++ {
			c.add(symbols[i-1], symbols[i], int32(w), 1)
		}
	}
	c.enqueue()
	return c
}

// add counts n more of a pair in a word, or fewer.
func (c *corpus) add(left, right, word int32, n int64) {
	key := pairKey(left, right)
	i, ok := c.index[key]
	if !ok {
		i = int32(len(c.pairs))
		c.index[key] = i
		c.pairs = append(c.pairs, pairStat{key: key})
	}
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
func (c *corpus) enqueue() {
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
func (c *corpus) merge(words []int32, left, right, id int32) {
	for _, w := range words {
		s := c.words[w]
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
		c.words[w] = s[:n]
	}
	c.enqueue()
}

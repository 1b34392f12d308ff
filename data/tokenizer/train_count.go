package tokenizer

import (
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// wordCount is a word as the model sees it, and how often it is met.
type wordCount struct {
	word string
	n    int64
}

// counter is a model whose tokens are whole words, numbered as they are met.
type counter struct {
	index map[string]int32
	words []string
}

func (c *counter) encode(_ *encoder, dst []int32, w string) []int32 {
	id, ok := c.index[w]
	if !ok {
		id = int32(len(c.words))
		w = strings.Clone(w) // neither a document nor an editor's text need stay
		c.index[w] = id
		c.words = append(c.words, w)
	}
	return append(dst, id)
}

func (c *counter) tokens(*encoder, []part, string) []part {
	panic("tokenizer: words are counted without offsets")
}

// batchBytes is how much text a worker takes at a time.
const batchBytes = 1 << 20

// countWords cuts docs into words and counts them; the result is sorted.
func countWords(docs iter.Seq[string], norm []normalizer, pre []pretokenizer) []wordCount {
	workers := runtime.GOMAXPROCS(0)
	batches := make(chan []string, workers)
	counters := make([]*counter, workers)
	counts := make([][]int64, workers)
	var wg sync.WaitGroup
	for k := range workers {
		counters[k] = &counter{index: make(map[string]int32)}
		wg.Go(func() {
			c := counters[k]
			e := newEncoder(&Pipeline{norm: norm, pre: pre, model: c})
			e.ordinary = true
			var n []int64
			for batch := range batches {
				for _, doc := range batch {
					e.ids = e.ids[:0]
					e.run(text{s: doc})
					for len(n) < len(c.words) {
						n = append(n, 0)
					}
					for _, id := range e.ids {
						n[id]++
					}
				}
			}
			counts[k] = n
		})
	}
	var batch []string
	size := 0
	for doc := range docs {
		batch = append(batch, doc)
		if size += len(doc); size >= batchBytes || len(batch) == cap(batch) && len(batch) >= 1<<14 {
			batches <- batch
			batch, size = nil, 0
		}
	}
	if len(batch) > 0 {
		batches <- batch
	}
	close(batches)
	wg.Wait()

	all := counters[0]
	sum := counts[0]
	for k := 1; k < workers; k++ {
		for i, w := range counters[k].words {
			id, ok := all.index[w]
			if !ok {
				id = int32(len(all.words))
				all.index[w] = id
				all.words = append(all.words, w)
				sum = append(sum, 0)
			}
			sum[id] += counts[k][i]
		}
		counters[k] = nil
	}
	words := make([]wordCount, len(all.words))
	for i, w := range all.words {
		words[i] = wordCount{w, sum[i]}
	}
	slices.SortFunc(words, func(a, b wordCount) int { return strings.Compare(a.word, b.word) })
	return words
}

// countThrough is countWords by the sections of a tokenizer.json.
func countThrough(docs iter.Seq[string], f file) ([]wordCount, error) {
	norm, err := parseNormalizer(nil, f.Normalizer, 0)
	if err != nil {
		return nil, err
	}
	pre, err := parsePretokenizer(nil, f.PreTokenizer, 0)
	if err != nil {
		return nil, err
	}
	words := countWords(docs, norm, pre)
	if len(words) == 0 {
		return nil, errNoText
	}
	return words, nil
}

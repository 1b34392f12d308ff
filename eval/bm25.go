package eval

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

var bm25 = Baseline{Name: "bm25"}

// The parameters of BM25, as in Lucene.
const (
	bm25K1 = 1.2  // how soon a term's further occurrences count no more
	bm25B  = 0.75 // how much the length of a document counts
)

// A BM25 ranks documents by the terms that they have in common with a query (Robertson & Zaragoza 2009): a term in n of N
// documents weighs log(1 + (N-n+½)/(n+½)), as in Lucene, with k1 = 1.2 and b = 0.75. Terms are words in lower case, of
// letters and digits; of Hangul, Han and Kana pairs of neighbouring characters, as in Lucene's CJKAnalyzer, since their words
// have endings or no spaces between them.
type BM25 struct {
	postings map[string][]posting
	lengths  []float64
	mean     float64
	scores   []float64
}

type posting struct {
	document int32
	count    float32
}

// NewBM25 indexes documents.
func NewBM25(documents []string) *BM25 {
	m := &BM25{postings: map[string][]posting{}, lengths: make([]float64, len(documents)), scores: make([]float64, len(documents))}
	for i, text := range documents {
		for term := range searchTerms(text) {
			list := m.postings[term]
			if n := len(list); n > 0 && list[n-1].document == int32(i) {
				list[n-1].count++
			} else {
				m.postings[term] = append(list, posting{int32(i), 1})
			}
			m.lengths[i]++
		}
		m.mean += m.lengths[i] / float64(len(documents))
	}
	return m
}

// Search gives the documents of the k highest scores above 0, the highest first; of equal ones the first.
func (m *BM25) Search(query string, k int) []Hit {
	clear(m.scores)
	for term := range searchTerms(query) {
		list := m.postings[term]
		n, all := float64(len(list)), float64(len(m.lengths))
		idf := math.Log(1 + (all-n+0.5)/(n+0.5))
		for _, p := range list {
			f := float64(p.count)
			m.scores[p.document] += idf * f * (bm25K1 + 1) / (f + bm25K1*(1-bm25B+bm25B*m.lengths[p.document]/m.mean))
		}
	}
	var hits []Hit
	for i, s := range m.scores {
		if s > 0 {
			hits = append(hits, Hit{i, s})
		}
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Number, b.Number))
	})
	return hits[:min(k, len(hits))]
}

// searchTerms iterates over the terms of a text; see BM25.
func searchTerms(text string) func(yield func(string) bool) {
	paired := func(r rune) bool {
		return unicode.In(r, unicode.Hangul, unicode.Han, unicode.Hiragana, unicode.Katakana)
	}
	return func(yield func(string) bool) {
		for word := range strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r)
		}) {
			runes := []rune(word)
			for i := 0; i < len(runes); {
				end := i + 1
				for end < len(runes) && paired(runes[end]) == paired(runes[i]) {
					end++
				}
				if run := runes[i:end]; len(run) > 2 && paired(runes[i]) {
					for j := range len(run) - 1 {
						if !yield(string(run[j : j+2])) {
							return
						}
					}
				} else if !yield(string(run)) {
					return
				}
				i = end
			}
		}
	}
}

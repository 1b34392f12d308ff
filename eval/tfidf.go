package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var tfidf = Baseline{Name: "tfidf", Tunes: true, Labels: true}

// TFIDF is logistic regression over TF-IDF of words and pairs of words, or of two to four characters
// within words. Of two texts it has the features of each, and the products of those in both.
type TFIDF struct {
	vectors *termVectors
	pairs   bool
	strict  float64 // the inverse strength of the penalty
	model   *logistic
	labels  []int // of the classes of model
	classes int
}

// strengths is the grid that FitTFIDF chooses from, scikit-learn's C.
var strengths = []float64{1, 10}

// FitTFIDF fits to train, with the features (words or characters) and the penalty that classify
// validation best; of equal ones, with the lower loss. A class that does not occur in train has
// probability 0.
func FitTFIDF(train, validation Labelled, classes int) (*TFIDF, error) {
	if err := train.check("tfidf: train", classes); err != nil {
		return nil, err
	}
	if err := validation.check("tfidf: validation", classes); err != nil {
		return nil, err
	}
	var labels []int // that occur
	for _, l := range train.Labels {
		if k, ok := slices.BinarySearch(labels, l); !ok {
			labels = slices.Insert(labels, k, l)
		}
	}
	index := make([]int, len(train.Labels))
	for i, l := range train.Labels {
		index[i], _ = slices.BinarySearch(labels, l)
	}
	var best *TFIDF
	bestRight, bestNats := -1, 0.0
	for _, characters := range []bool{false, true} {
		m := &TFIDF{pairs: train.Seconds != nil, labels: labels, classes: classes}
		m.vectors = fitVectors(append(slices.Clone(train.Texts), train.Seconds...), characters, maxWeights/max(1, len(labels)))
		if len(m.vectors.idf) == 0 {
			continue
		}
		rows := make([]sparse, len(train.Texts))
		for i := range rows {
			rows[i] = m.row(train.Texts[i], train.second(i))
		}
		known := make([]sparse, len(validation.Texts))
		for i := range known {
			known[i] = m.row(validation.Texts[i], validation.second(i))
		}
		var start *logistic
		for _, c := range strengths {
			at := *m
			at.strict = c
			at.model = fitLogistic(rows, index, m.features(), len(labels), c, 1e-4, 100, start)
			start = at.model
			right, nats := 0, 0.0
			for i := range known {
				label, probs := at.predict(&known[i])
				if label == validation.Labels[i] {
					right++
				}
				nats -= math.Log(max(probs[validation.Labels[i]], 1e-300))
			}
			if right > bestRight || right == bestRight && nats < bestNats {
				best, bestRight, bestNats = &at, right, nats
			}
		}
	}
	if best == nil {
		return nil, fmt.Errorf("tfidf: train: no words in %d texts", len(train.Texts))
	}
	return best, nil
}

// maxWeights bounds features times classes: a fit holds some 15 times as many numbers.
const maxWeights = 1 << 22

// Chosen says in words what was chosen on validation.
func (m *TFIDF) Chosen() string {
	what := "words and pairs of words"
	if m.vectors.characters {
		what = "two to four characters of words"
	}
	return fmt.Sprintf("%s, C = %g, chosen on validation", what, m.strict)
}

// Predict returns the most probable label of a text, or of a pair of texts, and the probability of
// each.
func (m *TFIDF) Predict(text, second string) (label int, probs []float64) {
	row := m.row(text, second)
	return m.predict(&row)
}

func (m *TFIDF) predict(row *sparse) (label int, probs []float64) {
	probs = make([]float64, m.classes)
	if len(m.labels) == 1 {
		probs[m.labels[0]] = 1
		return m.labels[0], probs
	}
	label = m.labels[0]
	for k, p := range m.model.probabilities(row) {
		probs[m.labels[k]] = p
		if p > probs[label] {
			label = m.labels[k]
		}
	}
	return label, probs
}

func (m *TFIDF) features() int {
	if m.pairs {
		return 3 * len(m.vectors.idf)
	}
	return len(m.vectors.idf)
}

// row gives the features of a text; of two texts those of the first, of the second, and the products
// of both.
func (m *TFIDF) row(text, second string) sparse {
	a := m.vectors.vector(text)
	if !m.pairs {
		return a
	}
	b, n := m.vectors.vector(second), int32(len(m.vectors.idf))
	for j, f := range b.at {
		a.at, a.value = append(a.at, f+n), append(a.value, b.value[j])
	}
	first := len(a.at) - len(b.at)
	for j, f := range b.at {
		if k, ok := slices.BinarySearch(a.at[:first], f); ok {
			a.at, a.value = append(a.at, f+2*n), append(a.value, a.value[k]*b.value[j])
		}
	}
	return a
}

// termVectors turns texts into TF-IDF vectors of length 1, as scikit-learn's TfidfVectorizer with
// min_df=2: of words with ngram_range=(1, 2), or with analyzer="char_wb" and ngram_range=(2, 4).
type termVectors struct {
	characters bool
	index      map[string]int32
	idf        []float64
}

// fitVectors takes the terms that occur in at least two texts, at most so many: then those that occur
// most often, and of equal ones the first in order.
func fitVectors(texts []string, characters bool, most int) *termVectors {
	v := &termVectors{characters: characters, index: map[string]int32{}}
	documents, count := map[string]int{}, map[string]int{}
	for _, text := range texts {
		seen := map[string]bool{}
		for term := range v.terms(text) {
			count[term]++
			if !seen[term] {
				seen[term] = true
				documents[term]++
			}
		}
	}
	var terms []string
	for term, n := range documents {
		if n > 1 {
			terms = append(terms, term)
		}
	}
	slices.Sort(terms)
	if len(terms) > most {
		slices.SortStableFunc(terms, func(a, b string) int { return count[b] - count[a] })
		terms = terms[:most]
		slices.Sort(terms)
	}
	for k, term := range terms {
		v.index[term] = int32(k)
		v.idf = append(v.idf, math.Log(float64(1+len(texts))/float64(1+documents[term]))+1)
	}
	return v
}

func (v *termVectors) vector(text string) sparse {
	counts := map[int32]float64{}
	for term := range v.terms(text) {
		if k, ok := v.index[term]; ok {
			counts[k]++
		}
	}
	var s sparse
	for k := range counts {
		s.at = append(s.at, k)
	}
	slices.Sort(s.at)
	squares := 0.0
	for _, k := range s.at {
		w := counts[k] * v.idf[k]
		s.value = append(s.value, w)
		squares += w * w
	}
	for j := range s.value {
		s.value[j] /= math.Sqrt(squares)
	}
	return s
}

// terms iterates over the terms of a text.
func (v *termVectors) terms(text string) func(yield func(string) bool) {
	text = strings.ToLower(text)
	return func(yield func(string) bool) {
		if v.characters {
			for word := range strings.FieldsSeq(text) {
				runes := []rune(" " + word + " ")
				for n := 2; n <= 4; n++ {
					for i := 0; i+n <= len(runes); i++ {
						if !yield(string(runes[i : i+n])) {
							return
						}
					}
					if n >= len(runes) {
						break // a short word once
					}
				}
			}
			return
		}
		before := ""
		for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
			if utf8.RuneCountInString(word) == 1 {
				continue
			}
			if !yield(word) || before != "" && !yield(before+" "+word) {
				return
			}
			before = word
		}
	}
}

package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	copySource = Baseline{Name: "copy"}
	dictionary = Baseline{Name: "word_dictionary", Labels: true}
)

// A Dictionary translates word by word: each word by the one that most probably translates it, after
// IBM model 1 (Brown et al. 1993) fitted to pairs of sentences. Words that training does not have
// are copied.
type Dictionary struct{ best map[string]translation }

type translation struct {
	word        string
	probability float64
}

// FitDictionary fits the probabilities of target words given source words by so many steps of
// expectation maximisation; five are usual.
func FitDictionary(source, target []string, steps int) (*Dictionary, error) {
	if len(source) != len(target) {
		return nil, fmt.Errorf("word dictionary: %d sentences, %d translations", len(source), len(target))
	}
	number := func(texts []string, from int32) (ids [][]int32, words []string) {
		index := map[string]int32{}
		ids = make([][]int32, len(texts))
		for i, text := range texts {
			for _, w := range wordsAndMarks(text) {
				k, ok := index[w]
				if !ok {
					k = int32(len(words)) + from
					index[w] = k
					words = append(words, w)
				}
				ids[i] = append(ids[i], k)
			}
		}
		return ids, words
	}
	// Source word 0 is none, which target words without a source word come from.
	from, fromWords := number(source, 1)
	to, toWords := number(target, 0)
	if len(fromWords) == 0 || len(toWords) == 0 {
		return nil, fmt.Errorf("word dictionary: no words in %d pairs of sentences", len(source))
	}
	// The pairs of words that occur in a pair of sentences, in order.
	var pairs []uint64
	unique := 0
	for i := range from {
		for _, f := range append([]int32{0}, from[i]...) {
			for _, e := range to[i] {
				pairs = append(pairs, uint64(f)<<32|uint64(e))
			}
		}
		if len(pairs) > 2*unique+1<<20 || i == len(from)-1 {
			slices.Sort(pairs)
			pairs = slices.Compact(pairs)
			unique = len(pairs)
		}
	}
	index := make(map[uint64]int32, len(pairs))
	for k, p := range pairs {
		index[p] = int32(k)
	}
	share, expected := make([]float64, len(pairs)), make([]float64, len(pairs))
	for k := range share {
		share[k] = 1
	}
	sums := make([]float64, len(fromWords)+1)
	var at []int32
	for range steps {
		clear(expected)
		for i := range from {
			for _, e := range to[i] {
				at = append(at[:0], index[uint64(e)])
				for _, f := range from[i] {
					at = append(at, index[uint64(f)<<32|uint64(e)])
				}
				sum := 0.0
				for _, k := range at {
					sum += share[k]
				}
				for _, k := range at {
					expected[k] += share[k] / sum
				}
			}
		}
		clear(sums)
		for k, p := range pairs {
			sums[p>>32] += expected[k]
		}
		for k, p := range pairs {
			share[k] = expected[k] / sums[p>>32]
		}
	}
	m := &Dictionary{map[string]translation{}}
	for k, p := range pairs {
		f := p >> 32
		if f == 0 {
			continue
		}
		if word := fromWords[f-1]; share[k] > m.best[word].probability {
			m.best[word] = translation{toWords[uint32(p)], share[k]}
		}
	}
	return m, nil
}

// Predict translates a text.
func (m *Dictionary) Predict(text string) string {
	var b strings.Builder
	for i, w := range wordsAndMarks(text) {
		e := w
		if t, ok := m.best[w]; ok {
			e = t.word
		}
		r, size := utf8.DecodeRuneInString(e)
		if i == 0 {
			b.WriteString(string(unicode.ToUpper(r)) + e[size:])
			continue
		}
		if wordRune(r) || strings.ContainsRune("([{„“", r) {
			b.WriteByte(' ')
		}
		b.WriteString(e)
	}
	return b.String()
}

// wordsAndMarks gives the words of a text in lower case, and its punctuation marks one by one.
func wordsAndMarks(text string) (out []string) {
	start := -1
	text = strings.ToLower(text)
	for i, r := range text + " " {
		if wordRune(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			out = append(out, text[start:i])
			start = -1
		}
		if i < len(text) && !unicode.IsSpace(r) {
			out = append(out, string(r))
		}
	}
	return out
}

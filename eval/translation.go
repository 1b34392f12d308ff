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
	number := func(texts []string, from int32, lower func(text string) string) (ids [][]int32, words []string) {
		index := map[string]int32{}
		ids = make([][]int32, len(texts))
		for i, text := range texts {
			for _, w := range wordsAndMarks(lower(text)) {
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
	from, fromWords := number(source, 1, strings.ToLower)
	// A translation has the case of its language, but for the beginning of a sentence.
	to, toWords := number(target, 0, func(text string) string {
		r, size := utf8.DecodeRuneInString(text)
		return string(unicode.ToLower(r)) + text[size:]
	})
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
	// For each target word of each sentence, the pairs with no source word and with each one.
	at := make([][]int32, len(from))
	for i := range from {
		for _, e := range to[i] {
			for _, f := range append([]int32{0}, from[i]...) {
				k, _ := slices.BinarySearch(pairs, uint64(f)<<32|uint64(e))
				at[i] = append(at[i], int32(k))
			}
		}
	}
	share, expected := make([]float64, len(pairs)), make([]float64, len(pairs))
	for k := range share {
		share[k] = 1
	}
	sums := make([]float64, len(fromWords)+1)
	for range steps {
		clear(expected)
		for i := range from {
			for ks := range slices.Chunk(at[i], len(from[i])+1) {
				sum := 0.0
				for _, k := range ks {
					sum += share[k]
				}
				for _, k := range ks {
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
	for i, w := range wordsAndMarks(strings.ToLower(text)) {
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

// wordsAndMarks gives the words of a text, and its punctuation marks one by one.
func wordsAndMarks(text string) (out []string) {
	start := -1
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

package eval

import (
	"fmt"
	"strings"
)

var frequentLabel = Baseline{Name: "frequent_label", Labels: true}

// A FrequentLabel gives each word the label that it has most often in training: the word itself, else
// its lower case, else the label that is most frequent of all.
type FrequentLabel struct {
	words, lower map[string]string
	most         string
}

// FitFrequentLabel counts the labels of the words of sentences. Of labels that a word has equally often,
// the one that is more frequent altogether wins, then the first in order.
func FitFrequentLabel(words, labels [][]string) (*FrequentLabel, error) {
	if len(words) != len(labels) {
		return nil, fmt.Errorf("frequent label: words of %d sentences, labels of %d", len(words), len(labels))
	}
	all := map[string]int{}
	exact, lower := map[string]map[string]int{}, map[string]map[string]int{}
	count := func(in map[string]map[string]int, word, label string) {
		if in[word] == nil {
			in[word] = map[string]int{}
		}
		in[word][label]++
	}
	for i := range words {
		if len(words[i]) != len(labels[i]) {
			return nil, fmt.Errorf("frequent label: sentence %d: %d words, %d labels", i, len(words[i]), len(labels[i]))
		}
		for j, word := range words[i] {
			all[labels[i][j]]++
			count(exact, word, labels[i][j])
			count(lower, strings.ToLower(word), labels[i][j])
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("frequent label: no words in %d sentences", len(words))
	}
	most := func(counts map[string]int) (best string) {
		for label, n := range counts {
			b := counts[best] // 0 at first
			if n > b || n == b && (all[label] > all[best] || all[label] == all[best] && label < best) {
				best = label
			}
		}
		return best
	}
	m := &FrequentLabel{words: map[string]string{}, lower: map[string]string{}, most: most(all)}
	for word, counts := range exact {
		m.words[word] = most(counts)
	}
	for word, counts := range lower {
		m.lower[word] = most(counts)
	}
	return m, nil
}

// Predict gives the labels of the words of a sentence.
func (m *FrequentLabel) Predict(words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		label, ok := m.words[word]
		if !ok {
			if label, ok = m.lower[strings.ToLower(word)]; !ok {
				label = m.most
			}
		}
		out[i] = label
	}
	return out
}

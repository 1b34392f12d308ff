package eval

import (
	"fmt"
	"math"
	"strings"
	"unicode"
)

// Labelled has texts, or pairs of them, with their labels in [0, classes).
type Labelled struct {
	Texts   []string
	Seconds []string // of pairs; else nil
	Labels  []int
}

// second gives the second text of item i.
func (l *Labelled) second(i int) string {
	if l.Seconds == nil {
		return ""
	}
	return l.Seconds[i]
}

// joined gives both texts of pairs as one.
func (l Labelled) joined() Labelled {
	if l.Seconds == nil {
		return l
	}
	pair := Labelled{Labels: l.Labels}
	for i, text := range l.Texts {
		pair.Texts = append(pair.Texts, both(text, l.Seconds[i]))
	}
	return pair
}

func both(text, second string) string {
	if second == "" {
		return text
	}
	return text + "\n" + second
}

// check fails if there is no text, or not a label in [0, classes) for each. of says which texts.
func (l *Labelled) check(of string, classes int) error {
	if len(l.Texts) != len(l.Labels) || l.Seconds != nil && len(l.Seconds) != len(l.Texts) {
		return fmt.Errorf("%s: %d texts, %d labels", of, len(l.Texts), len(l.Labels))
	}
	if len(l.Texts) == 0 {
		return fmt.Errorf("%s: no texts", of)
	}
	for i, k := range l.Labels {
		if k < 0 || k >= classes {
			return fmt.Errorf("%s: item %d: label %d outside [0, %d)", of, i, k, classes)
		}
	}
	return nil
}

var naiveBayes = Baseline{Name: "naive_bayes", Tunes: true, Labels: true}

// NaiveBayes is a multinomial naive Bayes classifier over unigrams: lower-cased
// runs of letters (and their combining marks). It is safe for concurrent use.
type NaiveBayes struct {
	alpha  float64
	words  map[string]int32
	prior  []float64   // ln P(class)
	counts [][]float64 // (class, word), while fitting
	sums   []float64   // (class)
	logs   [][]float64 // (class, word): ln P(word | class)
}

// alphas is the grid of additive smoothing that FitNaiveBayes chooses from.
var alphas = []float64{0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2}

// FitNaiveBayes fits to train, with the additive smoothing α that classifies
// validation best (of equal ones, the one with the higher likelihood of the true
// labels); validation is used for nothing else. A class that does not occur in train
// has probability 0.
func FitNaiveBayes(train, validation Labelled, classes int) (*NaiveBayes, error) {
	if err := train.check("naive bayes: train", classes); err != nil {
		return nil, err
	}
	if err := validation.check("naive bayes: validation", classes); err != nil {
		return nil, err
	}

	m := &NaiveBayes{words: map[string]int32{}, prior: make([]float64, classes), counts: make([][]float64, classes), sums: make([]float64, classes)}
	for i, text := range train.Texts {
		c := train.Labels[i]
		m.prior[c]++
		for word := range words(text) {
			w, ok := m.words[word]
			if !ok {
				w = int32(len(m.words))
				m.words[word] = w
			}
			for int(w) >= len(m.counts[c]) {
				m.counts[c] = append(m.counts[c], 0)
			}
			m.counts[c][w]++
			m.sums[c]++
		}
	}
	if len(m.words) == 0 {
		return nil, fmt.Errorf("naive bayes: train: no words in %d texts", len(train.Texts))
	}
	m.logs = make([][]float64, classes)
	for c := range m.counts {
		m.prior[c] = math.Log(m.prior[c] / float64(len(train.Texts)))
		m.counts[c] = append(m.counts[c], make([]float64, len(m.words)-len(m.counts[c]))...)
		m.logs[c] = make([]float64, len(m.words))
	}

	known := make([][]int32, len(validation.Texts))
	for i, text := range validation.Texts {
		known[i] = m.lookup(text)
	}
	best, bestCorrect, bestLikelihood := alphas[0], -1, 0.0
	for _, alpha := range alphas {
		m.smooth(alpha)
		correct, likelihood := 0, 0.0
		for i, ids := range known {
			label, logs := m.score(ids)
			if label == validation.Labels[i] {
				correct++
			}
			likelihood += logs[validation.Labels[i]]
		}
		if correct > bestCorrect || correct == bestCorrect && likelihood > bestLikelihood {
			best, bestCorrect, bestLikelihood = alpha, correct, likelihood
		}
	}
	m.smooth(best)
	m.counts = nil
	return m, nil
}

// Alpha returns the smoothing that was chosen.
func (m *NaiveBayes) Alpha() float64 { return m.alpha }

// Predict returns the most probable label and the probability of each. Words that
// do not occur in training are ignored.
func (m *NaiveBayes) Predict(text string) (label int, probs []float64) {
	label, probs = m.score(m.lookup(text))
	for c := range probs {
		probs[c] = math.Exp(probs[c])
	}
	return label, probs
}

// score returns the best label and ln P(class | words).
func (m *NaiveBayes) score(ids []int32) (label int, logs []float64) {
	logs = make([]float64, len(m.prior))
	for c := range logs {
		sum := m.prior[c]
		for _, w := range ids {
			sum += m.logs[c][w]
		}
		logs[c] = sum
		if sum > logs[label] {
			label = c
		}
	}
	norm := 0.0
	for _, l := range logs {
		norm += math.Exp(l - logs[label])
	}
	shift := logs[label] + math.Log(norm)
	for c := range logs {
		logs[c] -= shift
	}
	return label, logs
}

func (m *NaiveBayes) smooth(alpha float64) {
	m.alpha = alpha
	for c, counts := range m.counts {
		shift := math.Log(m.sums[c] + alpha*float64(len(m.words)))
		for w, n := range counts {
			m.logs[c][w] = math.Log(n+alpha) - shift
		}
	}
}

func (m *NaiveBayes) lookup(text string) (ids []int32) {
	for word := range words(text) {
		if w, ok := m.words[word]; ok {
			ids = append(ids, w)
		}
	}
	return ids
}

func words(text string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
}

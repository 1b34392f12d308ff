package eval

import (
	"fmt"
	"math"
	"strings"
)

var wordOverlap = Baseline{Name: "word_overlap", Tunes: true, Labels: true}

// A WordOverlap predicts the number of a pair of texts from what they share: a straight line, fitted by
// least squares, over twice the common words, or pairs of characters, divided by all.
type WordOverlap struct {
	characters      bool
	at, slope       float64
	lowest, highest float64
}

// FitWordOverlap fits to train, over words or pairs of characters, whichever gives the lower squared
// error on validation. Predictions stay between the lowest and the highest training number.
func FitWordOverlap(train, validation Rated) (*WordOverlap, error) {
	for _, s := range []struct {
		name string
		Rated
	}{{"train", train}, {"validation", validation}} {
		if err := s.check("word overlap: " + s.name); err != nil {
			return nil, err
		}
		if s.Seconds == nil {
			return nil, fmt.Errorf("word overlap: %s: the texts are no pairs", s.name)
		}
	}
	var best *WordOverlap
	lowest := math.Inf(1)
	for _, characters := range []bool{false, true} {
		m := &WordOverlap{characters: characters, lowest: math.Inf(1), highest: math.Inf(-1)}
		m.fit(train)
		loss := 0.0
		for i, v := range validation.Values {
			d := m.Predict(validation.Texts[i], validation.Seconds[i]) - v
			loss += d * d
		}
		if loss < lowest {
			best, lowest = m, loss
		}
	}
	if best == nil {
		return nil, fmt.Errorf("word overlap: a number of validation is not finite")
	}
	return best, nil
}

func (m *WordOverlap) fit(train Rated) {
	n := float64(len(train.Values))
	shares := make([]float64, len(train.Values))
	var meanX, meanY, xx, xy float64
	for i, v := range train.Values {
		shares[i] = m.share(train.Texts[i], train.Seconds[i])
		meanX, meanY = meanX+shares[i]/n, meanY+v/n
		m.lowest, m.highest = min(m.lowest, v), max(m.highest, v)
	}
	for i, v := range train.Values {
		xx += (shares[i] - meanX) * (shares[i] - meanX)
		xy += (shares[i] - meanX) * (v - meanY)
	}
	if xx > 0 {
		m.slope = xy / xx
	}
	m.at = meanY - m.slope*meanX
}

// Chosen says in words what was chosen on validation.
func (m *WordOverlap) Chosen() string {
	if m.characters {
		return "pairs of characters, chosen on validation"
	}
	return "words, chosen on validation"
}

// Predict gives the number of a pair of texts.
func (m *WordOverlap) Predict(text, second string) float64 {
	return max(m.lowest, min(m.highest, m.at+m.slope*m.share(text, second)))
}

// share is twice what two texts have in common, divided by what they have: 1 for equal ones, and for
// two without words.
func (m *WordOverlap) share(a, b string) float64 {
	count := map[string]int{}
	all, common := 0, 0
	for u := range m.units(a) {
		count[u]++
		all++
	}
	for u := range m.units(b) {
		all++
		if count[u] > 0 {
			count[u]--
			common++
		}
	}
	if all == 0 {
		return 1
	}
	return 2 * float64(common) / float64(all)
}

func (m *WordOverlap) units(text string) func(yield func(string) bool) {
	if !m.characters {
		return tokens(text)
	}
	return characterPairs(text)
}

// characterPairs iterates over the pairs of neighbouring characters of the words of a text.
func characterPairs(text string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for word := range tokens(text) {
			runes := []rune(word)
			if len(runes) == 1 && !yield(word) {
				return
			}
			for i := 0; i+2 <= len(runes); i++ {
				if !yield(string(runes[i : i+2])) {
					return
				}
			}
		}
	}
}

// tokens iterates over the lower-cased runs of letters, marks and digits of a text.
func tokens(text string) func(yield func(string) bool) {
	return strings.FieldsFuncSeq(strings.ToLower(text), func(r rune) bool { return !wordRune(r) })
}

package eval

import (
	"fmt"
	"math"
	"strings"
	"unicode"

	"hone/eval/metric"
)

var slidingWindow = Baseline{Name: "sliding_window", Labels: true}

// A Question is asked about a context, of which the answers are parts.
type Question struct {
	Text, Context string
	Answers       []string // none: the context does not say
}

// A SlidingWindow answers a question with the words of its context around which most of the words of
// the question stand, after the baseline of Richardson et al. 2013: each word of the question counts
// by its rarity in the context, and less the farther it is from the answer: divided by its distance, and
// by 2 for each end of a sentence between them.
type SlidingWindow struct {
	words      int  // of an answer, or fewer where the context has no more
	characters bool // the question's pairs of characters are looked for, for languages with endings
}

// reach is the number of words on each side of an answer that are looked at.
const reach = 10

// FitSlidingWindow chooses the number of words of an answer, and words or pairs of characters, by the
// F1 of the script: on questions of training, at most so many, evenly spaced.
func FitSlidingWindow(train []Question, most int, script metric.QAScript) (*SlidingWindow, error) {
	var some []Question
	for _, q := range train {
		if len(q.Answers) > 0 {
			some = append(some, q)
		}
	}
	if len(some) == 0 {
		return nil, fmt.Errorf("sliding window: no answers in %d questions", len(train))
	}
	n := min(most, len(some))
	answers := make([][]string, n)
	for i := range answers {
		some[i] = some[i*len(some)/n]
		answers[i] = some[i].Answers
	}
	var best *SlidingWindow
	bestF1 := -1.0
	for _, words := range []int{1, 2, 3, 5, 10} {
		for _, characters := range []bool{false, true} {
			m := &SlidingWindow{words, characters}
			mine := make([]string, n)
			for i := range mine {
				first, last := m.Predict(some[i].Text, some[i].Context)
				mine[i] = some[i].Context[first:last]
			}
			score, err := metric.ScoreAnswers(mine, answers, script, nil)
			if err != nil {
				return nil, fmt.Errorf("sliding window: %w", err)
			}
			if score.F1.Value > bestF1 {
				best, bestF1 = m, score.F1.Value
			}
		}
	}
	return best, nil
}

// Predict gives the part [first, last) of the context, in bytes, that answers the question. Of equally
// good ones it is the first; there is none in a context without words.
func (m *SlidingWindow) Predict(question, context string) (first, last int) {
	type word struct {
		first, last int
		ends        bool // a sentence ends behind it
	}
	var list []word
	start := -1
	for i, r := range context + " " {
		if wordRune(r) {
			if start < 0 {
				start = i
			}
			continue
		}
		if start >= 0 {
			list = append(list, word{start, i, false})
			start = -1
		}
		if len(list) > 0 && strings.ContainsRune(".!?。！？\n", r) {
			list[len(list)-1].ends = true
		}
	}
	if len(list) == 0 {
		return 0, 0
	}
	units := func(text string) (out []string) {
		seq := tokens(text)
		if m.characters {
			seq = characterPairs(text)
		}
		for u := range seq {
			out = append(out, u)
		}
		return out
	}
	asked, count := map[string]bool{}, map[string]int{}
	for _, u := range units(question) {
		asked[u] = true
	}
	parts := make([][]string, len(list))
	for i, w := range list {
		parts[i] = units(context[w.first:w.last])
		for _, u := range parts[i] {
			count[u]++
		}
	}
	// The weight of each word, and which words are the question's own.
	weight, own := make([]float64, len(list)), make([]bool, len(list))
	for i := range list {
		hits := 0
		for _, u := range parts[i] {
			if asked[u] {
				hits++
				weight[i] += math.Log(1+1/float64(count[u])) / float64(len(parts[i]))
			}
		}
		own[i] = 2*hits > len(parts[i])
	}
	best := -1.0
	for i := range list {
		end := i
		for end < len(list) && end < i+m.words && !own[end] {
			if end++; list[end-1].ends {
				break
			}
		}
		if end == i || i > 0 && !list[i-1].ends && !own[i-1] && end-i < m.words {
			continue // none, or a part of the one before
		}
		score, before, after := 0.0, 1.0, 1.0
		for d := 1; d <= reach; d++ {
			if j := i - d; j >= 0 {
				if list[j].ends {
					before /= 2
				}
				score += before * weight[j] / float64(d)
			}
			if j := end - 1 + d; j < len(list) {
				if list[j-1].ends {
					after /= 2
				}
				score += after * weight[j] / float64(d)
			}
		}
		if score > best {
			best, first, last = score, list[i].first, list[end-1].last
		}
	}
	return first, last
}

// wordRune reports whether a rune is part of a word.
func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsNumber(r) }

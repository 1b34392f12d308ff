package eval

import (
	"fmt"
	"slices"
)

var (
	frequentSpan = Baseline{Name: "frequent_span"} // the most frequent span of training, everywhere
	gapSpan      = Baseline{Name: "gap_span"}      // the most frequent span between its two neighbours
)

// FrequentSpan fills every gap of a text with the span that was hidden most often in training
// between the same two neighbours; if there is none, after the same left neighbour, before the
// same right neighbour, or anywhere.
type FrequentSpan struct {
	best map[gap][]int32
}

// A gap has the neighbours of a span; any stands for every token.
type gap struct{ left, right int32 }

const anyToken = -2 // no token, and not what stands for none

// FitFrequentSpan counts the hidden spans of training. Of equally frequent ones it takes the
// shorter, then the one with lower ids.
func FitFrequentSpan(spans []Span) (*FrequentSpan, error) {
	if len(spans) == 0 {
		return nil, fmt.Errorf("frequent span: no spans to fit")
	}
	type counted struct {
		gap
		tokens []int32
	}
	m := &FrequentSpan{best: map[gap][]int32{}}
	var list []counted
	for _, s := range spans {
		for _, g := range gaps(s.Left, s.Right) {
			list = append(list, counted{g, s.Tokens})
		}
	}
	byTokens := func(a, b []int32) int {
		if n := len(a) - len(b); n != 0 {
			return n
		}
		return slices.Compare(a, b)
	}
	slices.SortFunc(list, func(a, b counted) int {
		if a.left != b.left {
			return int(a.left - b.left)
		}
		if a.right != b.right {
			return int(a.right - b.right)
		}
		return byTokens(a.tokens, b.tokens)
	})
	most := 0 // of the gap at i
	for i := 0; i < len(list); {
		end := i + 1
		for end < len(list) && list[end].gap == list[i].gap && slices.Equal(list[end].tokens, list[i].tokens) {
			end++
		}
		if i == 0 || list[i-1].gap != list[i].gap {
			most = 0
		}
		if end-i > most {
			most = end - i
			m.best[list[i].gap] = list[i].tokens
		}
		i = end
	}
	return m, nil
}

// gaps lists the kinds of gap that a gap with these neighbours belongs to, the most specific
// first.
func gaps(left, right int32) [4]gap {
	return [4]gap{{left, right}, {left, anyToken}, {anyToken, right}, {anyToken, anyToken}}
}

// Predict gives the span for a gap with these neighbours.
func (m *FrequentSpan) Predict(left, right int32) []int32 {
	for _, g := range gaps(left, right) {
		if tokens, ok := m.best[g]; ok {
			return tokens
		}
	}
	return nil // there are spans, so one of any gap is the best
}

// Anywhere gives the span that was hidden most often in training.
func (m *FrequentSpan) Anywhere() []int32 { return m.best[gap{anyToken, anyToken}] }

package eval

import "unicode/utf8"

var (
	randomChoice  = Baseline{Name: "random_choice"}
	longestChoice = Baseline{Name: "longest_choice"}
)

// RandomChoice gives the share of questions that a random choice gets right on average, question by
// question: one over the number of choices. It is computed, not drawn.
func RandomChoice(choices []int) []float64 {
	out := make([]float64, len(choices))
	for i, n := range choices {
		out[i] = 1 / float64(n)
	}
	return out
}

// LongestChoice gives the choice with the most characters, the first of equal ones.
func LongestChoice(choices []string) int {
	best, most := 0, -1
	for i, c := range choices {
		if n := utf8.RuneCountInString(c); n > most {
			best, most = i, n
		}
	}
	return best
}

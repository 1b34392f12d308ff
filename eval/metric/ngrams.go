package metric

import "strings"

// ngrams counts the n-grams of words, joined by blanks: words have none.
func ngrams(words []string, n int) map[string]int {
	counts := make(map[string]int, max(0, len(words)-n+1))
	for i := 0; i+n <= len(words); i++ {
		counts[strings.Join(words[i:i+n], " ")]++
	}
	return counts
}

// shared counts the n-grams that two texts have in common, each as often as both have it.
func shared(a, b map[string]int) int {
	sum := 0
	for gram, n := range a {
		sum += min(n, b[gram])
	}
	return sum
}

func total(counts map[string]int) int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum
}

package data

import "testing"

// Of two texts that are too long the longer one loses tokens first, as with "longest_first" of
// Hugging Face's tokenizers 0.23.3, which gave these numbers.
func TestLongestFirst(t *testing.T) {
	for _, c := range []struct{ n, m, room, a, b int }{
		{3, 4, 10, 3, 4}, {3, 4, 7, 3, 4}, {3, 9, 10, 3, 7}, {9, 3, 10, 7, 3}, {9, 9, 10, 5, 5},
		{9, 9, 11, 5, 6}, {12, 9, 11, 6, 5}, {9, 12, 11, 5, 6}, {5, 9, 10, 5, 5}, {0, 9, 4, 0, 4},
	} {
		if a, b := longestFirst(c.n, c.m, c.room); a != c.a || b != c.b {
			t.Errorf("%d and %d in %d: %d and %d, want %d and %d", c.n, c.m, c.room, a, b, c.a, c.b)
		}
	}
}

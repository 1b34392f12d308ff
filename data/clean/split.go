package clean

import "slices"

// Split is one of the splits of a corpus.
type Split int

const (
	Train Split = iota
	Validation
	Test
)

// Shares are the held-out shares of a corpus, each from 0 to 1; the rest is the
// training split.
type Shares struct {
	Validation, Test float64
}

// Assign gives the split of a cluster by its key (see Key). The same key gets the same
// split on every machine, whatever else the corpus holds. All members of a cluster
// must be given the key of its first one.
func (s Shares) Assign(key uint64) Split {
	// Keys are hashes, but their low bits are used elsewhere: mix again.
	u := float64(mix(key+0x5bf0363546a9d7c1)>>11) / (1 << 53)
	switch {
	case u < s.Test:
		return Test
	case u < s.Test+s.Validation:
		return Validation
	}
	return Train
}

// Overlap returns how many distinct word n-grams the held-out texts have, and
// how many of those the training texts have too.
func Overlap(train, held []string, n int) (shared, distinct int) {
	var grams []uint64
	for _, t := range held {
		grams = ngrams(grams, t, n)
	}
	slices.Sort(grams)
	grams = slices.Compact(grams)
	index := make(map[uint64]int32, len(grams))
	for i, g := range grams {
		index[g] = int32(i)
	}
	seen := make([]bool, len(grams))
	var buf []uint64
	for _, t := range train {
		buf = ngrams(buf[:0], t, n)
		for _, g := range buf {
			if i, ok := index[g]; ok && !seen[i] {
				seen[i] = true
				shared++
			}
		}
	}
	return shared, len(grams)
}

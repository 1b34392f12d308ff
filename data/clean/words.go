package clean

import (
	"unicode"
	"unicode/utf8"
)

// words calls yield with the 64-bit hash of each word of text: a maximal run of
// letters and digits, in lower case. What stands between words does not count,
// so that wrapping, quotes and punctuation make no difference.
func words(text string, yield func(hash uint64)) {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	h, in := uint64(offset), false
	var buf [utf8.UTFMax]byte
	for _, r := range text {
		if r < utf8.RuneSelf {
			switch {
			case 'a' <= r && r <= 'z' || '0' <= r && r <= '9':
			case 'A' <= r && r <= 'Z':
				r += 'a' - 'A'
			default:
				if in {
					yield(mix(h))
					h, in = offset, false
				}
				continue
			}
			h = (h ^ uint64(r)) * prime
			in = true
			continue
		}
		// A combining mark belongs to its letter: Devanagari and Thai words
		// would fall apart without it.
		if !unicode.In(r, unicode.L, unicode.N, unicode.M) {
			if in {
				yield(mix(h))
				h, in = offset, false
			}
			continue
		}
		for _, b := range buf[:utf8.EncodeRune(buf[:], unicode.ToLower(r))] {
			h = (h ^ uint64(b)) * prime
		}
		in = true
	}
	if in {
		yield(mix(h))
	}
}

// mix spreads a 64-bit value over all its bits (the finaliser of SplitMix64).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Key is the hash of the words of a text in their order: texts that differ in
// case, space or punctuation alone have the same key, on every machine.
func Key(text string) uint64 {
	k := uint64(keyStart)
	words(text, func(h uint64) { k = mix(k*3 + h) })
	return k
}

const keyStart = 0x9e3779b97f4a7c15

// keyOf is the Key of a text whose words are given.
func keyOf(words []uint64) uint64 {
	k := uint64(keyStart)
	for _, h := range words {
		k = mix(k*3 + h)
	}
	return k
}

// ngrams appends the hash of each run of n words, and for a text of fewer
// words the one hash of all of them.
func ngrams(dst []uint64, text string, n int) []uint64 {
	start := len(dst)
	words(text, func(h uint64) { dst = append(dst, h) })
	return dst[:start+len(grams(dst[start:], n))]
}

// grams turns the hashes of words into those of runs of n words, in their place.
func grams(w []uint64, n int) []uint64 {
	if len(w) == 0 {
		return w
	}
	last := max(len(w)-n, 0)
	for i := 0; i <= last; i++ {
		k := uint64(n)
		for _, h := range w[i:min(i+n, len(w))] {
			k = mix(k*3 + h)
		}
		w[i] = k // w[i] itself is not read again
	}
	return w[:last+1]
}

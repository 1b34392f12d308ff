package data

import (
	"math"
	"math/bits"
)

// rounds of the Feistel network below. 8 are too few: with them, the 120 orders of 5
// elements are not equally frequent.
const rounds = 12

// A permutation of 0 ≤ i < n that is computed, not stored: a Feistel network over
// Z_a×Z_b, a·b ≥ n (Black & Rogaway 2002), applied until the result is below n. Each
// seed, epoch and purpose has an order of its own.
type permutation struct {
	n, a, b uint64
	keys    [rounds]uint64
}

// newPermutation makes a permutation, which is the identity if shuffle is false.
func newPermutation(n int64, shuffle bool, key ...uint64) permutation {
	p := permutation{n: uint64(n)}
	if !shuffle || n < 2 {
		return p
	}
	p.a = uint64(math.Ceil(math.Sqrt(float64(n))))
	p.b = (p.n + p.a - 1) / p.a // a·b < n + a: walking is rare
	h := keyOf(key...)
	for i := range p.keys {
		p.keys[i] = mix(h + uint64(i+1)*golden)
	}
	return p
}

const golden = 0x9e3779b97f4a7c15 // 2⁶⁴ over the golden ratio

// keyOf makes one key of several numbers.
func keyOf(numbers ...uint64) uint64 {
	h := uint64(0)
	for _, n := range numbers {
		h = mix(h ^ mix(n+golden))
	}
	return h
}

// bounded turns a random number into one from 0 to n-1.
func bounded(random uint64, n int) int {
	h, _ := bits.Mul64(random, uint64(n))
	return int(h)
}

// at gives the element at position i.
func (p *permutation) at(i int64) int64 {
	if p.a == 0 {
		return i
	}
	x := uint64(i)
	for {
		l, r := x/p.b, x%p.b
		for k := 0; k < rounds; k += 2 {
			h, _ := bits.Mul64(mix(p.keys[k]^r), p.a)
			if l += h; l >= p.a {
				l -= p.a
			}
			h, _ = bits.Mul64(mix(p.keys[k+1]^l), p.b)
			if r += h; r >= p.b {
				r -= p.b
			}
		}
		if x = l*p.b + r; x < p.n {
			return int64(x)
		}
	}
}

// mix is the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

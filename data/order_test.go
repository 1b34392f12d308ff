package data

import (
	"fmt"
	"math"
	"testing"
)

func TestPermutationIsABijection(t *testing.T) {
	sizes := []int64{0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 97, 100, 127, 128, 1009, 4096, 65535, 65536, 65537, 99991, 1_000_000}
	for n := int64(18); n < 90; n++ {
		sizes = append(sizes, n)
	}
	for _, n := range sizes {
		for epoch := range uint64(3) {
			if n > 100_000 && epoch > 0 {
				break
			}
			p := newPermutation(n, true, 42, epoch)
			seen := make([]bool, n)
			for i := range n {
				x := p.at(i)
				if x < 0 || x >= n || seen[x] {
					t.Fatalf("n=%d, epoch %d: position %d gives %d: outside, or a second time", n, epoch, i, x)
				}
				seen[x] = true
			}
		}
	}
}

// chi2 is Pearson's statistic of counts that should all be equal.
func chi2(counts []int) (statistic, limit float64) {
	total := 0
	for _, c := range counts {
		total += c
	}
	want := float64(total) / float64(len(counts))
	for _, c := range counts {
		statistic += (float64(c) - want) * (float64(c) - want) / want
	}
	df := float64(len(counts) - 1)
	// 4 standard deviations by the Wilson–Hilferty approximation: p < 1e-4.
	z := 1 - 2/(9*df) + 4*math.Sqrt(2/(9*df))
	return statistic, df * z * z * z
}

// Over seeds, each element is as often at each position, and small sizes take on
// each order as often.
func TestPermutationIsEven(t *testing.T) {
	for _, n := range []int64{2, 3, 5, 16, 31} {
		counts := make([]int, n*n)
		for seed := range uint64(5000) {
			p := newPermutation(n, true, seed, 7)
			for i := range n {
				counts[i*n+p.at(i)]++
			}
		}
		if x, limit := chi2(counts); x > limit {
			t.Errorf("n=%d: chi-square of positions %.0f, limit %.0f", n, x, limit)
		}
	}
	for n, orders := range map[int64]int{2: 2, 3: 6, 4: 24, 5: 120} {
		counts := map[string]int{}
		for epoch := range uint64(24000) {
			p := newPermutation(n, true, 1, epoch)
			s := ""
			for i := range n {
				s += fmt.Sprint(p.at(i))
			}
			counts[s]++
		}
		var list []int
		for _, c := range counts {
			list = append(list, c)
		}
		if x, limit := chi2(list); len(list) != orders || x > limit {
			t.Errorf("n=%d: %d orders of %d, chi-square %.0f, limit %.0f", n, len(list), orders, x, limit)
		}
	}
}

// One large permutation: where the elements of a stretch of positions come from, how
// far apart neighbours land, and the correlations between neighbours and between epochs.
func TestPermutationLooksRandom(t *testing.T) {
	const n = 200_000
	p, q := newPermutation(n, true, 3, 0), newPermutation(n, true, 3, 1)
	const k = 40
	place, step := make([]int, k*k), make([]int, k)
	correlation := func(y func(i int64) int64) float64 {
		sum := 0.0
		for i := range int64(n - 1) {
			sum += (float64(p.at(i))/n - 0.5) * (float64(y(i))/n - 0.5)
		}
		return sum * 12 / math.Sqrt(n) // standard normal for a random order
	}
	for i := range int64(n) {
		x := p.at(i)
		place[i*k/n*k+x*k/n]++
		if i > 0 {
			d := (x - p.at(i-1) + n) % n
			step[d*k/n]++
		}
	}
	if x, limit := chi2(place); x > limit {
		t.Errorf("chi-square of places %.0f, limit %.0f", x, limit)
	}
	if x, limit := chi2(step); x > limit {
		t.Errorf("chi-square of steps %.0f, limit %.0f", x, limit)
	}
	for name, y := range map[string]func(i int64) int64{
		"neighbours":      func(i int64) int64 { return p.at(i + 1) },
		"position":        func(i int64) int64 { return i },
		"the next epoch":  q.at,
		"its next column": func(i int64) int64 { return p.at((i + int64(p.b)) % n) },
	} {
		if z := correlation(y); math.Abs(z) > 4 {
			t.Errorf("correlation with %s: %.1f standard deviations", name, z)
		}
	}
}

func TestNoShuffleKeepsTheOrder(t *testing.T) {
	p := newPermutation(10, false, 1, 2)
	for i := range int64(10) {
		if p.at(i) != i {
			t.Errorf("position %d gives %d", i, p.at(i))
		}
	}
}

func BenchmarkPermutation(b *testing.B) {
	p := newPermutation(1_000_000, true, 1, 2)
	for i := 0; b.Loop(); i++ {
		p.at(int64(i % 1_000_000))
	}
}

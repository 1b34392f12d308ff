package eval

import (
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec/cpu"
)

// TestIndex compares a search with a plain one, over a block that is full and one that is not, for any number of threads.
func TestIndex(t *testing.T) {
	const n, width, k = vectorsOfBlock + 300, 20, 7
	r := rand.New(rand.NewPCG(1, 2))
	vector := func() []float32 {
		v := make([]float32, width)
		for i := range v {
			v[i] = float32(r.NormFloat64())
		}
		return v
	}
	var vectors, queries [][]float32
	for range n {
		vectors = append(vectors, vector())
	}
	vectors[n-1] = vectors[5] // equal ones
	for range queriesTogether + 3 {
		queries = append(queries, vector())
	}
	queries[0] = vectors[5]
	var first [][]Hit
	for threads := 1; threads <= 2; threads++ {
		dev, err := cpu.New(cpu.Options{Threads: threads})
		if err != nil {
			t.Fatal(err)
		}
		defer dev.Close()
		x := NewIndex(dev, width)
		for _, v := range vectors {
			if err := x.Add(v); err != nil {
				t.Fatal(err)
			}
		}
		got, err := x.Search(queries, k)
		if err != nil {
			t.Fatal(err)
		}
		if threads == 1 {
			first = got
		}
		for i, q := range queries {
			if !slices.Equal(got[i], first[i]) {
				t.Errorf("query %d: %v with %d threads, %v with 1", i, got[i], threads, first[i])
			}
			unit, err := appendUnit(nil, q)
			if err != nil {
				t.Fatal(err)
			}
			var all []Hit
			for j, v := range vectors {
				v, err := appendUnit(nil, v)
				if err != nil {
					t.Fatal(err)
				}
				dot := 0.0
				for e := range v {
					dot += float64(v[e]) * float64(unit[e])
				}
				all = append(all, Hit{j, dot})
			}
			slices.SortStableFunc(all, func(a, b Hit) int {
				switch {
				case a.Score > b.Score+1e-6:
					return -1
				case b.Score > a.Score+1e-6:
					return 1
				}
				return 0
			})
			for j, h := range got[i] {
				if h.Number != all[j].Number || h.Score < all[j].Score-1e-5 || h.Score > all[j].Score+1e-5 {
					t.Errorf("query %d: number %d is %v, want %v", i, j, h, all[j])
				}
			}
		}
		// Of one query the bits are those of many.
		one, err := x.Search(queries[3:4], k)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(one[0], got[3]) {
			t.Errorf("%v alone, %v among others", one[0], got[3])
		}
	}
	x := NewIndex(nil, 2)
	if x.Add([]float32{0, 0}) == nil || x.Add([]float32{1}) == nil {
		t.Error("a vector without a direction, or of another width, is taken")
	}
}

// BenchmarkIndex says how fast the memory of vectors is read, a query at a time.
func BenchmarkIndex(b *testing.B) {
	const n, width = 1 << 17, 384
	dev, err := cpu.New(cpu.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer dev.Close()
	x := NewIndex(dev, width)
	r := rand.New(rand.NewPCG(1, 2))
	v := make([]float32, width)
	for range n {
		for i := range v {
			v[i] = r.Float32() - 0.5
		}
		if err := x.Add(v); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(n * width * 4)
	for b.Loop() {
		if _, err := x.Search([][]float32{v}, 10); err != nil {
			b.Fatal(err)
		}
	}
}

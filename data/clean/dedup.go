// Package clean filters the texts of a corpus, finds exact and near duplicates,
// assigns texts to splits so that near duplicates stay in one split, and measures the
// overlap that remains. All results depend on the texts and the options alone, not on
// the machine, the number of threads or the run.
package clean

import (
	"context"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Options of near-duplicate detection. The zero value takes the defaults.
type Options struct {
	// Threshold is the least Jaccard similarity of the sets of word n-grams
	// at which two texts count as near duplicates; 0: 0.7. It is below the usual
	// 0.8, so that a pair at 0.8 is found whatever definition of a word its
	// similarity was computed with.
	Threshold float64
	NGram     int    // words per n-gram; 0: 3
	Seed      uint64 // of the hash functions
}

// The signature is cut into bands of rows: a pair of similarity s becomes a
// candidate with probability 1-(1-s^rows)^bands. At 32 bands of 4 rows that is
// 0.9999 for s = 0.7 and 0.9999999 for 0.8. The exact similarity then removes the many
// candidates that are less similar.
const (
	bands = 32
	rows  = 4
)

// Duplicates are the clusters of texts that repeat each other.
type Duplicates struct {
	// Cluster holds for each text the index of the first text of its cluster; a
	// text without duplicates has its own index. Clusters are transitive: where a
	// is near b and b is near c, all three are in one cluster.
	Cluster []int
	Exact   int // texts that repeat the words of an earlier one
	Near    int // other texts that are not the first of their cluster
}

// Find clusters the exact and near duplicates of texts: MinHash signatures of
// the word n-grams, locality-sensitive hashing by bands, and the exact Jaccard
// similarity of each candidate pair. progress counts texts and may be nil.
func Find(ctx context.Context, texts []string, opt Options, progress func(done, total int64)) (Duplicates, error) {
	if opt.Threshold == 0 {
		opt.Threshold = 0.7
	}
	if opt.NGram == 0 {
		opt.NGram = 3
	}
	d := Duplicates{Cluster: make([]int, len(texts))}
	sets := make([][]uint64, len(texts))           // sorted n-gram hashes; nil: exact duplicate
	signature := make([][bands]uint64, len(texts)) // a hash for each band

	first := make(map[uint64]int, len(texts))
	for i, t := range texts {
		k := Key(t)
		if j, ok := first[k]; ok {
			d.Cluster[i] = j
			d.Exact++
		} else {
			first[k] = i
			d.Cluster[i] = i
		}
	}

	var seeds [bands * rows]uint64
	for i := range seeds {
		seeds[i] = mix(opt.Seed + uint64(i+1)*0x9e3779b97f4a7c15)
	}
	total := int64(len(texts))
	var mu sync.Mutex
	err := parallel(ctx, len(texts), func(i int) {
		if d.Cluster[i] == i {
			s := ngrams(nil, texts[i], opt.NGram)
			slices.Sort(s)
			sets[i] = slices.Clip(slices.Compact(s))
			signature[i] = sign(sets[i], &seeds)
		}
		if progress != nil && i%1024 == 0 {
			mu.Lock()
			progress(int64(i), total)
			mu.Unlock()
		}
	})
	if err != nil {
		return Duplicates{}, err
	}

	// Candidates of a band are adjacent when sorted by the band's hash. Each is
	// compared with all members of the cluster so far, because any of them may be
	// the near one. A bucket of boilerplate stays cheap: pairs that are in one
	// cluster already are not compared.
	type entry struct {
		hash uint64
		text int32
	}
	order := make([]entry, 0, len(texts))
	for b := range bands {
		if err := ctx.Err(); err != nil {
			return Duplicates{}, err
		}
		order = order[:0]
		for i := range texts {
			if len(sets[i]) > 0 {
				order = append(order, entry{signature[i][b], int32(i)})
			}
		}
		slices.SortFunc(order, func(x, y entry) int {
			switch {
			case x.hash < y.hash:
				return -1
			case x.hash > y.hash:
				return 1
			}
			return int(x.text - y.text)
		})
		for lo := 0; lo < len(order); {
			hi := lo + 1
			for hi < len(order) && order[hi].hash == order[lo].hash {
				hi++
			}
			for x := lo; x < hi; x++ {
				for y := x + 1; y < hi; y++ {
					i, j := int(order[x].text), int(order[y].text)
					if find(d.Cluster, i) == find(d.Cluster, j) {
						continue
					}
					if jaccard(sets[i], sets[j]) >= opt.Threshold {
						union(d.Cluster, i, j)
					}
				}
			}
			lo = hi
		}
	}
	for i := range d.Cluster {
		d.Cluster[i] = find(d.Cluster, i)
		if d.Cluster[i] != i {
			d.Near++
		}
	}
	d.Near -= d.Exact
	if progress != nil {
		progress(total, total)
	}
	return d, nil
}

// sign returns a hash for each band of the MinHash signature of a set.
func sign(set []uint64, seeds *[bands * rows]uint64) (sig [bands]uint64) {
	var low [bands * rows]uint64
	for i := range low {
		low[i] = math.MaxUint64
	}
	for _, h := range set {
		for i, s := range seeds {
			// Multiply-shift after xor: n-gram hashes are mixed already.
			if v := (h ^ s) * (s | 1); v < low[i] {
				low[i] = v
			}
		}
	}
	for b := range sig {
		k := uint64(b)
		for _, v := range low[b*rows : (b+1)*rows] {
			k = mix(k*3 + v)
		}
		sig[b] = k
	}
	return sig
}

// Similarity returns the Jaccard similarity of the sets of word n-grams of two
// texts, 0 when both are without words.
func Similarity(a, b string, n int) float64 {
	x, y := ngrams(nil, a, n), ngrams(nil, b, n)
	slices.Sort(x)
	slices.Sort(y)
	return jaccard(slices.Compact(x), slices.Compact(y))
}

// jaccard takes sorted sets.
func jaccard(a, b []uint64) float64 {
	both, i, j := 0, 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			both++
			i++
			j++
		}
	}
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}

// find returns the root of i, halving the path. Roots are least members, so
// the result does not depend on the order of unions.
func find(parent []int, i int) int {
	for parent[i] != i {
		parent[i] = parent[parent[i]]
		i = parent[i]
	}
	return i
}

func union(parent []int, i, j int) {
	i, j = find(parent, i), find(parent, j)
	parent[max(i, j)] = min(i, j)
}

// parallel runs do(0) … do(n-1) on all processors.
func parallel(ctx context.Context, n int, do func(i int)) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// An Index finds the nearest of many vectors, by cosine. It compares a query with all of them: results are exact, and
// have the same bits for any number of threads. It is for one goroutine.
type Index struct {
	dev    exec.Device
	width  int
	blocks []block
	rows   []float32 // of the last block, which is not full
	n      int
	scores []float32
}

// A block has some of the vectors, in the form that products read.
type block struct {
	mem  *exec.Memory
	n    int
	runs map[int]*exec.Executor // by the number of queries
}

const (
	vectorsOfBlock  = 1 << 14 // whose scores stay in the cache of a core
	queriesTogether = 32
)

// NewIndex is one of vectors of a width.
func NewIndex(dev exec.Device, width int) *Index { return &Index{dev: dev, width: width} }

// Len is the number of vectors.
func (x *Index) Len() int { return x.n }

// Add adds a vector, which has the next number. It need not have length 1.
func (x *Index) Add(v []float32) error {
	if len(v) != x.width {
		return fmt.Errorf("eval: a vector of %d numbers beside others of %d", len(v), x.width)
	}
	var err error
	if x.rows, err = appendUnit(x.rows, v); err != nil {
		return err
	}
	if x.n++; len(x.rows) == vectorsOfBlock*x.width {
		return x.seal()
	}
	return nil
}

// appendUnit appends a vector, made to length 1.
func appendUnit(dst, v []float32) ([]float32, error) {
	norm := 0.0
	for _, e := range v {
		norm += float64(e) * float64(e)
	}
	if !(norm > 0) || math.IsInf(norm, 0) {
		return nil, errors.New("eval: a vector without a direction: its numbers are all 0, or not finite")
	}
	norm = math.Sqrt(norm)
	for _, e := range v {
		dst = append(dst, float32(float64(e)/norm))
	}
	return dst, nil
}

// Cosine is that of two vectors of one length.
func Cosine(a, b []float32) (float64, error) {
	unit, err := appendUnit(nil, a)
	if err != nil {
		return 0, err
	}
	if unit, err = appendUnit(unit, b); err != nil {
		return 0, err
	}
	cosine := 0.0
	for k, v := range unit[:len(a)] {
		cosine += float64(v) * float64(unit[len(a)+k])
	}
	return cosine, nil
}

// seal makes a block of the rows that there are.
func (x *Index) seal() error {
	b := block{n: len(x.rows) / x.width, runs: map[int]*exec.Executor{}}
	_, l, err := x.program(b.n, 1)
	if err != nil {
		return err
	}
	p := l.Params[0]
	values := x.rows
	if p.Form != exec.Rows {
		values = make([]float32, p.Form.Elems(p.Shape))
		exec.Pack(p.Form, p.Shape, values, x.rows)
	}
	b.mem = exec.NewMemory(x.dev, l.Bytes, 0, 0)
	if err := exec.Set(b.mem, exec.Param, p.Offset, values); err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	x.blocks, x.rows = append(x.blocks, b), x.rows[:0]
	return nil
}

// program compares queries with the n vectors of a block.
func (x *Index) program(n, queries int) (*exec.Program, *exec.Layout, error) {
	b := graph.New(fmt.Sprintf("search N=%d Q=%d", n, queries), exec.F32)
	b.Freeze(func(string) bool { return true })
	b.Pack()
	w := b.Param("vectors", graph.Init{}, n, x.width)
	y := b.Linear(b.Input("queries", exec.F32, queries, x.width), w, nil, false)
	if err := b.Err(); err != nil {
		return nil, nil, fmt.Errorf("eval: %w", err)
	}
	l := exec.NewLayout(exec.F32, b.Params())
	p, err := b.Lower(l, graph.Outputs{Named: []graph.Named{{Name: "scores", Node: y}}})
	if err != nil {
		return nil, nil, fmt.Errorf("eval: %w", err)
	}
	return p, l, nil
}

// A Hit is a vector that was found.
type Hit struct {
	Number int     // from 0, in the order in which vectors were added
	Score  float64 // a cosine, where it was found by that
}

// Search gives for each query the k nearest vectors, the nearest first; of equal ones the one with the lower number.
func (x *Index) Search(queries [][]float32, k int) ([][]Hit, error) {
	if len(x.rows) > 0 {
		if err := x.seal(); err != nil {
			return nil, err
		}
	}
	found := make([][]Hit, len(queries))
	for first := 0; first < len(queries); first += queriesTogether {
		some := queries[first:min(first+queriesTogether, len(queries))]
		var q []float32
		for _, v := range some {
			if len(v) != x.width {
				return nil, fmt.Errorf("eval: a query of %d numbers, and vectors of %d", len(v), x.width)
			}
			var err error
			if q, err = appendUnit(q, v); err != nil {
				return nil, err
			}
		}
		at := 0
		for i := range x.blocks {
			b := &x.blocks[i]
			if err := x.score(b, q, len(some)); err != nil {
				return nil, err
			}
			for j := range some {
				found[first+j] = nearest(found[first+j], x.scores[j*b.n:(j+1)*b.n], at, k)
			}
			at += b.n
		}
	}
	return found, nil
}

// score fills the scores (queries, n) of a block.
func (x *Index) score(b *block, q []float32, queries int) error {
	run := b.runs[queries]
	if run == nil {
		p, _, err := x.program(b.n, queries)
		if err != nil {
			return err
		}
		if run, err = exec.NewExecutor(b.mem, p); err != nil {
			return fmt.Errorf("eval: %w", err)
		}
		b.runs[queries] = run
	}
	x.scores = slices.Grow(x.scores[:0], queries*b.n)[:queries*b.n]
	err := exec.Feed(run, "queries", q)
	if err == nil {
		err = run.Run()
	}
	if err == nil {
		err = exec.Read(run, "scores", x.scores)
	}
	if err != nil {
		return fmt.Errorf("eval: %w", err)
	}
	return nil
}

// nearest adds those of scores to the k best so far, which are sorted. The first score has number first.
func nearest(best []Hit, scores []float32, first, k int) []Hit {
	least := float32(math.Inf(-1))
	if len(best) >= k {
		least = float32(best[k-1].Score)
	}
	for i, s := range scores {
		if len(best) >= k && !(s > least) { // of equal ones, those before
			continue
		}
		at, _ := slices.BinarySearchFunc(best, float64(s), func(h Hit, s float64) int {
			if h.Score >= s {
				return -1
			}
			return 1
		})
		best = slices.Insert(best, at, Hit{first + i, float64(s)})
		if len(best) > k {
			best = best[:k]
		}
		if len(best) == k {
			least = float32(best[k-1].Score)
		}
	}
	return best
}

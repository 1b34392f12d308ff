package cpu

import (
	"math"
	"math/rand/v2"
	"testing"
)

func naiveColSum(x []float64, rows, c int) []float64 {
	y := make([]float64, c)
	for i, v := range x {
		y[i%c] += v
	}
	return y
}

// The lanes are what the documentation says: i%16, then one tree.
func TestLanes(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 22))
	for n := range 100 {
		x, y := fill[float32](r, n), fill[float32](r, n)
		var s, p [16]float32
		top := float32(math.Inf(-1))
		for i := range x {
			s[i%16] += x[i]
			p[i%16] += float32(x[i] * y[i])
			top = max(top, x[i])
		}
		for half := 8; half >= 1; half /= 2 {
			for i := range half {
				s[i] += s[i+half]
				p[i] += p[i+half]
			}
		}
		if got := sumOf(x); got != s[0] {
			t.Errorf("sum of %d: %v, want %v", n, got, s[0])
		}
		if got := dotOf(x, y); got != p[0] {
			t.Errorf("dot of %d: %v, want %v", n, got, p[0])
		}
		if got := maxOf(x); got != top {
			t.Errorf("max of %d: %v, want %v", n, got, top)
		}
		// In blocks of 16, the same.
		var l lanes[float32]
		for i := 0; i < n; i += 16 {
			l.sum(x[i:min(n, i+16)])
		}
		if got := l.tree(); got != s[0] {
			t.Errorf("sum of %d in blocks: %v, want %v", n, got, s[0])
		}
	}
}

package cpu

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestFMA32(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		a := float32(r.NormFloat64())
		b := float32(r.NormFloat64())
		c := float32(r.NormFloat64() * math.Pow(2, float64(r.IntN(60)-30)))
		if r.IntN(3) == 0 { // near halfway cases
			c = float32(-float64(a) * float64(b) * (1 + 1e-7*r.Float64()))
		}
		p := new(big.Float).SetPrec(300).Mul(big.NewFloat(float64(a)), big.NewFloat(float64(b)))
		want, _ := p.Add(p, big.NewFloat(float64(c))).Float32()
		if got := fma32(a, b, c); got != want {
			t.Fatalf("fma32(%v,%v,%v) = %v, want %v", a, b, c, got, want)
		}
	}
}

// chain is the definition of a matrix product's element.
func chain[T float](k *kernels, sum, a, b T) T {
	if isF32[T]() && k.micro != nil {
		return T(fma32(float32(a), float32(b), float32(sum)))
	}
	return sum + T(a*b)
}

func fill[T float](r *rand.Rand, n int) []T {
	s := make([]T, n)
	for i := range s {
		s[i] = T(r.NormFloat64())
	}
	return s
}

// everyKernels runs a test for each kernel set, skipping those the processor lacks.
func everyKernels(t *testing.T, f func(t *testing.T, k *kernels)) {
	for _, name := range []string{"generic", "avx2", "avx512"} {
		t.Run(name, func(t *testing.T) {
			k, err := findKernels(name)
			if err != nil {
				t.Skip(err)
			}
			f(t, k)
		})
	}
}

// oneGoroutine skips, in short mode, a test of numbers that a single goroutine computes: the race
// detector, which runs in that mode, finds nothing there, and takes minutes.
func oneGoroutine(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("one goroutine computes these numbers: not in short mode")
	}
}

func testGemm[T float](t *testing.T, k *kernels, r *rand.Rand, m, n, kk int, transA, transB, acc bool) {
	t.Helper()
	ar, ac, br, bc := m, kk, kk, n
	if transA {
		ar, ac = kk, m
	}
	if transB {
		br, bc = n, kk
	}
	lda, ldb, ldc := ac+r.IntN(4), bc+r.IntN(4), n+r.IntN(4)
	a, b := fill[T](r, ar*lda), fill[T](r, br*ldb)
	c := fill[T](r, m*ldc)
	want := append([]T(nil), c...)
	for i := range m {
		for j := range n {
			var sum T
			if acc {
				sum = c[i*ldc+j]
			}
			for p := range kk {
				x, y := a[min(i*lda+p, len(a)-1)], b[min(p*ldb+j, len(b)-1)]
				if transA {
					x = a[p*lda+i]
				}
				if transB {
					y = b[j*ldb+p]
				}
				sum = chain(k, sum, x, y)
			}
			want[i*ldc+j] = sum
		}
	}
	gemm(k, &scratch{}, transA, transB, m, n, kk, a, lda, b, ldb, c, ldc, acc)
	for i := range c {
		if c[i] != want[i] {
			t.Fatalf("m=%d n=%d k=%d transA=%v transB=%v accumulate=%v: element (%d,%d) of (%d,%d) is %v, want %v",
				m, n, kk, transA, transB, acc, i/ldc, i%ldc, m, ldc, c[i], want[i])
		}
	}
}

// Every element is bit for bit the chain that the package documents.
func TestGemmIsOneChain(t *testing.T) {
	oneGoroutine(t)
	everyKernels(t, func(t *testing.T, k *kernels) {
		r := rand.New(rand.NewPCG(3, 4))
		sizes := [][3]int{{1, 1, 1}, {1, 1000, 37}, {13, 33, 800}, {100, 8, 8}, {7, 97, 390}, {25, 100, 1}, {3, 5, 0}}
		for range 40 {
			sizes = append(sizes, [3]int{1 + r.IntN(40), 1 + r.IntN(70), 1 + r.IntN(90)})
		}
		for _, s := range sizes {
			for mode := range 8 {
				testGemm[float32](t, k, r, s[0], s[1], s[2], mode&1 != 0, mode&2 != 0, mode&4 != 0)
			}
			testGemm[float64](t, k, r, s[0], s[1], s[2], r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(2) == 0)
		}
	})
}

// benchGemm reports the best iteration, as other work on the machine disturbs the mean,
// and its share of the processor's FMA peak on as many threads.
func benchGemm(b *testing.B, kernels string, threads, m, kk, n, mode int) {
	bf16 := strings.Contains(kernels, "+")
	d, err := New(Options{Threads: threads, Kernels: kernels, BF16: bf16})
	if err != nil {
		b.Fatal(err)
	}
	defer d.Close()
	transA, transB := mode == 2, mode == 1
	j := &gemmJob[float32]{transA: transA, transB: transB, m: m, n: n, k: kk, lda: kk, ldb: n, ldc: n, bf16: bf16}
	if transA {
		j.lda = m
	}
	if transB {
		j.ldb = kk
	}
	r := rand.New(rand.NewPCG(1, 2))
	ab, bb, cb := operand(b, d, fill[float32](r, m*kk)), operand(b, d, fill[float32](r, kk*n)), operand(b, d, make([]float32, m*n))
	fastest := math.Inf(1)
	for b.Loop() {
		start := time.Now()
		j.a, j.b, j.c = view[float32](ab), view[float32](bb), view[float32](cb)
		j.start(d)
		fastest = min(fastest, time.Since(start).Seconds())
	}
	gflops := 2 * float64(m) * float64(n) * float64(kk) / fastest / 1e9
	peak := d.PeakFLOPS(threads)
	if bf16 {
		peak = d.PeakBF16(threads)
	}
	b.ReportMetric(gflops, "GFLOP/s")
	b.ReportMetric(100*gflops/peak, "%peak")
}

func BenchmarkGemm(b *testing.B) {
	for _, s := range [][3]int{{1024, 768, 3072}, {2048, 384, 1536}, {384, 8192, 1536}, {256, 256, 256}, {64, 64, 64}, {64, 32, 64}, {128, 32, 128}, {128, 128, 64}, {64, 256, 1024}, {1, 384, 1536}} {
		for mode, name := range []string{"NN", "NT", "TN"} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%dx%dx%d/%s/threads=%d", s[0], s[1], s[2], name, threads), func(b *testing.B) {
					benchGemm(b, "", threads, s[0], s[1], s[2], mode)
				})
			}
		}
	}
}

// BenchmarkConfigs is every matrix product of the standard configurations' linear layers;
// testdata/openblas.py times another library at the same ones.
func BenchmarkConfigs(b *testing.B) {
	for _, c := range []struct {
		name       string
		rows, c, v int
	}{{"nano", 768, 128, 65}, {"char", 8192, 384, 65}, {"small", 4096, 512, 8192}, {"gpt2", 1024, 768, 50257}} {
		for _, l := range []struct {
			name string
			k, n int
		}{{"qkv", c.c, 3 * c.c}, {"proj", c.c, c.c}, {"up", c.c, 4 * c.c}, {"down", 4 * c.c, c.c}, {"head", c.c, c.v}} {
			forward, dx, m, n := 1, 0, l.n, l.k
			if c.name == "gpt2" && l.name != "head" { // GPT-2 keeps (in,out)
				forward, dx, m, n = 0, 1, l.k, l.n
			}
			for _, threads := range []int{1, 2} {
				name := fmt.Sprintf("%s/%s/threads=%d/", c.name, l.name, threads)
				b.Run(name+"forward", func(b *testing.B) { benchGemm(b, "", threads, c.rows, l.k, l.n, forward) })
				b.Run(name+"dx", func(b *testing.B) { benchGemm(b, "", threads, c.rows, l.n, l.k, dx) })
				b.Run(name+"dw", func(b *testing.B) { benchGemm(b, "", threads, m, c.rows, n, 2) })
			}
		}
	}
}

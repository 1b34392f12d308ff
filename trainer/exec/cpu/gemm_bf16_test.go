package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// flushed is x, or a zero of its sign where it is subnormal.
func flushed(x float32) float32 {
	if b := math.Float32bits(x); b&0x7f800000 == 0 {
		return math.Float32frombits(b & 0x80000000)
	}
	return x
}

func fromBF16(x uint16) float32 { return flushed(math.Float32frombits(uint32(x) << 16)) }

// fmaFlushed is a fused multiply-add that takes and gives zeros for subnormals.
func fmaFlushed(a, b uint16, c float32) float32 {
	return flushed(fma32(fromBF16(a), fromBF16(b), flushed(c)))
}

// dots is what each instruction does with 32 k.
var dots = map[string]func(sum float32, a, b []uint16) float32{
	"amx": func(sum float32, a, b []uint16) float32 {
		var even, odd float32
		for p := 0; p < tileK; p += 2 {
			even = fmaFlushed(a[p], b[p], even)
			odd = fmaFlushed(a[p+1], b[p+1], odd)
		}
		return flushed(flushed(sum) + flushed(even+odd))
	},
	"vdpbf16ps": func(sum float32, a, b []uint16) float32 {
		for p := 0; p < tileK; p += 2 {
			sum = fmaFlushed(a[p+1], b[p+1], sum)
			sum = fmaFlushed(a[p], b[p], sum)
		}
		return sum
	},
}

// everyBF16 runs a test for each set, skipping those that the processor lacks.
func everyBF16(t *testing.T, f func(t *testing.T, kernels string)) {
	for _, name := range []string{"amx", "vdpbf16ps"} {
		t.Run(name, func(t *testing.T) {
			if err := CheckPrecision("bf16", "avx512+"+name); err != nil {
				t.Skip(err)
			}
			f(t, "avx512+"+name)
		})
	}
}

// wild is a number of any size, special ones among them.
func wild(r *rand.Rand, special bool) float32 {
	if special && r.IntN(40) == 0 {
		return []float32{0, float32(math.Copysign(0, -1)), 1e-40, -3e-39, 1.5e-38, 3e38, -3.4e38, float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}[r.IntN(10)]
	}
	if special && r.IntN(8) == 0 {
		return float32(math.Ldexp(r.NormFloat64(), r.IntN(120)-70))
	}
	return float32(r.NormFloat64())
}

func sameOrNaN(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

func testBF16(t *testing.T, d *Device, r *rand.Rand, m, n, kk, mode int, special bool) {
	t.Helper()
	transA, transB, accumulate, withBias := mode&1 != 0, mode&2 != 0, mode&4 != 0, mode&8 != 0
	ar, ac, br, bc := m, kk, kk, n
	if transA {
		ar, ac = kk, m
	}
	if transB {
		br, bc = n, kk
	}
	lda, ldb, ldc := ac+r.IntN(4), bc+r.IntN(4), n+r.IntN(4)
	numbers := func(n int) []float32 {
		s := make([]float32, n)
		for i := range s {
			s[i] = wild(r, special)
		}
		return s
	}
	a, b, c := numbers((ar-1)*lda+ac), numbers((br-1)*ldb+bc), numbers((m-1)*ldc+n)
	var bias []float32
	if withBias && !accumulate {
		bias = numbers(n)
	}
	want := append([]float32(nil), c...)
	dot := dots[d.bf16.name]
	x, y := make([]uint16, tiles(kk)*tileK), make([]uint16, tiles(kk)*tileK)
	for i := range m {
		for j := range n {
			for p := range kk {
				if transA {
					x[p] = toBF16(a[p*lda+i])
				} else {
					x[p] = toBF16(a[i*lda+p])
				}
				if transB {
					y[p] = toBF16(b[j*ldb+p])
				} else {
					y[p] = toBF16(b[p*ldb+j])
				}
			}
			var sum float32
			if accumulate {
				sum = c[i*ldc+j]
			} else if bias != nil {
				sum = bias[j]
			}
			for p := 0; p < len(x); p += tileK {
				sum = dot(sum, x[p:p+tileK], y[p:p+tileK])
			}
			want[i*ldc+j] = sum
		}
	}
	g := gemmJob[float32]{transA: transA, transB: transB, m: m, n: n, k: kk, a: a, b: b, c: c, bias: bias, lda: lda, ldb: ldb, ldc: ldc, accumulate: accumulate, bf16: true}
	g.start(d)
	for i := range c {
		if !sameOrNaN(c[i], want[i]) {
			t.Fatalf("m=%d n=%d k=%d transA=%v transB=%v accumulate=%v bias=%v: element (%d,%d) of (%d,%d) is %v, want %v",
				m, n, kk, transA, transB, accumulate, bias != nil, i/ldc, i%ldc, m, ldc, c[i], want[i])
		}
	}
}

// Every element is bit for bit what the package documents of the instructions.
func TestBF16IsOneChain(t *testing.T) {
	everyBF16(t, func(t *testing.T, kernels string) {
		for _, threads := range []int{1, 3} {
			if testing.Short() && threads == 1 {
				continue
			}
			d, err := New(Options{Threads: threads, Kernels: kernels, BF16: true})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			r := rand.New(rand.NewPCG(5, 6))
			sizes := [][3]int{{1, 1, 1}, {1, 200, 37}, {33, 65, 330}, {32, 64, 32}, {64, 96, 513}}
			for range 6 {
				sizes = append(sizes, [3]int{1 + r.IntN(80), 1 + r.IntN(100), 1 + r.IntN(150)})
			}
			if testing.Short() {
				sizes = sizes[:3]
			} else {
				for mode := range 8 { // of a long k
					testBF16(t, d, r, 45, 66, 1100, mode, threads > 1)
				}
			}
			for i, s := range sizes {
				for mode := range 12 {
					testBF16(t, d, r, s[0], s[1], s[2], mode, i%2 > 0)
				}
			}
		}
	})
}

func BenchmarkBF16(b *testing.B) {
	for _, kernels := range []string{"amx", "vdpbf16ps"} {
		for _, s := range [][3]int{{8192, 384, 1152}, {8192, 384, 384}, {8192, 384, 1536}, {8192, 1536, 384}, {384, 8192, 1536}, {384, 8192, 384}, {1024, 768, 3072}, {768, 128, 512}} {
			for mode, name := range []string{"NN", "NT", "TN"} {
				for _, threads := range []int{1, 2} {
					b.Run(fmt.Sprintf("%s/%dx%dx%d/%s/threads=%d", kernels, s[0], s[1], s[2], name, threads), func(b *testing.B) {
						benchGemm(b, "avx512+"+kernels, threads, s[0], s[1], s[2], mode)
					})
				}
			}
		}
	}
}

// toBF16 rounds to the nearest, ties to even, as the kernels do.
func toBF16(x float32) uint16 {
	b := math.Float32bits(x)
	switch {
	case b&0x7f800000 == 0: // zero or subnormal
		return uint16(b>>16) & 0x8000
	case b&0x7fffffff > 0x7f800000: // not a number: stays one
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

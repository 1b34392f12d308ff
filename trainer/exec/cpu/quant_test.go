package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	half "hone/checkpoint/float"
	"hone/trainer/exec"
)

var blockTypes = []exec.DType{exec.Q8_0, exec.Q4_0, exec.Q4_1}

// randomBlocks are blocks of all numbers, and of scales and minima of 2^-14 to 1 of either sign.
func randomBlocks(r *rand.Rand, dt exec.DType, elems int) []byte {
	b := make([]byte, dt.Bytes(elems))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	halves := 1
	if dt == exec.Q4_1 {
		halves = 2
	}
	for i := 0; i < len(b); i += dt.Bytes(32) {
		for h := range halves {
			v := half.ToF16(float32(math.Ldexp(r.NormFloat64(), -r.IntN(12))))
			b[i+2*h], b[i+2*h+1] = byte(v), byte(v>>8)
		}
	}
	return b
}

// quantised is a random matrix in panels, and its values.
func quantised(t *testing.T, r *rand.Rand, dt exec.DType, n, k int) (panels []byte, values []float32) {
	t.Helper()
	rows := randomBlocks(r, dt, n*k)
	panels = alignedBytes(dt.Bytes((n + 31) / 32 * 32 * k))
	exec.PackBlocks(dt, n, k, panels, rows)
	values = make([]float32, n*k)
	if err := exec.Dequantize(dt, values, rows); err != nil {
		t.Fatal(err)
	}
	back := make([]byte, len(rows))
	exec.UnpackBlocks(dt, n, k, back, panels)
	if !slices.Equal(back, rows) {
		t.Fatalf("%v: blocks of (%d,%d) do not come back from panels", dt, n, k)
	}
	one := make([]float32, k)
	exec.DequantizeRow(dt, one, panels, n-1)
	if !slices.Equal(one, values[len(values)-k:]) {
		t.Fatalf("%v: the last row does not come back from panels of (%d,%d)", dt, n, k)
	}
	return panels, values
}

func TestQuantKernels(t *testing.T) {
	oneGoroutine(t)
	for _, k := range available() {
		if k.expand[0] == nil {
			continue
		}
		t.Run(k.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for ty, dt := range blockTypes {
				for blocks := range 4 {
					blocks++
					kk := 32 * blocks
					w, values := quantised(t, r, dt, 64, kk)
					got := make([]float32, 32*kk)
					k.expand[ty](blocks, &w[0], &got[0])
					for i := range got {
						if want := values[i%32*kk+i/32]; got[i] != want {
							t.Fatalf("%v: element %d,%d: %g, want %g", dt, i%32, i/32, got[i], want)
						}
					}
					x := fill[float32](r, 4*kk)
					check := func(what string, rows, cols int, y []float32) {
						t.Helper()
						for i := range y {
							var want float32
							for p := range kk {
								want = fma32(x[i/cols*kk+p], values[i%cols*kk+p], want)
							}
							if math.Float32bits(want) != math.Float32bits(y[i]) {
								t.Fatalf("%v: %s: element %d,%d: %g, want %g", dt, what, i/cols, i%cols, y[i], want)
							}
						}
					}
					for i, f := range k.exact[ty] {
						y := make([]float32, 32*(i+1))
						f(blocks, &x[0], 4*kk, &w[0], &y[0], 128)
						check(fmt.Sprint(i+1), i+1, 32, y)
					}
					// 8 bits
					q := make([]byte, 4*40*blocks)
					for row := range 4 {
						k.round8(blocks, &x[row*kk], &q[row*40*blocks])
					}
					want := make([]byte, len(q))
					round8(want, x)
					if !slices.Equal(q, want) {
						t.Fatalf("%v: rounded to\n%v, want\n%v", dt, q, want)
					}
					all := make([]float32, 4*32)
					for row := range 4 {
						for c := range 32 {
							for b := range blocks {
								all[row*32+c] = dotBlock(dt, all[row*32+c], q[(row*blocks+b)*round8Bytes:], w[b*dt.Bytes(1024):], c)
							}
						}
					}
					for i, f := range k.dot8[ty] {
						y := make([]float32, 32*(i+1))
						f(blocks, &q[0], 40*blocks, &w[0], &y[0], 128)
						if !slices.Equal(y, all[:len(y)]) {
							t.Fatalf("%v: dot8 of %d rows: %v, want %v", dt, i+1, y, all[:len(y)])
						}
					}
				}
			}
		})
	}
}

// Products of any shape, through Launch: the exact ones are chains of fused multiply-adds of the values, or in portable
// code of rounded products, and lie within their bound of the product in float64; those with rounded rows are what their
// definition says, in all kernel sets, and lie within theirs. Neither depends on the number of threads or of rows.
func TestQuantProducts(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 24 {
		dt := blockTypes[r.IntN(3)]
		m, n, k := 1+r.IntN(6), 1+r.IntN(150), 32*(1+r.IntN(5))
		if r.IntN(2) == 0 {
			m += r.IntN(40)
		}
		if r.IntN(4) == 0 {
			k += 384
		}
		w, values := quantised(t, r, dt, n, k)
		x, bias := fill[float32](r, m*k), fill[float32](r, n)
		var rounded [2][]float32 // by one kernel set and by another
		for _, set := range available() {
			for _, int8 := range []bool{false, true} {
				var first []float32
				for _, threads := range []int{1, 2} {
					d := testDevice(t, threads, set.name)
					arg := func(dt exec.DType, form exec.Form, data []byte, shape ...int) exec.Arg {
						b, err := d.Alloc(len(data))
						if err != nil {
							t.Fatal(err)
						}
						if err := d.Upload(b, data); err != nil {
							t.Fatal(err)
						}
						return exec.Arg{Buffer: b, Shape: shape, DType: dt, Form: form}
					}
					run := func(x []float32, m int) []float32 {
						y := make([]float32, m*n)
						args := []exec.Arg{
							arg(exec.F32, exec.Rows, raw(x), m, k), arg(dt, exec.Panels, w, n, k), arg(exec.F32, exec.Rows, raw(bias), n), arg(exec.F32, exec.Rows, raw(y), m, n),
						}
						if err := d.Launch(&exec.Instr{Op: exec.OpLinear, Attrs: exec.Attrs{Int8: int8}}, args); err != nil {
							t.Fatal(err)
						}
						if err := d.Download(raw(y), args[3].Buffer); err != nil {
							t.Fatal(err)
						}
						return y
					}
					got := run(x, m)
					if last := run(x[(m-1)*k:], 1); !slices.Equal(last, got[(m-1)*n:]) {
						t.Errorf("%s %v (%d,%d,%d) int8 %v: other bits of a row alone", set.name, dt, m, n, k, int8)
					}
					if first == nil {
						first = got
					} else if !slices.Equal(first, got) {
						t.Errorf("%s %v (%d,%d,%d) int8 %v: other bits with %d threads", set.name, dt, m, n, k, int8, threads)
					}
				}
				if int8 {
					if rounded[0] == nil {
						rounded[0] = first
					} else if !slices.Equal(rounded[0], first) {
						t.Errorf("%s %v (%d,%d,%d): other bits than by other kernels", set.name, dt, m, n, k)
					}
				}
				for i, got := range first {
					row, col := x[i/n*k:][:k], values[i%n*k:][:k]
					var exact, bound float64
					var chain float32
					for p := range row {
						exact += float64(row[p]) * float64(col[p])
						bound += math.Abs(float64(row[p]) * float64(col[p]))
						if set.micro == nil {
							chain += float32(row[p] * col[p])
						} else {
							chain = fma32(row[p], col[p], chain)
						}
					}
					chain += bias[i%n]
					if !int8 && got != chain {
						t.Fatalf("%s %v (%d,%d,%d): element %d is %g, want %g", set.name, dt, m, n, k, i, got, chain)
					}
					// Each of k sums, and the bias's, is rounded by 2^-24 at most.
					bound = (bound + math.Abs(float64(bias[i%n]))) * float64(k+2) * 0x1p-24
					if int8 { // half a step of each number, and the scale's rounding to 11 bits
						for b := 0; b < k; b += 32 {
							var most, sum float64
							for p := b; p < b+32; p++ {
								most = max(most, math.Abs(float64(row[p])))
								sum += math.Abs(float64(col[p]))
							}
							bound += sum * most * (0.5/127 + 0x1p-11)
						}
					}
					if e := math.Abs(float64(got) - exact - float64(bias[i%n])); !(e <= bound) {
						t.Fatalf("%s %v (%d,%d,%d) int8 %v: element %d: error %g, bound %g", set.name, dt, m, n, k, int8, i, e, bound)
					}
				}
			}
		}
	}
}

// Rows of special numbers are rounded alike, and what is not finite stays so.
func TestRound8(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	x := fill[float32](r, 32*64)
	for b := range 64 {
		row := x[32*b:][:32]
		switch b % 8 {
		case 0:
			clear(row)
		case 1:
			row[r.IntN(32)] = nan
		case 2:
			row[r.IntN(32)] = -inf
		case 3:
			row[r.IntN(32)] = 1e30 // the scale is more than float16 holds
		case 4:
			for i := range row {
				row[i] *= 1e-40
			}
		case 5: // halves
			row[0] = 127
			for i := range row[1:] {
				row[1+i] = float32(i) - 15.5
			}
		}
	}
	want := make([]byte, round8Bytes*64)
	round8(want, x)
	for b := range 64 {
		scale := math.Float32frombits(binary.LittleEndian.Uint32(want[b*round8Bytes+32:]))
		if finite := b%8 != 1 && b%8 != 2 && b%8 != 3; finite != (scale-scale == 0) {
			t.Errorf("row %d: scale %v", b, scale)
		}
	}
	for _, k := range available() {
		if k.round8 == nil {
			continue
		}
		got := make([]byte, len(want))
		k.round8(64, &x[0], &got[0])
		for b := range 64 {
			g, w := got[b*round8Bytes:][:round8Bytes], want[b*round8Bytes:][:round8Bytes]
			if b%8 == 1 { // any NaN
				g, w = g[:32], w[:32]
			}
			if !slices.Equal(g, w) {
				t.Errorf("%s: row %d: %v\nwant %v\nof %v", k.name, b, g, w, x[32*b:][:32])
			}
		}
	}
}

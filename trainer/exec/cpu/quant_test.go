package cpu

import (
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
	one := make([]byte, dt.Bytes(k))
	exec.UnpackRow(dt, k, n-1, one, panels)
	if !slices.Equal(one, rows[len(rows)-len(one):]) {
		t.Fatalf("%v: the last row does not come back from panels of (%d,%d)", dt, n, k)
	}
	return panels, values
}

func TestQuantKernels(t *testing.T) {
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
							all[row*32+c] = dotBlocks(dt, q[row*40*blocks:][:40*blocks], w, kk, c)
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

package cpu

import (
	"encoding/binary"
	"math"

	half "hone/checkpoint/float"
	"hone/trainer/exec"
)

// Products of rows with quantised weights in panels have one of two definitions, each with the same bits for any number of
// rows, any cut, and either vector set.
//
// The exact one is that of the weights' values as float32: an element is one chain of fused multiply-adds over k in order,
//
//	c = 0; for k: c = fma(x[k], w[k], c),   w = d·q, or d·(q-8), or d·q + m rounded once
//
// and so has the bits of the product with those values, but for the sign of a zero. Few rows dequantise in registers; many
// go with a block of panels that has been dequantised into the caches.
//
// In the one of 8 bits (Attrs.Int8) rows of x are rounded first, see round8, and an element is
//
//	c = 0; for each block b of 32 k: c = fma(d[b]·dx[b], Σ q[k]·qx[k], c)
//
// where the sum is one of integers, exact, and so is the product of the scales, as both have 11 bits. Q4_1 adds
// c = fma(m[b]·dx[b], Σ qx[k], c) after each block.

// numBlockTypes is the number of quantised types.
const numBlockTypes = 3

// blockType is the number of a quantised type.
func blockType(dt exec.DType) int { return int(dt - exec.Q8_0) }

// quantKernels are the assembly of these products.
type quantKernels struct {
	expand [numBlockTypes]func(blocks int, w *byte, dst *float32) // a panel's blocks as floats
	exact  [numBlockTypes][]exactKernel                           // of 1, 2, … rows and a panel
	dot8   [numBlockTypes][]dot8Kernel                            // the same for rounded rows
	round8 func(blocks int, x *float32, q *byte)
}

// An exactKernel computes rows of a panel's columns over blocks of 32 k, for 1, 2, … rows. Strides are in bytes.
type exactKernel func(blocks int, x *float32, ldx int, w *byte, y *float32, ldy int)

// A dot8Kernel does with rows of round8's blocks.
type dot8Kernel func(blocks int, x *byte, ldx int, w *byte, y *float32, ldy int)

// reserve grows a scratch to what quantised and quantisedGeneric need.
func (j *panelJob) reserve(w *scratch) {
	lend[float32](w, slotPanels, panelSide*panelSide)
	lend[float32](w, slotA, panelSide*maxFew)
}

// maxFew is the most rows of a kernel.
const maxFew = 4

// quantised computes a block of few rows, or of rounded ones, by assembly.
func (j *panelJob) quantised(w *scratch, row, rows, panel, panels int) {
	k, t := j.d.kern, blockType(j.dt)
	step := j.dt.Bytes(panelSide * j.k) // from a panel to the next
	blocks := j.k / j.dt.Block()
	tile := len(k.exact[t])
	if j.int8 {
		tile = len(k.dot8[t])
	}
	for p := panel; p < panel+panels; p++ {
		b := &j.b[p*step]
		cols := min(panelSide, j.n-p*panelSide)
		for i := row; i < row+rows; i += tile {
			m := min(tile, row+rows-i)
			c, ldc := j.c[i*j.n+p*panelSide:], j.n
			if cols < panelSide {
				c, ldc = lend[float32](w, slotA, m*panelSide), panelSide
			}
			if j.int8 {
				size := blocks * round8Bytes
				k.dot8[t][m-1](blocks, &j.rounded[i*size], size, b, &c[0], 4*ldc)
			} else {
				k.exact[t][m-1](blocks, &j.a[i*j.k], 4*j.k, b, &c[0], 4*ldc)
			}
			for r := 0; r < m && cols < panelSide; r++ {
				copy(j.c[(i+r)*j.n+p*panelSide:][:cols], c[r*panelSide:])
			}
		}
	}
}

// quantisedGeneric computes a block in portable code. As in microGeneric, products are rounded before the sum; those of
// rounded rows have the bits of the assembly.
func (j *panelJob) quantisedGeneric(w *scratch, row, rows, panel, panels int) {
	values := lend[float32](w, slotPanels, panelSide*panelSide)
	size := j.dt.Bytes(panelSide * panelSide)
	blocks := j.k / j.dt.Block()
	for p := panel; p < panel+panels; p++ {
		cols := min(panelSide, j.n-p*panelSide)
		for i := row; i < row+rows; i++ {
			clear(j.c[i*j.n+p*panelSide:][:cols])
		}
		for b := range blocks {
			at := j.b[(p*blocks+b)*size:][:size]
			if !j.int8 {
				for q := range cols {
					exec.DequantizeRow(j.dt, values[q*panelSide:][:panelSide], at, q)
				}
			}
			for i := row; i < row+rows; i++ {
				c := j.c[i*j.n+p*panelSide:][:cols]
				for q := range c {
					if j.int8 {
						c[q] = dotBlock(j.dt, c[q], j.rounded[(i*blocks+b)*round8Bytes:], at, q)
						continue
					}
					for k, x := range j.a[i*j.k+b*panelSide:][:panelSide] {
						c[q] += float32(x * values[q*panelSide+k])
					}
				}
			}
		}
	}
}

// round8Bytes is the size of 32 rounded numbers: 32 int8, their scale as float32, and their sum, negative, as int32.
const round8Bytes = 40

// round rounds the rows.
func (j *panelJob) round() {
	j.rounded = lend[byte](&j.d.shared, slotPanels, j.m*j.k/32*round8Bytes)
	j.rounding = true
	j.d.pool.run(chunks(j.m, roundRows), j)
	j.rounding = false
}

// roundRows is the rows that are rounded at a time: a few microseconds' work.
const roundRows = 16

func (j *panelJob) roundRows(i int) {
	first, last := i*roundRows, min(j.m, (i+1)*roundRows)
	x, q := j.a[first*j.k:last*j.k], j.rounded[first*j.k/32*round8Bytes:]
	if len(x) == 0 {
		return
	}
	if f := j.d.kern.round8; f != nil {
		f(len(x)/32, &x[0], &q[0])
	} else {
		round8(q, x)
	}
}

// round8 rounds blocks of 32 numbers to 8 bits, as ggml's quantize_row_q8_0 does in its vectors: q = x·(127/max) to the
// nearest integer, the even one of two, where max is the largest magnitude; the scale is max/127 in float16, whose largest
// is 65504. A number that is not finite makes the scale so.
func round8(dst []byte, x []float32) {
	le := binary.LittleEndian
	for ; len(x) > 0; x, dst = x[32:], dst[round8Bytes:] {
		var top uint32 // by bits, so that NaN is the largest
		for _, v := range x[:32] {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		largest := math.Float32frombits(top)
		var by float32
		if largest != 0 {
			by = 127 / largest
		}
		sum := int32(0)
		for i, v := range x[:32] {
			q := int8(-128) // of what is no integer
			if r := math.RoundToEven(float64(float32(v * by))); r >= -128 && r <= 127 {
				q = int8(r)
			}
			dst[i] = byte(q)
			sum -= int32(q)
		}
		le.PutUint32(dst[32:], math.Float32bits(half.FromF16(half.ToF16(largest/127))))
		le.PutUint32(dst[36:], uint32(sum))
	}
}

// dotBlock adds the product of a block of rounded numbers with column c of a panel's block.
func dotBlock(dt exec.DType, sum float32, x, block []byte, c int) float32 {
	var buf [34]byte
	row := buf[:dt.Bytes(32)]
	exec.UnpackBlock(dt, row, block, c)
	le := binary.LittleEndian
	d, dx := half.FromF16(le.Uint16(row)), math.Float32frombits(le.Uint32(x[32:]))
	var dot int32
	for i, b := range x[:32] {
		var w int32
		switch dt {
		case exec.Q8_0:
			w = int32(int8(row[2+i]))
		case exec.Q4_0:
			w = int32(row[2+i%16]>>(i/16*4)&15) - 8
		case exec.Q4_1:
			w = int32(row[4+i%16] >> (i / 16 * 4) & 15)
		}
		dot += w * int32(int8(b))
	}
	sum = fma32(float32(d*dx), float32(dot), sum)
	if dt == exec.Q4_1 {
		sum = fma32(float32(half.FromF16(le.Uint16(row[2:]))*dx), float32(-int32(le.Uint32(x[36:]))), sum)
	}
	return sum
}

// fma32 is a·b+c rounded once: float64 holds the product of two float32 exactly, but
// not always the sum, so that is rounded to odd first (Boldo & Melquiond 2008).
func fma32(a, b, c float32) float32 {
	p, x := float64(a)*float64(b), float64(c)
	s := p + x
	if math.IsInf(s, 0) || s != s {
		return float32(s)
	}
	bb := s - p
	err := (p - (s - bb)) + (x - bb) // the exact rest (Knuth)
	if err != 0 && math.Float64bits(s)&1 == 0 {
		if (err > 0) == (s > 0) {
			s = math.Float64frombits(math.Float64bits(s) + 1)
		} else {
			s = math.Float64frombits(math.Float64bits(s) - 1)
		}
	}
	return float32(s)
}

package cpu

import (
	"fmt"
	"unsafe"

	"hone/trainer/exec"
)

// lanes are the partial sums of a row: element i goes to lane i%16, and tree adds
// the lanes in one fixed order. This is what a vector register or two do, so that
// assembly can give the same bits.
//
// Each sum goes over the row twice, for eight lanes a time: sixteen do not fit
// into the registers that Go uses.
type lanes[T float] [16]T

func (l *lanes[T]) tree() T {
	a0, a1, a2, a3 := l[0]+l[8], l[1]+l[9], l[2]+l[10], l[3]+l[11]
	a4, a5, a6, a7 := l[4]+l[12], l[5]+l[13], l[6]+l[14], l[7]+l[15]
	return ((a0 + a4) + (a2 + a6)) + ((a1 + a5) + (a3 + a7))
}

// sum adds x, whose first element belongs to lane 0.
func (l *lanes[T]) sum(x []T) {
	sum8((*[8]T)(l[:8]), x)
	if len(x) > 8 {
		sum8((*[8]T)(l[8:]), x[8:])
	}
}

// sum8 adds the first eight of every sixteen elements.
func sum8[T float](l *[8]T, x []T) {
	s0, s1, s2, s3, s4, s5, s6, s7 := l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]
	i := 0
	for ; i+8 <= len(x); i += 16 {
		v := (*[8]T)(x[i:])
		s0 += v[0]
		s1 += v[1]
		s2 += v[2]
		s3 += v[3]
		s4 += v[4]
		s5 += v[5]
		s6 += v[6]
		s7 += v[7]
	}
	*l = [8]T{s0, s1, s2, s3, s4, s5, s6, s7}
	if i < len(x) {
		for k, v := range x[i:] {
			l[k&7] += v
		}
	}
}

// dot adds the products of x and y.
func (l *lanes[T]) dot(x, y []T) {
	dot8((*[8]T)(l[:8]), x, y)
	if len(x) > 8 {
		dot8((*[8]T)(l[8:]), x[8:], y[8:])
	}
}

func dot8[T float](l *[8]T, x, y []T) {
	y = y[:len(x)]
	s0, s1, s2, s3, s4, s5, s6, s7 := l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]
	i := 0
	for ; i+8 <= len(x); i += 16 {
		v, w := (*[8]T)(x[i:]), (*[8]T)(y[i:])
		s0 += T(v[0] * w[0])
		s1 += T(v[1] * w[1])
		s2 += T(v[2] * w[2])
		s3 += T(v[3] * w[3])
		s4 += T(v[4] * w[4])
		s5 += T(v[5] * w[5])
		s6 += T(v[6] * w[6])
		s7 += T(v[7] * w[7])
	}
	*l = [8]T{s0, s1, s2, s3, s4, s5, s6, s7}
	if i < len(x) {
		for k, v := range x[i:] {
			l[k&7] += T(v * y[i+k])
		}
	}
}

// deviation adds the squares of x-mean.
func (l *lanes[T]) deviation(x []T, mean T) {
	deviation8((*[8]T)(l[:8]), x, mean)
	if len(x) > 8 {
		deviation8((*[8]T)(l[8:]), x[8:], mean)
	}
}

func deviation8[T float](l *[8]T, x []T, mean T) {
	s0, s1, s2, s3, s4, s5, s6, s7 := l[0], l[1], l[2], l[3], l[4], l[5], l[6], l[7]
	i := 0
	for ; i+8 <= len(x); i += 16 {
		v := (*[8]T)(x[i:])
		d0, d1, d2, d3 := v[0]-mean, v[1]-mean, v[2]-mean, v[3]-mean
		s0 += T(d0 * d0)
		s1 += T(d1 * d1)
		s2 += T(d2 * d2)
		s3 += T(d3 * d3)
		d0, d1, d2, d3 = v[4]-mean, v[5]-mean, v[6]-mean, v[7]-mean
		s4 += T(d0 * d0)
		s5 += T(d1 * d1)
		s6 += T(d2 * d2)
		s7 += T(d3 * d3)
	}
	*l = [8]T{s0, s1, s2, s3, s4, s5, s6, s7}
	if i < len(x) {
		for k, v := range x[i:] {
			d := v - mean
			l[k&7] += T(d * d)
		}
	}
}

// sumOf and dotOf reduce one row.
func sumOf[T float](x []T) T {
	var l lanes[T]
	l.sum(x)
	return l.tree()
}

func dotOf[T float](x, y []T) T {
	var l lanes[T]
	l.dot(x, y)
	return l.tree()
}

// rowSum and rowDeviation do so with a kernel set: the elements, and the squares of x-mean.
func rowSum[T float](k *kernels, w *scratch, x []T) T {
	if isF32[T]() && k.sum != nil && len(x) > 0 {
		k.sum(len(x), &w.cell[0], f32(x))
		return T(w.cell[0])
	}
	return sumOf(x)
}

func rowDeviation[T float](k *kernels, w *scratch, x []T, mean T) T {
	if isF32[T]() && k.deviation != nil && len(x) > 0 {
		k.deviation(len(x), &w.cell[0], f32(x), float32(mean))
		return T(w.cell[0])
	}
	var l lanes[T]
	l.deviation(x, mean)
	return l.tree()
}

// rowMax is maxOf with a kernel set.
func rowMax[T float](k *kernels, w *scratch, x []T) T {
	if isF32[T]() && k.max != nil && len(x) > 0 {
		k.max(len(x), &w.cell[0], f32(x))
		return T(w.cell[0])
	}
	return maxOf(x)
}

// maxOf is the largest element that is no NaN; -Inf when there is none.
func maxOf[T float](x []T) T {
	m0 := negInf[T]()
	m1, m2, m3 := m0, m0, m0
	for len(x) >= 4 {
		v := (*[4]T)(x)
		if v[0] > m0 {
			m0 = v[0]
		}
		if v[1] > m1 {
			m1 = v[1]
		}
		if v[2] > m2 {
			m2 = v[2]
		}
		if v[3] > m3 {
			m3 = v[3]
		}
		x = x[4:]
	}
	for _, v := range x {
		if v > m0 {
			m0 = v
		}
	}
	if m1 > m0 {
		m0 = m1
	}
	if m3 > m2 {
		m2 = m3
	}
	if m2 > m0 {
		m0 = m2
	}
	return m0
}

// rowsPerChunk gives chunks of rows of some 8192 elements, a few microseconds of work.
func rowsPerChunk(cols int) int { return max(1, 8192/max(1, cols)) }

func chunks(n, size int) int { return (n + size - 1) / size }

// operands checks that an instruction has n of them.
func operands(in *exec.Instr, args []exec.Arg, n int) error {
	if len(args) != n {
		return fmt.Errorf("cpu: %v %s: %d operands, want %d", in.Op, in.Note, len(args), n)
	}
	return nil
}

// A sum over the rows of a matrix goes in two steps: chunks of rows, which depend on the
// shape alone, each leave a part; then the parts are added in order, cut over columns.

// rowsPerSum is the rows of a chunk, a multiple of 4: enough that the parts cost little
// beside the matrix, few enough that several threads have work.
func rowsPerSum(rows, cols int) int {
	n := min(max(1, 32768/max(1, cols)), (rows+15)/16)
	return max(4, (n+3)&^3)
}

// sumRows adds n contiguous rows to acc, four at a time: acc += (r0+r1) + (r2+r3).
func sumRows[T float](k *kernels, acc, rows []T, n int) {
	c := len(acc)
	r := 0
	for ; r+4 <= n; r += 4 {
		a, b, x, y := rows[r*c:][:c], rows[(r+1)*c:][:c], rows[(r+2)*c:][:c], rows[(r+3)*c:][:c]
		if isF32[T]() && k.sumRows != nil && c > 0 {
			k.sumRows(c, f32(acc), f32(a), f32(b), f32(x), f32(y))
			continue
		}
		for i, v := range a {
			acc[i] += (v + b[i]) + (x[i] + y[i])
		}
	}
	for ; r < n; r++ {
		addTo(k, acc, acc, rows[r*c:][:c])
	}
}

// sums holds the parts of sums over rows.
type sums[T float] struct {
	parts []T // kept between launches
	add   addPartsJob[T]
}

func (s *sums[T]) reserve(n int) {
	if cap(s.parts) < n {
		s.parts = aligned[T](n)
	}
	s.parts = s.parts[:n]
}

// aligned is n elements whose first is at a multiple of 64 bytes.
func aligned[T float](n int) []T {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(&alignedBytes(n * int(unsafe.Sizeof(*new(T))))[0])), n)
}

// combine sets dst to the sum of the parts.
func (s *sums[T]) combine(d *Device, dst, parts []T) {
	s.add = addPartsJob[T]{d.kern, dst, parts}
	d.pool.run(chunks(len(dst), colBlock), &s.add)
	s.add = addPartsJob[T]{}
}

const colBlock = 256 // columns of a chunk

type addPartsJob[T float] struct {
	k          *kernels
	dst, parts []T
}

func (j *addPartsJob[T]) chunk(i, _ int) {
	c := len(j.dst)
	dst := j.dst[i*colBlock : min(c, (i+1)*colBlock)]
	copy(dst, j.parts[i*colBlock:])
	for at := c + i*colBlock; at < len(j.parts); at += c {
		addTo(j.k, dst, dst, j.parts[at:])
	}
}

// A colSumJob sums the rows of a matrix, cut over rows.
type colSumJob[T float] struct {
	k            *kernels
	x, parts     []T
	rows, c, per int
}

func (j *colSumJob[T]) chunk(i, _ int) {
	acc := j.parts[i*j.c : (i+1)*j.c]
	clear(acc)
	r0, r1 := i*j.per, min(j.rows, (i+1)*j.per)
	sumRows(j.k, acc, j.x[r0*j.c:r1*j.c], r1-r0)
}

// colSum: dy(R,N) -> db(N).
func colSum[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 2); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	x, y := view[T](args[0]), view[T](args[1])
	if len(x) != r*c || len(y) != c {
		return mismatch(in, args)
	}
	js.addRows(d, y, x, r, false)
	return nil
}

// addRows sets dst to the sum of the rows of x, or adds that to it.
func (js *jobs[T]) addRows(d *Device, dst, x []T, rows int, accumulate bool) {
	c := len(dst)
	j := &js.colSum
	*j = colSumJob[T]{k: d.kern, x: x, rows: rows, c: c, per: rowsPerSum(rows, c)}
	n, first := chunks(rows, j.per), 0
	if accumulate {
		first = c // what is there is the first part
	}
	js.sums.reserve(first + n*c)
	copy(js.sums.parts[:first], dst)
	j.parts = js.sums.parts[first:]
	d.pool.run(n, j)
	js.sums.combine(d, dst, js.sums.parts)
	*j = colSumJob[T]{}
}

const sumChunk = 16384 // elements

// A sumSquaresJob leaves a partial sum for each chunk.
type sumSquaresJob[T float] struct {
	d    *Device
	x    []T
	part []float64 // kept between launches
}

func (j *sumSquaresJob[T]) chunk(i, worker int) {
	x := j.x[i*sumChunk : min(len(j.x), (i+1)*sumChunk)]
	s := &j.d.scratch[worker].wide
	*s = [8]float64{}
	if k := j.d.kern; isF32[T]() && k.sumSquares != nil && len(x) >= 8 {
		n := len(x) &^ 7
		k.sumSquares(n, &s[0], f32(x))
		x = x[n:]
	}
	for len(x) >= 8 {
		v := (*[8]T)(x)
		for k := range v {
			f := float64(v[k])
			s[k] += float64(f * f)
		}
		x = x[8:]
	}
	for k, v := range x {
		f := float64(v)
		s[k&7] += float64(f * f)
	}
	j.part[i] = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// sumSquares: x(n) -> y(1) float64.
func sumSquares[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 2); err != nil {
		return err
	}
	j := &js.sumSquares
	out := view[float64](args[1])
	if args[1].DType != exec.F64 || len(out) != 1 {
		return mismatch(in, args)
	}
	j.d, j.x = d, view[T](args[0])
	n := chunks(len(j.x), sumChunk)
	if cap(j.part) < n {
		j.part = make([]float64, n)
	}
	j.part = j.part[:n]
	d.pool.run(n, j)
	j.d, j.x = nil, nil
	for step := 1; step < n; step *= 2 {
		for i := 0; i+step < n; i += 2 * step {
			j.part[i] += j.part[i+step]
		}
	}
	out[0] = 0
	if n > 0 {
		out[0] = j.part[0]
	}
	return nil
}

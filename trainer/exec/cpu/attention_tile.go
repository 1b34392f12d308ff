package cpu

import (
	"math"
	"unsafe"
)

const (
	// tileRows is the number of keys whose scores a running softmax takes in at once, which the bits of a result depend on;
	// and the number of queries that go over the keys together, which they do not depend on.
	tileRows = 64
	// tileLD is the distance of a tile's rows of scores, and of the rows of transposed keys: a
	// unit of 16 more than a row, and no power of two.
	tileLD = tileRows + 16
)

// attentionKernels work on tiles of at most 64 rows; n is at most 64 columns, strides are
// in bytes. Rows of scores have room for 16 columns more, and all 16 of a unit are written.
type attentionKernels struct {
	strips []stripKernel // for 1, 2, … gemmKernels.mr rows
	// softmax replaces scores s, in units of log 2, by s = 2^(s - top), of the first seen columns
	// of each row; the others are 0. top rises to the row's maximum when that is more than 8 above
	// it, alpha is 2^(top before - top), and sum = sum·alpha + Σ s. alpha has 64 elements more to
	// work in. Scores below top - 125 give 0.
	softmax func(m, n int, s *float32, lds int, seen *int32, top, sum, alpha *float32)
	// grad replaces s by p = 2^(s - lse) and dp by p·(dp - delta), both 0 beyond what is seen.
	grad func(m, n int, s, dp *float32, ld int, seen *int32, lse, delta *float32)
	// mask puts -Inf where key[j] > query[i]. All 16 keys of a unit are there.
	mask func(m, n int, s *float32, lds int, query, key *int32)
	// add adds factor·src to dst, row after row.
	add func(m, n int, dst *float32, ldd int, src *float32, lds int, factor float32)
	// scale is dst[i] = factor[i]·src[i], n a multiple of 8.
	scale func(m, n int, dst *float32, ldd int, src *float32, lds int, factor *float32)
	// copy copies rows, n a multiple of 8.
	copy func(m, n int, dst *float32, ldd int, src *float32, lds int)
	// dot is dst[i] = Σ x[i]·y[i] over 16 lanes and one tree, n a multiple of 16.
	dot func(m, n int, dst, x *float32, ldx int, y *float32, ldy int)
	// transpose writes factor times 8 rows of n elements, a multiple of 8, as 8 columns.
	transpose func(n int, dst *float32, ldd int, src *float32, lds int, factor float32)
}

// A stripKernel computes n ≥ 1 strips of rows of gemmKernels.nr columns: c = (or +=) a·b over kc ≥ 1
// steps. b is in place, with rows bks bytes apart. From strip to strip a, b and kc move on by
// astep and bstep bytes and kcstep, and c's rows follow one another. With every four steps it
// asks the second-level cache for two lines, from next on and nextstep bytes apart, which may be anywhere.
type stripKernel func(n, kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc, astep, bstep, kcstep int, next *float32, nextstep int, accumulate bool)

// tiler has the arithmetic of attention's tiles: assembly or portable.
type tiler[T float] struct {
	k     *kernels
	w     *scratch
	d     int // size of a head
	wide  int // columns of a tile of width d: whole vectors of the products
	ld    int // distance of its rows: no power of two
	asker asker
}

func newTiler[T float](k *kernels, w *scratch, d int) tiler[T] {
	t := tiler[T]{k: k, w: w, d: d, wide: d}
	if t.asm() {
		t.wide = (d + k.nr - 1) / k.nr * k.nr
	}
	t.ld = (t.wide+15)/16*16 + 16
	return t
}

func (t *tiler[T]) asm() bool { return isF32[T]() && t.k.attention.strips != nil }

// A slant is the part of a product that is needed in a square tile where query i sees no key after i. What is left out
// is 0, or never read.
type slant int

const (
	square slant = iota // all
	lower               // row i takes the steps up to i
	upper               // row i takes the steps from i
	result              // row i of c is wanted up to column i
)

// product computes c(m,n) = a·b, or += with accumulate, over kk steps. a's element (i,p) is
// at i·ars + p·aks; rows of b and c hold whole vectors beyond n.
func (t *tiler[T]) product(m, n, kk int, a []T, ars, aks int, b []T, ldb int, c []T, ldc int, accumulate bool, part slant) {
	if !t.asm() {
		lda := max(ars, aks)
		gemm(t.k, t.w, aks != 1, false, m, n, kk, a, lda, b, ldb, c, ldc, accumulate)
		return
	}
	k, mr, nr := t.k, t.k.mr, t.k.nr
	strips, rest := m/mr, m%mr
	kc, astep, bstep, kcstep := kk, 4*mr*ars, 0, 0
	switch part {
	case lower:
		kc, kcstep = mr, mr
	case upper:
		astep += 4 * mr * aks
		bstep, kcstep = 4*mr*ldb, -mr
	}
	// Reading the last element of each is the bounds check for the assembly.
	_, _ = a[(m-1)*ars+(kk-1)*aks], c[(m-1)*ldc+(n+nr-1)/nr*nr-1]
	_ = b[(kk-1)*ldb+(n+nr-1)/nr*nr-1]
	a32, b32, c32 := f32(a), f32(b), f32(c)
	for j := 0; j < n; j += nr {
		i0 := 0
		if part == result {
			i0 = j
			strips, rest = (m-j)/mr, (m-j)%mr
		}
		aj, bj, cj := beyond(a32, i0*ars), beyond(b32, j), beyond(c32, i0*ldc+j)
		if strips > 0 {
			next, nextstep := t.asker.take((strips*kc+strips*(strips-1)/2*kcstep)/2, cj)
			k.attention.strips[mr-1](strips, kc, aj, 4*ars, 4*aks, bj, 4*ldb, cj, 4*ldc, astep, bstep, kcstep, next, nextstep, accumulate)
		}
		if rest > 0 {
			i, p := strips*mr, 0
			if part == upper {
				p = i
			}
			k.attention.strips[rest-1](1, kk-p, beyond(aj, i*ars+p*aks), 4*ars, 4*aks, beyond(bj, p*ldb), 4*ldb, beyond(cj, i*ldc), 4*ldc, 0, 0, 0, cj, 0, accumulate)
		}
	}
}

// An asker prefetches data into the second-level cache while products are computed: processors do not prefetch by
// themselves from rows that are so short and so far apart.
type asker struct {
	areas     [8]area
	n, at     int // number of areas, and the current one
	line, row int // of the current area
}

// An area is rows of n elements, over some lines each, ld elements apart.
type area struct {
	first              *float32
	rows, n, lines, ld int
}

// add adds rows of a head to what is prefetched.
func (a *asker) add(x *float32, rows, dim, ld int) {
	if rows > 0 && a.n < len(a.areas) {
		// one line more where the rows begin within a line
		lines := (int(uintptr(unsafe.Pointer(x)))&63 + 4*dim + 63) / 64
		a.areas[a.n] = area{x, rows, dim, lines, ld}
		a.n++
	}
}

// take gives the next lines that a kernel is to prefetch: the address of the first, and their distance. Where there are
// none left, it gives an address that is valid anyway.
func (a *asker) take(lines int, there *float32) (next *float32, step int) {
	if a.at == a.n {
		return there, 0
	}
	r := &a.areas[a.at]
	next = beyond(r.first, a.row*r.ld+min(16*a.line, r.n-1))
	if a.row += lines; a.row >= r.rows {
		a.row = 0
		if a.line++; a.line == r.lines {
			a.line = 0
			a.at++
		}
	}
	return next, 4 * r.ld
}

// beyond is the address n elements further.
func beyond(p *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(p), 4*n)) }

// load copies n rows of a head, lds apart, into rows of t.ld, with zeros up to t.wide.
func (t *tiler[T]) load(n int, dst, src []T, lds int) {
	if t.wide == t.d && t.asm() {
		t.copy(n, dst, t.ld, src, lds)
		return
	}
	for i := range n {
		row := dst[i*t.ld : i*t.ld+t.wide]
		copy(row, src[i*lds:i*lds+t.d])
		clear(row[t.d:])
	}
}

// transpose writes factor times n rows of a head as columns: dst is (d,tileLD), zero up to
// whole units of columns.
func (t *tiler[T]) transpose(n int, dst, src []T, lds int, factor T) {
	d := t.d
	if !t.asm() {
		for i := range n {
			for c, v := range src[i*lds : i*lds+d] {
				dst[c*tileLD+i] = v * factor
			}
		}
		return
	}
	d8 := (d + 7) &^ 7
	i := 0
	if d == d8 {
		for ; i+8 <= n; i += 8 {
			_ = src[(i+7)*lds+d-1]
			t.k.attention.transpose(d, f32(dst[i:]), 4*tileLD, f32(src[i*lds:]), 4*lds, float32(factor))
		}
	}
	if i == n {
		return
	}
	// Rows or columns are missing: transpose through a block filled up with zeros.
	block := lend[T](t.w, slotC, 8*d8)
	units := (n + t.k.nr - 1) / t.k.nr * t.k.nr
	for ; i < units; i += 8 {
		clear(block)
		for r := i; r < min(n, i+8); r++ {
			copy(block[(r-i)*d8:], src[r*lds:r*lds+d])
		}
		t.k.attention.transpose(d8, f32(dst[i:]), 4*tileLD, f32(block), 4*d8, float32(factor))
	}
}

// exp2Of is 2^x, for float32 as the assembly has it: 0 below 2^-125.
func exp2Of[T float](x T) T {
	if isF32[T]() && x < -125 {
		return 0
	}
	return T(math.Exp2(float64(x)))
}

// log2Of is the base-2 logarithm of a positive, normal x.
func log2Of[T float](x T) T {
	if !isF32[T]() || !(x >= 1e-37 && x < 1e37) {
		return T(math.Log2(float64(x)))
	}
	// 2^e·m, m in [√½,√2); log m = 2·atanh(s), s = (m-1)/(m+1), |s| < 0.172.
	b := math.Float32bits(float32(x)) - 0x3f3504f3
	e := float64(int32(b) >> 23)
	m := float64(math.Float32frombits(b&0x7fffff + 0x3f3504f3))
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	p := 1.0/9 + float64(z*(1.0/11))
	p = 1.0/7 + float64(z*p)
	p = 1.0/5 + float64(z*p)
	p = 1.0/3 + float64(z*p)
	p = 1 + float64(z*p)
	return T(e + float64(float64(s*p)*(2*math.Log2E)))
}

func (t *tiler[T]) softmax(m, n int, s []T, seen []int32, top, sum, alpha []T) {
	if t.asm() {
		t.k.attention.softmax(m, n, f32(s), 4*tileLD, &seen[0], f32(top), f32(sum), f32(alpha))
		return
	}
	for i := range m {
		row := s[i*tileLD : i*tileLD+n]
		hid := row[seen[i]:]
		row = row[:seen[i]]
		old := top[i]
		if v := maxOf(row); v > old+8 {
			top[i] = v
		}
		for j, v := range row {
			row[j] = exp2Of(v - top[i])
		}
		clear(hid)
		alpha[i] = exp2Of(old - top[i])
		sum[i] = T(sum[i]*alpha[i]) + sumOf(row)
	}
}

func (t *tiler[T]) grad(m, n int, s, dp []T, seen []int32, lse, delta []T) {
	if t.asm() {
		t.k.attention.grad(m, n, f32(s), f32(dp), 4*tileLD, &seen[0], f32(lse), f32(delta))
		return
	}
	for i := range m {
		p, g := s[i*tileLD:i*tileLD+n], dp[i*tileLD:i*tileLD+n]
		for j := range seen[i] {
			p[j] = exp2Of(p[j] - lse[i])
			g[j] = p[j] * (g[j] - delta[i])
		}
		clear(p[seen[i]:])
		clear(g[seen[i]:])
	}
}

// mask hides the keys whose order is above the query's. The keys' have whole units.
func (t *tiler[T]) mask(m, n int, s []T, query, key []int32) {
	if t.asm() {
		t.k.attention.mask(m, n, f32(s), 4*tileLD, &query[0], &key[0])
		return
	}
	for i := range m {
		row := s[i*tileLD : i*tileLD+n]
		for j := range row {
			if key[j] > query[i] {
				row[j] = negInf[T]()
			}
		}
	}
}

// add is dst += factor·src, row after row; a stride may be negative.
func (t *tiler[T]) add(m, n int, dst []T, dst0, ldd int, src []T, src0, lds int, factor T) {
	_, _, _, _ = dst[dst0], dst[dst0+(m-1)*ldd+n-1], src[src0], src[src0+(m-1)*lds+n-1]
	if t.asm() {
		t.k.attention.add(m, n, f32(dst[dst0:]), 4*ldd, f32(src[src0:]), 4*lds, float32(factor))
		return
	}
	for i := range m {
		x, y := dst[dst0+i*ldd:][:n], src[src0+i*lds:][:n]
		for j, v := range y {
			x[j] += T(factor * v)
		}
	}
}

// scale is dst[i] = factor[i]·src[i] over rows of a head.
func (t *tiler[T]) scale(m int, dst []T, ldd int, src []T, lds int, factor []T) {
	d := t.d
	if t.asm() && d%8 == 0 {
		_, _ = dst[(m-1)*ldd+d-1], src[(m-1)*lds+d-1]
		t.k.attention.scale(m, d, f32(dst), 4*ldd, f32(src), 4*lds, f32(factor))
		return
	}
	for i, f := range factor[:m] {
		x := dst[i*ldd : i*ldd+d]
		for c, v := range src[i*lds : i*lds+d] {
			x[c] = v * f
		}
	}
}

// copy copies rows of a head.
func (t *tiler[T]) copy(m int, dst []T, ldd int, src []T, lds int) {
	d := t.d
	if t.asm() && d%8 == 0 {
		_, _ = dst[(m-1)*ldd+d-1], src[(m-1)*lds+d-1]
		t.k.attention.copy(m, d, f32(dst), 4*ldd, f32(src), 4*lds)
		return
	}
	for i := range m {
		copy(dst[i*ldd:i*ldd+d], src[i*lds:])
	}
}

// dot is dst[i] = Σ x[i]·y[i] over rows of a head.
func (t *tiler[T]) dot(m int, dst, x []T, ldx int, y []T, ldy int) {
	d := t.d
	if t.asm() && d%16 == 0 {
		_, _ = x[(m-1)*ldx+d-1], y[(m-1)*ldy+d-1]
		t.k.attention.dot(m, d, f32(dst), f32(x), 4*ldx, f32(y), 4*ldy)
		return
	}
	for i := range m {
		dst[i] = dotOf(x[i*ldx:i*ldx+d], y[i*ldy:i*ldy+d])
	}
}

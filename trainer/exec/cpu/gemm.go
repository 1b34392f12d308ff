package cpu

// Matrix products, blocked as in Goto & van de Geijn 2008: columns of C in blocks of nc, k in blocks of kc, rows in blocks
// of mc. B is packed into panels of nr columns, one of which stays in the first-level cache; A is read in place, with two
// strides. Each block of k loads C into the accumulators, so that an element is one chain over k, whatever the blocks.

// gemmKernels are the assembly of the matrix product.
type gemmKernels struct {
	// Blocks of gemm: a panel of B (kc·nr) and a tile of A (mr·kc) stay in the first-level
	// cache, a block of A (mc·kc) in the second, the panels (kc·nc) in the third.
	kc, mc, nc int

	ask    int           // see microKernel
	mr, nr int           // rows and columns of the micro-kernel's tile
	micro  []microKernel // for 1, 2, … mr rows
	// packRows packs kc ≥ 1 rows, stride bytes apart, of n ≥ 1 panels' width.
	packRows func(kc, n int, src *float32, stride int, dst *float32)
	// packCols packs two rows, stride bytes apart, of n ≥ 1 tiles' width; the tiles go step
	// bytes apart. It reads a vector of each tile's row, and writes it: beyond mr comes what
	// the next rows overwrite.
	packCols func(n int, src *float32, stride int, dst *float32, step int)
	// transpose8 packs 8 rows of kc elements (a multiple of 8), stride bytes apart,
	// into 8 columns of a panel nr wide.
	transpose8 func(kc int, src *float32, stride int, dst *float32)
}

// A microKernel computes rows of n ≥ 1 columns: c = (or +=) a·b over kc ≥ 1 steps.
// a's element (i,p) is at a + i·ars + p·aks; b is the panels of the columns, each of kc
// rows of nr, one after the other; strides are in bytes. With panel q it asks the caches
// for ask lines from next + q%2·next1 + q/2·next2, which may be anywhere.
type microKernel func(kc, n int, a *float32, ars, aks int, b, c *float32, ldc int, accumulate bool, next *float32, next1, next2 int)

// Blocks of the portable kernel.
const (
	genericMR, genericNR = 4, 4
	genericKC            = 256
	genericMC            = 64
	genericNC            = 256
)

// gemm computes C(m,n) = op(A)·op(B), or += with accumulate, on the calling thread.
// op(A) is (m,kk): a[i*lda+p], or a[p*lda+i] with transA. op(B) is (kk,n):
// b[p*ldb+j], or b[j*ldb+p] with transB. C is c[i*ldc+j].
func gemm[T float](k *kernels, w *scratch, transA, transB bool, m, n, kk int, a []T, lda int, b []T, ldb int, c []T, ldc int, accumulate bool) {
	gemmBias(k, w, transA, transB, m, n, kk, a, lda, b, ldb, c, ldc, accumulate, nil)
}

// addBias adds the bias (n), if there is one, to columns col to col+cols of rows row to row+rows of C, when they are
// finished and still in the caches.
func addBias[T float](k *kernels, bias, c []T, ldc, row, rows, col, cols int) {
	if bias == nil {
		return
	}
	for i := row; i < row+rows; i++ {
		y := c[i*ldc+col:][:cols]
		addTo(k, y, y, bias[col:col+cols])
	}
}

// gemmBias is gemm with a bias, nil or (n), added to each row.
func gemmBias[T float](k *kernels, w *scratch, transA, transB bool, m, n, kk int, a []T, lda int, b []T, ldb int, c []T, ldc int, accumulate bool, bias []T) {
	if m <= 0 || n <= 0 {
		return
	}
	// Reading the last element of each is the bounds check for the assembly.
	_ = c[(m-1)*ldc+n-1]
	if kk <= 0 {
		for i := range m {
			row := c[i*ldc : i*ldc+n]
			if !accumulate {
				clear(row)
			}
		}
		addBias(k, bias, c, ldc, 0, m, 0, n)
		return
	}
	if transA {
		_ = a[(kk-1)*lda+m-1]
	} else {
		_ = a[(m-1)*lda+kk-1]
	}
	if transB {
		_ = b[(n-1)*ldb+kk-1]
	} else {
		_ = b[(kk-1)*ldb+n-1]
	}
	if isF32[T]() && k.micro != nil {
		gemm32(k, w, transA, transB, m, n, kk, cast[float32](a), lda, cast[float32](b), ldb, cast[float32](c), ldc, accumulate, cast[float32](bias))
		return
	}
	gemmGeneric(k, w, transA, transB, m, n, kk, a, lda, b, ldb, c, ldc, accumulate, bias)
}

func gemmGeneric[T float](k *kernels, w *scratch, transA, transB bool, m, n, kk int, a []T, lda int, b []T, ldb int, c []T, ldc int, accumulate bool, bias []T) {
	const nr = genericNR
	ars, aks := lda, 1
	if transA {
		ars, aks = 1, lda
	}
	brs, bcs := ldb, 1 // strides of B's rows and columns
	if transB {
		brs, bcs = 1, ldb
	}
	panels := lendGeneric[T](w, n, kk)
	for jc := 0; jc < n; jc += genericNC {
		nc := min(genericNC, n-jc)
		for pc := 0; pc < kk; pc += genericKC {
			kc := min(genericKC, kk-pc)
			first, last := pc == 0 && !accumulate, pc+kc == kk
			for j := 0; j < nc; j += nr {
				packGeneric(panels[j*kc:(j+nr)*kc], b[pc*brs+(jc+j)*bcs:], brs, bcs, kc, min(nr, nc-j))
			}
			for ic := 0; ic < m; ic += genericMC {
				mc := min(genericMC, m-ic)
				for j := 0; j < nc; j += nr {
					panel := panels[j*kc : (j+nr)*kc]
					for i := ic; i < ic+mc; i += genericMR {
						at := a[i*ars+pc*aks:]
						ct := c[i*ldc+jc+j:]
						rows, cols := min(genericMR, ic+mc-i), min(nr, nc-j)
						if rows == genericMR && cols == nr {
							microGeneric(kc, at, ars, aks, panel, ct, ldc, first)
						} else {
							microEdge(kc, at, ars, aks, panel, ct, ldc, rows, cols, first)
						}
					}
				}
				if last {
					addBias(k, bias, c, ldc, ic, mc, jc, nc)
				}
			}
		}
	}
}

func lendGeneric[T float](w *scratch, n, kk int) []T {
	return lend[T](w, slotPanels, min(genericKC, kk)*min(genericNC, (n+genericNR-1)/genericNR*genericNR))
}

// reserve grows a scratch to what gemm needs, so that the product allocates nothing.
func reserve[T float](k *kernels, w *scratch, transA bool, m, n, kk int) {
	if isF32[T]() && k.micro != nil {
		lend32(k, w, transA, m, n, kk)
	} else {
		lendGeneric[T](w, n, kk)
	}
}

// packGeneric copies kc rows of cols columns of B into a panel of genericNR, the rest zero.
func packGeneric[T float](dst, src []T, rs, cs, kc, cols int) {
	for p := range kc {
		d := dst[p*genericNR : p*genericNR+genericNR]
		for j := range d {
			if j < cols {
				d[j] = src[p*rs+j*cs]
			} else {
				d[j] = 0
			}
		}
	}
}

// microGeneric computes a tile of 4×4. The products are converted so that they are
// rounded before the sum: Go would fuse them on arm64 and not on amd64.
func microGeneric[T float](kc int, a []T, ars, aks int, b, c []T, ldc int, first bool) {
	var c00, c01, c02, c03, c10, c11, c12, c13, c20, c21, c22, c23, c30, c31, c32, c33 T
	r0, r1, r2, r3 := c[0:4], c[ldc:ldc+4], c[2*ldc:2*ldc+4], c[3*ldc:3*ldc+4]
	if !first {
		c00, c01, c02, c03 = r0[0], r0[1], r0[2], r0[3]
		c10, c11, c12, c13 = r1[0], r1[1], r1[2], r1[3]
		c20, c21, c22, c23 = r2[0], r2[1], r2[2], r2[3]
		c30, c31, c32, c33 = r3[0], r3[1], r3[2], r3[3]
	}
	a1, a2, a3 := a[ars:], a[2*ars:], a[3*ars:]
	at := 0
	for len(b) >= 4 {
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		b = b[4:]
		x := a[at]
		c00 += T(x * b0)
		c01 += T(x * b1)
		c02 += T(x * b2)
		c03 += T(x * b3)
		x = a1[at]
		c10 += T(x * b0)
		c11 += T(x * b1)
		c12 += T(x * b2)
		c13 += T(x * b3)
		x = a2[at]
		c20 += T(x * b0)
		c21 += T(x * b1)
		c22 += T(x * b2)
		c23 += T(x * b3)
		x = a3[at]
		c30 += T(x * b0)
		c31 += T(x * b1)
		c32 += T(x * b2)
		c33 += T(x * b3)
		at += aks
	}
	r0[0], r0[1], r0[2], r0[3] = c00, c01, c02, c03
	r1[0], r1[1], r1[2], r1[3] = c10, c11, c12, c13
	r2[0], r2[1], r2[2], r2[3] = c20, c21, c22, c23
	r3[0], r3[1], r3[2], r3[3] = c30, c31, c32, c33
}

func microEdge[T float](kc int, a []T, ars, aks int, b, c []T, ldc, rows, cols int, first bool) {
	for i := range rows {
		for j := range cols {
			var sum T
			if !first {
				sum = c[i*ldc+j]
			}
			for p := range kc {
				sum += T(a[i*ars+p*aks] * b[p*genericNR+j])
			}
			c[i*ldc+j] = sum
		}
	}
}

// gemm32 is the product with an assembly micro-kernel. A block of B (kc,nc) lies packed in the second-level cache. A
// tile's rows of A stay in the first-level cache while the micro-kernel goes along them, so that C is read and written in
// runs. Meanwhile it prefetches the next rows of A where they lie apart; prefetching what is packed next gained nothing.
func gemm32(k *kernels, w *scratch, transA, transB bool, m, n, kk int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, accumulate bool, bias []float32) {
	mr, nr := k.mr, k.nr
	packed, panels := lend32(k, w, transA, m, n, kk)
	for ic := 0; ic < m; ic += k.mc {
		mc := min(k.mc, m-ic)
		for pc := 0; pc < kk; pc += k.kc {
			kc := min(k.kc, kk-pc)
			acc, last := pc > 0 || accumulate, pc+kc == kk
			// Element (i,p) of these rows of A is at i/mr*step + i%mr*rs + p*ks.
			block, rs, ks, step := a, lda, 1, mr*lda
			switch {
			case packed != nil:
				rs, ks, step = 1, mr, packedTile(k, kc)
				packA(k, packed, a[pc*lda+ic:], lda, mc, kc, m-ic)
				block = packed
			case transA:
				rs, ks, step = 1, lda, mr
				block = a[pc*lda+ic:]
			default:
				block = a[ic*lda+pc:]
			}
			for jc := 0; jc < n; jc += k.nc {
				nc := min(k.nc, n-jc)
				if transB {
					for j := 0; j < nc; j += nr {
						packTransposed(k, panels[j*kc:(j+nr)*kc], b[(jc+j)*ldb+pc:], ldb, kc, min(nr, nc-j))
					}
				} else {
					packB(k, panels, b[pc*ldb+jc:], ldb, kc, nc)
				}
				for i := 0; i < mc; i += mr {
					rows := min(mr, mc-i)
					at := &block[i/mr*step]
					next, next1, next2 := at, 0, 0
					switch below := i + mr; {
					case transA && !transB: // B's next block, a row with each panel
						p, q := pc, jc+k.nc
						if q >= n {
							p, q = pc+k.kc, 0
						}
						end := min(kk, p+k.kc)
						if p += i / mr * (k.nc / nr); p < end {
							next, next1, next2 = &b[p*ldb+q], 4*ldb, 8*ldb
						}
					case !transA && below < mc:
						next, next1, next2 = &block[below*lda], 64*k.ask, 4*lda
						if 16*k.ask >= k.kc { // a row at a time, not half
							next1, next2 = 4*lda, 8*lda
						}
					}
					k.micro[rows-1](kc, nc, at, 4*rs, 4*ks, &panels[0], &c[(ic+i)*ldc+jc], 4*ldc, acc, next, next1, next2)
					if last {
						addBias(k, bias, c, ldc, ic+i, rows, jc, nc)
					}
				}
			}
		}
	}
}

// lend32 gives the memory that gemm32 works in: packed A or nil, packed B.
func lend32(k *kernels, w *scratch, transA bool, m, n, kk int) (packed, panels []float32) {
	// Aᵀ is read in place where too few columns would pay for packing it.
	if transA && n >= 4*k.nr {
		packed = lend[float32](w, slotRows, (min(k.mc, m)+k.mr-1)/k.mr*packedTile(k, min(k.kc, kk)))
	}
	panels = lend[float32](w, slotPanels, min(k.kc, kk)*min(k.nc, (n+k.nr-1)/k.nr*k.nr))
	return packed, panels
}

// packB packs kc rows of cols columns into panels nr wide, the last filled up with zeros.
func packB(k *kernels, dst, src []float32, ld, kc, cols int) {
	nr := k.nr
	if cols >= nr {
		k.packRows(kc, cols/nr, &src[0], 4*ld, &dst[0])
	}
	if rest := cols % nr; rest > 0 {
		dst, src = dst[(cols-rest)*kc:], src[cols-rest:]
		for p := range kc {
			d := dst[p*nr : p*nr+nr]
			copy(d, src[p*ld:p*ld+rest])
			clear(d[rest:])
		}
	}
}

// packedTile is the elements from one packed tile of A to the next: mr for each of kc steps
// and room for what a vector has beyond them, in whole lines.
func packedTile(k *kernels, kc int) int { return (k.mr*kc + k.lanes + 15) &^ 15 }

// packA packs mc columns of kc rows of Aᵀ, tile after tile. have is the columns that are
// there to be read, as vectors reach beyond a tile.
func packA(k *kernels, dst, src []float32, ld, mc, kc, have int) {
	mr, step := k.mr, packedTile(k, kc)
	whole := 0 // tiles whose vectors are there
	if have >= k.lanes {
		whole = min((mc+mr-1)/mr, (have-k.lanes)/mr+1)
	}
	p := 0
	for ; p+2 <= kc && whole > 0; p += 2 {
		k.packCols(whole, &src[p*ld], 4*ld, &dst[p*mr], 4*step)
	}
	for t := 0; t*mr < mc; t++ {
		from := 0
		if t < whole {
			from = p
		}
		for q := from; q < kc; q++ {
			copy(dst[t*step+q*mr:][:mr], src[q*ld+t*mr:q*ld+min(have, t*mr+mr)])
		}
	}
}

// packTransposed packs cols rows of kc elements as columns of a panel nr wide, the rest zero.
func packTransposed(k *kernels, dst, src []float32, ld, kc, cols int) {
	nr := k.nr
	if cols < nr {
		clear(dst[:kc*nr])
	}
	for j := 0; j < cols; j += 8 {
		p := 0
		if j+8 <= cols && kc >= 8 {
			p = kc &^ 7
			_ = src[(j+7)*ld+p-1]
			k.transpose8(p, &src[j*ld], 4*ld, &dst[j])
		}
		for q := j; q < min(j+8, cols); q++ {
			for i := p; i < kc; i++ {
				dst[i*nr+q] = src[q*ld+i]
			}
		}
	}
}

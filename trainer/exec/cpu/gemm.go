package cpu

// Matrix products, blocked as in Goto & van de Geijn 2008: columns of C in blocks
// of nc, k in blocks of kc, rows in blocks of mc; B is packed into panels of nr
// columns (one panel stays in the first-level cache), A is read in place with two
// strides. Each block of k loads C into the accumulators, so that an element is
// one chain over k whatever the blocks are.

// gemmKernels are the assembly of the matrix product.
type gemmKernels struct {
	// Blocks of gemm: a panel of B (kc·nr) and a tile of A (mr·kc) stay in the first-level
	// cache, a block of A (mc·kc) in the second, the panels (kc·nc) in the third.
	kc, mc, nc int

	mr, nr int           // rows and columns of the micro-kernel's tile
	micro  []microKernel // for 1, 2, … mr rows
	// packRows packs kc ≥ 1 rows of nr elements, stride bytes apart, into a panel.
	packRows func(kc int, src *float32, stride int, dst *float32)
	// packCols does so with rows of lanes elements.
	packCols func(kc int, src *float32, stride int, dst *float32)
	// transpose8 packs 8 rows of kc elements (a multiple of 8), stride bytes apart,
	// into 8 columns of a panel nr wide.
	transpose8 func(kc int, src *float32, stride int, dst *float32)
}

// A microKernel computes a tile of nr columns: c = (or +=) a·b over kc ≥ 1 steps.
// a's element (i,p) is at a + i·ars + p·aks, b's row p at b + p·bks; strides are in bytes.
type microKernel func(kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc int, accumulate bool)

// rowPad keeps packed rows of A on different sets of the caches.
const rowPad = 16

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

// gemmBias is gemm with bias(n), if any, added to the finished rows.
func gemmBias[T float](k *kernels, w *scratch, transA, transB bool, m, n, kk int, a []T, lda int, b []T, ldb int, c []T, ldc int, accumulate bool, bias []T) {
	if m <= 0 || n <= 0 {
		return
	}
	// One look at the last element of each stands for the kernels' bounds checks.
	_ = c[(m-1)*ldc+n-1]
	if kk <= 0 {
		for i := range m {
			row := c[i*ldc : i*ldc+n]
			if !accumulate {
				clear(row)
			}
			if bias != nil {
				addTo(k, row, row, bias)
			}
		}
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
				if bias != nil && last {
					for i := ic; i < ic+mc; i++ {
						row := c[i*ldc+jc : i*ldc+jc+nc]
						addTo(k, row, row, bias[jc:jc+nc])
					}
				}
			}
		}
	}
}

func lendGeneric[T float](w *scratch, n, kk int) []T {
	return lend[T](w, slotPanels, min(genericKC, kk)*min(genericNC, (n+genericNR-1)/genericNR*genericNR))
}

// reserve grows a scratch to what gemm needs, so that the product allocates nothing.
func reserve[T float](k *kernels, w *scratch, transA bool, m, n, kk, lda int) {
	if isF32[T]() && k.micro != nil {
		lend32(k, w, transA, m, n, kk, lda)
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

// gemm32 is the same loop over an assembly micro-kernel.
func gemm32(k *kernels, w *scratch, transA, transB bool, m, n, kk int, a []float32, lda int, b []float32, ldb int, c []float32, ldc int, accumulate bool, bias []float32) {
	mr, nr := k.mr, k.nr
	ars, aks := lda, 1
	if transA {
		ars, aks = 1, lda
	}
	packed, panels, tile := lend32(k, w, transA, m, n, kk, lda)
	for jc := 0; jc < n; jc += k.nc {
		nc := min(k.nc, n-jc)
		for pc := 0; pc < kk; pc += k.kc {
			kc := min(k.kc, kk-pc)
			acc, last := pc > 0 || accumulate, pc+kc == kk
			for j := 0; j < nc; j += nr {
				panel := panels[j*kc : (j+nr)*kc]
				if transB {
					packTransposed(k, panel, b[(jc+j)*ldb+pc:], ldb, kc, min(nr, nc-j))
				} else {
					packPanel(k, panel, b[pc*ldb+jc+j:], ldb, kc, min(nr, nc-j))
				}
			}
			for ic := 0; ic < m; ic += k.mc {
				mc := min(k.mc, m-ic)
				// The block's element (i,p) is at i/mr*step + i%mr*rs + p*ks.
				block, rs, ks, step := a[ic*ars+pc*aks:], ars, aks, mr*ars
				if packed != nil && transA {
					rs, ks, step = 1, k.lanes, k.lanes*kc
					packA(k, packed, block, lda, mc, kc, m-ic)
					block = packed
				} else if packed != nil {
					rs, step = kc+rowPad, mr*(kc+rowPad)
					for i := range mc {
						copy(packed[i*rs:], block[i*lda:i*lda+kc])
					}
					block = packed
				}
				for j := 0; j < nc; j += nr {
					panel := &panels[j*kc]
					cols := min(nr, nc-j)
					for i := 0; i < mc; i += mr {
						rows := min(mr, mc-i)
						at, ct := &block[i/mr*step], c[(ic+i)*ldc+jc+j:]
						if cols == nr {
							k.micro[rows-1](kc, at, 4*rs, 4*ks, panel, 4*nr, &ct[0], 4*ldc, acc)
							continue
						}
						// Whole vectors do not fit: through a tile of full width.
						if acc {
							for r := range rows {
								copy(tile[r*nr:], ct[r*ldc:r*ldc+cols])
							}
						}
						k.micro[rows-1](kc, at, 4*rs, 4*ks, panel, 4*nr, &tile[0], 4*nr, acc)
						for r := range rows {
							copy(ct[r*ldc:r*ldc+cols], tile[r*nr:])
						}
					}
				}
				if bias != nil && last {
					for i := ic; i < ic+mc; i++ {
						row := c[i*ldc+jc : i*ldc+jc+nc]
						addTo(k, row, row, bias[jc:jc+nc])
					}
				}
			}
		}
	}
}

// lend32 is what gemm32 works in: packed A or nil, packed B, a tile.
func lend32(k *kernels, w *scratch, transA bool, m, n, kk, lda int) (packed, panels, tile []float32) {
	// A is read in place where too few columns would pay for packing it. Packed, it comes
	// from memory in long runs, and rows a power of two apart, or the steps along k of Aᵀ,
	// do not fall on the same sets of the caches.
	if n >= 8*k.nr || transA && n >= 4*k.nr {
		packed = lend[float32](w, slotRows, (min(k.mc, m)+k.mr)*max(k.kc+rowPad, k.lanes*k.kc/k.mr))
	}
	panels = lend[float32](w, slotPanels, min(k.kc, kk)*min(k.nc, (n+k.nr-1)/k.nr*k.nr))
	return packed, panels, lend[float32](w, slotTile, k.mr*k.nr)
}

// packPanel copies kc rows of cols columns into a panel nr wide, the rest zero.
func packPanel(k *kernels, dst, src []float32, ld, kc, cols int) {
	nr := k.nr
	if cols == nr {
		k.packRows(kc, &src[0], 4*ld, &dst[0])
		return
	}
	for p := range kc {
		d := dst[p*nr : p*nr+nr]
		copy(d, src[p*ld:p*ld+cols])
		clear(d[cols:])
	}
}

// packA packs mc columns of kc rows of Aᵀ, tile after tile, each row of a tile into a
// vector. A few rows at a time where they lie far apart: were there more, those a power
// of two apart would push each other out of the first-level cache before the next tile
// reads the rest of their lines. Vectors reach beyond a tile; have is the columns that
// are there to be read.
func packA(k *kernels, dst, src []float32, ld, mc, kc, have int) {
	few := max(8, 16384/ld)
	for p := 0; p < kc; p += few {
		rows := min(few, kc-p)
		for i := 0; i < mc; i += k.mr {
			d, s := dst[(i/k.mr*kc+p)*k.lanes:], src[p*ld+i:]
			if i+k.lanes <= have {
				k.packCols(rows, &s[0], 4*ld, &d[0])
				continue
			}
			for q := range rows {
				copy(d[q*k.lanes:], s[q*ld:q*ld+have-i])
			}
		}
	}
}

// packTransposed packs cols rows of kc elements as columns of a panel nr wide, the rest zero.
func packTransposed(k *kernels, dst, src []float32, ld, kc, cols int) {
	nr := k.nr
	for j := 0; j < nr; j += 8 {
		p := 0
		if j+8 <= cols && kc >= 8 {
			p = kc &^ 7
			_ = src[(j+7)*ld+p-1]
			k.transpose8(p, &src[j*ld], 4*ld, &dst[j])
		}
		for ; p < kc; p++ {
			for q := j; q < j+8; q++ {
				if q < cols {
					dst[p*nr+q] = src[q*ld+p]
				} else {
					dst[p*nr+q] = 0
				}
			}
		}
	}
}

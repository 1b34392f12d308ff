package cpu

import "math"

// Matrix products of operands that are rounded to bf16 (to the nearest even, subnormals to zero), with sums in float32.
// Both operands are packed and filled up with zeros: A in tiles of 16 rows by 32 k, B in tiles of 16 pairs of k by 16
// columns. Two tiles of rows or columns lie side by side, and behind them the tiles of the next 32 k. All workers
// together pack a block of B, which all rows need; then each takes rows of A, packs them and multiplies. Where k is long,
// as in gradients of weights, each worker takes a block of C that stays in its cache, and packs both operands for it.
//
// An element starts with its bias, zero or its old value, and is a chain of steps of 32 k, whatever the blocks are. The
// instruction decides what a step does. AMX's TDPBF16PS sums the even k in one chain of fused multiply-adds and the odd k
// in another, both from zero, adds the two, and then their sum to the element. VDPBF16PS is one chain of fused
// multiply-adds, with the odd k of each pair first. Both flush subnormals to zero.

// bf16Kernels are the assembly of these products.
type bf16Kernels struct {
	rowTiles, rowTilesT   func(n int, src *float32, stride int, dst *uint16)
	pairTiles, pairTilesT func(n int, src *float32, stride int, dst *uint16, step int)
	amx, vdp              bf16Kernel
	amxLoop, vdpLoop      func(n int)
}

// A bf16Kernel computes mp·32 rows and np·32 columns of C over kt·32 steps; strides are in bytes.
type bf16Kernel func(kt, mp, np int, a, b *uint16, bstep int, c *float32, ldc int, init *float32, ldi int)

const (
	tileK    = 32      // steps of k in a tile, and rows or columns of two
	twoTiles = 2 * 512 // elements of two tiles, side by side
	bf16KT   = 16      // tiles of k that are multiplied at a time: two of B stay in the first-level cache
	bf16Rows = 256     // rows of A that a worker packs: they stay in the second
	bf16B    = 1 << 20 // elements of B that are packed at a time: all workers' second-level caches
)

// tiles is how many hold n.
func tiles(n int) int { return (n + tileK - 1) / tileK }

// A bf16Job is a product, a block of B at a time.
type bf16Job struct {
	g          *gemmJob[float32]
	set        *bf16Set
	packed     []uint16
	packing    bool
	k0, kt     int // the block: from so many tiles of k, so many
	col, cols  int
	rows       int  // of a chunk
	parts, per int  // chunks side by side, and their columns
	own        bool // a chunk packs B too
}

// packParts is how many columns one chunk packs where k runs across the rows of B.
const packParts = 1024

func (j *bf16Job) start(d *Device, g *gemmJob[float32]) {
	j.g, j.set = g, d.bf16
	all := tiles(g.k)
	if all > 2*bf16KT && g.transA {
		j.alone(d)
		*j = bf16Job{}
		return
	}
	kt := min(all, max(bf16KT, bf16B/(tiles(g.n)*twoTiles)/bf16KT*bf16KT))
	cols := min(tiles(g.n), max(1, bf16B/(kt*twoTiles))) * tileK
	threads := d.pool.threads
	j.rows = min(bf16Rows, (tiles(g.m)+threads-1)/threads*tileK)
	j.parts = 1
	if byM := (g.m + j.rows - 1) / j.rows; threads > 1 {
		j.parts = max(1, min(tiles(cols), (2*threads+byM-1)/byM))
	}
	for _, w := range d.scratch { // see gemmJob.start
		lend[uint16](w, slotRows, tiles(min(j.rows, g.m))*min(kt, bf16KT)*twoTiles)
		lend[float32](w, slotA, tileK*tileK)
	}
	j.packed = lend[uint16](&d.shared, slotPanels, kt*tiles(cols)*twoTiles)
	for j.col = 0; j.col < g.n; j.col += cols {
		j.cols = min(cols, g.n-j.col)
		j.per = (tiles(j.cols) + j.parts - 1) / j.parts * tileK
		for j.k0 = 0; j.k0 < all; j.k0 += kt {
			j.kt = min(kt, all-j.k0)
			j.packing = true
			if g.transB {
				d.pool.run(tiles(j.cols), j)
			} else {
				d.pool.run(j.kt*((j.cols+packParts-1)/packParts), j)
			}
			j.packing = false
			d.pool.run((g.m+j.rows-1)/j.rows*((j.cols+j.per-1)/j.per), j)
		}
	}
	*j = bf16Job{}
}

// bf16C is the number of elements of C that a worker keeps in its second-level cache beside packed operands.
const bf16C = 160 << 10

// alone cuts C into blocks, each over the whole of k.
func (j *bf16Job) alone(d *Device) {
	g, threads := j.g, d.pool.threads
	m, n := tiles(g.m), tiles(g.n)
	best := math.Inf(1)
	for byM := 1; byM <= m; byM++ {
		for byN := 1; byN <= n; byN++ {
			r, c := (m+byM-1)/byM, (n+byN-1)/byN
			if r*c*tileK*tileK > bf16C && r*c > 1 {
				continue
			}
			chunks := (m + r - 1) / r * ((n + c - 1) / c)
			rounds := (chunks + threads - 1) / threads * threads
			// In cycles for each step of k: to read and pack an element takes 0.7, to multiply one of C 1/400.
			cost := 0.7*tileK*float64(byM*n+byN*m) + float64(rounds*r*c*tileK*tileK)/400
			if cost < best {
				best, j.rows, j.per = cost, r*tileK, c*tileK
			}
			if chunks > 8*threads {
				break
			}
		}
	}
	j.own, j.kt, j.cols = true, tiles(g.k), g.n
	for _, w := range d.scratch { // see gemmJob.start
		lend[uint16](w, slotRows, tiles(j.rows)*bf16KT*twoTiles)
		lend[uint16](w, slotPanels, tiles(j.per)*bf16KT*twoTiles)
		lend[float32](w, slotA, tileK*tileK)
	}
	d.pool.run((g.m+j.rows-1)/j.rows*((g.n+j.per-1)/j.per), j)
}

func (j *bf16Job) chunk(i, worker int) {
	g := j.g
	k, w := &g.d.kern.bf16, g.d.scratch[worker]
	tmp := lend[float32](w, slotA, tileK*tileK)
	k0 := j.k0 * tileK
	kk := min(g.k-k0, j.kt*tileK)
	if !j.packing {
		parts := (j.cols + j.per - 1) / j.per
		j.multiply(k, w, tmp, i/parts*j.rows, i%parts*j.per)
		return
	}
	step := j.kt * twoTiles
	if g.transB { // 32 columns
		c := i * tileK
		packBF16(k, tmp, j.packed[c/tileK*step:], step, g, j.col+c, min(tileK, j.cols-c), k0, kk)
		return
	}
	t, c := i%j.kt, i/j.kt*packParts
	p := t * tileK
	packBF16(k, tmp, j.packed[c/tileK*step+t*twoTiles:], step, g, j.col+c, min(packParts, j.cols-c), k0+p, min(tileK, kk-p))
}

// packBF16 packs columns of B from col on, and kk of k from k0 on.
func packBF16(k *bf16Kernels, tmp []float32, dst []uint16, step int, g *gemmJob[float32], col, cols, k0, kk int) {
	if g.transB {
		packAlong(k.rowTilesT, tmp, dst, g.b[col*g.ldb+k0:], g.ldb, cols, kk)
		return
	}
	for p := 0; p < kk; p += tileK {
		packAcross(k.pairTiles, tmp, dst[p/tileK*twoTiles:], step, g.b[(k0+p)*g.ldb+col:], g.ldb, cols, min(tileK, kk-p))
	}
}

// multiply adds the block's products to a chunk of C.
func (j *bf16Job) multiply(k *bf16Kernels, w *scratch, tmp []float32, row, col int) {
	g := j.g
	rows, cols := min(j.rows, g.m-row), min(j.per, j.cols-col)
	for t := 0; t < j.kt; t += bf16KT {
		kt := min(bf16KT, j.kt-t)
		k0 := (j.k0 + t) * tileK
		kk := min(kt*tileK, g.k-k0)
		a := lend[uint16](w, slotRows, tiles(rows)*kt*twoTiles)
		if g.transA {
			for q := range kt {
				p := q * tileK
				packAcross(k.pairTilesT, tmp, a[q*twoTiles:], kt*twoTiles, g.a[(k0+p)*g.lda+row:], g.lda, rows, min(tileK, kk-p))
			}
		} else {
			packAlong(k.rowTiles, tmp, a, g.a[row*g.lda+k0:], g.lda, rows, kk)
		}
		b, bstep := j.packed, j.kt*twoTiles
		if j.own {
			bstep = kt * twoTiles
			b = lend[uint16](w, slotPanels, tiles(cols)*bstep)
			packBF16(k, tmp, b, bstep, g, col, cols, k0, kk)
		} else {
			b = b[(col/tileK*j.kt+t)*twoTiles:]
		}
		c := g.c[row*g.ldc+j.col+col:]
		// What the elements begin with: before[i*stride+j].
		var before []float32
		stride := 0
		if g.accumulate || k0 > 0 {
			before, stride = c, g.ldc
		} else if g.bias != nil {
			before = g.bias[j.col+col:]
		}
		mp, np := rows/tileK, cols/tileK
		for q := 0; q < np && mp > 0; {
			n := min(np-q, max(1, 64/mp)) // some microseconds, as assembly cannot be interrupted
			var init *float32
			if before != nil {
				init = &before[q*tileK]
			}
			j.set.product(kt, mp, n, &a[0], &b[q*bstep], 2*bstep, &c[q*tileK], 4*g.ldc, init, 4*stride)
			q += n
		}
		edge := func(i, q int) { // 32 rows and columns that C has not all of
			m, n := min(tileK, rows-i*tileK), min(tileK, cols-q*tileK)
			clear(tmp)
			if before != nil {
				for r := range m {
					copy(tmp[r*tileK:][:n], before[(i*tileK+r)*stride+q*tileK:])
				}
			}
			j.set.product(kt, 1, 1, &a[i*kt*twoTiles], &b[q*bstep], 2*bstep, &tmp[0], 4*tileK, &tmp[0], 4*tileK)
			for r := range m {
				copy(c[(i*tileK+r)*g.ldc+q*tileK:][:n], tmp[r*tileK:])
			}
		}
		if rows%tileK != 0 {
			for q := range np {
				edge(mp, q)
			}
		}
		if cols%tileK != 0 {
			for i := range tiles(rows) {
				edge(i, np)
			}
		}
	}
}

// packAlong packs rows of kk elements, ld apart, of which k runs along.
func packAlong(pack func(n int, src *float32, stride int, dst *uint16), tmp []float32, dst []uint16, src []float32, ld, rows, kk int) {
	step := tiles(kk) * twoTiles
	for r := 0; r < tiles(rows)*tileK; r += 16 {
		out := dst[r/tileK*step+r%tileK/16*(twoTiles/2):]
		t := 0
		if whole := kk / tileK; r+16 <= rows && whole > 0 {
			pack(whole, &src[r*ld], 4*ld, &out[0])
			t = whole
		}
		for ; t < tiles(kk); t++ {
			clear(tmp[:16*tileK])
			for i := r; i < min(rows, r+16); i++ {
				copy(tmp[(i-r)*tileK:][:tileK], src[i*ld+t*tileK:i*ld+kk])
			}
			pack(1, &tmp[0], 4*tileK, &out[t*twoTiles])
		}
	}
}

// packAcross packs kk ≤ 32 rows of so many columns, across which k runs; step is what
// lies between 32 columns and the next in dst.
func packAcross(pack func(n int, src *float32, stride int, dst *uint16, step int), tmp []float32, dst []uint16, step int, src []float32, ld, cols, kk int) {
	c := 0
	if whole := cols / tileK; kk == tileK && whole > 0 {
		pack(whole, &src[0], 4*ld, &dst[0], 2*step)
		c = whole * tileK
	}
	for ; c < cols; c += tileK {
		clear(tmp)
		for p := range kk {
			copy(tmp[p*tileK:][:tileK], src[p*ld+c:p*ld+cols])
		}
		pack(1, &tmp[0], 4*tileK, &dst[c/tileK*step], 0)
	}
}

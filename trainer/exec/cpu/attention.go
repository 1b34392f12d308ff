package cpu

import (
	"math"
	"unsafe"

	"hone/trainer/exec"
)

// Attention goes over tiles of queries and keys with a running maximum and sum for
// each query (Milakov & Gimelshein 2018; Dao 2023), so that no (T,T) buffer exists.
//
// Key tiles are counted from the first key of a span, which is a run of equal segments, and end with it. So the results
// of a span have the same bits wherever it lies in a row and whatever lies beside it, and those of a query have the
// same bits with or without the queries after it.
//
// AVX2 and AVX-512 give the same bits. The portable kernels round each product of a sum, and have another exp2. All
// results are within 5e-6, relative to the largest value, of those of float64.
//
// Scores are logarithms to base 2. The factor for that is in the transposed keys, where it costs nothing:
// s = q·(k·scale·log₂e).

// A headMatrix has a head's columns at col + h·d.
type headMatrix[T float] struct {
	x       []T
	ld, col int
}

func (m *headMatrix[T]) at(row, h, d int) []T { return m.x[row*m.ld+m.col+h*d:] }

// A relativeBias is added to scores: x[row·ldr + h·n + (j-i+tq-1)], for query i and key j of
// their sequences and n = tq + tk - 1. ldr is 0 where all queries share it.
type relativeBias[T float] struct {
	x      []T
	ldr, n int
	tq, tk int
}

// at is the index for a query and a key, both counted from the first of all sequences. For the next query it is ldr-1
// more.
func (b *relativeBias[T]) at(query, key, h int) int {
	return query*b.ldr + h*b.n + key%b.tk - query%b.tq + b.tq - 1
}

// An attentionJob is attention, cut over units and heads, or its gradient, cut over spans and key heads, or, with the
// gradient of a shared bias, over sequences and key heads.
type attentionJob[T float] struct {
	d              *Device
	phase          attentionPhase
	together       int // heads of a chunk: a worker that goes through a row reads it once
	q, k, v, y     headMatrix[T]
	dq, dk, dv, dy headMatrix[T]
	lse            []T
	bias, dbias    relativeBias[T]
	heads, kv, dim int
	scale          T
	queries, keys  rows
	strict         int32
	window         int // rows that a query sees up to its own; 0: all
	spans          spans
	drop           mask[T] // of probabilities
	part           []T     // of a shared bias's gradient: (B,H,n), kept between launches
}

type attentionPhase uint8

const (
	attentionForward attentionPhase = iota
	attentionBackward
	attentionSequences // backward, where a bias's gradient wants the spans of a sequence in order
	attentionSumBias
)

func (j *attentionJob[T]) chunk(i, worker int) {
	w := j.d.scratch[worker]
	switch j.phase {
	case attentionForward:
		parts := j.heads / j.together
		for h := range j.together {
			u, h := &j.spans.units[i/parts], i%parts*j.together+h
			ahead, next := j.following(i, h, parts)
			j.forward(u, h, ahead, next, w)
		}
	case attentionBackward:
		parts := j.kv / j.together
		for h := range j.together {
			u, h := &j.spans.units[i/parts], i%parts*j.together+h
			ahead, next := j.following(i, h, parts)
			j.backward(&j.spans.list[u.span], h, j.spans.of(ahead), next, w)
		}
	case attentionSequences:
		seq, kv := i/j.kv, i%j.kv
		group := j.heads / j.kv
		clear(j.part[(seq*j.heads+kv*group)*j.bias.n : (seq*j.heads+(kv+1)*group)*j.bias.n])
		for s := j.spans.first[seq]; s < j.spans.first[seq+1]; s++ {
			j.backward(&j.spans.list[s], kv, nil, 0, w)
		}
	case attentionSumBias:
		n := j.bias.n
		sum := j.dbias.x[i*n : (i+1)*n]
		clear(sum)
		for at := i * n; at < len(j.part); at += j.heads * n {
			addTo(j.d.kern, sum, sum, j.part[at:at+n])
		}
	}
}

// following is the unit and the head that a worker most likely takes after head h of chunk i, where each unit has
// parts chunks; nil after the last. Heads are query heads forward and key heads backward.
func (j *attentionJob[T]) following(i, h, parts int) (*unit, int) {
	if h++; h%j.together != 0 {
		return &j.spans.units[i/parts], h
	}
	if i++; i/parts == len(j.spans.units) {
		return nil, 0
	}
	return &j.spans.units[i/parts], i % parts * j.together
}

// chunks decides how many heads of a unit a chunk takes, such that there are enough chunks for all workers, and gives
// the number of chunks.
func (j *attentionJob[T]) chunks(heads int) int {
	j.together = heads
	for j.together > 1 && (heads%j.together != 0 || len(j.spans.units)*heads < 12*j.d.pool.threads*j.together) {
		j.together--
	}
	return len(j.spans.units) * heads / j.together
}

// A sight says what the queries of one tile see of the keys of another.
type sight uint8

const (
	sightNone   sight = iota
	sightFirst        // each query sees the first seen keys
	sightSlant        // the same, and in this square tile query i sees no key after i
	sightMasked       // what the orders say
	sightMixed        // what orders and segments say
)

// look says what tile qt of a span's queries sees of tile kt of its keys. It sets seen, for sights by orders query and
// key, and where a window ends within the tiles banded and near.
func (j *attentionJob[T]) look(sp *span, qt, kt int, w *tileOrders) sight {
	q, k := &j.spans.qtiles[int(sp.qtile)+qt], &j.spans.ktiles[int(sp.ktile)+kt]
	if k.min > q.max {
		return sightNone
	}
	q0, m := tileOf(sp.q, sp.nq, qt)
	k0, n := tileOf(sp.k, sp.nk, kt)
	if w.banded = false; j.window > 0 {
		if q0-(k0+n-1) >= j.window {
			return sightNone
		}
		w.banded = q0+m-1-k0 >= j.window
		for i := range m {
			w.near[i] = int32(j.window - 1 - (q0 + i - k0))
		}
	}
	seen := w.seen[:m]
	if sp.kind != spanSorted || k.max <= q.min {
		for i := range seen {
			seen[i] = int32(n)
		}
		if sp.kind != spanMixed && k.max <= q.min {
			return sightFirst
		}
		for i, o := range j.queries.order[q0 : q0+m] {
			w.query[i] = o - j.strict
		}
		keys := j.keys.order[k0 : k0+n]
		if sp.kind == spanMixed {
			copy(w.key[:], keys)
			return sightMixed
		}
		copy(w.key[:], keys)
		for i := n; i < tileRows; i++ {
			w.key[i] = math.MaxInt32
		}
		return sightMasked
	}
	keys, slanted, c := j.keys.order[k0:k0+n], m == n, 0
	for i, o := range j.queries.order[q0 : q0+m] {
		o -= j.strict
		for c < n && keys[c] <= o {
			c++
		}
		for c > 0 && keys[c-1] > o {
			c--
		}
		seen[i] = int32(c)
		slanted = slanted && c <= i+1
	}
	if slanted {
		return sightSlant
	}
	return sightFirst
}

func tileOf(row, rows int32, t int) (first, n int) {
	return int(row) + t*tileRows, min(tileRows, int(rows)-t*tileRows)
}

// tileOrders say which keys the queries of a pair of tiles see.
type tileOrders struct {
	seen, query, key [tileRows]int32

	banded bool            // a window ends within the tiles: query i does not see the keys c < -near[i]
	near   [tileRows]int32 // the window's length - 1 - the number of rows from the tile's first key to the query
}

// backwards are the orders of a tile's keys for which mask hides those beyond a window: key c has -c, and queries have
// near.
var backwards = func() (c [tileRows]int32) {
	for i := range c {
		c[i] = -int32(i)
	}
	return
}()

// hide masks the scores of keys beyond a window.
func (o *tileWork[T]) hide(m, n int) {
	if o.orders.banded {
		o.mask(m, n, o.s, o.orders.near[:], backwards[:])
	}
}

// A tileWork has a worker's buffers.
type tileWork[T float] struct {
	tiler[T]
	orders *tileOrders
	s, dp  []T // (64,tileLD) scores and the gradient of probabilities
	kt     []T // (d,tileLD) transposed keys
	free   []T // for the rest
}

// newTileWork lends the buffers, and rest elements more.
func newTileWork[T float](k *kernels, w *scratch, d, rest int) tileWork[T] {
	o := tileWork[T]{tiler: newTiler[T](k, w, d)}
	o.free = lend[T](w, slotA, 2*tileRows*tileLD+o.columns()+rest)
	o.s, o.dp, o.kt = o.take(tileRows*tileLD), o.take(tileRows*tileLD), o.take(o.columns())
	o.orders = (*tileOrders)(unsafe.Pointer(&lend[float32](w, slotB, int(unsafe.Sizeof(tileOrders{})/4))[0]))
	return o
}

// columns is the size of a tile's transposed keys.
func (t *tiler[T]) columns() int { return (t.d + 7) / 8 * 8 * tileLD }

func (o *tileWork[T]) take(n int) []T {
	s := o.free[:n:n]
	o.free = o.free[n:]
	return s
}

// A querier is a tile of m queries on its way over the keys.
type querier[T float] struct {
	m               int
	q               []T // rows, ldq apart
	ldq             int
	y               []T // (m,d) sums, rows o.ld apart
	top, sum, alpha []T // (64), (64), (128)
	started         bool
}

func (o *tileWork[T]) querier(m int, q []T, ldq int) querier[T] {
	u := querier[T]{m: m, q: q, ldq: ldq, y: o.take(m * o.ld), top: o.take(tileRows), sum: o.take(tileRows), alpha: o.take(2 * tileRows)}
	for i := range u.top {
		u.top[i], u.sum[i], u.alpha[i] = lowest[T](), 0, 0
	}
	return u
}

// querierSize is what a querier takes of a tileWork.
func (t *tiler[T]) querierSize(m int) int { return m*t.ld + 4*tileRows }

// lowest is below every score, and finite: scores that are -Inf leave it where it is.
func lowest[T float]() T {
	if isF32[T]() {
		return T(-math.MaxFloat32)
	}
	x := -math.MaxFloat64
	return T(x)
}

// softmax turns the scores of a tile of n keys, in o.s, into probabilities, except for a factor of each row.
func (u *querier[T]) softmax(o *tileWork[T], n int) {
	o.softmax(u.m, n, o.s, o.orders.seen[:], u.top, u.sum, u.alpha)
	if u.started {
		for _, a := range u.alpha[:u.m] {
			if a != 1 {
				o.scale(u.m, u.y, o.ld, u.y, o.ld, u.alpha)
				break
			}
		}
	}
}

// add adds a tile of n values, weighted with the probabilities in o.s.
func (u *querier[T]) add(o *tileWork[T], n int, values []T, ldv int, part slant) {
	o.product(u.m, o.d, n, o.s, tileLD, 1, values, ldv, u.y, o.ld, u.started, part)
	u.started = true
}

// end writes the results, and the logarithms of the normalisers into lse, if any, ldl apart.
func (u *querier[T]) end(o *tileWork[T], y []T, ldy int, lse []T, ldl int) {
	if !u.started {
		for i := range u.m {
			clear(y[i*ldy : i*ldy+o.d])
			if lse != nil {
				lse[i*ldl] = 0
			}
		}
		return
	}
	for i, sum := range u.sum[:u.m] {
		u.alpha[i] = 1 / sum
		if lse != nil {
			lse[i*ldl] = (u.top[i] + log2Of(sum)) * math.Ln2
		}
	}
	o.scale(u.m, y, ldy, u.y, o.ld, u.alpha)
	for i, sum := range u.sum[:u.m] {
		if sum == 0 { // sees nothing
			clear(y[i*ldy : i*ldy+o.d])
			if lse != nil {
				lse[i*ldl] = 0
			}
		}
	}
}

// scores computes the scores of m queries, from query q0 of all, with the n keys of a tile, from key k0 of all.
func (j *attentionJob[T]) scores(o *tileWork[T], see sight, m, n int, q []T, ldq int, kt []T, q0, k0, h int) slant {
	part := square
	if see == sightSlant {
		part = result
	}
	o.product(m, n, o.d, q, ldq, 1, kt, tileLD, o.s, tileLD, false, part)
	if j.bias.x != nil {
		o.add(m, n, o.s, 0, tileLD, j.bias.x, j.bias.at(q0, k0, h), j.bias.ldr-1, math.Log2E)
	}
	switch see {
	case sightMasked:
		o.mask(m, n, o.s, o.orders.query[:], o.orders.key[:])
	case sightMixed:
		for i := range m {
			row, seg := o.s[i*tileLD:i*tileLD+n], j.queries.segments[q0+i]
			for c := range row {
				if seg < 0 || j.keys.segments[k0+c] != seg || o.orders.key[c] > o.orders.query[i] {
					row[c] = negInf[T]()
				}
			}
		}
	}
	o.hide(m, n)
	return part
}

// dropout zeroes the elements of a tile x that the mask drops, and scales the others. The tile has m queries, from query
// q0 of all; only the keys that a query sees count. The mask numbers the keys of a query and head from the first key of
// the span, in whole tiles.
func (j *attentionJob[T]) dropout(o *tileWork[T], x []T, m, q0, kt, h int) {
	if j.drop.limit == 0 {
		return
	}
	const blocks = tileRows / 8
	tiles := tilesOf(int32(j.keys.t))
	for i, seen := range o.orders.seen[:m] {
		// Whole vectors of the assembly: what lies beyond is not read.
		row := x[i*tileLD:][:(seen+31)/32*32]
		j.drop.apply(row, row, uint32((((q0+i)*j.heads+h)*tiles+kt)*blocks))
	}
}

// unitTiles is the number of query tiles for which a key tile is packed once.
const unitTiles = 4

// forward computes head h of a unit. Meanwhile it prefetches what head next of the unit ahead reads, if any.
func (j *attentionJob[T]) forward(u *unit, h int, ahead *unit, next int, w *scratch) {
	sp := &j.spans.list[u.span]
	d := j.dim
	if sp.nk == 0 || sp.nq == 0 {
		for r := int(sp.q); r < int(sp.q+sp.nq); r++ {
			clear(j.y.at(r, h, d)[:d])
			j.lse[r*j.heads+h] = 0
		}
		return
	}
	kv := h / (j.heads / j.kv)
	t := newTiler[T](j.d.kern, w, d)
	o := newTileWork[T](j.d.kern, w, d, tileRows*t.ld+unitTiles*(tileRows*t.ld+t.querierSize(tileRows)))
	j.askForward(&o, u, h, ahead, next)
	values := o.take(tileRows * o.ld)
	var tiles [unitTiles]querier[T]
	for i := range int(u.to - u.from) {
		q0, m := tileOf(sp.q, sp.nq, int(u.from)+i)
		q := o.take(m * o.ld)
		o.load(m, q, j.q.at(q0, h, d), j.q.ld)
		tiles[i] = o.querier(m, q, o.ld)
	}
	for kt := range tilesOf(sp.nk) {
		k0, n := tileOf(sp.k, sp.nk, kt)
		packed := false
		for i := range int(u.to - u.from) {
			see := j.look(sp, int(u.from)+i, kt, o.orders)
			if see == sightNone {
				continue
			}
			if !packed {
				o.transpose(n, o.kt, j.k.at(k0, kv, d), j.k.ld, T(float64(j.scale)*math.Log2E))
				o.load(n, values, j.v.at(k0, kv, d), j.v.ld)
				packed = true
			}
			q0, _ := tileOf(sp.q, sp.nq, int(u.from)+i)
			part := j.scores(&o, see, tiles[i].m, n, tiles[i].q, o.ld, o.kt, q0, k0, h)
			if part == result {
				part = lower
			}
			tiles[i].softmax(&o, n)
			j.dropout(&o, o.s, tiles[i].m, q0, kt, h)
			tiles[i].add(&o, n, values, o.ld, part)
		}
	}
	for i := range int(u.to - u.from) {
		q0, _ := tileOf(sp.q, sp.nq, int(u.from)+i)
		tiles[i].end(&o, j.y.at(q0, h, d), j.y.ld, j.lse[q0*j.heads+h:], j.heads)
	}
}

// askForward prefetches the place of a head's results, and what the next head reads.
func (j *attentionJob[T]) askForward(o *tileWork[T], u *unit, h int, ahead *unit, next int) {
	row, n := j.spans.queries(u)
	j.ask(o, &j.y, row, n, h)
	if ahead == nil {
		return
	}
	row, n = j.spans.queries(ahead)
	j.ask(o, &j.q, row, n, next)
	if group := j.heads / j.kv; ahead != u || h/group != next/group {
		first, n := j.spans.keys(ahead)
		j.ask(o, &j.k, first, n, next/group)
		j.ask(o, &j.v, first, n, next/group)
	}
}

// ask prefetches n rows of a head.
func (j *attentionJob[T]) ask(o *tileWork[T], m *headMatrix[T], row, n, h int) {
	if n > 0 && o.asm() {
		o.asker.add(f32(m.at(row, h, j.dim)), n, j.dim, m.ld)
	}
}

// backward is that of Dao 2023, algorithm 2, with the queries outside: with
// P = exp(S-lse) and δ = rowsum(dY∘Y),
//
//	dV += Pᵀ·dY,  dS = scale·P∘(dY·Vᵀ - δ),  dQ += dS·K,  dK += dSᵀ·Q
//
// where scale is in the transposed values and in δ. With a dropout mask M, dV += (M∘P)ᵀ·dY and
// dS = scale·P∘(M∘(dY·Vᵀ) - δ), with the same δ. One chunk takes all queries of a key head, in order, so that nothing is
// shared.
//
// It prefetches the places of its results, and what key head next of the span ahead reads, if any.
func (j *attentionJob[T]) backward(sp *span, kv int, ahead *span, next int, w *scratch) {
	d, group := j.dim, j.heads/j.kv
	nk, ktiles := int(sp.nk), tilesOf(sp.nk)
	if nk == 0 || sp.nq == 0 {
		for r := int(sp.q); r < int(sp.q+sp.nq); r++ {
			clear(j.dq.at(r, kv*group, d)[:group*d])
			j.clearBias(r, kv*group, group)
		}
		for r := int(sp.k); r < int(sp.k)+nk; r++ {
			clear(j.dk.at(r, kv, d)[:d])
			clear(j.dv.at(r, kv, d)[:d])
		}
		return
	}
	t := newTiler[T](j.d.kern, w, d)
	o := newTileWork[T](j.d.kern, w, d, 3*nk*t.ld+2*ktiles*t.columns()+3*tileRows*t.ld+2*tileRows)
	keys, dk, dv := o.take(nk*o.ld), o.take(nk*o.ld), o.take(nk*o.ld)
	kts, vts := o.take(ktiles*o.columns()), o.take(ktiles*o.columns())
	q, dy, dq := o.take(tileRows*o.ld), o.take(tileRows*o.ld), o.take(tileRows*o.ld)
	lse, delta := o.take(tileRows), o.take(tileRows)
	j.ask(&o, &j.dq, int(sp.q), int(sp.nq), kv*group)
	j.ask(&o, &j.dk, int(sp.k), nk, kv)
	j.ask(&o, &j.dv, int(sp.k), nk, kv)
	if ahead != nil {
		j.ask(&o, &j.k, int(ahead.k), int(ahead.nk), next)
		j.ask(&o, &j.v, int(ahead.k), int(ahead.nk), next)
		j.ask(&o, &j.q, int(ahead.q), int(ahead.nq), next*group)
		j.ask(&o, &j.dy, int(ahead.q), int(ahead.nq), next*group)
		j.ask(&o, &j.y, int(ahead.q), int(ahead.nq), next*group)
	}
	o.load(nk, keys, j.k.at(int(sp.k), kv, d), j.k.ld)
	for kt := range ktiles {
		k0, n := tileOf(sp.k, sp.nk, kt)
		o.transpose(n, kts[kt*o.columns():], j.k.at(k0, kv, d), j.k.ld, T(float64(j.scale)*math.Log2E))
		o.transpose(n, vts[kt*o.columns():], j.v.at(k0, kv, d), j.v.ld, j.scale)
	}
	clear(dk)
	clear(dv)
	for h := kv * group; h < (kv+1)*group; h++ {
		for qt := range tilesOf(sp.nq) {
			q0, m := tileOf(sp.q, sp.nq, qt)
			o.load(m, q, j.q.at(q0, h, d), j.q.ld)
			o.load(m, dy, j.dy.at(q0, h, d), j.dy.ld)
			o.dot(m, delta, dy, o.ld, j.y.at(q0, h, d), j.y.ld)
			for i := range m {
				lse[i] = j.lse[(q0+i)*j.heads+h] * math.Log2E
				delta[i] *= j.scale
				j.clearBias(q0+i, h, 1)
			}
			started := false
			for kt := range ktiles {
				see := j.look(sp, qt, kt, o.orders)
				if see == sightNone {
					continue
				}
				k0, n := tileOf(sp.k, sp.nk, kt)
				at := kt * tileRows * o.ld
				part := j.scores(&o, see, m, n, q, o.ld, kts[kt*o.columns():], q0, k0, h)
				o.product(m, n, d, dy, o.ld, 1, vts[kt*o.columns():], tileLD, o.dp, tileLD, false, part)
				j.dropout(&o, o.dp, m, q0, kt, h)
				o.grad(m, n, o.s, o.dp, o.orders.seen[:], lse, delta)
				j.dropout(&o, o.s, m, q0, kt, h)
				rows, cols := square, square
				if part == result {
					rows, cols = lower, upper
				}
				o.product(n, d, m, o.s, 1, tileLD, dy, o.ld, dv[at:], o.ld, true, cols)
				o.product(n, d, m, o.dp, 1, tileLD, q, o.ld, dk[at:], o.ld, true, cols)
				o.product(m, d, n, o.dp, tileLD, 1, keys[at:], o.ld, dq, o.ld, started, rows)
				started = true
				if j.dbias.x != nil {
					j.addBias(&o, m, n, q0, k0, h)
				}
			}
			if started {
				o.copy(m, j.dq.at(q0, h, d), j.dq.ld, dq, o.ld)
			} else {
				for i := range m {
					clear(j.dq.at(q0+i, h, d)[:d])
				}
			}
		}
	}
	o.copy(nk, j.dk.at(int(sp.k), kv, d), j.dk.ld, dk, o.ld)
	o.copy(nk, j.dv.at(int(sp.k), kv, d), j.dv.ld, dv, o.ld)
}

// clearBias clears the bias's gradient of a query that has its own.
func (j *attentionJob[T]) clearBias(row, h, heads int) {
	if j.dbias.x != nil && j.bias.ldr > 0 {
		at := row*j.bias.ldr + h*j.bias.n
		clear(j.dbias.x[at : at+heads*j.bias.n])
	}
}

// addBias adds a tile's gradient of scores to the bias's.
func (j *attentionJob[T]) addBias(o *tileWork[T], m, n, q0, k0, h int) {
	dst, at := j.dbias.x, j.bias.at(q0, k0, h)
	if j.bias.ldr == 0 {
		dst, at = j.part, at+q0/j.bias.tq*j.heads*j.bias.n
	}
	o.add(m, n, dst, at, j.bias.ldr-1, o.dp, 0, tileLD, 1/j.scale)
}

// sizes reads the attributes, and checks the operands that the op and its gradient share: q, k, v, segments, order, the
// keys' segments and order, bias, rng.
func (j *attentionJob[T]) sizes(in *exec.Instr, args []exec.Arg) error {
	a := &in.Attrs
	r, width, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	if a.Heads < 1 || a.KVHeads < 1 || a.Heads%a.KVHeads != 0 || a.B < 1 || a.T < 1 || r != a.B*a.T || !(a.Scale != 0) {
		return mismatch(in, args)
	}
	j.heads, j.kv, j.scale, j.strict, j.window = a.Heads, a.KVHeads, T(a.Scale), 0, a.Window
	if a.Strict {
		j.strict = 1
	}
	// The columns of the operand are query heads, then key heads and value heads if it holds them too.
	q, k, v := args[0], args[1], args[2]
	all, kcol, vcol := a.Heads, 0, 0
	switch {
	case k.Buffer == nil && v.Buffer == nil:
		all += 2 * a.KVHeads
		k, v, kcol, vcol = q, q, a.Heads, a.Heads+a.KVHeads
	case k.Buffer != nil && v.Buffer == nil:
		v, vcol = k, a.KVHeads
	case k.Buffer == nil:
		return mismatch(in, args)
	}
	if width == 0 || width%all != 0 {
		return mismatch(in, args)
	}
	d := width / all
	j.dim = d
	j.q, j.k, j.v = headMatrix[T]{view[T](q), width, 0}, headMatrix[T]{view[T](k), k.Shape[len(k.Shape)-1], kcol * d}, headMatrix[T]{view[T](v), v.Shape[len(v.Shape)-1], vcol * d}
	j.queries = rows{view[int32](args[3]), view[int32](args[4]), a.T}
	j.keys = rows{view[int32](args[5]), view[int32](args[6]), a.T}
	self := args[5].Buffer == nil && args[6].Buffer == nil
	if j.window < 0 || j.window > 0 && !self {
		return mismatch(in, args)
	}
	if self {
		j.keys = j.queries
	}
	rk := len(j.keys.segments)
	j.keys.t = rk / a.B
	if len(j.queries.segments) != r || len(j.queries.order) != r || rk == 0 || rk%a.B != 0 || len(j.keys.order) != rk ||
		len(j.q.x) != r*width || len(j.k.x) != rk*j.k.ld || len(j.v.x) != rk*j.v.ld {
		return mismatch(in, args)
	}
	// Told by which operands are absent, since two operands may be the same matrix.
	if beside := args[2].Buffer == nil; args[1].Buffer != nil && (beside && j.k.ld != 2*a.KVHeads*d || !beside && (j.k.ld != a.KVHeads*d || j.v.ld != a.KVHeads*d)) {
		return mismatch(in, args)
	}
	j.bias = relativeBias[T]{}
	if args[7].Buffer != nil {
		n := j.queries.t + j.keys.t - 1
		j.bias = relativeBias[T]{x: view[T](args[7]), n: n, tq: j.queries.t, tk: j.keys.t}
		switch len(j.bias.x) {
		case a.Heads * n:
			if len(args[7].Shape) == 3 { // one row in all
				j.bias.ldr = a.Heads * n
			}
		case r * a.Heads * n:
			j.bias.ldr = a.Heads * n
		default:
			return mismatch(in, args)
		}
	}
	j.drop.limit = 0
	if args[8].Buffer != nil {
		rng := view[int32](args[8])
		if len(rng) != 4 {
			return mismatch(in, args)
		}
		if err := j.drop.set(j.d.kern, in, rng); err != nil {
			return err
		}
	}
	j.spans.find(j.queries, j.keys, self, a.Strict)
	return nil
}

// grads are where the gradients of q, k and v go, in their layout.
func (j *attentionJob[T]) grads(in *exec.Instr, args []exec.Arg) error {
	dq, dk, dv := args[0], args[1], args[2]
	if dk.Buffer == nil { // they lie beside the queries
		dk = dq
	}
	if dv.Buffer == nil {
		dv = dk
	}
	j.dq, j.dk, j.dv = j.q, j.k, j.v
	j.dq.x, j.dk.x, j.dv.x = view[T](dq), view[T](dk), view[T](dv)
	if len(j.dq.x) != len(j.q.x) || len(j.dk.x) != len(j.k.x) || len(j.dv.x) != len(j.v.x) {
		return mismatch(in, args)
	}
	j.dbias = relativeBias[T]{x: view[T](args[3])}
	if j.dbias.x != nil && len(j.dbias.x) != len(j.bias.x) {
		return mismatch(in, args)
	}
	return nil
}

// attention: q, k, v, segments, order, key segments, key order, bias, rng -> y(R,H·D), lse(R,H).
func attention[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 11); err != nil {
		return err
	}
	j := &js.attention
	j.d = d
	if err := j.sizes(in, args); err != nil {
		return err
	}
	j.phase, j.lse = attentionForward, view[T](args[10])
	j.y = headMatrix[T]{view[T](args[9]), j.heads * j.dim, 0}
	if r := len(j.queries.segments); len(j.lse) != r*j.heads || len(j.y.x) != r*j.y.ld {
		return mismatch(in, args)
	}
	j.spans.plan(unitTiles)
	d.pool.run(j.chunks(j.heads), j)
	*j = attentionJob[T]{spans: j.spans, part: j.part}
	return nil
}

// attentionGrad: the inputs of attention, y, lse, dy -> dq, dk, dv, dbias.
func attentionGrad[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 16); err != nil {
		return err
	}
	j := &js.attention
	j.d = d
	if err := j.sizes(in, args); err != nil {
		return err
	}
	j.phase, j.lse = attentionBackward, view[T](args[10])
	j.y = headMatrix[T]{view[T](args[9]), j.heads * j.dim, 0}
	j.dy = headMatrix[T]{view[T](args[11]), j.y.ld, 0}
	if r := len(j.queries.segments); len(j.lse) != r*j.heads || len(j.y.x) != r*j.y.ld || len(j.dy.x) != len(j.y.x) {
		return mismatch(in, args)
	}
	if err := j.grads(in, args[12:]); err != nil {
		return err
	}
	if j.dbias.x == nil || j.bias.ldr > 0 {
		j.spans.plan(math.MaxInt32)
		d.pool.run(j.chunks(j.kv), j)
	} else {
		n := in.Attrs.B * j.heads * j.bias.n
		if cap(j.part) < n {
			j.part = make([]T, n)
		}
		j.part, j.phase = j.part[:n], attentionSequences
		d.pool.run(in.Attrs.B*j.kv, j)
		j.phase = attentionSumBias
		d.pool.run(j.heads, j)
	}
	*j = attentionJob[T]{spans: j.spans, part: j.part}
	return nil
}

package cpu

import (
	"math"

	"hone/trainer/exec"
)

// Attention goes over tiles of queries and keys with a running maximum and sum for
// each query (Milakov & Gimelshein 2018; Dao 2023), so that no (T,T) buffer exists.
//
// Tiles count from the first row of a span, a run of equal segments, and end with
// it. So a span's results are the same bits wherever it lies in a row, and whatever
// lies beside it; and a row's are the same with or without the rows after it.
const tileRows = 64

// A querier is a tile of queries on its way over the keys.
type querier[T float] struct {
	k    *kernels
	w    *scratch
	m, d int
	q    []T // (m,d), scaled
	s    []T // (m,tileRows): scores, then probabilities

	// Forward.
	top, sum, rest, alpha, part []T // (m)
	y                           []T // m rows, ldy apart
	ldy                         int
	started                     bool
}

// newQuerier takes m queries of size d, ldq apart.
func newQuerier[T float](k *kernels, w *scratch, m, d int, q []T, ldq int, scale T) querier[T] {
	o := querier[T]{k: k, w: w, m: m, d: d, q: lend[T](w, slotA, m*d), s: lend[T](w, slotB, m*tileRows)}
	for i := range m {
		src, dst := q[i*ldq:i*ldq+d], o.q[i*d:(i+1)*d]
		for c, v := range src {
			dst[c] = v * scale
		}
	}
	return o
}

// scores computes the scaled products with n keys, ldk apart.
func (o *querier[T]) scores(n int, keys []T, ldk int) {
	gemm(o.k, o.w, false, true, o.m, n, o.d, o.q, o.d, keys, ldk, o.s, tileRows, false)
}

// begin prepares for add, which writes to y.
func (o *querier[T]) begin(y []T, ldy int) {
	stats := lend[T](o.w, slotC, 5*o.m)
	o.top, o.sum, o.rest = stats[:o.m], stats[o.m:2*o.m], stats[2*o.m:3*o.m]
	o.alpha, o.part = stats[3*o.m:4*o.m], stats[4*o.m:5*o.m]
	for i := range o.top {
		o.top[i], o.sum[i] = negInf[T](), 0
	}
	o.y, o.ldy = y, ldy
}

// add takes in a tile of n keys and values.
func (o *querier[T]) add(n int, keys []T, ldk int, values []T, ldv int, m *mask) {
	o.scores(n, keys, ldk)
	rescale := false
	for i := range o.m {
		row := o.s[i*tileRows : i*tileRows+n]
		top, seen := negInf[T](), row
		switch {
		case m.prefix:
			seen = row[:min(n, i+1)]
			top = maxOf(seen)
		case m.kOrd != nil:
			any := false
			for j, v := range row {
				if m.sees(i, j) {
					any = true
					if v > top {
						top = v
					}
				}
			}
			if !any {
				seen = nil
			}
		default:
			top = maxOf(row)
		}
		o.rest[i], o.part[i] = 0, 0
		if len(seen) == 0 {
			clear(row)
			continue
		}
		if old := o.top[i]; !(top > old) {
			top = old
		} else {
			o.top[i] = top
			if o.sum[i] != 0 { // else there is nothing to rescale
				o.rest[i] = old - top
				rescale = true
			}
		}
		expSub(o.k, seen, seen, top)
		clear(row[len(seen):])
		if m.kOrd != nil {
			hide(m, row, i)
		}
		o.part[i] = sumOf(seen)
	}
	if rescale {
		expSub(o.k, o.alpha, o.rest, 0)
	}
	for i := range o.m {
		if o.rest[i] != 0 {
			a := o.alpha[i]
			o.sum[i] = T(o.sum[i] * a)
			y := o.y[i*o.ldy : i*o.ldy+o.d]
			for c := range y {
				y[c] *= a
			}
		}
		o.sum[i] += o.part[i]
	}
	gemm(o.k, o.w, false, false, o.m, o.d, n, o.s, tileRows, values, ldv, o.y, o.ldy, o.started)
	o.started = true
}

// end divides by the sums. lse, if any, gets the logarithms of the normalisers, ldl apart.
func (o *querier[T]) end(lse []T, ldl int) {
	for i := range o.m {
		y := o.y[i*o.ldy : i*o.ldy+o.d]
		l := T(0)
		if o.sum[i] == 0 { // sees nothing
			clear(y)
		} else {
			inv := 1 / o.sum[i]
			for c := range y {
				y[c] *= inv
			}
			l = o.top[i] + T(math.Log(float64(o.sum[i])))
		}
		if lse != nil {
			lse[i*ldl] = l
		}
	}
}

// An attentionJob is attention, cut over tiles of queries and heads, or its
// gradient, cut over spans and key heads.
type attentionJob[T float] struct {
	d                 *Device
	grad              bool
	qkv, y, lse       []T
	dy, dqkv          []T
	segments, order   []int32
	heads, kv, dim, w int // w: columns of qkv
	scale             T
	spans             spans
}

func (j *attentionJob[T]) chunk(i, worker int) {
	if j.grad {
		j.backward(&j.spans.list[i/j.kv], i%j.kv, j.d.scratch[worker])
	} else {
		j.forward(i/j.heads, i%j.heads, j.d.scratch[worker])
	}
}

// sight tells what the queries of tile qt see of the keys of tile kt: nothing
// (false), or what the mask says.
func (j *attentionJob[T]) sight(sp *span, qt, kt int) (mask, bool) {
	q, k := &j.spans.tiles[qt], &j.spans.tiles[kt]
	if k.min > q.max {
		return mask{}, false
	}
	if k.max <= q.min && sp.kind != spanMixed {
		return mask{}, true
	}
	if sp.kind == spanCausal { // then only tiles on the diagonal come here
		return mask{prefix: true}, true
	}
	q0, q1 := j.rows(sp, qt)
	k0, k1 := j.rows(sp, kt)
	m := mask{qOrd: j.order[q0:q1], kOrd: j.order[k0:k1]}
	if sp.kind == spanMixed {
		m.qSeg, m.kSeg = j.segments[q0:q1], j.segments[k0:k1]
	}
	return m, true
}

func (j *attentionJob[T]) rows(sp *span, t int) (lo, hi int) {
	lo = int(sp.row) + (t-int(sp.tile0))*tileRows
	return lo, min(lo+tileRows, int(sp.row+sp.n))
}

func (j *attentionJob[T]) forward(qt, h int, w *scratch) {
	sp := &j.spans.list[j.spans.tiles[qt].span]
	lo, hi := j.rows(sp, qt)
	d, ldy := j.dim, j.heads*j.dim
	y, lse := j.y[lo*ldy+h*d:], j.lse[lo*j.heads+h:]
	if sp.kind == spanBlank {
		for i := range hi - lo {
			clear(y[i*ldy : i*ldy+d])
			lse[i*j.heads] = 0
		}
		return
	}
	kv := h / (j.heads / j.kv)
	o := newQuerier(j.d.kern, w, hi-lo, d, j.qkv[lo*j.w+h*d:], j.w, j.scale)
	o.begin(y, ldy)
	for kt := int(sp.tile0); kt < sp.tileEnd(); kt++ {
		if m, ok := j.sight(sp, qt, kt); ok {
			k0, k1 := j.rows(sp, kt)
			o.add(k1-k0, j.qkv[k0*j.w+(j.heads+kv)*d:], j.w, j.qkv[k0*j.w+(j.heads+j.kv+kv)*d:], j.w, &m)
		}
	}
	o.end(lse, j.heads)
}

// backward is that of Dao 2023, algorithm 2, with the queries outside: with
// P = exp(S-lse) and δ = rowsum(dY∘Y),
//
//	dV += Pᵀ·dY,  dS = P∘(dY·Vᵀ - δ),  dQ += scale·dS·K,  dK += dSᵀ·(scale·Q)
//
// One task does all the queries of a key head, in order, so that nothing is shared.
func (j *attentionJob[T]) backward(sp *span, kv int, w *scratch) {
	d, ldy, group := j.dim, j.heads*j.dim, j.heads/j.kv
	kcol, vcol := (j.heads+kv)*d, (j.heads+j.kv+kv)*d
	for r := int(sp.row); r < int(sp.row+sp.n); r++ {
		row := j.dqkv[r*j.w : (r+1)*j.w]
		clear(row[kcol : kcol+d])
		clear(row[vcol : vcol+d])
		if sp.kind == spanBlank {
			clear(row[kv*group*d : (kv+1)*group*d])
		}
	}
	if sp.kind == spanBlank {
		return
	}
	ds := lend[T](w, slotC, tileRows*tileRows)
	delta := lend[T](w, slotD, tileRows)
	for h := kv * group; h < (kv+1)*group; h++ {
		for qt := int(sp.tile0); qt < sp.tileEnd(); qt++ {
			lo, hi := j.rows(sp, qt)
			n := hi - lo
			dy, dq := j.dy[lo*ldy+h*d:], j.dqkv[lo*j.w+h*d:]
			o := newQuerier(j.d.kern, w, n, d, j.qkv[lo*j.w+h*d:], j.w, j.scale)
			for i := range n {
				at := (lo+i)*ldy + h*d
				delta[i] = dotOf(j.dy[at:at+d], j.y[at:at+d])
			}
			for kt := int(sp.tile0); kt < sp.tileEnd(); kt++ {
				m, ok := j.sight(sp, qt, kt)
				if !ok {
					continue
				}
				k0, k1 := j.rows(sp, kt)
				nk := k1 - k0
				keys, values := j.qkv[k0*j.w+kcol:], j.qkv[k0*j.w+vcol:]
				o.scores(nk, keys, j.w)
				for i := range n {
					row := o.s[i*tileRows : i*tileRows+nk]
					seen := row
					if m.prefix {
						seen = row[:min(nk, i+1)]
						clear(row[len(seen):])
					}
					expSub(o.k, seen, seen, j.lse[(lo+i)*j.heads+h])
					if m.kOrd != nil {
						hide(&m, row, i)
					}
				}
				gemm(o.k, w, true, false, nk, d, n, o.s, tileRows, dy, ldy, j.dqkv[k0*j.w+vcol:], j.w, true)
				gemm(o.k, w, false, true, n, nk, d, dy, ldy, values, j.w, ds, tileRows, false)
				for i := range n {
					p, g := o.s[i*tileRows:i*tileRows+nk], ds[i*tileRows:i*tileRows+nk]
					di := delta[i]
					for c, v := range g {
						g[c] = p[c] * (v - di)
					}
				}
				gemm(o.k, w, true, false, nk, d, n, ds, tileRows, o.q, d, j.dqkv[k0*j.w+kcol:], j.w, true)
				gemm(o.k, w, false, false, n, d, nk, ds, tileRows, keys, j.w, dq, j.w, o.started)
				o.started = true
			}
			for i := range n {
				row := dq[i*j.w : i*j.w+d]
				for c := range row {
					row[c] *= j.scale
				}
			}
		}
	}
}

// sizes reads the op's attributes and checks the operands that both directions have.
func (j *attentionJob[T]) sizes(in *exec.Instr, args []exec.Arg, y exec.Arg) error {
	a := &in.Attrs
	r, w, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	if a.Heads < 1 || a.KVHeads < 1 || a.Heads%a.KVHeads != 0 || a.T < 1 || r != a.B*a.T || w%(a.Heads+2*a.KVHeads) != 0 {
		return mismatch(in, args)
	}
	j.heads, j.kv, j.w, j.dim, j.scale = a.Heads, a.KVHeads, w, w/(a.Heads+2*a.KVHeads), T(a.Scale)
	j.qkv, j.segments, j.order, j.y = view[T](args[0]), view[int32](args[1]), view[int32](args[2]), view[T](y)
	if len(j.segments) != r || len(j.order) != r || len(j.y) != r*j.heads*j.dim {
		return mismatch(in, args)
	}
	j.spans.find(j.segments, j.order, a.T)
	return nil
}

// attention: qkv, segments, order -> y(R,H·D), lse(R,H).
func attention[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	j := &js.attention
	if err := j.sizes(in, args, args[3]); err != nil {
		return err
	}
	j.d, j.grad, j.lse = d, false, view[T](args[4])
	if len(j.lse) != len(j.segments)*j.heads {
		return mismatch(in, args)
	}
	d.pool.run(len(j.spans.tiles)*j.heads, j)
	*j = attentionJob[T]{spans: j.spans}
	return nil
}

// attentionGrad: qkv, segments, order, y, lse, dy -> dqkv.
func attentionGrad[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 7); err != nil {
		return err
	}
	j := &js.attention
	if err := j.sizes(in, args, args[3]); err != nil {
		return err
	}
	j.d, j.grad, j.lse, j.dy, j.dqkv = d, true, view[T](args[4]), view[T](args[5]), view[T](args[6])
	if len(j.lse) != len(j.segments)*j.heads || len(j.dy) != len(j.y) || len(j.dqkv) != len(j.qkv) {
		return mismatch(in, args)
	}
	d.pool.run(len(j.spans.list)*j.kv, j)
	*j = attentionJob[T]{spans: j.spans}
	return nil
}

package graph

import (
	"math"

	"hone/trainer/exec"
)

// Heads are the sizes of an attention. Every KV head serves Query/KV query heads.
type Heads struct{ Query, KV int }

// size gives the size of a head from the columns of a (R,(H+2·KV)·D) matrix.
func (h Heads) size(b *Builder, code exec.Op, columns int) (d int, ok bool) {
	if h.Query < 1 || h.KV < 1 || h.Query%h.KV != 0 {
		b.fail("%v: %d query heads cannot share %d key heads", code, h.Query, h.KV)
		return 0, false
	}
	if n := h.Query + 2*h.KV; columns%n != 0 || columns == 0 {
		b.fail("%v: %d columns do not split into %d query and twice %d key heads", code, columns, h.Query, h.KV)
		return 0, false
	}
	return columns / (h.Query + 2*h.KV), true
}

// Attention (Vaswani et al. 2017, eq. 1) over rows of t: qkv (R,(H+2·KV)·D), R = B·t,
// segments and order (R) int32 -> (R,H·D). Row i attends to row j of its sequence when
// their segments are equal and not negative, and order[j] <= order[i].
func (b *Builder) Attention(qkv, segments, order *Node, t int, h Heads) *Node {
	const code = exec.OpAttention
	if !b.shape(code, "qkv", qkv, b.dt, -1, -1) {
		return &Node{}
	}
	rows := qkv.shape[0]
	d, ok := h.size(b, code, qkv.shape[1])
	if !ok || !b.shape(code, "segments", segments, exec.I32, rows) || !b.shape(code, "order", order, exec.I32, rows) {
		return &Node{}
	}
	if t < 1 || rows%t != 0 {
		return b.fail("%v: %d rows are no whole number of sequences of %d", code, rows, t)
	}
	b.differentiable(code, qkv)
	attrs := exec.Attrs{B: rows / t, T: t, Heads: h.Query, KVHeads: h.KV, Scale: 1 / math.Sqrt(float64(d))}
	var y []*Node // with lse
	y = b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", []int{rows, h.Query * d}}, {"lse", []int{rows, h.Query}}},
		grad: func(dy *Node) []*Node {
			return []*Node{b.apply(op{
				code: exec.OpAttentionGrad, attrs: attrs, out: []result{{"dqkv", qkv.shape}},
			}, qkv, segments, order, y[0], y[1], dy)[0], nil, nil}
		},
	}, qkv, segments, order)
	return y[0]
}

// AttentionCached is one step of decoding B sequences: qkv (B,(H+2·KV)·D), keys and
// values (B,T,KV·D) made by Cache, positions (B) int32 -> (B,H·D). It writes row
// positions[b] of keys and values, then attends to rows 0 to positions[b]. It has no gradient.
func (b *Builder) AttentionCached(qkv, keys, values, positions *Node, h Heads) *Node {
	const code = exec.OpAttentionCached
	if !b.shape(code, "qkv", qkv, b.dt, -1, -1) {
		return &Node{}
	}
	n := qkv.shape[0]
	d, ok := h.size(b, code, qkv.shape[1])
	if !ok || !b.shape(code, "keys", keys, b.dt, n, -1, h.KV*d) ||
		!b.shape(code, "values", values, b.dt, n, keys.shape[1], h.KV*d) ||
		!b.shape(code, "positions", positions, exec.I32, n) {
		return &Node{}
	}
	if !keys.cache || !values.cache || keys == values {
		return b.fail("%v: keys and values must be two caches", code)
	}
	return b.apply(op{
		code:   code,
		attrs:  exec.Attrs{B: n, T: keys.shape[1], Heads: h.Query, KVHeads: h.KV, Scale: 1 / math.Sqrt(float64(d))},
		out:    []result{{"y", []int{n, h.Query * d}}},
		writes: []int{1, 2},
	}, qkv, keys, values, positions)[0]
}

package graph

import (
	"math"
	"slices"

	"hone/trainer/exec"
)

// Heads are the numbers of heads of an attention. Each KV head serves Query/KV query heads.
type Heads struct{ Query, KV int }

// size gives the size of a head from the columns of a matrix that holds so many.
func (h Heads) size(b *Builder, code exec.Op, columns, heads int) (d int, ok bool) {
	if h.Query < 1 || h.KV < 1 || h.Query%h.KV != 0 {
		b.fail("%v: %d query heads cannot share %d key heads", code, h.Query, h.KV)
		return 0, false
	}
	if columns%heads != 0 || columns == 0 {
		switch heads {
		case h.Query + 2*h.KV:
			b.fail("%v: %d columns do not split into %d query and twice %d key heads", code, columns, h.Query, h.KV)
		default:
			b.fail("%v: %d columns do not split into %d query heads", code, columns, h.Query)
		}
		return 0, false
	}
	return columns / heads, true
}

// Attend are the operands of Attention: R = B·T queries and S = B·KeyT keys.
//
// Q (R,H·D), K (S,KV·D) and V (S,KV·D) are matrices of their own; or, with V nil, K (S,2·KV·D)
// holds the values beside the keys; or, with K nil too, Q (R,(H+2·KV)·D) holds all three.
type Attend struct {
	Q, K, V *Node
	Heads   Heads
	T       int // rows of a sequence

	// Query i sees key j of its sequence when their segments are equal and not negative, and
	// KeyOrder[j] <= Order[i], or < when Strict. Order is the position in a causal model, all 0 in
	// a bidirectional one, 0 over a prefix, a permutation in XLNet.
	Segments, Order *Node // (R) int32
	Strict          bool

	// Window, if not 0, limits what a query sees to its own row and the Window-1 rows before it. It is for keys
	// that are the queries' own rows.
	Window int

	// For keys that are other rows than the queries: cross-attention, a memory. Else nil.
	KeySegments, KeyOrder *Node // (S) int32
	KeyT                  int   // their rows of a sequence

	// Bias, if any, is added to the scaled scores: of shape (H,T+KeyT-1), for query i and key j at
	// j-i+T-1 (T5), or (R,H,T+KeyT-1), of each query its own (XLNet's shifted products with relative
	// positions). i and j count from the starts of their sequences, whatever the segments.
	Bias *Node

	Scale float64 // of the products; 0: 1/√D

	// Dropout is the rate at which attention weights are dropped, as Builder.Dropout does with Rng.
	Dropout float64
	Rng     *Node
}

// Attention (Vaswani et al. 2017, eq. 1) gives (R,H·D). A query that sees nothing gives zeros.
func (b *Builder) Attention(a Attend) *Node {
	const code = exec.OpAttention
	if !b.shape(code, "q", a.Q, b.dt, -1, -1) {
		return &Node{}
	}
	r, h := a.Q.shape[0], a.Heads
	if a.T < 1 || r%a.T != 0 {
		return b.fail("%v: %d rows are no whole number of sequences of %d", code, r, a.T)
	}
	heads, n := h.Query, r/a.T
	if a.K == nil {
		heads += 2 * h.KV
	}
	d, ok := h.size(b, code, a.Q.shape[1], heads)
	if !ok || !b.shape(code, "segments", a.Segments, exec.I32, r) || !b.shape(code, "order", a.Order, exec.I32, r) {
		return &Node{}
	}
	s := r
	if a.Window < 0 || a.Window > 0 && (a.KeySegments != nil || a.KeyOrder != nil || a.KeyT != 0) {
		return b.fail("%v: a window of %d over keys of other rows", code, a.Window)
	}
	if a.KeySegments != nil || a.KeyOrder != nil || a.KeyT != 0 {
		if a.K == nil {
			return b.fail("%v: other keys' segments, but keys that lie beside the queries", code)
		}
		if s = n * a.KeyT; a.KeyT < 1 {
			return b.fail("%v: sequences of %d keys", code, a.KeyT)
		}
		if !b.shape(code, "key segments", a.KeySegments, exec.I32, s) || !b.shape(code, "key order", a.KeyOrder, exec.I32, s) {
			return &Node{}
		}
	}
	switch {
	case a.K == nil && a.V != nil:
		return b.fail("%v: values without keys", code)
	case a.V != nil:
		ok = b.shape(code, "k", a.K, b.dt, s, h.KV*d) && b.shape(code, "v", a.V, b.dt, s, h.KV*d)
	case a.K != nil:
		ok = b.shape(code, "k", a.K, b.dt, s, 2*h.KV*d)
	}
	if ok && a.Bias != nil {
		if spread := a.T + s/n - 1; len(a.Bias.shape) == 3 {
			ok = b.shape(code, "bias", a.Bias, b.dt, r, h.Query, spread)
		} else {
			ok = b.shape(code, "bias", a.Bias, b.dt, h.Query, spread)
		}
	}
	if !ok {
		return &Node{}
	}
	b.differentiable(code, a.Q, a.K, a.V, a.Bias)
	attrs := exec.Attrs{B: n, T: a.T, Heads: h.Query, KVHeads: h.KV, Scale: a.Scale, Strict: a.Strict, Window: a.Window}
	if a.Scale == 0 {
		attrs.Scale = 1 / math.Sqrt(float64(d))
	}
	if a.Dropout == 0 {
		a.Rng = nil
	}
	if a.Rng != nil {
		if !b.dropout(code, a.Dropout, a.Rng) {
			return &Node{}
		}
		b.salt++
		attrs.P, attrs.Salt = a.Dropout, b.salt
	}
	in := []*Node{a.Q, a.K, a.V, a.Segments, a.Order, a.KeySegments, a.KeyOrder, a.Bias, a.Rng}
	var y []*Node // with lse
	y = b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", []int{r, h.Query * d}}, {"lse", []int{r, h.Query}}},
		grad: func(dy *Node) []*Node {
			g := op{code: exec.OpAttentionGrad, attrs: attrs}
			slots := []int{0, 1, 2, 7} // of in, that have a gradient
			for i, name := range []string{"dq", "dk", "dv", "dbias"} {
				out := result{name: name}
				if n := in[slots[i]]; n != nil && (name != "dbias" || n.diff) {
					out.shape = n.shape
				}
				g.out = append(g.out, out)
			}
			parts := b.apply(g, append(slices.Clone(in), y[0], y[1], dy)...)
			var dx []*Node // of the inputs that are there
			for k, n := range in {
				if n == nil {
					continue
				}
				dx = append(dx, nil)
				if i := slices.Index(slots, k); i >= 0 && g.out[i].shape != nil {
					dx[len(dx)-1] = parts[i]
				}
			}
			return dx
		},
	}, in...)
	return y[0]
}

// AttendCached are the operands of AttentionCached: R new rows of sequences of which keys and
// values are kept.
type AttendCached struct {
	Q, K, V      *Node // (R,H·D), (R,KV·D), (R,KV·D); or, with K and V nil, Q (R,(H+2·KV)·D) holds all three
	Heads        Heads
	Keys, Values *Node // (B,T,KV·D), made by Cache
	Kept         bool  // they are in the caches already, by CacheRows: Q is (R,H·D), and nothing is written

	Positions, Sequences *Node // (R) int32

	Strict bool    // a row does not see the row of its own position, of another stream
	Bias   *Node   // if any, added to the scaled scores: (H,T) or (R,H,T), for the row at position i and key j at j-i+T-1
	Window int     // as Attend has it
	Scale  float64 // of the products; 0: 1/√D
}

// AttentionCached gives (R,H·D). Each row is written to row Positions[r] of its sequence's keys and
// values, and attends to rows 0 to Positions[r]; a row of a negative position is none, and gives
// zeros. It has no gradient.
func (b *Builder) AttentionCached(a AttendCached) *Node {
	const code = exec.OpAttentionCached
	if !b.shape(code, "q", a.Q, b.dt, -1, -1) {
		return &Node{}
	}
	h := a.Heads
	n, heads := a.Q.shape[0], h.Query
	if a.K == nil && !a.Kept {
		heads += 2 * h.KV
	}
	d, ok := h.size(b, code, a.Q.shape[1], heads)
	if a.K != nil {
		ok = ok && b.shape(code, "k", a.K, b.dt, n, h.KV*d) && b.shape(code, "v", a.V, b.dt, n, h.KV*d)
	}
	if !ok || !b.twoCaches(code, a.Keys, a.Values, h.KV*d) ||
		!b.shape(code, "positions", a.Positions, exec.I32, n) || !b.shape(code, "sequences", a.Sequences, exec.I32, n) {
		return &Node{}
	}
	t := a.Keys.shape[1]
	if a.Bias != nil {
		if len(a.Bias.shape) == 3 {
			ok = b.shape(code, "bias", a.Bias, b.dt, n, h.Query, t)
		} else {
			ok = b.shape(code, "bias", a.Bias, b.dt, h.Query, t)
		}
		if !ok {
			return &Node{}
		}
	}
	if a.Window < 0 || a.Kept && a.K != nil {
		return b.fail("%v: a window of %d, or keys that are kept and given", code, a.Window)
	}
	if a.Scale == 0 {
		a.Scale = 1 / math.Sqrt(float64(d))
	}
	o := op{
		code:  code,
		attrs: exec.Attrs{B: a.Keys.shape[0], T: t, Heads: h.Query, KVHeads: h.KV, Scale: a.Scale, Window: a.Window, Strict: a.Strict},
		out:   []result{{"y", []int{n, h.Query * d}}},
	}
	if !a.Kept {
		o.writes = []int{1, 2}
	}
	return b.apply(o, a.Q, a.Keys, a.Values, a.Positions, a.Sequences, a.K, a.V, a.Bias)[0]
}

// CacheRows writes the halves of the rows of x (R,2·W) to rows positions[r] (R) int32 of sequences[r] (R) int32 of keys
// and values (B,T,W), two caches; or, with values nil, the rows of x (R,W) to keys (T,W) alone. A row of a negative
// position is none.
func (b *Builder) CacheRows(x, keys, values, positions, sequences *Node) {
	const code = exec.OpCacheRows
	o := op{code: code, writes: []int{1}}
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "positions", positions, exec.I32, x.shape[0]) || !b.shape(code, "sequences", sequences, exec.I32, x.shape[0]) {
		return
	}
	switch width := x.shape[1]; {
	case values == nil:
		if !b.shape(code, "keys", keys, b.dt, -1, width) {
			return
		}
		if !keys.cache {
			b.fail("%v: keys must be a cache", code)
		}
	case width%2 != 0:
		b.fail("%v: %d columns have no halves", code, width)
	case b.twoCaches(code, keys, values, width/2):
		o.writes = []int{1, 2}
	}
	b.apply(o, x, keys, values, positions, sequences)
}

// twoCaches wants two caches of keys and values of some width.
func (b *Builder) twoCaches(code exec.Op, keys, values *Node, width int) bool {
	if !b.shape(code, "keys", keys, b.dt, -1, -1, width) || !b.shape(code, "values", values, b.dt, keys.shape...) {
		return false
	}
	if !keys.cache || !values.cache || keys == values {
		b.fail("%v: keys and values must be two caches", code)
		return false
	}
	return true
}

package graph

import "hone/trainer/exec"

// Relative are the operands of RelativeScores.
type Relative struct {
	Q     *Node // (R,H·D) queries
	K     *Node // (S,H·D), S = T+KeyT-1: of each distance from T-1 keys before a query to KeyT-1 after it
	Heads int
	T     int     // queries of a sequence
	Scale float64 // of all products

	// Where tokens have types, else nil: each query also has a product with Seg (2,H·D), with row 0 for keys of its own
	// type, with row 1 for keys of another. Types are those of the keys; the last T keys of a sequence are the queries' own
	// rows.
	QSeg, Seg, Types *Node // (R,H·D), (2,H·D), (B·KeyT) int32
}

// RelativeScores (Dai et al. 2019) gives (R,H,S), the Bias of an Attention by relative positions.
func (b *Builder) RelativeScores(a Relative) *Node {
	const code = exec.OpRelativeScores
	if !b.shape(code, "q", a.Q, b.dt, -1, -1) || !b.shape(code, "k", a.K, b.dt, -1, a.Q.shape[1]) {
		return &Node{}
	}
	r, c, s := a.Q.shape[0], a.Q.shape[1], a.K.shape[0]
	if a.Heads < 1 || c%a.Heads != 0 || a.T < 1 || r%a.T != 0 || s < a.T {
		return b.fail("%v: %d rows of %d columns and %d distances do not fit %d heads and sequences of %d", code, r, c, s, a.Heads, a.T)
	}
	in := []*Node{a.Q, a.K, a.QSeg, a.Seg, a.Types}
	if a.Types != nil {
		keys := s - a.T + 1
		if keys < a.T {
			return b.fail("%v: %d distances, want %d or more where tokens have types", code, s, 2*a.T-1)
		}
		if !b.shape(code, "qseg", a.QSeg, b.dt, r, c) || !b.shape(code, "seg", a.Seg, b.dt, 2, c) || !b.shape(code, "types", a.Types, exec.I32, r/a.T*keys) {
			return &Node{}
		}
	} else if a.QSeg != nil || a.Seg != nil {
		return b.fail("%v: products with types, but no types", code)
	}
	b.differentiable(code, in[:4]...)
	attrs := exec.Attrs{T: a.T, Heads: a.Heads, Scale: a.Scale}
	return b.apply(op{
		code: code, attrs: attrs, out: []result{{"y", []int{r, a.Heads, s}}},
		grad: func(dy *Node) []*Node {
			out := []result{{"dq", a.Q.shape}, {"dk", a.K.shape}, {name: "dqseg"}, {name: "dseg"}}
			want(&out[2], a.QSeg)
			want(&out[3], a.Seg)
			d := b.apply(op{code: exec.OpRelativeScoresGrad, attrs: attrs, out: out}, append(in[:5:5], dy)...)
			dx := present(in[:4], d)
			if a.Types != nil {
				dx = append(dx, nil)
			}
			return dx
		},
	}, in...)[0]
}

// Remember (Dai et al. 2019, §3.2) puts before each sequence of x (B·T,C) the rows that memory (N,B,M,C), a Cache, has of
// it in slot slots[0], and keeps the last M rows of the result (B·(M+T),C) in slot slots[1]. rows (B·T) int32 are the
// indices of x's rows in the result. The memory has no gradient.
func (b *Builder) Remember(x, memory, slots, rows *Node) *Node {
	const code = exec.OpRemember
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "memory", memory, b.dt, -1, -1, -1, x.shape[1]) ||
		!b.shape(code, "slots", slots, exec.I32, 2) || !b.shape(code, "rows", rows, exec.I32, x.shape[0]) {
		return &Node{}
	}
	n, m := memory.shape[1], memory.shape[2]
	if !memory.cache || x.shape[0]%n != 0 {
		return b.fail("%v: want a cache, and rows of %d sequences", code, n)
	}
	b.differentiable(code, x)
	return b.apply(op{
		code: code, out: []result{{"y", []int{x.shape[0] + n*m, x.shape[1]}}}, writes: []int{0},
		grad: func(dy *Node) []*Node {
			return []*Node{nil, nil, b.apply(op{code: exec.OpEmbed, out: []result{{"dx", x.shape}}}, dy, rows)[0]}
		},
	}, memory, slots, x)[0]
}

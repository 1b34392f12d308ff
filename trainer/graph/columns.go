package graph

import "hone/trainer/exec"

// InverseNorms are the inverse 2-norms (N) of the rows of w + scale·b·a: w (N,K), or (K,N) when transposed, a (S,K), b (N,S).
// They carry no gradient.
func (b *Builder) InverseNorms(w, low, up *Node, scale float64, transposed bool) *Node {
	const code = exec.OpInverseNorms
	if !b.shape(code, "w", w, b.dt, -1, -1) {
		return &Node{}
	}
	n, k := w.shape[0], w.shape[1]
	if transposed {
		n, k = k, n
	}
	if !b.shape(code, "a", low, b.dt, -1, k) || !b.shape(code, "b", up, b.dt, n, low.shape[0]) {
		return &Node{}
	}
	y := b.apply(op{code: code, attrs: exec.Attrs{Scale: scale, Transposed: transposed}, out: []result{{"y", []int{n}}}}, w, low, up)[0]
	y.diff = false
	return y
}

// ColumnScale is x (…,N) with its columns from first on multiplied by g (M).
func (b *Builder) ColumnScale(x, g *Node, first int) *Node {
	const code = exec.OpColumnScale
	if !b.float(code, "x", x) || !b.shape(code, "g", g, b.dt, -1) {
		return &Node{}
	}
	if n := x.shape[len(x.shape)-1]; first < 0 || first+g.shape[0] > n {
		return b.fail("%v: %d columns from %d on are not among %d", code, g.shape[0], first, n)
	}
	b.differentiable(code, x, g)
	attrs := exec.Attrs{First: first}
	return b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node {
			d := make([]*Node, 2)
			if x.diff {
				d[0] = b.apply(op{code: code, attrs: attrs, out: []result{{"dx", x.shape}}}, dy, g)[0]
			}
			if g.diff {
				d[1] = b.apply(op{code: exec.OpColumnScaleGrad, attrs: attrs, out: []result{{"dg", g.shape}}}, x, dy)[0]
			}
			return d
		},
	}, x, g)[0]
}

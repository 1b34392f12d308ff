package graph

import "hone/trainer/exec"

// LayerNorm normalises rows (Ba et al. 2016): x (R,C), gain (C), bias (C) or nil -> (R,C).
func (b *Builder) LayerNorm(x, gain, bias *Node, eps float64) *Node {
	const code = exec.OpLayerNorm
	if !b.shape(code, "x", x, b.dt, -1, -1) {
		return &Node{}
	}
	rows, c := x.shape[0], x.shape[1]
	if !b.shape(code, "gain", gain, b.dt, c) || bias != nil && !b.shape(code, "bias", bias, b.dt, c) {
		return &Node{}
	}
	if eps <= 0 {
		return b.fail("%v: eps %g is not above 0", code, eps)
	}
	b.differentiable(code, x, gain, bias)
	var y []*Node // with mean and rstd
	y = b.apply(op{
		code: code, attrs: exec.Attrs{Eps: eps},
		out: []result{{"y", x.shape}, {"mean", []int{rows}}, {"rstd", []int{rows}}},
		grad: func(dy *Node) []*Node {
			out := []result{{name: "dx"}, {name: "dgain"}, {name: "dbias"}, {name: "dsum"}}
			want(&out[0], x)
			want(&out[1], gain)
			want(&out[2], bias)
			d := b.apply(op{code: exec.OpLayerNormGrad, out: out}, dy, x, gain, y[1], y[2], nil)
			return present([]*Node{x, gain, bias}, d)
		},
	}, x, gain, bias)
	return y[0]
}

// RMSNorm divides rows by their root mean square (Zhang & Sennrich 2019): x (R,C), gain (C) -> (R,C). With gain (D),
// C = N·D, each group of D columns is divided by its own: the norm of queries or keys by heads.
func (b *Builder) RMSNorm(x, gain *Node, eps float64) *Node {
	const code = exec.OpRMSNorm
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "gain", gain, b.dt, -1) {
		return &Node{}
	}
	d := gain.shape[0]
	if x.shape[1]%d != 0 {
		return b.fail("%v: %d columns are no multiple of gain's %d", code, x.shape[1], d)
	}
	stat := []int{x.shape[0]}
	if n := x.shape[1] / d; n > 1 {
		stat = append(stat, n)
	}
	if eps <= 0 {
		return b.fail("%v: eps %g is not above 0", code, eps)
	}
	b.differentiable(code, x, gain)
	var y []*Node // with rstd
	y = b.apply(op{
		code: code, attrs: exec.Attrs{Eps: eps},
		out: []result{{"y", x.shape}, {"rstd", stat}},
		grad: func(dy *Node) []*Node {
			out := []result{{name: "dx"}, {name: "dgain"}, {name: "dsum"}}
			want(&out[0], x)
			want(&out[1], gain)
			d := b.apply(op{code: exec.OpRMSNormGrad, out: out}, dy, x, gain, y[1], nil)
			return present([]*Node{x, gain}, d)
		},
	}, x, gain)
	return y[0]
}

// want asks for the gradient of a node that depends on a trainable parameter.
func want(r *result, n *Node) {
	if n != nil && n.diff {
		r.shape = n.shape
	}
}

// present gives the gradients of the inputs that are there.
func present(in, d []*Node) []*Node {
	var out []*Node
	for i, n := range in {
		if n == nil {
			continue
		}
		if !n.diff {
			d[i] = nil
		}
		out = append(out, d[i])
	}
	return out
}

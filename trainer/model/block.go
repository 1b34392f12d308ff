package model

import "hone/trainer/graph"

// linear is a matrix of a hidden layer, (out,in) as in torch.nn.Linear, with a bias where
// there is one: x (R,in) -> (R,out).
func linear(b *graph.Builder, name string, init graph.Init, x *graph.Node, in, out int, bias bool) *graph.Node {
	w := b.Matrix(name+".weight", init, 1, out, in)
	var c *graph.Node
	if bias {
		c = b.Param(name+".bias", graph.Init{}, out)
	}
	return b.Linear(x, w, c, false)
}

// A projection is one matrix of a joint product: its name, and the columns that it makes.
type projection struct {
	name string
	out  int
	init graph.Init
}

// joint is the linear maps of one input side by side, in one product: x (R,in) -> (R, Σ out).
// The parameters are those of as many linear layers.
func joint(b *graph.Builder, x *graph.Node, in int, bias bool, parts ...projection) *graph.Node {
	var w, c []*graph.Node
	for _, p := range parts {
		w = append(w, b.Matrix(p.name+".weight", p.init, 1, p.out, in))
		if bias {
			c = append(c, b.Param(p.name+".bias", graph.Init{}, p.out))
		}
	}
	if !bias {
		return b.Linear(x, b.Concat(w...), nil, false)
	}
	return b.Linear(x, b.Concat(w...), b.Concat(c...), false)
}

// rmsNorm is an RMS norm with its gain.
func rmsNorm(b *graph.Builder, name string, x *graph.Node, size int, eps float64) *graph.Node {
	return b.RMSNorm(x, b.Param(name+".weight", graph.Init{Ones: true}, size), eps)
}

// attention of a decoder: q (R,H·D) to k and v (R,KV·D) of the same rows, or, with k and v
// nil, q (R,(H+2·KV)·D) that holds all three. In decoding it goes to the caches of what
// came before, and adds to them.
func attention(b *graph.Builder, in Inputs, scope string, q, k, v *graph.Node, h graph.Heads, dim int) *graph.Node {
	if in.Segments != nil {
		return b.Attention(graph.Attend{Q: q, K: k, V: v, Heads: h, T: in.T, Segments: in.Segments, Order: in.Order})
	}
	keys := b.Cache(scope+".keys", in.B, in.T, h.KV*dim)
	values := b.Cache(scope+".values", in.B, in.T, h.KV*dim)
	return b.AttentionCached(q, k, v, keys, values, in.Positions, h)
}

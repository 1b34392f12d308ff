package model

import (
	"math"

	"hone/trainer/graph"
)

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

// A projection is one linear layer of a joint product: its name and the number of columns that it gives.
type projection struct {
	name string
	out  int
	init graph.Init
}

// joint applies several linear layers to one input in a single matrix product: x (R,in) -> (R, Σ out), their
// outputs side by side. Each layer keeps parameters of its own.
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

// layerNorm is a layer norm with its gain and bias.
func layerNorm(b *graph.Builder, name string, x *graph.Node, size int, eps float64) *graph.Node {
	gain := b.Param(name+".weight", graph.Init{Ones: true}, size)
	return b.LayerNorm(x, gain, b.Param(name+".bias", graph.Init{}, size), eps)
}

// residual initialises the matrices of a decoder whose output is added to the residual stream. There are two in
// each block; they start smaller in deeper models, so that the sum keeps its variance (GPT-2).
func residual(std float64, layers int) graph.Init {
	return graph.Init{Std: std / math.Sqrt(2*float64(layers))}
}

// unordered is an order in which every row sees every other: all zeros.
func unordered(b *graph.Builder, in Inputs) *graph.Node {
	return b.Constant("no order", make([]int32, in.B*in.T), in.B*in.T)
}

// headSize is the size of a head: dim, or hidden/heads where dim is 0.
func headSize(dim, hidden, heads int) int {
	if dim > 0 {
		return dim
	}
	return hidden / heads
}

// attention of a decoder: q (R,H·D) to k and v (R,KV·D) of the same rows, or, with k and v
// nil, q (R,(H+2·KV)·D) that holds all three. In decoding it goes to the caches of what
// came before, after it has added its own.
func attention(b *graph.Builder, in Inputs, scope string, q, k, v *graph.Node, a attentionOf) *graph.Node {
	if in.Segments != nil {
		return b.Attention(graph.Attend{
			Q: q, K: k, V: v, Heads: a.heads, T: in.T, Segments: in.Segments, Order: in.Order, Window: a.window, Scale: a.scale, Dropout: a.dropout, Rng: in.Rng,
		})
	}
	return b.AttentionCached(graph.AttendCached{
		Q: q, K: k, V: v, Heads: a.heads, Window: a.window, Scale: a.scale, Positions: in.Positions, Sequences: in.Sequences,
		Keys: b.Cache(scope+".keys", in.B, in.T, a.heads.KV*a.dim), Values: b.Cache(scope+".values", in.B, in.T, a.heads.KV*a.dim),
	})
}

// attentionOf says what a decoder's attention is like.
type attentionOf struct {
	heads   graph.Heads
	dim     int     // of a head
	window  int     // rows that a token sees up to its own; 0: all
	scale   float64 // of the products; 0: 1/√dim
	dropout float64
}

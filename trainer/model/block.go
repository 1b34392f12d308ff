package model

import (
	"math"
	"slices"

	"hone/trainer/graph"
)

// A builder declares the matrices of a model, all in one way, so that an adapter finds each by the name of its module in
// transformers.
type builder struct {
	*graph.Builder
	adapter *Adapter
	rng     *graph.Node // nil: no dropout
	modules []Module    // so far
	pairs   map[string]*pairNodes
}

// linear is a matrix of a hidden layer, (out,in) as in torch.nn.Linear, with a bias where
// there is one: x (R,in) -> (R,out).
func linear(b *builder, name string, init graph.Init, x *graph.Node, in, out int, bias bool) *graph.Node {
	return joint(b, x, in, bias, projection{name, out, init})
}

// conv1d is GPT-2's: a matrix (in,out) that holds several linear maps side by side, and a bias.
func conv1d(b *builder, name string, init graph.Init, x *graph.Node, maps, in, out int) *graph.Node {
	w := b.Matrix(name+".weight", init, maps, in, out)
	return b.product(x, true, matrix{Module{Name: name, Kind: Conv1D, In: in, Out: out}, w, b.Param(name+".bias", graph.Init{}, out)})
}

// A projection is one linear layer of a joint product: its name and the number of columns that it gives.
type projection struct {
	name string
	out  int
	init graph.Init
}

// joint applies several linear layers to one input in a single matrix product: x (R,in) -> (R, Σ out), their
// outputs side by side. Each layer keeps parameters of its own.
func joint(b *builder, x *graph.Node, in int, bias bool, parts ...projection) *graph.Node {
	list := make([]matrix, len(parts))
	for i, p := range parts {
		list[i] = matrix{Module{Name: p.name, In: in, Out: p.out}, b.Matrix(p.name+".weight", p.init, 1, p.out, in), nil}
		if bias {
			list[i].bias = b.Param(p.name+".bias", graph.Init{}, p.out)
		}
	}
	return b.product(x, false, list...)
}

// output is a layer of a head: x (R,in) -> (R,out), with a matrix w (out,in) and a bias, which may be nil. The matrix may
// be that of an embedding too.
func output(b *builder, name string, x, w, bias *graph.Node) *graph.Node {
	if w.Shape() == nil {
		return w // after an error
	}
	return b.product(x, false, matrix{Module{Name: name, In: w.Shape()[1], Out: w.Shape()[0], Output: true}, w, bias})
}

// A matrix is a module with its parameters.
type matrix struct {
	Module
	w, bias *graph.Node
}

// product multiplies x with matrices side by side, one product of all, and adds what their adapters make of x.
func (b *builder) product(x *graph.Node, transposed bool, parts ...matrix) *graph.Node {
	var w, c []*graph.Node
	for _, m := range parts {
		w = append(w, m.w)
		if m.bias != nil {
			c = append(c, m.bias)
		}
		b.note(m.Module)
	}
	var bias *graph.Node
	if c != nil {
		bias = b.Concat(c...)
	}
	last := bias
	if slices.ContainsFunc(parts, func(m matrix) bool { p, _ := b.pairOf(m.Module); return p.DoRA }) {
		bias = nil // it is added behind the factors
	} else {
		last = nil
	}
	y := b.Linear(x, b.Concat(w...), bias, transposed)
	first := 0
	for _, m := range parts {
		y = b.adapt(m.Module, m.w, x, y, first)
		first += m.Out
	}
	if last != nil {
		y = b.AddBias(y, last)
	}
	return y
}

// lookup is an embedding: the rows (R,C) of w (V,C) by ids (R).
func lookup(b *builder, name string, w, ids *graph.Node) *graph.Node {
	if w.Shape() == nil {
		return w // after an error
	}
	m := Module{Name: name, Kind: Embedding, In: w.Shape()[0], Out: w.Shape()[1]}
	b.note(m)
	return b.adapt(m, w, ids, b.Embed(w, ids), 0)
}

// rmsNorm is an RMS norm with its gain.
func rmsNorm(b *builder, name string, x *graph.Node, size int, eps float64) *graph.Node {
	return b.RMSNorm(x, b.Param(name+".weight", graph.Init{Ones: true}, size), eps)
}

// layerNorm is a layer norm with its gain and bias.
func layerNorm(b *builder, name string, x *graph.Node, size int, eps float64) *graph.Node {
	gain := b.Param(name+".weight", graph.Init{Ones: true}, size)
	return b.LayerNorm(x, gain, b.Param(name+".bias", graph.Init{}, size), eps)
}

// residual initialises the matrices of a decoder whose output is added to the residual stream. There are two in
// each block; they start smaller in deeper models, so that the sum keeps its variance (GPT-2).
func residual(std float64, layers int) graph.Init {
	return graph.Init{Std: std / math.Sqrt(2*float64(layers))}
}

// unordered is an order in which every row sees every other: all zeros.
func unordered(b *builder, in Inputs) *graph.Node {
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
func attention(b *builder, in Inputs, scope string, q, k, v *graph.Node, a attentionOf) *graph.Node {
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

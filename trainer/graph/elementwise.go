package graph

import (
	"slices"

	"hone/trainer/exec"
)

// GELU in its tanh form (Hendrycks & Gimpel 2016; "gelu_new"), of any shape.
func (b *Builder) GELU(x *Node) *Node {
	const code = exec.OpGELU
	if !b.float(code, "x", x) {
		return &Node{}
	}
	b.differentiable(code, x)
	return b.apply(op{
		code: code,
		out:  []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node {
			return b.apply(op{code: exec.OpGELUGrad, out: []result{{"dx", x.shape}}}, x, dy)
		},
	}, x)[0]
}

// Add is x + y, of one shape.
func (b *Builder) Add(x, y *Node) *Node {
	const code = exec.OpAdd
	if !b.float(code, "x", x) || !b.shape(code, "y", y, b.dt, x.shape...) {
		return &Node{}
	}
	b.differentiable(code, x, y)
	return b.apply(op{
		code: code,
		out:  []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node { return []*Node{dy, dy} },
	}, x, y)[0]
}

// Dropout (Srivastava et al. 2014) zeroes elements with probability p and scales the
// others by 1/(1-p). The mask is a function of rng (4) int32 (seed low, seed high, step,
// micro-batch), the number of the dropout in the graph, and the element's index.
// With p = 0 or a nil rng it is x itself.
func (b *Builder) Dropout(x *Node, p float64, rng *Node) *Node {
	const code = exec.OpDropout
	if p == 0 || rng == nil {
		return x
	}
	if !b.float(code, "x", x) || !b.shape(code, "rng", rng, exec.I32, 4) {
		return &Node{}
	}
	if !(p > 0 && p < 1) {
		return b.fail("%v: probability %g is not in [0,1)", code, p)
	}
	b.differentiable(code, x)
	b.salt++
	o := op{code: code, attrs: exec.Attrs{P: p, Salt: b.salt}, out: []result{{"y", x.shape}}}
	forward := o
	forward.grad = func(dy *Node) []*Node { return []*Node{b.apply(o, dy, rng)[0], nil} }
	return b.apply(forward, x, rng)[0]
}

// float checks for a float of any shape.
func (b *Builder) float(code exec.Op, what string, x *Node) bool {
	var any []int
	if x != nil {
		any = slices.Repeat([]int{-1}, len(x.shape))
	}
	return b.shape(code, what, x, b.dt, any...)
}

package graph

import (
	"slices"

	"hone/trainer/exec"
)

// GELU in its tanh form (Hendrycks & Gimpel 2016; "gelu_new"), of any shape.
func (b *Builder) GELU(x *Node) *Node { return b.gelu(x, false) }

// GELUErf is the GELU itself, x·Φ(x) with the normal distribution Φ (BERT's "gelu"), of any shape.
func (b *Builder) GELUErf(x *Node) *Node { return b.gelu(x, true) }

func (b *Builder) gelu(x *Node, erf bool) *Node {
	const code = exec.OpGELU
	if !b.float(code, "x", x) {
		return &Node{}
	}
	b.differentiable(code, x)
	attrs := exec.Attrs{Erf: erf}
	return b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node {
			return b.apply(op{code: exec.OpGELUGrad, attrs: attrs, out: []result{{"dx", x.shape}}}, x, dy)
		},
	}, x)[0]
}

// Activation is a function of each element, of any shape. GELU, Tanh, Sigmoid and ReLU are faster by
// their own names.
func (b *Builder) Activation(f exec.Activation, x *Node) *Node {
	const code = exec.OpActivation
	if !b.float(code, "x", x) {
		return &Node{}
	}
	if !f.Known() {
		return b.fail("%v: function %d is not known", code, uint8(f))
	}
	b.differentiable(code, x)
	attrs := exec.Attrs{Activation: f}
	return b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node {
			return b.apply(op{code: exec.OpActivationGrad, attrs: attrs, out: []result{{"dx", x.shape}}}, x, dy)
		},
	}, x)[0]
}

// Tanh is the hyperbolic tangent, of any shape.
func (b *Builder) Tanh(x *Node) *Node { return b.fromOutput(exec.OpTanh, exec.OpTanhGrad, x) }

// Sigmoid is 1/(1+exp(-x)), of any shape.
func (b *Builder) Sigmoid(x *Node) *Node { return b.fromOutput(exec.OpSigmoid, exec.OpSigmoidGrad, x) }

// ReLU is max(x, 0), of any shape.
func (b *Builder) ReLU(x *Node) *Node { return b.fromOutput(exec.OpReLU, exec.OpReLUGrad, x) }

// fromOutput is a function of one operand whose gradient is computed from its value.
func (b *Builder) fromOutput(code, grad exec.Op, x *Node) *Node {
	if !b.float(code, "x", x) {
		return &Node{}
	}
	b.differentiable(code, x)
	var y []*Node
	y = b.apply(op{
		code: code,
		out:  []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node {
			return b.apply(op{code: grad, out: []result{{"dx", x.shape}}}, y[0], dy)
		},
	}, x)
	return y[0]
}

// GLU is a gated linear unit (Shazeer 2020), f(gate)·up: SwiGLU with exec.SiLU. gate and
// up are (R,N); with a nil up, gate is (R,2N) and holds both side by side.
func (b *Builder) GLU(f exec.Activation, gate, up *Node) *Node {
	const code = exec.OpGLU
	if !b.shape(code, "gate", gate, b.dt, -1, -1) || up != nil && !b.shape(code, "up", up, b.dt, gate.shape...) {
		return &Node{}
	}
	rows, n := gate.shape[0], gate.shape[1]
	if up == nil {
		if n%2 != 0 {
			return b.fail("%v: %d columns are no gate and as much to be gated", code, n)
		}
		n /= 2
	}
	b.differentiable(code, gate, up)
	attrs := exec.Attrs{Activation: f}
	return b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", []int{rows, n}}},
		grad: func(dy *Node) []*Node {
			out := []result{{"dgate", gate.shape}, {name: "dup"}}
			if up != nil {
				out[1].shape = up.shape
			}
			d := b.apply(op{code: exec.OpGLUGrad, attrs: attrs, out: out}, gate, up, dy)
			return present([]*Node{gate, up}, d)
		},
	}, gate, up)[0]
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

// AddBias is x (R,C) with bias (C) added to each row.
func (b *Builder) AddBias(x, bias *Node) *Node {
	const code = exec.OpAddBias
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "bias", bias, b.dt, x.shape[1]) {
		return &Node{}
	}
	b.differentiable(code, x, bias)
	return b.apply(op{
		code: code,
		out:  []result{{"y", x.shape}},
		grad: func(dy *Node) []*Node {
			d := []*Node{dy, nil}
			if bias.diff {
				d[1] = b.apply(op{code: exec.OpColSum, out: []result{{"db", bias.shape}}}, dy)[0]
			}
			return d
		},
	}, x, bias)[0]
}

// Scale is factor·x, of any shape.
func (b *Builder) Scale(x *Node, factor float64) *Node {
	const code = exec.OpScale
	if !b.float(code, "x", x) {
		return &Node{}
	}
	b.differentiable(code, x)
	o := op{code: code, attrs: exec.Attrs{Scale: factor}, out: []result{{"y", x.shape}}}
	forward := o
	forward.grad = func(dy *Node) []*Node { return b.apply(o, dy) }
	return b.apply(forward, x)[0]
}

// Transpose turns x (R,C) into (C,R).
func (b *Builder) Transpose(x *Node) *Node {
	const code = exec.OpTranspose
	if !b.shape(code, "x", x, b.dt, -1, -1) {
		return &Node{}
	}
	b.differentiable(code, x)
	return b.apply(op{
		code: code,
		out:  []result{{"y", []int{x.shape[1], x.shape[0]}}},
		grad: func(dy *Node) []*Node {
			return b.apply(op{code: code, out: []result{{"dx", x.shape}}}, dy)
		},
	}, x)[0]
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
	if !b.float(code, "x", x) || !b.dropout(code, p, rng) {
		return &Node{}
	}
	b.differentiable(code, x)
	b.salt++
	o := op{code: code, attrs: exec.Attrs{P: p, Salt: b.salt}, out: []result{{"y", x.shape}}}
	forward := o
	forward.grad = func(dy *Node) []*Node { return []*Node{b.apply(o, dy, rng)[0], nil} }
	return b.apply(forward, x, rng)[0]
}

// dropout checks the operands that say which elements are dropped.
func (b *Builder) dropout(code exec.Op, p float64, rng *Node) bool {
	if !(p > 0 && p < 1) {
		b.fail("%v: probability %g is not in [0,1)", code, p)
		return false
	}
	return b.shape(code, "rng", rng, exec.I32, 4)
}

// float checks for a float of any shape.
func (b *Builder) float(code exec.Op, what string, x *Node) bool {
	var any []int
	if x != nil {
		any = slices.Repeat([]int{-1}, len(x.shape))
	}
	return b.shape(code, what, x, b.dt, any...)
}

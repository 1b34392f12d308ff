package graph

import (
	"fmt"

	"hone/trainer/exec"
)

// Linear is a matrix product: x (R,K), w (N,K), or (K,N) when transposed as in
// GPT-2's Conv1D, and bias (N) or nil -> (R,N) = x·wᵀ + bias.
func (b *Builder) Linear(x, w, bias *Node, transposed bool) *Node {
	const code = exec.OpLinear
	if !b.shape(code, "x", x, b.dt, -1, -1) {
		return &Node{}
	}
	rows, k := x.shape[0], x.shape[1]
	in, out := 1, 0
	want := []int{-1, k}
	if transposed {
		in, out = 0, 1
		want = []int{k, -1}
	}
	if !b.shape(code, "w", w, b.dt, want...) {
		return &Node{}
	}
	n := w.shape[out]
	if bias != nil && !b.shape(code, "bias", bias, b.dt, n) {
		return &Node{}
	}
	b.differentiable(code, x, w, bias)
	attrs := exec.Attrs{Transposed: transposed}
	return b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", []int{rows, n}}},
		grad: func(dy *Node) []*Node {
			d := make([]*Node, 2, 3)
			if x.diff {
				d[0] = b.apply(op{code: exec.OpLinearGradX, attrs: attrs, out: []result{{"dx", []int{rows, w.shape[in]}}}}, dy, w)[0]
			}
			if w.diff {
				d[1] = b.apply(op{code: exec.OpLinearGradW, attrs: attrs, out: []result{{"dw", w.shape}}}, x, dy)[0]
			}
			if bias != nil {
				d = append(d, nil)
				if bias.diff {
					d[2] = b.apply(op{code: exec.OpColSum, out: []result{{"db", bias.shape}}}, dy)[0]
				}
			}
			return d
		},
	}, x, w, bias)[0]
}

// AddLinear is y (R,N) with the product x·wᵀ added to its columns from first on: x (R,K), w (M,K).
func (b *Builder) AddLinear(y, x, w *Node, first int) *Node {
	const code = exec.OpAddLinear
	if !b.shape(code, "y", y, b.dt, -1, -1) || !b.shape(code, "x", x, b.dt, y.shape[0], -1) || !b.shape(code, "w", w, b.dt, -1, x.shape[1]) {
		return &Node{}
	}
	if first < 0 || first+w.shape[0] > y.shape[1] {
		return b.fail("%v: %d columns from %d on are not among %d", code, w.shape[0], first, y.shape[1])
	}
	b.differentiable(code, y, x, w)
	attrs := exec.Attrs{First: first}
	return b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"y", y.shape}},
		grad: func(dy *Node) []*Node {
			d := []*Node{dy, nil, nil}
			if x.diff {
				d[1] = b.apply(op{code: exec.OpLinearGradX, attrs: attrs, out: []result{{"dx", x.shape}}}, dy, w)[0]
			}
			if w.diff {
				d[2] = b.apply(op{code: exec.OpLinearGradW, attrs: attrs, out: []result{{"dw", w.shape}}}, x, dy)[0]
			}
			return d
		},
	}, y, x, w)[0]
}

// Concat puts parts one after another along the first dimension; their other dimensions are equal. With parameters
// that are declared one after another it costs nothing: the rows of several matrices become one matrix, for one
// product.
func (b *Builder) Concat(parts ...*Node) *Node {
	const code = exec.OpConcat
	if b.err == nil && (len(parts) == 0 || parts[0] == nil || len(parts[0].shape) == 0) {
		return b.fail("%v: no parts", code)
	}
	if b.err == nil && len(parts) == 1 {
		return parts[0]
	}
	size := 0
	for _, x := range parts {
		if !b.float(code, "a part", x) || !b.shape(code, "a part", x, b.dt, append([]int{-1}, parts[0].shape[1:]...)...) {
			return &Node{}
		}
		size += x.shape[0]
	}
	b.differentiable(code, parts...)
	return b.apply(op{
		code: code,
		out:  []result{{"y", append([]int{size}, parts[0].shape[1:]...)}},
		grad: func(dy *Node) []*Node {
			split := op{code: exec.OpSplit}
			for i, x := range parts {
				split.out = append(split.out, result{fmt.Sprintf("dx%d", i), x.shape})
			}
			return present(parts, b.apply(split, dy))
		},
	}, parts...)[0]
}

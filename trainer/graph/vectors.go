package graph

import "hone/trainer/exec"

// MeanRows is of each span the mean of its rows: x (R,C), spans (S,2) int32, the first row and the row after the
// last -> (S,C). An empty span gives zeros. Spans do not overlap.
func (b *Builder) MeanRows(x, spans *Node) *Node {
	const code = exec.OpMeanRows
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "spans", spans, exec.I32, -1, 2) {
		return &Node{}
	}
	b.differentiable(code, x)
	return b.apply(op{
		code: code, out: []result{{"y", []int{spans.shape[0], x.shape[1]}}},
		grad: func(dy *Node) []*Node {
			return []*Node{b.apply(op{code: exec.OpMeanRowsGrad, out: []result{{"dx", x.shape}}}, dy, spans)[0], nil}
		},
	}, x, spans)[0]
}

// UnitRows are the first d columns of each row, over their norm: x (R,C) -> (R,d). A row of zeros stays one.
func (b *Builder) UnitRows(x *Node, d int) *Node {
	const code = exec.OpUnitRows
	if !b.shape(code, "x", x, b.dt, -1, -1) {
		return &Node{}
	}
	if d < 1 || d > x.shape[1] {
		return b.fail("%v: the first %d columns of %d", code, d, x.shape[1])
	}
	b.differentiable(code, x)
	attrs := exec.Attrs{Eps: 1e-12} // as in torch
	var y []*Node                   // y, norm
	y = b.apply(op{
		code: code, attrs: attrs, out: []result{{"y", []int{x.shape[0], d}}, {"norm", []int{x.shape[0]}}},
		grad: func(dy *Node) []*Node {
			return b.apply(op{code: exec.OpUnitRowsGrad, attrs: attrs, out: []result{{"dx", x.shape}}}, dy, y[0], y[1])
		},
	}, x)
	return y[0]
}

// DotRows is the product of each row with the same row of another matrix: x (R,C), y (R,C) -> (R,1).
func (b *Builder) DotRows(x, y *Node) *Node {
	const code = exec.OpDotRows
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "y", y, b.dt, x.shape...) {
		return &Node{}
	}
	b.differentiable(code, x, y)
	scaled := op{code: exec.OpScaleRows, out: []result{{"dx", x.shape}}}
	return b.apply(op{
		code: code, out: []result{{"dots", []int{x.shape[0], 1}}},
		grad: func(dy *Node) []*Node {
			d := make([]*Node, 2)
			if x.diff {
				d[0] = b.apply(scaled, y, dy)[0]
			}
			if y.diff {
				d[1] = b.apply(scaled, x, dy)[0]
			}
			return d
		},
	}, x, y)[0]
}

// masked is a score that a softmax gives no probability.
const masked = -1e30

// MaskSame takes scores from a softmax: x (R,N), rows (R,K), columns (N,K), targets (R) int32 -> (R,N). Those of a
// column whose first number is negative count nothing, and those of a column that has a number ≥ 0 in common with the
// row, except its target.
func (b *Builder) MaskSame(x, rows, columns, targets *Node) *Node {
	const code = exec.OpMaskSame
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "rows", rows, exec.I32, x.shape[0], -1) ||
		!b.shape(code, "columns", columns, exec.I32, x.shape[1], rows.shape[1]) || !b.shape(code, "targets", targets, exec.I32, x.shape[0]) {
		return &Node{}
	}
	b.differentiable(code, x)
	o := op{code: code, attrs: exec.Attrs{Scale: masked}, out: []result{{"y", x.shape}}}
	back := op{code: code, out: []result{{"dx", x.shape}}} // which is 0 there
	o.grad = func(dy *Node) []*Node { return []*Node{b.apply(back, dy, rows, columns, targets)[0], nil, nil, nil} }
	return b.apply(o, x, rows, columns, targets)[0]
}

// CoSENT is the loss of scores (R,1) whose order should be that of goals (R,1); weights (R), 1 or, of rows that do not
// count, 0 -> loss (1) = n·log(1 + Σ exp(scale·(score_i - score_j))) over all i, j of goal_i < goal_j, with the number n
// of rows that count.
func (b *Builder) CoSENT(scores, goals, weights *Node, scale float64) *Node {
	const code = exec.OpCoSENT
	if !b.shape(code, "scores", scores, b.dt, -1, 1) {
		return &Node{}
	}
	if !b.shape(code, "goals", goals, b.dt, scores.shape...) || !b.shape(code, "weights", weights, b.dt, scores.shape[0]) {
		return &Node{}
	}
	b.differentiable(code, scores, goals, weights)
	if weights.diff || goals.diff {
		return b.fail("%v: goals and weights cannot depend on trainable parameters", code)
	}
	attrs := exec.Attrs{Scale: scale}
	var y []*Node // loss, lse
	y = b.apply(op{
		code: code, attrs: attrs, out: []result{{"loss", []int{1}}, {"lse", []int{1}}},
		grad: func(dloss *Node) []*Node {
			d := b.apply(op{code: exec.OpCoSENTGrad, attrs: attrs, out: []result{{"dscores", scores.shape}}}, scores, goals, weights, y[1], dloss)
			return []*Node{d[0], nil, nil}
		},
	}, scores, goals, weights)
	return y[0]
}

// Triplet is the loss of anchors (R,C) that should be nearer to positives (R,C) than to negatives (R,C), by a margin, in
// Euclid's distance; weights (R) -> loss (1) = Σ weights·max(0, ‖a-p‖ - ‖a-n‖ + margin).
func (b *Builder) Triplet(anchors, positives, negatives, weights *Node, margin float64) *Node {
	const code = exec.OpTriplet
	if !b.shape(code, "anchors", anchors, b.dt, -1, -1) {
		return &Node{}
	}
	shape := anchors.shape
	if !b.shape(code, "positives", positives, b.dt, shape...) || !b.shape(code, "negatives", negatives, b.dt, shape...) || !b.shape(code, "weights", weights, b.dt, shape[0]) {
		return &Node{}
	}
	b.differentiable(code, anchors, positives, negatives, weights)
	if weights.diff {
		return b.fail("%v: weights cannot depend on trainable parameters", code)
	}
	attrs := exec.Attrs{Margin: margin}
	var y []*Node // loss, distances
	y = b.apply(op{
		code: code, attrs: attrs, out: []result{{"loss", []int{1}}, {"distances", []int{shape[0], 2}}},
		grad: func(dloss *Node) []*Node {
			d := b.apply(op{
				code: exec.OpTripletGrad, attrs: attrs, out: []result{{"danchors", shape}, {"dpositives", shape}, {"dnegatives", shape}},
			}, anchors, positives, negatives, weights, y[1], dloss)
			return append(d, nil)
		},
	}, anchors, positives, negatives, weights)
	return y[0]
}

package graph

import "hone/trainer/exec"

// CrossEntropy of softmax(logits): logits (R,V), targets (R) int32, weights (R) ->
// loss (1) = Σ weights·nll, and nll (R) to be read, not differentiated. Rows whose
// target is -1 have nll 0 and do not count.
func (b *Builder) CrossEntropy(logits, targets, weights *Node) (loss, nll *Node) {
	const code = exec.OpCrossEntropy
	if !b.shape(code, "logits", logits, b.dt, -1, -1) {
		return &Node{}, &Node{}
	}
	rows := logits.shape[0]
	if !b.shape(code, "targets", targets, exec.I32, rows) || !b.shape(code, "weights", weights, b.dt, rows) {
		return &Node{}, &Node{}
	}
	b.differentiable(code, logits, weights)
	if weights.diff {
		return b.fail("%v: weights cannot depend on trainable parameters", code), &Node{}
	}
	var y []*Node // loss, nll, lse
	y = b.apply(op{
		code: code,
		out:  []result{{"loss", []int{1}}, {"nll", []int{rows}}, {"lse", []int{rows}}},
		grad: func(dloss *Node) []*Node {
			return []*Node{b.apply(op{
				code: exec.OpCrossEntropyGrad, out: []result{{"dlogits", logits.shape}},
			}, logits, targets, weights, y[2], dloss)[0], nil, nil}
		},
	}, logits, targets, weights)
	return y[0], y[1]
}

package graph

import "hone/trainer/exec"

// CrossEntropy of softmax(logits): logits (R,V), targets (R) int32, weights (R) ->
// loss (1) = Σ weights·nll, and nll (R) to be read, not differentiated. Rows whose
// target is -1 have nll 0 and do not count.
func (b *Builder) CrossEntropy(logits, targets, weights *Node) (loss, nll *Node) {
	return b.SoftCrossEntropy(logits, targets, weights, 0, 0)
}

// SoftCrossEntropy is CrossEntropy with two additions for training. To the loss it adds weights·z·log²Z, where Z is the
// sum of a row's exponentials: that keeps logits close to log-probabilities (Chowdhery et al. 2022, §5). And it takes
// the part smoothing from each target and spreads it over all V classes (Szegedy et al. 2016, §7), as torch's
// cross_entropy with label_smoothing; nll is smoothed too.
func (b *Builder) SoftCrossEntropy(logits, targets, weights *Node, z, smoothing float64) (loss, nll *Node) {
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
	attrs := exec.Attrs{ZLoss: z, Smoothing: smoothing}
	y = b.apply(op{
		code: code, attrs: attrs,
		out: []result{{"loss", []int{1}}, {"nll", []int{rows}}, {"lse", []int{rows}}},
		grad: func(dloss *Node) []*Node {
			return []*Node{b.apply(op{
				code: exec.OpCrossEntropyGrad, attrs: attrs, out: []result{{"dlogits", logits.shape}},
			}, logits, targets, weights, y[2], dloss)[0], nil, nil}
		},
	}, logits, targets, weights)
	return y[0], y[1]
}

// SpanCrossEntropy is the loss of predicting rows within sequences: scores (R,K), spans (S,2) int32 (a sequence's first
// row, and the row after its last), targets (S,K) int32, weights (S) -> loss (1) = Σ weights·nll, and nll (S), the mean
// of the K columns' negative log likelihoods, each under a softmax over the rows of the sequence. A target of -1 is not
// counted.
func (b *Builder) SpanCrossEntropy(scores, spans, targets, weights *Node) (loss, nll *Node) {
	const code = exec.OpSpanCrossEntropy
	if !b.shape(code, "scores", scores, b.dt, -1, -1) || !b.shape(code, "weights", weights, b.dt, -1) {
		return &Node{}, &Node{}
	}
	n, k := weights.shape[0], scores.shape[1]
	if !b.shape(code, "spans", spans, exec.I32, n, 2) || !b.shape(code, "targets", targets, exec.I32, n, k) {
		return &Node{}, &Node{}
	}
	b.differentiable(code, scores, weights)
	if weights.diff {
		return b.fail("%v: weights cannot depend on trainable parameters", code), &Node{}
	}
	var y []*Node // loss, nll, lse
	y = b.apply(op{
		code: code,
		out:  []result{{"loss", []int{1}}, {"nll", []int{n}}, {"lse", []int{n, k}}},
		grad: func(dloss *Node) []*Node {
			return []*Node{b.apply(op{
				code: exec.OpSpanCrossEntropyGrad, out: []result{{"dscores", scores.shape}},
			}, scores, spans, targets, weights, y[2], dloss)[0], nil, nil, nil}
		},
	}, scores, spans, targets, weights)
	return y[0], y[1]
}

// SquaredError of x (R,K) to goals (R,K), weights (R) -> loss (1) = Σ weights·error, and error (R), the mean over the K
// columns of the squared differences, to be read, not differentiated.
func (b *Builder) SquaredError(x, goals, weights *Node) (loss, errs *Node) {
	return b.goalLoss(exec.OpSquaredError, exec.OpSquaredErrorGrad, x, goals, weights)
}

// BinaryCrossEntropy is like SquaredError, of logits x that are each a yes or a no of its own: a goal is 0, or the weight
// of a yes, usually 1.
func (b *Builder) BinaryCrossEntropy(x, goals, weights *Node) (loss, nll *Node) {
	return b.goalLoss(exec.OpBinaryCrossEntropy, exec.OpBinaryCrossEntropyGrad, x, goals, weights)
}

func (b *Builder) goalLoss(code, grad exec.Op, x, goals, weights *Node) (loss, errs *Node) {
	if !b.shape(code, "x", x, b.dt, -1, -1) {
		return &Node{}, &Node{}
	}
	rows := x.shape[0]
	if !b.shape(code, "goals", goals, b.dt, rows, x.shape[1]) || !b.shape(code, "weights", weights, b.dt, rows) {
		return &Node{}, &Node{}
	}
	b.differentiable(code, x, weights)
	if weights.diff || goals.diff {
		return b.fail("%v: goals and weights cannot depend on trainable parameters", code), &Node{}
	}
	y := b.apply(op{
		code: code, out: []result{{"loss", []int{1}}, {"nll", []int{rows}}},
		grad: func(dloss *Node) []*Node {
			return []*Node{b.apply(op{code: grad, out: []result{{"dx", x.shape}}}, x, goals, weights, dloss)[0], nil, nil}
		},
	}, x, goals, weights)
	return y[0], y[1]
}

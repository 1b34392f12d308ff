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
			mean, rstd := y[1], y[2]
			d := make([]*Node, 2, 3)
			if x.diff {
				d[0] = b.apply(op{code: exec.OpLayerNormGradX, out: []result{{"dx", x.shape}}}, dy, x, gain, mean, rstd)[0]
			}
			var dw [2]*Node
			if gain.diff || bias != nil && bias.diff {
				copy(dw[:], b.apply(op{
					code: exec.OpLayerNormGradW, out: []result{{"dgain", gain.shape}, {"dbias", gain.shape}},
				}, dy, x, mean, rstd))
			}
			d[1] = dw[0]
			if bias != nil {
				d = append(d, dw[1])
			}
			return d
		},
	}, x, gain, bias)
	return y[0]
}

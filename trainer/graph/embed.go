package graph

import "hone/trainer/exec"

// Embed gathers rows: w (V,C), ids (R) int32 -> (R,C). A negative id gives zeros. w may be activations as well as
// a parameter.
func (b *Builder) Embed(w, ids *Node) *Node {
	const code = exec.OpEmbed
	if !b.shape(code, "w", w, b.dt, -1, -1) || !b.shape(code, "ids", ids, exec.I32, -1) {
		return &Node{}
	}
	b.differentiable(code, w)
	return b.apply(op{
		code: code,
		out:  []result{{"y", []int{ids.shape[0], w.shape[1]}}},
		grad: func(dy *Node) []*Node {
			return []*Node{b.apply(op{code: exec.OpEmbedGrad, out: []result{{"dw", w.shape}}}, dy, ids, nil)[0], nil}
		},
	}, w, ids)[0]
}

package graph

import (
	"math"

	"hone/trainer/exec"
)

// Frequencies are those of rotary position embedding (Su et al. 2021) for heads of an even size dim:
// theta^(-2i/dim) radians a position, for i < dim/2.
func Frequencies(dim int, theta float64) []float64 {
	f := make([]float64, dim/2)
	for i := range f {
		f[i] = math.Pow(theta, -float64(2*i)/float64(dim))
	}
	return f
}

// Llama3Scaling changes frequencies as Llama 3.1 does (rope_type "llama3" of Hugging Face's config.json): those that
// turn less than LowFreqFactor times in Context positions are divided by Factor, those that turn more than
// HighFreqFactor times are kept, and those between are interpolated.
type Llama3Scaling struct {
	Factor, LowFreqFactor, HighFreqFactor float64
	Context                               int // original_max_position_embeddings
}

// Apply changes the frequencies in place.
func (s Llama3Scaling) Apply(freqs []float64) {
	for i, f := range freqs {
		turns := float64(s.Context) * f / (2 * math.Pi)
		kept := (turns - s.LowFreqFactor) / (s.HighFreqFactor - s.LowFreqFactor)
		kept = min(max(kept, 0), 1)
		freqs[i] = kept*f + (1-kept)*f/s.Factor
	}
}

// Rotations is the table of cosines and sines that RoPE takes, one for all layers:
// positions (R) int32 -> (R, 2·len(freqs)). The frequencies are radians a position; cosines and sines are
// times scale.
func (b *Builder) Rotations(positions *Node, freqs []float64, scale float64) *Node {
	const code = exec.OpRotations
	if !b.shape(code, "positions", positions, exec.I32, -1) {
		return &Node{}
	}
	if len(freqs) == 0 {
		return b.fail("%v: no frequencies", code)
	}
	if !(scale > 0) {
		return b.fail("%v: scale %g is not above 0", code, scale)
	}
	return b.apply(op{
		code: code, attrs: exec.Attrs{Frequencies: freqs, Scale: scale},
		out: []result{{"table", []int{positions.shape[0], 2 * len(freqs)}}},
	}, positions)[0]
}

// RoPE turns the first heads of x by their rows' positions: x (R,W), table (R,D) of
// Rotations -> (R,W). Heads are of size D, and columns i and i + D/2 of a head turn
// together, as in Hugging Face's Llama. Columns beyond the heads stay as they are.
func (b *Builder) RoPE(x, table *Node, heads int) *Node {
	const code = exec.OpRoPE
	if !b.shape(code, "x", x, b.dt, -1, -1) || !b.shape(code, "table", table, b.dt, x.shape[0], -1) {
		return &Node{}
	}
	if d := table.shape[1]; heads < 1 || heads*d > x.shape[1] {
		return b.fail("%v: %d heads of %d columns do not fit into %d", code, heads, d, x.shape[1])
	}
	b.differentiable(code, x)
	o := op{code: code, attrs: exec.Attrs{Heads: heads}, out: []result{{"y", x.shape}}}
	forward := o
	forward.grad = func(dy *Node) []*Node {
		o.attrs.Inverse = true
		return []*Node{b.apply(o, dy, table)[0], nil}
	}
	return b.apply(forward, x, table)[0]
}

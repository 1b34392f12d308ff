package model

import (
	"encoding/json"
	"fmt"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// decoder is the transformer of Llama (Touvron et al. 2023, 2302.13971 and 2307.09288) and the families
// built like it: RMS norms before each sub-layer, rotary positions, keys and values shared by groups of
// query heads, a gated feed-forward. Each family fills it from the keys of its config.json.
type decoder struct {
	Config
	head Head
	body string // what the names of all but the head begin with

	hidden, inner, layers int
	attend                attentionOf // but for the window
	windows               []int       // by layer: rows that a token sees up to its own, 0: all; nil: all layers see all
	rotations             []rotation  // of all layers; or of those that see all, then of those with a window
	eps                   float64     // of norms
	act                   exec.Activation
	std                   float64 // of matrices at the start

	bias    bool // of the attention's four matrices
	qkvBias bool // of queries, keys and values alone
	mlpBias bool
	qkNorm  bool // each head of queries and keys is normalised before it turns

	// Of the Gemmas.
	embedScale float64 // of what the embedding gives; 0: none
	centred    bool    // a norm multiplies by 1 + its weight
	behind     bool    // a norm behind each sub-layer too
	ones       map[int]*graph.Node
}

// B batch, T time, R = B·T rows, C = hidden channels, F = inner, H query heads and KV key heads of
// size D, V vocabulary.

func (m *decoder) Forward(b *builder, in Inputs) Outputs {
	b.Scope("embed")
	embed := b.Param(m.body+"embed_tokens.weight", m.normal(), m.VocabSize, m.hidden)
	x := lookup(b, m.body+"embed_tokens", embed, in.Tokens) // (R,C)
	if m.embedScale != 0 {
		x = b.Scale(x, m.embedScale)
	}
	var turns []*graph.Node
	for _, r := range m.rotations {
		turns = append(turns, b.Rotations(in.Positions, r.freqs, r.scale))
	}
	for i := range m.layers {
		x = m.block(b, in, i, x, turns)
	}
	b.Scope("norm")
	x = m.norm(b, m.body+"norm", x, m.hidden)
	return decoded(b, in, m.Config, m.head, "score", m.normal(), x, embed, 0)
}

// block is x + attention(norm(x)), then x + mlp(norm(x)); with norms behind the sub-layers too,
// x + norm(attention(norm(x))), then x + norm(mlp(norm(x))).
func (m *decoder) block(b *builder, in Inputs, i int, x *graph.Node, turns []*graph.Node) *graph.Node {
	scope := fmt.Sprintf("layers.%d", i)
	name := m.body + scope
	before := ".post_attention_layernorm" // the feed-forward, unless a norm stands behind the attention
	if m.behind {
		before = ".pre_feedforward_layernorm"
	}

	b.Layer(i, scope+".input_layernorm")
	a := m.norm(b, name+".input_layernorm", x, m.hidden)
	b.Layer(i, scope+".self_attn")
	a = m.attention(b, in, i, scope, name+".self_attn.", a, turns)
	if m.behind {
		a = m.norm(b, name+".post_attention_layernorm", a, m.hidden)
	}
	x = b.Add(x, a)

	b.Layer(i, scope+before)
	f := m.norm(b, name+before, x, m.hidden)
	b.Layer(i, scope+".mlp")
	f = m.mlp(b, name+".mlp.", f)
	if m.behind {
		f = m.norm(b, name+".post_feedforward_layernorm", f, m.hidden)
	}
	return b.Add(x, f)
}

func (m *decoder) attention(b *builder, in Inputs, i int, scope, name string, x *graph.Node, turns []*graph.Node) *graph.Node {
	c, a := m.hidden, m.attend
	d, h := a.dim, a.heads
	table := turns[0]
	if m.windows != nil {
		if a.window = m.windows[i]; a.window > 0 {
			table = turns[len(turns)-1]
		}
	}
	var q, k, v *graph.Node
	if m.qkNorm {
		q = m.norm(b, name+"q_norm", linear(b, name+"q_proj", m.normal(), x, c, h.Query*d, m.bias), d)
		k = m.norm(b, name+"k_norm", linear(b, name+"k_proj", m.normal(), x, c, h.KV*d, m.bias), d)
		v = linear(b, name+"v_proj", m.normal(), x, c, h.KV*d, m.bias)
		q, k = b.RoPE(q, table, h.Query), b.RoPE(k, table, h.KV)
	} else {
		q = joint(b, x, c, m.bias || m.qkvBias, projection{name + "q_proj", h.Query * d, m.normal()},
			projection{name + "k_proj", h.KV * d, m.normal()}, projection{name + "v_proj", h.KV * d, m.normal()})
		q = b.RoPE(q, table, h.Query+h.KV) // with the keys; the values stay
	}
	y := attention(b, in, scope, q, k, v, a) // (R,H·D)
	return linear(b, name+"o_proj", m.residual(), y, h.Query*d, c, m.bias)
}

func (m *decoder) mlp(b *builder, name string, x *graph.Node) *graph.Node {
	both := joint(b, x, m.hidden, m.mlpBias, projection{name + "gate_proj", m.inner, m.normal()}, projection{name + "up_proj", m.inner, m.normal()})
	return linear(b, name+"down_proj", m.residual(), b.GLU(m.act, both, nil), m.inner, m.hidden, m.mlpBias)
}

// norm is an RMS norm over groups of size columns.
func (m *decoder) norm(b *builder, name string, x *graph.Node, size int) *graph.Node {
	if !m.centred {
		return rmsNorm(b, name, x, size, m.eps)
	}
	if m.ones == nil {
		m.ones = map[int]*graph.Node{}
	}
	if m.ones[size] == nil {
		ones := make([]float64, size)
		for i := range ones {
			ones[i] = 1
		}
		m.ones[size] = b.Constant(fmt.Sprintf("ones %d", size), ones, size)
	}
	gain := b.Add(b.Param(name+".weight", graph.Init{}, size), m.ones[size])
	return b.RMSNorm(x, gain, m.eps)
}

func (m *decoder) normal() graph.Init   { return graph.Init{Std: m.std} }
func (m *decoder) residual() graph.Init { return residual(m.std, m.layers) }

// decoderSizes are the keys that all families of a decoder have by one name.
type decoderSizes struct {
	hidden, inner, layers, heads, dim, positions int // dim 0: hidden / heads
	eps, theta, std, dropout                     float64
	scaling                                      RopeScaling
}

// decoder refuses sizes and numbers of which no decoder can be made.
func (f *Faults) decoder(s decoderSizes) {
	f.positive(count{"hidden_size", s.hidden}, count{"intermediate_size", s.inner}, count{"num_hidden_layers", s.layers},
		count{"num_attention_heads", s.heads}, count{"max_position_embeddings", s.positions})
	f.rotary(s.dim, s.hidden, s.heads)
	f.above0("rms_norm_eps", s.eps)
	f.above0("rope_theta", s.theta)
	f.probability("initializer_range", s.std)
	f.probability("attention_dropout", s.dropout)
	if s.heads > 0 {
		s.scaling.check(f, headSize(s.dim, s.hidden, s.heads))
	}
}

// keyHeads is n, or, where num_key_value_heads is null in a config.json, the number of heads.
func keyHeads(b []byte, n, heads int) int {
	var keys struct {
		N json.RawMessage `json:"num_key_value_heads"`
	}
	if json.Unmarshal(b, &keys) == nil && string(keys.N) == "null" {
		return heads
	}
	return n
}

// modelBody is what the names of all but the head begin with.
func modelBody(h Head) string {
	if h == Base {
		return ""
	}
	return "model."
}

// decoderTensors are the tensors of Llama and the families like it; body is the prefix of all but the head.
func decoderTensors(h Head, body string) tensors {
	return tensors{
		prefix: body, bodies: []string{"model.", "transformer."}, heads: []string{"lm_head.", "score.", "qa_outputs."},
		ties: outputTie(h, "lm_head.weight", body+"embed_tokens.weight"), buffers: []string{"rotary_emb.inv_freq"},
	}.of(h)
}

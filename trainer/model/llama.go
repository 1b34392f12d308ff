package model

import (
	"cmp"
	"fmt"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// Llama has the keys of a config.json of model_type llama (Llama, SmolLM2 and what else is
// built like them), qwen2 or qwen3.
type Llama struct {
	HiddenSize            int         `json:"hidden_size" toml:"hidden_size"`
	IntermediateSize      int         `json:"intermediate_size" toml:"intermediate_size"`
	NumHiddenLayers       int         `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads     int         `json:"num_attention_heads" toml:"num_attention_heads"`
	NumKeyValueHeads      int         `json:"num_key_value_heads,omitempty" toml:"num_key_value_heads"` // 0: num_attention_heads
	HeadDim               int         `json:"head_dim,omitempty" toml:"head_dim"`                       // 0: hidden_size / num_attention_heads
	MaxPositionEmbeddings int         `json:"max_position_embeddings" toml:"max_position_embeddings"`   // longest sequence
	RMSNormEps            float64     `json:"rms_norm_eps" toml:"rms_norm_eps"`
	RopeTheta             float64     `json:"rope_theta" toml:"rope_theta"`
	RopeScaling           RopeScaling `json:"rope_scaling,omitzero" toml:"rope_scaling"`
	HiddenAct             string      `json:"hidden_act"` // silu only
	AttentionBias         bool        `json:"attention_bias" toml:"attention_bias"`
	MLPBias               bool        `json:"mlp_bias" toml:"mlp_bias"`
	AttentionDropout      float64     `json:"attention_dropout"`
	InitializerRange      float64     `json:"initializer_range" toml:"initializer_range"`

	qwen2 bool // queries, keys and values have biases
	qwen  bool // Qwen3: queries and keys are normalised
}

// defaultLlama is Llama 2 with 7 B parameters.
func defaultLlama() Config {
	bos := 1
	return Config{
		ModelType: "llama", VocabSize: 32000, BOSTokenID: &bos, EOSTokenID: TokenIDs{2},
		Family: Llama{
			HiddenSize: 4096, IntermediateSize: 11008, NumHiddenLayers: 32, NumAttentionHeads: 32,
			MaxPositionEmbeddings: 2048, RMSNormEps: 1e-6, RopeTheta: 10000, HiddenAct: "silu", InitializerRange: 0.02,
		},
	}
}

func (f Llama) small() Family {
	f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.NumKeyValueHeads = 256, 704, 4, 4, 2
	f.HeadDim, f.MaxPositionEmbeddings, f.RMSNormEps = 0, 256, 1e-5
	if f.qwen {
		f.HeadDim = 64
	}
	return f
}

func (f Llama) model(c Config, h Head) Model { return &llama{c, f, h} }

func (f Llama) dropout(p, attention float64) (Family, bool) {
	f.AttentionDropout = attention
	return f, p == 0
}

func (f Llama) traits() Traits {
	name := "Llama"
	switch {
	case f.qwen2:
		name = "Qwen2"
	case f.qwen:
		name = "Qwen3"
	}
	return Traits{Classes: classNames(name, "ForCausalLM"), SkipsPadding: true, MaxLength: f.MaxPositionEmbeddings}
}

func (f Llama) tensors(h Head) tensors {
	return tensors{
		prefix: f.body(h), bodies: []string{"model.", "transformer."},
		heads: []string{"lm_head.", "score.", "qa_outputs."}, ties: outputTie(h, "lm_head.weight", "model.embed_tokens.weight"), buffers: []string{".rotary_emb.inv_freq"},
	}
}

// body is what the names of all but the head begin with.
func (f Llama) body(h Head) string {
	if h == QuestionAnswering {
		return "transformer."
	}
	return "model."
}

func (f Llama) keys(h Head) keys {
	k := decoderKeys(h)
	if h == TokenClassifier {
		k.only["token_classification_bias"] = []string{"true"}
	}
	k.inert = append(k.inert, "token_classification_bias", "num_heads", "pretraining_tp", "partial_rotary_factor")
	if f.qwen || f.qwen2 {
		delete(k.only, "sliding_window")
		k.only["use_sliding_window"] = []string{"false"}
		k.inert = append(k.inert, "sliding_window", "max_window_layers")
	}
	return k
}

func (f Llama) check(c Config, faults *Faults) {
	faults.positive(count{"hidden_size", f.HiddenSize}, count{"intermediate_size", f.IntermediateSize},
		count{"num_hidden_layers", f.NumHiddenLayers}, count{"num_attention_heads", f.NumAttentionHeads},
		count{"max_position_embeddings", f.MaxPositionEmbeddings})
	if f.qwen || f.qwen2 { // an absent key would mean another than 0 does
		faults.positive(count{"num_key_value_heads", f.NumKeyValueHeads})
	}
	if f.qwen {
		faults.positive(count{"head_dim", f.HeadDim})
	} else { // as transformers wants it
		faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	}
	faults.natural("num_key_value_heads", f.NumKeyValueHeads, "num_attention_heads")
	faults.divides("num_attention_heads", f.NumAttentionHeads, "num_key_value_heads", f.NumKeyValueHeads)
	faults.rotary(f.HeadDim, f.HiddenSize, f.NumAttentionHeads)
	faults.above0("rms_norm_eps", f.RMSNormEps)
	faults.above0("rope_theta", f.RopeTheta)
	faults.probability("initializer_range", f.InitializerRange)
	faults.oneOf("hidden_act", f.HiddenAct, "silu")
	faults.probability("attention_dropout", f.AttentionDropout)
	if f.qwen2 { // it has biases of its own, whatever the keys say
		faults.no("attention_bias", f.AttentionBias)
		faults.no("mlp_bias", f.MLPBias)
	}
	f.RopeScaling.check(faults)
}

func (f Llama) headDim() int { return headSize(f.HeadDim, f.HiddenSize, f.NumAttentionHeads) }

func (f Llama) heads() graph.Heads {
	return graph.Heads{Query: f.NumAttentionHeads, KV: cmp.Or(f.NumKeyValueHeads, f.NumAttentionHeads)}
}

// llama is the decoder of Touvron et al. 2023 (2302.13971, 2307.09288): RMS norms before
// each sub-layer, rotary positions, keys and values shared by groups of query heads, a
// feed-forward gated by SiLU, no biases. Qwen2 (Yang et al. 2024) has those of queries, keys
// and values; Qwen3 (Yang et al. 2025) normalises each query and key too. Names are those of Hugging Face's LlamaForCausalLM and its like.
type llama struct {
	Config
	Llama
	head Head
}

// B batch, T time, R = B·T rows, C = hidden_size channels, F = intermediate_size, H query
// heads and KV key heads of size D, V vocabulary.

func (m *llama) Forward(b *graph.Builder, in Inputs) Outputs {
	b.Scope("embed")
	embed := b.Param(m.body(m.head)+"embed_tokens.weight", m.normal(), m.VocabSize, m.HiddenSize)
	x := b.Embed(embed, in.Tokens) // (R,C)
	turns := b.Rotations(in.Positions, m.frequencies())
	for i := range m.NumHiddenLayers {
		x = m.block(b, in, i, x, turns)
	}
	b.Scope("norm")
	x = rmsNorm(b, m.body(m.head)+"norm", x, m.HiddenSize, m.RMSNormEps)
	return decoded(b, in, m.Config, m.head, "score", m.normal(), x, embed, 0)
}

// block is x + attention(norm(x)), then x + mlp(norm(x)).
func (m *llama) block(b *graph.Builder, in Inputs, i int, x, turns *graph.Node) *graph.Node {
	scope := fmt.Sprintf("layers.%d", i)
	name := m.body(m.head) + scope

	b.Layer(i, scope+".input_layernorm")
	a := rmsNorm(b, name+".input_layernorm", x, m.HiddenSize, m.RMSNormEps)
	b.Layer(i, scope+".self_attn")
	x = b.Add(x, m.attention(b, in, scope, name+".self_attn.", a, turns))

	b.Layer(i, scope+".post_attention_layernorm")
	f := rmsNorm(b, name+".post_attention_layernorm", x, m.HiddenSize, m.RMSNormEps)
	b.Layer(i, scope+".mlp")
	return b.Add(x, m.mlp(b, name+".mlp.", f))
}

func (m *llama) attention(b *graph.Builder, in Inputs, scope, name string, x, turns *graph.Node) *graph.Node {
	c, d, h := m.HiddenSize, m.headDim(), m.heads()
	var q, k, v *graph.Node
	if m.qwen { // each head of queries and keys is normalised before it turns
		q = rmsNorm(b, name+"q_norm", linear(b, name+"q_proj", m.normal(), x, c, h.Query*d, m.AttentionBias), d, m.RMSNormEps)
		k = rmsNorm(b, name+"k_norm", linear(b, name+"k_proj", m.normal(), x, c, h.KV*d, m.AttentionBias), d, m.RMSNormEps)
		v = linear(b, name+"v_proj", m.normal(), x, c, h.KV*d, m.AttentionBias)
		q, k = b.RoPE(q, turns, h.Query), b.RoPE(k, turns, h.KV)
	} else {
		q = joint(b, x, c, m.AttentionBias || m.qwen2, projection{name + "q_proj", h.Query * d, m.normal()},
			projection{name + "k_proj", h.KV * d, m.normal()}, projection{name + "v_proj", h.KV * d, m.normal()})
		q = b.RoPE(q, turns, h.Query+h.KV) // with the keys; the values stay
	}
	y := attention(b, in, scope, q, k, v, h, d, m.AttentionDropout) // (R,H·D)
	return linear(b, name+"o_proj", m.residual(), y, h.Query*d, c, m.AttentionBias)
}

func (m *llama) mlp(b *graph.Builder, name string, x *graph.Node) *graph.Node {
	both := joint(b, x, m.HiddenSize, m.MLPBias, projection{name + "gate_proj", m.IntermediateSize, m.normal()},
		projection{name + "up_proj", m.IntermediateSize, m.normal()})
	return linear(b, name+"down_proj", m.residual(), b.GLU(exec.SiLU, both, nil), m.IntermediateSize, m.HiddenSize, m.MLPBias)
}

func (m *llama) normal() graph.Init   { return graph.Init{Std: m.InitializerRange} }
func (m *llama) residual() graph.Init { return residual(m.InitializerRange, m.NumHiddenLayers) }

package model

import (
	"cmp"
	"fmt"

	"hone/trainer/graph"
)

// GPT2 has the keys of a GPT-2's config.json.
type GPT2 struct {
	NPositions         int     `json:"n_positions" toml:"n_positions"` // longest sequence
	NEmbd              int     `json:"n_embd" toml:"n_embd"`
	NLayer             int     `json:"n_layer" toml:"n_layer"`
	NHead              int     `json:"n_head" toml:"n_head"`
	NInner             int     `json:"n_inner,omitempty"` // 0: 4·n_embd
	ActivationFunction string  `json:"activation_function"`
	ResidPDrop         float64 `json:"resid_pdrop"`
	EmbdPDrop          float64 `json:"embd_pdrop"`
	AttnPDrop          float64 `json:"attn_pdrop"`
	LayerNormEpsilon   float64 `json:"layer_norm_epsilon" toml:"layer_norm_epsilon"`
	InitializerRange   float64 `json:"initializer_range" toml:"initializer_range"`
}

// defaultGPT2 has 124 M parameters.
func defaultGPT2() Config {
	end := 50256
	return Config{
		ModelType: "gpt2", VocabSize: 50257, TieWordEmbeddings: true, BOSTokenID: &end, EOSTokenID: TokenIDs{end},
		Family: GPT2{
			NPositions: 1024, NEmbd: 768, NLayer: 12, NHead: 12, ActivationFunction: "gelu_new",
			ResidPDrop: 0.1, EmbdPDrop: 0.1, AttnPDrop: 0.1, LayerNormEpsilon: 1e-5, InitializerRange: 0.02,
		},
	}
}

func (f GPT2) small() Family {
	f.NLayer, f.NHead, f.NEmbd, f.NPositions = 4, 4, 256, 256
	return f
}

func (f GPT2) model(c Config, h Head) Model { return &gpt2{c, f, h, f.tensors(h).prefix} }

func (f GPT2) dropout(p, attention float64) (Family, bool) {
	f.EmbdPDrop, f.ResidPDrop, f.AttnPDrop = p, p, attention
	return f, true
}

func (f GPT2) traits() Traits {
	return Traits{Classes: classNames("GPT2", "LMHeadModel"), SkipsPadding: true, MaxLength: f.NPositions, Adapted: []string{"c_attn"}}
}

func (f GPT2) tensors(h Head) tensors {
	return tensors{
		prefix: "transformer.", heads: []string{"lm_head.", "score.", "classifier.", "qa_outputs."},
		ties: outputTie(h, "lm_head.weight", "transformer.wte.weight"), buffers: []string{".attn.bias", ".attn.masked_bias"},
	}.of(h)
}

func (f GPT2) keys(h Head) keys {
	k := decoderKeys(h)
	k.aliases = map[string]string{"hidden_size": "n_embd", "max_position_embeddings": "n_positions", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer"}
	k.only["scale_attn_weights"], k.only["scale_attn_by_inverse_layer_idx"], k.only["add_cross_attention"] = []string{"true"}, []string{"false"}, []string{"false"}
	k.inert = append(k.inert, "reorder_and_upcast_attn", "head_dim",
		"summary_type", "summary_use_proj", "summary_activation", "summary_proj_to_labels", "summary_first_dropout") // of GPT2DoubleHeadsModel
	k.inert = append(k.inert, rotaryKeys...)
	return k
}

func (f GPT2) check(c Config, faults *Faults) {
	faults.positive(count{"n_positions", f.NPositions}, count{"n_embd", f.NEmbd}, count{"n_layer", f.NLayer}, count{"n_head", f.NHead})
	faults.divides("n_embd", f.NEmbd, "n_head", f.NHead)
	faults.natural("n_inner", f.NInner, "4·n_embd")
	faults.oneOf("activation_function", f.ActivationFunction, activations...)
	faults.probability("resid_pdrop", f.ResidPDrop)
	faults.probability("embd_pdrop", f.EmbdPDrop)
	faults.probability("attn_pdrop", f.AttnPDrop)
	faults.above0("layer_norm_epsilon", f.LayerNormEpsilon)
	faults.probability("initializer_range", f.InitializerRange)
}

// gpt2 is the decoder of Radford et al. 2019: a transformer with the norms before each
// sub-layer, learned positions, and an output matrix tied to the token embedding. The
// names are those of Hugging Face's GPT2LMHeadModel and its other heads; their Conv1D
// matrices are (in,out).
type gpt2 struct {
	Config
	GPT2
	head Head
	body string // what the names of all but the head begin with
}

// B batch, T time, R = B·T rows, C = n_embd channels, V vocabulary.

func (m *gpt2) Forward(b *builder, in Inputs) Outputs {
	b.Scope("embed")
	wte := b.Param(m.body+"wte.weight", m.normal(), m.VocabSize, m.NEmbd)
	wpe := b.Param(m.body+"wpe.weight", m.normal(), m.NPositions, m.NEmbd)
	x := b.Add(lookup(b, m.body+"wte", wte, in.Tokens), lookup(b, m.body+"wpe", wpe, in.Positions)) // (R,C)
	x = b.Dropout(x, m.EmbdPDrop, in.Rng)
	for i := range m.NLayer {
		x = m.block(b, in, i, x)
	}
	b.Scope("ln_f")
	x = m.norm(b, m.body+"ln_f", x)
	return decoded(b, in, m.Config, m.head, "classifier", m.normal(), x, wte, 0)
}

// block is x + attn(ln_1(x)), then x + mlp(ln_2(x)).
func (m *gpt2) block(b *builder, in Inputs, i int, x *graph.Node) *graph.Node {
	scope := fmt.Sprintf("h.%d", i)
	name := m.body + scope
	inner := cmp.Or(m.NInner, 4*m.NEmbd)

	b.Layer(i, scope+".ln_1")
	a := m.norm(b, name+".ln_1", x)
	b.Layer(i, scope+".attn")
	a = conv1d(b, name+".attn.c_attn", m.normal(), a, 3, m.NEmbd, 3*m.NEmbd) // query, key, value
	a = attention(b, in, scope, a, nil, nil, attentionOf{heads: graph.Heads{Query: m.NHead, KV: m.NHead}, dim: m.NEmbd / m.NHead, dropout: m.AttnPDrop})
	a = conv1d(b, name+".attn.c_proj", m.residual(), a, 1, m.NEmbd, m.NEmbd)
	x = b.Add(x, b.Dropout(a, m.ResidPDrop, in.Rng))

	b.Layer(i, scope+".ln_2")
	f := m.norm(b, name+".ln_2", x)
	b.Layer(i, scope+".mlp")
	f = activation(b, m.ActivationFunction, conv1d(b, name+".mlp.c_fc", m.normal(), f, 1, m.NEmbd, inner))
	f = conv1d(b, name+".mlp.c_proj", m.residual(), f, 1, inner, m.NEmbd)
	return b.Add(x, b.Dropout(f, m.ResidPDrop, in.Rng))
}

func (m *gpt2) norm(b *builder, name string, x *graph.Node) *graph.Node {
	return layerNorm(b, name, x, m.NEmbd, m.LayerNormEpsilon)
}

func (m *gpt2) normal() graph.Init   { return graph.Init{Std: m.InitializerRange} }
func (m *gpt2) residual() graph.Init { return residual(m.InitializerRange, m.NLayer) }

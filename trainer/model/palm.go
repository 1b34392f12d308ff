package model

import (
	"cmp"
	"fmt"
	"math"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// PaLM has the keys of a PaLM's config.json. transformers has no such family: keys and
// names are hone's own, as near to Llama's as they can be. Matrices are (out,in).
//
//	model.embed_tokens.weight                  (V,C)          of input and output
//	model.layers.N.input_layernorm.weight      (C)
//	model.layers.N.self_attn.qkv_proj.weight   ((H+2)·D,C)    queries, then one key and one value
//	model.layers.N.self_attn.o_proj.weight     (C,H·D)
//	model.layers.N.mlp.gate_up_proj.weight     (2·F,C)        gate, then what it gates
//	model.layers.N.mlp.down_proj.weight        (C,F)
//	model.norm.weight                          (C)
//	score.weight                               (labels,C)     of a classifier
type PaLM struct {
	HiddenSize            int     `json:"hidden_size" toml:"hidden_size"`
	IntermediateSize      int     `json:"intermediate_size" toml:"intermediate_size"` // 0: 4·hidden_size
	NumHiddenLayers       int     `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads     int     `json:"num_attention_heads" toml:"num_attention_heads"`
	HeadDim               int     `json:"head_dim" toml:"head_dim"`                               // 0: hidden_size / num_attention_heads
	MaxPositionEmbeddings int     `json:"max_position_embeddings" toml:"max_position_embeddings"` // longest sequence
	LayerNormEps          float64 `json:"layer_norm_eps" toml:"layer_norm_eps"`
	RopeTheta             float64 `json:"rope_theta" toml:"rope_theta"`
	ZLoss                 float64 `json:"z_loss" toml:"z_loss"` // factor of log²Z in training
	Dropout               float64 `json:"dropout"`              // of what is added to the residual stream
}

// defaultPaLM has 8 B parameters.
func defaultPaLM() Config {
	return Config{
		ModelType: "palm", VocabSize: 256000, TieWordEmbeddings: true,
		Family: PaLM{
			HiddenSize: 4096, NumHiddenLayers: 32, NumAttentionHeads: 16, HeadDim: 256, MaxPositionEmbeddings: 2048,
			LayerNormEps: 1e-5, RopeTheta: 10000, ZLoss: 1e-4,
		},
	}
}

func (f PaLM) small() Family {
	f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads, f.HeadDim, f.MaxPositionEmbeddings = 256, 4, 4, 0, 256
	return f
}

func (f PaLM) model(c Config, h Head) Model { return &palm{c, f, h} }

func (f PaLM) dropout(p, attention float64) (Family, bool) {
	f.Dropout = p
	return f, attention == 0
}

func (f PaLM) traits() Traits {
	return Traits{
		Classes:   [numHeads]string{LanguageModel: "PaLMForCausalLM", Classifier: "PaLMForSequenceClassification", Base: "PaLMModel"},
		MaxLength: f.MaxPositionEmbeddings, Adapted: []string{"qkv_proj"},
	}
}

func (f PaLM) tensors(h Head) tensors {
	return tensors{prefix: "model.", heads: []string{"lm_head.", "score."}}.of(h)
}

func (f PaLM) keys(Head) keys { return keys{} }

func (f PaLM) check(c Config, faults *Faults) {
	faults.positive(count{"hidden_size", f.HiddenSize}, count{"num_hidden_layers", f.NumHiddenLayers},
		count{"num_attention_heads", f.NumAttentionHeads}, count{"max_position_embeddings", f.MaxPositionEmbeddings})
	faults.natural("intermediate_size", f.IntermediateSize, "4·hidden_size")
	if f.HeadDim == 0 {
		faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	}
	faults.rotary(f.HeadDim, f.HiddenSize, f.NumAttentionHeads)
	faults.above0("layer_norm_eps", f.LayerNormEps)
	faults.above0("rope_theta", f.RopeTheta)
	if !(f.ZLoss >= 0) {
		faults.add("z_loss", "%g is negative", f.ZLoss)
	}
	faults.probability("dropout", f.Dropout)
	if !c.TieWordEmbeddings {
		faults.add("tie_word_embeddings", "palm shares its input and output embeddings; leave it true")
	}
}

func (f PaLM) headDim() int { return headSize(f.HeadDim, f.HiddenSize, f.NumAttentionHeads) }
func (f PaLM) inner() int   { return cmp.Or(f.IntermediateSize, 4*f.HiddenSize) }

// palm is the decoder of Chowdhery et al. 2022 (2204.02311), §2: attention and feed-forward side by side,
// SwiGLU, one key and value head for all query heads, rotary positions, no biases, one embedding for input and
// output; §5: its initialisation, and log²Z in its loss.
//
// In the paper embeddings start with deviation 1, and logits are divided by √C. Here embeddings are stored
// divided by √C, and multiplied by it where they are looked up. It is the same model, but its embeddings learn at
// the rate of the other matrices with optimisers that, unlike the paper's, do not scale the rate by a parameter's
// size.
type palm struct {
	Config
	PaLM
	head Head
}

// B batch, T time, R = B·T rows, C = hidden_size channels, F = intermediate_size, H heads
// of size D, V vocabulary.

func (m *palm) Forward(b *builder, in Inputs) Outputs {
	b.Scope("embed")
	embed := b.Param(modelBody(m.head)+"embed_tokens.weight", fanIn(m.HiddenSize), m.VocabSize, m.HiddenSize)
	x := b.Scale(lookup(b, modelBody(m.head)+"embed_tokens", embed, in.Tokens), math.Sqrt(float64(m.HiddenSize))) // (R,C), of size 1: no norm follows
	x = b.Dropout(x, m.PaLM.Dropout, in.Rng)
	turns := b.Rotations(in.Positions, graph.Frequencies(m.headDim(), m.RopeTheta), 1)
	for i := range m.NumHiddenLayers {
		x = m.block(b, in, i, x, turns)
	}
	b.Scope("norm")
	x = m.norm(b, modelBody(m.head)+"norm", x)
	return decoded(b, in, m.Config, m.head, "score", fanIn(m.HiddenSize), x, embed, m.ZLoss)
}

// block is x + mlp(norm(x)) + attention(norm(x)), with one norm for both.
func (m *palm) block(b *builder, in Inputs, i int, x, turns *graph.Node) *graph.Node {
	scope := fmt.Sprintf("layers.%d", i)
	name := modelBody(m.head) + scope

	b.Layer(i, scope+".input_layernorm")
	h := m.norm(b, name+".input_layernorm", x)
	b.Layer(i, scope+".mlp")
	f := b.Dropout(m.mlp(b, name+".mlp.", h), m.PaLM.Dropout, in.Rng)
	b.Layer(i, scope+".self_attn")
	a := b.Dropout(m.attention(b, in, scope, name+".self_attn.", h, turns), m.PaLM.Dropout, in.Rng)
	return b.Add(b.Add(x, f), a)
}

func (m *palm) attention(b *builder, in Inputs, scope, name string, x, turns *graph.Node) *graph.Node {
	h, d := m.NumAttentionHeads, m.headDim()
	qkv := linear(b, name+"qkv_proj", fanIn(m.HiddenSize), x, m.HiddenSize, (h+2)*d, false)
	qkv = b.RoPE(qkv, turns, h+1) // queries and key; the value stays
	y := attention(b, in, scope, qkv, nil, nil, attentionOf{heads: graph.Heads{Query: h, KV: 1}, dim: d})
	return linear(b, name+"o_proj", fanIn(h*d), y, h*d, m.HiddenSize, false)
}

func (m *palm) mlp(b *builder, name string, x *graph.Node) *graph.Node {
	both := linear(b, name+"gate_up_proj", fanIn(m.HiddenSize), x, m.HiddenSize, 2*m.inner(), false)
	return linear(b, name+"down_proj", fanIn(m.inner()), b.GLU(exec.SiLU, both, nil), m.inner(), m.HiddenSize, false)
}

func (m *palm) norm(b *builder, name string, x *graph.Node) *graph.Node {
	return b.LayerNorm(x, b.Param(name+".weight", graph.Init{Ones: true}, m.HiddenSize), nil, m.LayerNormEps)
}

// fanIn initialises a matrix of n inputs such that its outputs have their variance.
func fanIn(n int) graph.Init { return graph.Init{Std: 1 / math.Sqrt(float64(n))} }

package model

import (
	"fmt"
	"math"

	"hone/trainer/graph"
)

// gpt2 is the decoder of Radford et al. 2019: a transformer with the norms before each
// sub-layer, learned positions, and an output matrix tied to the token embedding. The
// names are those of Hugging Face's GPT2LMHeadModel and GPT2ForSequenceClassification;
// their Conv1D matrices are (in,out).
type gpt2 struct {
	Config
	head Head
}

// B batch, T time, R = B·T rows, C = n_embd channels, V vocabulary.

func (m *gpt2) Forward(b *graph.Builder, in Inputs) Outputs {
	b.Scope("embed")
	wte := b.Param("transformer.wte.weight", m.normal(), m.VocabSize, m.NEmbd)
	wpe := b.Param("transformer.wpe.weight", m.normal(), m.NPositions, m.NEmbd)
	x := b.Add(b.Embed(wte, in.Tokens), b.Embed(wpe, in.Positions)) // (R,C)
	x = b.Dropout(x, m.EmbdPDrop, in.Rng)
	for i := range m.NLayer {
		x = m.block(b, in, i, x)
	}
	b.Scope("ln_f")
	x = m.norm(b, "transformer.ln_f", x)
	last := x // (R,C)
	if in.Pool != nil {
		b.Scope("pool")
		x = b.Embed(x, in.Pool) // (S,C)
	}

	b.Scope(m.head.String())
	var out Outputs
	if m.head == Classifier {
		w := b.Param("score.weight", m.normal(), len(m.Labels()), m.NEmbd)
		out.Logits = b.Linear(x, w, nil, false)
		if in.Labels != nil {
			out.Loss, out.NLL = b.CrossEntropy(out.Logits, in.Labels, in.LabelWeights)
		}
		if in.Targets != nil {
			b.Scope(LanguageModel.String())
			lm, _ := b.CrossEntropy(b.Linear(last, wte, nil, false), in.Targets, in.Weights)
			out.Loss = b.Add(out.Loss, lm)
		}
		return out
	}
	w := wte
	if !m.TieWordEmbeddings {
		w = b.Param("lm_head.weight", m.normal(), m.VocabSize, m.NEmbd)
	}
	out.Logits = b.Linear(x, w, nil, false)
	if in.Targets != nil {
		out.Loss, out.NLL = b.CrossEntropy(out.Logits, in.Targets, in.Weights)
	}
	return out
}

// block is x + attn(ln_1(x)), then x + mlp(ln_2(x)).
func (m *gpt2) block(b *graph.Builder, in Inputs, i int, x *graph.Node) *graph.Node {
	scope := fmt.Sprintf("h.%d", i)
	name := "transformer." + scope
	inner := m.NInner
	if inner == 0 {
		inner = 4 * m.NEmbd
	}

	b.Scope(scope + ".ln_1")
	a := m.norm(b, name+".ln_1", x)
	b.Scope(scope + ".attn")
	a = m.conv1d(b, name+".attn.c_attn", m.normal(), a, 3, m.NEmbd, 3*m.NEmbd) // query, key, value
	a = m.attention(b, in, scope, a)
	a = m.conv1d(b, name+".attn.c_proj", m.residual(), a, 1, m.NEmbd, m.NEmbd)
	x = b.Add(x, b.Dropout(a, m.ResidPDrop, in.Rng))

	b.Scope(scope + ".ln_2")
	f := m.norm(b, name+".ln_2", x)
	b.Scope(scope + ".mlp")
	f = b.GELU(m.conv1d(b, name+".mlp.c_fc", m.normal(), f, 1, m.NEmbd, inner))
	f = m.conv1d(b, name+".mlp.c_proj", m.residual(), f, 1, inner, m.NEmbd)
	return b.Add(x, b.Dropout(f, m.ResidPDrop, in.Rng))
}

func (m *gpt2) attention(b *graph.Builder, in Inputs, scope string, qkv *graph.Node) *graph.Node {
	heads := graph.Heads{Query: m.NHead, KV: m.NHead}
	if in.Segments != nil {
		return b.Attention(graph.Attend{Q: qkv, Heads: heads, T: in.T, Segments: in.Segments, Order: in.Order})
	}
	keys := b.Cache(scope+".keys", in.B, in.T, m.NEmbd)
	values := b.Cache(scope+".values", in.B, in.T, m.NEmbd)
	return b.AttentionCached(qkv, keys, values, in.Positions, heads)
}

func (m *gpt2) norm(b *graph.Builder, name string, x *graph.Node) *graph.Node {
	gain := b.Param(name+".weight", graph.Init{Ones: true}, m.NEmbd)
	bias := b.Param(name+".bias", graph.Init{}, m.NEmbd)
	return b.LayerNorm(x, gain, bias, m.LayerNormEpsilon)
}

func (m *gpt2) conv1d(b *graph.Builder, name string, init graph.Init, x *graph.Node, maps, in, out int) *graph.Node {
	w := b.Matrix(name+".weight", init, maps, in, out)
	bias := b.Param(name+".bias", graph.Init{}, out)
	return b.Linear(x, w, bias, true)
}

func (m *gpt2) normal() graph.Init { return graph.Init{Std: m.InitializerRange} }

// residual is how matrices start whose output is added to the residual stream: there
// are two a block, and the sum should keep its variance.
func (m *gpt2) residual() graph.Init {
	return graph.Init{Std: m.InitializerRange / math.Sqrt(2*float64(m.NLayer))}
}

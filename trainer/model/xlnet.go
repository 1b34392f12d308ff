package model

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"hone/trainer/graph"
)

// XLNet has the keys of an XLNet's config.json.
type XLNet struct {
	DModel             int     `json:"d_model" toml:"d_model"`
	NLayer             int     `json:"n_layer" toml:"n_layer"`
	NHead              int     `json:"n_head" toml:"n_head"`
	DHead              int     `json:"d_head,omitempty"` // 0: d_model/n_head, and nothing else
	DInner             int     `json:"d_inner" toml:"d_inner"`
	FFActivation       string  `json:"ff_activation" toml:"ff_activation"`
	ClampLen           int     `json:"clamp_len" toml:"clamp_len"`           // longer distances count as this one; -1: none does
	MemLen             int     `json:"mem_len" toml:"mem_len"`               // rows kept of what came before
	UseMemsTrain       bool    `json:"use_mems_train" toml:"use_mems_train"` // false: there is no memory, whatever mem_len says
	ReuseLen           int     `json:"reuse_len"`                            // 0 only, if anything is kept
	Dropout            float64 `json:"dropout"`
	LayerNormEps       float64 `json:"layer_norm_eps" toml:"layer_norm_eps"`
	InitializerRange   float64 `json:"initializer_range" toml:"initializer_range"`
	SummaryLastDropout float64 `json:"summary_last_dropout"`
}

// defaultXLNet is XLNet large, with 360 M parameters.
func defaultXLNet() Config {
	bos, pad := 1, 5
	return Config{ModelType: "xlnet", VocabSize: 32000, TieWordEmbeddings: true, BOSTokenID: &bos, EOSTokenID: TokenIDs{2}, PadTokenID: &pad, Family: XLNet{
		DModel: 1024, NLayer: 24, NHead: 16, DInner: 4096, FFActivation: "gelu", ClampLen: -1, Dropout: 0.1,
		LayerNormEps: 1e-12, InitializerRange: 0.02, SummaryLastDropout: 0.1,
	}}
}

func (f XLNet) small() Family {
	f.DModel, f.NLayer, f.NHead, f.DInner = 256, 4, 4, 1024
	return f
}

func (f XLNet) dropout(p, attention float64) (Family, bool) {
	f.Dropout, f.SummaryLastDropout = p, p
	return f, attention == 0
}

func (f XLNet) model(c Config, h Head) Model { return &xlnet{c, f, h, f.tensors(h).prefix} }

func (f XLNet) traits() Traits {
	t := Traits{Classes: classNames("XLNet", "LMHeadModel"), Writing: Queried, Learns: PermutedTokens, TokenTypes: true}
	t.Classes[QuestionAnswering] += "Simple"
	t.Classes[MultipleChoice] = "XLNetForMultipleChoice"
	if f.UseMemsTrain {
		t.Memory = f.MemLen
	}
	return t
}

func (f XLNet) tensors(h Head) tensors {
	return tensors{
		prefix: "transformer.", heads: []string{"lm_loss.", "sequence_summary.", "logits_proj.", "classifier.", "qa_outputs."},
		ties: outputTie(h, "lm_loss.weight", "transformer.word_embedding.weight"), buffers: []string{"mask_emb"}, // which only predicting tokens takes
	}.of(h)
}

func (f XLNet) keys(h Head) keys {
	k := keys{
		aliases: map[string]string{"n_token": "vocab_size", "hidden_size": "d_model", "num_attention_heads": "n_head", "num_hidden_layers": "n_layer"},
		inert: []string{
			"use_mems_eval",            // the memory that one run gives the next
			"start_n_top", "end_n_top", // of XLNetForQuestionAnswering
			"max_position_embeddings", "head_dim", "layer_types",
		},
		only: map[string][]string{"attn_type": {`"bi"`}, "bi_data": {"false"}, "same_length": {"false"}},
	}
	k.inert = append(k.inert, rotaryKeys...)
	summary := map[string][]string{
		"summary_type": {`"last"`}, "summary_use_proj": {"true"}, "summary_activation": {`"tanh"`}, "summary_proj_to_labels": {"false"}, "summary_first_dropout": {"0", "0.0"},
	}
	if h == Classifier || h == MultipleChoice {
		maps.Copy(k.only, summary)
	} else {
		k.inert = append(k.inert, slices.Sorted(maps.Keys(summary))...)
	}
	return k
}

func (f XLNet) check(c Config, faults *Faults) {
	faults.positive(count{"d_model", f.DModel}, count{"n_layer", f.NLayer}, count{"n_head", f.NHead}, count{"d_inner", f.DInner})
	faults.divides("d_model", f.DModel, "n_head", f.NHead)
	faults.pairs("d_model", f.DModel)
	if f.DHead != 0 && f.DHead*f.NHead != f.DModel {
		faults.add("d_head", "%d, want d_model/n_head", f.DHead)
	}
	faults.oneOf("ff_activation", f.FFActivation, activations...)
	faults.memory(f.UseMemsTrain, f.MemLen, f.ReuseLen)
	faults.probability("dropout", f.Dropout)
	faults.probability("summary_last_dropout", f.SummaryLastDropout)
	faults.above0("layer_norm_eps", f.LayerNormEps)
	faults.probability("initializer_range", f.InitializerRange)
}

// xlnet is the model of Yang et al. 2019. It predicts tokens in any order: each row sees the rows before it in the order
// of Inputs.Order. There are two streams. In the content stream h a row also sees itself. In the query stream g, which
// starts from the same vector in all rows, it does not, and predicts its own token. Relative positions and the memory,
// which both streams see, are those of Transformer-XL (Dai et al. 2019).
type xlnet struct {
	Config
	XLNet
	head Head
	body string // what the names of all but the head begin with
}

// B batch, T time, M rows of memory, R = B·T rows, R' = B·(M+T), C = d_model channels, D = M+2T-1 distances.

func (m *xlnet) Forward(b *builder, in Inputs) Outputs {
	rows, c := in.B*in.T, m.DModel
	var kept []xlnetCaches
	if in.Segments == nil {
		kept, rows = m.caches(b, in), in.Queries.Count
	}
	if kept != nil && in.Sequences == nil {
		m.prepare(b, in, kept)
		return Outputs{}
	}
	b.Scope("embed")
	word := b.Param(m.body+"word_embedding.weight", m.normal(), m.VocabSize, c)
	h := b.Dropout(lookup(b, m.body+"word_embedding", word, in.Tokens), m.Dropout, in.Rng) // (R,C)
	var g *graph.Node
	var mask *graph.Node
	if m.head == LanguageModel || m.head == Base { // a base keeps it for language models that begin with it
		mask = b.Stored(b.Param(m.body+"mask_emb", m.normal(), 1, c), 1, 1, c)
	}
	if m.head != LanguageModel {
		in.Order = unordered(b, in)
	} else {
		g = b.Dropout(b.Embed(mask, b.Constant("no token", make([]int32, rows), rows)), m.Dropout, in.Rng) // (R,C)
	}
	if kept != nil {
		for i := range m.NLayer {
			h, g = m.layer(b, in, i, h, g, nil, &kept[i])
		}
	} else {
		keys := in.Memory.Len + in.T
		distances := b.Dropout(b.Constant("distances", sinusoids(c, keys, in.T, m.ClampLen), keys+in.T-1, c), m.Dropout, in.Rng) // (D,C)
		in.Memory.rows = rowsAfter(b, in)
		for i := range m.NLayer {
			h, g = m.layer(b, in, i, h, g, distances, nil)
		}
	}
	b.Scope(m.head.String())
	switch m.head {
	case Base:
		if in.Pool != nil {
			h = b.Embed(h, in.Pool) // (S,C)
		}
		return Outputs{Hidden: h}
	case QuestionAnswering:
		return answers(b, in, m.normal(), b.Dropout(h, m.Dropout, in.Rng))
	case TokenClassifier:
		return perToken(b, in, scores(b, "classifier", m.normal(), b.Dropout(h, m.Dropout, in.Rng), len(m.Labels())), 0)
	case Classifier, MultipleChoice: // of the last token
		x := b.Dropout(b.Embed(h, in.Pool), m.Dropout, in.Rng) // (S,C)
		x = b.Tanh(linear(b, "sequence_summary.summary", m.normal(), x, c, c, true))
		x = b.Dropout(x, m.SummaryLastDropout, in.Rng)
		if m.head == MultipleChoice {
			return choices(b, in, scores(b, "logits_proj", m.normal(), x, 1))
		}
		return perText(b, in, m.Config, scores(b, "logits_proj", m.normal(), x, len(m.Labels())))
	}
	x := b.Dropout(g, m.Dropout, in.Rng)
	if in.Pool != nil {
		x = b.Embed(x, in.Pool) // (S,C)
	}
	if !m.TieWordEmbeddings {
		word = b.Param("lm_loss.weight", m.normal(), m.VocabSize, c)
	}
	return perToken(b, in, output(b, "lm_loss", x, word, b.Param("lm_loss.bias", graph.Init{}, m.VocabSize)), 0)
}

// xlnetCaches are those of a layer: the keys and values of the content stream (B,T,C), whose tokens see none after
// them, so that they stay as they are; and the keys of distances (T,C).
type xlnetCaches struct{ keys, values, distances *graph.Node }

func (m *xlnet) caches(b *builder, in Inputs) []xlnetCaches {
	kept := make([]xlnetCaches, m.NLayer)
	for i := range kept {
		name := fmt.Sprintf("layer.%d.", i)
		kept[i] = xlnetCaches{b.Cache(name+"keys", in.B, in.T, m.DModel), b.Cache(name+"values", in.B, in.T, m.DModel), b.Cache(name+"distances", in.T, m.DModel)}
	}
	return kept
}

// prepare keeps the keys of the distances from T-1 keys before a query to its own row (T,C).
func (m *xlnet) prepare(b *builder, in Inputs, kept []xlnetCaches) {
	distances := b.Constant("distances", sinusoids(m.DModel, in.T, 1, m.ClampLen), in.T, m.DModel)
	rows := make([]int32, in.T)
	for i := range rows {
		rows[i] = int32(i)
	}
	positions, sequence := b.Constant("rows", rows, in.T), b.Constant("sequence", make([]int32, in.T), in.T)
	for i, c := range kept {
		b.Layer(i, fmt.Sprintf("layer.%d.attention", i))
		b.CacheRows(b.Linear(distances, m.part(b, i, "r", m.DModel), nil, true), c.distances, nil, positions, sequence)
	}
}

// part is a parameter (rows…,C) of a layer's attention, stored by heads.
func (m *xlnet) part(b *builder, layer int, part string, rows ...int) *graph.Node {
	c := m.DModel
	name := fmt.Sprintf("%slayer.%d.rel_attn.%s", m.body, layer, part)
	return b.Stored(b.Param(name, m.normal(), append(rows, c)...), append(rows, m.NHead, c/m.NHead)...)
}

// layer is attention of both streams to the content stream, then the feed-forward of both; in decoding with caches.
func (m *xlnet) layer(b *builder, in Inputs, i int, h, g, distances *graph.Node, kept *xlnetCaches) (content, query *graph.Node) {
	c, name := m.DModel, fmt.Sprintf("%slayer.%d.", m.body, i)
	part := func(part string, rows ...int) *graph.Node { return m.part(b, i, part, rows...) }
	b.Layer(i, fmt.Sprintf("layer.%d.attention", i))
	q, k, v, o, r := part("q", c), part("k", c), part("v", c), part("o", c), part("r", c)
	forDistance, forType, forContent, kinds := part("r_r_bias"), part("r_s_bias"), part("r_w_bias"), part("seg_embed", 2)
	seen, sight := recall(b, in, i, h, c) // (R',C)
	keys, values, t := b.Linear(seen, k, nil, true), b.Linear(seen, v, nil, true), in.T
	var far *graph.Node
	if kept != nil {
		far, t = kept.distances, 1
	} else {
		far = b.Linear(distances, r, nil, true)
	}
	norm := m.norm(b, name+"rel_attn.layer_norm")
	attend := func(x *graph.Node, strict bool) *graph.Node {
		queries, heads, types, y := b.Linear(x, q, nil, true), graph.Heads{Query: m.NHead, KV: m.NHead}, in.Types, (*graph.Node)(nil)
		if strict && kept != nil {
			types = in.Queries.types
		}
		own := b.AddBias(queries, forContent)
		bias := b.RelativeScores(graph.Relative{
			Q: b.AddBias(queries, forDistance), K: far, Heads: m.NHead, T: t, Scale: 1 / math.Sqrt(float64(c/m.NHead)),
			QSeg: b.AddBias(queries, forType), Seg: kinds, Types: types,
		})
		if kept != nil {
			a := graph.AttendCached{Q: own, Heads: heads, Keys: kept.keys, Values: kept.values, Strict: strict, Bias: bias}
			if a.K, a.V, a.Positions, a.Sequences = keys, values, in.Positions, in.Sequences; strict {
				a.K, a.V, a.Kept, a.Positions, a.Sequences = nil, nil, true, in.Queries.Positions, in.Queries.Sequences
			}
			y = b.AttentionCached(a)
		} else {
			a := sight
			a.Q, a.K, a.V, a.Heads, a.Strict, a.Bias = own, keys, values, heads, strict, bias
			a.Dropout, a.Rng = m.Dropout, in.Rng
			y = b.Attention(a)
		}
		return norm(b.Add(x, b.Dropout(b.Linear(y, o, nil, false), m.Dropout, in.Rng)))
	}
	if kept != nil { // what the queries see is written first
		content, query = attend(h, false), attend(g, true)
	} else {
		if g != nil {
			query = attend(g, true)
		}
		content = attend(h, false)
	}

	b.Layer(i, fmt.Sprintf("layer.%d.ff", i))
	layer1 := matrix{Module{Name: name + "ff.layer_1", In: c, Out: m.DInner}, b.Matrix(name+"ff.layer_1.weight", m.normal(), 1, m.DInner, c), b.Param(name+"ff.layer_1.bias", graph.Init{}, m.DInner)}
	layer2 := matrix{Module{Name: name + "ff.layer_2", In: m.DInner, Out: c}, b.Matrix(name+"ff.layer_2.weight", m.normal(), 1, c, m.DInner), b.Param(name+"ff.layer_2.bias", graph.Init{}, c)}
	norm2 := m.norm(b, name+"ff.layer_norm")
	feedForward := func(x *graph.Node) *graph.Node {
		f := b.Dropout(activation(b, m.FFActivation, b.product(x, false, layer1)), m.Dropout, in.Rng)
		return norm2(b.Add(x, b.Dropout(b.product(f, false, layer2), m.Dropout, in.Rng)))
	}
	if query != nil {
		query = feedForward(query)
	}
	return feedForward(content), query
}

// norm declares the parameters of a norm that both streams use.
func (m *xlnet) norm(b *builder, name string) func(*graph.Node) *graph.Node {
	gain := b.Param(name+".weight", graph.Init{Ones: true}, m.DModel)
	bias := b.Param(name+".bias", graph.Init{}, m.DModel)
	return func(x *graph.Node) *graph.Node { return b.LayerNorm(x, gain, bias, m.LayerNormEps) }
}

func (m *xlnet) normal() graph.Init { return graph.Init{Std: m.InitializerRange} }

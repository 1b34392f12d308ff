package model

import (
	"fmt"
	"math"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// T5 has the keys of a T5's config.json.
type T5 struct {
	DModel           int `json:"d_model" toml:"d_model"`
	DKV              int `json:"d_kv" toml:"d_kv"` // of a head
	DFF              int `json:"d_ff" toml:"d_ff"`
	NumLayers        int `json:"num_layers" toml:"num_layers"`
	NumDecoderLayers int `json:"num_decoder_layers,omitempty" toml:"num_decoder_layers"` // 0: num_layers
	NumHeads         int `json:"num_heads" toml:"num_heads"`

	RelativeAttentionNumBuckets  int `json:"relative_attention_num_buckets" toml:"relative_attention_num_buckets"`
	RelativeAttentionMaxDistance int `json:"relative_attention_max_distance" toml:"relative_attention_max_distance"`

	FeedForwardProj     string  `json:"feed_forward_proj" toml:"feed_forward_proj"` // relu, or gated-gelu of T5 1.1
	DropoutRate         float64 `json:"dropout_rate"`                               // not of attention weights, as transformers has it too
	LayerNormEpsilon    float64 `json:"layer_norm_epsilon" toml:"layer_norm_epsilon"`
	InitializerFactor   float64 `json:"initializer_factor" toml:"initializer_factor"`
	ClassifierDropout   float64 `json:"classifier_dropout"`
	IsEncoderDecoder    bool    `json:"is_encoder_decoder"` // true, but of a token classifier
	DecoderStartTokenID int     `json:"decoder_start_token_id"`

	// The decoder's last hidden states are scaled before the output matrix; nil: where that is tied.
	ScaleDecoderOutputs *bool `json:"scale_decoder_outputs,omitempty"`
}

// defaultT5 is T5 small, with 60 M parameters.
func defaultT5() Config {
	pad := 0
	return Config{ModelType: "t5", VocabSize: 32128, TieWordEmbeddings: true, EOSTokenID: TokenIDs{1}, PadTokenID: &pad, Family: T5{
		DModel: 512, DKV: 64, DFF: 2048, NumLayers: 6, NumHeads: 8, RelativeAttentionNumBuckets: 32, RelativeAttentionMaxDistance: 128,
		FeedForwardProj: "relu", DropoutRate: 0.1, LayerNormEpsilon: 1e-6, InitializerFactor: 1, IsEncoderDecoder: true,
	}}
}

func (f T5) small() Family {
	f.DModel, f.DKV, f.DFF, f.NumLayers, f.NumHeads = 256, 64, 1024, 3, 4
	return f
}

func (f T5) dropout(p float64) Family {
	f.DropoutRate, f.ClassifierDropout = p, p
	return f
}

func (f T5) model(c Config, h Head) Model {
	return &t5{c, f, h, f.tensors(h).prefix}
}

func (f T5) maxLength() int   { return 0 }
func (f T5) writing() Writing { return Answered }
func (f T5) encoderDecoder()  {}

func (f T5) architecture(h Head) string {
	return map[Head]string{
		LanguageModel: "T5ForConditionalGeneration", Classifier: "T5ForSequenceClassification",
		TokenClassifier: "T5ForTokenClassification", QuestionAnswering: "T5ForQuestionAnswering",
	}[h]
}

func (f T5) tensors(h Head) tensors {
	n := tensors{bodies: []string{"transformer."}, heads: []string{"lm_head.", "classification_head.", "classifier.", "qa_outputs."}}
	if h == Classifier || h == TokenClassifier {
		n.prefix = "transformer."
	}
	for _, body := range []string{"", "transformer."} {
		for _, part := range []string{"encoder.embed_tokens.", "decoder.embed_tokens.", "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias."} {
			n.others = append(n.others, body+part)
		}
		if h == TokenClassifier { // has the encoder alone
			n.others = append(n.others, body+"decoder.")
		}
	}
	return n
}

// startToken says that a head which reads a text twice, by the encoder and by the decoder
// behind this token, is fed it once.
func (f T5) startToken(h Head) (token int32, twice bool) {
	return int32(f.DecoderStartTokenID), h == Classifier || h == QuestionAnswering
}

func (f T5) check(c Config, faults *Faults) {
	faults.positive("d_model", f.DModel)
	faults.positive("d_kv", f.DKV)
	faults.positive("d_ff", f.DFF)
	faults.positive("num_layers", f.NumLayers)
	faults.positive("num_heads", f.NumHeads)
	if f.NumDecoderLayers < 0 {
		faults.add("num_decoder_layers", "%d is negative; 0 is num_layers", f.NumDecoderLayers)
	}
	faults.oneOf("feed_forward_proj", f.FeedForwardProj, "relu", "gated-gelu")
	faults.probability("dropout_rate", f.DropoutRate)
	faults.probability("classifier_dropout", f.ClassifierDropout)
	faults.above0("layer_norm_epsilon", f.LayerNormEpsilon)
	faults.above0("initializer_factor", f.InitializerFactor)
	if f.RelativeAttentionNumBuckets < 4 || f.RelativeAttentionNumBuckets%2 != 0 {
		faults.add("relative_attention_num_buckets", "%d, want an even number from 4 on", f.RelativeAttentionNumBuckets)
	} else if f.RelativeAttentionMaxDistance <= f.RelativeAttentionNumBuckets/2 {
		faults.add("relative_attention_max_distance", "%d is not above half of relative_attention_num_buckets", f.RelativeAttentionMaxDistance)
	}
	// transformers writes false for the head that has no decoder.
	if !f.IsEncoderDecoder && (len(c.Architectures) == 0 || c.Architectures[0] != f.architecture(TokenClassifier)) {
		faults.add("is_encoder_decoder", "false is not supported")
	}
}

// t5 is the encoder and decoder of Raffel et al. 2020: norms without mean and bias before each
// sub-layer, no positions but a bias of attention by distance that all layers share, no scale
// of attention. With tied embeddings it is T5 1.0, whose last hidden states are scaled; with an
// output matrix of its own T5 1.1.
type t5 struct {
	Config
	T5
	head Head
	body string // what the names of all but the head begin with
}

// B batch, T time, R = B·T rows of the decoder and of the encoder, C = d_model channels, V vocabulary.

func (m *t5) Forward(b *graph.Builder, in Inputs) (out Outputs) {
	b.Scope("embed")
	normal := graph.Init{Std: m.InitializerFactor}
	shared := b.Param(m.body+"shared.weight", normal, m.VocabSize, m.DModel)
	tokens, source := in.Encoder.Tokens, stream{in.Encoder.Segments, nil, in.EncT}
	if m.head == TokenClassifier {
		tokens, source = in.Tokens, stream{in.Segments, nil, in.T}
	}
	source.order = b.Constant("encoder order", make([]int32, in.B*source.t), in.B*source.t)
	encoded := m.stack(b, in, "encoder", m.NumLayers, b.Embed(shared, tokens), source, nil, stream{})
	if m.head == TokenClassifier {
		b.Scope(m.head.String())
		return decoded(b, in, m.Config, m.head, "classifier", normal, b.Dropout(encoded, m.ClassifierDropout, in.Rng), shared, 0)
	}
	layers := m.NumDecoderLayers
	if layers == 0 {
		layers = m.NumLayers
	}
	x := m.stack(b, in, "decoder", layers, b.Embed(shared, in.Tokens), stream{in.Segments, in.Order, in.T}, encoded, source)
	if m.head == Classifier { // of the last token
		b.Scope(m.head.String())
		x = b.Dropout(b.Embed(x, in.Pool), m.ClassifierDropout, in.Rng) // (S,C)
		dense := b.Matrix("classification_head.dense.weight", normal, 1, m.DModel, m.DModel)
		x = b.Tanh(b.Linear(x, dense, b.Param("classification_head.dense.bias", graph.Init{}, m.DModel), false))
		out.Logits = scores(b, "classification_head.out_proj", normal, b.Dropout(x, m.ClassifierDropout, in.Rng), len(m.Labels())) // (S,labels)
		if in.Labels != nil {
			out.Loss, out.NLL = b.CrossEntropy(out.Logits, in.Labels, in.LabelWeights)
		}
		return out
	}
	if scaled := m.ScaleDecoderOutputs; m.head == LanguageModel && (scaled == nil && m.TieWordEmbeddings || scaled != nil && *scaled) {
		x = b.Scale(x, 1/math.Sqrt(float64(m.DModel)))
	}
	return decoded(b, in, m.Config, m.head, "", normal, x, shared, 0)
}

// A stream is what the rows of a stack see of each other.
type stream struct {
	segments, order *graph.Node
	t               int
}

// stack is the encoder, or with the rows of an encoder the decoder: x (R,C) -> (R,C).
func (m *t5) stack(b *graph.Builder, in Inputs, name string, layers int, x *graph.Node, rows stream, encoded *graph.Node, source stream) *graph.Node {
	b.Scope(name + ".bias")
	bias := m.bias(b, m.body+name, rows.t, encoded == nil)
	x = b.Dropout(x, m.DropoutRate, in.Rng)
	for i := range layers {
		block := fmt.Sprintf("%s%s.block.%d.layer.", m.body, name, i)
		b.Scope(fmt.Sprintf("%s.%d.attention", name, i))
		a := m.norm(b, block+"0.layer_norm", x)
		a = m.attention(b, block+"0.SelfAttention.", a, a, graph.Attend{T: rows.t, Segments: rows.segments, Order: rows.order, Bias: bias})
		x = b.Add(x, b.Dropout(a, m.DropoutRate, in.Rng))
		last := block + "1."
		if encoded != nil {
			b.Scope(fmt.Sprintf("%s.%d.cross", name, i))
			a = m.attention(b, block+"1.EncDecAttention.", m.norm(b, block+"1.layer_norm", x), encoded, graph.Attend{
				T: rows.t, Segments: rows.segments, Order: rows.order, KeyT: source.t, KeySegments: source.segments, KeyOrder: source.order,
			})
			x = b.Add(x, b.Dropout(a, m.DropoutRate, in.Rng))
			last = block + "2."
		}
		b.Scope(fmt.Sprintf("%s.%d.mlp", name, i))
		f := m.feedForward(b, in, last+"DenseReluDense.", m.norm(b, last+"layer_norm", x))
		x = b.Add(x, b.Dropout(f, m.DropoutRate, in.Rng))
	}
	b.Scope(name + ".final_layer_norm")
	return b.Dropout(m.norm(b, m.body+name+".final_layer_norm", x), m.DropoutRate, in.Rng)
}

// attention of x (R,C) to keys (R',C).
func (m *t5) attention(b *graph.Builder, name string, x, keys *graph.Node, a graph.Attend) *graph.Node {
	c, inner := m.DModel, m.NumHeads*m.DKV
	perC := 1 / math.Sqrt(float64(c))
	init := func(std float64) graph.Init { return graph.Init{Std: std * m.InitializerFactor} }
	q := projection{name + "q", inner, init(perC / math.Sqrt(float64(m.DKV)))}
	k, v := projection{name + "k", inner, init(perC)}, projection{name + "v", inner, init(perC)}
	if keys == x {
		a.Q = joint(b, x, c, false, q, k, v)
	} else {
		a.Q, a.K = joint(b, x, c, false, q), joint(b, keys, c, false, k, v)
	}
	a.Heads, a.Scale = graph.Heads{Query: m.NumHeads, KV: m.NumHeads}, 1
	return m.linear(b, name+"o", 1/math.Sqrt(float64(inner)), b.Attention(a), inner, c)
}

// feedForward is wo·relu(wi·x), or gated wo·(gelu(wi_0·x)∘(wi_1·x)).
func (m *t5) feedForward(b *graph.Builder, in Inputs, name string, x *graph.Node) *graph.Node {
	c, inner := m.DModel, m.DFF
	std := 1 / math.Sqrt(float64(c))
	var f *graph.Node
	if m.FeedForwardProj == "gated-gelu" {
		init := graph.Init{Std: std * m.InitializerFactor}
		f = b.GLU(exec.GELUTanh, joint(b, x, c, false, projection{name + "wi_0", inner, init}, projection{name + "wi_1", inner, init}), nil)
	} else {
		f = b.ReLU(m.linear(b, name+"wi", std, x, c, inner))
	}
	return m.linear(b, name+"wo", 1/math.Sqrt(float64(inner)), b.Dropout(f, m.DropoutRate, in.Rng), inner, c)
}

// bias is a stack's, (H,2T-1): of each distance of a key from its query.
func (m *t5) bias(b *graph.Builder, name string, t int, bidirectional bool) *graph.Node {
	buckets := make([]int32, 2*t-1)
	for s := range buckets {
		buckets[s] = distanceBucket(s-(t-1), m.RelativeAttentionNumBuckets, m.RelativeAttentionMaxDistance, bidirectional)
	}
	table := b.Param(name+".block.0.layer.0.SelfAttention.relative_attention_bias.weight",
		graph.Init{Std: m.InitializerFactor / math.Sqrt(float64(m.DModel))}, m.RelativeAttentionNumBuckets, m.NumHeads)
	return b.Transpose(b.Embed(table, b.Constant(name+" distances", buckets, len(buckets))))
}

// distanceBucket is the row of the table for a distance, negative before the query: one for each small
// distance, then for ranges that grow as the logarithm, up to the farthest. In float32, since at
// the ends of ranges a rounding decides.
func distanceBucket(distance, buckets, farthest int, bidirectional bool) int32 {
	first := 0
	if bidirectional {
		buckets /= 2
		if distance > 0 {
			first = buckets
		}
		distance = max(distance, -distance)
	} else {
		distance = max(-distance, 0)
	}
	exact := buckets / 2
	if distance < exact {
		return int32(first + distance)
	}
	log := float32(math.Log(float64(float32(distance) / float32(exact))))
	step := float32(log/float32(math.Log(float64(farthest)/float64(exact)))) * float32(buckets-exact)
	return int32(first + min(exact+int(step), buckets-1))
}

func (m *t5) linear(b *graph.Builder, name string, std float64, x *graph.Node, in, out int) *graph.Node {
	return b.Linear(x, b.Matrix(name+".weight", graph.Init{Std: std * m.InitializerFactor}, 1, out, in), nil, false)
}

func (m *t5) norm(b *graph.Builder, name string, x *graph.Node) *graph.Node {
	return b.RMSNorm(x, b.Param(name+".weight", graph.Init{Ones: true}, m.DModel), m.LayerNormEpsilon)
}

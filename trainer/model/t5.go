package model

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

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

	FeedForwardProj     string  `json:"feed_forward_proj" toml:"feed_forward_proj"` // relu; gated-gelu of T5 1.1; or another function, gated- or not
	DropoutRate         float64 `json:"dropout_rate"`                               // attention weights included
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

func (f T5) dropout(p, attention float64) (Family, bool) {
	f.DropoutRate, f.ClassifierDropout = p, p
	return f, attention == 0
}

func (f T5) model(c Config, h Head) Model { return &t5{c, f, h, f.tensors(h).prefix} }

func (f T5) traits() Traits {
	t := Traits{
		Classes: classNames("T5", "ForConditionalGeneration"), Writing: Answered, Learns: CorruptedSpans, EncoderDecoder: true, Adapted: []string{"q", "v"},
		StartToken: int32(f.DecoderStartTokenID), ReadsTwice: [numHeads]bool{Classifier: true, QuestionAnswering: true},
	}
	t.Classes[Encoder] = "T5EncoderModel"
	return t
}

// encodes says that a model has the encoder alone.
func encodes(h Head) bool { return h == TokenClassifier || h == Encoder }

func (f T5) tensors(h Head) tensors {
	n := tensors{
		bodies: []string{"transformer."}, heads: []string{"lm_head.", "classification_head.", "classifier.", "qa_outputs."},
		buffers: []string{"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"},
	}
	if h == Classifier || h == TokenClassifier {
		n.prefix = "transformer."
	}
	shared := n.prefix + "shared.weight"
	n.ties = map[string]string{n.prefix + "encoder.embed_tokens.weight": shared, n.prefix + "decoder.embed_tokens.weight": shared}
	if h == LanguageModel {
		n.ties["lm_head.weight"] = shared
	}
	if encodes(h) {
		n.others = append(n.others, "decoder.")
		delete(n.ties, n.prefix+"decoder.embed_tokens.weight")
	}
	if h.Headless() {
		n.others = append(n.others, n.heads...)
	}
	return n
}

func (f T5) keys(h Head) keys {
	k := decoderKeys(h)
	k.aliases = map[string]string{"hidden_size": "d_model", "num_attention_heads": "num_heads", "num_hidden_layers": "num_layers", "head_dim": "d_kv"}
	k.inert = append(k.inert, "init_std", "initializer_range", "start_token_id", "max_position_embeddings", "is_decoder", "hidden_dropout")
	k.inert = append(k.inert, rotaryKeys...)
	delete(k.only, "classifier_dropout")
	delete(k.only, "hidden_dropout")
	k.only["is_causal"] = []string{} // it would apply to both encoder and decoder
	// They follow from feed_forward_proj, unless a file has them too.
	function, gated := f.feedForward()
	k.only["dense_act_fn"], k.only["is_gated_act"] = []string{strconv.Quote(function)}, []string{strconv.FormatBool(gated)}
	if function == "gelu_new" {
		k.only["dense_act_fn"] = append(k.only["dense_act_fn"], `"gelu_pytorch_tanh"`)
	}
	return k
}

// feedForward is the function of the feed-forward, and whether it is gated. As in transformers, gated-gelu is GELU's
// tanh form, and gelu is not.
func (f T5) feedForward() (function string, gated bool) {
	if f.FeedForwardProj == "gated-gelu" {
		return "gelu_new", true
	}
	function, gated = strings.CutPrefix(f.FeedForwardProj, "gated-")
	return function, gated
}

func (f T5) check(c Config, faults *Faults) {
	faults.positive(count{"d_model", f.DModel}, count{"d_kv", f.DKV}, count{"d_ff", f.DFF}, count{"num_layers", f.NumLayers}, count{"num_heads", f.NumHeads})
	faults.natural("num_decoder_layers", f.NumDecoderLayers, "num_layers")
	if function, _ := f.feedForward(); !slices.Contains(activations, function) {
		faults.add("feed_forward_proj", "%q is not known; known are %s, each with gated- before it too", f.FeedForwardProj, strings.Join(activations, ", "))
	}
	faults.probability("dropout_rate", f.DropoutRate)
	faults.probability("classifier_dropout", f.ClassifierDropout)
	faults.above0("layer_norm_epsilon", f.LayerNormEpsilon)
	faults.above0("initializer_factor", f.InitializerFactor)
	faults.buckets(f.RelativeAttentionNumBuckets, f.RelativeAttentionMaxDistance)
	// transformers writes false for what has no decoder.
	h, err := c.Head()
	faults.yes("is_encoder_decoder", f.IsEncoderDecoder || err == nil && encodes(h))
}

// t5 is the encoder and decoder of Raffel et al. 2020: RMS norms before each sub-layer, attention scores that are not
// scaled, and no positions but a bias of attention by distance, which all layers share. With tied embeddings it is
// T5 1.0, whose last hidden states are scaled; with an output matrix of its own it is T5 1.1.
type t5 struct {
	Config
	T5
	head Head
	body string // what the names of all but the head begin with
}

// B batch, T time, R = B·T rows of the decoder and of the encoder, C = d_model channels, V vocabulary.

func (m *t5) Forward(b *builder, in Inputs) Outputs {
	b.Scope("embed")
	normal := graph.Init{Std: m.InitializerFactor}
	shared := b.Param(m.body+"shared.weight", normal, m.VocabSize, m.DModel)
	layers := cmp.Or(m.NumDecoderLayers, m.NumLayers)
	var source t5Source
	if in.Sequences != nil {
		source.kept = m.caches(b, in, layers)
	}
	if in.Segments != nil { // else the encoder has read the text already
		tokens := in.Encoder.Tokens
		source.sight = graph.Attend{T: in.EncT, Segments: in.Encoder.Segments}
		switch {
		case source.kept != nil: // one after another, of any sequences
			tokens, source.sight.Segments = in.Tokens, in.Segments
		case encodes(m.head):
			tokens, source.sight = in.Tokens, graph.Attend{T: in.T, Segments: in.Segments}
		}
		rows := in.B * source.sight.T
		if source.kept != nil {
			rows = in.EncT
		}
		source.sight.Order = b.Constant("encoder order", make([]int32, rows), rows)
		source.rows = m.stack(b, in, "encoder", m.NumLayers, b.Embed(shared, tokens), source.sight, nil)
	}
	switch {
	case source.kept != nil && source.rows != nil:
		m.keep(b, in, source)
		return Outputs{}
	case encodes(m.head):
		b.Scope(m.head.String())
		return decoded(b, in, m.Config, m.head, "classifier", normal, b.Dropout(source.rows, m.ClassifierDropout, in.Rng), shared, 0)
	}
	rows := graph.Attend{T: in.T, Segments: in.Segments, Order: in.Order}
	x := m.stack(b, in, "decoder", layers, b.Embed(shared, in.Tokens), rows, &source)
	if m.head == Classifier { // of the last token
		b.Scope(m.head.String())
		x = b.Dropout(b.Embed(x, in.Pool), m.ClassifierDropout, in.Rng) // (S,C)
		x = b.Tanh(linear(b, "classification_head.dense", normal, x, m.DModel, m.DModel, true))
		x = b.Dropout(x, m.ClassifierDropout, in.Rng)
		return perText(b, in, m.Config, scores(b, "classification_head.out_proj", normal, x, len(m.Labels())))
	}
	if scaled := m.ScaleDecoderOutputs; m.head == LanguageModel && (scaled == nil && m.TieWordEmbeddings || scaled != nil && *scaled) {
		x = b.Scale(x, 1/math.Sqrt(float64(m.DModel)))
	}
	return decoded(b, in, m.Config, m.head, "", normal, x, shared, 0)
}

// A t5Source is what a decoder has of an encoder: its rows, and which of them see each other; or, in decoding, caches.
type t5Source struct {
	rows  *graph.Node // (R',C)
	sight graph.Attend
	kept  []t5Caches // by layer of the decoder
}

// t5Caches are those of a layer of the decoder, (B,T,C) each: of its own rows, and of the encoder's.
type t5Caches struct{ keys, values, encodedKeys, encodedValues *graph.Node }

func (m *t5) caches(b *builder, in Inputs, layers int) []t5Caches {
	kept := make([]t5Caches, layers)
	for i := range kept {
		cache := func(name string) *graph.Node {
			return b.Cache(fmt.Sprintf(name, i), in.B, in.T, m.NumHeads*m.DKV)
		}
		kept[i] = t5Caches{cache("decoder.%d.keys"), cache("decoder.%d.values"), cache(encoded + "%d.keys"), cache(encoded + "%d.values")}
	}
	return kept
}

// keep keeps the keys and values that the decoder's layers make of the encoder's rows.
func (m *t5) keep(b *builder, in Inputs, source t5Source) {
	for i, c := range source.kept {
		b.Layer(m.NumLayers+i, fmt.Sprintf("decoder.%d.cross", i))
		_, k, v := m.projections(fmt.Sprintf("%sdecoder.block.%d.layer.1.EncDecAttention.", m.body, i))
		b.CacheRows(joint(b, source.rows, m.DModel, false, k, v), c.encodedKeys, c.encodedValues, in.Positions, in.Sequences)
	}
}

// stack is the encoder, or, where there is a source, the decoder: x (R,C) -> (R,C). rows says which rows see each other.
func (m *t5) stack(b *builder, in Inputs, name string, layers int, x *graph.Node, rows graph.Attend, source *t5Source) *graph.Node {
	rows.Dropout, rows.Rng = m.DropoutRate, in.Rng
	cross := rows
	distances := 2*rows.T - 1
	first := 0
	if source != nil { // the decoder's layers come after the encoder's
		first = m.NumLayers
		if cross.KeyT, cross.KeySegments, cross.KeyOrder = source.sight.T, source.sight.Segments, source.sight.Order; source.kept != nil {
			distances = rows.T
		}
	}
	b.Scope(name + ".bias")
	rows.Bias = distanceBias(b, m.body+name+".block.0.layer.0.SelfAttention.relative_attention_bias", m.init(1/math.Sqrt(float64(m.DModel))),
		m.NumHeads, m.RelativeAttentionNumBuckets, m.RelativeAttentionMaxDistance, rows.T, distances, source == nil)
	x = b.Dropout(x, m.DropoutRate, in.Rng)
	for i := range layers {
		block := fmt.Sprintf("%s%s.block.%d.layer.", m.body, name, i)
		b.Layer(first+i, fmt.Sprintf("%s.%d.attention", name, i))
		var own, ofSource *graph.AttendCached // in decoding
		if source != nil && source.kept != nil {
			c := source.kept[i]
			own = &graph.AttendCached{Keys: c.keys, Values: c.values, Positions: in.Positions, Sequences: in.Sequences, Bias: rows.Bias}
			ofSource = &graph.AttendCached{Keys: c.encodedKeys, Values: c.encodedValues, Positions: in.Encoder.Last, Sequences: in.Sequences, Kept: true}
		}
		a := m.norm(b, block+"0.layer_norm", x)
		a = m.attention(b, block+"0.SelfAttention.", a, a, rows, own)
		x = b.Add(x, b.Dropout(a, m.DropoutRate, in.Rng))
		last := block + "1."
		if source != nil {
			b.Layer(first+i, fmt.Sprintf("%s.%d.cross", name, i))
			a = m.attention(b, block+"1.EncDecAttention.", m.norm(b, block+"1.layer_norm", x), source.rows, cross, ofSource)
			x = b.Add(x, b.Dropout(a, m.DropoutRate, in.Rng))
			last = block + "2."
		}
		b.Layer(first+i, fmt.Sprintf("%s.%d.mlp", name, i))
		f := m.mlp(b, in, last+"DenseReluDense.", m.norm(b, last+"layer_norm", x))
		x = b.Add(x, b.Dropout(f, m.DropoutRate, in.Rng))
	}
	b.Scope(name + ".final_layer_norm")
	return b.Dropout(m.norm(b, m.body+name+".final_layer_norm", x), m.DropoutRate, in.Rng)
}

// projections make an attention's queries, keys and values.
func (m *t5) projections(name string) (q, k, v projection) {
	inner, perC := m.NumHeads*m.DKV, 1/math.Sqrt(float64(m.DModel))
	return projection{name + "q", inner, m.init(perC / math.Sqrt(float64(m.DKV)))},
		projection{name + "k", inner, m.init(perC)}, projection{name + "v", inner, m.init(perC)}
}

// attention of x (R,C) to keys (R',C); in decoding to those of caches.
func (m *t5) attention(b *builder, name string, x, keys *graph.Node, a graph.Attend, cached *graph.AttendCached) *graph.Node {
	c, inner := m.DModel, m.NumHeads*m.DKV
	q, k, v := m.projections(name)
	a.Heads, a.Scale = graph.Heads{Query: m.NumHeads, KV: m.NumHeads}, 1
	switch {
	case keys == x:
		a.Q = joint(b, x, c, false, q, k, v)
	case keys == nil: // kept
		a.Q = joint(b, x, c, false, q)
	default:
		a.Q, a.K = joint(b, x, c, false, q), joint(b, keys, c, false, k, v)
	}
	var y *graph.Node
	if cached != nil {
		cached.Q, cached.Heads, cached.Scale = a.Q, a.Heads, a.Scale
		y = b.AttentionCached(*cached)
	} else {
		y = b.Attention(a)
	}
	return linear(b, name+"o", m.init(1/math.Sqrt(float64(inner))), y, inner, c, false)
}

// mlp is wo·f(wi·x), or gated wo·(f(wi_0·x)∘(wi_1·x)).
func (m *t5) mlp(b *builder, in Inputs, name string, x *graph.Node) *graph.Node {
	c, inner, init := m.DModel, m.DFF, m.init(1/math.Sqrt(float64(m.DModel)))
	if function, gated := m.feedForward(); gated {
		x = b.GLU(functions[function], joint(b, x, c, false, projection{name + "wi_0", inner, init}, projection{name + "wi_1", inner, init}), nil)
	} else {
		x = activation(b, function, linear(b, name+"wi", init, x, c, inner, false))
	}
	return linear(b, name+"wo", m.init(1/math.Sqrt(float64(inner))), b.Dropout(x, m.DropoutRate, in.Rng), inner, c, false)
}

func (m *t5) norm(b *builder, name string, x *graph.Node) *graph.Node {
	return rmsNorm(b, name, x, m.DModel, m.LayerNormEpsilon)
}

func (m *t5) init(std float64) graph.Init { return graph.Init{Std: std * m.InitializerFactor} }

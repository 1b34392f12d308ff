package model

import (
	"cmp"
	"fmt"

	"hone/trainer/graph"
)

// BERT has the keys of a BERT's config.json.
type BERT struct {
	HiddenSize                int     `json:"hidden_size" toml:"hidden_size"`
	NumHiddenLayers           int     `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads         int     `json:"num_attention_heads" toml:"num_attention_heads"`
	IntermediateSize          int     `json:"intermediate_size" toml:"intermediate_size"`
	HiddenAct                 string  `json:"hidden_act" toml:"hidden_act"`
	HiddenDropoutProb         float64 `json:"hidden_dropout_prob"`
	AttentionProbsDropoutProb float64 `json:"attention_probs_dropout_prob"`
	MaxPositionEmbeddings     int     `json:"max_position_embeddings" toml:"max_position_embeddings"`
	TypeVocabSize             int     `json:"type_vocab_size" toml:"type_vocab_size"`
	InitializerRange          float64 `json:"initializer_range" toml:"initializer_range"`
	LayerNormEps              float64 `json:"layer_norm_eps" toml:"layer_norm_eps"`

	ClassifierDropout *float64 `json:"classifier_dropout,omitempty"` // of what labels are read from; nil: hidden_dropout_prob

	class string // of a RoBERTa: what the names of its classes begin with
}

// defaultBERT has 110 M parameters.
func defaultBERT() Config {
	pad := 0
	return Config{ModelType: "bert", VocabSize: 30522, TieWordEmbeddings: true, PadTokenID: &pad, Family: BERT{
		HiddenSize: 768, NumHiddenLayers: 12, NumAttentionHeads: 12, IntermediateSize: 3072, HiddenAct: "gelu", HiddenDropoutProb: 0.1,
		AttentionProbsDropoutProb: 0.1, MaxPositionEmbeddings: 512, TypeVocabSize: 2, InitializerRange: 0.02, LayerNormEps: 1e-12,
	}}
}

func (f BERT) small() Family {
	f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads, f.IntermediateSize, f.MaxPositionEmbeddings = 256, 4, 4, 1024, 256
	return f
}

func (f BERT) dropout(p, attention float64) (Family, bool) {
	f.HiddenDropoutProb, f.AttentionProbsDropoutProb, f.ClassifierDropout = p, attention, nil
	return f, true
}

func (f BERT) traits() Traits {
	t := Traits{
		Classes: classNames("Bert", "ForMaskedLM"), Writing: Never, Learns: MaskedTokens, FirstToken: true,
		TokenTypes: f.TypeVocabSize > 0, MaxLength: f.MaxPositionEmbeddings, Adapted: []string{"query", "value"},
	}
	t.Classes[Pretraining], t.Classes[MultipleChoice] = "BertForPreTraining", "BertForMultipleChoice"
	return t
}

func (f BERT) tensors(h Head) tensors {
	return tensors{
		prefix: "bert.", heads: []string{"cls.", "bert.pooler.", "classifier.", "qa_outputs."},
		ties:   outputTie(h, "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.bias", "cls.predictions.bias"),
		others: []string{"cls.seq_relationship.", "pooler."}, buffers: []string{".position_ids", "cls.predictions.bias"},
	}.of(h)
}

func (f BERT) keys(Head) keys {
	return keys{
		only:  map[string][]string{"is_causal": {"false"}, "is_decoder": {"false"}, "add_cross_attention": {"false"}},
		inert: append([]string{"head_dim", "layer_types"}, rotaryKeys...), // of a decoder
	}
}

func (f BERT) check(c Config, faults *Faults) {
	faults.positive(count{"hidden_size", f.HiddenSize}, count{"num_hidden_layers", f.NumHiddenLayers},
		count{"num_attention_heads", f.NumAttentionHeads}, count{"intermediate_size", f.IntermediateSize},
		count{"max_position_embeddings", f.MaxPositionEmbeddings}, count{"type_vocab_size", f.TypeVocabSize})
	faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	faults.oneOf("hidden_act", f.HiddenAct, activations...)
	faults.probability("hidden_dropout_prob", f.HiddenDropoutProb)
	faults.probability("attention_probs_dropout_prob", f.AttentionProbsDropoutProb)
	faults.above0("layer_norm_eps", f.LayerNormEps)
	faults.probability("initializer_range", f.InitializerRange)
	if f.ClassifierDropout != nil {
		faults.probability("classifier_dropout", *f.ClassifierDropout)
	}
}

func (f BERT) model(c Config, h Head) Model {
	classifier := *cmp.Or(f.ClassifierDropout, &f.HiddenDropoutProb)
	return &bert{Config: c, BERT: f, head: h, transformAct: f.HiddenAct, classifierDropout: classifier, tokenDropout: classifier, names: bertNames{
		body: f.tensors(h).prefix, layer: "encoder.layer.%d.", query: "attention.self.query", key: "attention.self.key", value: "attention.self.value",
		attention: "attention.output.dense", attentionNorm: "attention.output.LayerNorm", up: "intermediate.dense", down: "output.dense",
		norm: "output.LayerNorm", transform: "cls.predictions.transform.dense", transformNorm: "cls.predictions.transform.LayerNorm",
		bias: "cls.predictions.bias", output: "cls.predictions.decoder", pooler: "bert.pooler.dense", classifier: "classifier",
	}}
}

// bertNames is what Hugging Face calls the parts of a BERT.
type bertNames struct {
	body, layer                                 string // what the names of parts begin with, and then those of a layer's
	query, key, value, attention, attentionNorm string // of a layer
	up, down, norm                              string
	transform, transformNorm, bias, output      string // of masked language modelling; output: where it is not tied
	pooler, classifier                          string // of a sequence's label
}

// bert is the encoder of Devlin et al. 2019: a transformer whose tokens see both sides, with a norm
// after each sub-layer.
type bert struct {
	Config
	BERT
	head              Head
	names             bertNames
	relu              bool   // the pooler's function; else tanh
	transformAct      string // before the output layer
	classifierDropout float64
	tokenDropout      float64 // of a token classifier
	answerDropout     float64
}

// B batch, T time, R = B·T rows, S sequences, C = hidden_size channels, V vocabulary.

func (m *bert) Forward(b *builder, in Inputs) Outputs {
	in.Order = unordered(b, in) // whatever the order, each token sees all
	name := m.names.body + "embeddings."
	b.Scope("embeddings")
	word := b.Param(name+"word_embeddings.weight", m.normal(), m.VocabSize, m.HiddenSize)
	// Position embeddings start as sinusoids larger than the word embeddings, not as the paper's random numbers:
	// a masked token knows only its position, and with random ones a small model takes long to learn to look at
	// its neighbours.
	position := b.Param(name+"position_embeddings.weight", graph.Init{Std: 3.5 * m.InitializerRange, Positions: true}, m.MaxPositionEmbeddings, m.HiddenSize)
	x := b.Add(lookup(b, name+"word_embeddings", word, in.Tokens), lookup(b, name+"position_embeddings", position, in.Positions)) // (R,C)
	if m.TypeVocabSize > 0 {
		types := in.Types
		if types == nil {
			types = b.Constant("no types", make([]int32, in.B*in.T), in.B*in.T)
		}
		x = b.Add(x, lookup(b, name+"token_type_embeddings", b.Param(name+"token_type_embeddings.weight", m.normal(), m.TypeVocabSize, m.HiddenSize), types))
	}
	x = b.Dropout(m.norm(b, name+"LayerNorm", x), m.HiddenDropoutProb, in.Rng)
	for i := range m.NumHiddenLayers {
		x = m.layer(b, in, i, x, i == m.NumHiddenLayers-1 && m.narrow(in))
	}
	return m.output(b, in, x, word)
}

// narrow says that the last layer computes, behind its attention, the pooled rows alone: a classifier reads no others. In
// training it computes all.
func (m *bert) narrow(in Inputs) bool {
	return in.Rng == nil && in.Pool != nil && (m.head == Classifier || m.head == MultipleChoice)
}

// layer is x = norm(x + attention(x)), then norm(x + mlp(x)), of all rows or, narrow, of the pooled ones.
func (m *bert) layer(b *builder, in Inputs, i int, x *graph.Node, narrow bool) *graph.Node {
	name, n := m.names.body+fmt.Sprintf(m.names.layer, i), &m.names
	c, inner := m.HiddenSize, m.IntermediateSize
	b.Layer(i, fmt.Sprintf("layer.%d.attention", i))
	a := b.Attention(graph.Attend{
		Q:     joint(b, x, c, true, projection{name + n.query, c, m.normal()}, projection{name + n.key, c, m.normal()}, projection{name + n.value, c, m.normal()}),
		Heads: graph.Heads{Query: m.NumAttentionHeads, KV: m.NumAttentionHeads}, T: in.T, Segments: in.Segments, Order: in.Order, Dropout: m.AttentionProbsDropoutProb, Rng: in.Rng,
	})
	if narrow {
		a, x = b.Embed(a, in.Pool), b.Embed(x, in.Pool) // (S,C)
	}
	a = b.Dropout(linear(b, name+n.attention, m.normal(), a, c, c, true), m.HiddenDropoutProb, in.Rng)
	x = m.norm(b, name+n.attentionNorm, b.Add(a, x))
	b.Layer(i, fmt.Sprintf("layer.%d.mlp", i))
	f := activation(b, m.HiddenAct, linear(b, name+n.up, m.normal(), x, c, inner, true))
	f = b.Dropout(linear(b, name+n.down, m.normal(), f, inner, c, true), m.HiddenDropoutProb, in.Rng)
	return m.norm(b, name+n.norm, b.Add(f, x))
}

// output is the head, applied to the last hidden states x (R,C).
func (m *bert) output(b *builder, in Inputs, x, word *graph.Node) (out Outputs) {
	b.Scope(m.head.String())
	if m.head == Base {
		if in.Pool != nil {
			x = b.Embed(x, in.Pool) // (S,C)
		}
		return Outputs{Hidden: x}
	}
	switch m.head {
	case QuestionAnswering:
		return answers(b, in, m.normal(), b.Dropout(x, m.answerDropout, in.Rng))
	case TokenClassifier:
		x = b.Dropout(x, m.tokenDropout, in.Rng)
		return perToken(b, in, scores(b, "classifier", m.normal(), x, len(m.Labels())), 0)
	case Classifier:
		x = b.Dropout(m.pooled(b, in, x), m.classifierDropout, in.Rng) // (S,C)
		return perText(b, in, m.Config, scores(b, m.names.classifier, m.normal(), x, len(m.Labels())))
	case MultipleChoice:
		x = b.Dropout(m.pooled(b, in, x), m.classifierDropout, in.Rng) // (S,C)
		return choices(b, in, scores(b, m.names.classifier, m.normal(), x, 1))
	case Pretraining: // the loss is that of both
		out.Logits = scores(b, "cls.seq_relationship", m.normal(), m.pooled(b, in, x), 2) // (S,2): follows, does not
		next, _ := b.CrossEntropy(out.Logits, in.Labels, in.LabelWeights)
		out.Loss, out.NLL = b.CrossEntropy(m.tokens(b, x, word), in.Targets, in.Weights)
		out.Loss = b.Add(out.Loss, next)
		return out
	}
	if in.Pool != nil {
		x = b.Embed(x, in.Pool) // (S,C)
	}
	return perToken(b, in, m.tokens(b, x, word), 0)
}

// pooled is the pooler's output for each sequence, from its first token, [CLS]: (R,C) -> (S,C).
func (m *bert) pooled(b *builder, in Inputs, x *graph.Node) *graph.Node {
	if !m.narrow(in) {
		x = b.Embed(x, in.Pool)
	}
	if m.names.classifier != "classifier" { // RoBERTa's: dropout before both matrices
		x = b.Dropout(x, m.classifierDropout, in.Rng)
	}
	x = linear(b, m.names.pooler, m.normal(), x, m.HiddenSize, m.HiddenSize, true)
	if m.relu {
		return b.ReLU(x)
	}
	return b.Tanh(x)
}

// tokens are the logits of masked tokens: x (rows,C) -> (rows,V).
func (m *bert) tokens(b *builder, x, word *graph.Node) *graph.Node {
	n, c := &m.names, m.HiddenSize
	x = m.norm(b, n.transformNorm, activation(b, m.transformAct, linear(b, n.transform, m.normal(), x, c, c, true)))
	bias := n.bias
	if !m.TieWordEmbeddings {
		word, bias = b.Param(n.output+".weight", m.normal(), m.VocabSize, c), n.output+".bias"
	}
	return output(b, n.output, x, word, b.Param(bias, graph.Init{}, m.VocabSize))
}

func (m *bert) norm(b *builder, name string, x *graph.Node) *graph.Node {
	return layerNorm(b, name, x, m.HiddenSize, m.LayerNormEps)
}

func (m *bert) normal() graph.Init { return graph.Init{Std: m.InitializerRange} }

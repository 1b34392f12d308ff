package model

import (
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
	AttentionProbsDropoutProb float64 `json:"attention_probs_dropout_prob"` // 0 only
	MaxPositionEmbeddings     int     `json:"max_position_embeddings" toml:"max_position_embeddings"`
	TypeVocabSize             int     `json:"type_vocab_size" toml:"type_vocab_size"`
	InitializerRange          float64 `json:"initializer_range" toml:"initializer_range"`
	LayerNormEps              float64 `json:"layer_norm_eps" toml:"layer_norm_eps"`
}

// RoBERTa has the keys of a RoBERTa's config.json (Liu et al. 2019): a BERT without
// token types and next sentences, whose positions count from pad_token_id + 1.
type RoBERTa BERT

// DistilBERT has the keys of a DistilBERT's config.json (Sanh et al. 2019): a BERT
// without token types and pooler.
type DistilBERT struct {
	Dim                   int     `json:"dim" toml:"dim"`
	NLayers               int     `json:"n_layers" toml:"n_layers"`
	NHeads                int     `json:"n_heads" toml:"n_heads"`
	HiddenDim             int     `json:"hidden_dim" toml:"hidden_dim"`
	Activation            string  `json:"activation" toml:"activation"`
	Dropout               float64 `json:"dropout"`
	AttentionDropout      float64 `json:"attention_dropout"` // 0 only
	QADropout             float64 `json:"qa_dropout"`
	SeqClassifDropout     float64 `json:"seq_classif_dropout"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings" toml:"max_position_embeddings"`
	SinusoidalPosEmbds    bool    `json:"sinusoidal_pos_embds"` // the table is a parameter either way
	InitializerRange      float64 `json:"initializer_range" toml:"initializer_range"`
}

// defaultBERT has 110 M parameters.
func defaultBERT() Config {
	pad := 0
	return Config{ModelType: "bert", VocabSize: 30522, TieWordEmbeddings: true, PadTokenID: &pad, Family: BERT{
		HiddenSize: 768, NumHiddenLayers: 12, NumAttentionHeads: 12, IntermediateSize: 3072, HiddenAct: "gelu", HiddenDropoutProb: 0.1,
		MaxPositionEmbeddings: 512, TypeVocabSize: 2, InitializerRange: 0.02, LayerNormEps: 1e-12,
	}}
}

func defaultRoBERTa() Config {
	c, bos, pad := defaultBERT(), 0, robertaPad
	c.ModelType, c.VocabSize, c.BOSTokenID, c.EOSTokenID, c.PadTokenID = "roberta", 50265, &bos, TokenIDs{2}, &pad
	c.Family = RoBERTa(c.Family.(BERT))
	return c
}

func defaultDistilBERT() Config {
	c := defaultBERT()
	c.ModelType = "distilbert"
	c.Family = DistilBERT{
		Dim: 768, NLayers: 6, NHeads: 12, HiddenDim: 3072, Activation: "gelu", Dropout: 0.1, QADropout: 0.1,
		SeqClassifDropout: 0.2, MaxPositionEmbeddings: 512, InitializerRange: 0.02,
	}
	return c
}

// robertaPad is the pad token of every RoBERTa; positions begin after it.
const robertaPad = 1

func (f BERT) small() Family {
	f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads, f.IntermediateSize, f.MaxPositionEmbeddings = 256, 4, 4, 1024, 256
	return f
}

func (f RoBERTa) small() Family {
	f = RoBERTa(BERT(f).small().(BERT))
	f.MaxPositionEmbeddings += robertaPad + 1
	return f
}

func (f DistilBERT) small() Family {
	f.Dim, f.NLayers, f.NHeads, f.HiddenDim, f.MaxPositionEmbeddings = 256, 4, 4, 1024, 256
	return f
}

func (f BERT) dropout(p float64) Family {
	f.HiddenDropoutProb = p
	return f
}

func (f RoBERTa) dropout(p float64) Family {
	f.HiddenDropoutProb = p
	return f
}

func (f DistilBERT) dropout(p float64) Family {
	f.Dropout, f.QADropout, f.SeqClassifDropout = p, p, p
	return f
}

func (f BERT) maxLength() int       { return f.MaxPositionEmbeddings }
func (f RoBERTa) maxLength() int    { return f.MaxPositionEmbeddings - f.positionOffset() }
func (f DistilBERT) maxLength() int { return f.MaxPositionEmbeddings }

func (f RoBERTa) positionOffset() int { return robertaPad + 1 }
func (f BERT) tokenTypes() bool       { return f.TypeVocabSize > 0 }
func (f BERT) firstToken()            {}
func (f RoBERTa) firstToken()         {}
func (f DistilBERT) firstToken()      {}
func (f BERT) writing() Writing       { return Never }
func (f RoBERTa) writing() Writing    { return Never }
func (f DistilBERT) writing() Writing { return Never }

func (f BERT) architecture(h Head) string       { return bertArchitecture("Bert", h) }
func (f RoBERTa) architecture(h Head) string    { return bertArchitecture("Roberta", h) }
func (f DistilBERT) architecture(h Head) string { return bertArchitecture("DistilBert", h) }

func bertArchitecture(family string, h Head) string {
	return family + map[Head]string{
		LanguageModel: "ForMaskedLM", Classifier: "ForSequenceClassification",
		TokenClassifier: "ForTokenClassification", QuestionAnswering: "ForQuestionAnswering",
	}[h]
}

func (f BERT) tensors(Head) tensors {
	return tensors{
		prefix: "bert.", heads: []string{"cls.", "bert.pooler.", "classifier.", "qa_outputs."}, buffers: []string{".position_ids"},
		others: []string{"cls.predictions.decoder.", "cls.predictions.bias", "cls.seq_relationship.", "bert.pooler.", "pooler."},
	}
}

func (f RoBERTa) tensors(Head) tensors {
	return tensors{
		prefix: "roberta.", heads: []string{"lm_head.", "classifier.", "qa_outputs."}, buffers: []string{".position_ids"},
		others: []string{"lm_head.decoder.", "lm_head.bias", "roberta.pooler.", "pooler."},
	}
}

func (f DistilBERT) tensors(Head) tensors {
	return tensors{
		prefix: "distilbert.", heads: []string{"vocab_", "pre_classifier.", "classifier.", "qa_outputs."},
		others: []string{"vocab_projector.weight"},
	}
}

func (f BERT) check(c Config, faults *Faults) {
	faults.positive("hidden_size", f.HiddenSize)
	faults.positive("num_hidden_layers", f.NumHiddenLayers)
	faults.positive("num_attention_heads", f.NumAttentionHeads)
	faults.positive("intermediate_size", f.IntermediateSize)
	faults.positive("max_position_embeddings", f.MaxPositionEmbeddings)
	faults.positive("type_vocab_size", f.TypeVocabSize)
	faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	faults.oneOf("hidden_act", f.HiddenAct, activations...)
	faults.probability("hidden_dropout_prob", f.HiddenDropoutProb)
	if f.AttentionProbsDropoutProb != 0 {
		faults.add("attention_probs_dropout_prob", "%g: dropout of attention weights is not supported; set it to 0", f.AttentionProbsDropoutProb)
	}
	faults.above0("layer_norm_eps", f.LayerNormEps)
	faults.probability("initializer_range", f.InitializerRange)
}

func (f RoBERTa) check(c Config, faults *Faults) {
	BERT(f).check(c, faults)
	if f.MaxPositionEmbeddings <= f.positionOffset() {
		faults.add("max_position_embeddings", "%d: the first %d are of no token", f.MaxPositionEmbeddings, f.positionOffset())
	}
	if c.PadTokenID != nil && *c.PadTokenID != robertaPad {
		faults.add("pad_token_id", "%d, want %d: positions count from the one after it", *c.PadTokenID, robertaPad)
	}
}

func (f DistilBERT) check(c Config, faults *Faults) {
	faults.positive("dim", f.Dim)
	faults.positive("n_layers", f.NLayers)
	faults.positive("n_heads", f.NHeads)
	faults.positive("hidden_dim", f.HiddenDim)
	faults.positive("max_position_embeddings", f.MaxPositionEmbeddings)
	faults.divides("dim", f.Dim, "n_heads", f.NHeads)
	faults.oneOf("activation", f.Activation, activations...)
	faults.probability("dropout", f.Dropout)
	faults.probability("qa_dropout", f.QADropout)
	faults.probability("seq_classif_dropout", f.SeqClassifDropout)
	if f.AttentionDropout != 0 {
		faults.add("attention_dropout", "%g: dropout of attention weights is not supported; set it to 0", f.AttentionDropout)
	}
	faults.probability("initializer_range", f.InitializerRange)
}

func (f BERT) model(c Config, h Head) Model {
	return &bert{Config: c, BERT: f, head: h, classifierDropout: f.HiddenDropoutProb, names: bertNames{
		body: "bert.", layer: "bert.encoder.layer.%d.", query: "attention.self.query", key: "attention.self.key", value: "attention.self.value",
		attention: "attention.output.dense", attentionNorm: "attention.output.LayerNorm", up: "intermediate.dense", down: "output.dense",
		norm: "output.LayerNorm", transform: "cls.predictions.transform.dense", transformNorm: "cls.predictions.transform.LayerNorm",
		bias: "cls.predictions.bias", output: "cls.predictions.decoder", pooler: "bert.pooler.dense", classifier: "classifier",
	}}
}

func (f RoBERTa) model(c Config, h Head) Model {
	m := BERT(f).model(c, h).(*bert)
	n := &m.names
	n.body, n.layer, n.transform, n.transformNorm, n.bias, n.output = "roberta.", "roberta.encoder.layer.%d.", "lm_head.dense", "lm_head.layer_norm", "lm_head.bias", "lm_head.decoder"
	n.pooler, n.classifier = "classifier.dense", "classifier.out_proj"
	return m
}

func (f DistilBERT) model(c Config, h Head) Model {
	return &bert{Config: c, head: h, relu: true, classifierDropout: f.SeqClassifDropout, answerDropout: f.QADropout, BERT: BERT{
		HiddenSize: f.Dim, NumHiddenLayers: f.NLayers, NumAttentionHeads: f.NHeads, IntermediateSize: f.HiddenDim, HiddenAct: f.Activation,
		HiddenDropoutProb: f.Dropout, MaxPositionEmbeddings: f.MaxPositionEmbeddings, InitializerRange: f.InitializerRange, LayerNormEps: 1e-12,
	}, names: bertNames{
		body: "distilbert.", layer: "distilbert.transformer.layer.%d.", query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
		attention: "attention.out_lin", attentionNorm: "sa_layer_norm", up: "ffn.lin1", down: "ffn.lin2", norm: "output_layer_norm",
		transform: "vocab_transform", transformNorm: "vocab_layer_norm", bias: "vocab_projector.bias", output: "vocab_projector", pooler: "pre_classifier", classifier: "classifier",
	}}
}

// bertNames is what Hugging Face calls the parts of a BERT.
type bertNames struct {
	body, layer                                 string // what the names of parts begin with
	query, key, value, attention, attentionNorm string // of a layer
	up, down, norm                              string
	transform, transformNorm, bias, output      string // of masked language modelling; output: where it is not tied
	pooler, classifier                          string // of a sequence's label
}

// bert is the encoder of Devlin et al. 2019: a transformer that sees to both sides, with the
// norms after each sub-layer.
type bert struct {
	Config
	BERT
	head              Head
	names             bertNames
	relu              bool // the pooler's function; else tanh
	classifierDropout float64
	answerDropout     float64
}

// B batch, T time, R = B·T rows, S sequences, C = hidden_size channels, V vocabulary.

func (m *bert) Forward(b *graph.Builder, in Inputs) Outputs {
	in.Order = unordered(b, in) // whatever the order, each token sees all
	name := m.names.body + "embeddings."
	b.Scope("embeddings")
	word := b.Param(name+"word_embeddings.weight", m.normal(), m.VocabSize, m.HiddenSize)
	position := b.Param(name+"position_embeddings.weight", m.normal(), m.MaxPositionEmbeddings, m.HiddenSize)
	x := b.Add(b.Embed(word, in.Tokens), b.Embed(position, in.Positions)) // (R,C)
	if m.TypeVocabSize > 0 {
		types := in.Types
		if types == nil {
			types = b.Constant("no types", make([]int32, in.B*in.T), in.B*in.T)
		}
		x = b.Add(x, b.Embed(b.Param(name+"token_type_embeddings.weight", m.normal(), m.TypeVocabSize, m.HiddenSize), types))
	}
	x = b.Dropout(m.norm(b, name+"LayerNorm", x), m.HiddenDropoutProb, in.Rng)
	for i := range m.NumHiddenLayers {
		x = m.layer(b, in, i, x)
	}
	return m.output(b, in, x, word)
}

// layer is x = norm(x + attention(x)), then norm(x + mlp(x)).
func (m *bert) layer(b *graph.Builder, in Inputs, i int, x *graph.Node) *graph.Node {
	name, n := fmt.Sprintf(m.names.layer, i), &m.names
	c, inner := m.HiddenSize, m.IntermediateSize
	b.Scope(fmt.Sprintf("layer.%d.attention", i))
	a := b.Attention(graph.Attend{
		Q:     joint(b, x, c, true, projection{name + n.query, c, m.normal()}, projection{name + n.key, c, m.normal()}, projection{name + n.value, c, m.normal()}),
		Heads: graph.Heads{Query: m.NumAttentionHeads, KV: m.NumAttentionHeads}, T: in.T, Segments: in.Segments, Order: in.Order,
	})
	a = b.Dropout(m.linear(b, name+n.attention, a, c, c), m.HiddenDropoutProb, in.Rng)
	x = m.norm(b, name+n.attentionNorm, b.Add(a, x))
	b.Scope(fmt.Sprintf("layer.%d.mlp", i))
	f := activation(b, m.HiddenAct, m.linear(b, name+n.up, x, c, inner))
	f = b.Dropout(m.linear(b, name+n.down, f, inner, c), m.HiddenDropoutProb, in.Rng)
	return m.norm(b, name+n.norm, b.Add(f, x))
}

// output is what the head makes of the last hidden states x (R,C).
func (m *bert) output(b *graph.Builder, in Inputs, x, word *graph.Node) (out Outputs) {
	n, c := &m.names, m.HiddenSize
	b.Scope(m.head.String())
	switch m.head {
	case QuestionAnswering:
		out.Logits = m.score(b, "qa_outputs", b.Dropout(x, m.answerDropout, in.Rng), 2) // (R,2): start and end
		if in.Answers != nil {
			out.Loss, out.NLL = b.SpanCrossEntropy(out.Logits, in.Spans, in.Answers, in.LabelWeights)
		}
		return out
	case TokenClassifier:
		out.Logits = m.score(b, "classifier", b.Dropout(x, m.HiddenDropoutProb, in.Rng), len(m.Labels())) // (R,labels)
	case Classifier: // of the first token, [CLS]
		x = b.Embed(x, in.Pool)           // (S,C)
		if n.classifier != "classifier" { // RoBERTa's: dropout before both matrices
			x = b.Dropout(x, m.classifierDropout, in.Rng)
		}
		if x = m.linear(b, n.pooler, x, c, c); m.relu {
			x = b.ReLU(x)
		} else {
			x = b.Tanh(x)
		}
		out.Logits = m.score(b, n.classifier, b.Dropout(x, m.classifierDropout, in.Rng), len(m.Labels())) // (S,labels)
		if in.Labels != nil {
			out.Loss, out.NLL = b.CrossEntropy(out.Logits, in.Labels, in.LabelWeights)
		}
		return out
	default:
		if in.Pool != nil {
			x = b.Embed(x, in.Pool) // (S,C)
		}
		x = m.norm(b, n.transformNorm, activation(b, m.transformAct(), m.linear(b, n.transform, x, c, c)))
		bias := n.bias
		if !m.TieWordEmbeddings {
			word, bias = b.Param(n.output+".weight", m.normal(), m.VocabSize, c), n.output+".bias"
		}
		out.Logits = b.Linear(x, word, b.Param(bias, graph.Init{}, m.VocabSize), false)
	}
	if in.Targets != nil {
		out.Loss, out.NLL = b.CrossEntropy(out.Logits, in.Targets, in.Weights)
	}
	return out
}

// transformAct is the activation before the output layer: RoBERTa's is GELU whatever the others are.
func (m *bert) transformAct() string {
	if m.ModelType == "roberta" {
		return "gelu"
	}
	return m.HiddenAct
}

func (m *bert) linear(b *graph.Builder, name string, x *graph.Node, in, out int) *graph.Node {
	w := b.Matrix(name+".weight", m.normal(), 1, out, in)
	return b.Linear(x, w, b.Param(name+".bias", graph.Init{}, out), false)
}

// score is an output layer, which is no hidden layer's matrix.
func (m *bert) score(b *graph.Builder, name string, x *graph.Node, out int) *graph.Node {
	w := b.Param(name+".weight", m.normal(), out, m.HiddenSize)
	return b.Linear(x, w, b.Param(name+".bias", graph.Init{}, out), false)
}

func (m *bert) norm(b *graph.Builder, name string, x *graph.Node) *graph.Node {
	gain := b.Param(name+".weight", graph.Init{Ones: true}, m.HiddenSize)
	return b.LayerNorm(x, gain, b.Param(name+".bias", graph.Init{}, m.HiddenSize), m.LayerNormEps)
}

// unordered is the order of rows that all see each other.
func unordered(b *graph.Builder, in Inputs) *graph.Node {
	return b.Constant("no order", make([]int32, in.B*in.T), in.B*in.T)
}

func (m *bert) normal() graph.Init { return graph.Init{Std: m.InitializerRange} }

package model

// DistilBERT has the keys of a DistilBERT's config.json (Sanh et al. 2019): a BERT
// without token types and pooler.
type DistilBERT struct {
	Dim                   int     `json:"dim" toml:"dim"`
	NLayers               int     `json:"n_layers" toml:"n_layers"`
	NHeads                int     `json:"n_heads" toml:"n_heads"`
	HiddenDim             int     `json:"hidden_dim" toml:"hidden_dim"`
	Activation            string  `json:"activation" toml:"activation"`
	Dropout               float64 `json:"dropout"`
	AttentionDropout      float64 `json:"attention_dropout"`
	QADropout             float64 `json:"qa_dropout"`
	SeqClassifDropout     float64 `json:"seq_classif_dropout"`
	MaxPositionEmbeddings int     `json:"max_position_embeddings" toml:"max_position_embeddings"`
	SinusoidalPosEmbds    bool    `json:"sinusoidal_pos_embds"` // the table is a parameter either way
	InitializerRange      float64 `json:"initializer_range" toml:"initializer_range"`
}

func defaultDistilBERT() Config {
	c := defaultBERT()
	c.ModelType = "distilbert"
	c.Family = DistilBERT{
		Dim: 768, NLayers: 6, NHeads: 12, HiddenDim: 3072, Activation: "gelu", Dropout: 0.1, AttentionDropout: 0.1, QADropout: 0.1,
		SeqClassifDropout: 0.2, MaxPositionEmbeddings: 512, InitializerRange: 0.02,
	}
	return c
}

func (f DistilBERT) small() Family {
	f.Dim, f.NLayers, f.NHeads, f.HiddenDim, f.MaxPositionEmbeddings = 256, 4, 4, 1024, 256
	return f
}

func (f DistilBERT) dropout(p, attention float64) (Family, bool) {
	f.Dropout, f.QADropout, f.SeqClassifDropout, f.AttentionDropout = p, p, p, attention
	return f, true
}

func (f DistilBERT) traits() Traits {
	t := Traits{
		Classes: classNames("DistilBert", "ForMaskedLM"), Writing: Never, Learns: MaskedTokens, FirstToken: true,
		MaxLength: f.MaxPositionEmbeddings,
	}
	t.Classes[MultipleChoice] = "DistilBertForMultipleChoice"
	return t
}

func (f DistilBERT) tensors(h Head) tensors {
	return tensors{
		prefix: "distilbert.", heads: []string{"vocab_", "pre_classifier.", "classifier.", "qa_outputs."},
		ties: outputTie(h, "vocab_projector.weight", "distilbert.embeddings.word_embeddings.weight"),
	}.of(h)
}

func (f DistilBERT) keys(Head) keys {
	return keys{
		aliases: map[string]string{"hidden_size": "dim", "num_attention_heads": "n_heads", "num_hidden_layers": "n_layers"},
		only:    map[string][]string{"is_causal": {"false"}},
		inert:   append([]string{"head_dim", "layer_types"}, rotaryKeys...), // of a decoder
	}
}

func (f DistilBERT) check(c Config, faults *Faults) {
	faults.positive(count{"dim", f.Dim}, count{"n_layers", f.NLayers}, count{"n_heads", f.NHeads},
		count{"hidden_dim", f.HiddenDim}, count{"max_position_embeddings", f.MaxPositionEmbeddings})
	faults.divides("dim", f.Dim, "n_heads", f.NHeads)
	faults.oneOf("activation", f.Activation, activations...)
	faults.probability("dropout", f.Dropout)
	faults.probability("qa_dropout", f.QADropout)
	faults.probability("seq_classif_dropout", f.SeqClassifDropout)
	faults.probability("attention_dropout", f.AttentionDropout)
	faults.probability("initializer_range", f.InitializerRange)
}

func (f DistilBERT) model(c Config, h Head) Model {
	return &bert{Config: c, head: h, relu: true, transformAct: f.Activation, classifierDropout: f.SeqClassifDropout, tokenDropout: f.Dropout, answerDropout: f.QADropout, BERT: BERT{
		HiddenSize: f.Dim, NumHiddenLayers: f.NLayers, NumAttentionHeads: f.NHeads, IntermediateSize: f.HiddenDim, HiddenAct: f.Activation,
		HiddenDropoutProb: f.Dropout, AttentionProbsDropoutProb: f.AttentionDropout, MaxPositionEmbeddings: f.MaxPositionEmbeddings, InitializerRange: f.InitializerRange, LayerNormEps: 1e-12,
	}, names: bertNames{
		body: f.tensors(h).prefix, layer: "transformer.layer.%d.", query: "attention.q_lin", key: "attention.k_lin", value: "attention.v_lin",
		attention: "attention.out_lin", attentionNorm: "sa_layer_norm", up: "ffn.lin1", down: "ffn.lin2", norm: "output_layer_norm",
		transform: "vocab_transform", transformNorm: "vocab_layer_norm", bias: "vocab_projector.bias", output: "vocab_projector", pooler: "pre_classifier", classifier: "classifier",
	}}
}

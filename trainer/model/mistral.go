package model

import (
	"encoding/json"

	"hone/trainer/graph"
)

// Mistral has the keys of a Mistral's config.json (Jiang et al. 2023): a Llama whose tokens see a window of
// the tokens before them.
type Mistral struct {
	HiddenSize            int         `json:"hidden_size" toml:"hidden_size"`
	IntermediateSize      int         `json:"intermediate_size" toml:"intermediate_size"`
	NumHiddenLayers       int         `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads     int         `json:"num_attention_heads" toml:"num_attention_heads"`
	NumKeyValueHeads      int         `json:"num_key_value_heads" toml:"num_key_value_heads"`
	HeadDim               int         `json:"head_dim,omitempty" toml:"head_dim"`                     // 0: hidden_size / num_attention_heads
	MaxPositionEmbeddings int         `json:"max_position_embeddings" toml:"max_position_embeddings"` // longest sequence
	SlidingWindow         Window      `json:"sliding_window" toml:"sliding_window"`
	RMSNormEps            float64     `json:"rms_norm_eps" toml:"rms_norm_eps"`
	RopeTheta             float64     `json:"rope_theta" toml:"rope_theta"`
	RopeScaling           RopeScaling `json:"rope_scaling,omitzero" toml:"rope_scaling"`
	HiddenAct             string      `json:"hidden_act"`
	AttentionDropout      float64     `json:"attention_dropout"`
	InitializerRange      float64     `json:"initializer_range" toml:"initializer_range"`
}

// defaultMistral has 7 B parameters.
func defaultMistral() Config {
	bos := 1
	return Config{
		ModelType: "mistral", VocabSize: 32000, BOSTokenID: &bos, EOSTokenID: TokenIDs{2},
		Family: Mistral{
			HiddenSize: 4096, IntermediateSize: 14336, NumHiddenLayers: 32, NumAttentionHeads: 32, NumKeyValueHeads: 8,
			MaxPositionEmbeddings: 131072, SlidingWindow: 4096, RMSNormEps: 1e-6, RopeTheta: 10000, HiddenAct: "silu", InitializerRange: 0.02,
		},
	}
}

func (f Mistral) small() Family {
	f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.NumKeyValueHeads = 256, 704, 4, 4, 2
	f.HeadDim, f.MaxPositionEmbeddings, f.SlidingWindow, f.RMSNormEps = 0, 256, 128, 1e-5
	return f
}

func (f Mistral) traits() Traits {
	return Traits{Classes: classNames("Mistral", "ForCausalLM"), SkipsPadding: true, MaxLength: f.RopeScaling.longest(f.MaxPositionEmbeddings), Adapted: []string{"q_proj", "v_proj"}}
}

func (f Mistral) dropout(p, attention float64) (Family, bool) {
	f.AttentionDropout = attention
	return f, p == 0
}

func (f Mistral) model(c Config, h Head) Model {
	dim := f.headDim()
	m := &decoder{
		Config: c, head: h, body: modelBody(h), hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers,
		attend:    attentionOf{heads: graph.Heads{Query: f.NumAttentionHeads, KV: f.NumKeyValueHeads}, dim: dim, dropout: f.AttentionDropout},
		rotations: []rotation{f.RopeScaling.rotation(dim, f.RopeTheta, f.MaxPositionEmbeddings)},
		eps:       f.RMSNormEps, act: functions[f.HiddenAct], std: f.InitializerRange,
	}
	for range f.NumHiddenLayers {
		m.windows = append(m.windows, int(f.SlidingWindow))
	}
	return m
}

func (f Mistral) headDim() int { return headSize(f.HeadDim, f.HiddenSize, f.NumAttentionHeads) }

func (f Mistral) tensors(h Head) tensors { return decoderTensors(h, modelBody(h)) }

func (f Mistral) keys(h Head) keys { return rotaryDecoderKeys(h) }

func (f Mistral) check(c Config, faults *Faults) {
	faults.decoder(decoderSizes{
		hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers, heads: f.NumAttentionHeads, dim: f.HeadDim,
		positions: f.MaxPositionEmbeddings, eps: f.RMSNormEps, theta: f.RopeTheta, std: f.InitializerRange, dropout: f.AttentionDropout, scaling: f.RopeScaling,
	})
	faults.positive(count{"num_key_value_heads", f.NumKeyValueHeads})
	faults.divides("num_attention_heads", f.NumAttentionHeads, "num_key_value_heads", f.NumKeyValueHeads)
	if f.HeadDim == 0 {
		faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	}
	faults.natural("sliding_window", int(f.SlidingWindow), "none")
	faults.oneOf("hidden_act", f.HiddenAct, activations...)
}

// UnmarshalJSON also reads the keys of readRope; num_key_value_heads of null means num_attention_heads.
func (f *Mistral) UnmarshalJSON(b []byte) error {
	type plain Mistral
	if err := json.Unmarshal(b, (*plain)(f)); err != nil {
		return err
	}
	f.NumKeyValueHeads = keyHeads(b, f.NumKeyValueHeads, f.NumAttentionHeads)
	return readRope(b, &f.RopeTheta, &f.RopeScaling, f.MaxPositionEmbeddings)
}

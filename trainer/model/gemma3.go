package model

import (
	"encoding/json"
	"fmt"
	"math"

	"hone/trainer/graph"
)

// Gemma3 has the keys of the config.json of a text-only Gemma 3 (Gemma Team 2025, 2503.19786): a Gemma with norms
// behind each sub-layer too, and of each query and key. Most of its layers see a window of the tokens before, with
// rotary frequencies of their own.
type Gemma3 struct {
	HiddenSize            int         `json:"hidden_size" toml:"hidden_size"`
	IntermediateSize      int         `json:"intermediate_size" toml:"intermediate_size"`
	NumHiddenLayers       int         `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads     int         `json:"num_attention_heads" toml:"num_attention_heads"`
	NumKeyValueHeads      int         `json:"num_key_value_heads" toml:"num_key_value_heads"`
	HeadDim               int         `json:"head_dim" toml:"head_dim"`
	QueryPreAttnScalar    int         `json:"query_pre_attn_scalar" toml:"query_pre_attn_scalar"`     // scores are divided by its square root
	MaxPositionEmbeddings int         `json:"max_position_embeddings" toml:"max_position_embeddings"` // longest sequence
	SlidingWindow         Window      `json:"sliding_window" toml:"sliding_window"`                   // of sliding_attention
	LayerTypes            []string    `json:"layer_types,omitempty" toml:"layer_types"`               // nil: each sixth is full_attention, the others sliding_attention
	RMSNormEps            float64     `json:"rms_norm_eps" toml:"rms_norm_eps"`
	RopeTheta             float64     `json:"rope_theta" toml:"rope_theta"`                     // of full_attention
	RopeLocalBaseFreq     float64     `json:"rope_local_base_freq" toml:"rope_local_base_freq"` // rope_theta of sliding_attention
	RopeScaling           RopeScaling `json:"rope_scaling,omitzero" toml:"rope_scaling"`        // of full_attention
	HiddenActivation      string      `json:"hidden_activation"`
	AttentionBias         bool        `json:"attention_bias" toml:"attention_bias"`
	AttentionDropout      float64     `json:"attention_dropout"`
	InitializerRange      float64     `json:"initializer_range" toml:"initializer_range"`
}

// defaultGemma3 has 3 B parameters.
func defaultGemma3() Config {
	bos, pad := 2, 0
	return Config{
		ModelType: "gemma3_text", VocabSize: 262208, TieWordEmbeddings: true, BOSTokenID: &bos, EOSTokenID: TokenIDs{1}, PadTokenID: &pad,
		Family: Gemma3{
			HiddenSize: 2304, IntermediateSize: 9216, NumHiddenLayers: 26, NumAttentionHeads: 8, NumKeyValueHeads: 4, HeadDim: 256, QueryPreAttnScalar: 256,
			MaxPositionEmbeddings: 131072, SlidingWindow: 4096, RMSNormEps: 1e-6, RopeTheta: 1e6, RopeLocalBaseFreq: 10000,
			HiddenActivation: "gelu_pytorch_tanh", InitializerRange: 0.02,
		},
	}
}

func (f Gemma3) small() Family {
	f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.NumKeyValueHeads = 256, 704, 6, 4, 1
	f.HeadDim, f.QueryPreAttnScalar, f.MaxPositionEmbeddings, f.SlidingWindow = 64, 64, 256, 128
	return f
}

func (f Gemma3) traits() Traits {
	return Traits{
		Classes:      [numHeads]string{LanguageModel: "Gemma3ForCausalLM", Classifier: "Gemma3TextForSequenceClassification", Base: "Gemma3TextModel"},
		SkipsPadding: true, MaxLength: f.RopeScaling.longest(f.MaxPositionEmbeddings), Adapted: []string{"q_proj", "v_proj"},
	}
}

func (f Gemma3) dropout(p, attention float64) (Family, bool) {
	f.AttentionDropout = attention
	return f, p == 0
}

func (f Gemma3) model(c Config, h Head) Model {
	return &decoder{
		Config: c, head: h, body: modelBody(h), hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers,
		attend: attentionOf{
			heads: graph.Heads{Query: f.NumAttentionHeads, KV: f.NumKeyValueHeads}, dim: f.HeadDim,
			scale: 1 / math.Sqrt(float64(f.QueryPreAttnScalar)), dropout: f.AttentionDropout,
		},
		windows:   windowsOf(f.layers(), int(f.SlidingWindow)),
		rotations: []rotation{f.RopeScaling.rotation(f.HeadDim, f.RopeTheta, f.MaxPositionEmbeddings), {graph.Frequencies(f.HeadDim, f.RopeLocalBaseFreq), 1}},
		eps:       f.RMSNormEps, act: functions[f.HiddenActivation], std: f.InitializerRange,
		bias: f.AttentionBias, qkNorm: true, embedScale: math.Sqrt(float64(f.HiddenSize)), centred: true, behind: true,
	}
}

// layers are the layers' types.
func (f Gemma3) layers() []string {
	if len(f.LayerTypes) > 0 {
		return f.LayerTypes
	}
	return everyNth(6, f.NumHiddenLayers)
}

func (f Gemma3) tensors(h Head) tensors { return decoderTensors(h, modelBody(h)) }

func (f Gemma3) keys(h Head) keys {
	k := rotaryDecoderKeys(h)
	k.read = []string{"sliding_window_pattern", "rope_parameters"}
	k.only["use_bidirectional_attention"] = []string{"false"}
	k.only["final_logit_softcapping"], k.only["attn_logit_softcapping"] = []string{}, []string{}
	k.only["partial_rotary_factor"] = []string{"1", "1.0"}
	k.inert = append(k.inert, "_sliding_window_pattern", "original_max_position_embeddings")
	return k
}

func (f Gemma3) check(c Config, faults *Faults) {
	faults.decoder(decoderSizes{
		hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers, heads: f.NumAttentionHeads, dim: f.HeadDim,
		positions: f.MaxPositionEmbeddings, eps: f.RMSNormEps, theta: f.RopeTheta, std: f.InitializerRange, dropout: f.AttentionDropout, scaling: f.RopeScaling,
	})
	faults.positive(count{"num_key_value_heads", f.NumKeyValueHeads}, count{"head_dim", f.HeadDim}, count{"query_pre_attn_scalar", f.QueryPreAttnScalar})
	faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads) // transformers requires it
	faults.divides("num_attention_heads", f.NumAttentionHeads, "num_key_value_heads", f.NumKeyValueHeads)
	faults.natural("sliding_window", int(f.SlidingWindow), "none")
	if n := f.NumHiddenLayers; n > 0 && n <= 1<<16 { // more is refused
		faults.layerTypes(f.layers(), n, int(f.SlidingWindow))
	}
	faults.above0("rope_local_base_freq", f.RopeLocalBaseFreq)
	faults.oneOf("hidden_activation", f.HiddenActivation, activations...)
	if f.RopeScaling.Truncate != nil && !*f.RopeScaling.Truncate {
		faults.add("rope_scaling.truncate", "false is not supported: transformers does not read it in a table of each layer's type")
	}
}

// UnmarshalJSON also reads sliding_window_pattern, an older form of layer_types, and rotary positions as
// transformers does: rope_parameters has a table for each type of layer; the older keys are added to that of
// full_attention.
func (f *Gemma3) UnmarshalJSON(b []byte) error {
	type plain Gemma3
	if err := json.Unmarshal(b, (*plain)(f)); err != nil {
		return err
	}
	var keys struct {
		Pattern    *int `json:"sliding_window_pattern"`
		Parameters struct {
			Full    map[string]json.RawMessage `json:"full_attention"`
			Sliding json.RawMessage            `json:"sliding_attention"`
		} `json:"rope_parameters"`
		Scaling map[string]json.RawMessage `json:"rope_scaling"`
	}
	if err := json.Unmarshal(b, &keys); err != nil {
		return err
	}
	if p := keys.Pattern; p != nil && len(f.LayerTypes) == 0 {
		if *p < 1 {
			return fmt.Errorf("sliding_window_pattern: %d is less than 1", *p)
		}
		f.LayerTypes = everyNth(*p, min(max(0, f.NumHiddenLayers), 1<<16))
	}
	full := map[string]json.RawMessage{}
	for _, table := range []map[string]json.RawMessage{keys.Parameters.Full, keys.Scaling} {
		for k, v := range table {
			full[k] = v
		}
	}
	f.RopeScaling = RopeScaling{}
	if text, err := json.Marshal(full); err != nil {
		return err
	} else if err := readRopeTable("rope_parameters.full_attention", text, &f.RopeTheta, &f.RopeScaling, nil, nil, f.MaxPositionEmbeddings); err != nil {
		return err
	}
	if t := keys.Parameters.Sliding; len(t) > 0 && string(t) != "null" {
		var local RopeScaling
		if err := readRopeTable("rope_parameters.sliding_attention", t, &f.RopeLocalBaseFreq, &local, nil, nil, f.MaxPositionEmbeddings); err != nil {
			return err
		}
		if local.RopeType != "" {
			return fmt.Errorf("rope_parameters.sliding_attention: rope_type %q is not supported; want default", local.RopeType)
		}
	}
	return nil
}

package model

import (
	"cmp"
	"encoding/json"
	"slices"

	"hone/trainer/graph"
)

// Llama has the keys of a config.json of model_type llama (Llama, SmolLM2 and what else is
// built like them), qwen2 or qwen3.
type Llama struct {
	HiddenSize            int         `json:"hidden_size" toml:"hidden_size"`
	IntermediateSize      int         `json:"intermediate_size" toml:"intermediate_size"`
	NumHiddenLayers       int         `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads     int         `json:"num_attention_heads" toml:"num_attention_heads"`
	NumKeyValueHeads      int         `json:"num_key_value_heads,omitempty" toml:"num_key_value_heads"` // 0: num_attention_heads
	HeadDim               int         `json:"head_dim,omitempty" toml:"head_dim"`                       // 0: hidden_size / num_attention_heads
	MaxPositionEmbeddings int         `json:"max_position_embeddings" toml:"max_position_embeddings"`   // longest sequence
	RMSNormEps            float64     `json:"rms_norm_eps" toml:"rms_norm_eps"`
	RopeTheta             float64     `json:"rope_theta" toml:"rope_theta"`
	RopeScaling           RopeScaling `json:"rope_scaling,omitzero" toml:"rope_scaling"`
	HiddenAct             string      `json:"hidden_act"`
	AttentionBias         bool        `json:"attention_bias" toml:"attention_bias"`
	MLPBias               bool        `json:"mlp_bias" toml:"mlp_bias"`
	AttentionDropout      float64     `json:"attention_dropout"`
	InitializerRange      float64     `json:"initializer_range" toml:"initializer_range"`

	// Of a Qwen some of whose layers have a window; see UnmarshalJSON.
	UseSlidingWindow bool     `json:"use_sliding_window,omitempty"`
	SlidingWindow    int      `json:"sliding_window,omitempty"` // rows that a token sees up to its own
	LayerTypes       []string `json:"layer_types,omitempty"`    // nil: full_attention

	qwen2 bool // queries, keys and values have biases
	qwen  bool // Qwen3: queries and keys are normalised
}

// defaultLlama is Llama 2 with 7 B parameters.
func defaultLlama() Config {
	bos := 1
	return Config{
		ModelType: "llama", VocabSize: 32000, BOSTokenID: &bos, EOSTokenID: TokenIDs{2},
		Family: Llama{
			HiddenSize: 4096, IntermediateSize: 11008, NumHiddenLayers: 32, NumAttentionHeads: 32,
			MaxPositionEmbeddings: 2048, RMSNormEps: 1e-6, RopeTheta: 10000, HiddenAct: "silu", InitializerRange: 0.02,
		},
	}
}

func (f Llama) small() Family {
	f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.NumKeyValueHeads = 256, 704, 4, 4, 2
	f.HeadDim, f.MaxPositionEmbeddings, f.RMSNormEps = 0, 256, 1e-5
	if f.qwen {
		f.HeadDim = 64
	}
	return f
}

func (f Llama) model(c Config, h Head) Model {
	return &decoder{
		Config: c, head: h, body: f.body(h), hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers,
		attend:  attentionOf{heads: f.heads(), dim: f.headDim(), dropout: f.AttentionDropout},
		windows: windowsOf(f.LayerTypes, f.SlidingWindow), rotations: []rotation{f.RopeScaling.rotation(f.headDim(), f.RopeTheta, f.MaxPositionEmbeddings)},
		eps: f.RMSNormEps, act: functions[f.HiddenAct], std: f.InitializerRange,
		bias: f.AttentionBias, qkvBias: f.qwen2, mlpBias: f.MLPBias, qkNorm: f.qwen,
	}
}

func (f Llama) dropout(p, attention float64) (Family, bool) {
	f.AttentionDropout = attention
	return f, p == 0
}

func (f Llama) traits() Traits {
	name := "Llama"
	switch {
	case f.qwen2:
		name = "Qwen2"
	case f.qwen:
		name = "Qwen3"
	}
	return Traits{Classes: classNames(name, "ForCausalLM"), SkipsPadding: true, MaxLength: f.RopeScaling.longest(f.MaxPositionEmbeddings), Adapted: []string{"q_proj", "v_proj"}}
}

func (f Llama) tensors(h Head) tensors { return decoderTensors(h, f.body(h)) }

// body is what the names of all but the head begin with.
func (f Llama) body(h Head) string {
	switch h {
	case Base:
		return ""
	case QuestionAnswering:
		return "transformer."
	}
	return "model."
}

func (f Llama) keys(h Head) keys {
	k := rotaryDecoderKeys(h)
	k.inert = append(k.inert, "pretraining_tp")
	if f.qwen || f.qwen2 {
		k.read = append(slices.Clone(k.read), "max_window_layers")
	}
	return k
}

func (f Llama) check(c Config, faults *Faults) {
	faults.decoder(decoderSizes{
		hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers, heads: f.NumAttentionHeads, dim: f.HeadDim,
		positions: f.MaxPositionEmbeddings, eps: f.RMSNormEps, theta: f.RopeTheta, std: f.InitializerRange, dropout: f.AttentionDropout, scaling: f.RopeScaling,
	})
	if f.qwen || f.qwen2 { // 0 is not what a missing key means
		faults.positive(count{"num_key_value_heads", f.NumKeyValueHeads})
	}
	if f.qwen {
		faults.positive(count{"head_dim", f.HeadDim})
	} else { // transformers requires it
		faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	}
	faults.natural("num_key_value_heads", f.NumKeyValueHeads, "num_attention_heads")
	faults.divides("num_attention_heads", f.NumAttentionHeads, "num_key_value_heads", f.NumKeyValueHeads)
	faults.oneOf("hidden_act", f.HiddenAct, activations...)
	if f.qwen2 { // it has biases of its own, whatever the keys say
		faults.no("attention_bias", f.AttentionBias)
		faults.no("mlp_bias", f.MLPBias)
	}
	if !f.qwen && !f.qwen2 && (f.SlidingWindow != 0 || f.UseSlidingWindow) {
		faults.add("sliding_window", "%d is not supported", f.SlidingWindow)
	}
	faults.natural("sliding_window", f.SlidingWindow, "none")
	faults.layerTypes(f.LayerTypes, f.NumHiddenLayers, f.SlidingWindow)
}

// UnmarshalJSON also reads the keys of readRope, and which layers of a Qwen have a window: those that
// layer_types names, or, with use_sliding_window, those from max_window_layers on. Where no layer has
// one, all fields of windows are left zero.
func (f *Llama) UnmarshalJSON(b []byte) error {
	type plain Llama
	if err := json.Unmarshal(b, (*plain)(f)); err != nil {
		return err
	}
	f.NumKeyValueHeads = keyHeads(b, f.NumKeyValueHeads, f.NumAttentionHeads)
	if err := readRope(b, &f.RopeTheta, &f.RopeScaling, f.MaxPositionEmbeddings); err != nil {
		return err
	}
	if !f.qwen && !f.qwen2 {
		return nil
	}
	window := struct {
		Rows  *int `json:"sliding_window"`
		First int  `json:"max_window_layers"`
	}{new(int), 28}
	*window.Rows = 4096
	if err := json.Unmarshal(b, &window); err != nil {
		return err
	}
	if f.LayerTypes == nil && f.UseSlidingWindow && window.Rows != nil {
		for i := range min(f.NumHiddenLayers, 1<<16) { // more is refused
			f.LayerTypes = append(f.LayerTypes, seesAll)
			if i >= window.First {
				f.LayerTypes[i] = seesWindow
			}
		}
	}
	if windowsOf(f.LayerTypes, 1) == nil {
		f.UseSlidingWindow, f.SlidingWindow, f.LayerTypes = false, 0, nil
	} else if f.SlidingWindow = 0; f.UseSlidingWindow && window.Rows != nil {
		f.SlidingWindow = *window.Rows
	}
	return nil
}

func (f Llama) headDim() int { return headSize(f.HeadDim, f.HiddenSize, f.NumAttentionHeads) }

func (f Llama) heads() graph.Heads {
	return graph.Heads{Query: f.NumAttentionHeads, KV: cmp.Or(f.NumKeyValueHeads, f.NumAttentionHeads)}
}

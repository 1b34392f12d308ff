package model

import (
	"encoding/json"

	"hone/trainer/graph"
)

// Mistral has the keys of a Mistral's config.json (Jiang et al. 2023): a Llama each of whose tokens sees
// a window of those before it.
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

// Window is how many rows a token sees up to its own; 0, in JSON null: all.
type Window int

// UnmarshalJSON reads null or a number.
func (w *Window) UnmarshalJSON(b []byte) error {
	*w = 0
	return json.Unmarshal(b, (*int)(w))
}

// MarshalJSON writes 0 as null.
func (w Window) MarshalJSON() ([]byte, error) {
	if w == 0 {
		return []byte("null"), nil
	}
	return json.Marshal(int(w))
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
	return Traits{Classes: classNames("Mistral", "ForCausalLM"), SkipsPadding: true, MaxLength: f.RopeScaling.longest(f.MaxPositionEmbeddings)}
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
	faults.positive(count{"hidden_size", f.HiddenSize}, count{"intermediate_size", f.IntermediateSize},
		count{"num_hidden_layers", f.NumHiddenLayers}, count{"num_attention_heads", f.NumAttentionHeads},
		count{"num_key_value_heads", f.NumKeyValueHeads}, count{"max_position_embeddings", f.MaxPositionEmbeddings})
	faults.natural("sliding_window", int(f.SlidingWindow), "none")
	if f.HeadDim == 0 {
		faults.divides("hidden_size", f.HiddenSize, "num_attention_heads", f.NumAttentionHeads)
	}
	faults.divides("num_attention_heads", f.NumAttentionHeads, "num_key_value_heads", f.NumKeyValueHeads)
	faults.rotary(f.HeadDim, f.HiddenSize, f.NumAttentionHeads)
	faults.above0("rms_norm_eps", f.RMSNormEps)
	faults.above0("rope_theta", f.RopeTheta)
	faults.probability("initializer_range", f.InitializerRange)
	faults.oneOf("hidden_act", f.HiddenAct, activations...)
	faults.probability("attention_dropout", f.AttentionDropout)
	if f.NumAttentionHeads > 0 {
		f.RopeScaling.check(faults, f.headDim())
	}
}

// UnmarshalJSON reads what readRope does, and num_key_value_heads of null as num_attention_heads.
func (f *Mistral) UnmarshalJSON(b []byte) error {
	type plain Mistral
	if err := json.Unmarshal(b, (*plain)(f)); err != nil {
		return err
	}
	f.NumKeyValueHeads = keyHeads(b, f.NumKeyValueHeads, f.NumAttentionHeads)
	return readRope(b, &f.RopeTheta, &f.RopeScaling, f.MaxPositionEmbeddings)
}

// keyHeads are num_key_value_heads: where a config.json says null, as many as there are heads.
func keyHeads(b []byte, n, heads int) int {
	var keys struct {
		N json.RawMessage `json:"num_key_value_heads"`
	}
	if json.Unmarshal(b, &keys) == nil && string(keys.N) == "null" {
		return heads
	}
	return n
}

// modelBody is what the names of all but the head begin with.
func modelBody(h Head) string {
	if h == Base {
		return ""
	}
	return "model."
}

// decoderTensors are those of a Llama and its like, with the names of the body in full.
func decoderTensors(h Head, body string) tensors {
	return tensors{
		prefix: body, bodies: []string{"model.", "transformer."}, heads: []string{"lm_head.", "score.", "qa_outputs."},
		ties: outputTie(h, "lm_head.weight", body+"embed_tokens.weight"), buffers: []string{"rotary_emb.inv_freq"},
	}.of(h)
}

package model

import (
	"encoding/json"
	"math"

	"hone/trainer/exec"
	"hone/trainer/graph"
)

// Gemma has the keys of a Gemma's config.json (Gemma Team 2024, 2403.08295). It differs from Llama in its
// feed-forward, gated by GELU, the size of its heads, its embeddings, which are scaled by √C and tied to the output
// matrix, and its norms, which multiply by 1 + their weights.
type Gemma struct {
	HiddenSize            int         `json:"hidden_size" toml:"hidden_size"`
	IntermediateSize      int         `json:"intermediate_size" toml:"intermediate_size"`
	NumHiddenLayers       int         `json:"num_hidden_layers" toml:"num_hidden_layers"`
	NumAttentionHeads     int         `json:"num_attention_heads" toml:"num_attention_heads"`
	NumKeyValueHeads      int         `json:"num_key_value_heads" toml:"num_key_value_heads"`
	HeadDim               int         `json:"head_dim" toml:"head_dim"`
	MaxPositionEmbeddings int         `json:"max_position_embeddings" toml:"max_position_embeddings"` // longest sequence
	RMSNormEps            float64     `json:"rms_norm_eps" toml:"rms_norm_eps"`
	RopeTheta             float64     `json:"rope_theta" toml:"rope_theta"`
	RopeScaling           RopeScaling `json:"rope_scaling,omitzero" toml:"rope_scaling"`
	HiddenAct             string      `json:"hidden_act"` // gelu is read as gelu_pytorch_tanh, which the first releases meant
	AttentionBias         bool        `json:"attention_bias" toml:"attention_bias"`
	AttentionDropout      float64     `json:"attention_dropout"`
	InitializerRange      float64     `json:"initializer_range" toml:"initializer_range"`
}

// defaultGemma has 7 B parameters.
func defaultGemma() Config {
	bos, pad := 2, 0
	return Config{
		ModelType: "gemma", VocabSize: 256000, TieWordEmbeddings: true, BOSTokenID: &bos, EOSTokenID: TokenIDs{1}, PadTokenID: &pad,
		Family: Gemma{
			HiddenSize: 3072, IntermediateSize: 24576, NumHiddenLayers: 28, NumAttentionHeads: 16, NumKeyValueHeads: 16, HeadDim: 256,
			MaxPositionEmbeddings: 8192, RMSNormEps: 1e-6, RopeTheta: 10000, HiddenAct: "gelu_pytorch_tanh", InitializerRange: 0.02,
		},
	}
}

func (f Gemma) small() Family {
	f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.NumKeyValueHeads = 256, 704, 4, 4, 1
	f.HeadDim, f.MaxPositionEmbeddings = 64, 256
	return f
}

func (f Gemma) traits() Traits {
	t := Traits{Classes: classNames("Gemma", "ForCausalLM"), SkipsPadding: true, MaxLength: f.RopeScaling.longest(f.MaxPositionEmbeddings), Adapted: []string{"q_proj", "v_proj"}}
	t.Classes[QuestionAnswering] = ""
	return t
}

func (f Gemma) dropout(p, attention float64) (Family, bool) {
	f.AttentionDropout = attention
	return f, p == 0
}

func (f Gemma) model(c Config, h Head) Model {
	m := &decoder{
		Config: c, head: h, body: modelBody(h), hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers,
		attend:    attentionOf{heads: graph.Heads{Query: f.NumAttentionHeads, KV: f.NumKeyValueHeads}, dim: f.HeadDim, dropout: f.AttentionDropout},
		rotations: []rotation{f.RopeScaling.rotation(f.HeadDim, f.RopeTheta, f.MaxPositionEmbeddings)},
		eps:       f.RMSNormEps, act: functions[f.HiddenAct], std: f.InitializerRange,
		bias: f.AttentionBias, embedScale: math.Sqrt(float64(f.HiddenSize)), centred: true,
	}
	if f.HiddenAct == "gelu" {
		m.act = exec.GELUTanh
	}
	return m
}

func (f Gemma) tensors(h Head) tensors { return decoderTensors(h, modelBody(h)) }

func (f Gemma) keys(h Head) keys {
	k := rotaryDecoderKeys(h)
	k.inert = append(k.inert, "hidden_activation") // that of later releases beside hidden_act, which goes before it
	k.only["use_bidirectional_attention"] = []string{"false"}
	return k
}

func (f Gemma) check(c Config, faults *Faults) {
	faults.decoder(decoderSizes{
		hidden: f.HiddenSize, inner: f.IntermediateSize, layers: f.NumHiddenLayers, heads: f.NumAttentionHeads, dim: f.HeadDim,
		positions: f.MaxPositionEmbeddings, eps: f.RMSNormEps, theta: f.RopeTheta, std: f.InitializerRange, dropout: f.AttentionDropout, scaling: f.RopeScaling,
	})
	faults.positive(count{"num_key_value_heads", f.NumKeyValueHeads}, count{"head_dim", f.HeadDim})
	faults.divides("num_attention_heads", f.NumAttentionHeads, "num_key_value_heads", f.NumKeyValueHeads)
	faults.oneOf("hidden_act", f.HiddenAct, activations...)
}

// UnmarshalJSON also reads the keys of readRope.
func (f *Gemma) UnmarshalJSON(b []byte) error {
	type plain Gemma
	if err := json.Unmarshal(b, (*plain)(f)); err != nil {
		return err
	}
	return readRope(b, &f.RopeTheta, &f.RopeScaling, f.MaxPositionEmbeddings)
}

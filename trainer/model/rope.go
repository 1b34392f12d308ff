package model

import (
	"cmp"
	"encoding/json"

	"hone/trainer/graph"
)

// RopeScaling says how rotary position embedding is stretched to longer sequences.
type RopeScaling struct {
	RopeType                      string  `json:"rope_type" toml:"rope_type"` // "" or default: not; llama3
	Factor                        float64 `json:"factor,omitempty" toml:"factor"`
	LowFreqFactor                 float64 `json:"low_freq_factor,omitempty" toml:"low_freq_factor"`
	HighFreqFactor                float64 `json:"high_freq_factor,omitempty" toml:"high_freq_factor"`
	OriginalMaxPositionEmbeddings int     `json:"original_max_position_embeddings,omitempty" toml:"original_max_position_embeddings"`
}

// UnmarshalJSON reads rope_parameters too, which has both rope_theta and rope_scaling since
// transformers 5, and rope_scaling's older key type. As there, rope_scaling goes first, whole.
func (f *Llama) UnmarshalJSON(b []byte) error {
	type plain Llama
	if err := json.Unmarshal(b, (*plain)(f)); err != nil {
		return err
	}
	type rope struct {
		RopeScaling
		Type      string   `json:"type"`
		RopeTheta *float64 `json:"rope_theta"`
	}
	var both struct {
		Scaling    rope `json:"rope_scaling"`
		Parameters rope `json:"rope_parameters"`
	}
	if err := json.Unmarshal(b, &both); err != nil {
		return err
	}
	r := cmp.Or(both.Scaling, both.Parameters)
	f.RopeScaling = r.RopeScaling
	if f.RopeScaling.RopeType = cmp.Or(r.RopeType, r.Type); f.RopeScaling.RopeType == "default" {
		f.RopeScaling = RopeScaling{}
	}
	if r.RopeTheta != nil {
		f.RopeTheta = *r.RopeTheta
	}
	if s := &f.RopeScaling; s.RopeType == "llama3" && s.OriginalMaxPositionEmbeddings == 0 {
		s.OriginalMaxPositionEmbeddings = f.MaxPositionEmbeddings
	}
	return nil
}

func (s RopeScaling) check(faults *Faults) {
	if s == (RopeScaling{}) {
		return
	}
	if s.RopeType != "llama3" { // whose keys are others
		faults.oneOf("rope_scaling.rope_type", s.RopeType, "llama3")
		return
	}
	faults.above0("rope_scaling.factor", s.Factor)
	faults.above0("rope_scaling.low_freq_factor", s.LowFreqFactor)
	if !(s.HighFreqFactor > s.LowFreqFactor) {
		faults.add("rope_scaling.high_freq_factor", "%g is not above low_freq_factor, %g", s.HighFreqFactor, s.LowFreqFactor)
	}
	faults.positive(count{"rope_scaling.original_max_position_embeddings", s.OriginalMaxPositionEmbeddings})
}

// frequencies of rotary position embedding, radians a position.
func (f Llama) frequencies() []float64 {
	freqs := graph.Frequencies(f.headDim(), f.RopeTheta)
	if s := f.RopeScaling; s.RopeType == "llama3" {
		graph.Llama3Scaling{
			Factor: s.Factor, LowFreqFactor: s.LowFreqFactor, HighFreqFactor: s.HighFreqFactor, Context: s.OriginalMaxPositionEmbeddings,
		}.Apply(freqs)
	}
	return freqs
}

// rotary refuses sizes of heads that rotary position embedding cannot turn; dim 0 is the hidden
// size's share, which divides says of whether there is one.
func (f *Faults) rotary(dim, hidden, heads int) {
	f.natural("head_dim", dim, "hidden_size / num_attention_heads")
	if (dim > 0 || dim == 0 && heads > 0 && hidden%heads == 0) && headSize(dim, hidden, heads)%2 != 0 {
		f.add("head_dim", "%d is odd; rotary position embedding turns pairs", headSize(dim, hidden, heads))
	}
}

package model

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"hone/trainer/graph"
)

// RopeScaling says how rotary position embedding is stretched to longer sequences, with the keys of
// rope_scaling.
type RopeScaling struct {
	RopeType                      string  `json:"rope_type" toml:"rope_type"` // "" or default: not; one of ropeTypes
	Factor                        float64 `json:"factor,omitempty" toml:"factor"`
	LowFreqFactor                 float64 `json:"low_freq_factor,omitempty" toml:"low_freq_factor"`                                   // of llama3
	HighFreqFactor                float64 `json:"high_freq_factor,omitempty" toml:"high_freq_factor"`                                 // of llama3
	OriginalMaxPositionEmbeddings int     `json:"original_max_position_embeddings,omitempty" toml:"original_max_position_embeddings"` // of llama3, yarn, longrope

	AttentionFactor *float64  `json:"attention_factor,omitempty" toml:"-"` // of yarn and longrope: of cosines and sines; nil: follows from the others
	BetaFast        float64   `json:"beta_fast,omitempty" toml:"-"`        // of yarn, and the next; 0: 32
	BetaSlow        float64   `json:"beta_slow,omitempty" toml:"-"`        // 0: 1
	MScale          float64   `json:"mscale,omitempty" toml:"-"`
	MScaleAllDim    float64   `json:"mscale_all_dim,omitempty" toml:"-"`
	Truncate        *bool     `json:"truncate,omitempty" toml:"-"`     // nil: true
	ShortFactor     []float64 `json:"short_factor,omitempty" toml:"-"` // of longrope, and the next: (dim/2)
	LongFactor      []float64 `json:"long_factor,omitempty" toml:"-"`

	PartialRotaryFactor *float64 `json:"partial_rotary_factor,omitempty" toml:"-"` // of proportional: the share of a head that turns; nil: 1
}

// ropeTypes are the types that RopeScaling knows: all of transformers but axial, which is for images.
var ropeTypes = []string{"linear", "dynamic", "yarn", "longrope", "llama3", "proportional"}

// ropeKeys are the keys that readRope reads beside rope_theta and rope_scaling.
var ropeKeys = []string{"rope_parameters", "partial_rotary_factor", "original_max_position_embeddings"}

// readRope reads a config.json's keys of rotary position embedding. Since transformers 5, rope_parameters has both
// rope_theta and the keys of rope_scaling; type is an older name of rope_type. As in transformers, rope_scaling is
// read instead of rope_parameters where both are there.
func readRope(b []byte, theta *float64, scaling *RopeScaling, maxPositions int) error {
	var keys struct {
		Scaling    json.RawMessage `json:"rope_scaling"`
		Parameters json.RawMessage `json:"rope_parameters"`
		Partial    *float64        `json:"partial_rotary_factor"`
		Original   *int            `json:"original_max_position_embeddings"`
	}
	if err := json.Unmarshal(b, &keys); err != nil {
		return err
	}
	key, text := "rope_scaling", keys.Scaling
	if empty := bytes.TrimSpace(text); len(empty) == 0 || string(empty) == "null" || string(empty) == "{}" {
		key, text = "rope_parameters", keys.Parameters
	}
	*scaling = RopeScaling{}
	if len(text) == 0 || string(text) == "null" {
		return nil
	}
	return readRopeTable(key, text, theta, scaling, keys.Partial, keys.Original, maxPositions)
}

// readRopeTable reads one table of those keys.
func readRopeTable(key string, text []byte, theta *float64, scaling *RopeScaling, partial *float64, original *int, maxPositions int) error {
	var r struct {
		RopeScaling
		Type      string   `json:"type"`
		RopeTheta *float64 `json:"rope_theta"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return fmt.Errorf("%s: %s", key, strings.TrimPrefix(err.Error(), "json: "))
	}
	if r.RopeTheta != nil {
		*theta = *r.RopeTheta
	}
	s := r.RopeScaling
	if s.RopeType == "" {
		s.RopeType = r.Type
	}
	if s.RopeType == "default" || s.RopeType == "" {
		return nil
	}
	if s.PartialRotaryFactor == nil {
		s.PartialRotaryFactor = partial
	}
	if slices.Contains([]string{"llama3", "yarn", "longrope"}, s.RopeType) {
		if original != nil {
			s.OriginalMaxPositionEmbeddings = *original
		} else if s.OriginalMaxPositionEmbeddings == 0 {
			s.OriginalMaxPositionEmbeddings = maxPositions
		}
	}
	*scaling = s
	return nil
}

// check refuses keys of which rotation can make nothing, for heads of size dim.
func (s RopeScaling) check(faults *Faults, dim int) {
	if s.RopeType == "" {
		return
	}
	if !slices.Contains(ropeTypes, s.RopeType) { // its keys are not known
		faults.oneOf("rope_scaling.rope_type", s.RopeType, ropeTypes...)
		return
	}
	positive := func(key string, v float64) {
		if !(v > 0) || math.IsInf(v, 0) {
			faults.add("rope_scaling."+key, "%g is not above 0", v)
		}
	}
	if derived := s.RopeType == "yarn" || s.RopeType == "longrope" || s.RopeType == "proportional"; s.Factor != 0 || !derived {
		positive("factor", s.Factor)
	}
	if s.PartialRotaryFactor != nil {
		if p := *s.PartialRotaryFactor; s.RopeType == "proportional" && !(p >= 0 && p <= 1) {
			faults.add("rope_scaling.partial_rotary_factor", "%g is not in [0,1]", p)
		} else if s.RopeType != "proportional" && p != 1 {
			faults.add("rope_scaling.partial_rotary_factor", "%g is not supported with rope_type %s; want 1", p, s.RopeType)
		}
	}
	if s.AttentionFactor != nil && s.RopeType != "yarn" && s.RopeType != "longrope" {
		faults.add("rope_scaling.attention_factor", "%g is not for rope_type %s", *s.AttentionFactor, s.RopeType)
	} else if s.AttentionFactor != nil {
		positive("attention_factor", *s.AttentionFactor)
	}
	switch s.RopeType {
	case "llama3":
		positive("low_freq_factor", s.LowFreqFactor)
		if !(s.HighFreqFactor > s.LowFreqFactor) {
			faults.add("rope_scaling.high_freq_factor", "%g is not above low_freq_factor, %g", s.HighFreqFactor, s.LowFreqFactor)
		}
	case "longrope":
		for _, l := range []struct {
			key     string
			factors []float64
		}{{"short_factor", s.ShortFactor}, {"long_factor", s.LongFactor}} {
			if len(l.factors) != dim/2 {
				faults.add("rope_scaling."+l.key, "%d numbers, want %d, half of a head's size", len(l.factors), dim/2)
			}
			for _, v := range l.factors {
				if !(v > 0) {
					positive(l.key, v)
					break
				}
			}
		}
	case "yarn":
		if s.BetaFast < 0 || s.BetaSlow < 0 {
			faults.add("rope_scaling.beta_fast", "%g, or beta_slow, %g, is negative", s.BetaFast, s.BetaSlow)
		}
	default:
		return
	}
	faults.positive(count{"rope_scaling.original_max_position_embeddings", s.OriginalMaxPositionEmbeddings})
}

// longest is the longest sequence, in tokens, of a model with maxPositions positions. For a sequence longer than
// the original context transformers takes longrope's long_factor for all tokens, but keys that are in a cache
// already keep the short one. Here such sequences are refused.
func (s RopeScaling) longest(maxPositions int) int {
	if s.RopeType == "longrope" {
		return min(maxPositions, s.OriginalMaxPositionEmbeddings)
	}
	return maxPositions
}

// A rotation says how positions turn queries and keys: each pair of columns by so many radians a position. The
// result is multiplied by scale.
type rotation struct {
	freqs []float64
	scale float64
}

// rotation is for heads of size dim. Type dynamic changes nothing: it is for sequences longer than
// max_position_embeddings, which are refused.
func (s RopeScaling) rotation(dim int, theta float64, maxPositions int) rotation {
	r := rotation{graph.Frequencies(dim, theta), 1}
	factor := s.Factor
	if factor == 0 {
		if factor = 1; s.RopeType == "yarn" || s.RopeType == "longrope" {
			factor = float64(maxPositions) / float64(s.OriginalMaxPositionEmbeddings)
		}
	}
	switch s.RopeType {
	case "linear": // positions move closer together (kaiokendev 2023; Chen et al. 2023)
		for i := range r.freqs {
			r.freqs[i] /= factor
		}
	case "llama3":
		graph.Llama3Scaling{
			Factor: s.Factor, LowFreqFactor: s.LowFreqFactor, HighFreqFactor: s.HighFreqFactor, Context: s.OriginalMaxPositionEmbeddings,
		}.Apply(r.freqs)
	case "proportional": // only the first pairs of a head turn
		turning := int(math.Floor(s.share() * float64(dim) / 2))
		for i := range r.freqs {
			if r.freqs[i] /= factor; i >= turning {
				r.freqs[i] = 0
			}
		}
	case "longrope": // each pair has a factor of its own (Ding et al. 2024)
		for i := range r.freqs {
			r.freqs[i] /= s.ShortFactor[i]
		}
		if factor > 1 {
			r.scale = math.Sqrt(1 + math.Log(factor)/math.Log(float64(s.OriginalMaxPositionEmbeddings)))
		}
	case "yarn":
		s.yarn(r.freqs, dim, theta, factor)
		if r.scale = mscale(factor, 1); s.MScale != 0 && s.MScaleAllDim != 0 {
			r.scale = mscale(factor, s.MScale) / mscale(factor, s.MScaleAllDim)
		}
	}
	if s.AttentionFactor != nil {
		r.scale = *s.AttentionFactor
	}
	return r
}

func (s RopeScaling) share() float64 {
	if s.PartialRotaryFactor == nil {
		return 1
	}
	return *s.PartialRotaryFactor
}

// yarn keeps the frequencies of pairs that turn more than beta_fast times in the original context, divides by
// factor those of pairs that turn less than beta_slow times, and interpolates between them (Peng et al. 2023, §3.2).
func (s RopeScaling) yarn(freqs []float64, dim int, theta, factor float64) {
	pair := func(turns float64) float64 {
		return float64(dim) * math.Log(float64(s.OriginalMaxPositionEmbeddings)/(turns*2*math.Pi)) / (2 * math.Log(theta))
	}
	fast, slow := s.BetaFast, s.BetaSlow
	if fast == 0 {
		fast = 32
	}
	if slow == 0 {
		slow = 1
	}
	first, last := pair(fast), pair(slow)
	if s.Truncate == nil || *s.Truncate {
		first, last = math.Floor(first), math.Ceil(last)
	}
	first, last = max(first, 0), min(last, float64(dim-1))
	if first == last {
		last += 0.001
	}
	for i, f := range freqs {
		divided := min(max((float64(i)-first)/(last-first), 0), 1)
		freqs[i] = divided*f/factor + (1-divided)*f
	}
}

// mscale is the scale of attention that goes with a factor (Peng et al. 2023, eq. 22).
func mscale(factor, m float64) float64 {
	if factor <= 1 {
		return 1
	}
	return 0.1*m*math.Log(factor) + 1
}

// rotary refuses head sizes that rotary position embedding cannot turn. With dim 0 the size is hidden/heads; that
// these divide is for divides to check.
func (f *Faults) rotary(dim, hidden, heads int) {
	f.natural("head_dim", dim, "hidden_size / num_attention_heads")
	if (dim > 0 || dim == 0 && heads > 0 && hidden%heads == 0) && headSize(dim, hidden, heads)%2 != 0 {
		f.add("head_dim", "%d is odd; rotary position embedding turns pairs", headSize(dim, hidden, heads))
	}
}

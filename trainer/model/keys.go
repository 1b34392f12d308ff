package model

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
)

// keys are the keys that a family's config.json may have beside the fields of its structs.
type keys struct {
	aliases map[string]string   // other names of fields; where both are there, these count
	read    []string            // those that the family's UnmarshalJSON reads
	inert   []string            // without effect on any output
	only    map[string][]string // supported only with these values, in JSON, or null: others would change what the model computes
}

// commonKeys are the keys of all families.
func commonKeys() keys {
	return keys{
		inert: []string{
			"transformers_version", "_name_or_path", "name_or_path", "_commit_hash", "commit_message", "model_type", "auto_map", "gguf_file",
			"dtype", "torch_dtype", // of the stored weights, whose files say it too
			"return_dict", "output_hidden_states", "output_attentions", "output_cross_attentions", "use_cache", // which outputs, not their values
			"attn_implementation", "experts_implementation", "chunk_size_feed_forward", "gradient_checkpointing", // how they are computed
			"vision_aspect_ratio", "vision_feature_layer", "vision_feature_select_strategy",
		},
		only: map[string][]string{
			"is_encoder_decoder": {"false"}, "per_layer_config": {"{}"}, "quantization_config": {}, "transformers_weights": {},
			"text_config": {}, "text_encoder": {}, "decoder": {}, "generator": {}, // a whole configuration in the place of this one
			"fusion_config": {}, "distributed_config": {}, "kv_sharing_modes": {}, "mtp_layer_types": {}, "mlp_layer_types": {},
		},
	}
}

// of puts the keys of a family beside the common ones.
func (k keys) of(family keys) keys {
	k.aliases = family.aliases
	k.inert = append(k.inert, family.inert...)
	maps.Copy(k.only, family.only)
	return k
}

// rotaryKeys are without effect in families whose positions do not turn.
var rotaryKeys = []string{"rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor"}

// decoderKeys are the keys of a family with causal attention, as transformers' masks read them.
func decoderKeys(h Head) keys {
	k := keys{only: map[string][]string{"is_causal": {"true"}, "sliding_window": {}, "attention_chunk_size": {}, "layer_types": {}}}
	dropout := map[string][]string{"classifier_dropout": {"0", "0.0"}, "hidden_dropout": {"0", "0.0"}}
	if h == TokenClassifier {
		maps.Copy(k.only, dropout)
	} else {
		k.inert = slices.Sorted(maps.Keys(dropout))
	}
	return k
}

// rotaryDecoderKeys are the keys, beside their fields, of Llama and the families like it.
func rotaryDecoderKeys(h Head) keys {
	k := decoderKeys(h)
	if h == TokenClassifier {
		k.only["token_classification_bias"] = []string{"true"}
	}
	k.inert = append(k.inert, "token_classification_bias", "num_heads")
	k.read = ropeKeys
	return k
}

// fieldNames are the keys that structs have fields for.
func fieldNames(structs ...any) []string {
	var names []string
	for _, s := range structs {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(s)) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "" && name != "-" {
				names = append(names, name)
			}
		}
	}
	return names
}

// fields are the keys of a configuration that have fields, or that its family reads for them.
func (c Config) fields() []string {
	return append(fieldNames(plain(c), c.Family), c.Family.keys(LanguageModel).read...)
}

// Width gives the size of a hidden state, C, which families have under several names.
func (c Config) Width() int {
	name := cmp.Or(c.Family.keys(LanguageModel).aliases["hidden_size"], "hidden_size")
	v := reflect.Indirect(reflect.ValueOf(c.Family))
	for _, f := range reflect.VisibleFields(v.Type()) {
		if key, _, _ := strings.Cut(f.Tag.Get("json"), ","); key == name {
			return int(v.FieldByIndex(f.Index).Int())
		}
	}
	panic("model: " + c.ModelType + " has no " + name)
}

// nullable are fields for which null means the default, beside pointers and fields that are left
// out where they are zero.
var nullable = []string{"problem_type", "attention_dropout", "mem_len", "reuse_len", "decoder_start_token_id", "rope_scaling", "rope_parameters", "rope_theta", "sliding_window", "num_key_value_heads", "layer_types", "max_window_layers", "sliding_window_pattern", "partial_rotary_factor", "original_max_position_embeddings"}

// settled gives a config.json's keys by the names of fields, with aliases and nulls resolved.
func (c Config) settled(raw map[string]json.RawMessage) (map[string]json.RawMessage, error) {
	known := map[string]json.RawMessage{}
	for _, name := range c.fields() {
		if v, ok := raw[name]; ok {
			known[name] = v
		}
	}
	aliases := c.Family.keys(LanguageModel).aliases
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		if v, ok := raw[alias]; ok {
			known[aliases[alias]] = v
		}
	}
	var errs []error
	for _, s := range []any{plain(c), c.Family} {
		for _, f := range reflect.VisibleFields(reflect.TypeOf(s)) {
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if string(known[name]) != "null" || slices.Contains(nullable, name) {
				continue
			}
			switch f.Type.Kind() {
			case reflect.Pointer, reflect.Slice, reflect.Map:
			default:
				if options != "omitempty" {
					errs = append(errs, fmt.Errorf("model: config: %s is null", name))
				}
				known[name] = json.RawMessage("0") // what it is derived from
			}
		}
	}
	return known, errors.Join(errs...)
}

// keyFaults are the faults of keys that have no field.
func (c Config) keyFaults(raw map[string]json.RawMessage) (faults Faults) {
	h, err := c.Head()
	if err != nil {
		return nil // which is a fault of its own
	}
	k, fields := commonKeys().of(c.Family.keys(h)), c.fields()
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		values, ok := k.only[name]
		if !ok || slices.Contains(fields, name) {
			continue
		}
		var text bytes.Buffer
		if err := json.Compact(&text, raw[name]); err != nil || text.String() == "null" || slices.Contains(values, text.String()) {
			continue
		}
		var layers []string
		if name == "layer_types" && json.Unmarshal(raw[name], &layers) == nil && !slices.ContainsFunc(layers, func(l string) bool { return l != "full_attention" }) {
			continue
		}
		value := text.String()
		if len(value) > 60 {
			value = strings.ToValidUTF8(value[:60], "") + "…"
		}
		only := ""
		if len(values) > 0 {
			only = "; want " + strings.Join(values, " or ")
		}
		var quantised struct {
			Method string `json:"quant_method"`
		}
		if name == "quantization_config" && json.Unmarshal(raw[name], &quantised) == nil {
			faults.add(name, "quantised weights (%s) are not supported; save the model again without", cmp.Or(quantised.Method, "of a method that is not named"))
			continue
		}
		faults.add(name, "%s is not supported%s", value, only)
	}
	return faults
}

// UnknownKeys are the keys of a config.json that its model_type does not have.
func UnknownKeys(text []byte) ([]string, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, fmt.Errorf("model: config: %w", err)
	}
	var kind string
	if err := json.Unmarshal(raw["model_type"], &kind); err != nil {
		return nil, fmt.Errorf("model: config: model_type: %w", err)
	}
	c, err := DefaultConfig(kind)
	if err != nil {
		return nil, err
	}
	known := c.fields()
	for h := range numHeads {
		k := commonKeys().of(c.Family.keys(h))
		known = append(append(known, k.inert...), slices.Collect(maps.Keys(k.only))...)
		known = append(known, slices.Collect(maps.Keys(k.aliases))...)
	}
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	return unknown, nil
}

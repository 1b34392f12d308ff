package generate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"hone/trainer/model"
)

// Settings are the defaults of generation that come with a model, as Hugging Face's
// generation_config.json has them. The zero Settings are those of a model without that file.
type Settings struct {
	// Starts says that every text starts with bos_token_id (or <|endoftext|>), as the training
	// documents of hone do. Otherwise the tokenizer's post-processor decides which tokens stand
	// around a prompt.
	Starts bool

	Ends         model.TokenIDs // tokens that end a text; nil: eos_token_id of the configuration
	BOS          *int           // first token where the prompt is empty; nil: the configuration's
	DecoderStart *int           // first token of the decoder of an encoder-decoder; nil: the configuration's

	DoSample    *bool
	Temperature *float64
	TopK        *int
	TopP        *float64
	MaxTokens   *int

	Ignored []string // "key value" of the keys that would change a text and are not followed
}

// settingsKeys are the keys of a generation_config.json that are followed.
var settingsKeys = []string{
	"eos_token_id", "bos_token_id", "decoder_start_token_id", "do_sample", "temperature", "top_k", "top_p", "max_new_tokens",
}

// neutral lists the keys that are not followed, with the values at which they change no text.
// A nil list: the key never changes a text. The value null never does.
var neutral = map[string][]string{
	"min_length": {"0"}, "min_new_tokens": {"0"}, "num_beams": {"1"}, "early_stopping": nil, "length_penalty": nil, "num_return_sequences": {"1"},
	"max_time": {}, "stop_strings": {"[]"}, "min_p": {"0"}, "top_h": {}, "typical_p": {"1"}, "epsilon_cutoff": {"0"}, "eta_cutoff": {"0"},
	"repetition_penalty": {"1"}, "encoder_repetition_penalty": {"1"}, "no_repeat_ngram_size": {"0"}, "encoder_no_repeat_ngram_size": {"0"},
	"bad_words_ids": {"[]"}, "force_words_ids": {"[]"}, "forced_bos_token_id": {}, "forced_eos_token_id": {}, "exponential_decay_length_penalty": {},
	"suppress_tokens": {"[]"}, "begin_suppress_tokens": {"[]"}, "sequence_bias": {"[]", "{}"}, "token_healing": {"false"}, "guidance_scale": {"1"},
	"watermarking_config": {}, "penalty_alpha": {"0"}, "dola_layers": {}, "diversity_penalty": {"0"}, "num_beam_groups": {"1"}, "constraints": {},
	"renormalize_logits": nil, "remove_invalid_values": nil, "prompt_lookup_num_tokens": nil,
	"max_length": nil, // --max-tokens, which always says something, goes first
	"use_cache":  nil, "cache_implementation": nil, "cache_config": nil, "max_cache_len": nil, "use_mtp": nil, "pad_token_id": nil,
	"output_attentions": nil, "output_hidden_states": nil, "output_scores": nil, "output_logits": nil, "return_dict_in_generate": nil,
	"is_assistant": nil, "num_assistant_tokens": nil, "num_assistant_tokens_schedule": nil, "assistant_confidence_threshold": nil,
	"max_matching_ngram_size": nil, "assistant_early_exit": nil, "assistant_lookbehind": nil, "target_lookbehind": nil,
	"assistant_ensemble_weight": nil, "speculation_type": nil, "compile_config": nil, "disable_compile": nil, "continuous_batching_config": nil,
	"low_memory": nil, "prefill_chunk_size": nil, "_from_model_config": nil, "transformers_version": nil,
}

// KnownSetting reports whether a key is one of generation_config.json.
func KnownSetting(key string) bool {
	_, ok := neutral[key]
	return ok || slices.Contains(settingsKeys, key)
}

// ReadSettings reads a generation_config.json. Keys that would change a text and are not
// followed are listed in Ignored. Errors mean that the file is wrong (exit code 2).
func ReadSettings(text []byte) (*Settings, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, err
	}
	s := &Settings{}
	into := map[string]any{
		"eos_token_id": &s.Ends, "bos_token_id": &s.BOS, "decoder_start_token_id": &s.DecoderStart, "do_sample": &s.DoSample,
		"temperature": &s.Temperature, "top_k": &s.TopK, "top_p": &s.TopP, "max_new_tokens": &s.MaxTokens,
	}
	var errs []error
	for _, key := range settingsKeys {
		if value, ok := keys[key]; ok && json.Unmarshal(value, into[key]) != nil {
			errs = append(errs, fmt.Errorf("%s: %s is not a valid value", key, value))
		}
	}
	for _, id := range append(slices.Clone(s.Ends), *cmp.Or(s.BOS, new(int)), *cmp.Or(s.DecoderStart, new(int))) {
		if int(int32(id)) != id {
			errs = append(errs, fmt.Errorf("%d is not a token", id))
		}
	}
	for key, value := range keys {
		if !slices.Contains(settingsKeys, key) && changes(key, value) {
			s.Ignored = append(s.Ignored, key+" "+string(value))
		}
	}
	slices.Sort(s.Ignored)
	return s, errors.Join(errs...)
}

// SettingsOfConfig gives the text of a generation_config.json with the keys of generation that
// older versions of transformers put into config.json; nil where there are none with an effect.
func SettingsOfConfig(keys map[string]json.RawMessage) ([]byte, error) {
	kept := map[string]json.RawMessage{}
	for key, value := range keys {
		if slices.Contains(settingsKeys, key) && !strings.HasSuffix(key, "_token_id") || KnownSetting(key) && !slices.Contains(settingsKeys, key) && changes(key, value) {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	for _, key := range settingsKeys {
		if value, ok := keys[key]; ok {
			kept[key] = value
		}
	}
	text, err := json.MarshalIndent(kept, "", "  ")
	return append(text, '\n'), err
}

// changes reports whether a key that is not followed would change a text; of unknown keys that
// is assumed.
func changes(key string, value json.RawMessage) bool {
	values, known := neutral[key]
	if known && values == nil || string(value) == "null" {
		return false
	}
	var number float64
	text := string(value)
	if json.Unmarshal(value, &number) == nil {
		text = fmt.Sprint(number) // 1.0 is 1
	}
	return !slices.Contains(values, text)
}

// Sampling copies the settings of sampling and length into o, except the options for which
// given reports true, by their names on the command line. Where the settings ask for
// sampling, the values that they leave out are those of transformers: temperature 1, top-k 50.
func (s *Settings) Sampling(o *Options, given func(option string) bool) (followed []string) {
	sample := s.DoSample != nil && *s.DoSample
	set := func(option string, value *float64, otherwise float64, put func(v float64)) {
		switch {
		case given(option):
			return
		case value != nil:
		case sample:
			value = &otherwise
		default:
			return
		}
		put(*value)
		followed = append(followed, fmt.Sprintf("%s %g", option, *value))
	}
	temperature := s.Temperature
	if s.DoSample != nil && !*s.DoSample {
		temperature = new(float64)
	}
	var k *float64
	if s.TopK != nil {
		v := float64(*s.TopK)
		k = &v
	}
	set("temperature", temperature, 1, func(v float64) { o.Temperature = v })
	set("top-k", k, 50, func(v float64) { o.TopK = int(v) })
	set("top-p", s.TopP, 1, func(v float64) { o.TopP = v })
	if s.MaxTokens != nil && !given("max-tokens") {
		o.MaxTokens = *s.MaxTokens
		followed = append(followed, fmt.Sprintf("max-tokens %d", o.MaxTokens))
	}
	return followed
}

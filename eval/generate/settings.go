package generate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
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

	Ignored []string // "key value" of the keys that would change a text and are not followed

	values map[string]json.RawMessage // of do_sample and the keys of options
}

// An optionKey is a key of a generation_config.json that sets an option of the command line.
type optionKey struct {
	key, option string
	neutral     []string // values that change no text
	field       func(o *Options) any
}

var optionKeys = []optionKey{
	{"temperature", "temperature", nil, func(o *Options) any { return &o.Temperature }},
	{"top_k", "top-k", nil, func(o *Options) any { return &o.TopK }},
	{"top_p", "top-p", nil, func(o *Options) any { return (*topP)(&o.TopP) }},
	{"min_p", "min-p", []string{"0"}, func(o *Options) any { return &o.MinP }},
	{"typical_p", "typical-p", []string{"1"}, func(o *Options) any { return &o.TypicalP }},
	{"epsilon_cutoff", "epsilon-cutoff", []string{"0"}, func(o *Options) any { return &o.EpsilonCutoff }},
	{"eta_cutoff", "eta-cutoff", []string{"0"}, func(o *Options) any { return &o.EtaCutoff }},
	{"encoder_repetition_penalty", "encoder-repetition-penalty", []string{"1"}, func(o *Options) any { return &o.EncoderRepetitionPenalty }},
	{"encoder_no_repeat_ngram_size", "encoder-no-repeat-ngram", []string{"0"}, func(o *Options) any { return &o.EncoderNoRepeatNGram }},
	{"repetition_penalty", "repetition-penalty", []string{"1"}, func(o *Options) any { return &o.RepetitionPenalty }},
	{"no_repeat_ngram_size", "no-repeat-ngram", []string{"0"}, func(o *Options) any { return &o.NoRepeatNGram }},
	{"sequence_bias", "logit-bias", []string{"[]", "{}"}, func(o *Options) any { return (*sequenceBias)(&o.Bias) }},
	{"suppress_tokens", "logit-bias", []string{"[]"}, func(o *Options) any { return (*suppressed)(&o.Bias) }},
	{"bad_words_ids", "bad-words", []string{"[]"}, func(o *Options) any { return &o.BadWords }},
	{"forced_bos_token_id", "forced-first", nil, func(o *Options) any { return (*tokens)(&o.ForcedFirst) }},
	{"forced_eos_token_id", "forced-last", nil, func(o *Options) any { return (*tokens)(&o.ForcedLast) }},
	{"begin_suppress_tokens", "begin-suppress", []string{"[]"}, func(o *Options) any { return &o.BeginSuppress }},
	{"exponential_decay_length_penalty", "decay", nil, func(o *Options) any { return &o.Decay }},
	{"min_length", "min-length", []string{"0"}, func(o *Options) any { return &o.MinLength }},
	{"min_new_tokens", "min-tokens", []string{"0"}, func(o *Options) any { return &o.MinTokens }},
	{"num_beams", "num-beams", []string{"1"}, func(o *Options) any { return &o.NumBeams }},
	{"length_penalty", "length-penalty", []string{"1"}, func(o *Options) any { return &o.LengthPenalty }},
	{"early_stopping", "early-stopping", []string{"false"}, func(o *Options) any { return &o.EarlyStopping }},
	{"num_return_sequences", "n", []string{"1"}, func(o *Options) any { return &o.N }},
	{"max_new_tokens", "max-tokens", nil, func(o *Options) any { return &o.MaxTokens }},
	{"stop_strings", "stop", []string{"[]", `""`}, func(o *Options) any { return (*stopStrings)(&o.Stop) }},
}

// topP is a top_p, of which 0 leaves the most likely token alone.
type topP float64

func (p *topP) UnmarshalJSON(value []byte) error {
	err := json.Unmarshal(value, (*float64)(p))
	if *p == 0 {
		*p = math.SmallestNonzeroFloat64
	}
	return err
}

// sequenceBias is a list of pairs: tokens, and what is added to the logit of the last of them.
type sequenceBias []Bias

func (s *sequenceBias) UnmarshalJSON(value []byte) error {
	var pairs [][2]json.RawMessage
	if err := json.Unmarshal(value, &pairs); err != nil {
		return err
	}
	for _, p := range pairs {
		var b Bias
		if err := errors.Join(json.Unmarshal(p[0], &b.IDs), json.Unmarshal(p[1], &b.Add)); err != nil {
			return err
		}
		*s = append(*s, b)
	}
	return nil
}

// suppressed are tokens that are never written.
type suppressed []Bias

func (s *suppressed) UnmarshalJSON(value []byte) error {
	var ids []int32
	err := json.Unmarshal(value, &ids)
	for _, id := range ids {
		*s = append(*s, Bias{IDs: []int32{id}, Add: math.Inf(-1)})
	}
	return err
}

// tokens are one or a list.
type tokens []int32

func (t *tokens) UnmarshalJSON(value []byte) error {
	var one int32
	if json.Unmarshal(value, &one) == nil {
		*t = tokens{one}
		return nil
	}
	return json.Unmarshal(value, (*[]int32)(t))
}

// UnmarshalJSON reads a pair: tokens and the factor.
func (d *Decay) UnmarshalJSON(value []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(value, &pair); err != nil {
		return err
	}
	return errors.Join(json.Unmarshal(pair[0], &d.From), json.Unmarshal(pair[1], &d.Factor))
}

// stopStrings are one or a list.
type stopStrings []string

func (s *stopStrings) UnmarshalJSON(value []byte) error {
	var one string
	if json.Unmarshal(value, &one) == nil {
		*s = append(*s, one)
		return nil
	}
	return json.Unmarshal(value, (*[]string)(s))
}

// Keys that are followed otherwise.
var ownKeys = []string{"eos_token_id", "bos_token_id", "decoder_start_token_id", "do_sample"}

// followed reports whether a key is followed.
func followed(key string) bool {
	return slices.Contains(ownKeys, key) || slices.ContainsFunc(optionKeys, func(k optionKey) bool { return k.key == key })
}

// neutral lists the keys that are not followed, with the values at which they change no text.
// A nil list: the key never changes a text. The value null never does.
var neutral = map[string][]string{
	"max_time": {}, "top_h": {}, "force_words_ids": {"[]"}, "token_healing": {"false"}, "guidance_scale": {"1"},
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
	return ok || followed(key)
}

// ReadSettings reads a generation_config.json. Keys that would change a text and are not
// followed are listed in Ignored. Errors mean that the file is wrong (exit code 2).
func ReadSettings(text []byte) (*Settings, error) {
	s := &Settings{}
	if err := json.Unmarshal(text, &s.values); err != nil {
		return nil, err
	}
	var errs []error
	read := func(key string, into any) {
		if value, ok := s.values[key]; ok && json.Unmarshal(value, into) != nil {
			errs = append(errs, fmt.Errorf("%s: %s is not a valid value", key, value))
		}
	}
	read("eos_token_id", &s.Ends)
	read("bos_token_id", &s.BOS)
	read("decoder_start_token_id", &s.DecoderStart)
	read("do_sample", new(bool))
	for _, k := range optionKeys {
		read(k.key, k.field(&Options{}))
	}
	for _, id := range append(slices.Clone(s.Ends), *cmp.Or(s.BOS, new(int)), *cmp.Or(s.DecoderStart, new(int))) {
		if int(int32(id)) != id {
			errs = append(errs, fmt.Errorf("%d is not a token", id))
		}
	}
	for key, value := range s.values {
		if !followed(key) && changes(key, value) {
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
		own := slices.Contains(ownKeys, key) && strings.HasSuffix(key, "_token_id")
		if KnownSetting(key) && !own && changes(key, value) {
			kept[key] = value
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	for _, key := range ownKeys {
		if value, ok := keys[key]; ok {
			kept[key] = value
		}
	}
	text, err := json.MarshalIndent(kept, "", "  ")
	return append(text, '\n'), err
}

// changes reports whether a key would change a text; of unknown keys that is assumed.
func changes(key string, value json.RawMessage) bool {
	values, known := neutral[key]
	if i := slices.IndexFunc(optionKeys, func(k optionKey) bool { return k.key == key }); i >= 0 {
		values = optionKeys[i].neutral
	} else if known && values == nil {
		return false
	}
	return string(value) != "null" && !slices.Contains(values, plain(value))
}

// plain writes numbers in one way: 1.0 is 1.
func plain(value json.RawMessage) string {
	var number float64
	if json.Unmarshal(value, &number) == nil {
		return fmt.Sprint(number)
	}
	return string(value)
}

// drawn are the keys of what a token is drawn from.
var drawn = []string{"top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}

// Undrawn are the settings without those of drawing tokens.
func (s *Settings) Undrawn() *Settings {
	out := *s
	out.values = maps.Clone(s.values)
	for _, key := range append([]string{"do_sample", "temperature"}, drawn...) {
		delete(out.values, key)
	}
	return &out
}

// Sampling copies the settings of options into o, except of the options for which given
// reports true, by their names on the command line, and says what it has copied. Where the
// settings ask for sampling, the values that they leave out are those of transformers:
// temperature 1, top-k 50. A beam search draws nothing: where the command line asks for one,
// the settings of sampling are left out, as those of a beam search are where it asks for a
// temperature; and settings that ask for one and not for sampling mean temperature 0.
func (s *Settings) Sampling(o *Options, given func(option string) bool) (said []string) {
	values := map[string]json.RawMessage{}
	var sample *bool
	json.Unmarshal(s.values["do_sample"], &sample) // read before without errors, as all values
	if sample != nil && *sample {
		values["temperature"], values["top_k"], values["top_p"] = json.RawMessage("1"), json.RawMessage("50"), json.RawMessage("1")
	}
	for _, k := range optionKeys {
		if value, ok := s.values[k.key]; ok && changes(k.key, value) {
			values[k.key] = value
		}
	}
	if sample != nil && !*sample {
		values["temperature"] = json.RawMessage("0")
	}
	_, searches := values["num_beams"]
	leave := func(keys ...string) {
		for _, key := range keys {
			delete(values, key)
		}
	}
	switch {
	case given("num-beams") && o.NumBeams > 1:
		leave(append([]string{"temperature"}, drawn...)...)
	case searches && !given("num-beams") && !given("temperature") && (sample == nil || !*sample):
		leave(drawn...)
		values["temperature"] = json.RawMessage("0")
	case searches && given("temperature") && o.Temperature != 0:
		leave("num_beams", "length_penalty", "early_stopping")
		s.Ignored = append(s.Ignored, "num_beams "+string(s.values["num_beams"]))
	}
	for _, k := range optionKeys {
		if value, ok := values[k.key]; ok && !given(k.option) {
			json.Unmarshal(value, k.field(o))
			said = append(said, k.option+" "+plain(value))
		}
	}
	return said
}

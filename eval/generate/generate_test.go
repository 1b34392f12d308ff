package generate

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/trainer/model"
)

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		text string
		stop []string
		want int
	}{
		{"abc", nil, 3}, {"ab\xe4\xb8", nil, 2}, {"ab\xe4\xb8\xad", nil, 5}, {"ab\xff", nil, 3},
		{"ab\n", []string{"\n\n"}, 2}, {"abEN", []string{"END"}, 2}, {"", []string{"x"}, 0},
	} {
		if got := complete([]byte(c.text), c.stop); got != c.want {
			t.Errorf("complete(%q, %q) = %d, want %d", c.text, c.stop, got, c.want)
		}
	}
	if got := firstStop([]byte("one two"), 0, []string{"two", "", "e"}); got != 2 {
		t.Errorf("firstStop = %d", got)
	}
}

func TestSettings(t *testing.T) {
	s, err := ReadSettings([]byte(`{"eos_token_id": [1, 2], "bos_token_id": 0, "do_sample": true, "temperature": 0.6, "top_p": 0.9, "max_new_tokens": 7,
		"guidance_scale": 1.2, "num_beams": 1, "typical_p": 1.0, "top_h": null, "suppress_tokens": [], "new_key": 3, "max_length": 4096,
		"transformers_version": "5.24.0", "dola_layers": "high", "diversity_penalty": 0.5}`))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Ends, model.TokenIDs{1, 2}) || *s.BOS != 0 {
		t.Errorf("ends %v, bos %v", s.Ends, *s.BOS)
	}
	if want := []string{"diversity_penalty 0.5", `dola_layers "high"`, "guidance_scale 1.2", "new_key 3"}; !slices.Equal(s.Ignored, want) {
		t.Errorf("ignored %q, want %q", s.Ignored, want)
	}
	for _, c := range []struct {
		settings string
		given    []string
		want     Options
		followed string
	}{
		{`{}`, nil, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.8}}, ""},
		{`{"do_sample": true}`, nil, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 1, TopK: 50, TopP: 1}}, "temperature 1, top-k 50, top-p 1"},
		{`{"do_sample": true, "temperature": 0.6, "top_k": 0, "top_p": 0.9, "max_new_tokens": 7}`, []string{"top-p"},
			Options{MaxTokens: 7, Sampler: Sampler{Temperature: 0.6}}, "temperature 0.6, top-k 0, max-tokens 7"},
		{`{"do_sample": false, "temperature": 0.6}`, nil, Options{MaxTokens: 100}, "temperature 0"},
		{`{"do_sample": false, "max_new_tokens": 7}`, []string{"temperature", "max-tokens"}, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.8}}, ""},
		{`{"min_p": 0.1, "typical_p": 0.9, "repetition_penalty": 1.1, "no_repeat_ngram_size": 3, "bad_words_ids": [[3, 4]], "min_new_tokens": 2, "min_length": 5,
			"sequence_bias": [[[5], 1.5], [[6, 7], -2]], "suppress_tokens": [8], "stop_strings": "END"}`, nil,
			Options{MaxTokens: 100, Stop: []string{"END"}, Sampler: Sampler{Temperature: 0.8, MinP: 0.1, TypicalP: 0.9, RepetitionPenalty: 1.1, NoRepeatNGram: 3,
				BadWords: [][]int32{{3, 4}}, MinTokens: 2, MinLength: 5, Bias: []Bias{{[]int32{5}, 1.5}, {[]int32{6, 7}, -2}, {[]int32{8}, math.Inf(-1)}}}},
			`min-p 0.1, typical-p 0.9, repetition-penalty 1.1, no-repeat-ngram 3, logit-bias [[[5], 1.5], [[6, 7], -2]], logit-bias [8], bad-words [[3, 4]], ` +
				`min-length 5, min-tokens 2, stop "END"`},
		{`{"min_p": 0, "typical_p": 1.0, "repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "bad_words_ids": null, "stop_strings": ["a", "b"]}`, nil,
			Options{MaxTokens: 100, Stop: []string{"a", "b"}, Sampler: Sampler{Temperature: 0.8}}, `stop ["a", "b"]`},
		{`{"do_sample": true, "top_p": 0}`, nil, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 1, TopK: 50, TopP: math.SmallestNonzeroFloat64}}, "temperature 1, top-k 50, top-p 0"},
		{`{"num_beams": 4, "length_penalty": 0.6, "early_stopping": true, "num_return_sequences": 2, "top_k": 7}`, nil,
			Options{MaxTokens: 100, N: 2, Beams: Beams{4, 0.6, EarlyFirst}}, "temperature 0, num-beams 4, length-penalty 0.6, early-stopping true, n 2"},
		{`{"num_beams": 4, "early_stopping": "never"}`, []string{"temperature"}, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.8}}, ""},
		{`{"num_beams": 4, "do_sample": true}`, nil, Options{MaxTokens: 100, Beams: Beams{NumBeams: 4}, Sampler: Sampler{Temperature: 1, TopK: 50, TopP: 1}},
			"temperature 1, top-k 50, top-p 1, num-beams 4"}, // which Validate refuses
		{`{"forced_bos_token_id": 6, "forced_eos_token_id": [1, 2], "begin_suppress_tokens": [7], "encoder_repetition_penalty": 1.5, "encoder_no_repeat_ngram_size": 2,
			"exponential_decay_length_penalty": [15, 1.6], "epsilon_cutoff": 3e-4, "eta_cutoff": 0.0}`, nil,
			Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.8, EpsilonCutoff: 3e-4, EncoderRepetitionPenalty: 1.5, EncoderNoRepeatNGram: 2, ForcedFirst: []int32{6},
				ForcedLast: []int32{1, 2}, BeginSuppress: []int32{7}, Decay: Decay{15, 1.6}}},
			"epsilon-cutoff 0.0003, encoder-repetition-penalty 1.5, encoder-no-repeat-ngram 2, forced-first 6, forced-last [1, 2], begin-suppress [7], decay [15, 1.6]"},
		{`{"temperature": 0.6}`, nil, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.6}}, "temperature 0.6"},
	} {
		s, err := ReadSettings([]byte(c.settings))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.8}}
		followed := strings.Join(s.Sampling(&o, func(option string) bool { return slices.Contains(c.given, option) }), ", ")
		if !reflect.DeepEqual(o, c.want) || followed != c.followed {
			t.Errorf("%s with %v: %+v, followed %q; want %+v, %q", c.settings, c.given, o, followed, c.want, c.followed)
		}
	}
	if _, err := ReadSettings([]byte(`{"eos_token_id": "</s>", "top_k": 0.5, "early_stopping": 3}`)); err == nil || !strings.Contains(err.Error(), `eos_token_id: "</s>" is not a valid value`) ||
		!strings.Contains(err.Error(), "top_k: 0.5") || !strings.Contains(err.Error(), "early_stopping: 3 is not") {
		t.Errorf("error %v", err)
	}
	text, err := SettingsOfConfig(map[string]json.RawMessage{
		"guidance_scale": []byte("1.2"), "eos_token_id": []byte("3"), "vocab_size": []byte("9"), "num_beams": []byte("1"), "decoder_start_token_id": []byte("0"),
		"forced_eos_token_id": []byte("2"),
	})
	if s, err2 := ReadSettings(text); err != nil || err2 != nil || len(s.Ends) != 1 || len(s.Ignored) != 1 || strings.Contains(string(text), "vocab") || !strings.Contains(string(text), "forced_eos") {
		t.Errorf("%v, %v: %s", err, err2, text)
	}
	if text, err := SettingsOfConfig(map[string]json.RawMessage{"eos_token_id": []byte("3"), "num_beams": []byte("1"), "max_length": []byte("20")}); text != nil || err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

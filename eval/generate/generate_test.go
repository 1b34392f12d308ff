package generate

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"hone/trainer/model"
)

func TestSampler(t *testing.T) {
	logits := []float32{0, 2, 1, -1}
	if got := (&Sampler{}).picker(nil).pick(logits); got != 1 {
		t.Errorf("greedy picked %d", got)
	}
	count := func(s Sampler) (n [4]int) {
		p := s.picker(nil)
		for range 20000 {
			n[p.pick(logits)]++
		}
		return n
	}
	if n := count(Sampler{Temperature: 1, TopK: 2}); n[0]+n[3] != 0 || n[1] == 0 || n[2] == 0 {
		t.Errorf("top-k 2 picked %v", n)
	}
	// Probabilities are .237 .644 .087 .032 for logits 1 2 0 -1: the first two reach .8.
	if n := count(Sampler{Temperature: 1, TopP: 0.8}); n[0]+n[3] != 0 || n[2] == 0 {
		t.Errorf("top-p 0.8 picked %v", n)
	}
	n := count(Sampler{Temperature: 2})
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) / 2)
	}
	for i, v := range logits {
		p := math.Exp(float64(v)/2) / sum
		if d := math.Abs(float64(n[i])/20000 - p); d > 4*math.Sqrt(p*(1-p)/20000) {
			t.Errorf("token %d: share %g, want %g", i, float64(n[i])/20000, p)
		}
	}
	if a, b := count(Sampler{Temperature: 1, Seed: 3}), count(Sampler{Temperature: 1, Seed: 3}); a != b {
		t.Error("the same seed gave other tokens")
	}
	for _, s := range []Sampler{{Temperature: -1}, {TopK: -1}, {TopP: 2}, {Temperature: math.NaN()}} {
		if s.validate() == nil {
			t.Errorf("%+v was accepted", s)
		}
	}
}

func TestComplete(t *testing.T) {
	for _, c := range []struct {
		text string
		stop []string
		want int
	}{
		{"abc", nil, 3}, {"ab\xe4\xb8", nil, 2}, {"ab\xe4\xb8\xad", nil, 5}, {"ab\xff", nil, 3},
		{"ab\n", []string{"\n\n"}, 2}, {"abEN", []string{"END"}, 2}, {"", []string{"x"}, 0},
	} {
		if got := complete(c.text, c.stop); got != c.want {
			t.Errorf("complete(%q, %q) = %d, want %d", c.text, c.stop, got, c.want)
		}
	}
	if got := firstStop("one two", []string{"two", "", "e"}); got != 2 {
		t.Errorf("firstStop = %d", got)
	}
}

func TestSettings(t *testing.T) {
	s, err := ReadSettings([]byte(`{"eos_token_id": [1, 2], "bos_token_id": 0, "do_sample": true, "temperature": 0.6, "top_p": 0.9, "max_new_tokens": 7,
		"repetition_penalty": 1.2, "num_beams": 1, "typical_p": 1.0, "guidance_scale": null, "suppress_tokens": [], "new_key": 3, "max_length": 4096,
		"transformers_version": "5.24.0", "bad_words_ids": [[3]], "forced_eos_token_id": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(s.Ends, model.TokenIDs{1, 2}) || *s.BOS != 0 {
		t.Errorf("ends %v, bos %v", s.Ends, *s.BOS)
	}
	if want := []string{"bad_words_ids [[3]]", "forced_eos_token_id 2", "new_key 3", "repetition_penalty 1.2"}; !slices.Equal(s.Ignored, want) {
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
		{`{"temperature": 0.6}`, nil, Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.6}}, "temperature 0.6"},
	} {
		s, err := ReadSettings([]byte(c.settings))
		if err != nil {
			t.Fatal(err)
		}
		o := Options{MaxTokens: 100, Sampler: Sampler{Temperature: 0.8}}
		followed := strings.Join(s.Sampling(&o, func(option string) bool { return slices.Contains(c.given, option) }), ", ")
		if o.MaxTokens != c.want.MaxTokens || o.Sampler != c.want.Sampler || followed != c.followed {
			t.Errorf("%s with %v: %+v, followed %q; want %+v, %q", c.settings, c.given, o, followed, c.want, c.followed)
		}
	}
	if _, err := ReadSettings([]byte(`{"eos_token_id": "</s>", "top_k": 0.5}`)); err == nil || !strings.Contains(err.Error(), `eos_token_id: "</s>" is not a valid value`) ||
		!strings.Contains(err.Error(), "top_k: 0.5") {
		t.Errorf("error %v", err)
	}
	text, err := SettingsOfConfig(map[string]json.RawMessage{
		"repetition_penalty": []byte("1.2"), "eos_token_id": []byte("3"), "vocab_size": []byte("9"), "num_beams": []byte("1"), "decoder_start_token_id": []byte("0"),
	})
	if s, err2 := ReadSettings(text); err != nil || err2 != nil || len(s.Ends) != 1 || len(s.Ignored) != 1 || strings.Contains(string(text), "vocab") {
		t.Errorf("%v, %v: %s", err, err2, text)
	}
	if text, err := SettingsOfConfig(map[string]json.RawMessage{"eos_token_id": []byte("3"), "num_beams": []byte("1"), "max_length": []byte("20")}); text != nil || err != nil {
		t.Errorf("%v: %s", err, text)
	}
}

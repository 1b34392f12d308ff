package model

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestReadConfig(t *testing.T) {
	text, err := os.ReadFile("testdata/config.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := ReadConfig(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	f := c.Family.(GPT2)
	if c.VocabSize != 29 || f.NEmbd != 16 || f.NInner != 0 || *c.PadTokenID != 28 || f.ResidPDrop != 0.25 || !c.TieWordEmbeddings {
		t.Errorf("read %+v", c)
	}
	if got := c.Labels(); !reflect.DeepEqual(got, []string{"LABEL_0", "LABEL_1", "LABEL_2"}) {
		t.Errorf("labels %v", got)
	}
	// What is written is read back as the same.
	c.SetLabels([]string{"net", "go", "crypto"})
	c.EOSTokenID = nil
	written, err := c.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadConfig(bytes.NewReader(written))
	if err != nil {
		t.Fatal(err)
	}
	again.NumLabels = c.NumLabels
	if !reflect.DeepEqual(again, c) {
		t.Errorf("written %+v, read %+v", c, again)
	}
	if !bytes.Contains(written, []byte(`"eos_token_id": null`)) {
		t.Errorf("no eos token is not written as null:\n%s", written)
	}
}

func TestConfigErrors(t *testing.T) {
	for text, want := range map[string]string{
		`{"model_type": "gpt2", "n_embd": "wide"}`:                        "n_embd is a JSON string, want int",
		`{"model_type": "bort"}`:                                          `model_type "bort" is not known; known are gpt2, llama`,
		`{}`:                                                              `model_type "" is not known`,
		`{"model_type": "gpt2"`:                                           "unexpected end of JSON input",
		`{"model_type": "gpt2", "n_head": 7}`:                             "n_embd: 768 is not a multiple of n_head, 7",
		`{"model_type": "gpt2", "n_layer": 0}`:                            "n_layer: 0 is less than 1",
		`{"model_type": "gpt2", "activation_function": "xielu"}`:          `activation_function: "xielu" is not known`,
		`{"model_type": "gpt2", "resid_pdrop": 1}`:                        "resid_pdrop: 1 is not in [0,1)",
		`{"model_type": "gpt2", "layer_norm_epsilon": 0}`:                 "layer_norm_epsilon: 0 is not above 0",
		`{"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": true}`: "scale_attn_by_inverse_layer_idx: true is not supported",
		`{"model_type": "gpt2", "add_cross_attention": true}`:             "add_cross_attention",
		`{"model_type": "gpt2", "architectures": ["GPT2ForSequenceClassification"], "problem_type": "ranking"}`:                                                              `problem_type: "ranking" is not known; known are single_label_classification`,
		`{"model_type": "gpt2", "architectures": ["GPT2ForSequenceClassification"], "problem_type": "regression"}`:                                                           `num_labels: 2, but with problem_type regression there is one number; more are not supported`,
		`{"model_type": "gpt2", "architectures": ["GPT2ForSequenceClassification"], "problem_type": "single_label_classification", "num_labels": 1, "id2label": {"0": "a"}}`: `num_labels: 1 label leaves nothing to choose`,
		`{"model_type": "gpt2", "num_labels": 2, "id2label": {"0": "a"}}`:                                                                                                    "num_labels: 2, but id2label has 1",
		`{"model_type": "gpt2", "id2label": {"1": "a"}}`:                                                                                                                     "id2label: lacks 0",
	} {
		if _, err := ReadConfig(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	_, err := ReadConfig(strings.NewReader(`{"model_type": "gpt2", "n_layer": 0, "attn_pdrop": 1}`))
	if err == nil || !strings.Contains(err.Error(), "n_layer") || !strings.Contains(err.Error(), "attn_pdrop") {
		t.Errorf("error %v does not name both faults", err)
	}
}

func TestHeadOfConfig(t *testing.T) {
	c := tiny()
	for h := LanguageModel; h <= Classifier; h++ {
		c.Architectures = []string{c.class(h)}
		if got, err := c.Head(); got != h || err != nil {
			t.Errorf("head %v, error %v, want %v", got, err, h)
		}
	}
	c.Architectures = []string{"GPT2DoubleHeadsModel"}
	if _, err := c.Head(); err == nil || !strings.Contains(err.Error(), "known are GPT2LMHeadModel, GPT2ForSequenceClassification") {
		t.Errorf("an unknown architecture: error %v", err)
	}
	if _, err := New(tiny(), Classifier); err == nil {
		t.Error("a classifier without labels is accepted")
	}
}

// Every family's defaults hold, and come back from their JSON.
func TestModelTypes(t *testing.T) {
	for _, name := range ModelTypes {
		for _, make := range []func(string) (Config, error){DefaultConfig, SmallConfig} {
			c, err := make(name)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Validate(); err != nil || c.ModelType != name {
				t.Errorf("%s: model_type %s, error %v", name, c.ModelType, err)
			}
			b, err := c.JSON()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := ReadConfig(bytes.NewReader(b)); err != nil || !reflect.DeepEqual(again, c) {
				t.Errorf("%s: written %+v, read %+v, error %v", name, c, again, err)
			}
		}
	}
	// What transformers 5 writes, and what it wrote before.
	scaling := RopeScaling{RopeType: "llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPositionEmbeddings: 8192}
	for _, text := range []string{
		`"rope_parameters": {"rope_theta": 5e5, "rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192}`,
		`"rope_theta": 5e5, "rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4, "original_max_position_embeddings": 8192}`,
	} {
		c, err := ReadConfig(strings.NewReader(`{"model_type": "llama", "num_key_value_heads": null, "eos_token_id": [2, 7], ` + text + `}`))
		if err != nil {
			t.Fatal(err)
		}
		f := c.Family.(Llama)
		if f.RopeTheta != 5e5 || !reflect.DeepEqual(f.RopeScaling, scaling) || len(c.EOSTokenID) != 2 || f.heads().KV != 32 {
			t.Errorf("%s: read %+v", text, c)
		}
	}
	for text, want := range map[string]string{
		`"num_key_value_heads": 3`:             "num_attention_heads: 32 is not a multiple of num_key_value_heads, 3",
		`"head_dim": 5`:                        "head_dim: 5 is odd",
		`"hidden_act": "prelu"`:                `hidden_act: "prelu" is not known; known are gelu`,
		`"rope_scaling": {"type": "axial"}`:    `rope_scaling.rope_type: "axial" is not known; known are linear`,
		`"rope_scaling": {"type": "linear"}`:   `rope_scaling.factor: 0 is not above 0`,
		`"rope_scaling": {"typ": "linear"}`:    `rope_scaling: unknown field "typ"`,
		`"layer_types": ["full_attention"]`:    `layer_types: 1 of them, but num_hidden_layers is 32`,
		`"sliding_window": 7`:                  `sliding_window: 7 is not supported`,
		`"rope_parameters": {"rope_theta": 0}`: "rope_theta: 0 is not above 0",
	} {
		if _, err := ReadConfig(strings.NewReader(`{"model_type": "llama", ` + text + `}`)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	if _, err := DefaultConfig("gpt3"); err == nil || !strings.Contains(err.Error(), "known are gpt2") {
		t.Errorf("error %v", err)
	}
}

// transformers refuses 1 where it wants a float.
func TestConfigFloats(t *testing.T) {
	for _, name := range ModelTypes {
		c, err := DefaultConfig(name)
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := c.Family.(Llama); ok {
			f.RopeScaling = RopeScaling{RopeType: "llama3", Factor: 8, LowFreqFactor: 1, HighFreqFactor: 4, OriginalMaxPositionEmbeddings: 8192}
			c.Family = f
		}
		text, err := c.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(text, &keys); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seen := 0
		for _, f := range reflect.VisibleFields(reflect.TypeOf(c.Family)) {
			key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if v, ok := keys[key]; ok && f.Type.Kind() == reflect.Float64 {
				seen++
				if !strings.ContainsAny(string(v), ".e") {
					t.Errorf("%s: %s is %s", name, key, v)
				}
			}
			if key == "rope_scaling" && keys[key] != nil && !strings.Contains(string(keys[key]), `"factor": 8.0`) {
				t.Errorf("%s: %s is %s", name, key, keys[key])
			}
		}
		if seen == 0 {
			t.Errorf("%s: no float in %s", name, text)
		}
	}
}

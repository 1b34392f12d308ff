package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// Config says what a model is, with the keys of Hugging Face's config.json. Keys that
// do not change the model's values (use_cache, summary_type…) are not kept.
type Config struct {
	ModelType     string   `json:"model_type"`
	Architectures []string `json:"architectures"`

	VocabSize          int     `json:"vocab_size"`
	NPositions         int     `json:"n_positions"` // longest sequence
	NEmbd              int     `json:"n_embd"`
	NLayer             int     `json:"n_layer"`
	NHead              int     `json:"n_head"`
	NInner             int     `json:"n_inner,omitempty"` // 0: 4·n_embd
	ActivationFunction string  `json:"activation_function"`
	ResidPDrop         float64 `json:"resid_pdrop"`
	EmbdPDrop          float64 `json:"embd_pdrop"`
	AttnPDrop          float64 `json:"attn_pdrop"` // 0 only
	LayerNormEpsilon   float64 `json:"layer_norm_epsilon"`
	InitializerRange   float64 `json:"initializer_range"`
	TieWordEmbeddings  bool    `json:"tie_word_embeddings"`

	ScaleAttnWeights           bool `json:"scale_attn_weights"`              // true only
	ScaleAttnByInverseLayerIdx bool `json:"scale_attn_by_inverse_layer_idx"` // false only
	AddCrossAttention          bool `json:"add_cross_attention"`             // false only

	BOSTokenID *int `json:"bos_token_id"` // nil: none. Written as null, since absent means 50256
	EOSTokenID *int `json:"eos_token_id"`
	PadTokenID *int `json:"pad_token_id"`

	NumLabels   int               `json:"num_labels,omitempty"` // of a classifier; written as id2label
	ID2Label    map[string]string `json:"id2label,omitempty"`
	Label2ID    map[string]int    `json:"label2id,omitempty"`
	ProblemType string            `json:"problem_type,omitempty"` // "" or single_label_classification
}

// DefaultConfig is GPT-2 with 124 M parameters: the values that absent keys stand for,
// except attn_pdrop, which is 0.
func DefaultConfig() Config {
	return Config{
		ModelType: "gpt2", VocabSize: 50257, NPositions: 1024, NEmbd: 768, NLayer: 12, NHead: 12,
		ActivationFunction: "gelu_new", ResidPDrop: 0.1, EmbdPDrop: 0.1, LayerNormEpsilon: 1e-5,
		InitializerRange: 0.02, TieWordEmbeddings: true, ScaleAttnWeights: true,
	}
}

// ReadConfig reads a config.json and validates it.
func ReadConfig(r io.Reader) (Config, error) {
	c := DefaultConfig()
	c.ModelType = ""
	if err := json.NewDecoder(r).Decode(&c); err != nil {
		var t *json.UnmarshalTypeError
		if errors.As(err, &t) && t.Field != "" {
			return Config{}, fmt.Errorf("model: config: %s is a JSON %s, want %s", t.Field, t.Value, t.Type)
		}
		return Config{}, fmt.Errorf("model: config: %w", err)
	}
	if err := c.Validate(); err != nil {
		return Config{}, err
	}
	return c, nil
}

// JSON is the config.json.
func (c Config) JSON() ([]byte, error) {
	if len(c.ID2Label) > 0 {
		c.NumLabels = 0
	}
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("model: config: %w", err) // a NaN, say
	}
	return append(b, '\n'), nil
}

// SetLabels names the classes of a classifier.
func (c *Config) SetLabels(names []string) {
	c.NumLabels = len(names)
	c.ID2Label, c.Label2ID = map[string]string{}, map[string]int{}
	for i, name := range names {
		c.ID2Label[strconv.Itoa(i)] = name
		c.Label2ID[name] = i
	}
}

// Labels are the names of the classes; LABEL_0 and so on where only their number is known.
func (c Config) Labels() []string {
	names := make([]string, max(c.NumLabels, len(c.ID2Label)))
	for i := range names {
		names[i] = c.ID2Label[strconv.Itoa(i)]
		if names[i] == "" {
			names[i] = fmt.Sprintf("LABEL_%d", i)
		}
	}
	return names
}

// Head is what the architecture says.
func (c Config) Head() (Head, error) {
	if len(c.Architectures) == 0 {
		return LanguageModel, nil
	}
	for h := LanguageModel; h <= Classifier; h++ {
		if a := h.architecture(c.ModelType); a == c.Architectures[0] {
			return h, nil
		}
	}
	return 0, fmt.Errorf("model: architecture %s is not known; known are %s and %s", c.Architectures[0],
		LanguageModel.architecture(c.ModelType), Classifier.architecture(c.ModelType))
}

// Validate reports every fault.
func (c Config) Validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf("model: config: "+format, args...)) }
	if c.ModelType != "gpt2" {
		bad("model_type %q is not known; known is gpt2", c.ModelType)
	}
	for _, n := range []struct {
		key string
		v   int
	}{
		{"vocab_size", c.VocabSize}, {"n_positions", c.NPositions}, {"n_embd", c.NEmbd},
		{"n_layer", c.NLayer}, {"n_head", c.NHead},
	} {
		if n.v < 1 {
			bad("%s is %d, want 1 or more", n.key, n.v)
		}
	}
	if c.NHead > 0 && c.NEmbd%c.NHead != 0 {
		bad("n_embd %d is no multiple of n_head %d", c.NEmbd, c.NHead)
	}
	if c.NInner < 0 {
		bad("n_inner is %d, want 0 (4·n_embd) or more", c.NInner)
	}
	switch c.ActivationFunction {
	case "gelu_new", "gelu_pytorch_tanh": // two names of one function
	default:
		bad("activation_function %q is not known; known are gelu_new and gelu_pytorch_tanh", c.ActivationFunction)
	}
	for _, p := range []struct {
		key string
		v   float64
	}{{"resid_pdrop", c.ResidPDrop}, {"embd_pdrop", c.EmbdPDrop}} {
		if !(p.v >= 0 && p.v < 1) {
			bad("%s is %g, want it in [0,1)", p.key, p.v)
		}
	}
	if c.AttnPDrop != 0 {
		bad("attn_pdrop is %g: dropout of attention weights is not supported; set it to 0", c.AttnPDrop)
	}
	if !(c.LayerNormEpsilon > 0) {
		bad("layer_norm_epsilon is %g, want it above 0", c.LayerNormEpsilon)
	}
	if !(c.InitializerRange >= 0) {
		bad("initializer_range is %g, want 0 or more", c.InitializerRange)
	}
	if !c.ScaleAttnWeights || c.ScaleAttnByInverseLayerIdx {
		bad("attention is scaled by 1/√(n_embd/n_head) only: scale_attn_weights must be true and scale_attn_by_inverse_layer_idx false")
	}
	if c.AddCrossAttention {
		bad("add_cross_attention is not supported")
	}
	if c.NumLabels < 0 || c.NumLabels > 0 && len(c.ID2Label) > 0 && c.NumLabels != len(c.ID2Label) {
		bad("num_labels is %d, id2label has %d", c.NumLabels, len(c.ID2Label))
	}
	for i := range len(c.ID2Label) {
		if _, ok := c.ID2Label[strconv.Itoa(i)]; !ok {
			bad("id2label lacks %d of 0…%d", i, len(c.ID2Label)-1)
		}
	}
	switch c.ProblemType {
	case "", "single_label_classification":
	default:
		bad("problem_type %q is not known; known is single_label_classification", c.ProblemType)
	}
	return errors.Join(errs...)
}

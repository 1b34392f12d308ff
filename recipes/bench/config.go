package bench

import (
	"fmt"
	"strings"

	"hone/data"
	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/model"
)

// A Config is a model whose training step is measured: Layers of Dim channels, B rows of T tokens
// per step, a vocabulary of V. A T5 has Layers in all, half of them in its encoder.
type Config struct {
	Name    string `json:"name"`
	Family  string `json:"family"` // model_type
	Layers  int    `json:"layers"`
	Heads   int    `json:"heads"`
	KVHeads int    `json:"kv_heads"`
	Dim     int    `json:"dim"`
	Inner   int    `json:"inner"` // of the feed-forward
	T       int    `json:"t"`
	B       int    `json:"b"`
	V       int    `json:"v"`
}

func gpt(name string, layers, heads, dim, t, b, v int) Config {
	return Config{name, "gpt2", layers, heads, heads, dim, 4 * dim, t, b, v}
}

// Configs are the standard sizes, the smallest first.
var Configs = []Config{
	gpt("nano", 4, 4, 128, 64, 12, 65),
	gpt("char", 6, 6, 384, 256, 32, 65),
	gpt("small", 6, 8, 512, 512, 8, 8192),
	gpt("gpt2", 12, 12, 768, 256, 4, 50257),
}

// benchFamilyConfigs are the families at 10.7 M parameters each, GPT first: the width of the
// feed-forward makes up for other differences.
var benchFamilyConfigs = []Config{
	gpt("gpt", 6, 6, 384, 256, 8, 256),
	{"llama", "llama", 6, 6, 6, 384, 1024, 256, 8, 256},
	{"qwen3", "qwen3", 6, 6, 6, 384, 1024, 256, 8, 256},
	{"palm", "palm", 6, 6, 1, 384, 1232, 256, 8, 256},
	{"bert", "bert", 6, 6, 6, 384, 1536, 256, 8, 256},
	{"t5", "t5", 6, 6, 6, 384, 768, 256, 8, 256},
	{"xlnet", "xlnet", 6, 6, 6, 384, 1344, 256, 8, 256},
}

// benchPeerConfigs are the models that are measured beside transformers: BERT base and SmolLM2
// of 135 M parameters.
var benchPeerConfigs = []Config{
	{"bert-base", "bert", 12, 12, 12, 768, 3072, 128, 8, 30522},
	{"smollm2-135m", "llama", 30, 9, 3, 576, 1536, 256, 2, 49152},
}

// FindConfig finds a config by its name. An error is recipes.ErrInput.
func FindConfig(name string) (Config, error) {
	names := []string{"decode", "finetune"} // see RunDecode, RunFinetune
	for _, list := range [][]Config{Configs, benchFamilyConfigs, benchPeerConfigs} {
		for _, c := range list {
			if c.Name == name {
				return c, nil
			}
			names = append(names, c.Name)
		}
	}
	return Config{}, recipes.Input(fmt.Errorf("bench: unknown config %q; known are %s", name, strings.Join(names, ", ")))
}

// model is the configuration of the model, without dropout.
func (c Config) model() (model.Config, error) {
	m, err := model.DefaultConfig(c.Family)
	if err != nil {
		return m, err
	}
	m.VocabSize, m.TieWordEmbeddings = c.V, true
	switch f := m.Family.(type) {
	case model.GPT2:
		f.NLayer, f.NHead, f.NEmbd, f.NPositions = c.Layers, c.Heads, c.Dim, c.T
		m.Family = f
	case model.Llama:
		f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.NumKeyValueHeads = c.Dim, c.Inner, c.Layers, c.Heads, c.KVHeads
		f.HeadDim, f.MaxPositionEmbeddings = c.Dim/c.Heads, c.T
		m.Family = f
	case model.PaLM:
		f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads = c.Dim, c.Inner, c.Layers, c.Heads
		f.HeadDim, f.MaxPositionEmbeddings = c.Dim/c.Heads, c.T
		m.Family = f
	case model.BERT:
		f.HiddenSize, f.IntermediateSize, f.NumHiddenLayers, f.NumAttentionHeads, f.MaxPositionEmbeddings = c.Dim, c.Inner, c.Layers, c.Heads, c.T
		m.Family = f
	case model.T5:
		f.DModel, f.DKV, f.DFF, f.NumLayers, f.NumHeads, f.FeedForwardProj = c.Dim, c.Dim/c.Heads, c.Inner, c.Layers/2, c.Heads, "gated-gelu"
		m.Family = f
	case model.XLNet:
		f.DModel, f.NLayer, f.NHead, f.DInner = c.Dim, c.Layers, c.Heads, c.Inner
		m.Family = f
	}
	return m, m.SetDropout(0, 0)
}

// program is that of the config's step, without the update.
func (c Config) program() (*exec.Layout, *exec.Program, error) {
	config, err := c.model()
	if err != nil {
		return nil, nil, err
	}
	if err := config.Validate(); err != nil {
		return nil, nil, err
	}
	o := model.Options{EncoderLength: c.T}
	l, err := model.NewLayout(config, exec.F32, o)
	if err != nil {
		return nil, nil, err
	}
	dec, _ := c.rows()
	p, err := model.Program(config, l, o, model.Train, c.B, dec/c.B, 0)
	return l, p, err
}

// specials are the special tokens, the last one of the vocabulary first.
func (c Config) specials() []string {
	return append([]string{recipes.EndOfText}, c.objective().Specials(recipes.Mask)...)
}

// objective is the usual objective of the family.
func (c Config) objective() data.Objective {
	m, err := model.SmallConfig(c.Family)
	if err != nil {
		panic(err) // the families of configs are known
	}
	return recipes.Objectives(m)[0]
}

// alphabet is the number of tokens that are not special.
func (c Config) alphabet() int { return c.V - len(c.specials()) }

// rows are the positions of a step in the decoder and in the encoder.
func (c Config) rows() (dec, enc int) {
	read := data.Config{Tokenizer: words{c}, Separator: recipes.EndOfText, T: c.T, Objective: c.objective()}
	read = read.WithDefaults()
	dec, enc = read.Lengths()
	return c.B * dec, c.B * enc
}

func (c Config) tokens() int {
	dec, enc := c.rows()
	return dec + enc
}

// params is N, the number of parameters without those of learned positions, which multiply nothing.
func (c Config) params(l *exec.Layout) int {
	n := l.Elems()
	switch c.Family {
	case "gpt2", "bert":
		n -= c.T * c.Dim
	}
	return n
}

// flops are the FLOPs of a step, forward and backward. For a GPT-2 they are counted as usual:
// 6N + 12LCT per token, with the full square of attention and nothing for what is computed twice.
// For other families they are those of the matrix products, which gives the same without biases
// and norms.
func (c Config) flops(params int, products float64) float64 {
	if c.Family != "gpt2" {
		return products
	}
	return float64(c.B*c.T) * (6*float64(params) + 12*float64(c.Layers*c.Dim*c.T))
}

// seen is the share of attention's square that has to be computed.
func (c Config) seen(scope string) float64 {
	t := float64(c.T)
	switch {
	case c.Family == "t5" && strings.HasPrefix(scope, "decoder") && strings.HasSuffix(scope, ".attention"):
		dec, _ := c.rows()
		t = float64(dec / c.B)
	case c.Family == "t5", c.Family == "bert":
		return 1
	}
	return (t + 1) / (2 * t)
}

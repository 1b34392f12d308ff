package exchange

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A ggufArch is an architecture of llama.cpp: the model of transformers that it is, and the names
// of its tensors in both.
type ggufArch struct {
	name      string // general.architecture
	modelType string // config.json's model_type
	class     string // and its architecture
	tensors   []ggufName
	config    func(k *ggufKeys) map[string]any
	write     func(m *ggufWriter) // nil: none is written
}

// A ggufName is a part of a model by both names, to which .weight or .bias is added; %d is the
// number of a layer.
type ggufName struct {
	gguf, hf string
	form     ggufForm
}

// A ggufForm says how the values of a part differ in a GGUF file.
type ggufForm int

const (
	asIs       ggufForm = iota
	queryRows           // pairs that turn together lie side by side, in each head
	keyRows             // the same of the heads of keys
	plusOne             // what transformers adds to a norm's weight is added
	transposed          // transformers' Conv1D has inputs for rows
)

// make converts the values of a tensor from a GGUF file, in that file's shape, to those of
// transformers, or with back the other way; nil: they are the same.
func (f ggufForm) make(shape []int, back bool) func(v []float32) []float32 {
	switch f {
	case plusOne:
		by := float32(-1)
		if back {
			by = 1
		}
		return func(v []float32) []float32 {
			for i := range v {
				v[i] += by
			}
			return v
		}
	case transposed:
		if len(shape) == 2 {
			return func(v []float32) []float32 { return transpose(v, shape[0], shape[1]) }
		}
	}
	return nil
}

// rows gives the rows of a tensor from a GGUF file in the order of transformers, or with back the
// other way; nil: it is the same.
func (f ggufForm) rows(shape []int, heads ggufHeads, back bool) []int {
	if n := f.heads(heads); n > 0 {
		return turned(shape[0], n, back)
	}
	return nil
}

// ggufHeads are the numbers of heads of queries and of keys.
type ggufHeads struct{ query, key int }

// turned is the order of the rows of n heads. The rows j and j+D/2 of a head, which rotate together in
// transformers, are rows 2j and 2j+1 in llama.cpp.
func turned(rows, n int, back bool) []int {
	order := make([]int, rows)
	d := rows / n
	for h := range n {
		for j := range d {
			pair, half := h*d+2*(j%(d/2))+j/(d/2), h*d+j
			from, to := pair, half
			if back {
				from, to = half, pair
			}
			order[to] = from
		}
	}
	return order
}

func transpose(v []float32, rows, columns int) []float32 {
	out := make([]float32, len(v))
	for i := range rows {
		for j := range columns {
			out[j*rows+i] = v[i*columns+j]
		}
	}
	return out
}

// decoderNames are the parts of Llama and the decoders built like it.
func decoderNames(more ...ggufName) []ggufName {
	return append(more,
		ggufName{"token_embd", "model.embed_tokens", asIs}, ggufName{"output", "lm_head", asIs},
		ggufName{"blk.%d.attn_v", "model.layers.%d.self_attn.v_proj", asIs}, ggufName{"blk.%d.attn_output", "model.layers.%d.self_attn.o_proj", asIs},
		ggufName{"blk.%d.ffn_gate", "model.layers.%d.mlp.gate_proj", asIs}, ggufName{"blk.%d.ffn_up", "model.layers.%d.mlp.up_proj", asIs},
		ggufName{"blk.%d.ffn_down", "model.layers.%d.mlp.down_proj", asIs})
}

// plainNorms are a Llama's norms, and plainTurns queries and keys in the order of transformers.
func plainNorms(more ...ggufName) []ggufName {
	return append(more, ggufName{"output_norm", "model.norm", asIs}, ggufName{"blk.%d.attn_norm", "model.layers.%d.input_layernorm", asIs},
		ggufName{"blk.%d.ffn_norm", "model.layers.%d.post_attention_layernorm", asIs})
}

func plainTurns(more ...ggufName) []ggufName {
	return append(more, ggufName{"blk.%d.attn_q", "model.layers.%d.self_attn.q_proj", asIs}, ggufName{"blk.%d.attn_k", "model.layers.%d.self_attn.k_proj", asIs})
}

// ggufArchs are the architectures that are read and written. BERT is not written: llama.cpp has no
// part of it that predicts tokens or labels.
var ggufArchs = []ggufArch{
	{name: "llama", modelType: "llama", class: "LlamaForCausalLM", config: llamaConfig, write: writeLlama, tensors: decoderNames(plainNorms(
		ggufName{"blk.%d.attn_q", "model.layers.%d.self_attn.q_proj", queryRows}, ggufName{"blk.%d.attn_k", "model.layers.%d.self_attn.k_proj", keyRows})...)},
	{name: "qwen2", modelType: "qwen2", class: "Qwen2ForCausalLM", config: qwen2Config, write: writeLlama, tensors: decoderNames(plainNorms(plainTurns()...)...)},
	{name: "qwen3", modelType: "qwen3", class: "Qwen3ForCausalLM", config: decoderConfig, write: writeLlama, tensors: decoderNames(plainNorms(plainTurns(
		ggufName{"blk.%d.attn_q_norm", "model.layers.%d.self_attn.q_norm", asIs}, ggufName{"blk.%d.attn_k_norm", "model.layers.%d.self_attn.k_norm", asIs})...)...)},
	{name: "gemma3", modelType: "gemma3_text", class: "Gemma3ForCausalLM", config: gemma3Config, write: writeGemma3, tensors: decoderNames(plainTurns(
		ggufName{"output_norm", "model.norm", plusOne}, ggufName{"blk.%d.attn_norm", "model.layers.%d.input_layernorm", plusOne},
		ggufName{"blk.%d.post_attention_norm", "model.layers.%d.post_attention_layernorm", plusOne},
		ggufName{"blk.%d.ffn_norm", "model.layers.%d.pre_feedforward_layernorm", plusOne},
		ggufName{"blk.%d.post_ffw_norm", "model.layers.%d.post_feedforward_layernorm", plusOne},
		ggufName{"blk.%d.attn_q_norm", "model.layers.%d.self_attn.q_norm", plusOne}, ggufName{"blk.%d.attn_k_norm", "model.layers.%d.self_attn.k_norm", plusOne})...)},
	{name: "gpt2", modelType: "gpt2", class: "GPT2LMHeadModel", config: gpt2Config, write: writeGPT2, tensors: []ggufName{
		{"token_embd", "transformer.wte", asIs}, {"position_embd", "transformer.wpe", asIs}, {"output_norm", "transformer.ln_f", asIs}, {"output", "lm_head", asIs},
		{"blk.%d.attn_norm", "transformer.h.%d.ln_1", asIs}, {"blk.%d.attn_qkv", "transformer.h.%d.attn.c_attn", transposed},
		{"blk.%d.attn_output", "transformer.h.%d.attn.c_proj", transposed}, {"blk.%d.ffn_norm", "transformer.h.%d.ln_2", asIs},
		{"blk.%d.ffn_up", "transformer.h.%d.mlp.c_fc", transposed}, {"blk.%d.ffn_down", "transformer.h.%d.mlp.c_proj", transposed},
	}},
	{name: "bert", modelType: "bert", class: "BertModel", config: bertConfig, tensors: []ggufName{
		{"token_embd", "embeddings.word_embeddings", asIs}, {"position_embd", "embeddings.position_embeddings", asIs},
		{"token_types", "embeddings.token_type_embeddings", asIs}, {"token_embd_norm", "embeddings.LayerNorm", asIs},
		{"blk.%d.attn_q", "encoder.layer.%d.attention.self.query", asIs}, {"blk.%d.attn_k", "encoder.layer.%d.attention.self.key", asIs},
		{"blk.%d.attn_v", "encoder.layer.%d.attention.self.value", asIs}, {"blk.%d.attn_output", "encoder.layer.%d.attention.output.dense", asIs},
		{"blk.%d.attn_output_norm", "encoder.layer.%d.attention.output.LayerNorm", asIs}, {"blk.%d.ffn_up", "encoder.layer.%d.intermediate.dense", asIs},
		{"blk.%d.ffn_down", "encoder.layer.%d.output.dense", asIs}, {"blk.%d.layer_output_norm", "encoder.layer.%d.output.LayerNorm", asIs},
	}},
}

// archNamed finds an architecture by its name in GGUF files.
func archNamed(name string) (*ggufArch, error) {
	var known []string
	for i := range ggufArchs {
		if ggufArchs[i].name == name {
			return &ggufArchs[i], nil
		}
		known = append(known, ggufArchs[i].name)
	}
	return nil, fmt.Errorf("general.architecture %q is not supported (known: %s)", name, strings.Join(known, ", "))
}

// splitName splits the name of a tensor: "blk.3.attn_q.weight" is blk.%d.attn_q of layer 3.
func splitName(name string) (stem, end string, layer int) {
	layer = -1
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", layer
	}
	stem, end = name[:i], name[i:]
	parts := strings.Split(stem, ".")
	for k, part := range parts {
		if n, err := strconv.Atoi(part); err == nil && n >= 0 && strconv.Itoa(n) == part {
			layer, parts[k] = n, "%d"
			break
		}
	}
	return strings.Join(parts, "."), end, layer
}

// joinName is the inverse of splitName.
func joinName(stem, end string, layer int) string {
	return strings.Replace(stem, "%d", strconv.Itoa(layer), 1) + end
}

// hf is the name in transformers of a tensor in a GGUF file.
func (a *ggufArch) hf(name string) (string, ggufForm, bool) {
	stem, end, layer := splitName(name)
	i := slices.IndexFunc(a.tensors, func(t ggufName) bool { return t.gguf == stem })
	if i < 0 || end != ".weight" && end != ".bias" {
		return "", asIs, false
	}
	return joinName(a.tensors[i].hf, end, layer), a.tensors[i].form, true
}

// gguf is the name in a GGUF file of a tensor in transformers.
func (a *ggufArch) gguf(name string) (string, ggufForm, bool) {
	stem, end, layer := splitName(name)
	i := slices.IndexFunc(a.tensors, func(t ggufName) bool { return t.hf == stem })
	if i < 0 || end != ".weight" && end != ".bias" {
		return "", asIs, false
	}
	return joinName(a.tensors[i].gguf, end, layer), a.tensors[i].form, true
}

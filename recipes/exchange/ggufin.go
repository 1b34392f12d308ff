package exchange

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"hone/checkpoint"
	"hone/checkpoint/gguf"
	"hone/trainer/graph"
)

// A ggufModel is a GGUF file as a model of transformers.
type ggufModel struct {
	weights *checkpoint.Weights // by transformers' names, and as they lie there
	config  []byte              // config.json, which says the same as the file's keys
	licence string
	pooling string              // as pretrained.Sentence has it; "": it does not say
	origins []checkpoint.Origin // of a file that hone wrote: what the model has learned from
}

// openGGUF opens a file. Errors name it.
func openGGUF(path string) (m *ggufModel, err error) {
	file, values, err := checkpoint.OpenGGUF(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Close()
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	k := &ggufKeys{values: values, weights: file, tensors: map[string]int{}, used: map[string]bool{}}
	for i, t := range file.Tensors() {
		k.tensors[t.Name] = i
	}
	if kind := k.text("general.type", "model"); kind != "model" {
		return nil, fmt.Errorf("general.type is %q, not a model", kind)
	}
	name := k.text("general.architecture", "")
	if k.err != nil {
		return nil, k.err
	}
	arch, err := archNamed(name)
	if err != nil {
		return nil, err
	}
	k.arch = arch.name + "."
	c := arch.config(k)
	c["model_type"], c["architectures"], c["dtype"] = arch.modelType, []string{arch.class}, "float32"
	c["_name_or_path"] = k.text("general.name", strings.TrimSuffix(filepath.Base(path), ".gguf"))
	k.tokens(c)
	if err := k.finish(); err != nil {
		return nil, err
	}
	var list []checkpoint.Derived
	heads := k.heads()
	for i, t := range file.Tensors() {
		if t.Name == ropeFreqs && arch.name == "llama" {
			continue // in the configuration
		}
		name, form, ok := arch.hf(t.Name)
		if !ok {
			return nil, fmt.Errorf("tensor %q is not a tensor of %s", t.Name, arch.name)
		}
		if n := form.heads(heads); n > 0 && (t.Shape[0]%n != 0 || t.Shape[0]/n%2 != 0) {
			return nil, fmt.Errorf("tensor %q has %d rows, not an even number for each of %d heads", t.Name, t.Shape[0], n)
		}
		d := checkpoint.Derived{Name: name, Shape: t.Shape, From: i, Make: form.make(t.Shape, false), Rows: form.rows(t.Shape, heads, false)}
		if form == transposed && len(t.Shape) == 2 {
			d.Shape = []int{t.Shape[1], t.Shape[0]}
		}
		list = append(list, d)
	}
	m = &ggufModel{weights: file.Derive(list), licence: k.text("general.license", ""), pooling: k.pooling}
	if text := k.text(provenanceKey, ""); text != "" {
		if err := json.Unmarshal([]byte(text), &m.origins); err != nil {
			return nil, fmt.Errorf("key %s: %w", provenanceKey, err)
		}
	}
	m.config, err = json.MarshalIndent(c, "", "  ")
	return m, err
}

// heads is the number of heads that a form depends on, if it does.
func (f ggufForm) heads(h ggufHeads) int {
	switch f {
	case queryRows:
		return h.query
	case keyRows:
		return h.key
	}
	return 0
}

// ggufKeys reads the keys of a file, keeps the first error, and notes which keys were read: of those
// of the architecture all must be.
type ggufKeys struct {
	arch    string // with a point at its end
	values  map[string]gguf.Value
	weights *checkpoint.Weights
	tensors map[string]int // by name
	used    map[string]bool
	pooling string // of a bert
	err     error
}

func (k *ggufKeys) fail(format string, args ...any) {
	if k.err == nil {
		k.err = fmt.Errorf(format, args...)
	}
}

// own is the value of a key of the architecture.
func (k *ggufKeys) own(key string) (v gguf.Value, ok bool) {
	k.used[k.arch+key] = true
	v, ok = k.values[k.arch+key]
	return v, ok
}

// size is the value of a required key, a whole number of at least 1.
func (k *ggufKeys) size(key string) int {
	v, ok := k.own(key)
	if !ok {
		k.fail("key %s%s is missing", k.arch, key)
		return 1
	}
	n, ok := v.Int()
	if !ok || n < 1 || n > math.MaxInt32 {
		k.fail("key %s%s is not a whole number of at least 1", k.arch, key)
		return 1
	}
	return n
}

// sizeOr is size of a key that may be absent.
func (k *ggufKeys) sizeOr(key string, otherwise int) int {
	if _, ok := k.own(key); !ok {
		return otherwise
	}
	return k.size(key)
}

// number is the value of a key that may be absent. Files have float32, of which the shortest
// decimal is taken: 1e-05, not 9.999999747378752e-06.
func (k *ggufKeys) number(key string, otherwise float64) float64 {
	v, ok := k.own(key)
	if !ok {
		return otherwise
	}
	x, ok := v.Number()
	if !ok {
		k.fail("key %s%s is not a number", k.arch, key)
		return otherwise
	}
	short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'g', -1, 32), 64)
	if err != nil || float32(x) != float32(short) || float64(float32(x)) != x {
		return x
	}
	return short
}

// flag refuses a truth value other than the architecture's default.
func (k *ggufKeys) flag(key string, want bool) {
	if v, ok := k.own(key); ok {
		if b, ok := v.Bool(); !ok || b != want {
			k.fail("key %s%s is not %v, which is not supported", k.arch, key, want)
		}
	}
}

// text is the value of any key, a string.
func (k *ggufKeys) text(key, otherwise string) string {
	v, ok := k.values[key]
	if !ok {
		return otherwise
	}
	s, ok := v.Text()
	if !ok {
		k.fail("key %s is of type %s, not a string", key, v.Type())
	}
	return s
}

func (k *ggufKeys) heads() ggufHeads {
	n := k.size("attention.head_count")
	return ggufHeads{n, k.sizeOr("attention.head_count_kv", n)}
}

// has reports whether there is a tensor.
func (k *ggufKeys) has(name string) bool {
	_, ok := k.tensors[name]
	return ok
}

// rows is the number of rows of a required tensor.
func (k *ggufKeys) rows(name string) int {
	i, ok := k.tensors[name]
	if !ok {
		k.fail("tensor %q is missing", name)
		return 1
	}
	shape := k.weights.Tensors()[i].Shape
	if len(shape) != 2 {
		k.fail("tensor %q has shape %v, not rows and columns", name, shape)
		return 1
	}
	return shape[0]
}

// values32 are the values of a small tensor.
func (k *ggufKeys) values32(name string) ([]float32, error) {
	i := k.tensors[name]
	if n := k.weights.Tensors()[i].Elems(); n > 1<<16 {
		return nil, fmt.Errorf("tensor %q has %d values", name, n)
	}
	var b bytes.Buffer
	if err := k.weights.Copy(context.Background(), &b, i, "F32"); err != nil {
		return nil, err
	}
	values := make([]float32, b.Len()/4)
	err := binary.Read(&b, binary.LittleEndian, values)
	return values, err
}

// tokens sets the ids of the tokens with a role.
func (k *ggufKeys) tokens(c map[string]any) {
	id := func(role string) (int, bool) {
		v, ok := k.values["tokenizer.ggml."+role+"_token_id"]
		if !ok {
			return 0, false
		}
		n, ok := v.Int()
		if !ok || n < 0 {
			k.fail("key tokenizer.ggml.%s_token_id is not a token id", role)
		}
		return n, ok
	}
	for key, role := range map[string]string{"bos_token_id": "bos", "pad_token_id": "padding"} {
		c[key] = nil
		if n, ok := id(role); ok {
			c[key] = n
		}
	}
	var ends []int // llama.cpp ends at any of them
	for _, role := range []string{"eos", "eot", "eom"} {
		if n, ok := id(role); ok && !slices.Contains(ends, n) {
			ends = append(ends, n)
		}
	}
	if c["eos_token_id"] = ends; ends == nil {
		c["eos_token_id"] = nil
	}
	c["vocab_size"] = k.rows("token_embd.weight")
	if n := k.sizeOr("vocab_size", c["vocab_size"].(int)); n != c["vocab_size"] {
		k.fail("key %svocab_size is %d, but token_embd.weight has %d rows", k.arch, n, c["vocab_size"])
	}
}

// finish gives the first error, or else names a key of the architecture that was not read.
func (k *ggufKeys) finish() error {
	if k.err != nil {
		return k.err
	}
	for _, key := range slices.Sorted(maps.Keys(k.values)) {
		if strings.HasPrefix(key, k.arch) && !k.used[key] {
			return fmt.Errorf("key %s is not supported", key)
		}
	}
	return nil
}

// decoderConfig are the keys of Llama and the decoders built like it.
func decoderConfig(k *ggufKeys) map[string]any {
	h := k.heads()
	hidden := k.size("embedding_length")
	dim := k.sizeOr("attention.key_length", hidden/max(h.query, 1))
	if n := k.sizeOr("attention.value_length", dim); n != dim {
		k.fail("key %sattention.value_length is %d, but key_length is %d", k.arch, n, dim)
	}
	if n := k.sizeOr("rope.dimension_count", dim); n != dim {
		k.fail("key %srope.dimension_count is %d, but heads have %d: heads that rotate in part are not supported", k.arch, n, dim)
	}
	k.flag("attention.causal", true)
	c := map[string]any{
		"hidden_size": hidden, "intermediate_size": k.size("feed_forward_length"), "num_hidden_layers": k.size("block_count"),
		"num_attention_heads": h.query, "num_key_value_heads": h.key, "head_dim": dim, "max_position_embeddings": k.size("context_length"),
		"rms_norm_eps": k.number("attention.layer_norm_rms_epsilon", 1e-5), "rope_theta": k.number("rope.freq_base", 10000),
		"tie_word_embeddings": !k.has("output.weight"),
	}
	if s := k.ropeScaling(); s != nil {
		c["rope_scaling"] = s
	}
	return c
}

// ropeScaling are the keys of scaled rotary positions.
func (k *ggufKeys) ropeScaling() map[string]any {
	k.used[k.arch+"rope.scaling.type"], k.used[k.arch+"rope.scaling.finetuned"] = true, true
	kind := k.text(k.arch+"rope.scaling.type", "none")
	factor := k.number("rope.scaling.factor", 1)
	original := k.sizeOr("rope.scaling.original_context_length", 0)
	switch kind {
	case "none":
		if factor != 1 {
			k.fail("key %srope.scaling.factor is %g, but rope.scaling.type is missing", k.arch, factor)
		}
		return nil
	case "linear":
		return map[string]any{"rope_type": kind, "factor": factor}
	case "yarn":
		s := map[string]any{"rope_type": kind, "factor": factor}
		if original > 0 {
			s["original_max_position_embeddings"] = original
		}
		return s
	}
	k.fail("key %srope.scaling.type is %q (known: none, linear, yarn)", k.arch, kind)
	return nil
}

func llamaConfig(k *ggufKeys) map[string]any {
	c := decoderConfig(k)
	if k.has(ropeFreqs) && k.err == nil {
		c["rope_scaling"] = k.llama3(c["head_dim"].(int), c["rope_theta"].(float64))
	}
	c["attention_bias"], c["mlp_bias"] = k.has("blk.0.attn_q.bias"), k.has("blk.0.ffn_up.bias")
	return c
}

func qwen2Config(k *ggufKeys) map[string]any {
	c := decoderConfig(k)
	if c["head_dim"].(int)*c["num_attention_heads"].(int) != c["hidden_size"] {
		k.fail("heads have %v channels: a qwen2 with %v heads of %v channels in all cannot have them", c["head_dim"], c["num_attention_heads"], c["hidden_size"])
	}
	delete(c, "head_dim")
	return c
}

// gemma3Config sets what llama.cpp has in its code and not in the file: every sixth layer sees all
// tokens, the others rotate by a base of 10000, and the model of 62 layers scales its queries
// differently.
func gemma3Config(k *ggufKeys) map[string]any {
	c := decoderConfig(k)
	c["hidden_activation"], c["rope_local_base_freq"], c["query_pre_attn_scalar"] = "gelu_pytorch_tanh", k.number("rope.freq_base_swa", 10000), c["head_dim"]
	if c["num_hidden_layers"] == 62 {
		c["query_pre_attn_scalar"] = c["hidden_size"].(int) / c["num_attention_heads"].(int)
	}
	c["rms_norm_eps"], c["rope_theta"] = k.number("attention.layer_norm_rms_epsilon", 1e-6), k.number("rope.freq_base", 1e6)
	n, window := c["num_hidden_layers"].(int), k.sizeOr("attention.sliding_window", 0)
	pattern := k.sizeOr("attention.sliding_window_pattern", 6)
	if n > 1<<10 { // which is refused later
		n = 0
	}
	layers := make([]string, n)
	for i := range layers {
		if layers[i] = "sliding_attention"; window == 0 || (i+1)%pattern == 0 {
			layers[i] = "full_attention"
		}
	}
	c["layer_types"], c["sliding_window"] = layers, window
	return c
}

func gpt2Config(k *ggufKeys) map[string]any {
	c := map[string]any{
		"n_positions": k.size("context_length"), "n_embd": k.size("embedding_length"), "n_layer": k.size("block_count"),
		"n_head": k.heads().query, "n_inner": k.size("feed_forward_length"), "layer_norm_epsilon": k.number("attention.layer_norm_epsilon", 1e-5),
		"activation_function": "gelu_new", "tie_word_embeddings": true,
	}
	if h := k.heads(); h.key != h.query {
		k.fail("key %sattention.head_count_kv is %d of %d heads: a gpt2 has keys for every head", k.arch, h.key, h.query)
	}
	if c["n_inner"] == 4*c["n_embd"].(int) {
		delete(c, "n_inner")
	}
	k.flag("attention.causal", true)
	return c
}

func bertConfig(k *ggufKeys) map[string]any {
	if kind := k.text("tokenizer.ggml.model", "bert"); kind != "bert" {
		k.fail("an encoder with a tokenizer of kind %q is a RoBERTa, whose positions begin elsewhere: only BERT is supported", kind)
	}
	k.flag("attention.causal", false)
	h := k.heads()
	if h.key != h.query {
		k.fail("key %sattention.head_count_kv is %d of %d heads: a bert has keys for every head", k.arch, h.key, h.query)
	}
	switch kind := k.number("pooling_type", 0); kind {
	case 0: // none
	case 1, 2, 3:
		k.pooling = [...]string{"mean", "cls", "lasttoken"}[int(kind)-1]
	default:
		k.fail("key %spooling_type is %g, which is not read: hone knows 0 (none), 1 (mean), 2 (the first token) and 3 (the last)", k.arch, kind)
	}
	c := map[string]any{
		"hidden_size": k.size("embedding_length"), "intermediate_size": k.size("feed_forward_length"), "num_hidden_layers": k.size("block_count"),
		"num_attention_heads": h.query, "max_position_embeddings": k.size("context_length"),
		"layer_norm_eps": k.number("attention.layer_norm_epsilon", 1e-12), "hidden_act": "gelu", "type_vocab_size": k.rows("token_types.weight"),
	}
	return c
}

// ropeFreqs is the tensor of the factors that scale a Llama 3's positions.
const ropeFreqs = "rope_freqs.weight"

// llama3 is the configuration that the factors of a Llama 3 were made from. They do not determine
// all of it: the rest is that of all Llama 3 models, and the whole must give these factors.
func (k *ggufKeys) llama3(dim int, theta float64) map[string]any {
	factors, err := k.values32(ropeFreqs)
	if err != nil {
		k.fail("%w", err)
		return nil
	}
	s := graph.Llama3Scaling{Factor: 1, LowFreqFactor: 1, HighFreqFactor: 4, Context: k.sizeOr("rope.scaling.original_context_length", 8192)}
	for _, f := range factors {
		s.Factor = max(s.Factor, float64(f))
	}
	want := llama3Factors(s, dim, theta)
	if !slices.EqualFunc(want, factors, func(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-4*float64(b) }) {
		k.fail("tensor %s: its factors are not those of a Llama 3, the only ones that are supported", ropeFreqs)
	}
	return map[string]any{
		"rope_type": "llama3", "factor": s.Factor, "low_freq_factor": s.LowFreqFactor, "high_freq_factor": s.HighFreqFactor,
		"original_max_position_embeddings": s.Context,
	}
}

// llama3Factors are the numbers that frequencies are divided by: (dim/2).
func llama3Factors(s graph.Llama3Scaling, dim int, theta float64) []float32 {
	plain := graph.Frequencies(dim, theta)
	scaled := slices.Clone(plain)
	s.Apply(scaled)
	factors := make([]float32, len(plain))
	for i := range factors {
		factors[i] = float32(plain[i] / scaled[i])
	}
	return factors
}

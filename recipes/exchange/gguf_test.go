package exchange

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/checkpoint/gguf"
)

// A ggufWant is what transformers has of a model of testdata/gguf; see models.py there.
type ggufWant struct {
	Config  map[string]any
	Tensors map[string]string // the sha256 of their float32
}

func ggufModels(t *testing.T) map[string]ggufWant {
	t.Helper()
	text, err := os.ReadFile("testdata/gguf/models.json")
	if err != nil {
		t.Fatal(err)
	}
	var all struct{ Models map[string]ggufWant }
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all.Models
}

// A GGUF file becomes the checkpoint that transformers makes of it: every tensor bit by bit, and
// the configuration.
func TestImportGGUF(t *testing.T) {
	for name, want := range ggufModels(t) {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "model")
			r, err := Import(t.Context(), "testdata/gguf/"+name+".gguf", dst, silent())
			if err != nil {
				t.Fatal(err)
			}
			if name == "bert" && !slices.ContainsFunc(r.Notes, func(note string) bool { return strings.Contains(note, "mean pooling") }) {
				t.Errorf("notes %q", r.Notes)
			}
			if r.Name != "tiny "+name || r.Files[0] != name+".gguf" {
				t.Errorf("%+v", r)
			}
			c, err := checkpoint.Open(dst)
			if err != nil {
				t.Fatal(err)
			}
			s, err := c.Tensors(checkpoint.ModelFile)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			got := map[string]string{}
			for _, x := range s.Tensors() {
				x, err := s.Read(x.Name, nil)
				if err != nil {
					t.Fatal(err)
				}
				sum := sha256.Sum256(x.Data)
				got[x.Name] = hex.EncodeToString(sum[:])
			}
			for tensor, sum := range want.Tensors {
				mine, ok := got[tensor]
				if !ok && (tensor == "lm_head.weight" && want.Config["tie_word_embeddings"] != false) {
					continue // tied
				}
				if mine != sum {
					t.Errorf("tensor %s is not transformers' (there: %v)", tensor, ok)
				}
				delete(got, tensor)
			}
			if len(got) > 0 {
				t.Errorf("more tensors: %v", got)
			}
			text, err := c.File(checkpoint.ConfigFile)
			if err != nil {
				t.Fatal(err)
			}
			var config map[string]any
			if err := json.Unmarshal(text, &config); err != nil {
				t.Fatal(err)
			}
			for key, value := range want.Config {
				if !reflect.DeepEqual(config[key], value) {
					t.Errorf("%s is %v, want %v", key, config[key], value)
				}
			}
		})
	}
}

// tinyGGUF are the keys and tensors of a Llama of one layer.
func tinyGGUF() (list []gguf.Key, tensors []gguf.Tensor) {
	tokens := []string{"<|end|>"}
	for b := range 256 {
		tokens = append(tokens, string(rune(0x100+b)))
	}
	types := make([]int32, len(tokens))
	for i := range types {
		types[i] = 1
	}
	types[0] = 3
	list = []gguf.Key{
		{Name: "general.architecture", Value: "llama"}, {Name: "llama.context_length", Value: uint32(64)}, {Name: "llama.embedding_length", Value: uint32(32)},
		{Name: "llama.feed_forward_length", Value: uint32(48)}, {Name: "llama.block_count", Value: uint32(1)}, {Name: "llama.attention.head_count", Value: uint32(4)},
		{Name: "llama.attention.head_count_kv", Value: uint32(2)}, {Name: "llama.attention.layer_norm_rms_epsilon", Value: float32(1e-5)},
		{Name: "tokenizer.ggml.model", Value: "gpt2"}, {Name: "tokenizer.ggml.pre", Value: "gpt-2"}, {Name: "tokenizer.ggml.tokens", Value: tokens},
		{Name: "tokenizer.ggml.token_type", Value: types}, {Name: "tokenizer.ggml.merges", Value: []string{}},
		{Name: "tokenizer.ggml.bos_token_id", Value: uint32(0)}, {Name: "tokenizer.ggml.eos_token_id", Value: uint32(0)},
	}
	for _, x := range []struct {
		name  string
		shape []int
	}{
		{"token_embd.weight", []int{257, 32}}, {"output_norm.weight", []int{32}}, {"blk.0.attn_norm.weight", []int{32}}, {"blk.0.ffn_norm.weight", []int{32}},
		{"blk.0.attn_q.weight", []int{32, 32}}, {"blk.0.attn_k.weight", []int{16, 32}}, {"blk.0.attn_v.weight", []int{16, 32}},
		{"blk.0.attn_output.weight", []int{32, 32}}, {"blk.0.ffn_gate.weight", []int{48, 32}}, {"blk.0.ffn_up.weight", []int{48, 32}},
		{"blk.0.ffn_down.weight", []int{32, 48}},
	} {
		tensors = append(tensors, gguf.Tensor{Name: x.name, Shape: x.shape, Type: gguf.F32})
	}
	return list, tensors
}

// What contradicts itself or is not known in a GGUF file is refused by its name, and nothing is
// written.
func TestImportGGUFRefused(t *testing.T) {
	type file struct {
		keys    []gguf.Key
		tensors []gguf.Tensor
	}
	set := func(name string, v any) func(f *file) {
		return func(f *file) {
			f.keys = slices.DeleteFunc(f.keys, func(k gguf.Key) bool { return k.Name == name })
			if v != nil {
				f.keys = append(f.keys, gguf.Key{Name: name, Value: v})
			}
		}
	}
	tensor := func(name string, shape ...int) func(f *file) {
		return func(f *file) {
			f.tensors = slices.DeleteFunc(f.tensors, func(x gguf.Tensor) bool { return x.Name == name })
			if shape != nil {
				f.tensors = append(f.tensors, gguf.Tensor{Name: name, Shape: shape, Type: gguf.F32})
			}
		}
	}
	for name, test := range map[string]struct {
		change func(f *file)
		want   string
	}{
		"as it is":             {func(*file) {}, ""},
		"another architecture": {set("general.architecture", "mamba"), `general.architecture "mamba" is not supported (known: llama, qwen2, qwen3, gemma3, gpt2, bert)`},
		"no architecture":      {set("general.architecture", nil), `general.architecture "" is not supported`},
		"a number for one":     {set("general.architecture", uint32(1)), "key general.architecture is of type uint32, not a string"},
		"an adapter":           {set("general.type", "adapter"), `general.type is "adapter", not a model`},
		"no sizes":             {set("llama.embedding_length", nil), "key llama.embedding_length is missing"},
		"a size of 0":          {set("llama.feed_forward_length", uint32(0)), "key llama.feed_forward_length is not a whole number of at least 1"},
		"a size of 2^40":       {set("llama.embedding_length", uint64(1<<40)), "key llama.embedding_length is not a whole number"},
		"a size of 2^30":       {set("llama.embedding_length", uint32(1<<30)), "hidden_size"},
		"heads of 2^30":        {set("llama.attention.head_count", uint32(1<<30)), "not an even number for each of 1073741824 heads"},
		"inner of 2^31":        {set("llama.feed_forward_length", uint32(1<<31-1)), "intermediate_size"},
		"context of 2^31":      {set("llama.context_length", uint32(1<<31-1)), "max_position_embeddings"},
		"another size":         {set("llama.embedding_length", uint32(64)), "has shape"},
		"more layers":          {set("llama.block_count", uint32(1e6)), "num_hidden_layers is 1000000, but there are only 11 tensors"},
		"heads that differ":    {set("llama.attention.head_count", []int32{4, 2}), "key llama.attention.head_count is not a whole number"},
		"more heads":           {set("llama.attention.head_count", uint32(5)), "tensor \"blk.0.attn_q.weight\" has 32 rows, not an even number for each of 5 heads"},
		"heads of one row":     {set("llama.attention.head_count", uint32(32)), "not an even number for each of 32 heads"},
		"experts":              {set("llama.expert_count", uint32(8)), "key llama.expert_count is not supported"},
		"a window":             {set("llama.attention.sliding_window", uint32(8)), "key llama.attention.sliding_window is not supported"},
		"turned in part":       {set("llama.rope.dimension_count", uint32(4)), "heads that rotate in part are not supported"},
		"values of a size":     {set("llama.attention.value_length", uint32(4)), "attention.value_length is 4, but key_length is 8"},
		"another stretch":      {set("llama.rope.scaling.type", "longrope"), `rope.scaling.type is "longrope" (known: none, linear, yarn)`},
		"a stretch of none":    {set("llama.rope.scaling.factor", float32(2)), "rope.scaling.factor is 2, but rope.scaling.type is missing"},
		"sees ahead":           {set("llama.attention.causal", false), "key llama.attention.causal is not true, which is not supported"},
		"more tokens":          {set("llama.vocab_size", uint32(300)), "llama.vocab_size is 300, but token_embd.weight has 257 rows"},
		"no embedding":         {tensor("token_embd.weight"), `tensor "token_embd.weight" is missing`},
		"an embedding's row":   {tensor("token_embd.weight", 32), `tensor "token_embd.weight" has shape [32], not rows and columns`},
		"fewer rows":           {tensor("token_embd.weight", 100, 32), "the tokenizer has 257 tokens, but vocab_size is 100"},
		"no norm":              {tensor("output_norm.weight"), "tensor model.norm.weight is missing"},
		"a tensor too many":    {tensor("blk.0.ffn_gate_exps.weight", 4, 4), `tensor "blk.0.ffn_gate_exps.weight" is not a tensor of llama`},
		"a layer too many":     {tensor("blk.1.attn_norm.weight", 32), "unexpected tensor model.layers.1.input_layernorm.weight"},
		"a layer named twice":  {tensor("blk.00.attn_norm.weight", 32), `tensor "blk.00.attn_norm.weight" is not a tensor`},
		"other factors":        {tensor("rope_freqs.weight", 4), "tensor rope_freqs.weight: its factors are not those of a Llama 3"},
		"a token too far":      {set("tokenizer.ggml.eos_token_id", uint32(1<<31)), "eos_token_id"},
		"no tokenizer":         {set("tokenizer.ggml.model", nil), "tokenizer"},
	} {
		var f file
		f.keys, f.tensors = tinyGGUF()
		test.change(&f)
		dir := t.TempDir()
		path, dst := filepath.Join(dir, "m.gguf"), filepath.Join(dir, "made")
		out, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		err = gguf.Write(out, f.keys, f.tensors, func(w io.Writer, x *gguf.Tensor) error {
			_, err := w.Write(make([]byte, x.Bytes))
			return err
		})
		if err = errors.Join(err, out.Close()); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = Import(t.Context(), path, dst, silent())
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
			t.Errorf("%s: %d bytes of memory", name, took)
		}
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		if _, err := os.Stat(dst); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
}

// values reads every tensor of a checkpoint.
func values(t *testing.T, dir string) map[string][]float32 {
	t.Helper()
	w, err := checkpoint.OpenWeights(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := map[string][]float32{}
	for i, x := range w.Tensors() {
		var b bytes.Buffer
		if err := w.Copy(t.Context(), &b, i, "F32"); err != nil {
			t.Fatal(err)
		}
		all[x.Name] = make([]float32, x.Elems())
		if err := binary.Read(&b, binary.LittleEndian, all[x.Name]); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// What goes out as GGUF in float32 comes in again as it was, with its configuration, its
// tokenizer and its provenance; of norms that had 1 added, within its rounding.
func TestExportGGUF(t *testing.T) {
	for name := range ggufModels(t) {
		dir := t.TempDir()
		first, again, path := filepath.Join(dir, "first"), filepath.Join(dir, "again"), filepath.Join(dir, "m.gguf")
		if _, err := Import(t.Context(), "testdata/gguf/"+name+".gguf", first, silent()); err != nil {
			t.Fatal(err)
		}
		x, err := ExportGGUF(t.Context(), first, path, "F32", silent())
		if name == "bert" {
			if err == nil || !strings.Contains(err.Error(), "BertModel cannot be written as a GGUF file (known: LlamaForCausalLM, Qwen2ForCausalLM") {
				t.Errorf("bert: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(x.AsF16) > 0 || x.Parameters == 0 {
			t.Errorf("%s: %+v", name, x)
		}
		if _, err := ExportGGUF(t.Context(), first, path, "F32", silent()); err == nil || !strings.Contains(err.Error(), "exists already") {
			t.Errorf("%s: written over: %v", name, err)
		}
		if _, err := Import(t.Context(), path, again, silent()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want, got := values(t, first), values(t, again)
		for tensor, v := range want {
			by := 0.
			if name == "gemma3" && strings.HasSuffix(tensor, "norm.weight") {
				by = 1. / (1 << 23)
			}
			if !slices.EqualFunc(v, got[tensor], func(a, b float32) bool { return math.Abs(float64(a-b)) <= by }) {
				t.Errorf("%s: tensor %s comes back another", name, tensor)
			}
		}
		for _, file := range []string{checkpoint.ConfigFile, checkpoint.TokenizerFile, checkpoint.TokenizerConfigFile} {
			was, err := os.ReadFile(filepath.Join(first, file))
			if err != nil {
				t.Fatal(err)
			}
			is, err := os.ReadFile(filepath.Join(again, file))
			if err != nil || !bytes.Equal(was, is) {
				t.Errorf("%s: %s was\n%s\nis\n%s\n%v", name, file, was, is, err)
			}
		}
		c, err := checkpoint.Open(again)
		if err != nil {
			t.Fatal(err)
		}
		if chain := c.Manifest.Provenance; len(chain) != 2 || chain[0].Imported.Name != "tiny "+name {
			t.Errorf("%s: provenance %+v", name, chain)
		}
	}
}

// Tensors are of the type that was asked for where whole blocks fit into their rows, in order and
// without gaps; others are F16 and named.
func TestExportGGUFTypes(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model")
	if _, err := Import(t.Context(), "testdata/huggingface/llama", model, silent()); err != nil {
		t.Fatal(err)
	}
	for _, dtype := range GGUFTypes {
		path := filepath.Join(dir, dtype+".gguf")
		x, err := ExportGGUF(t.Context(), model, path, dtype, silent())
		if err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		kind, err := gguf.TypeNamed(dtype)
		if err != nil {
			t.Fatal(err)
		}
		var short []string
		for _, tensor := range f.Tensors {
			want := kind
			if last := tensor.Shape[len(tensor.Shape)-1]; len(tensor.Shape) == 1 {
				want = gguf.F32
			} else if last%kind.Block() != 0 {
				want = gguf.F16
				short = append(short, tensor.Name)
			}
			if tensor.Type != want {
				t.Errorf("%s of shape %v is of type %v, want %v", tensor.Name, tensor.Shape, tensor.Type, want)
			}
		}
		if slices.Sort(short); !slices.Equal(slices.Sorted(slices.Values(x.AsF16)), short) {
			t.Errorf("%s: in F16 are %v, said are %v", dtype, short, x.AsF16)
		}
	}
	_, err := ExportGGUF(t.Context(), model, filepath.Join(dir, "x.gguf"), "Q6_K", silent())
	if err == nil || !strings.Contains(err.Error(), `dtype "Q6_K" of a GGUF file is not known; known are F32, F16, BF16, Q8_0, Q4_0, Q4_1`) {
		t.Error(err)
	}
}

// What a configuration says and a GGUF file cannot is refused by its name.
func TestExportGGUFRefused(t *testing.T) {
	decoder := func(kind, class string, more map[string]any) map[string]any {
		c := map[string]any{"model_type": kind, "architectures": []string{class}, "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 7,
			"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "max_position_embeddings": 64, "tie_word_embeddings": true, "rms_norm_eps": 1e-5}
		for key, v := range more {
			c[key] = v
		}
		return c
	}
	gemma := func(key string, v any) map[string]any {
		c := decoder("gemma3_text", "Gemma3ForCausalLM", map[string]any{"query_pre_attn_scalar": 8, "sliding_window": 16})
		c[key] = v
		return c
	}
	for name, test := range map[string]struct {
		config map[string]any
		want   string
	}{
		"llama":             {decoder("llama", "LlamaForCausalLM", nil), ""},
		"linear":            {decoder("llama", "LlamaForCausalLM", map[string]any{"rope_scaling": map[string]any{"rope_type": "linear", "factor": 2.}}), ""},
		"dynamic":           {decoder("llama", "LlamaForCausalLM", map[string]any{"rope_scaling": map[string]any{"rope_type": "dynamic", "factor": 2.}}), `llama: rope_type "dynamic", which GGUF's llama cannot say`},
		"classifier":        {decoder("llama", "LlamaForSequenceClassification", map[string]any{"num_labels": 2}), "LlamaForSequenceClassification cannot be written as a GGUF file"},
		"qwen2":             {decoder("qwen2", "Qwen2ForCausalLM", nil), ""},
		"qwen2's window":    {decoder("qwen2", "Qwen2ForCausalLM", map[string]any{"use_sliding_window": true, "sliding_window": 8, "max_window_layers": 2}), "qwen2: layers that see a window"},
		"qwen3's bias":      {decoder("qwen3", "Qwen3ForCausalLM", map[string]any{"attention_bias": true}), "qwen3: attention_bias"},
		"gemma3":            {gemma("sliding_window", 16), ""},
		"gemma3's layers":   {gemma("layer_types", []string{"full_attention", "sliding_attention", "sliding_attention", "sliding_attention", "sliding_attention", "full_attention", "sliding_attention"}), "gemma3_text: layer_types but that each sixth"},
		"gemma3's base":     {gemma("rope_local_base_freq", 5000), "rope_local_base_freq 5000 and not 10000"},
		"gemma3's scale":    {gemma("query_pre_attn_scalar", 16), "query_pre_attn_scalar 16 and not 8"},
		"gemma3's function": {gemma("hidden_activation", "gelu"), "hidden_activation gelu"},
		"gpt2's function":   {map[string]any{"model_type": "gpt2", "architectures": []string{"GPT2LMHeadModel"}, "vocab_size": 300, "n_embd": 32, "n_head": 4, "n_layer": 1, "n_positions": 64, "bos_token_id": 0, "eos_token_id": 0, "activation_function": "relu"}, "activation_function relu"},
		"another family":    {map[string]any{"model_type": "roberta", "architectures": []string{"RobertaForMaskedLM"}}, "RobertaForMaskedLM cannot be written as a GGUF file"},
	} {
		text, err := json.Marshal(test.config)
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "m")
		if err := checkpoint.Create(dir, checkpoint.Manifest{}, []checkpoint.File{checkpoint.BytesFile(checkpoint.ConfigFile, text)}); err != nil {
			t.Fatal(err)
		}
		c, err := checkpoint.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		_, err = writeModel(c, gguf.F32)
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
	}
}

package exchange

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/recipes"
	hexec "hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

const huggingFaceDir = "testdata/huggingface"

// huggingFaceModels are the directories that transformers has written (make.py beside them), of
// the families that there are here.
func huggingFaceModels(t *testing.T) []string {
	t.Helper()
	configs, err := filepath.Glob(filepath.Join(huggingFaceDir, "*", checkpoint.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range configs {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			ModelType string `json:"model_type"`
		}
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(model.ModelTypes, c.ModelType) {
			names = append(names, filepath.Base(filepath.Dir(path)))
		}
	}
	if len(names) < 3 {
		t.Fatalf("only %q are there", names)
	}
	return names
}

type silentBar struct{}

func (silentBar) Set(done, total int64, note string) {}
func (silentBar) Close()                             {}

func silent() recipes.Console {
	return recipes.Console{Say: func(string) {}, Bar: func(string, string) recipes.Bar { return silentBar{} }}
}

func importModel(t *testing.T, name string) string {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "imported")
	if _, err := Import(t.Context(), filepath.Join(huggingFaceDir, name), dst, silent()); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return dst
}

// contents are the tensors of a directory as a type.
func contents(t *testing.T, dir, dtype string) map[string][]byte {
	t.Helper()
	w, err := checkpoint.OpenWeights(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := map[string][]byte{}
	for i, x := range w.Tensors() {
		var b bytes.Buffer
		if err := w.Copy(t.Context(), &b, i, dtype); err != nil {
			t.Fatal(err)
		}
		all[x.Name] = b.Bytes()
	}
	return all
}

func equalContents(t *testing.T, what string, got, want map[string][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d tensors, want %d", what, len(got), len(want))
	}
	for name, b := range want {
		if !bytes.Equal(got[name], b) {
			t.Errorf("%s: %s: another content", what, name)
		}
	}
}

// maskEmb is XLNet's query vector, which only predicting tokens takes.
const maskEmb = "transformer.mask_emb"

// Models that transformers has saved, whole and in shards, of each type, become checkpoints
// with its values, and go out again with the same.
func TestImportExport(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(huggingFaceDir, "values.json"))
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Models map[string]struct {
			Architecture string
			Tensors      map[string][2]any
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	for _, name := range huggingFaceModels(t) {
		t.Run(name, func(t *testing.T) {
			want := ref.Models[name]
			dir := importModel(t, name)
			values := contents(t, dir, "F32")
			if strings.HasPrefix(name, "xlnet") && values[maskEmb] == nil {
				delete(want.Tensors, maskEmb)
			}
			if len(values) != len(want.Tensors) {
				t.Errorf("%d tensors, want %d", len(values), len(want.Tensors))
			}
			for tensor, w := range want.Tensors {
				sum := sha256.Sum256(values[tensor])
				if got := hex.EncodeToString(sum[:]); got != w[1] {
					t.Errorf("%s: not the values that transformers has", tensor)
				}
			}
			m, err := pretrained.Open(dev, dir, 0)
			if err != nil {
				t.Fatal(err)
			}
			if a := m.Config.Architectures; len(a) != 1 || a[0] != want.Architecture {
				t.Errorf("architectures %q, want %q", a, want.Architecture)
			}
			chain := m.Checkpoint.Manifest.Provenance
			if len(chain) != 1 || chain[0].Imported == nil || chain[0].Imported.Name != name || len(chain[0].Imported.Files) == 0 {
				t.Errorf("provenance %+v", chain)
			}

			source := filepath.Join(huggingFaceDir, name)
			w, err := checkpoint.OpenWeights(source)
			if err != nil {
				t.Fatal(err)
			}
			stored := w.Tensors()[0].DType
			w.Close()
			for i, e := range []ExportOptions{
				{"fp32", 1 << 30}, {map[string]string{"F32": "fp32", "BF16": "bf16", "F16": "fp16"}[stored], 10_000},
			} {
				out := filepath.Join(t.TempDir(), "exported")
				x, err := Export(t.Context(), dir, out, e, silent())
				if err != nil {
					t.Fatal(err)
				}
				if shards := i == 1; (len(x.Files) > 2) != shards {
					t.Errorf("files %q", x.Files)
				}
				if i == 0 {
					equalContents(t, "fp32", contents(t, out, "F32"), values)
				} else {
					// The directory that was imported, once more: names, types, bits.
					got, want := contents(t, out, stored), contents(t, source, stored)
					for tensor := range want {
						if _, ok := values[tensor]; !ok {
							delete(want, tensor) // what transformers saves of a tied matrix
						}
					}
					equalContents(t, stored, got, want)
				}
				again := filepath.Join(t.TempDir(), "again")
				if _, err := Import(t.Context(), out, again, silent()); err != nil {
					t.Fatal(err)
				}
				equalContents(t, "imported again", contents(t, again, "F32"), values)
				c, err := checkpoint.Open(again)
				if err != nil {
					t.Fatal(err)
				}
				if n := len(c.Manifest.Provenance); n != 2 {
					t.Errorf("imported again, the chain has %d stages", n)
				}
			}
		})
	}
}

// copyModel copies a model's directory.
func copyModel(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "model")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(huggingFaceDir, name))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Every fault of a model directory is an error that names the file and the tensor or key;
// nothing is left behind.
func TestImportModelFaults(t *testing.T) {
	config := func(key string, value any) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, checkpoint.ConfigFile)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var keys map[string]any
			if err := json.Unmarshal(b, &keys); err != nil {
				t.Fatal(err)
			}
			if _, ok := keys[key]; !ok {
				t.Fatalf("no key %s in %s", key, b)
			}
			keys[key] = value
			if b, err = json.Marshal(keys); err != nil {
				t.Fatal(err)
			}
			write(t, path, b)
		}
	}
	weights := func(change func(list []checkpoint.Tensor) []checkpoint.Tensor) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { edit(t, filepath.Join(dir, checkpoint.ModelFile), change) }
	}
	const tensor = "transformer.h.1.ln_2.bias"
	at := func(list []checkpoint.Tensor) int {
		return slices.IndexFunc(list, func(x checkpoint.Tensor) bool { return x.Name == tensor })
	}
	for _, test := range []struct {
		name   string
		change func(t *testing.T, dir string)
		want   string
	}{
		{"unknown model", config("model_type", "gpt3"), `config.json: model: model_type "gpt3" is not known; known are`},
		{"unknown architecture", config("architectures", []string{"GPT2DoubleHeadsModel"}), "config.json: model: architecture GPT2DoubleHeadsModel is not known; known are"},
		{"heads", config("n_head", 3), "config.json: model: config: n_embd: 16 is not a multiple of n_head, 3"},
		{"no number", config("n_head", "two"), "config.json: model: config: n_head is a JSON string"},
		{"layers", config("n_layer", 1_000_000_000), "config.json: n_layer is 1000000000, but there are only"},
		{"a layer more", config("n_layer", 3), "model: tensor transformer.h.2.ln_1.weight is missing"},
		{"a layer less", config("n_layer", 1), "(model.safetensors): model: unexpected tensor transformer.h.1."},
		{"a huge width", config("n_embd", 1<<20), "(model.safetensors): model: tensor transformer.h.0.attn.c_attn.bias has shape [48], want [3145728]"},
		{"a width beyond all", config("n_embd", 1<<40), "config.json: model: config: n_embd: 1099511627776 is more than 4194304"},
		{"vocabulary", config("vocab_size", 20), "has shape [300 16], want [20 16]"},
		{"missing", weights(func(l []checkpoint.Tensor) []checkpoint.Tensor { return slices.Delete(l, at(l), at(l)+1) }), "(model.safetensors): model: tensor " + tensor + " is missing"},
		{"extra", weights(func(l []checkpoint.Tensor) []checkpoint.Tensor {
			return append(l, checkpoint.Tensor{Name: "extra", DType: "F32", Shape: []int{1}, Data: make([]byte, 4)})
		}), "(model.safetensors): model: unexpected tensor extra"},
		{"shape", weights(func(l []checkpoint.Tensor) []checkpoint.Tensor { l[at(l)].Shape = []int{4, 4}; return l }), tensor + " has shape [4 4], want [16]"},
		{"type", weights(func(l []checkpoint.Tensor) []checkpoint.Tensor { l[at(l)].DType = "I32"; return l }), "tensor " + tensor + " is of type I32; weights of"},
		{"NaN", weights(func(l []checkpoint.Tensor) []checkpoint.Tensor {
			copy(l[at(l)].Data[8:], []byte{0, 0, 0xc0, 0x7f})
			return l
		}), `model.safetensors: tensor "` + tensor + `": element 2 is NaN`},
		{"truncated", func(t *testing.T, dir string) {
			path := filepath.Join(dir, checkpoint.ModelFile)
			if err := os.Truncate(path, 20_000); err != nil {
				t.Fatal(err)
			}
		}, "model.safetensors: not a valid safetensors file: tensor "},
		{"no config", func(t *testing.T, dir string) { remove(t, dir, checkpoint.ConfigFile) }, "config.json: no such file"},
		{"no weights", func(t *testing.T, dir string) { remove(t, dir, checkpoint.ModelFile) }, "none of model.safetensors, model.safetensors.index.json, pytorch_model.bin"},
		{"no tokenizer", func(t *testing.T, dir string) { remove(t, dir, checkpoint.TokenizerFile) }, "has none of tokenizer.json"},
		{"damaged tokenizer", func(t *testing.T, dir string) { write(t, filepath.Join(dir, checkpoint.TokenizerFile), []byte("{")) }, "tokenizer.json: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := copyModel(t, "gpt2")
			test.change(t, dir)
			dst := filepath.Join(t.TempDir(), "imported")
			_, err := Import(t.Context(), dir, dst, silent())
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("error %v, want %q in it, and %s", err, test.want, dir)
			}
			if entries, err := os.ReadDir(filepath.Dir(dst)); err != nil || len(entries) > 0 {
				t.Errorf("left behind: %v, %v", entries, err)
			}
		})
	}
}

// edit changes the tensors of a file.
func edit(t *testing.T, path string, change func(list []checkpoint.Tensor) []checkpoint.Tensor) {
	t.Helper()
	s, err := checkpoint.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []checkpoint.Tensor
	for _, x := range s.Tensors() {
		if x, err = s.Read(x.Name, nil); err != nil {
			t.Fatal(err)
		}
		list = append(list, x)
	}
	s.Close()
	var b bytes.Buffer
	if err := checkpoint.WriteSafetensors(&b, change(list)); err != nil {
		t.Fatal(err)
	}
	write(t, path, b.Bytes())
}

// What is no model directory that Import reads is refused by what it is, in one line.
func TestImportOthers(t *testing.T) {
	keys := func(keys map[string]any) func(t *testing.T, dir string) string {
		return func(t *testing.T, dir string) string {
			change(t, filepath.Join(dir, checkpoint.ConfigFile), keys)
			return dir
		}
	}
	rope := func(kind string) func(t *testing.T, dir string) string {
		return keys(map[string]any{"rope_parameters": map[string]any{"rope_type": kind, "factor": 2, "rope_theta": 1e4}})
	}
	for _, c := range []struct {
		name, model string
		make        func(t *testing.T, dir string) string // what is imported
		want        string
	}{
		{"adapter", "llama", func(t *testing.T, dir string) string {
			remove(t, dir, checkpoint.ConfigFile)
			write(t, filepath.Join(dir, "adapter_config.json"), []byte("{}"))
			return dir
		}, "is a PEFT adapter (adapter_config.json), not a whole model"},
		{"GGUF", "llama", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "m.gguf"), []byte("GGUF"))
			return filepath.Join(dir, "m.gguf")
		}, "m.gguf: gguf: no GGUF file"},
		{"directory of GGUF", "llama", func(t *testing.T, dir string) string {
			remove(t, dir, checkpoint.ModelFile)
			write(t, filepath.Join(dir, "m.gguf"), []byte("GGUF"))
			return dir
		}, "has its weights in a GGUF file, m.gguf (hint: import that file itself)"},
		{"PyTorch", "llama", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "pytorch_model.bin"), []byte("PK"))
			return filepath.Join(dir, "pytorch_model.bin")
		}, "is a file of weights: import its directory"},
		{"directory of PyTorch", "llama", func(t *testing.T, dir string) string {
			remove(t, dir, checkpoint.ModelFile)
			write(t, filepath.Join(dir, "pytorch_model.bin"), []byte("PK"))
			return dir
		}, "pytorch_model.bin: not a file of weights that torch.save wrote"},
		{"weights alone", "llama", func(t *testing.T, dir string) string { return filepath.Join(dir, checkpoint.ModelFile) }, "is a file of weights: import its directory"},
		{"nothing", "llama", func(t *testing.T, dir string) string { return filepath.Join(dir, "absent") }, "no such file"},
		{"quantised", "llama", keys(map[string]any{"quantization_config": map[string]any{"quant_method": "gptq", "bits": 4}}), "quantization_config: quantised weights (gptq) are not supported"},
		{"one label", "bert-classifier-fp16", keys(map[string]any{"id2label": map[string]string{"0": "x"}, "label2id": map[string]int{"x": 0}, "problem_type": "single_label_classification"}), "num_labels: 1 label leaves nothing to choose; want 2 or more"},
		{"axial", "llama", rope("axial"), `rope_scaling.rope_type: "axial" is not known`},
		{"decoder", "bert", keys(map[string]any{"is_decoder": true}), "is_decoder: true is not supported; want false"},
		{"sight", "llama", keys(map[string]any{"is_causal": false}), "is_causal: false is not supported; want true"},
		{"token", "llama", keys(map[string]any{"eos_token_id": 1<<32 + 2}), "eos_token_id: 4294967298 is no token"},
		{"adapter beside a model", "llama", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, "adapter_config.json"), []byte("{}"))
			return dir
		}, "is a PEFT adapter"},
		{"tokens", "llama", func(t *testing.T, dir string) string {
			write(t, filepath.Join(dir, checkpoint.GenerationFile), []byte(`{"eos_token_id": [1, 4294967298]}`))
			return dir
		}, "generation_config.json: 4294967298 is not a token"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := c.make(t, copyModel(t, c.model))
			dst := filepath.Join(t.TempDir(), "imported")
			_, err := Import(t.Context(), src, dst, silent())
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || !errors.Is(err, recipes.ErrInput) {
				t.Errorf("error %v, want one line with %q", err, c.want)
			}
		})
	}
}

// What transformers leaves out of a config.json, or has by other names, is read as it reads it;
// keys and tensors that mean nothing to a model are named.
func TestImportAsTransformers(t *testing.T) {
	read := func(t *testing.T, name string, remove []string, keys map[string]any) (*Imported, model.Config) {
		t.Helper()
		dir := copyModel(t, name)
		path := filepath.Join(dir, checkpoint.ConfigFile)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var all map[string]any
		if err := json.Unmarshal(b, &all); err != nil {
			t.Fatal(err)
		}
		for _, key := range remove {
			delete(all, key)
		}
		maps.Copy(all, keys)
		if b, err = json.Marshal(all); err != nil {
			t.Fatal(err)
		}
		write(t, path, b)
		dst := filepath.Join(t.TempDir(), "imported")
		r, err := Import(t.Context(), dir, dst, silent())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if b, err = os.ReadFile(filepath.Join(dst, checkpoint.ConfigFile)); err != nil {
			t.Fatal(err)
		}
		c, err := model.ReadConfig(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		return r, c
	}
	if _, c := read(t, "gpt2", []string{"n_embd", "n_layer", "n_head", "n_positions"},
		map[string]any{"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 32}); c.Family.(model.GPT2).NEmbd != 16 {
		t.Errorf("other names: %+v", c)
	}
	half := 0.5
	if _, c := read(t, "bert-classifier-fp16", nil, map[string]any{"classifier_dropout": half}); c.Family.(model.BERT).ClassifierDropout == nil || *c.Family.(model.BERT).ClassifierDropout != half {
		t.Errorf("classifier_dropout is lost: %+v", c.Family)
	}
	r, _ := read(t, "llama", nil, map[string]any{"made_up_key": 3, "temperature": 0.5})
	if want := "config.json: ignored keys, which a llama does not have: made_up_key"; !slices.Contains(r.Notes, want) {
		t.Errorf("notes %q, want %q in them", r.Notes, want)
	}
	if r, _ = read(t, "bert-pretraining", nil, map[string]any{"architectures": []string{"BertForMaskedLM"}}); !slices.ContainsFunc(r.Notes, func(n string) bool {
		return strings.HasPrefix(n, "left out, since a language model has no such part: cls.seq_relationship.")
	}) {
		t.Errorf("notes %q", r.Notes)
	}
	// A classifier of two labels, as transformers saves it.
	dir := copyModel(t, "llama")
	change(t, filepath.Join(dir, checkpoint.ConfigFile), map[string]any{"architectures": []string{"LlamaForSequenceClassification"}})
	edit(t, filepath.Join(dir, checkpoint.ModelFile), func(list []checkpoint.Tensor) []checkpoint.Tensor {
		for i, x := range list {
			if x.Name == "lm_head.weight" {
				list[i] = checkpoint.Tensor{Name: "score.weight", DType: x.DType, Shape: []int{2, x.Shape[1]}, Data: x.Data[:len(x.Data)/x.Shape[0]*2]}
			}
		}
		return list
	})
	dst := filepath.Join(t.TempDir(), "imported")
	if _, err := Import(t.Context(), dir, dst, silent()); err != nil {
		t.Fatal(err)
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	if m, err := pretrained.Open(dev, dst, 0); err != nil || !slices.Equal(m.Config.Labels(), []string{"LABEL_0", "LABEL_1"}) {
		t.Errorf("%v: %+v", err, m)
	}
}

// No size in a config.json takes memory before it is checked, and none panics.
func TestImportSizes(t *testing.T) {
	for _, name := range []string{"gpt2", "llama", "qwen3", "bert", "roberta", "distilbert", "t5", "xlnet-memory"} {
		dir := copyModel(t, name)
		path := filepath.Join(dir, checkpoint.ConfigFile)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var config map[string]any
		if err := json.Unmarshal(text, &config); err != nil {
			t.Fatal(err)
		}
		for key, v := range config {
			if _, ok := v.(float64); !ok {
				continue
			}
			for _, n := range []int64{1 << 62, 1 << 31, 1 << 24, 10_000, 0, -1 << 62} {
				write(t, path, text)
				change(t, path, map[string]any{key: n})
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				r := &Imported{Source: dir}
				w, text, err := r.open()
				if err != nil {
					t.Fatal(err)
				}
				_, err = r.match(t.Context(), w, text)
				w.Close()
				runtime.ReadMemStats(&after)
				if taken := after.TotalAlloc - before.TotalAlloc; taken > 64<<20 {
					t.Errorf("%s: %s %d: %d bytes were taken; error %v", name, key, n, taken, err)
				}
				if err == nil && (n > 1<<31 || n < -1) && !strings.HasSuffix(key, "dropout") && !slices.Contains(harmless, key) {
					t.Errorf("%s: %s %d is accepted", name, key, n)
				}
			}
		}
	}
}

// harmless are numbers that may be any: rates are checked by themselves, and a distance may be far.
var harmless = []string{
	"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon", "rope_theta", "initializer_factor", "pretraining_tp", "sliding_window", "max_window_layers",
	"start_n_top", "end_n_top", "chunk_size_feed_forward", "clamp_len",
}

// An TestImportInterrupted import or export ends without its directory.
func TestImportInterrupted(t *testing.T) {
	src := importModel(t, "gpt2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dst := filepath.Join(t.TempDir(), "x")
	if _, err := Import(ctx, filepath.Join(huggingFaceDir, "gpt2"), dst, silent()); !errors.Is(err, context.Canceled) {
		t.Errorf("import: error %v", err)
	}
	if _, err := Export(ctx, src, dst, ExportOptions{"fp32", 1 << 30}, silent()); !errors.Is(err, context.Canceled) {
		t.Errorf("export: error %v", err)
	}
	if entries, err := os.ReadDir(filepath.Dir(dst)); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// Weights with names of older versions are no hindrance, and what a configuration says of dropout
// stays.
func TestImportOld(t *testing.T) {
	dir := copyModel(t, "gpt2")
	path := filepath.Join(dir, checkpoint.ConfigFile)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var keys map[string]any
	if err := json.Unmarshal(b, &keys); err != nil {
		t.Fatal(err)
	}
	keys["attn_pdrop"], keys["_name_or_path"] = 0.1, "someone/model"
	if b, err = json.Marshal(keys); err != nil {
		t.Fatal(err)
	}
	write(t, path, b)
	path = filepath.Join(dir, checkpoint.ModelFile)
	s, err := checkpoint.OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	list := []checkpoint.Tensor{{Name: "h.0.attn.bias", DType: "BOOL", Shape: []int{1, 1, 2, 2}, Data: make([]byte, 4)}}
	for _, x := range s.Tensors() {
		if x, err = s.Read(x.Name, nil); err != nil {
			t.Fatal(err)
		}
		x.Name = strings.TrimPrefix(x.Name, "transformer.")
		if x.Name == "wte.weight" {
			list = append(list, checkpoint.Tensor{Name: "lm_head.weight", DType: x.DType, Shape: x.Shape, Data: x.Data})
		}
		list = append(list, x)
	}
	s.Close()
	var text bytes.Buffer
	if err := checkpoint.WriteSafetensors(&text, list); err != nil {
		t.Fatal(err)
	}
	write(t, path, text.Bytes())
	dst := filepath.Join(t.TempDir(), "imported")
	r, err := Import(t.Context(), dir, dst, silent())
	if err != nil {
		t.Fatal(err)
	}
	if r.Name != "someone/model" || len(r.Notes) != 0 {
		t.Errorf("name %s, notes %q", r.Name, r.Notes)
	}
	c, err := os.ReadFile(filepath.Join(dst, checkpoint.ConfigFile))
	if err != nil || !bytes.Contains(c, []byte(`"attn_pdrop": 0.1`)) {
		t.Errorf("attn_pdrop is lost: %v\n%s", err, c)
	}
	equalContents(t, "old names", contents(t, dst, "F32"), contents(t, importModel(t, "gpt2"), "F32"))
	made, err := checkpoint.Open(dst)
	if err != nil {
		t.Fatal(err)
	}
	if chain := made.Manifest.Provenance; len(chain) != 1 || chain[0].Imported == nil || chain[0].Imported.Name != "someone/model" {
		t.Errorf("provenance %+v", chain)
	}
}

func TestExportFaults(t *testing.T) {
	dir := importModel(t, "gpt2")
	if _, err := Export(t.Context(), dir, filepath.Join(t.TempDir(), "x"), ExportOptions{"int8", 1}, silent()); err == nil || !strings.Contains(err.Error(), `dtype "int8" is not known; known are fp32, bf16, fp16`) {
		t.Errorf("error %v", err)
	}
	if _, err := Export(t.Context(), dir, dir, ExportOptions{"fp32", 1 << 30}, silent()); err == nil || !strings.Contains(err.Error(), "the directory is not empty") {
		t.Errorf("error %v", err)
	}
}

// headLogits are all that a model's head gives for one sequence, row by row; of a model without one, its last
// hidden states.
func headLogits(t *testing.T, m *pretrained.Model, ids []int32) []float32 {
	t.Helper()
	if m.Config.ModelType == "t5" && m.Head == model.Classifier { // it reads the last token, </s>
		ids = append(slices.Clone(ids), int32(m.Config.EOSTokenID[0]))
	}
	n := len(ids)
	rows := func(step int32) []int32 {
		list := make([]int32, n)
		for i := range list {
			list[i] = step * int32(i)
		}
		return list
	}
	encoder := m.Config.Traits().FirstToken
	f := &model.Feed{Tokens: ids, Segments: rows(0), Positions: rows(1), Order: rows(1), Slots: [2]int32{0, 1}}
	if encoder {
		f.Order = rows(0)
	}
	if m.Config.ModelType == "t5" && m.Head == model.LanguageModel {
		f.EncoderTokens, f.EncoderSegments = ids, rows(0)
	}
	s, size, output := 1, n*m.Config.VocabSize, "logits"
	switch m.Head {
	case model.Base, model.Encoder:
		s, output = 0, "hidden"
	case model.LanguageModel:
		s, f.Pool = n, rows(1)
	case model.Classifier:
		size = len(m.Config.Labels())
		f.Pool, f.LabelWeights = []int32{int32(n - 1)}, []float32{1}
		if m.Config.Problem() == model.SingleLabel {
			f.Labels = []int32{-1}
		} else {
			f.Goals = make([]float32, size)
		}
		if encoder {
			f.Pool[0] = 0
		}
	case model.TokenClassifier:
		s, f.Targets, f.Weights = 0, slices.Repeat([]int32{-1}, n), make([]float32, n)
		size = n * len(m.Config.Labels())
	case model.QuestionAnswering:
		f.Spans, f.Answers, f.LabelWeights = []int32{0, int32(n)}, []int32{-1, -1}, []float32{1}
		size = 2 * n
	}
	x, err := m.Net.Executor(model.Evaluate, 1, n, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Net.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
	if output == "hidden" {
		size = x.Program().Values[x.Program().Named[output]].Elems()
	}
	logits := make([]float32, size)
	if err := hexec.Read(x, output, logits); err != nil {
		t.Fatal(err)
	}
	return logits
}

// PaLM, which transformers lacks, goes out and in again all the same, and Export says so.
func TestExportPaLM(t *testing.T) {
	c, err := model.SmallConfig("palm")
	if err != nil {
		t.Fatal(err)
	}
	c.VocabSize = 300
	c.Edit(func(_, family any) {
		f := family.(*model.PaLM)
		f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads = 16, 2, 2
	})
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	net, err := model.NewNetwork(dev, hexec.F32, c, model.Options{})
	if err == nil {
		err = net.Init(1)
	}
	if err != nil {
		t.Fatal(err)
	}
	var list []checkpoint.Tensor
	for _, p := range net.Layout().Params {
		w := make([]float32, p.Elems)
		if err := net.Weight(p.Name, w); err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := binary.Write(&b, binary.LittleEndian, w); err != nil {
			t.Fatal(err)
		}
		list = append(list, checkpoint.Tensor{Name: p.Name, DType: "F32", Shape: p.Shape, Data: b.Bytes()})
	}
	config, err := net.Config().JSON()
	if err != nil {
		t.Fatal(err)
	}
	tok, err := os.ReadFile(filepath.Join(huggingFaceDir, "gpt2", checkpoint.TokenizerFile))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	if err := checkpoint.Create(at("palm"), checkpoint.Manifest{Stage: "x"}, []checkpoint.File{
		checkpoint.BytesFile(checkpoint.ConfigFile, config), checkpoint.BytesFile(checkpoint.TokenizerFile, tok),
		checkpoint.TensorsFile(checkpoint.ModelFile, list),
	}); err != nil {
		t.Fatal(err)
	}
	var said string
	o := silent()
	o.Say = func(line string) { said += line }
	if _, err := Export(t.Context(), at("palm"), at("out"), ExportOptions{"fp32", 10_000}, o); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "transformers has no PaLM") {
		t.Errorf("said %q", said)
	}
	if _, err := Import(t.Context(), at("out"), at("back"), silent()); err != nil {
		t.Fatal(err)
	}
	equalContents(t, "palm", contents(t, at("back"), "F32"), contents(t, at("palm"), "F32"))
}

// TestHuggingFace compares with transformers what is exported: the weights that it loads,
// ids, logits of its model and of ours. It needs Python with torch and transformers:
//
//	HONE_TRANSFORMERS=/path/to/python go test ./recipes/exchange -run HuggingFace -v
func TestHuggingFace(t *testing.T) {
	python := os.Getenv("HONE_TRANSFORMERS")
	if python == "" {
		t.Skip("set HONE_TRANSFORMERS to a Python with torch and transformers")
	}
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	type check struct {
		Source, Exported string
		Texts            []string
		IDs              [][]int32
		Logits           [][]float32
	}
	var checks []check
	for _, name := range huggingFaceModels(t) {
		dir := importModel(t, name)
		out := filepath.Join(t.TempDir(), name)
		if _, err := Export(t.Context(), dir, out, ExportOptions{"fp32", 20_000}, silent()); err != nil {
			t.Fatal(err)
		}
		m, err := pretrained.Open(dev, dir, 0)
		if err != nil {
			t.Fatal(err)
		}
		source, err := filepath.Abs(filepath.Join(huggingFaceDir, name))
		if err != nil {
			t.Fatal(err)
		}
		c := check{Source: source, Exported: out, Texts: []string{"the cat sat on the mat", "a model", "집에 🙂 \n\t x  "}}
		for _, text := range c.Texts {
			ids := m.Tokenizer.Encode(nil, text)
			c.IDs = append(c.IDs, ids)
			c.Logits = append(c.Logits, headLogits(t, m, ids))
		}
		checks = append(checks, c)
	}
	b, err := json.Marshal(checks)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "checks.json")
	write(t, file, b)
	out, err := exec.Command(python, filepath.Join(huggingFaceDir, "check.py"), file).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(fmt.Errorf("check.py: %w", err))
	}
}

// change sets keys of a JSON file.
func change(t *testing.T, path string, keys map[string]any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	for k, v := range keys {
		all[k] = v
	}
	if b, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	write(t, path, b)
}

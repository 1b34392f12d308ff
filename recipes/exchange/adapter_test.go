package exchange

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/recipes"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
	"hone/trainer/pretrained"
)

const peftDir = "testdata/peft"

// A peftCase is an adapter that PEFT has made; see testdata/peft/make.py.
type peftCase struct {
	Model   string
	Keys    json.RawMessage
	IDs     []int32
	Modules []string
	Logits  []float64
}

func peftCases(t *testing.T) (cases map[string]peftCase, encoder []int32) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(peftDir, "logits.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Encoder []int32
		Cases   map[string]peftCase
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	return table.Cases, table.Encoder
}

// outputs are a network's logits, or its hidden states, of one text.
func outputs(t *testing.T, net *model.Network, h model.Head, ids, encoder []int32) []float64 {
	t.Helper()
	n, s, name := len(ids), 0, "logits"
	f := &model.Feed{Tokens: ids, Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n)}
	for i := range n {
		f.Positions[i], f.Order[i] = int32(i), int32(i)
	}
	if net.Config().Traits().EncoderDecoder && h == model.LanguageModel {
		f.EncoderTokens, f.EncoderSegments = encoder, make([]int32, len(encoder))
	}
	switch h {
	case model.LanguageModel:
		s, f.Pool = n, f.Positions
	case model.Classifier:
		s, f.Pool, f.Labels, f.LabelWeights = 1, []int32{int32(n) - 1}, []int32{0}, []float32{1}
		if net.PoolsFirst() {
			f.Pool[0] = 0
		}
	case model.TokenClassifier:
		f.Targets, f.Weights = make([]int32, n), make([]float32, n)
	case model.QuestionAnswering:
		s, f.Spans, f.Answers, f.LabelWeights = 1, []int32{0, int32(n)}, []int32{0, 0}, []float32{1}
	default:
		name = "hidden"
	}
	x, err := net.Executor(model.Evaluate, 1, n, s)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Feed(x, f); err != nil {
		t.Fatal(err)
	}
	if err := x.Run(); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, x.Program().Values[x.Program().Named[name]].Elems())
	if err := exec.Read(x, name, got); err != nil {
		t.Fatal(err)
	}
	wide := make([]float64, len(got))
	for i, v := range got {
		wide[i] = float64(v)
	}
	return wide
}

// near compares by the norm of the difference, as a share of that of what is wanted.
func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	var diff, norm float64
	for i := range got {
		diff += (got[i] - want[i]) * (got[i] - want[i])
		norm += want[i] * want[i]
	}
	if e := math.Sqrt(diff / norm); !(e < 1e-5) {
		t.Errorf("%s: differs by %.2g of its norm", what, e)
	}
}

// PEFT's adapters of every family and head stand beside the modules that PEFT chooses from the same keys, and give its
// logits, merged into their bases and beside them.
func TestAdaptersOfPEFT(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	cases, encoder := peftCases(t)
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			c, dir := cases[name], filepath.Join(peftDir, name)
			base, merged := importModel(t, c.Model), filepath.Join(t.TempDir(), "merged")
			if _, err := Merge(t.Context(), base, []string{dir}, merged, silent()); err != nil {
				t.Fatal(err)
			}
			length := 0 // of the encoder's row
			if strings.HasPrefix(name, "t5-all") || strings.HasPrefix(name, "t5-default") || name == "t5-dora" {
				length = len(encoder)
			}
			m, err := pretrained.Open(dev, merged, length)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "merged", outputs(t, m.Net, m.Head, c.IDs, encoder), c.Logits)

			b, err := checkpoint.Open(base)
			if err != nil {
				t.Fatal(err)
			}
			was, err := pretrained.Open(dev, base, length)
			if err != nil {
				t.Fatal(err)
			}
			l := &model.LoRA{R: 8, Alpha: 8}
			if err := json.Unmarshal(c.Keys, l); err != nil {
				t.Fatal(err)
			}
			pairs, err := l.Pairs(was.Config, m.Head)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(pairs.Pairs)); !slices.Equal(got, c.Modules) {
				t.Errorf("pairs beside %q, want %q", got, c.Modules)
			}
			if strings.HasSuffix(name, "-embeddings") || strings.HasSuffix(name, "-head") {
				return // PEFT has saved the embedding too
			}
			net, err := model.NewNetwork(dev, exec.F32, was.Config, model.Options{Head: m.Head, EncoderLength: length, Adapter: pairs})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := pretrained.Load(net, b); err != nil {
				t.Fatal(err)
			}
			if err := pretrained.LoadAdapter(net, dir); err != nil {
				t.Fatal(err)
			}
			near(t, "beside its base", outputs(t, net, m.Head, c.IDs, encoder), c.Logits)
		})
	}
}

// What does not fit is refused with its name: a number that is none, a head or a matrix that is missing, a key without a
// module, another base, a kind of adapter or a key that is not followed.
func TestAdapterFaults(t *testing.T) {
	base := importModel(t, "bert-classifier-fp16")
	other := importModel(t, "bert-tokens")
	for _, test := range []struct {
		name string
		edit func(t *testing.T, tensors map[string]checkpoint.Tensor, config map[string]any) (metadata map[string]string)
		want string
	}{
		{"a NaN", func(t *testing.T, x map[string]checkpoint.Tensor, _ map[string]any) map[string]string {
			copy(x[stem+"0.attention.self.query.lora_A.weight"].Data[8:], []byte{0, 0, 0xc0, 0x7f})
			return nil
		}, "query.lora_A.weight: element 2 is NaN"},
		{"no head", func(t *testing.T, x map[string]checkpoint.Tensor, _ map[string]any) map[string]string {
			delete(x, "base_model.model.classifier.weight")
			return nil
		}, "tensor base_model.model.classifier.weight is missing, of modules_to_save"},
		{"half a pair", func(t *testing.T, x map[string]checkpoint.Tensor, _ map[string]any) map[string]string {
			delete(x, stem+"1.output.dense.lora_B.weight")
			return nil
		}, "has only one of the two matrices of a pair"},
		{"no pair of a target", func(t *testing.T, x map[string]checkpoint.Tensor, _ map[string]any) map[string]string {
			delete(x, stem+"1.output.dense.lora_B.weight")
			delete(x, stem+"1.output.dense.lora_A.weight")
			return nil
		}, "it has no matrices for bert.encoder.layer.1.output.dense"},
		{"a key without a module", func(t *testing.T, x map[string]checkpoint.Tensor, _ map[string]any) map[string]string {
			x["base_model.model.bert.nothere.lora_A.weight"] = checkpoint.Tensor{DType: "F32", Shape: []int{1}, Data: make([]byte, 4)}
			return nil
		}, "the model has no module bert.nothere"},
		{"another rank than it says", func(t *testing.T, _ map[string]checkpoint.Tensor, c map[string]any) map[string]string {
			c["r"] = 3
			return nil
		}, "has a pair of rank 2, but adapter_config.json says 3"},
		{"another kind", func(t *testing.T, _ map[string]checkpoint.Tensor, c map[string]any) map[string]string {
			c["peft_type"] = "IA3"
			return nil
		}, `peft_type "IA3" is not supported`},
		{"a key that is not followed", func(t *testing.T, _ map[string]checkpoint.Tensor, c map[string]any) map[string]string {
			c["lora_bias"] = true
			return nil
		}, "lora_bias: true is not supported"},
		{"another base", func(*testing.T, map[string]checkpoint.Tensor, map[string]any) map[string]string {
			return map[string]string{"base": "elsewhere", "base_sha256": "0123"}
		}, "was made for elsewhere, whose weights have the sha256 0123, and not for"},
		{"another model", func(*testing.T, map[string]checkpoint.Tensor, map[string]any) map[string]string { return nil }, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			text, err := os.ReadFile(filepath.Join(peftDir, "bert-classifier-fp16-all", checkpoint.AdapterConfigFile))
			if err != nil {
				t.Fatal(err)
			}
			var config map[string]any
			if err := json.Unmarshal(text, &config); err != nil {
				t.Fatal(err)
			}
			s, err := checkpoint.OpenSafetensors(filepath.Join(peftDir, "bert-classifier-fp16-all", checkpoint.AdapterFile))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			tensors := map[string]checkpoint.Tensor{}
			for _, x := range s.Tensors() {
				if tensors[x.Name], err = s.Read(x.Name, nil); err != nil {
					t.Fatal(err)
				}
			}
			metadata := test.edit(t, tensors, config)
			var list []checkpoint.Tensor
			for name, x := range tensors {
				x.Name = name
				list = append(list, x)
			}
			if text, err = json.Marshal(config); err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(filepath.Join(dir, checkpoint.AdapterFile))
			if err != nil {
				t.Fatal(err)
			}
			write := func(w io.Writer, x checkpoint.Tensor) error { _, err := w.Write(x.Data); return err }
			if err := errors.Join(checkpoint.StreamFileWith(checkpoint.AdapterFile, metadata, list, write).Write(f), f.Close(),
				os.WriteFile(filepath.Join(dir, checkpoint.AdapterConfigFile), text, 0o666)); err != nil {
				t.Fatal(err)
			}
			on := base
			if test.want == "" {
				on, test.want = other, "bert.pooler"
			}
			dst := filepath.Join(t.TempDir(), "merged")
			_, err = Merge(t.Context(), on, []string{dir}, dst, silent())
			if err == nil || !strings.Contains(err.Error(), test.want) || !errors.Is(err, recipes.ErrInput) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			if _, err := os.Stat(dst); err == nil {
				t.Error("something was written")
			}
		})
	}
}

const stem = "base_model.model.bert.encoder.layer."

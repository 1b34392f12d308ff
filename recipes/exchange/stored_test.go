package exchange

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint"
	"hone/trainer/exec/cpu"
	"hone/trainer/pretrained"
)

// In the cache a GGUF file's tensors keep their types, and a model that is opened from there gives the bits of one whose
// tensors became floats.
func TestCachedKeepsTypes(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	paths := map[string]string{}
	for name := range ggufModels(t) {
		paths[name] = "testdata/gguf/" + name + ".gguf"
	}
	dir := t.TempDir()
	wide := filepath.Join(dir, "wide")
	if _, err := Import(t.Context(), "testdata/gguf/llama.gguf", wide, silent()); err != nil {
		t.Fatal(err)
	}
	for _, dtype := range GGUFTypes {
		paths[dtype] = filepath.Join(dir, dtype+".gguf")
		if _, err := ExportGGUF(t.Context(), wide, paths[dtype], dtype, silent()); err != nil {
			t.Fatal(err)
		}
	}
	kept := map[string]int{} // tensors by their type
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			cached, err := Cached(t.Context(), path, t.TempDir(), silent())
			if err != nil {
				t.Fatal(err)
			}
			floats := filepath.Join(t.TempDir(), "floats")
			if _, err := Import(t.Context(), path, floats, silent()); err != nil {
				t.Fatal(err)
			}
			file, _, err := checkpoint.OpenGGUF(path)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			types := map[string]int{}
			for _, x := range file.Tensors() {
				types[x.DType]++
			}
			w, err := checkpoint.OpenWeights(cached)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			for _, x := range w.Tensors() {
				kept[x.DType]++
				if types[x.DType]--; types[x.DType] < 0 && x.DType != "F32" {
					t.Errorf("more tensors of %s than in the file", x.DType)
				}
			}
			want, got := values(t, floats), values(t, cached)
			for tensor, v := range want {
				if !slices.Equal(v, got[tensor]) {
					t.Errorf("tensor %s has other values than as floats", tensor)
				}
			}
			if strings.HasPrefix(name, "bert") {
				return // its tokens are not any
			}
			ids := []int32{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}
			logits := func(dir string, o pretrained.Options) []float32 {
				m, err := pretrained.OpenWith(dev, dir, o)
				if err != nil {
					t.Fatal(err)
				}
				return headLogits(t, m, ids)
			}
			exact := logits(floats, pretrained.Options{})
			if !slices.Equal(exact, logits(cached, pretrained.Options{})) {
				t.Error("logits have other bits than of floats")
			}
			m, err := pretrained.OpenWith(dev, cached, pretrained.Options{Int8: true})
			if err != nil {
				if !strings.Contains(err.Error(), "no matrix is quantised") {
					t.Error(err)
				}
				return
			}
			if slices.Equal(headLogits(t, m, ids), exact) || !strings.Contains(strings.Join(m.Storage.Notes(), "; "), "rounded to 8 bits, which loses precision") {
				t.Errorf("activations are not rounded, or it is not said: %q", m.Storage.Notes())
			}
		})
	}
	for _, dtype := range []string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1"} {
		if kept[dtype] == 0 {
			t.Errorf("no tensor of %s is kept: %v", dtype, kept)
		}
	}
}

// Matrices of floats are rounded on request, and it is said; what cannot be, stays.
func TestQuantize(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	dir := filepath.Join(t.TempDir(), "model")
	if _, err := Import(t.Context(), "testdata/gguf/llama.gguf", dir, silent()); err != nil {
		t.Fatal(err)
	}
	ids := []int32{3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5}
	open := func(o pretrained.Options) (*pretrained.Model, []float32) {
		m, err := pretrained.OpenWith(dev, dir, o)
		if err != nil {
			t.Fatal(err)
		}
		return m, headLogits(t, m, ids)
	}
	plain, want := open(pretrained.Options{})
	if notes := plain.Storage.Notes(); notes != nil {
		t.Errorf("notes on floats: %q", notes)
	}
	for _, dtype := range pretrained.Quantizations {
		m, got := open(pretrained.Options{Quantize: dtype})
		if notes := strings.Join(m.Storage.Notes(), "; "); !strings.Contains(notes, "matrices rounded to "+dtype+", which loses precision") {
			t.Errorf("%s: notes %q", dtype, notes)
		}
		if m.Net.Layout().Bytes >= plain.Net.Layout().Bytes {
			t.Errorf("%s: %d bytes of weights, %d as floats", dtype, m.Net.Layout().Bytes, plain.Net.Layout().Bytes)
		}
		var off, size float64
		for i, v := range got {
			off, size = off+math.Abs(float64(v-want[i])), size+math.Abs(float64(want[i]))
		}
		if bound := map[string]float64{"bf16": 0.02, "q8_0": 0.02, "q4_1": 0.3, "q4_0": 0.3}[dtype]; off == 0 && dtype != "q8_0" || off > bound*size { // the file's values were of Q8_0
			t.Errorf("%s: logits are off by %g of their size on average", dtype, off/size)
		}
	}
	if _, err := pretrained.OpenWith(dev, dir, pretrained.Options{Quantize: "q2_k"}); err == nil || !strings.Contains(err.Error(), `weights cannot be rounded to "q2_k" (known: bf16, q8_0, q4_1, q4_0)`) {
		t.Error(err)
	}
	if _, err := pretrained.OpenWith(dev, dir, pretrained.Options{Int8: true}); err == nil || !strings.Contains(err.Error(), "no matrix is quantised") {
		t.Error(err)
	}
}

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/gguf"
)

// floats reads a tensor as numbers.
func floats(t *testing.T, w *Weights, name string) []float32 {
	t.Helper()
	i := slices.IndexFunc(w.Tensors(), func(x Tensor) bool { return x.Name == name })
	if i < 0 {
		t.Fatalf("no tensor %q", name)
	}
	var b bytes.Buffer
	if err := w.Copy(t.Context(), &b, i, "F32"); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != 4*w.Tensors()[i].Elems() {
		t.Fatalf("tensor %q: %d bytes of %v", name, b.Len(), w.Tensors()[i].Shape)
	}
	values := make([]float32, b.Len()/4)
	for k := range values {
		values[k] = math.Float32frombits(binary.LittleEndian.Uint32(b.Bytes()[4*k:]))
	}
	return values
}

// Files of PyTorch are weights as files of safetensors are, alone and as shards.
func TestPyTorchWeights(t *testing.T) {
	data, err := os.ReadFile("pickle/testdata/weights.bin")
	if err != nil {
		t.Fatal(err)
	}
	more, err := os.ReadFile("pickle/testdata/protocol4.bin")
	if err != nil {
		t.Fatal(err)
	}
	one, many := t.TempDir(), t.TempDir()
	writeText(t, filepath.Join(one, "pytorch_model.bin"), string(data))
	const first, second = "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"
	writeText(t, filepath.Join(many, first), string(data))
	writeText(t, filepath.Join(many, second), string(more))
	single, err := OpenWeights(one)
	if err != nil {
		t.Fatal(err)
	}
	defer single.Close()
	var index []string
	for _, x := range single.Tensors() {
		index = append(index, fmt.Sprintf("%q: %q", x.Name, first))
	}
	index = append(index, fmt.Sprintf(`"a": %q, "b": %[1]q`, second))
	writeText(t, filepath.Join(many, "pytorch_model.bin.index.json"), `{"metadata": {}, "weight_map": {`+strings.Join(index, ", ")+`}}`)
	shards, err := OpenWeights(many)
	if err != nil {
		t.Fatal(err)
	}
	defer shards.Close()
	if got := floats(t, shards, "a"); !slices.Equal(got, []float32{1, 1}) {
		t.Errorf("a is %v", got)
	}
	for _, w := range []*Weights{single, shards} {
		whole := floats(t, w, "whole")
		for k, v := range whole {
			if v != float32(k)/8 {
				t.Fatalf("element %d is %g", k, v)
			}
		}
		for k, v := range floats(t, w, "transposed") {
			if v != whole[k%4*6+k/4] {
				t.Fatalf("element %d of the transposed is %g", k, v)
			}
		}
		at := func(name string) int {
			return slices.IndexFunc(w.Tensors(), func(x Tensor) bool { return x.Name == name })
		}
		for _, name := range []string{"tied", "BF16", "F16", "F64", "parameter"} {
			if same, err := w.Equal(t.Context(), at("whole"), at(name)); err != nil || !same {
				t.Errorf("whole and %s: %v, %v", name, same, err)
			}
		}
		err := w.Copy(t.Context(), io.Discard, at("I64"), "F32")
		wantError(t, err, `tensor "I64": of type I64; weights of`)
	}
	// safetensors goes first.
	writeTensors(t, filepath.Join(one, ModelFile), half(t, "x", "F16", 1))
	w, err := OpenWeights(one)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if got := w.Files(); !slices.Equal(got, []string{ModelFile}) {
		t.Errorf("files %v", got)
	}
}

// writeGGUF writes tensors whose elements are 0, 1/64, 2/64, …
func writeGGUF(t *testing.T, path string, keys []gguf.Key, tensors ...gguf.Tensor) {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, keys, tensors, func(w io.Writer, x *gguf.Tensor) error {
		src := make([]float32, x.Elems())
		for i := range src {
			src[i] = float32(i%256) / 64
		}
		out := make([]byte, x.Bytes)
		if err := gguf.Quantize(x.Type, out, src); err != nil {
			return err
		}
		_, err := w.Write(out)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	writeText(t, path, b.String())
}

// A GGUF file is weights whose blocks are dequantised, in one file or in parts.
func TestGGUFWeights(t *testing.T) {
	dir := t.TempDir()
	long := copyChunk/64 + 3 // more rows than are converted at a time
	path := filepath.Join(dir, "model.gguf")
	arch := gguf.Key{Name: "general.architecture", Value: "llama"}
	writeGGUF(t, path, []gguf.Key{arch}, gguf.Tensor{Name: "q", Shape: []int{long, 64}, Type: gguf.Q8_0}, gguf.Tensor{Name: "f", Shape: []int{3}, Type: gguf.F16},
		gguf.Tensor{Name: "four", Shape: []int{2, 32}, Type: gguf.Q4_0})
	w, keys, err := OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if s, _ := keys["general.architecture"].Text(); s != "llama" || !slices.Equal(w.Files(), []string{"model.gguf"}) {
		t.Errorf("architecture %q, files %v", s, w.Files())
	}
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, x := range w.Tensors() {
		if err := x.CheckFloat(); err != nil {
			t.Error(err)
		}
		n, err := x.NumBytes()
		if err != nil || n != f.Tensors[i].Bytes {
			t.Errorf("%s: %d bytes, want %d, %v", x.Name, n, f.Tensors[i].Bytes, err)
		}
		want := make([]float32, x.Elems())
		if err := f.Floats(&f.Tensors[i], 0, want); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(floats(t, w, x.Name), want) {
			t.Errorf("%s is not what the file has", x.Name)
		}
		// As its own type it goes into a safetensors file as it is.
		var data bytes.Buffer
		if err := w.Copy(t.Context(), &data, i, x.DType); err != nil {
			t.Fatal(err)
		}
		var kept bytes.Buffer
		if err := WriteSafetensors(&kept, []Tensor{{Name: x.Name, DType: x.DType, Shape: x.Shape, Data: data.Bytes()}}); err != nil {
			t.Fatal(err)
		}
		s, err := newSafetensors("kept", bytes.NewReader(kept.Bytes()), int64(kept.Len()))
		if err != nil {
			t.Fatal(err)
		}
		back, err := s.Read(x.Name, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Floats(back); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s of %s comes back from safetensors with other values (%v)", x.Name, x.DType, err)
		}
	}
	parts := func(dir string, n, count, tensors int) string {
		for i := range n {
			keys := []gguf.Key{{Name: "split.no", Value: uint32(i)}, {Name: "split.count", Value: uint32(count)}, {Name: "split.tensors.count", Value: int32(tensors)}}
			if i == 0 {
				keys = append(keys, arch)
			}
			writeGGUF(t, filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", i+1, n)), keys, gguf.Tensor{Name: fmt.Sprintf("t%d", i), Shape: []int{32}, Type: gguf.F32})
		}
		return filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", n, n))
	}
	w, keys, err = OpenGGUF(parts(t.TempDir(), 3, 3, 3)) // the last is given
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if s, _ := keys["general.architecture"].Text(); s != "llama" || len(w.Tensors()) != 3 || len(w.Files()) != 3 || floats(t, w, "t2")[31] != 31./64 {
		t.Errorf("architecture %q, tensors %v of %v", s, w.Tensors(), w.Files())
	}
	missing := t.TempDir()
	last := parts(missing, 3, 3, 3)
	if err := os.Remove(filepath.Join(missing, "m-00002-of-00003.gguf")); err != nil {
		t.Fatal(err)
	}
	renamed := filepath.Join(t.TempDir(), "renamed.gguf")
	if err := os.Rename(parts(t.TempDir(), 2, 2, 2), renamed); err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "m-00001-of-00001.gguf")
	writeGGUF(t, alone, nil, gguf.Tensor{Name: "a", Shape: []int{1}})
	twice := t.TempDir()
	for i := range 2 {
		writeGGUF(t, filepath.Join(twice, fmt.Sprintf("m-%05d-of-00002.gguf", i+1)), nil, gguf.Tensor{Name: "a", Shape: []int{1}})
	}
	for path, want := range map[string]string{
		last:                        "m-00002-of-00003.gguf: no such file",
		renamed:                     "renamed.gguf: it says that it is part 2 of 2; files of parts are called NAME-00001-of-00002.gguf",
		alone:                       "",
		parts(t.TempDir(), 2, 3, 2): "it says that it is part 1 of 3",
		parts(t.TempDir(), 2, 2, 9): "2 tensors in all parts, but split.tensors.count is 9",
		filepath.Join(twice, "m-00001-of-00002.gguf"): "no key split.no or split.count",
		filepath.Join(dir, "none.gguf"):               "none.gguf: no such file",
		dir:                                           "is a directory",
	} {
		w, _, err := OpenGGUF(path)
		if err == nil {
			w.Close()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}

// Derived tensors are those of the files by other names, as they are or made.
func TestDerive(t *testing.T) {
	dir := t.TempDir()
	long := copyChunk/32 + 1
	path := filepath.Join(dir, "m.gguf")
	writeGGUF(t, path, nil, gguf.Tensor{Name: "q", Shape: []int{long, 32}, Type: gguf.Q8_0}, gguf.Tensor{Name: "f", Shape: []int{3}, Type: gguf.F16})
	w, _, err := OpenGGUF(path)
	if err != nil {
		t.Fatal(err)
	}
	d := w.Derive([]Derived{
		{Name: "same", Shape: []int{long, 32}, From: 0},
		{Name: "negative", Shape: []int{32, long}, From: 0, Make: func(v []float32) []float32 {
			for i := range v {
				v[i] = -v[i]
			}
			return v
		}},
		{Name: "head", Shape: []int{2}, From: 1, Make: func(v []float32) []float32 { return v[:2] }},
		{Name: "short", Shape: []int{3}, From: 1, Make: func(v []float32) []float32 { return v[:2] }},
	})
	defer d.Close()
	want, got, negative := floats(t, w, "q"), floats(t, d, "same"), floats(t, d, "negative")
	for i := range want {
		if got[i] != want[i] || negative[i] != -want[i] {
			t.Fatalf("element %d of %g is %g, and negative %g", i, want[i], got[i], negative[i])
		}
	}
	if got := floats(t, d, "head"); !slices.Equal(got, []float32{0, 1. / 64}) {
		t.Errorf("head is %v", got)
	}
	err = d.Copy(t.Context(), io.Discard, 3, "F32")
	wantError(t, err, `m.gguf: tensor "f": 2 values, but short of shape [3] has 3`)
	for i, x := range d.Tensors() {
		if _, err := x.NumBytes(); err != nil || x.CheckFloat() != nil {
			t.Errorf("tensor %d: %v, %v", i, err, x.CheckFloat())
		}
	}
	if !slices.Equal(d.Files(), []string{"m.gguf"}) {
		t.Errorf("files %v", d.Files())
	}
}

package checkpoint

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// half is a tensor of n numbers k/4 - 1 in a type of two bytes.
func half(t *testing.T, name, dtype string, n int) Tensor {
	t.Helper()
	var values []float32
	for k := range n {
		values = append(values, float32(k)/4-1)
	}
	data, err := fromFloat32(nil, dtype, values)
	if err != nil {
		t.Fatal(err)
	}
	return Tensor{name, dtype, []int{n}, data}
}

func writeTensors(t *testing.T, path string, tensors ...Tensor) {
	t.Helper()
	var b bytes.Buffer
	if err := WriteSafetensors(&b, tensors); err != nil {
		t.Fatal(err)
	}
	writeText(t, path, b.String())
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

// Shards written by ModelFiles are read again, every value of every type as it was.
func TestShards(t *testing.T) {
	const n = copyChunk + 5 // more than is converted at a time
	for _, dtype := range []string{"BF16", "F16"} {
		list := []Tensor{half(t, "a", dtype, 7), half(t, "b", dtype, 200), half(t, "c", dtype, 3), half(t, "d", dtype, 1), half(t, "none", dtype, 0)}
		byName := map[string]Tensor{}
		for _, x := range list {
			byName[x.Name] = x
		}
		files, err := ModelFiles(list, 20, func(w io.Writer, x Tensor) error {
			_, err := w.Write(byName[x.Name].Data)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "model")
		if err := Create(dir, Manifest{Stage: "x"}, files); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(dir); err != nil {
			t.Error(err)
		}
		w, err := OpenWeights(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		// 14 bytes; 400 alone, over the limit; 6+2+0.
		if got, want := strings.Join(w.Files(), " "), "model-00001-of-00003.safetensors model-00002-of-00003.safetensors model-00003-of-00003.safetensors"; got != want {
			t.Errorf("files %s, want %s", got, want)
		}
		for i, x := range w.Tensors() {
			var got, same bytes.Buffer
			if err := w.Copy(t.Context(), &got, i, "F32"); err != nil {
				t.Fatal(err)
			}
			for k := range got.Len() / 4 {
				if v := math.Float32frombits(binary.LittleEndian.Uint32(got.Bytes()[4*k:])); v != float32(k)/4-1 {
					t.Fatalf("%s %s[%d] is %v", dtype, x.Name, k, v)
				}
			}
			if err := w.Copy(t.Context(), &same, i, dtype); err != nil || !bytes.Equal(same.Bytes(), byName[x.Name].Data) {
				t.Errorf("%s %s: %v, or another content", dtype, x.Name, err)
			}
		}
	}
	dir := t.TempDir()
	long := half(t, "long", "F16", 9)
	long.Shape, long.Data = []int{n}, bytes.Repeat([]byte{0, 0x3c}, n) // 1
	writeTensors(t, filepath.Join(dir, ModelFile), long)
	w, err := OpenWeights(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var got bytes.Buffer
	if err := w.Copy(t.Context(), &got, 0, "F32"); err != nil || !bytes.Equal(got.Bytes(), bytes.Repeat([]byte{0, 0, 0x80, 0x3f}, n)) {
		t.Errorf("%d bytes, %v", got.Len(), err)
	}
}

// Each fault of a directory is an error that names the file, and the tensor.
func TestWeightsFaults(t *testing.T) {
	a, b := half(t, "a", "BF16", 4), half(t, "b", "BF16", 4)
	const one, two = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
	index := func(pairs ...string) string {
		var list []string
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, fmt.Sprintf("%q: %q", pairs[i], pairs[i+1]))
		}
		return `{"metadata": {"total_size": 16}, "weight_map": {` + strings.Join(list, ", ") + `}}`
	}
	for _, test := range []struct {
		name  string
		files map[string][]Tensor
		index string
		want  string
	}{
		{"nothing", nil, "", "none of model.safetensors, model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json"},
		{"a pickle", map[string][]Tensor{"pytorch_model.bin": {a}}, "", "pytorch_model.bin: not a file of weights that torch.save wrote"},
		{"a shard is missing", map[string][]Tensor{one: {a}}, index("a", one, "b", two), two + ": no such file"},
		{"a tensor is missing", map[string][]Tensor{one: {a}, two: {b}}, index("a", one, "b", two, "c", two), two + `: tensor "c" is missing`},
		{"a tensor too many", map[string][]Tensor{one: {a, b}}, index("a", one), one + `: tensor "b" is not in ` + IndexFile},
		{"in another shard", map[string][]Tensor{one: {a}, two: {b}}, index("a", two, "b", one), one + `: tensor "a" should be in ` + two},
		{"twice", map[string][]Tensor{one: {a}, two: {a, b}}, index("a", one, "b", two), two + `: tensor "a" is in ` + one + " too"},
		{"outside", nil, index("a", "../model.safetensors"), `IndexFile: weight_map: "a": "../model.safetensors" is no plain file name`},
		{"no map", nil, `{"metadata": {}}`, "IndexFile: weight_map names no tensor"},
		{"a name twice", nil, index("a", one, "a", two), `IndexFile: "a" occurs twice`},
		{"cut short", nil, index("a", one)[:40], "IndexFile: unexpected EOF"},
		{"a number", nil, `{"weight_map": {"a": 1}}`, `IndexFile: weight_map: "a": 1 is no string`},
	} {
		dir := t.TempDir()
		for name, tensors := range test.files {
			writeTensors(t, filepath.Join(dir, name), tensors...)
		}
		if test.index != "" {
			writeText(t, filepath.Join(dir, IndexFile), test.index)
		}
		w, err := OpenWeights(dir)
		if err == nil {
			w.Close()
		}
		if want := strings.ReplaceAll(test.want, "IndexFile", filepath.Join(dir, IndexFile)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", test.name, err, want)
		}
	}
}

// Values that are not finite are found, and those that the new type cannot hold.
func TestWeightsNotFinite(t *testing.T) {
	bits := func(dtype string, values ...float64) Tensor {
		x := Tensor{Name: "w", DType: dtype, Shape: []int{len(values)}}
		for _, v := range values {
			if dtype == "F64" {
				x.Data = binary.LittleEndian.AppendUint64(x.Data, math.Float64bits(v))
			} else {
				x.Data = binary.LittleEndian.AppendUint32(x.Data, math.Float32bits(float32(v)))
			}
		}
		return x
	}
	for _, test := range []struct {
		x    Tensor
		as   string
		want string
	}{
		{bits("F32", 1, 2, math.NaN()), "F32", "element 2 is NaN"},
		{bits("F32", math.Inf(-1)), "BF16", "element 0 is -Inf"},
		{bits("F64", 1, 1e300), "F32", "element 1 is +Inf"},
		{bits("F32", 1, 70000), "F16", "element 1, 70000, is beyond the range of F16"},
		{bits("F32", 1, math.MaxFloat32), "BF16", "is beyond the range of BF16"},
		{bits("F32", 1, 70000), "BF16", ""},
		{bits("F64", 1, math.Pi), "F16", ""},
		{Tensor{"w", "I32", []int{1}, make([]byte, 4)}, "F32", "of type I32; weights of F32, F16, BF16 and F64 are read, and GGUF's blocks"},
		{bits("F32", 1), "F64", "type F64 is not known"},
	} {
		dir := t.TempDir()
		writeTensors(t, filepath.Join(dir, ModelFile), test.x)
		w, err := OpenWeights(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Copy(t.Context(), io.Discard, 0, test.as)
		w.Close()
		if test.want == "" && err != nil {
			t.Error(err)
		} else if test.want != "" {
			wantError(t, err, test.want)
			wantError(t, err, filepath.Join(dir, ModelFile)+`: tensor "w": `)
		}
	}
}

func TestCreate(t *testing.T) {
	dir := t.TempDir()
	files := []File{BytesFile(ConfigFile, []byte("{}"))}
	beside := filepath.Join(dir, ".tmp-somebody's")
	empty, full := filepath.Join(dir, "empty"), filepath.Join(dir, "full")
	for _, d := range []string{beside, empty, full} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	writeText(t, filepath.Join(full, "x"), "x")
	for _, d := range []string{empty, filepath.Join(dir, "new", "deep")} {
		if err := Create(d, Manifest{Stage: "x"}, files); err != nil {
			t.Error(err)
		}
		if _, err := Open(d); err != nil {
			t.Error(err)
		}
	}
	wantError(t, Create(full, Manifest{}, files), "full: the directory is not empty")
	wantError(t, Vacant(full), "full: the directory is not empty")
	wantError(t, Vacant(filepath.Join(dir, ".hidden")), `".hidden" cannot be the name`)
	if err := Vacant(filepath.Join(dir, "none")); err != nil {
		t.Error(err)
	}
	wantError(t, Create(filepath.Join(full, "x"), Manifest{}, files), filepath.Join("full", "x"))
	failing := []File{{ConfigFile, func(io.Writer) error { return fmt.Errorf("no more") }}}
	wantError(t, Create(filepath.Join(dir, "failed"), Manifest{}, failing), "config.json: no more")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != ".tmp-somebody's empty full new" {
		t.Errorf("left: %s", got)
	}
}

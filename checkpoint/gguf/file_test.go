package gguf

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var testKeys = []Key{
	{"general.architecture", "test"}, {"a.bool", true}, {"a.u32", uint32(7)}, {"a.i32", int32(-7)}, {"a.u64", uint64(1 << 40)},
	{"a.i64", int64(-1 << 40)}, {"a.f32", float32(0.5)}, {"a.texts", []string{"", "wing", "né"}}, {"a.ints", []int32{1, -2, 3}},
	{"a.floats", []float32{0.25, -1}}, {"a.none", []string{}},
}

var testTensors = []Tensor{
	{Name: "w", Shape: []int{3, 64}, Type: Q8_0}, {Name: "b", Shape: []int{5}, Type: F32}, {Name: "v", Shape: []int{2, 2, 32}, Type: F16},
}

// testFile is one of each kind of key and some tensors, whose elements are 0, 1, 2, …, 63, 0, …
func testFile(t testing.TB, keys []Key, tensors []Tensor) []byte {
	t.Helper()
	var b bytes.Buffer
	err := Write(&b, keys, tensors, func(w io.Writer, x *Tensor) error {
		src := make([]float32, x.Elems())
		for i := range src {
			src[i] = float32(i % 64)
		}
		out := make([]byte, x.Bytes)
		if err := Quantize(x.Type, out, src); err != nil {
			return err
		}
		_, err := w.Write(out)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.gguf")
	if err := os.WriteFile(path, testFile(t, testKeys, testTensors), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Keys) != len(testKeys) {
		t.Errorf("%d keys", len(f.Keys))
	}
	if s, ok := f.Keys["general.architecture"].Text(); s != "test" || !ok {
		t.Errorf("text %q, %v", s, ok)
	}
	if b, ok := f.Keys["a.bool"].Bool(); !b || !ok {
		t.Errorf("bool %v, %v", b, ok)
	}
	for name, want := range map[string]float64{"a.u32": 7, "a.i32": -7, "a.u64": 1 << 40, "a.i64": -1 << 40, "a.f32": 0.5} {
		if x, ok := f.Keys[name].Number(); x != want || !ok {
			t.Errorf("%s is %v, %v", name, x, ok)
		}
		if n, ok := f.Keys[name].Int(); ok != (name != "a.f32") || ok && float64(n) != want {
			t.Errorf("%s is the whole number %v, %v", name, n, ok)
		}
	}
	var texts []string
	list, ok := f.Keys["a.texts"].Texts()
	for _, s := range list {
		texts = append(texts, s)
	}
	if !ok || !slices.Equal(texts, []string{"", "wing", "né"}) || f.Keys["a.texts"].Len() != 3 || f.Keys["a.texts"].Type() != "array of string" {
		t.Errorf("texts %q, %v", texts, ok)
	}
	for name, want := range map[string][]float64{"a.ints": {1, -2, 3}, "a.floats": {0.25, -1}} {
		var got []float64
		list, ok := f.Keys[name].Numbers()
		for _, x := range list {
			got = append(got, x)
		}
		if !ok || !slices.Equal(got, want) {
			t.Errorf("%s is %v, %v", name, got, ok)
		}
	}
	if _, ok := f.Keys["no such key"].Int(); ok {
		t.Error("a key that is not there has a number")
	}
	if _, ok := f.Keys["a.texts"].Numbers(); ok {
		t.Error("texts are numbers")
	}
	if _, ok := f.Keys["a.bool"].Text(); ok {
		t.Error("a bool is a text")
	}
	for _, want := range testTensors {
		x, ok := f.Tensor(want.Name)
		if !ok || !slices.Equal(x.Shape, want.Shape) || x.Type != want.Type {
			t.Fatalf("tensor %+v, %v", x, ok)
		}
		got := make([]float32, x.Elems())
		if err := f.Floats(x, 0, got); err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if math.Abs(float64(v)-float64(i%64)) > 0.3 {
				t.Errorf("%s: element %d is %g", x.Name, i, v)
				break
			}
		}
	}
	w, _ := f.Tensor("w")
	all, part := make([]float32, 192), make([]float32, 64)
	if err := f.Floats(w, 0, all); err != nil {
		t.Fatal(err)
	}
	if err := f.Floats(w, 96, part); err != nil || !slices.Equal(part, all[96:160]) {
		t.Errorf("part %v, %v", part, err)
	}
	for _, bad := range [][2]int64{{160, 64}, {31, 32}, {0, 31}, {-32, 32}} {
		if err := f.Floats(w, bad[0], make([]float32, bad[1])); err == nil {
			t.Errorf("%d elements were read from %d on", bad[1], bad[0])
		}
	}
}

// head writes what a hostile file begins with.
func head(keys, tensors uint64, rest ...any) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(Magic), 3)
	b = binary.LittleEndian.AppendUint64(b, tensors)
	b = binary.LittleEndian.AppendUint64(b, keys)
	for _, v := range rest {
		switch v := v.(type) {
		case string:
			b = append(binary.LittleEndian.AppendUint64(b, uint64(len(v))), v...)
		case int:
			b = binary.LittleEndian.AppendUint32(b, uint32(v))
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, v)
		case []byte:
			b = append(b, v...)
		}
	}
	return b
}

// Damaged and hostile files are refused by what is wrong with them, before memory is taken.
func TestHostile(t *testing.T) {
	tensor := func(rest ...any) []byte { return append(head(0, 1, rest...), make([]byte, 4096)...) }
	two := append(head(0, 2, "a", 1, uint64(8), 0, uint64(0), "a", 1, uint64(8), 0, uint64(32)), make([]byte, 96)...)
	later := append(head(0, 2, "a", 1, uint64(8), 0, uint64(0), "b", 1, uint64(8), 0, uint64(64)), make([]byte, 256)...)
	over := append(head(0, 2, "a", 1, uint64(16), 0, uint64(0), "b", 1, uint64(8), 0, uint64(32)), make([]byte, 256)...)
	for _, test := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "no GGUF file"},
		{"another format", []byte("PK\x03\x04 and more than twenty-four bytes"), "does not begin with GGUF"},
		{"version 1", append([]byte("GGUF\x01\x00\x00\x00"), make([]byte, 16)...), "version 1"},
		{"big-endian", append([]byte("GGUF\x00\x00\x00\x03"), make([]byte, 16)...), "big-endian"},
		{"2^60 keys", head(1<<60, 0), "keys; at most"},
		{"2^60 tensors", head(0, 1<<60), "tensors; at most"},
		{"a key that is not there", head(1, 0), "key 0: the file ends within it"},
		{"a key's name of 2^62", head(1, 0, uint64(1<<62)), "key 0: a name of"},
		{"an unknown type", head(1, 0, "k", 13), `key "k": unknown type 13`},
		{"a string longer than the file", head(1, 0, "k", 8, uint64(1<<40)), "a string is longer than the file"},
		{"an array of 2^63", head(1, 0, "k", 9, 4, uint64(1<<63)), "an array is longer than the file"},
		{"an array of 2^63 strings", head(1, 0, "k", 9, 8, uint64(1<<63)), "an array is longer than the file"},
		{"an array of arrays", head(1, 0, "k", 9, 9, uint64(1)), "an array of array"},
		{"an array of an unknown type", head(1, 0, "k", 9, 77, uint64(1)), "an array of type 77"},
		{"a key twice", head(2, 0, "k", 4, 1, "k", 4, 1), `key "k" comes twice`},
		{"an alignment of 3", head(1, 0, "general.alignment", 4, 3), "general.alignment: not a power of two"},
		{"an alignment of 2^31", head(1, 0, "general.alignment", 4, 1<<31), "general.alignment: not a power of two"},
		{"an alignment in words", head(1, 0, "general.alignment", 8, "32"), "general.alignment: not a power of two"},
		{"a tensor twice", two, `tensor "a" comes twice`},
		{"a gap", later, `tensor "b": begins at 64, not where the one before it ends, 32`},
		{"an overlap", over, `tensor "b": begins at 32, not where the one before it ends, 64`},
		{"five dimensions", tensor("a", 5, uint64(1), uint64(1), uint64(1), uint64(1), uint64(1), 0, uint64(0)), `"a": 5 dimensions`},
		{"no dimension", tensor("a", 0, 0, uint64(0)), `"a": 0 dimensions`},
		{"a dimension of 0", tensor("a", 1, uint64(0), 0, uint64(0)), `"a": dimension 0 is of size 0`},
		{"2^63 elements", tensor("a", 2, uint64(1<<32), uint64(1<<31), 0, uint64(0)), `"a": dimension 0 is of size 2147483648`},
		{"an unknown tensor type", tensor("a", 1, uint64(8), 99, uint64(0)), `"a": unknown type 99`},
		{"rows of half a block", tensor("a", 1, uint64(16), 8, uint64(0)), `"a": rows of 16 are not whole blocks of Q8_0, 32 each`},
		{"a tensor past the end", tensor("a", 1, uint64(1<<20), 0, uint64(0)), `tensor "a": the file ends within it`},
		{"a first tensor that begins late", tensor("a", 1, uint64(8), 0, uint64(32)), `begins at 32`},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(test.data), int64(len(test.data)))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q", test.name, err, test.want)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 1<<20 {
			t.Errorf("%s: %d bytes of memory", test.name, took)
		}
	}
	whole := testFile(t, testKeys, testTensors)
	data := 0
	for n := range whole {
		if _, err := Read(bytes.NewReader(whole[:n]), int64(n)); err == nil {
			data++
		}
	}
	if most := 31; data > most { // the padding behind the last tensor may lack
		t.Errorf("%d beginnings of a file are read as files", data)
	}
}

// A long list of empty strings takes what it has in the file, and no header for each.
func TestMemory(t *testing.T) {
	const n = 1 << 21
	data := append(head(1, 0, "k", 9, 8, uint64(n)), make([]byte, 8*n)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f, err := Read(bytes.NewReader(data), int64(len(data)))
	runtime.ReadMemStats(&after)
	if err != nil || f.Keys["k"].Len() != n {
		t.Fatal(err)
	}
	if took, most := after.TotalAlloc-before.TotalAlloc, uint64(len(data)+1<<20); took > most {
		t.Errorf("%d bytes of memory for a file of %d", took, len(data))
	}
}

func TestWriteRefuses(t *testing.T) {
	none := func(io.Writer, *Tensor) error { return nil }
	for want, test := range map[string]struct {
		keys    []Key
		tensors []Tensor
	}{
		`key "k" comes twice`:    {[]Key{{"k", true}, {"k", false}}, nil},
		`Go's type int is not`:   {[]Key{{"k", 1}}, nil},
		`tensor "a" comes twice`: {nil, []Tensor{{Name: "a", Shape: []int{1}}, {Name: "a", Shape: []int{1}}}},
		`"a" of shape [33]`:      {nil, []Tensor{{Name: "a", Shape: []int{33}, Type: Q8_0}}},
		`"a" of shape []`:        {nil, []Tensor{{Name: "a"}}},
		"0 bytes written, want":  {nil, []Tensor{{Name: "a", Shape: []int{1}}}},
		strings.Repeat("n", 64):  {nil, []Tensor{{Name: strings.Repeat("n", 64), Shape: []int{1}}}},
	} {
		if err := Write(io.Discard, test.keys, test.tensors, none); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// FuzzRead wants an error or a file whose every key and tensor can be read.
func FuzzRead(f *testing.F) {
	f.Add(testFile(f, testKeys, testTensors))
	f.Add(testFile(f, testKeys[:2], nil))
	f.Add(head(1, 0, "general.alignment", 4, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for _, v := range g.Keys {
			v.Text()
			v.Bool()
			v.Int()
			if list, ok := v.Texts(); ok {
				for range list {
				}
			}
			if list, ok := v.Numbers(); ok {
				for range list {
				}
			}
		}
		for i := range g.Tensors {
			x := &g.Tensors[i]
			dst := make([]float32, x.Elems())
			switch err := g.Floats(x, 0, dst); {
			case err != nil && !strings.Contains(err.Error(), "cannot be read"):
				t.Error(err)
			}
		}
	})
}

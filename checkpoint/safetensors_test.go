package checkpoint

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// reference is what testdata/reference.py wrote, in another order.
func reference() []Tensor {
	f32 := func(name string, shape ...int) Tensor {
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := []byte{}
		for i := range n {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(i)*0.5-1))
		}
		return Tensor{name, "F32", shape, data}
	}
	return []Tensor{
		{"bytes", "U8", []int{3}, []byte{0, 1, 2}},
		{"naïve <&> \"name\"", "I32", []int{1}, []byte{0, 0, 0, 0}},
		f32("transformer.wte.weight", 5, 3),
		{"half", "F16", []int{3}, []byte{0x00, 0xbc, 0x00, 0xb8, 0x00, 0x00}}, // -1, -0.5, 0
		f32("empty", 0, 4),
		{"ids", "I64", []int{2, 2}, binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(
			binary.LittleEndian.AppendUint64(make([]byte, 8), 1), 2), 3)},
		f32("transformer.h.0.ln_1.bias", 3),
		{"scalar", "F64", []int{}, binary.LittleEndian.AppendUint64(nil, math.Float64bits(-1))},
	}
}

func TestSafetensorsReference(t *testing.T) {
	const path = "testdata/reference.safetensors"
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := WriteSafetensors(&got, reference()); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("wrote\n%q, the reference implementation\n%q", got.Bytes(), want)
	}
	reversed := reference()
	slices.Reverse(reversed)
	var again bytes.Buffer
	if err := WriteSafetensors(&again, reversed); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.Bytes(), got.Bytes()) {
		t.Error("the order of the tensors changes the file")
	}

	s, err := OpenSafetensors(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, want := s.Metadata(), map[string]string{"format": "pt"}; !reflect.DeepEqual(got, want) {
		t.Errorf("metadata %v, want %v", got, want)
	}
	if got, want := len(s.Tensors()), len(reference()); got != want {
		t.Errorf("%d tensors, want %d", got, want)
	}
	for _, want := range reference() {
		got, err := s.Read(want.Name, nil)
		if err != nil {
			t.Error(err)
		} else if !reflect.DeepEqual(got, want) {
			t.Errorf("read %v, want %v", got, want)
		}
	}
}

func TestSafetensorsRead(t *testing.T) {
	s, err := OpenSafetensors("testdata/reference.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	arena := make([]byte, 100)
	got, err := s.Read("ids", arena[8:40])
	if err != nil {
		t.Fatal(err)
	}
	if &got.Data[0] != &arena[8] || arena[16] != 1 || arena[40] != 0 {
		t.Errorf("not read in place: %v", arena)
	}
	_, err = s.Read("ids", arena[:31])
	wantError(t, err, `reference.safetensors: tensor "ids": I64 [2 2] takes 32 bytes, the place for it has 31`)
	_, err = s.Read("idz", nil)
	wantError(t, err, `reference.safetensors: no tensor "idz"`)
	_, err = OpenSafetensors(filepath.Join(t.TempDir(), "none"))
	wantError(t, err, "none")
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, want %q in it", err, part)
	}
}

func TestWriteSafetensorsErrors(t *testing.T) {
	ok := Tensor{"w", "U8", []int{1}, []byte{7}}
	for _, test := range []struct {
		want    string
		tensors []Tensor
	}{
		{"twice", []Tensor{ok, ok}},
		{"has no name", []Tensor{{"", "U8", []int{1}, []byte{7}}}},
		{"reserved", []Tensor{{"__metadata__", "U8", []int{1}, []byte{7}}}},
		{"UTF-8", []Tensor{{"\xff", "U8", []int{1}, []byte{7}}}},
		{`unknown dtype "f32"`, []Tensor{{"w", "f32", []int{1}, make([]byte, 4)}}},
		{"negative", []Tensor{{"w", "U8", []int{-1, -1}, []byte{7}}}},
		{"larger than any memory", []Tensor{{"w", "U8", []int{1 << 40, 1 << 40}, nil}}},
		{`tensor "w": 3 bytes of data, but F32 [1] takes 4`, []Tensor{{"w", "F32", []int{1}, make([]byte, 3)}}},
	} {
		wantError(t, WriteSafetensors(&bytes.Buffer{}, test.tensors), test.want)
	}
}

// rawFile puts a header before data.
func rawFile(header, data string) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func TestSafetensorsMalformed(t *testing.T) {
	const u8 = `"dtype":"U8","shape":[2],"data_offsets":`
	for _, test := range []struct {
		want string
		file []byte
	}{
		{"too few", []byte("1234567")},
		{"header of 9 bytes in a file of 16: truncated", append(binary.LittleEndian.AppendUint64(nil, 9), "12345678"...)},
		{"exceeds the format's", binary.LittleEndian.AppendUint64(nil, math.MaxUint64)},
		{"exceeds the format's", binary.LittleEndian.AppendUint64(nil, maxHeader+1)},
		{"unexpected EOF", rawFile("", "")},
		{"is no JSON object", rawFile("[]", "")},
		{"unexpected EOF", rawFile(`{"w":{`, "")},
		{"follows", rawFile("{} {}", "")},
		{"UTF-8", rawFile(`{"`+"\xff"+`":{`+u8+`[0,2]}}`, "ab")},
		{`"w" occurs twice`, rawFile(`{"w":{`+u8+`[0,2]},"\u0077":{`+u8+`[2,4]}}`, "abcd")},
		{`"dtype" occurs twice`, rawFile(`{"w":{"dtype":"I8",`+u8+`[0,2]}}`, "ab")},
		{`"__metadata__" occurs twice`, rawFile(`{"__metadata__":{},"__metadata__":{}}`, "")},
		{"is no string", rawFile(`{"__metadata__":{"format":1}}`, "")},
		{`tensor "w": "DType": unknown key`, rawFile(`{"w":{"DType":"U8"}}`, "")},
		{`unknown dtype "F4"`, rawFile(`{"w":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}`, "a")},
		{`"dtype": <nil> is no string`, rawFile(`{"w":{"dtype":null}}`, "")},
		{"is no number", rawFile(`{"w":{"dtype":"U8","shape":[null],"data_offsets":[0,0]}}`, "")},
		{"no integer", rawFile(`{"w":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}`, "ab")},
		{"no integer", rawFile(`{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,99999999999999999999]}}`, "ab")},
		{"no shape", rawFile(`{"w":{"dtype":"U8","data_offsets":[0,2]}}`, "ab")},
		{"are not two numbers", rawFile(`{"w":{"dtype":"U8","shape":[2]}}`, "ab")},
		{"are not two numbers", rawFile(`{"w":{`+u8+`[0,1,2]}}`, "ab")},
		{"negative", rawFile(`{"w":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}}`, "ab")},
		{"larger than any memory", rawFile(`{"w":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`, "")},
		{`tensor "w": data ends at 1152921504606846976, the file's at 2: truncated`,
			rawFile(`{"w":{"dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,1152921504606846976]}}`, "ab")},
		{`tensor "w": 2 bytes of data, but U8 [1152921504606846976] takes`, rawFile(`{"w":{"dtype":"U8","shape":[1152921504606846976],"data_offsets":[0,2]}}`, "ab")},
		{"are no range", rawFile(`{"w":{`+u8+`[2,0]}}`, "ab")},
		{"are no range", rawFile(`{"w":{`+u8+`[-2,0]}}`, "ab")},
		{`tensor "w": data ends at 2, the file's at 1: truncated`, rawFile(`{"w":{`+u8+`[0,2]}}`, "a")},
		{"begins at 1, the one before ends at 0", rawFile(`{"w":{`+u8+`[1,3]}}`, "abc")},
		{`tensor "x": data begins at 1, the one before ends at 2`, rawFile(`{"w":{`+u8+`[0,2]},"x":{`+u8+`[1,3]}}`, "abc")},
		{"3 bytes of data, but U8 [2] takes 2", rawFile(`{"w":{`+u8+`[0,3]}}`, "abc")},
		{"1 bytes behind the last tensor", rawFile(`{"w":{`+u8+`[0,2]}}`, "abc")},
	} {
		_, err := newSafetensors("x.safetensors", bytes.NewReader(test.file), int64(len(test.file)))
		wantError(t, err, test.want)
		wantError(t, err, "x.safetensors: not a valid safetensors file: ")
	}
}

func FuzzSafetensors(f *testing.F) {
	file, err := os.ReadFile("testdata/reference.safetensors")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(rawFile(`{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"e":{"dtype":"BF16","shape":[0],"data_offsets":[0,0]}}`, "ab"))
	f.Add(rawFile(`{"__metadata__":{"a":"b"}}  `, ""))
	f.Fuzz(func(t *testing.T, file []byte) {
		s, err := newSafetensors("fuzz", bytes.NewReader(file), int64(len(file)))
		if err != nil {
			return
		}
		// What is accepted can be read, is all of the data, and can be
		// written and read again, the same.
		var tensors []Tensor
		var total int
		writable := true
		for _, d := range s.Tensors() {
			tensor, err := s.Read(d.Name, nil)
			if err != nil {
				t.Fatal(err)
			}
			total += len(tensor.Data)
			tensors = append(tensors, tensor)
			writable = writable && d.Name != ""
		}
		if header := int(binary.LittleEndian.Uint64(file)); 8+header+total != len(file) {
			t.Fatalf("%d bytes of tensors in a file of %d with a header of %d", total, len(file), header)
		}
		if !writable {
			return
		}
		var out bytes.Buffer
		if err := WriteSafetensors(&out, tensors); err != nil {
			t.Fatal(err)
		}
		again, err := newSafetensors("again", bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range tensors {
			got, err := again.Read(want.Name, nil)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("read %v, %v, want %v", got, err, want)
			}
		}
	})
}

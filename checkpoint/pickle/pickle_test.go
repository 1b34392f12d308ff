package pickle

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// The tensors of a file that torch.save wrote have the bytes that PyTorch gives; see
// testdata/weights.py.
func TestTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/weights.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Tensors []struct {
			Name, DType, Hex string
			Shape            []int
		}
	}
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	f, err := Open("testdata/weights.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if len(f.Tensors()) != len(want.Tensors) {
		t.Fatalf("%d tensors, want %d", len(f.Tensors()), len(want.Tensors))
	}
	for i, w := range want.Tensors {
		got := f.Tensors()[i]
		if got.Name != w.Name || got.DType != w.DType || !slices.Equal(got.Shape, w.Shape) {
			t.Errorf("%+v, want %s %s %v", got, w.Name, w.DType, w.Shape)
		}
		raw, err := hex.DecodeString(w.Hex)
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Reader(i)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(r, raw); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}

func TestProtocol4(t *testing.T) {
	f, err := Open("testdata/protocol4.bin")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := fmt.Sprint(f.Tensors()); got != "[{a F32 [2]} {b F32 [3]}]" {
		t.Error(got)
	}
}

// A file is an entry to be written.
type testEntry struct {
	name, data string
	method     uint16
}

// testZip writes what torch.save writes.
func testZip(t testing.TB, entries ...testEntry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.CreateHeader(&zip.FileHeader{Name: e.name, Method: e.method})
		if err == nil {
			_, err = io.WriteString(w, e.data)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// archived is a file of a pickle and one storage, "0", of 4 elements of F32.
func archived(t testing.TB, program string) []byte {
	t.Helper()
	return testZip(t, testEntry{name: "a/data.pkl", data: program}, testEntry{name: "a/byteorder", data: "little"}, testEntry{name: "a/data/0", data: strings.Repeat("\x00", 16)})
}

func short(s string) string { return "\x8c" + string([]byte{byte(len(s))}) + s }

// number is an integer of 8 bytes.
func number(n uint64) string { return string(binary.LittleEndian.AppendUint64([]byte("\x8a\x08"), n)) }

func numbers(ns ...uint64) string {
	s := "("
	for _, n := range ns {
		s += number(n)
	}
	return s + "t"
}

const (
	proto   = "\x80\x02"
	rebuild = "ctorch._utils\n_rebuild_tensor_v2\n"
	hooks   = "ccollections\nOrderedDict\n)R"
)

// stored is a storage in a pickle.
func stored(class, key string, n uint64) string {
	return "(" + short("storage") + "ctorch\n" + class + "\n" + short(key) + short("cpu") + number(n) + "tQ"
}

// view is a tensor of it.
func view(storage string, offset uint64, shape, stride string) string {
	return rebuild + "(" + storage + number(offset) + shape + stride + "\x89" + hooks + "tR"
}

// named is a dict of one tensor "w".
func named(value string) string { return proto + "}" + short("w") + value + "s." }

var plain = named(view(stored("FloatStorage", "0", 4), 0, numbers(2, 2), numbers(2, 1)))

// Hostile files are refused by what is wrong with them, before memory is taken.
func TestHostile(t *testing.T) {
	float4 := stored("FloatStorage", "0", 4)
	tensor := func(offset uint64, shape, stride string) string { return named(view(float4, offset, shape, stride)) }
	swap := func(data []byte, old, new string) []byte {
		if !bytes.Contains(data, []byte(old)) {
			t.Fatalf("%q is not there", old)
		}
		return bytes.Replace(data, []byte(old), []byte(new), 1)
	}
	good := archived(t, plain)
	at := bytes.LastIndex(good, []byte("PK\x05\x06"))
	many := bytes.Clone(good)
	binary.LittleEndian.PutUint16(many[at+8:], 40000)
	binary.LittleEndian.PutUint16(many[at+10:], 40000)
	damaged := bytes.Clone(good)
	damaged[bytes.Index(damaged, []byte("_rebuild"))] ^= 1
	// Two entries of the directory point to one.
	shared := testZip(t, testEntry{name: "a/data.pkl", data: proto + "}" + short("v") + view(stored("FloatStorage", "0", 4), 0, numbers(4), numbers(1)) + "s" +
		short("w") + view(stored("FloatStorage", "1", 4), 0, numbers(4), numbers(1)) + "s."},
		testEntry{name: "a/data/0", data: strings.Repeat("\x00", 16)}, testEntry{name: "a/data/1", data: strings.Repeat("\x00", 16)})
	first, second := bytes.Index(shared, []byte("PK\x03\x04")), bytes.LastIndex(shared, []byte("PK\x01\x02"))
	if next := bytes.Index(shared[first+1:], []byte("PK\x03\x04")) + first + 1; next > first {
		binary.LittleEndian.PutUint32(shared[second+42:], uint32(next))
	}
	legacy, err := os.ReadFile("testdata/legacy.bin")
	if err != nil {
		t.Fatal(err)
	}
	repeat := func(s string, n int) string { return strings.Repeat(s, n) }
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":            {nil, "no zip file"},
		"another format":     {[]byte("GGUF and more than sixteen bytes"), `no zip file: it begins with "GGUF`},
		"before 1.6":         {legacy, "before PyTorch 1.6"},
		"cut short":          {good[:len(good)-30], "no zip file, or one that is cut short"},
		"cut in front":       {append([]byte("PK\x03\x04"), good[60:]...), "cut short"},
		"no pickle":          {testZip(t, testEntry{name: "a/x"}), "no entry data.pkl"},
		"TorchScript":        {testZip(t, testEntry{name: "a/data.pkl", data: plain}, testEntry{name: "a/constants.pkl"}), "TorchScript"},
		"big-endian":         {testZip(t, testEntry{name: "a/data.pkl", data: plain}, testEntry{name: "a/byteorder", data: "big"}), `byte order is "big"`},
		"compressed":         {testZip(t, testEntry{name: "a/data.pkl", data: repeat("a", 1<<20), method: zip.Deflate}), `entry "a/data.pkl": compressed`},
		"compressed storage": {testZip(t, testEntry{name: "a/data.pkl", data: plain}, testEntry{name: "a/data/0", data: repeat("\x00", 1<<20), method: zip.Deflate}), `entry "a/data/0": compressed`},
		"an entry twice":     {testZip(t, testEntry{name: "a/data.pkl", data: plain}, testEntry{name: "a/data/0"}, testEntry{name: "a/data/0"}), `entry "a/data/0": comes twice`},
		"two directories":    {testZip(t, testEntry{name: "a/data.pkl", data: plain}, testEntry{name: "b/data/0"}), `entry "b/data/0": not in the directory of the others, a/`},
		"a path upwards":     {testZip(t, testEntry{name: "../data.pkl", data: plain}), `entry "../data.pkl": not a name`},
		"a path upwards in":  {testZip(t, testEntry{name: "a/../../data.pkl", data: plain}), `entry "a/../../data.pkl": not a name`},
		"a path from above":  {testZip(t, testEntry{name: "/etc/data.pkl", data: plain}), `entry "/etc/data.pkl": not a name`},
		"many entries":       {many, "40000 entries; at most 32768"},
		"more entries":       {swap(good, "\x03\x00\x03\x00", "\x04\x00\x04\x00"), "entry 3: the directory ends within it"},
		"an overlap":         {shared, `entry "data/1" lies in entry "data/0"`},
		"a flipped bit":      {damaged, `entry "data.pkl": does not match its checksum`},

		"os.system":           {archived(t, proto+"cos\nsystem\n("+short("rm -rf /")+"tR."), `byte 2: GLOBAL: "os.system" is not run`},
		"os.system, later":    {archived(t, proto+short("os")+short("system")+"\x93."), `STACK_GLOBAL: "os.system" is not run`},
		"builtins.eval":       {archived(t, proto+"cbuiltins\neval\n."), `"builtins.eval" is not run`},
		"torch.load":          {archived(t, proto+"ctorch\nload\n."), `"torch.load" is not run`},
		"INST":                {archived(t, proto+"(ios\nsystem\n."), "byte 3: INST: an opcode that no file of weights has"},
		"OBJ":                 {archived(t, proto+"(o."), "byte 3: OBJ: an opcode"},
		"NEWOBJ":              {archived(t, proto+"\x81."), "byte 2: NEWOBJ: an opcode"},
		"EXT1":                {archived(t, proto+"\x82\x01."), "byte 2: EXT1: an opcode"},
		"BYTEARRAY8":          {archived(t, proto+"\x96"+repeat("\xff", 8)), "byte 2: BYTEARRAY8: an opcode"},
		"no such opcode":      {archived(t, proto+"\xff."), "byte 2: opcode 0xff: no such opcode"},
		"protocol 0":          {archived(t, "\x80\x00."), "PROTO: protocol 0"},
		"no end":              {archived(t, proto+"}"), "byte 3: the pickle has no end"},
		"something over":      {archived(t, proto+"}}."), "STOP leaves something over"},
		"LONG4":               {archived(t, proto+"\x8b\xff\xff\xff\x7f"), "LONG4: an opcode"},
		"a huge LONG1":        {archived(t, proto+"\x8a\xff"+repeat("\xff", 255)+"."), "LONG1: an integer of 255 bytes"},
		"a long string":       {archived(t, proto+"X\xff\xff\xff\xff."), "BINUNICODE: a string of 4294967295 bytes, longer than the pickle"},
		"a string of no text": {archived(t, proto+"\x8c\x01\xff."), "invalid UTF-8"},
		"a long line":         {archived(t, proto+"c"+repeat("x", 2000)+"\nsystem\n."), "a line of more than 1024"},
		"a frame too long":    {archived(t, "\x80\x04\x95"+repeat("\xff", 8)), "FRAME: the pickle ends within it"},
		"deep nesting":        {archived(t, proto+repeat("]", 1<<22)), "more than 65536 values wait at once"},
		"deep tuples":         {archived(t, proto+")"+repeat("\x85", 1<<22)), "takes more memory than"},
		"deep lists":          {archived(t, proto+repeat("]", 60000)+repeat("a", 59999)+"."), "a list, not a dict of tensors"},
		"marks":               {archived(t, proto+repeat("(", 1<<22)), "marks"},
		"a memo bomb":         {archived(t, proto+"}"+repeat("\x94", 1<<22)), "MEMOIZE: what it makes takes more memory"},
		"a memo far off":      {archived(t, proto+"}r\xff\xff\xff\xff."), "LONG_BINPUT: a value is kept as 4294967295, where 0 is next"},
		"a billion laughs":    {archived(t, proto+laughs(40)), "something over"},
		"no such memo":        {archived(t, proto+"h\x05."), "BINGET: nothing is kept as 5"},
		"an empty stack":      {archived(t, proto+"R."), "REDUCE: no value is there"},
		"below the mark":      {archived(t, proto+"}("+"\x85."), "TUPLE1: no value is there"},
		"no mark":             {archived(t, proto+"t."), "TUPLE: no mark"},
		"itself":              {archived(t, proto+"}\x94"+short("w")+"h\x00s."), `"w" is a dict, not a tensor`},
		"attributes":          {archived(t, proto+"]}b."), "BUILD: a list is not an OrderedDict"},
		"a call of a list":    {archived(t, proto+"])R."), "REDUCE: a list is called"},
		"a call of a storage": {archived(t, proto+"ctorch\nFloatStorage\n)R."), "torch.FloatStorage is called, which is no function"},
		"a nested checkpoint": {archived(t, proto+"}"+short("state_dict")+"}s."), `"state_dict" is a dict, not a tensor (hint`},
		"a number for a name": {archived(t, proto+"}K\x01K\x02s."), "a name of a tensor is a number"},
		"no dict":             {archived(t, proto+"K\x01."), "a number, not a dict of tensors"},
		"a name twice":        {archived(t, proto+"}"+repeat(short("w")+view(float4, 0, numbers(4), numbers(1))+"s", 2)+"."), `tensor "w" comes twice`},
		"a key no value":      {archived(t, proto+"}("+short("w")+"u."), "SETITEMS: a key has no value"},

		"another storage":     {archived(t, named(view(stored("FloatStorage", "1", 4), 0, numbers(4), numbers(1)))), `storage "1": there is no entry "data/1"`},
		"a storage upwards":   {archived(t, named(view(stored("FloatStorage", "../data.pkl", 4), 0, numbers(4), numbers(1)))), `storage "../data.pkl": there is no entry`},
		"a larger storage":    {archived(t, named(view(stored("FloatStorage", "0", 1<<40), 0, numbers(4), numbers(1)))), `tensor "w": storage "0": 1099511627776 elements of F32, but entry "data/0" has 16 bytes`},
		"a smaller storage":   {archived(t, named(view(stored("FloatStorage", "0", 3), 0, numbers(3), numbers(1)))), `storage "0": 3 elements of F32, but`},
		"2^63 elements":       {archived(t, named(view(stored("FloatStorage", "0", 1<<63-1), 0, numbers(4), numbers(1)))), `storage "0": 9223372036854775807 elements`},
		"a storage's name":    {archived(t, proto+numbers(1, 2, 3, 4, 5)+"Q."), "BINPERSID: no name of a storage"},
		"a function as one":   {archived(t, named(view(strings.Replace(float4, "ctorch\nFloatStorage\n", rebuild, 1), 0, numbers(4), numbers(1)))), "a storage of no known type"},
		"beyond its storage":  {archived(t, tensor(1, numbers(2, 2), numbers(2, 1))), `REDUCE: tensor "w": torch._utils._rebuild_tensor_v2: its element 4 is beyond the 4 of storage "0"`},
		"an offset beyond":    {archived(t, tensor(1<<62, numbers(2, 2), numbers(2, 1))), "is beyond the 4"},
		"a stride beyond":     {archived(t, tensor(0, numbers(2, 2), numbers(1<<62, 1))), "is beyond the 4"},
		"a stride too large":  {archived(t, tensor(0, numbers(8, 2), numbers(1<<62, 1))), "larger than any memory"},
		"a size too large":    {archived(t, tensor(0, numbers(1<<62, 1<<62), numbers(0, 0))), "larger than any memory"},
		"elements over again": {archived(t, tensor(0, numbers(1<<40, 4), numbers(0, 1))), "more than the 4 elements of storage"},
		"a negative size":     {archived(t, tensor(0, numbers(1<<63), numbers(1))), "a size that is no tuple of numbers from 0 on"},
		"a negative stride":   {archived(t, tensor(3, numbers(4), numbers(1<<64-1))), "a stride that is no tuple of numbers from 0 on"},
		"fewer strides":       {archived(t, tensor(0, numbers(2, 2), numbers(1))), "2 sizes, but 1 strides"},
		"65 dimensions":       {archived(t, tensor(0, numbers(make([]uint64, 65)...), numbers(make([]uint64, 65)...))), "a size that is no tuple of up to 64"},
		"hooks":               {archived(t, strings.Replace(plain, hooks, "}"+short("x")+"K\x01s", 1)), "hooks, which are programs"},
		"a parameter of none": {archived(t, named("ctorch._utils\n_rebuild_parameter\n(K\x01\x88"+hooks+"tR")), "a number, where a tensor should be"},
		"one tuple for all":   {archived(t, manyDims()), "takes more memory than"},
		"one tensor for all":  {archived(t, manyNames()), "takes more memory than"},
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := read("x.bin", bytes.NewReader(test.data), int64(len(test.data)))
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "x.bin: ") {
			t.Errorf("%s: error %v, want %q", name, err, test.want)
		}
		// What is taken in all, garbage too; slices that grow leave their like behind.
		if took, most := after.TotalAlloc-before.TotalAlloc, 2*uint64(len(test.data))+16<<20; took > most {
			t.Errorf("%s: %d bytes of memory for a file of %d", name, took, len(test.data))
		}
	}
	whole, err := os.ReadFile("testdata/weights.bin")
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := read("x.bin", bytes.NewReader(whole[:n]), int64(n)); err == nil {
			t.Errorf("the first %d bytes of %d are read as a file", n, len(whole))
		}
	}
}

// laughs are tuples of the tuple before and itself: 2^n of them, if anybody walked them.
func laughs(n int) string {
	s := ")"
	for i := range n {
		s += fmt.Sprintf("q%sh%[1]sh%[1]s\x86", string([]byte{byte(i)}))
	}
	return s + "."
}

// manyDims makes tensors of 64 dimensions out of few bytes each.
func manyDims() string {
	ones := make([]uint64, 64)
	for i := range ones {
		ones[i] = 1
	}
	s := proto + rebuild + "\x94" + "(" + stored("FloatStorage", "0", 4) + number(0) + numbers(ones...) + numbers(ones...) + "\x89" + hooks + "t\x94"
	return s + strings.Repeat("h\x00h\x01R", 1<<14)
}

// manyNames names one tensor often.
func manyNames() string {
	var s strings.Builder
	s.WriteString(proto + "}" + short("v") + view(stored("FloatStorage", "0", 4), 0, numbers(4), numbers(1)) + "\x94s")
	for i := range 1 << 16 {
		fmt.Fprintf(&s, "%sh\x00s", short(fmt.Sprintf("%04x", i)))
	}
	return s.String() + "."
}

// A damaged storage is said when it is read, and which.
func TestChecksum(t *testing.T) {
	data, err := os.ReadFile("testdata/weights.bin")
	if err != nil {
		t.Fatal(err)
	}
	f, err := read("x.bin", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(f.Tensors(), func(x Tensor) bool { return x.Name == "whole" })
	data[f.places[f.views[i].storage.key]+5] ^= 1
	if _, err := f.Reader(i); err == nil || !strings.Contains(err.Error(), `x.bin: tensor "whole": storage`) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%v", err)
	}
}

// Thousands of tensors are read, as large models have them.
func TestManyTensors(t *testing.T) {
	const n = 6000
	var s strings.Builder
	s.WriteString(proto + "}")
	memo := 0
	keep := func() string { memo++; return "\x94" }
	for i := range n { // with all that torch.save keeps
		fmt.Fprintf(&s, "%s%s%s", short(fmt.Sprintf("model.layers.%d.block_sparse_moe.experts.weight", i)), keep(), rebuild+keep())
		s.WriteString("((" + short("storage") + "ctorch\nFloatStorage\n" + short("0") + keep() + short("cpu") + number(4) + "t" + keep() + "Q" +
			number(0) + numbers(2, 2) + keep() + numbers(2, 1) + keep() + "\x89" + hooks + keep() + "t" + keep() + "R" + keep() + "s")
	}
	data := archived(t, s.String()+".")
	f, err := read("x.bin", bytes.NewReader(data), int64(len(data)))
	if err != nil || len(f.Tensors()) != n {
		t.Fatalf("%v", err)
	}
}

// FuzzRead wants an error, or a file whose every tensor can be read as long as its shape says.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"weights.bin", "protocol4.bin", "legacy.bin"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add(archived(f, plain))
	f.Fuzz(func(t *testing.T, data []byte) { readAll(t, data) })
}

// FuzzPickle is FuzzRead of a pickle that an archive holds.
func FuzzPickle(f *testing.F) {
	f.Add([]byte(plain))
	for _, name := range []string{"weights.bin", "protocol4.bin"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		p, err := read(name, bytes.NewReader(data), int64(len(data)))
		if err != nil {
			f.Fatal(err)
		}
		program, err := p.entry(pickleEntry, 1<<20)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(program)
	}
	f.Fuzz(func(t *testing.T, program []byte) { readAll(t, archived(t, string(program))) })
}

func readAll(t *testing.T, data []byte) {
	p, err := read("x", bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	var total int64
	for i, x := range p.Tensors() {
		r, err := p.Reader(i)
		if err != nil {
			continue // a checksum
		}
		size := p.views[i].storage.of.size
		for _, d := range x.Shape {
			size *= int64(d)
		}
		if total += size; total > 1<<20 {
			return
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != size {
			t.Errorf("tensor %+v: %d bytes, want %d, %v", x, n, size, err)
		}
	}
}

// Sizes and places beyond 32 bits stand in a field of their own, and the directory's in a record
// of its own.
func TestZip64(t *testing.T) {
	data := archived(t, plain)
	end := bytes.LastIndex(data, []byte("PK\x05\x06"))
	at := bytes.LastIndex(data, []byte("PK\x01\x02")) // of a/data/0
	head, name := bytes.Clone(data[at:at+directorySize]), data[at+directorySize:][:len("a/data/0")]
	extra := []byte{1, 0, 24, 0}
	for _, field := range []int{24, 20, 42} { // size, packed size, place
		extra = le.AppendUint64(extra, uint64(le.Uint32(head[field:])))
		le.PutUint32(head[field:], 1<<32-1)
	}
	le.PutUint16(head[30:], uint16(len(extra)))
	out := slices.Concat(data[:at], head, name, extra)
	directory := int64(le.Uint32(data[end+16:]))
	record := int64(len(out))
	out = append(out, "PK\x06\x06"...)
	out = le.AppendUint64(out, end64Size-12)
	out = append(out, make([]byte, 12)...)
	for _, n := range []int64{3, 3, record - directory, directory} {
		out = le.AppendUint64(out, uint64(n))
	}
	out = append(out, "PK\x06\x07\x00\x00\x00\x00"...)
	out = le.AppendUint32(le.AppendUint64(out, uint64(record)), 1)
	last := bytes.Clone(data[end:])
	for i := 8; i < 20; i++ {
		last[i] = 0xff
	}
	out = append(out, last...)
	f, err := read("x.bin", bytes.NewReader(out), int64(len(out)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Reader(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, make([]byte, 16)); err != nil {
		t.Error(err)
	}
	bad := bytes.Clone(out)
	le.PutUint64(bad[at+directorySize+len(name)+4:], 1<<62)
	if _, err := read("x.bin", bytes.NewReader(bad), int64(len(bad))); err == nil || !strings.Contains(err.Error(), `entry "a/data/0"`) {
		t.Errorf("a size of 2^62: %v", err)
	}
}

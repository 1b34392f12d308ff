package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

type expectation struct {
	Columns     []string
	Text, Label []*string
}

func expected(t *testing.T) map[string]expectation {
	t.Helper()
	b, err := os.ReadFile("testdata/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string]expectation{}
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func show(text string, ok bool) string {
	if !ok {
		return "null"
	}
	return fmt.Sprintf("%q", text)
}

func showPointer(p *string) string {
	if p == nil {
		return "null"
	}
	return show(*p, true)
}

// TestForeign reads files that pyarrow wrote (testdata/make.py).
func TestForeign(t *testing.T) {
	for name, want := range expected(t) {
		t.Run(name, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			types := map[string]string{}
			for _, c := range f.Columns() {
				types[c.Name] = c.Type
			}
			if types["text"] != want.Columns[0] || types["label"] != want.Columns[1] {
				t.Errorf("columns %v, want text and label %v", f.Columns(), want.Columns)
			}
			if f.Rows() != int64(len(want.Text)) {
				t.Fatalf("%d rows, want %d", f.Rows(), len(want.Text))
			}
			// Either order, and one column alone.
			for _, columns := range [][]string{{"text", "label"}, {"label", "text"}, {"text"}, {"label"}} {
				if err := f.Select(columns...); err != nil {
					t.Fatal(err)
				}
				for i := f.Rows() - 1; i >= 0; i-- {
					b, row, err := f.Row(i)
					if err != nil {
						t.Fatal(err)
					}
					for c, name := range columns {
						w := want.Text[i]
						if name == "label" {
							w = want.Label[i]
						}
						if got := show(b.Text(c, row)); got != showPointer(w) {
							t.Errorf("row %d, %s: %s, want %s", i, name, got, showPointer(w))
						}
					}
				}
			}
		})
	}
}

func TestColumns(t *testing.T) {
	f, err := Open("testdata/nested.arrow")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for column, want := range map[string]string{
		"txt":  `testdata/nested.arrow: no column "txt" (did you mean "text"?); its columns: null (null), bool (bool), list (list<struct<role: utf8, content: utf8>>)`,
		"zzzz": `no column "zzzz"; its columns:`,
		"map":  `column "map" is map<struct<key: utf8, value: int32>>, which is not read`,
	} {
		if err := f.Select(column); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", column, err, want)
		}
	}
}

// load reads all of a file that holds content.
func load(path string, content []byte) (rows []string, err error) {
	f, err := openAt(path, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return nil, err
	}
	names := []string{"text", "label"}
	for _, c := range f.Columns() {
		if c.Readable() && c.Name != "text" && c.Name != "label" {
			names = append(names, c.Name)
		}
	}
	if err := f.Select(names...); err != nil {
		return nil, err
	}
	for k := range f.Batches() {
		b, err := f.Batch(k)
		if err != nil {
			return nil, err
		}
		for r := range b.Rows {
			row := ""
			for i := range names {
				row += show(b.Text(i, r))
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// TestFlips flips every single bit of files of each codec and kind: each must
// give an error or data, without a panic and without asking for memory that the
// file cannot fill.
func TestFlips(t *testing.T) {
	const most = 64 << 20 // a Zstandard window of 8 MiB is legal, and allocated several times
	var names []string
	for _, n := range []string{"plain.arrow", "lz4.arrow", "zstd.arrow", "dictionary.arrow", "dictionary_lz4.arrow", "stream.arrows", "stream_zstd.arrows", "delta.arrows", "classes.arrows"} {
		names = append(names, filepath.Join("testdata", n))
	}
	names = append(names, writeOwn(t, t.TempDir(), 3))
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // half the time would go into collecting
	step := 1
	if testing.Short() {
		step = 7
	}
	for _, name := range names {
		t.Run(filepath.Base(name), func(t *testing.T) {
			whole, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := load(name, whole); err != nil {
				t.Fatal(err)
			}
			failed, worst := 0, uint64(0)
			for bit := 0; bit < 8*len(whole); bit += step {
				at := int64(bit / 8)
				whole[at] ^= 1 << (bit % 8)
				before := allocated()
				rows, err := load(name, whole) // a panic ends the test
				if a := allocated() - before; a > worst {
					if worst = a; a > most {
						t.Fatalf("bit %d of byte %d: %d MiB allocated", bit%8, at, a>>20)
					}
				}
				if err != nil {
					failed++
					if !strings.Contains(err.Error(), name) {
						t.Errorf("bit %d of byte %d: the error does not name the file: %v", bit%8, at, err)
					}
				} else if len(rows) > 8*len(whole) {
					t.Errorf("bit %d of byte %d: %d rows from %d bytes", bit%8, at, len(rows), len(whole))
				}
				whole[at] ^= 1 << (bit % 8)
			}
			if failed == 0 {
				t.Error("no flip was noticed")
			}
			t.Logf("%d flips: %d errors, at most %d KiB allocated", 8*len(whole)/step, failed, worst>>10)
		})
	}
}

// TestTruncated cuts files at every byte.
func TestTruncated(t *testing.T) {
	for _, name := range []string{"plain.arrow", "zstd.arrow", "dictionary.arrow", "stream.arrows", "delta.arrows"} {
		whole, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := len(whole) - 1; n >= 0; n-- {
			_, err := load(name, whole[:n])
			if err == nil {
				t.Fatalf("%s cut to %d of %d bytes: no error", name, n, len(whole))
			}
			if n >= 8 && !strings.Contains(err.Error(), "truncated") {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(whole), err)
			}
		}
	}
}

// writeOwn writes a shard of n rows and returns its path.
func writeOwn(t *testing.T, dir string, n int) string {
	t.Helper()
	w := NewShards(dir, "train", 0, "text", "label")
	for i := range n {
		w.Append(Value{Text: fmt.Sprintf("text number %d", i), Null: i%7 == 3}, Value{Text: "even", Null: i%2 == 1})
	}
	shards, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, shards[0].File)
}

func TestShards(t *testing.T) {
	dir := t.TempDir()
	rows := func(w *Shards) {
		for i := range 1000 {
			w.Append(Value{Text: strings.Repeat("x", i)}, Value{Null: i%2 == 0, Text: "odd"})
		}
	}
	var first [][]byte
	for try := range 2 {
		w := NewShards(dir, "validation", 200<<10, "text", "label")
		rows(w)
		shards, err := w.Close()
		if err != nil {
			t.Fatal(err)
		}
		if len(shards) < 2 {
			t.Fatalf("%d shards", len(shards))
		}
		next := 0
		for i, s := range shards {
			if want := fmt.Sprintf("validation-%05d-of-%05d.arrow", i, len(shards)); s.File != want {
				t.Errorf("%s, want %s", s.File, want)
			}
			path := filepath.Join(dir, s.File)
			sum, size, err := Hash(context.Background(), path)
			if err != nil || sum != s.SHA256 || size != s.Bytes {
				t.Errorf("%s: %s %d %v, announced %s %d", path, sum, size, err, s.SHA256, s.Bytes)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if try == 0 {
				first = append(first, b)
			} else if !bytes.Equal(b, first[i]) {
				t.Errorf("%s: other bytes from the same rows", path)
			}
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Select("text", "label"); err != nil {
				t.Fatal(err)
			}
			if f.Rows() != s.Rows {
				t.Errorf("%s: %d rows, announced %d", path, f.Rows(), s.Rows)
			}
			for k := range f.Batches() {
				b, err := f.Batch(k)
				if err != nil {
					t.Fatal(err)
				}
				if b.Rows > batchRows {
					t.Errorf("batch %d has %d rows", k, b.Rows)
				}
				for r := range b.Rows {
					text, _ := b.Text(0, r)
					_, odd := b.Text(1, r)
					if len(text) != next || odd != (next%2 == 1) {
						t.Fatalf("row %d: %d bytes, label %v", next, len(text), odd)
					}
					next++
				}
			}
			f.Close()
		}
		if next != 1000 {
			t.Errorf("%d rows came back", next)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestInvalidUTF8(t *testing.T) {
	dir := t.TempDir()
	w := NewShards(dir, "train", 0, "text")
	for i := range 300 {
		v := Value{Text: "fine"}
		if i == 260 {
			v.Text = "not \xff fine"
		}
		w.Append(v)
	}
	shards, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, shards[0].File)
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Select("text"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.Row(0); err != nil {
		t.Error(err)
	}
	_, _, err = f.Row(260)
	if want := path + `: record batch 1, row 4: column "text": invalid UTF-8`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}

// writeCompressed writes a file of n rows as writeOwn does, with buffers
// compressed.
func writeCompressed(t *testing.T, n int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zstd.arrow")
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	schema := arrowSchema(textColumns("text", "label"))
	w, err := ipc.NewFileWriter(out, ipc.WithSchema(schema), ipc.WithZstd())
	if err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
	for i := range n {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("text number %d", i))
		b.Field(1).(*array.StringBuilder).Append("even")
		if i%256 == 255 {
			if err := w.Write(b.NewRecord()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCache(t *testing.T) {
	f, err := Open(writeCompressed(t, 256*10))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.RandomAccess() {
		t.Error("a compressed file has no random access")
	}
	if err := f.Select("text", "label"); err != nil {
		t.Fatal(err)
	}
	one, err := f.Batch(0)
	if err != nil {
		t.Fatal(err)
	}
	c := NewCache(3*one.Bytes + 100)
	f.Cached(c)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range f.Rows() {
				i = (i*997 + int64(g)) % f.Rows()
				b, row, err := f.Row(i)
				if err != nil {
					t.Error(err)
					return
				}
				if text, ok := b.Text(0, row); ok && text != fmt.Sprintf("text number %d", i) {
					t.Errorf("row %d: %q", i, text)
					return
				}
			}
		})
	}
	wg.Wait()
	if c.Bytes() > 3*one.Bytes+100 || c.Bytes() < one.Bytes {
		t.Errorf("%d bytes kept, a batch has %d", c.Bytes(), one.Bytes)
	}
	a, _, err := f.Row(5)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := f.Row(6)
	if err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Error("the same batch was decoded twice")
	}
}

func BenchmarkBatch(b *testing.B) {
	dir := b.TempDir()
	w := NewShards(dir, "train", 0, "text", "label")
	for i := range 2560 {
		w.Append(Value{Text: strings.Repeat("some words ", i%50)}, Value{Text: "label"})
	}
	shards, err := w.Close()
	if err != nil {
		b.Fatal(err)
	}
	f, err := Open(filepath.Join(dir, shards[0].File))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	if err := f.Select("text", "label"); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(shards[0].Bytes / int64(f.Batches()))
	for i := 0; b.Loop(); i++ {
		if _, err := f.Batch(i % f.Batches()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestMutations overwrites words of files with extreme and random values,
// several at a time: what one flipped bit cannot reach.
func TestMutations(t *testing.T) {
	for name := range expected(t) {
		whole, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, uint64(len(whole))))
		for trial := range 1000 {
			b := bytes.Clone(whole)
			for range 1 + rng.IntN(4) {
				word := binary.LittleEndian.AppendUint64(nil, []uint64{0, 1, 0x7fffffff, 0x80000000, 0xffffffff,
					1<<63 - 1, 1 << 63, 1<<64 - 1, rng.Uint64(), uint64(rng.IntN(len(b)))}[rng.IntN(10)])
				size := []int{1, 2, 4, 8}[rng.IntN(4)]
				copy(b[rng.IntN(len(b)/size)*size:], word[:size])
			}
			before := allocated()
			load(name, b) // an error or data; a panic ends the test
			if a := allocated() - before; a > 64<<20 {
				t.Fatalf("%s, trial %d: %d MiB allocated", name, trial, a>>20)
			}
		}
	}
}

// TestDictionaryIndices reads dictionaries by indices of every type, and refuses those
// beyond them.
func TestDictionaryIndices(t *testing.T) {
	builder := array.NewStringBuilder(memory.DefaultAllocator)
	builder.AppendValues([]string{"none", "하나", "", "three"}, []bool{true, true, true, false})
	words := builder.NewArray()
	for _, index := range []arrow.DataType{
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Uint16,
		arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Uint64,
	} {
		read := func(indices string) (got string, err error) {
			at, _, err := array.FromJSON(memory.DefaultAllocator, index, strings.NewReader(indices))
			if err != nil {
				return "", err
			}
			typ := &arrow.DictionaryType{IndexType: index, ValueType: arrow.BinaryTypes.String}
			schema := arrow.NewSchema([]arrow.Field{{Name: "text", Type: typ, Nullable: true}}, nil)
			var file bytes.Buffer
			w := ipc.NewWriter(&file, ipc.WithSchema(schema))
			rec := array.NewRecord(schema, []arrow.Array{array.NewDictionaryArray(typ, at, words)}, int64(at.Len()))
			if err := errors.Join(w.Write(rec), w.Close()); err != nil {
				return "", err
			}
			f, err := openAt("test", bytes.NewReader(file.Bytes()), int64(file.Len()))
			if err != nil {
				return "", err
			}
			if err := f.Select("text"); err != nil {
				return "", err
			}
			for i := range f.Rows() {
				b, row, err := f.Row(i)
				if err != nil {
					return "", err
				}
				got += show(b.Text(0, row)) + " "
			}
			return got, nil
		}
		if got, err := read("[1, 0, null, 2, 3, 1]"); err != nil || got != `"하나" "none" null "" null "하나" ` {
			t.Errorf("%s: %s, %v", index, got, err)
		}
		if got, err := read("[1, 4]"); err == nil || !strings.HasSuffix(err.Error(), "row 1: column \"text\": damaged data: index 4 in a dictionary of 4") {
			t.Errorf("%s: %s, %v", index, got, err)
		}
		if arrow.IsSignedInteger(index.ID()) {
			if got, err := read("[-1]"); err == nil || !strings.Contains(err.Error(), "index -1") {
				t.Errorf("%s: %s, %v", index, got, err)
			}
		}
	}
}

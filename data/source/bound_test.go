package source

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
)

// TestMaxBatch reads records, pages and record batches of 400 KB to 2 MB, which the
// default allows and a bound of 1 MiB does not.
func TestMaxBatch(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("word ", 80_000)
	write := func(name, content string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("x.jsonl", `{"text": "`+long+`"}`+"\n")
	write("x.json", "[\n{\"text\":\n\""+long+"\"}]")
	write("x.csv", "text,label\n\""+long+"\",a\n")
	write("x.tsv", "text\tlabel\n"+long+"\ta\n")
	write("x.txt", long)
	write("x.fasta", ">id\n"+strings.Repeat("ACGT\n", 80_000))
	type row struct {
		Text string `parquet:"text,zstd"`
	}
	if err := parquet.WriteFile(filepath.Join(dir, "x.parquet"), []row{{long}}); err != nil {
		t.Fatal(err)
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{{Name: "text", Type: arrow.BinaryTypes.String}}, nil))
	for range 5 {
		b.Field(0).(*array.StringBuilder).Append(long)
	}
	writeArrow(t, filepath.Join(dir, "x.arrow"), b.NewRecord(), ipc.WithZstd())
	files, err := filepath.Glob(filepath.Join(dir, "x.*"))
	if err != nil || len(files) != 8 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		if _, err := readAll(path, Options{}); err != io.EOF {
			t.Errorf("%s: %v", path, err)
		}
		if _, err := readAll(path, Options{MaxBatch: 1 << 20}); err == nil || !strings.Contains(err.Error(), "max_batch_mib") || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, most := range []int64{1, 5 << 30, -1} {
		if (Options{MaxBatch: most}).Check()["max_batch_mib"] == nil {
			t.Errorf("%d passes", most)
		}
	}
}

// TestHostileMetadata announces much in few bytes: memory is bounded before it is taken.
func TestHostileMetadata(t *testing.T) {
	dir := t.TempDir()
	// Arrow: tables that share a name of 100 KB, as many as the metadata has room for.
	const name = 100_000
	b := make([]byte, 24, 24+name)
	for at, v := range map[int]uint32{0: 12, 4: 6 | 8<<16, 8: 4, 12: 8, 16: 4, 20: name} {
		binary.LittleEndian.PutUint32(b[at:], v)
	}
	b = append(b, bytes.Repeat([]byte("n"), name)...)
	before := allocated()
	f, read := newFlat(b, int64(len(b))), 0
	for range 20_000 {
		read += len(f.string(f.root(), 0))
	}
	if a := allocated() - before; f.err == nil || read == 0 || a > 32<<20 {
		t.Errorf("%d MiB for %d bytes, %v", a>>20, read, f.err)
	}
	// JSON: lists in lists in many members of many columns.
	var text bytes.Buffer
	for i := range 3000 {
		fmt.Fprintf(&text, `{"a%d": {`, i)
		for k := range 40 {
			if k > 0 {
				text.WriteString(", ")
			}
			fmt.Fprintf(&text, `"b%d": %s%s`, k, strings.Repeat("[", 20), strings.Repeat("]", 20))
		}
		text.WriteString("}}\n")
	}
	path := filepath.Join(dir, "x.jsonl")
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	table, err := Describe(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if left := *table.shape.left; left > 0 {
		t.Errorf("%d shapes are left", left)
	}
	if n, err := readAll(path, Options{}); n != 3000 || err != io.EOF {
		t.Errorf("%d rows, %v", n, err)
	}
	// CSV: a header of more columns than any table has.
	path = filepath.Join(dir, "x.csv")
	if err := os.WriteFile(path, bytes.Repeat([]byte("a,"), 1<<20), 0o644); err != nil {
		t.Fatal(err)
	}
	before = allocated()
	if _, err := Describe(context.Background(), path, Options{}); err == nil || !strings.Contains(err.Error(), "columns") {
		t.Errorf("%v", err)
	}
	if a := allocated() - before; a > 64<<20 {
		t.Errorf("%d MiB allocated", a>>20)
	}
}

// TestInterrupted ends reading where nothing comes out for long: blank lines, records that
// are skipped, a bomb.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		begin, more string
		opt         Options
	}{
		"blank.csv":   {"text\n", "\n", Options{}},
		"skipped.csv": {"a,b\n", "\"x\"y,1,2\n", Options{Skips: &Skips{}}},
		"blank.txt":   {"x\n", "\n", Options{Separator: "\n"}},
		"blank.jsonl": {"{\"a\": 1}\n", " \n", Options{}},
		"x.fasta":     {">x\n", ";\n", Options{}},
		"plain.tsv":   {"a\tb\n", "\n", Options{}},
	} {
		path := filepath.Join(dir, name+".gz")
		var packed bytes.Buffer
		w, err := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, c.begin)
		part := []byte(strings.Repeat(c.more, 1<<20/len(c.more)))
		for range 16 {
			w.Write(part)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, packed.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		// The context ends in the middle of the file.
		ctx, cancel := context.WithCancel(context.Background())
		opt := c.opt
		if !strings.HasSuffix(name, ".tsv") && !strings.HasSuffix(name, ".jsonl") { // those are read to their end to describe them
			table, err := Describe(ctx, path, opt)
			if err != nil {
				t.Fatal(name, err)
			}
			s, err := table.Scan(ctx)
			if err != nil {
				t.Fatal(name, err)
			}
			time.AfterFunc(time.Millisecond, cancel)
			for err == nil {
				_, err = s.Next()
			}
			if !strings.Contains(err.Error(), context.Canceled.Error()) {
				t.Errorf("%s: %v", name, err)
			}
			s.Close()
			continue
		}
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := Describe(ctx, path, opt); err == nil || !strings.Contains(err.Error(), context.Canceled.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

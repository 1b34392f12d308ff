package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// loadRows reads all columns of a file of rows that holds content.
func loadRows(format string, opt Options, content []byte) (rows int, err error) {
	open := func(t *Table) (*Scanner, error) {
		in, count := bytes.NewReader(content), &countReader{}
		s := &Scanner{ctx: context.Background(), table: t, in: &unpacked{count: count, r: in, close: func() {}}}
		if format == Parquet {
			s.in = nil
			p, err := openParquetAt(in, int64(len(content)))
			if err != nil {
				return nil, err
			}
			s.rows = p
			return s, nil
		}
		return s, s.readRows()
	}
	t := &Table{Path: "fuzz." + format, Format: format, Size: int64(len(content)), opt: opt}
	s, err := open(t)
	if err != nil {
		return 0, err
	}
	if j, ok := s.rows.(*jsonReader); ok {
		if err := j.infer(context.Background(), s); err != nil {
			return 0, err
		}
		t.Columns = j.columns()
		if s, err = open(t); err != nil {
			return 0, fmt.Errorf("the second time: %w", err)
		}
	}
	defer s.Close()
	t.Columns = s.rows.columns()
	for i := range t.Columns {
		if t.Columns[i].Readable() {
			s.selected = append(s.selected, i)
		}
	}
	for {
		b, err := s.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows += b.Rows
		for r := range b.Rows {
			for c := range s.selected {
				b.Text(c, r)
			}
		}
	}
}

// guarded runs a read that must not panic and must not ask for much more memory
// than its input has reason to.
func guarded(t *testing.T, content []byte, read func()) {
	t.Helper()
	before := allocated()
	read()
	if a := allocated() - before; a > 96<<20+400*uint64(len(content)) {
		t.Fatalf("%d MiB allocated for %d bytes", a>>20, len(content))
	}
}

func seed(f *testing.F, patterns ...string) {
	f.Helper()
	for _, p := range patterns {
		names, err := filepath.Glob(p)
		if err != nil || len(names) == 0 {
			f.Fatal("no files", p, err)
		}
		for _, n := range names {
			b, err := os.ReadFile(n)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
		}
	}
}

func FuzzArrowFile(f *testing.F) {
	seed(f, "testdata/*.arrow", "testdata/tables/*.arrow", "testdata/tables/*.feather")
	f.Fuzz(func(t *testing.T, b []byte) {
		guarded(t, b, func() { load("fuzz", append([]byte("ARROW1\x00\x00"), b[min(8, len(b)):]...)) })
	})
}

func FuzzArrowStream(f *testing.F) {
	seed(f, "testdata/*.arrows", "testdata/tables/*.arrows")
	f.Fuzz(func(t *testing.T, b []byte) {
		guarded(t, b, func() { load("fuzz", append([]byte("\xff\xff\xff\xff"), b[min(4, len(b)):]...)) })
	})
}

func FuzzParquet(f *testing.F) {
	seed(f, "testdata/tables/*.parquet")
	f.Fuzz(func(t *testing.T, b []byte) {
		guarded(t, b, func() { loadRows(Parquet, Options{}, b) })
	})
}

// fuzzRows fuzzes a format of text: what is skipped must be what was an error.
func fuzzRows(t *testing.T, format string, opt Options, b []byte) {
	guarded(t, b, func() {
		_, strict := loadRows(format, opt, b)
		opt.Skips = &Skips{}
		_, err := loadRows(format, opt, b)
		if strict == nil && (err != nil || opt.Skips.Count() > 0) {
			t.Errorf("%v, and %v with skips %v", strict, err, opt.Skips.First())
		}
		if strict != nil && err == nil && opt.Skips.Count() == 0 {
			t.Errorf("%v was neither skipped nor an error", strict)
		}
	})
}

func FuzzJSON(f *testing.F) {
	seed(f, "testdata/tables/*.jsonl", "testdata/tables/*.json")
	for _, s := range []string{`[{"a":1},{"a":"x"}]`, "{\"a\":1}\n{\"a\":[1,{}]}\n", `{"a":{"b":null}} {"a":12345678901234567890}`, `[[1]]`, "[,]", `{"a`} {
		f.Add([]byte(s))
	}
	for _, s := range []string{`{"a": NaN, "b": [-Infinity, "NaN"]}`, `{"data": [{"a": 1}, {"a": NaN}], "b": 1}`, `{"x": {}, "data": [], "y": "]"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzRows(t, JSON, Options{}, b)
		fuzzRows(t, JSON, Options{Rows: "data"}, b)
	})
}

func FuzzCSV(f *testing.F) {
	seed(f, "testdata/tables/*.csv", "testdata/tables/*.tsv")
	f.Add([]byte("a,b\n\"x\ny\",2\n3\n\"open"))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzRows(t, CSV, Options{}, b)
		fuzzRows(t, CSV, Options{ColumnNames: []string{"a", "b"}}, b)
		fuzzRows(t, TSV, Options{}, b)
		fuzzRows(t, CSV, Options{Delimiter: ";"}, b)
	})
}

func FuzzFASTA(f *testing.F) {
	seed(f, "testdata/tables/*.fasta", "testdata/tables/*.txt")
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzRows(t, FASTA, Options{}, b)
		fuzzRows(t, Text, Options{}, b)
		fuzzRows(t, Text, Options{Separator: "\n\n"}, b)
	})
}

func FuzzGzip(f *testing.F) {
	seed(f, "testdata/tables/*.gz")
	f.Fuzz(func(t *testing.T, b []byte) { fuzzPacked(t, append([]byte("\x1f\x8b"), b[min(2, len(b)):]...)) })
}

func FuzzZSTD(f *testing.F) {
	seed(f, "testdata/tables/*.zst")
	f.Fuzz(func(t *testing.T, b []byte) { fuzzPacked(t, append([]byte("\x28\xb5\x2f\xfd"), b[min(4, len(b)):]...)) })
}

// fuzzPacked reads what claims to be compressed as a stream.
func fuzzPacked(t *testing.T, b []byte) {
	before := allocated()
	r, done, err := unpack(bytes.NewReader(b), packing(b))
	if err != nil {
		return
	}
	defer done()
	// A small input may hold a gigabyte; that is no fault of a stream's.
	io.Copy(io.Discard, io.LimitReader(r, 16<<20))
	// A window of 128 MiB is legal.
	if a := allocated() - before; a > 400<<20+400*uint64(len(b)) {
		t.Fatalf("%d MiB allocated for %d bytes", a>>20, len(b))
	}
}

func FuzzDataset(f *testing.F) {
	for _, s := range []string{`{"splits": ["train", "test"]}`, `{"_data_files": [{"filename": "a.arrow"}]}`, `{"_data_files": [{"filename": "../a"}]}`, `{`} {
		f.Add([]byte(s), []byte(`{"_data_files": [{"filename": "a.arrow"}], "_split": null}`))
	}
	f.Fuzz(func(t *testing.T, top, below []byte) {
		dir := t.TempDir()
		inside := filepath.Join(dir, "d")
		write := func(path string, b []byte) {
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		write(filepath.Join(dir, "a.arrow"), nil)
		write(filepath.Join(inside, "a.arrow"), nil)
		write(filepath.Join(inside, "dataset_dict.json"), top)
		write(filepath.Join(inside, "state.json"), top)
		write(filepath.Join(inside, "train", "state.json"), below)
		write(filepath.Join(inside, "train", "a.arrow"), nil)
		files, err := Expand(inside)
		if err == nil && len(files.Files) == 0 {
			t.Error("no files and no error")
		}
		if err != nil {
			return
		}
		for _, f := range files.Paths() {
			if rel, err := filepath.Rel(inside, f); err != nil || strings.HasPrefix(rel, "..") {
				t.Errorf("%s is outside", f)
			}
		}
	})
}

// TestParquetFlips flips every single bit of Parquet files.
func TestParquetFlips(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(1000))
	for _, name := range []string{"pyarrow_none", "pyarrow_snappy", "pyarrow_gzip", "pyarrow_zstd", "polars_zstd", "datasets", "pyarrow_v1", "pyarrow_v2"} {
		whole, err := os.ReadFile("testdata/tables/" + name + ".parquet")
		if err != nil {
			t.Fatal(err)
		}
		want, err := loadRows(Parquet, Options{}, whole)
		if err != nil {
			t.Fatal(err)
		}
		step := 101 // odd: all bits of a byte in turn; the fuzz target tries more
		failed, worst := 0, uint64(0)
		for bit := 0; bit < 8*len(whole); bit += step {
			whole[bit/8] ^= 1 << (bit % 8)
			before := allocated()
			n, err := loadRows(Parquet, Options{}, whole)
			worst = max(worst, allocated()-before)
			if worst > 96<<20 {
				t.Fatalf("%s: bit %d of byte %d: %d MiB allocated", name, bit%8, bit/8, worst>>20)
			}
			if err != nil {
				failed++
			} else if n > 8*want+8 {
				t.Errorf("%s: bit %d of byte %d: %d rows, not %d", name, bit%8, bit/8, n, want)
			}
			whole[bit/8] ^= 1 << (bit % 8)
		}
		if failed == 0 {
			t.Errorf("%s: no flip was noticed", name)
		}
		t.Logf("%s: %d flips: %d errors, at most %d KiB allocated", name, 8*len(whole)/step, failed, worst>>10)
	}
}

package corpus

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/provenance"
	"hone/data/source"
)

const tables = "../source/testdata/tables/"

// TestPrepareFormats opens corpora that have no random access: converted once, and
// found again.
func TestPrepareFormats(t *testing.T) {
	for _, name := range []string{"pyarrow_zstd.parquet", "polars.jsonl.gz", "polars_lz4.arrow", "plain.tsv", "dict", "datasets.parquet"} {
		t.Run(name, func(t *testing.T) {
			cache, notices := t.TempDir(), 0
			spec := Spec{From: tables + name, Say: func(s string) {
				if strings.Contains(s, "once") {
					notices++
				}
			}}
			var first provenance.Corpus
			for try := range 2 {
				c, err := Prepare(context.Background(), spec, cache, nil)
				if err != nil {
					t.Fatal(err)
				}
				r, err := c.Train.Record(0)
				if err != nil || r.Text != "Plain words." || !r.HasLabel || r.Label != "1" && r.Label != "pos" {
					t.Errorf("%+v, %v", r, err)
				}
				if try == 0 {
					first = c.Provenance
				} else if !reflect.DeepEqual(c.Provenance, first) {
					t.Errorf("%+v the second time, %+v the first", c.Provenance, first)
				}
				if name == "dict" && (c.Test == nil || c.Test.Rows() != 3) {
					t.Errorf("test split %+v", c.Test)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
			if want := 1; name != "dict" && notices != want { // datasets' shards have random access
				t.Errorf("the cost was told %d times", notices)
			}
		})
	}
}

func TestPrepareColumns(t *testing.T) {
	c, err := Prepare(context.Background(), Spec{From: tables + "pyarrow_plain.arrow", Messages: "messages", IDs: "ids", Fields: []string{"score", "flag"}}, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r, err := c.Train.Record(0)
	if err != nil {
		t.Fatal(err)
	}
	if want := []source.Message{{Role: "user", Content: "hi"}, {Role: "assistant", Content: "안녕"}}; !slices.Equal(r.Messages, want) {
		t.Errorf("messages %v", r.Messages)
	}
	if !slices.Equal(r.IDs, []int32{1, 2, 50256}) || r.Fields["score"] != 0.5 || r.Fields["flag"] != true {
		t.Errorf("%+v", r)
	}
	if _, err := Prepare(context.Background(), Spec{From: tables + "pyarrow_plain.arrow", Messages: "ids"}, "", nil); err == nil || !strings.Contains(err.Error(), "list<struct<role") {
		t.Errorf("%v", err)
	}
}

func TestSkip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.jsonl")
	if err := os.WriteFile(path, []byte("{\"text\": \"one\"}\nno json\n{\"text\": \"b\xff\"}\n{\"text\": \"two\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := Prepare(context.Background(), Spec{From: path}, t.TempDir(), nil)
	if err == nil || !strings.Contains(err.Error(), path+": line 2: ") {
		t.Errorf("%v", err)
	}
	c, err := Prepare(context.Background(), Spec{From: path, Read: source.Options{Skips: &source.Skips{}}}, t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if k := c.Skipped(); c.Train.Rows() != 2 || k == nil || k.Count != 2 || !strings.Contains(k.First[1], "line 3: invalid UTF-8") {
		t.Errorf("%d rows, skipped %+v", c.Train.Rows(), k)
	}
}

// TestReadBack compares converted corpora with their originals by pyarrow and
// datasets (testdata/readback.py). It needs Python with these:
//
//	HONE_PYARROW=/path/to/python go test ./data -run ReadBack -v
func TestReadBack(t *testing.T) {
	python := os.Getenv("HONE_PYARROW")
	if python == "" {
		t.Skip("set HONE_PYARROW to a Python with pyarrow and datasets")
	}
	for _, name := range []string{"pyarrow_plain.arrow", "pyarrow_zstd.arrows", "pyarrow_snappy.parquet", "polars_uncompressed.arrow", "polars_zstd.parquet", "datasets.jsonl", "array.json"} {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Convert(context.Background(), tables+name, dir, ConvertOptions{}, nil); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(python, "testdata/readback.py", tables+name, dir).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		t.Logf("%s", out)
	}
}

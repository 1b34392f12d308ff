package source

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestParquetAsPyarrow reads rarer forms of Parquet as pyarrow does
// (testdata/parquet/make.py).
func TestParquetAsPyarrow(t *testing.T) {
	raw, err := os.ReadFile("testdata/parquet/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Files map[string]map[string][]any
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Files) < 8 {
		t.Fatalf("only %d files", len(want.Files))
	}
	for name, columns := range want.Files {
		got := readTable(t, Options{}, filepath.Join("testdata/parquet", name))
		if len(got) != len(columns) {
			t.Errorf("%s: %d columns, want %d", name, len(got), len(columns))
		}
		for c, rows := range columns {
			if !reflect.DeepEqual(got[c], rows) {
				t.Errorf("%s: column %s:\n%v, want\n%v", name, c, got[c], rows)
			}
		}
	}
}

func TestParquetRefused(t *testing.T) {
	for _, name := range []string{"encrypted", "encrypted_columns"} {
		if _, err := readAll("testdata/parquet/"+name+".parquet", Options{}); err == nil || !strings.Contains(err.Error(), "encrypted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestParquetFooter announces many column chunks in few bytes.
func TestParquetFooter(t *testing.T) {
	const n = 1 << 20
	group := append([]byte{1<<4 | 9, 15<<4 | 12, 0x80, 0x80, 0x40}, make([]byte, n)...) // field 1: a list of n empty structs
	footer := append([]byte{4<<4 | 9, 1<<4 | 12}, group...)                             // field 4: a list of one
	footer = append(footer, 0, 0)
	before := allocated()
	_, _, err := parquetFooter(footer, int64(len(footer)))
	if err == nil || !strings.Contains(err.Error(), "metadata would take") {
		t.Errorf("%v", err)
	}
	if a := allocated() - before; a > 64<<20 {
		t.Errorf("%d MiB allocated", a>>20)
	}
	if _, _, err := parquetFooter(footer, n*1024); err != nil {
		t.Errorf("in a large file: %v", err)
	}
}

package source

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// readTable reads all rows of files: by column, as JSON holds values.
func readTable(t testing.TB, opt Options, paths ...string) map[string][]any {
	t.Helper()
	got := map[string][]any{}
	for _, p := range paths {
		table, err := Describe(context.Background(), p, opt)
		if err != nil {
			t.Fatal(err)
		}
		s, err := table.Scan(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		for {
			b, err := s.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.First != rows {
				t.Errorf("%s: a batch begins at row %d, want %d", p, b.First, rows)
			}
			rows += int64(b.Rows)
			for i, c := range s.Columns() {
				for r := range b.Rows {
					got[c.Name] = append(got[c.Name], anyValue(t, c, b, i, r))
				}
			}
		}
		if table.Rows >= 0 && table.Rows != rows {
			t.Errorf("%s: %d rows, announced %d", p, rows, table.Rows)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	return got
}

func anyValue(t testing.TB, c Column, b *Batch, col, row int) any {
	t.Helper()
	text, ok := b.Text(col, row)
	if !ok {
		return nil
	}
	if isText(c.arrow) || c.classes != nil {
		return strings.Clone(text)
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("column %s, row %d: %q: %v", c.Name, row, text, err)
	}
	return v
}

// TestTables reads files that pyarrow, polars and datasets wrote
// (testdata/tables/make.py), of every format, also compressed as a whole.
func TestTables(t *testing.T) {
	raw, err := os.ReadFile("testdata/tables/expected.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string][]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 40 {
		t.Errorf("only %d files", len(all))
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			files, err := Expand(filepath.Join("testdata/tables", name))
			if err != nil {
				t.Fatal(err)
			}
			paths := files.Paths()
			if name == "dict" { // the splits in their order, not sorted
				if len(paths) != 2 || !strings.Contains(paths[0], "train") {
					t.Errorf("files %v", paths)
				}
			}
			got := readTable(t, Options{TempDir: t.TempDir()}, paths...)
			if len(got) != len(want) {
				t.Errorf("%d columns, want %d", len(got), len(want))
			}
			for c, w := range want {
				if !reflect.DeepEqual(got[c], w) {
					t.Errorf("column %s:\n%v, want\n%v", c, got[c], w)
				}
			}
		})
	}
}

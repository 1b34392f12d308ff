package source

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestPandas reads delimited values as pandas does (testdata/pandas.py).
func TestPandas(t *testing.T) {
	raw, err := os.ReadFile("testdata/pandas.json")
	if err != nil {
		t.Fatal(err)
	}
	var want struct {
		Cases []struct {
			Name, Content, Format, Delimiter, Quote string
			Columns                                 []string
			Rows                                    [][]string
		}
	}
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	if len(want.Cases) < 20 {
		t.Fatalf("only %d cases", len(want.Cases))
	}
	for _, c := range want.Cases {
		t.Run(c.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "x."+c.Format)
			if err := os.WriteFile(path, []byte(c.Content), 0o644); err != nil {
				t.Fatal(err)
			}
			got := readTable(t, Options{Delimiter: c.Delimiter, Quote: c.Quote}, path)
			for i, name := range c.Columns {
				var column []any
				for _, row := range c.Rows {
					column = append(column, row[i])
				}
				if !reflect.DeepEqual(got[name], column) {
					t.Errorf("column %q: %q, want %q", name, got[name], column)
				}
			}
			if len(got) != len(c.Columns) {
				t.Errorf("%d columns, want %d", len(got), len(c.Columns))
			}
		})
	}
}

func TestCSVErrors(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, content, want string
		opt                 Options
	}{
		{"x.csv", "a,b\n1,2,3\n", "line 2: 3 values for 2 columns", Options{}},
		{"x.csv", "a,b\n\n\"x\ny\",2\r\n1\n", "line 5: 1 values for 2 columns", Options{}},
		{"x.csv", "a,b\n\"x,2\n", "line 2: a quote that is not closed", Options{}},
		{"x.csv", "a,b\nx,\xff\n", `line 2: column "b": invalid UTF-8`, Options{}},
		{"x.tsv", "a\tb\n\"x\ty\"\t2\nz \"w\"\t3\n", "quote = \"csv\"", Options{}},
		{"x.csv", "a,,b\n1,2,3\n", "line 1 is not a header line: an empty name", Options{}},
		{"x.csv", "a,b,a\n1,2,3\n", `two columns are named "a"`, Options{}},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := readAll(path, c.opt)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %s", c.content, err, c.want)
		}
	}
	for key, opt := range map[string]Options{
		"delimiter": {Delimiter: "ab"}, "quote": {Quote: "single"}, "format": {Format: "xls"},
	} {
		if err := opt.Check()[key]; err == nil {
			t.Errorf("%+v passes", opt)
		}
	}
	if err := (Options{Delimiter: ";"}).Fits([]string{Parquet, Text}); err == nil || !strings.Contains(err.Error(), "delimiter applies to csv and tsv") {
		t.Errorf("a delimiter for Parquet: %v", err)
	}
}

// readAll reads all of a file.
func readAll(path string, opt Options) (rows int, err error) {
	table, err := Describe(context.Background(), path, opt)
	if err != nil {
		return 0, err
	}
	s, err := table.Scan(context.Background())
	if err != nil {
		return 0, err
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err != nil {
			return rows, err
		}
		rows += b.Rows
	}
}

package source

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// textRows gives the rows of a path, a value of each column.
func textRows(t *testing.T, path string, opt Options) (rows [][]string, err error) {
	t.Helper()
	table, err := Describe(t.Context(), path, opt)
	if err != nil {
		return nil, err
	}
	s, err := table.Scan(t.Context())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	for {
		b, err := s.Next()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		for r := range b.Rows {
			row := make([]string, len(table.Columns))
			for c := range row {
				row[c], _ = b.Text(c, r)
			}
			rows = append(rows, row)
		}
	}
}

// Lines of files with names in braces are columns of one row, whatever their line ends and packing.
func TestParallel(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("train.en", "\ufeffone\r\ntwo\u2028x\n\nfour\rfive")
	write("train.de", "eins\nzwei\n\nvier\n")
	path := filepath.Join(dir, "train.{en,de}")
	got, err := textRows(t, path, Options{})
	if want := [][]string{{"one", "eins"}, {"two\u2028x", "zwei"}, {"", ""}, {"four\rfive", "vier"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	table, err := Describe(t.Context(), path, Options{})
	if err != nil || len(table.Columns) != 2 || table.Columns[1].Name != "de" || table.Format != Parallel {
		t.Errorf("%+v, %v", table, err)
	}

	f, err := os.Create(filepath.Join(dir, "val.en.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte("a\nb\n")); err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal(err)
	}
	write("val.de.gz", "c\nd\n") // as its bytes say
	if got, err := textRows(t, filepath.Join(dir, "val.{en,de}.gz"), Options{}); err != nil || !reflect.DeepEqual(got, [][]string{{"a", "c"}, {"b", "d"}}) {
		t.Errorf("%q, %v", got, err)
	}

	write("short.en", "a\nb\nc\n")
	write("short.de", "a\nb")
	if _, err := textRows(t, filepath.Join(dir, "short.{en,de}"), Options{}); err == nil || !strings.Contains(err.Error(), "short.{en,de}: lines are missing: short.en has 3, short.de has 2") {
		t.Errorf("%v", err)
	}
	write("bad.en", "a\nb\n")
	write("bad.de", "a\n\xff\n")
	if _, err := textRows(t, filepath.Join(dir, "bad.{en,de}"), Options{}); err == nil || !strings.Contains(err.Error(), "bad.{en,de}: bad.de: line 2: invalid UTF-8") {
		t.Errorf("%v", err)
	}
	skips := &Skips{}
	if got, err := textRows(t, filepath.Join(dir, "bad.{en,de}"), Options{Skips: skips}); err != nil || len(got) != 1 || skips.Count() != 1 {
		t.Errorf("%q, %v, %d skipped", got, err, skips.Count())
	}
	if _, err := textRows(t, path, Options{Format: CSV}); err == nil || !strings.Contains(err.Error(), "plain text, a line for a row") {
		t.Errorf("%v", err)
	}

	one, _, err := Hash(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	write("train.de", "eins\nzwei\n\nVier\n")
	if two, n, err := Hash(context.Background(), path); err != nil || one == two || n == 0 {
		t.Errorf("the hash stays %s of %d bytes, %v", two, n, err)
	}
	if random, err := RandomAccess(path); random || err != nil {
		t.Errorf("%v, %v", random, err)
	}

	// Wildcards before the braces; what lacks a file is named.
	l, err := Expand(filepath.Join(dir, "[ts]*.{en,de}"))
	if want := []string{filepath.Join(dir, "short.{en,de}"), path}; err != nil || !reflect.DeepEqual(l.Paths(), want) || l.Files[1].Below != "train.{en,de}" {
		t.Errorf("%+v, %v", l, err)
	}
	write("test.de", "x\n")
	for pattern, want := range map[string]string{
		"t*.{en,de}": "test.en: no such file", "no*.{en,de}": "no file matches", "train.{en,}": "want names in one pair of braces", "train.{en,en}": `two columns are named "en"`, "{train,test}.*": "want names in one pair of braces",
		"test.{en,de}": "test.en: no such file",
	} {
		if _, err := Expand(filepath.Join(dir, pattern)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", pattern, err, want)
		}
	}
	write("odd.{a,b}", "one\n") // a file of that name is that file
	if l, err := Expand(filepath.Join(dir, "odd.{a,b}")); err != nil || len(l.Files) != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

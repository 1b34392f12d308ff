package source

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDetect(t *testing.T) {
	dir := t.TempDir()
	detected := map[string]bool{ArrowFile: true, ArrowStream: true, Parquet: true} // by tests with whole files
	for _, c := range []struct{ name, content, want string }{
		{"x", `{"text": "a"}`, JSON},
		{"x", ">id\nACGT\n", FASTA},
		{"x", "words\n", Text},
		{"x", "Anna\tB-PER\nlives\tO\nhere\tO\n\nin\tO", CoNLL},
		{"x.conll", "a NN\nb NN\n", CoNLL},
		{"x.conllu", "1\ta\ta\tX\t_\t_\t0\troot\t_\t_\n", CoNLLU},
		{"x.json", `{"version": "1.1", "data": [{"title": "a b", "paragraphs": [{"context": "c", "qas": []}]}]}`, SQuAD},
		{"x.json", `{"data": [{"a": 1}]}`, JSON},
		{"x.csv", "a,b\n1,2\n", CSV},
		{"x.tsv", "a\tb\n1\t2\n", TSV},
		{"x", "", "is empty"},
		{"x", "\x00\x01\x02", "is of no known kind"},
		{"x.parquet", "words", "is not a Parquet file"},
		{"x", "PAR1....PAR1", "Parquet file"},
		{"x.csv", "1,2\n3,4\n", "line 1 is not a header line: a number"},
		{"x.csv", "a,a\n", `two columns are named "a"`},
		{"x.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00", "gzip"},
	} {
		path := filepath.Join(dir, c.name)
		if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
			t.Fatal(err)
		}
		table, err := Describe(context.Background(), path, Options{})
		if err == nil {
			detected[table.Format] = true
		}
		switch {
		case err == nil && table.Format != c.want:
			t.Errorf("%s %q: %s, want %s", c.name, c.content, table.Format, c.want)
		case err != nil && !(strings.Contains(err.Error(), c.want) && strings.Contains(err.Error(), path)):
			t.Errorf("%s %q: %v, want %s", c.name, c.content, err, c.want)
		}
	}
	for _, format := range Formats {
		if !detected[format] {
			t.Errorf("no file of %s is detected here", format)
		}
	}
	if _, err := Describe(context.Background(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("a directory: %v", err)
	}
}

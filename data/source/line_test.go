package source

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// pack compresses b as a whole.
func pack(t *testing.T, b []byte, packed string) []byte {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser
	switch packed {
	case "":
		return b
	case gzipPacked:
		w = gzip.NewWriter(&out)
	case zstdPacked:
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	}
	w.Write(b)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestLineEnds reads each format of text with line ends of every kind.
func TestLineEnds(t *testing.T) {
	unsplit := "a \u2029 b \u2028 c \u0085 d \v e \f f \x1c g"
	for _, c := range []struct {
		name, content string
		opt           Options
		column        string
		want          []any
	}{
		{"lines.txt", "one\n\n" + unsplit + "\nthree\n", Options{Separator: "\n"}, "text", []any{"one", unsplit, "three"}},
		{"lines_crlf.txt", "one\ntwo", Options{Separator: "\r\n"}, "text", []any{"one", "two"}},
		{"paragraphs.txt", "one\nstill one\n\ntwo\n\n\nthree\n", Options{Separator: "\n\n"}, "text", []any{"one\nstill one", "two", "\nthree\n"}},
		{"document.txt", "one\n\ntwo\n", Options{}, "text", []any{"one\n\ntwo\n"}},
		{"x.csv", "text,label\none,x\n\n\"a\",y\n", Options{}, "text", []any{"one", "a"}},
		{"x.tsv", "text\tlabel\none\tx\n\n" + unsplit + "\ty\n", Options{}, "text", []any{"one", unsplit}},
		{"x.jsonl", "{\"text\": \"one\"}\n\n{\"text\": \"" + strings.NewReplacer("\v", `\u000b`, "\f", `\f`, "\x1c", `\u001c`).Replace(unsplit) + "\"}\n", Options{}, "text", []any{"one", unsplit}},
		{"x.json", "[\n{\"text\":\n\"one\"},\n{\"text\": \"two\"}\n]\n", Options{}, "text", []any{"one", "two"}},
		{"x.fasta", ">s1 desc here\nACGT\nAC\n\n>s2\tafter a tab\nggtt\n>s3\n", Options{}, "text", []any{"ACGTAC", "ggtt", ""}},
		{"ids.fasta", ">s1 desc here\nACGT\n>s2\tafter a tab\nggtt\n>s3\vx\nA\n", Options{}, "id", []any{"s1", "s2", "s3"}},
		{"about.fasta", ">s1 desc  here\nACGT\n>s2\tafter a tab\nggtt\n>s3\nA\n", Options{}, "description", []any{"desc  here", "after a tab", ""}},
	} {
		for _, end := range []string{"\n", "\r\n", "\r"} {
			for _, packed := range []string{"", gzipPacked, zstdPacked} {
				path := filepath.Join(t.TempDir(), c.name)
				content := strings.ReplaceAll(c.content, "\n", end)
				if err := os.WriteFile(path, pack(t, []byte(content), packed), 0o644); err != nil {
					t.Fatal(err)
				}
				if got := readTable(t, c.opt, path)[c.column]; !reflect.DeepEqual(got, c.want) {
					t.Errorf("%s, %q, %s: %q, want %q", c.name, end, packed, got, c.want)
				}
			}
		}
	}
}

// TestNewlines reads in pieces of all sizes: a line end may be cut.
func TestNewlines(t *testing.T) {
	const text, want = "\r\na\rb\r\r\nc\n\r\n\r", "\na\nb\n\nc\n\n\n"
	for size := 1; size < 20; size++ {
		var got []byte
		r := &newlines{r: iotest.DataErrReader(strings.NewReader(text))}
		for b := make([]byte, size); ; {
			n, err := r.Read(b)
			got = append(got, b[:n]...)
			if err == io.EOF {
				break
			}
			if err != nil || n == 0 {
				t.Fatal(n, err)
			}
		}
		if string(got) != want {
			t.Errorf("pieces of %d: %q, want %q", size, got, want)
		}
	}
}

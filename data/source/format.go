package source

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

// The formats that are read.
const (
	ArrowFile   = "arrow"
	ArrowStream = "arrow-stream"
	Parquet     = "parquet"
	JSON        = "json" // lines of objects, or one array of them
	CSV         = "csv"
	TSV         = "tsv"
	FASTA       = "fasta"
	CoNLL       = "conll"  // a word on each line, with its tags in columns
	CoNLLU      = "conllu" // of Universal Dependencies
	SQuAD       = "squad"  // JSON of articles with questions
	Text        = "text"
)

// Formats lists them.
var Formats = []string{ArrowFile, ArrowStream, Parquet, JSON, CSV, TSV, FASTA, CoNLL, CoNLLU, SQuAD, Text}

const (
	gzipPacked = "gzip"
	zstdPacked = "zstd"
)

// kinds lists the formats for messages.
const kinds = "Arrow IPC file and stream, Parquet, JSONL, SQuAD JSON, CSV, TSV, FASTA, CoNLL columns, CoNLL-U, plain text; each also with gzip or zstd"

var (
	arrowMagic   = []byte("ARROW1")
	continuation = []byte{0xff, 0xff, 0xff, 0xff}
)

// extensions gives the formats by the ends of names.
var extensions = map[string]string{
	".arrow": ArrowFile, ".arrows": ArrowStream, ".feather": ArrowFile, ".ipc": ArrowFile,
	".parquet": Parquet, ".pq": Parquet,
	".jsonl": JSON, ".ndjson": JSON, ".json": JSON,
	".csv": CSV, ".tsv": TSV, ".tab": TSV,
	".fasta": FASTA, ".fa": FASTA, ".fna": FASTA, ".faa": FASTA, ".ffn": FASTA,
	".conll": CoNLL, ".iob": CoNLL, ".iob2": CoNLL, ".bio": CoNLL, ".conllu": CoNLLU,
	".txt": Text, ".text": Text, ".md": Text,
}

// byName returns the format and the packing that a name announces, "" if none.
func byName(name string) (format, packed string) {
	name = strings.ToLower(filepath.Base(name))
	switch filepath.Ext(name) {
	case ".gz":
		packed = gzipPacked
	case ".zst", ".zstd":
		packed = zstdPacked
	}
	if packed != "" {
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	return extensions[filepath.Ext(name)], packed
}

// packing recognises a file that is compressed as a whole by its first bytes.
func packing(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzipPacked
	case len(head) >= 4 && head[0] == 0x28 && head[1] == 0xb5 && head[2] == 0x2f && head[3] == 0xfd,
		len(head) >= 4 && head[0]&0xf0 == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18: // skippable
		return zstdPacked
	}
	return ""
}

// detect finds the format by the first bytes, then by the name, then by the form of the
// text.
func detect(name string, head []byte) (string, error) {
	switch {
	case len(head) == 0:
		return "", fmt.Errorf("is empty (0 bytes)")
	case bytes.HasPrefix(head, arrowMagic):
		return ArrowFile, nil
	case bytes.HasPrefix(head, continuation):
		return ArrowStream, nil
	case bytes.HasPrefix(head, []byte("PAR1")):
		return Parquet, nil
	case bytes.HasPrefix(head, []byte("PARE")):
		return "", errEncrypted
	}
	format, _ := byName(name)
	switch format {
	case ArrowFile, ArrowStream:
		return "", fmt.Errorf("is not an Arrow file: it begins with %q", head[:min(8, len(head))])
	case Parquet:
		return "", fmt.Errorf("is not a Parquet file: it begins with %q", head[:min(8, len(head))])
	case JSON:
		if looksSQuAD(head) {
			return SQuAD, nil
		}
		return JSON, nil
	case "":
	default:
		return format, nil
	}
	// The last character may be incomplete.
	whole := head
	for i := 0; i < utf8.UTFMax-1 && len(whole) > 0 && !utf8.Valid(whole); i++ {
		whole = whole[:len(whole)-1]
	}
	if !utf8.Valid(whole) || bytes.IndexByte(head, 0) >= 0 {
		return "", fmt.Errorf("is of no known kind: it begins with %q (known kinds: %s)", head[:min(8, len(head))], kinds)
	}
	switch first := bytes.TrimLeft(head, " \t\r\n"); {
	case looksSQuAD(head):
		return SQuAD, nil
	case looksCoNLL(head):
		return CoNLL, nil
	case bytes.HasPrefix(first, []byte(`{"`)):
		return JSON, nil
	case bytes.HasPrefix(head, []byte(">")):
		return FASTA, nil
	}
	return Text, nil
}

// notUTF8 refuses text in another encoding of Unicode, which its first bytes show: a
// byte order mark, or that every second byte is 0.
func notUTF8(head []byte) error {
	name := ""
	switch {
	case bytes.HasPrefix(head, continuation):
	case bytes.HasPrefix(head, []byte{0xff, 0xfe, 0, 0}), bytes.HasPrefix(head, []byte{0, 0, 0xfe, 0xff}):
		name = "UTF-32"
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		name = "UTF-16"
	case len(head) >= 16:
		var zeros [2]int
		for i, b := range head[:16] {
			if b == 0 {
				zeros[i%2]++
			}
		}
		if zeros == [2]int{0, 8} || zeros == [2]int{8, 0} {
			name = "UTF-16"
		}
	}
	if name == "" {
		return nil
	}
	return fmt.Errorf("is text in %s, not UTF-8 (hint: iconv -f %s -t UTF-8 FILE > NEW)", name, name)
}

// readHead returns up to n first bytes of r.
func readHead(r io.Reader, n int) ([]byte, error) {
	head := make([]byte, n)
	n, err := io.ReadFull(r, head)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], err
}

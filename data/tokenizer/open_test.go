package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hone/checkpoint/gguf"
)

// TestSentencePiece: a model is read as the committed tokenizer.json, of which
// TestAgree knows what it gives.
func TestSentencePiece(t *testing.T) {
	for _, name := range []string{"unigram", "bytes", "fallback"} {
		tok, err := Open("testdata/agree/" + name + ".model")
		if err != nil {
			t.Fatal(err)
		}
		want, err := Open("testdata/agree/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if m, ok := tok.model.(*unigram); ok {
			for i, f := range m.scores {
				m.scores[i] = readScore(decimal(f)) // as they stand in the file
			}
		}
		if !bytes.Equal(tok.JSON(), want.JSON()) {
			t.Errorf("%s.model is not read as %s.json", name, name)
		}
	}
}

// TestSentencePieceVectors are ids of Google's own library.
func TestSentencePieceVectors(t *testing.T) {
	dir := "../../../shared/data/tokenizers/sentencepiece/"
	data, err := os.ReadFile(dir + "test_model_vectors.jsonl")
	if err != nil {
		t.Skipf("the shared tokenizers are not here: %v", err)
	}
	tok, err := Open(dir + "test_model.model")
	if err != nil {
		t.Fatal(err)
	}
	n, differ := 0, 0
	for line := range strings.Lines(string(data)) {
		var v struct {
			Text string
			IDs  []int32
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		n++
		if got := tok.EncodeOrdinary(nil, v.Text); fmt.Sprint(got) != fmt.Sprint(v.IDs) {
			if differ++; differ <= 5 {
				t.Logf("%q\n got %v\nwant %v", v.Text, got, v.IDs)
			}
		}
	}
	t.Logf("%d of %d lines differ", differ, n)
	if n < 300 || differ > n/50 {
		t.Errorf("%d of %d lines differ", differ, n)
	}
}

// TestOpen finds each kind of file, and gives the same tokenizer for the two
// files of GPT-2 as for its tokenizer.json.
func TestOpen(t *testing.T) {
	tiny := readTiny(t)
	var f struct {
		Model struct {
			Vocab  json.RawMessage
			Merges []string
		}
	}
	if err := json.Unmarshal(tiny.JSON(), &f); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, s string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "has none of tokenizer.json") {
		t.Errorf("empty directory: %v", err)
	}
	write("vocab.json", string(f.Model.Vocab))
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "merges.txt") {
		t.Errorf("no merges: %v", err)
	}
	write("merges.txt", "#version: 0.2\n"+strings.Join(f.Model.Merges, "\n")+"\n")
	const text = "Reader is the interface\n\tthat wraps 한국어 <|endoftext|>"
	for _, path := range []string{dir, filepath.Join(dir, "merges.txt"), filepath.Join(dir, "vocab.json")} {
		tok, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(tok.Encode(nil, text)), fmt.Sprint(tiny.Encode(nil, text)); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
	write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nwor\n##ld\n")
	tok, err := Open(filepath.Join(dir, "vocab.txt"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := tok.Tokenize("Hello, WORLD", true)
	if err != nil || fmt.Sprint(e.Tokens) != "[[CLS] hello [UNK] wor ##ld [SEP]]" {
		t.Errorf("%v, %v", e.Tokens, err)
	}
	write("vocab.txt", "a\nb\na\n")
	if _, err := Open(filepath.Join(dir, "vocab.txt")); err == nil || !strings.Contains(err.Error(), `line 3: "a" stands in line 1 too`) {
		t.Errorf("%v", err)
	}
}

// TestGGUF holds each kind of GGUF tokenizer against the file that it was made of; see
// testdata/models.py.
func TestGGUF(t *testing.T) {
	vectors := readJSON[[]vector](t, "vectors.json")
	for name, of := range map[string]string{"gpt2": "tokenizer.json", "llama": "agree/fallback.json", "t5": "agree/unigram.json", "bert": "agree/wordpiece.json"} {
		got, err := Open("testdata/gguf/" + name + ".gguf")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := Open("testdata/" + of)
		if err != nil {
			t.Fatal(err)
		}
		if got.Size() != want.Size() {
			t.Errorf("%s: %d tokens, want %d", name, got.Size(), want.Size())
		}
		for _, v := range vectors {
			a, b := got.Encode(nil, v.Text), want.Encode(nil, v.Text)
			if fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%s: %q: %v, want %v", name, v.Text, a, b)
				break
			}
			if a, b := got.Text(a, false), want.Text(b, false); a != b && name != "bert" { // wordpiece.json has no decoder
				t.Errorf("%s: %q comes back as %q, want %q", name, v.Text, a, b)
				break
			}
		}
	}
}

// FuzzGGUF wants an error or a tokenizer of any file.
func FuzzGGUF(f *testing.F) {
	for _, name := range []string{"gpt2", "llama", "t5", "bert"} {
		data, err := os.ReadFile("testdata/gguf/" + name + ".gguf")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if tok, err := FromGGUF(g.Keys); err == nil {
			tok.Decode(tok.Encode(nil, "Hello, ﬁ\x00\xff 세계\t\t"))
		}
	})
}

func FuzzSentencePiece(f *testing.F) {
	for _, name := range []string{"unigram", "fallback"} {
		data, err := os.ReadFile("testdata/agree/" + name + ".model")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tok, err := parseSentencePiece(data)
		if err != nil {
			return
		}
		tok.Decode(tok.Encode(nil, "Hello, ﬁ\x00\xff 세계\t\t"))
	})
}

// FuzzFallback: kinds with bytes for what they do not know give any text back.
func FuzzFallback(f *testing.F) {
	tok, err := Open("testdata/agree/fallback.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range []string{"", " ", "Hello  world ", "a\xff\xc3 \xe3\x81", "<0x41>", "\x00\n\t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.Contains(s, "▁") || strings.Contains(s, "<0x") {
			return // "▁" is a blank there, and a text may spell a byte's token
		}
		if got := tok.Decode(tok.EncodeOrdinary(nil, s)); got != s {
			t.Fatalf("Decode(Encode(%q)) = %q", s, got)
		}
	})
}

func TestOpenPointer(t *testing.T) {
	for _, name := range []string{"tokenizer.json", "tokenizer.model", "vocab.txt", "vocab.json", "merges.txt", "x.gguf"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:4f4f\nsize 21484555\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{path, filepath.Dir(path)} {
			if name == "merges.txt" && p != path {
				continue // of a directory, vocab.json is looked for
			}
			if _, err := Open(p); err == nil || !strings.Contains(err.Error(), "git-lfs") {
				t.Errorf("%s: %v", p, err)
			}
		}
	}
	if _, err := Open(os.DevNull); err == nil || !strings.Contains(err.Error(), "is a device") {
		t.Errorf("a device: %v", err)
	}
}

package generate

import (
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"hone/data/tokenizer"
)

// Token by token, random tokens of every kind of tokenizer become the text that they are together; and what is shown of
// it on the way has whole characters, where there are any.
func TestDetokenizer(t *testing.T) {
	const dir = "../../data/tokenizer/testdata/"
	var files []string
	for _, pattern := range []string{"tokenizer.json", "agree/*.model", "agree/bytes.json", "agree/fallback.json", "agree/prefix.json", "agree/suffix.json",
		"agree/unigram.json", "agree/wordlevel.json", "agree/wordpiece.json", "directories/*.model", "gguf/*.gguf"} {
		found, err := filepath.Glob(dir + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for _, file := range files {
		tok, err := tokenizer.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		texts := [][]int32{tok.Encode(nil, "Hello, world! Don't  stop.\n\n한국어 🙂🙃 naïve — it 's \"q\" , ok"), nil}
		for range 20 {
			var ids []int32
			for range 40 {
				ids = append(ids, int32(r.IntN(tok.Size())))
			}
			texts = append(texts, ids)
		}
		for _, ids := range texts {
			d := detokenizer{tok: tok}
			var shown strings.Builder
			for i := range ids {
				d.add(ids[:i+1])
				if n := complete(d.text, nil); n > shown.Len() {
					shown.Write(d.text[shown.Len():n])
				}
				if s := shown.String(); utf8.ValidString(tok.Decode(ids)) && !utf8.ValidString(s) {
					t.Errorf("%s: shows %q, a part of a character", file, s)
				}
			}
			if got, want := string(d.text), tok.Decode(ids); got != want {
				t.Errorf("%s: token by token %q, together %q", file, got, want)
			}
		}
	}
}

package tokenizer

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What a section does to a text has bounds, and the error names the section.
func TestBounds(t *testing.T) {
	const text = `{"version": "1.0", "added_tokens": [], "normalizer": %s, "pre_tokenizer": %s, "decoder": %s, "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}}}`
	grow := `{"type": "Replace", "pattern": {"String": "a"}, "content": "aaaaaaaaaa"}`
	list := strings.Repeat(grow+", ", 11) + grow
	huge := fmt.Sprintf(`{"type": "Replace", "pattern": {"String": ""}, "content": %q}`, strings.Repeat("b", 1<<20))
	for _, test := range []struct {
		normalizer, pre, decoder string
		want                     string
	}{
		{`{"type": "Sequence", "normalizers": [` + list + `]}`, "null", "null", `tokenizer: normalizer: step 5, Replace of a by "aaaaaaaaaa": makes the text longer than`},
		{huge, "null", "null", `tokenizer: normalizer: step 1, Replace of  by "bbb`},
		{"null", "null", `{"type": "Sequence", "decoders": [` + list + `]}`, `tokenizer: decoder: step 6, Replace of a by "aaaaaaaaaa": makes the text longer than`},
		{"null", "null", huge, `tokenizer: decoder: step 1, Replace of  by "bbb`},
		{"null", `{"type": "Split", "pattern": {"Regex": "(a+)+$"}, "behavior": "Isolated", "invert": false}`, "null", `tokenizer: the pattern "(a+)+$" needs more than`},
	} {
		p, err := Parse(fmt.Appendf(nil, text, test.normalizer, test.pre, test.decoder))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Err(); err != nil {
			t.Fatal(err)
		}
		for _, s := range p.pre {
			s.(split).pattern.(expression).MatchTimeout = 50 * time.Millisecond
		}
		p.Encode(nil, strings.Repeat("a", 40)+"!")
		p.Decode([]int32{0, 0, 0})
		if err := p.Err(); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.200v, want %q", err, test.want)
		}
		if _, err := p.Tokenize("a", true); err == nil {
			t.Error("it goes on")
		}
	}
	added := strings.Replace(text, "[]", `[{"id": 1, "content": "aaaa", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": false}]`, 1)
	if _, err := Parse(fmt.Appendf(nil, added, `{"type": "Sequence", "normalizers": [`+list+`]}`, "null", "null")); err == nil || !strings.Contains(err.Error(), `makes the added token "aaaa" longer than`) {
		t.Errorf("%v", err)
	}
}

// What is no file of a tokenizer is refused before it is read, and ids beyond the vocabulary
// are not cut.
func TestNoFiles(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.json")
	f, err := os.Create(large)
	if err == nil {
		err = f.Truncate(maxFile + 1)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{os.DevNull: "is a device", large: "too large for a tokenizer"} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	model := `{"version": "1.0", "added_tokens": [], "post_processor": %s, "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0}}}`
	for _, id := range []int64{1, 1 << 32, -1} {
		post := fmt.Sprintf(`{"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "a", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}], "pair": [], "special_tokens": {"a": {"id": "a", "ids": [%d], "tokens": ["a"]}}}`, id)
		if _, err := Parse(fmt.Appendf(nil, model, post)); err == nil || !strings.Contains(err.Error(), "post_processor") {
			t.Errorf("id %d: %v", id, err)
		}
	}
	if _, err := Parse([]byte(`{"version": "1.0", "added_tokens": [], "model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0, "b": 4294967296}}}`)); err == nil || !strings.Contains(err.Error(), "id 4294967296 of") {
		t.Errorf("%v", err)
	}
}

package tokenizer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadErrors(t *testing.T) {
	data, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`"normalizer":null`, `"normalizer":{"type":"NFX"}`, `normalizer: unknown type "NFX" (known: BertNormalizer, ByteLevel,`},
		{`"normalizer":null`, `"normalizer":{"type":"Precompiled","precompiled_charsmap":"AAAA"}`, `precompiled_charsmap: shorter`},
		{`"pre_tokenizer":{"type":"ByteLevel"`, `"pre_tokenizer":{"type":"Metaspace"`, `pre_tokenizer: Metaspace: replacement is not one`},
		{`"pre_tokenizer":{"type":"ByteLevel"`, `"pre_tokenizer":{"type":"Magic"`, `pre_tokenizer: unknown type "Magic" (known: BertPreTokenizer,`},
		{`"pre_tokenizer":{`, `"pre_tokenizer":{"type":"Split","behavior":"Isolated","pattern":{"Regex":"("}},"x":{`, `pre_tokenizer: Split: pattern: "("`},
		{`"post_processor":null`, `"post_processor":{"type":"Template"}`, "post_processor: unknown type \"Template\" (known: BertProcessing,"},
		{`"post_processor":null`, `"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}]}`, `entry 0: "<s>" is not among special_tokens`},
		{`"decoder":{"type":"ByteLevel"`, `"decoder":{"type":"WordPiece"`, `decoder: WordPiece: no prefix`},
		{`"decoder":{"type":"ByteLevel"`, `"decoder":{"type":"None"`, `decoder: unknown type "None" (known: BPEDecoder,`},
		{`"type":"BPE"`, `"type":"Neural"`, `model: unknown type "Neural" (known: BPE, Unigram, WordLevel, WordPiece)`},
		{`"version":"1.0"`, `"version":"2.0"`, `version: unknown "2.0"`},
		{`"truncation":null`, `"truncation":{"max_length":5,"strategy":"Some","stride":0}`, `truncation: strategy: unknown "Some"`},
		{`"padding":null`, `"padding":{"strategy":"Some"}`, `padding: strategy: unknown "Some"`},
		{`"dropout":null`, `"dropout":0.1`, "dropout 0.1"},
		{`"continuing_subword_prefix":null`, `"continuing_subword_prefix":"##"`, "shorter than continuing_subword_prefix"},
		{`"merges":[["`, `"merges":[["",""],["`, "merges: entry 0"},
		{`"merges":[["`, `"merges":["x",["`, `"x" is not two pieces`},
		{`"merges":[["`, `"merges":["zq jx",["`, `"zq" is not in the vocabulary`},
		{`"merges":[["`, `"merges":[["a"],["`, `neither`},
		{`"!":2,`, `"!":3,`, "id 3 is given to"},
		{`"!":2,`, `"!":1e9,`, "model: vocab: a JSON number 1e9"},
		{`"!":2,`, `"!":1000000000,`, "id 1000000000 of"},
		{`"!":2,`, `"!":-2,`, "id -2 of"},
		{`"!":2,`, `"!":"2",`, "model: vocab: a JSON string"},
		{`{"id":0,"content":"<|endoftext|>"`, `{"id":9,"content":"<|endoftext|>"`, "has id 9, but 0"},
		{`{"id":0,"content":"<|endoftext|>"`, `{"id":9,"content":"<new>"`, `"<new>" has id 9, but Hugging Face's library would give it`},
		{`{"id":0,"content":"<|endoftext|>"`, `{"id":0,"content":""`, "empty"},
		{`{"id":1,"content":"<|user|>"`, `{"id":0,"content":"<|endoftext|>"`, "twice"},
		{`{"version"`, `["version"`, "byte"},
	} {
		bad := bytes.Replace(data, []byte(c.old), []byte(c.new), 1)
		if bytes.Equal(bad, data) {
			t.Fatalf("%s is not in the file", c.old)
		}
		path := filepath.Join(t.TempDir(), "tokenizer.json")
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s for %s: error %v, want %q", c.new, c.old, err, c.want)
		}
	}
	if _, err := Open("testdata/absent.json"); !os.IsNotExist(unwrap(err)) {
		t.Errorf("absent file: %v", err)
	}
}

func unwrap(err error) error {
	if u, ok := err.(interface{ Unwrap() error }); ok {
		return u.Unwrap()
	}
	return err
}

// checkParse: whatever the bytes, an error or a tokenizer that works.
func checkParse(t *testing.T, data []byte) bool {
	tok, err := parse(data)
	if err != nil {
		return false
	}
	const text = "Hello, <|endoftext|>\x00\xff 세계\t\t\t"
	ids := tok.EncodeOrdinary(nil, text)
	tok.Text(ids, true)
	tok.Decode(ids)
	plain := tok.Encode(nil, text)
	if e, err := tok.Tokenize(text, false); err == nil && tok.truncation == nil && tok.padding == nil && !slices.Equal(e.IDs, plain) {
		t.Errorf("Tokenize(%q) = %v, Encode %v", text, e.IDs, plain)
	}
	again, err := parse(tok.JSON())
	if err != nil {
		t.Fatalf("its own JSON: %v", err)
	}
	if !slices.Equal(again.EncodeOrdinary(nil, text), ids) {
		t.Error("other ids after writing and reading")
	}
	return true
}

// tinyJSON is a small file: the alphabet and a few merges.
func tinyJSON(t testing.TB) []byte {
	t.Helper()
	tok, err := Train(slices.Values([]string{"hello hello hello world\t\t\t\t\t 세계 세계"}), TrainOptions{VocabSize: 280, Special: special}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := json.Compact(&b, tok.JSON()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDamagedFiles(t *testing.T) {
	data := tinyJSON(t)
	if !checkParse(t, data) {
		t.Fatal("the whole file is refused")
	}
	for n := 0; n < len(data); n += 37 {
		if checkParse(t, data[:n]) {
			t.Fatalf("cut at byte %d: no error", n)
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	refused := 0
	for range 1000 {
		bad := slices.Clone(data)
		for range 1 + rng.IntN(3) {
			bad[rng.IntN(len(bad))] ^= 1 << rng.IntN(8)
		}
		if !checkParse(t, bad) {
			refused++
		}
	}
	if refused < 300 {
		t.Errorf("only %d of 1000 damaged files are refused", refused)
	}
}

// FuzzParse wants -fuzzminimizetime 1x: shrinking inputs takes all its time otherwise.
func FuzzParse(f *testing.F) {
	f.Add(tinyJSON(f))
	for _, name := range []string{"wordlevel.json", "unigram.json"} {
		data, err := os.ReadFile("testdata/agree/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["a",-1],["▁",-2]],"byte_fallback":true},"normalizer":{"type":"Sequence","normalizers":[{"type":"NFKC"},{"type":"Strip","strip_left":true,"strip_right":false}]},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}}`))
	f.Fuzz(func(t *testing.T, data []byte) { checkParse(t, data) })
}

func TestIgnoreMerges(t *testing.T) {
	data := tinyJSON(t)
	cut := bytes.Index(data, []byte(`"merges":[`)) + len(`"merges":[`)
	whole := bytes.Replace(append(data[:cut:cut], "]}}"...), []byte(`"ignore_merges":false`), []byte(`"ignore_merges":true`), 1)
	tok, err := parse(whole)
	if err != nil {
		t.Fatal(err)
	}
	ids := tok.Encode(nil, "hello he")
	if len(ids) != 4 || tok.Token(ids[0]) != "hello" { // "hello" is a token, " he" is not
		t.Errorf("Encode = %v", ids)
	}
	if !bytes.Contains(tok.JSON(), []byte(`"ignore_merges": true`)) {
		t.Error("ignore_merges is not written")
	}
}

// TestJSON: reading and writing keeps everything, and is in a fixed form.
func TestJSON(t *testing.T) {
	tok := readTiny(t)
	again, err := parse(tok.JSON())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again.JSON(), tok.JSON()) {
		t.Error("JSON differs after reading it")
	}
	data, err := os.ReadFile("testdata/tokenizer.json")
	if err != nil {
		t.Fatal(err)
	}
	// The library's own file and ours hold the same, but for the form of merges.
	var want, got map[string]any
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(tok.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	merges := want["model"].(map[string]any)["merges"].([]any)
	for i, m := range merges {
		merges[i] = m.([]any)[0].(string) + " " + m.([]any)[1].(string)
	}
	a, _ := json.Marshal(want)
	b, _ := json.Marshal(got)
	if !bytes.Equal(a, b) {
		t.Error("JSON does not hold what the library wrote")
	}
}

// A vocabulary may have holes: what stands around them keeps its id, a hole has no token, and
// added tokens take the ids that the library gives them. Values of tokenizers 0.23.3.
func TestHoles(t *testing.T) {
	const text = `{"version": "1.0", "added_tokens": [%s], "decoder": {"type": "Fuse"}, "model": {"type": "BPE", "vocab": {"a": 0, "b": 2, "ab": 3, "<y>": 9}, "merges": ["a b"]}}`
	added := func(id int, name string) string {
		return fmt.Sprintf(`{"id": %d, "content": %q, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`, id, name)
	}
	tok, err := Parse(fmt.Appendf(nil, text, added(9, "<y>")+","+added(4, "<x>")))
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse(tok.JSON())
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range []*Pipeline{tok, again} {
		if got := fmt.Sprint(tok.Encode(nil, "abba<x><y>"), tok.Size(), tok.Token(1) == "", tok.Decode([]int32{0, 1, 2, 3, 5, 4})); got != "[3 2 0 4 9] 10 trueabab<x>" {
			t.Error(got)
		}
	}
	if _, err := Parse(fmt.Appendf(nil, text, added(10, "<x>"))); err == nil || !strings.Contains(err.Error(), `"<x>" has id 10, but Hugging Face's library would give it 4`) {
		t.Errorf("%v", err)
	}
	more, err := tok.Extend([]AddedToken{{Content: "<z>", Special: true}})
	if err != nil {
		t.Fatal(err)
	}
	if id, ok := more.Special("<z>"); !ok || id != 5 {
		t.Errorf("<z> has id %d", id)
	}
}

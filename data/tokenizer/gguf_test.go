package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/checkpoint/gguf"
)

// ggufKeys are keys as a file of them has them.
func ggufKeys(t testing.TB, keys ...gguf.Key) map[string]gguf.Value {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, keys, nil, nil); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Read(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return f.Keys
}

// preVectors is a vocabulary whose merges cross every border, and its ids under each
// pre-tokenizer; see testdata/llama.py.
type preVectors struct {
	Tokens, Merges []string
	Texts          []string
	IDs            map[string][][]int32
}

func readPreVectors(t testing.TB) (v preVectors) {
	t.Helper()
	f, err := os.Open("testdata/gguf/pre.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v preVectors) keys(t testing.TB, pre string, more ...gguf.Key) map[string]gguf.Value {
	types := make([]int32, len(v.Tokens))
	for i := range types {
		types[i] = pieceNormal
	}
	types[0] = pieceControl
	return ggufKeys(t, append([]gguf.Key{{Name: "tokenizer.ggml.model", Value: "gpt2"}, {Name: "tokenizer.ggml.pre", Value: pre}, {Name: "tokenizer.ggml.tokens", Value: v.Tokens},
		{Name: "tokenizer.ggml.token_type", Value: types}, {Name: "tokenizer.ggml.merges", Value: v.Merges},
		{Name: "tokenizer.ggml.bos_token_id", Value: uint32(0)}, {Name: "tokenizer.ggml.eos_token_id", Value: uint32(0)}}, more...)...)
}

// TestGGUFPre: every pre-tokenizer that has a name cuts as llama.cpp does, or as the
// tokenizer.json does that it stands for.
func TestGGUFPre(t *testing.T) {
	v := readPreVectors(t)
	for i := range ggufPres {
		names := strings.Fields(ggufPres[i].names)
		want := v.IDs[names[0]]
		if len(want) != len(v.Texts) {
			t.Errorf("%s: %d vectors for %d texts", names[0], len(want), len(v.Texts))
			continue
		}
		p, err := FromGGUF(v.keys(t, names[len(names)-1]))
		if err != nil {
			t.Errorf("%s: %v", names[0], err)
			continue
		}
		differ := 0
		for k, x := range v.Texts {
			if got := p.Encode(nil, x); !slices.Equal(got, want[k]) {
				if differ++; differ <= 3 {
					t.Errorf("%s: %q\n got %q\nwant %q", names[0], x, pieceList(p, got), pieceList(p, want[k]))
				}
			}
		}
		if differ > 3 {
			t.Errorf("%s: %d texts differ", names[0], differ)
		}
	}
}

func pieceList(p *Pipeline, ids []int32) (list []string) {
	for _, id := range ids {
		list = append(list, p.Decode([]int32{id}))
	}
	return list
}

// TestGGUFModels holds the GGUF files of a directory against what llama.cpp makes of them;
// see testdata/llama.py.
func TestGGUFModels(t *testing.T) {
	dir := os.Getenv("HONE_TEST_MODELS")
	if dir == "" {
		t.Skip("HONE_TEST_MODELS names no directory of GGUF files")
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.gguf.tokens.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("%s has no *.gguf.tokens.json", dir)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".tokens.json")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var list []struct {
				Text        string
				IDs, Framed []int32
			}
			if err := json.Unmarshal(data, &list); err != nil {
				t.Fatal(err)
			}
			model := strings.TrimSuffix(path, ".tokens.json")
			p, err := Open(model)
			if err != nil && (strings.Contains(err.Error(), "no tokenizer.ggml.pre") || strings.Contains(err.Error(), "tokenizer.ggml.model: unknown")) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			// llama.cpp's own test vectors, of Hugging Face's tokenizers, where they are there too.
			inputs, err1 := os.ReadFile(model + ".inp")
			outputs, err2 := os.ReadFile(model + ".out")
			if err1 == nil && err2 == nil {
				texts := strings.Split(string(inputs), "\n__ggml_vocab_test__\n")
				for i, line := range strings.Split(strings.TrimSuffix(string(outputs), "\n"), "\n") {
					if got := strings.Trim(fmt.Sprint(p.Encode(nil, texts[i])), "[]"); got != strings.TrimSpace(line) {
						t.Errorf("%q\n got %s\nwant %s", texts[i], got, line)
					}
				}
				t.Logf("%d texts of Hugging Face's", len(texts))
			}
			differ := 0
			for _, v := range list {
				got := p.Encode(nil, v.Text)
				e, err := p.Tokenize(v.Text, true)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(got, v.IDs) || !slices.Equal(e.IDs, v.Framed) {
					if differ++; differ <= 4 {
						t.Errorf("%q\n got %d %q\nwant %d %q", v.Text, e.IDs, pieceList(p, e.IDs), v.Framed, pieceList(p, v.Framed))
					}
				}
			}
			t.Logf("%d of %d texts differ", differ, len(list))
		})
	}
}

// TestGGUFCases: the keys and the types of tokens do what they do in llama.cpp; see
// testdata/llama.py.
func TestGGUFCases(t *testing.T) {
	v := readJSON[struct {
		Texts []string
		Cases []struct {
			Base        string
			Keys        map[string]any
			Tokens      map[int][2]any // text and type
			IDs, Framed [][]int32
		}
	}](t, "gguf/cases.json")
	for _, c := range v.Cases {
		data, err := os.ReadFile("testdata/gguf/" + c.Base + ".gguf")
		if err != nil {
			t.Fatal(err)
		}
		g, err := gguf.Read(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		var more []gguf.Key
		for name, x := range c.Keys {
			if n, ok := x.(float64); ok {
				x = uint32(n)
			}
			more = append(more, gguf.Key{Name: ggufPrefix + name, Value: x})
		}
		r := ggufReader{keys: g.Keys}
		tokens, types, scores := r.texts("tokens"), r.numbers("token_type"), r.numbers("scores")
		for id := len(tokens); c.Tokens[id][0] != nil; id++ {
			tokens, types = append(tokens, c.Tokens[id][0].(string)), append(types, c.Tokens[id][1].(float64))
			if scores != nil {
				scores = append(scores, -1000)
			}
		}
		more = append(more, gguf.Key{Name: ggufPrefix + "tokens", Value: tokens}, gguf.Key{Name: ggufPrefix + "token_type", Value: narrowed[int32](types)})
		if scores != nil {
			more = append(more, gguf.Key{Name: ggufPrefix + "scores", Value: narrowed[float32](scores)})
		}
		for name, x := range ggufKeys(t, more...) {
			g.Keys[name] = x
		}
		p, err := FromGGUF(g.Keys)
		if err != nil {
			t.Errorf("%s %v %v: %v", c.Base, c.Keys, c.Tokens, err)
			continue
		}
		if len(c.IDs) != len(v.Texts) {
			t.Fatal("no values")
		}
		for i, text := range v.Texts {
			if got := p.Encode(nil, text); !slices.Equal(got, c.IDs[i]) {
				t.Errorf("%s %v %v: %q\n got %d %q\nwant %d %q", c.Base, c.Keys, c.Tokens, text, got, pieceList(p, got), c.IDs[i], pieceList(p, c.IDs[i]))
			}
			if e, err := p.Tokenize(text, true); err != nil || !slices.Equal(e.IDs, c.Framed[i]) {
				t.Errorf("%s %v %v: %q framed: %d, want %d; %v", c.Base, c.Keys, c.Tokens, text, e.IDs, c.Framed[i], err)
			}
		}
	}
}

func narrowed[T int32 | float32](list []float64) []T {
	out := make([]T, len(list))
	for i, x := range list {
		out[i] = T(x)
	}
	return out
}

// TestGGUFWritten: what is written gives the same ids when it is read.
func TestGGUFWritten(t *testing.T) {
	texts := readJSON[[]vector](t, "vectors.json")
	check := func(name string, p *Pipeline, g GGUF) *Pipeline {
		t.Helper()
		keys, err := p.GGUF(g)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		q, err := FromGGUF(ggufKeys(t, keys...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return nil
		}
		for _, v := range texts {
			a, err1 := p.Tokenize(v.Text, true)
			b, err2 := q.Tokenize(v.Text, true)
			if err1 != nil || err2 != nil || !slices.Equal(a.IDs, b.IDs) {
				t.Errorf("%s: %q: %v, want %v; %v, %v", name, v.Text, b.IDs, a.IDs, err1, err2)
				return q
			}
			if a, b := p.Decode(a.IDs), q.Decode(a.IDs); a != b {
				t.Errorf("%s: %q comes back as %q, want %q", name, v.Text, b, a)
				return q
			}
		}
		return q
	}
	open := func(path string) *Pipeline {
		t.Helper()
		p, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, path := range []string{"testdata/tokenizer.json", "testdata/gguf/llama.gguf", "testdata/agree/fallback.json", "testdata/agree/bytes.json"} {
		if p := open(path); p.Info().Kind == "byte_bpe" || p.Info().Kind == "bpe" {
			check(path, p, GGUF{})
		}
	}
	gemma := directoryCase{Files: map[string]json.RawMessage{"tokenizer.model": json.RawMessage(`"gemma.model"`), "config.json": json.RawMessage(`{"model_type": "gemma"}`),
		"tokenizer_config.json": json.RawMessage(`{"add_bos_token": true}`)}}
	p := open(gemma.write(t))
	q := check("gemma", p, GGUF{Rows: p.Size() + 5, Roles: map[string]string{"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}, ChatTemplate: "{{ x }}"})
	if q != nil {
		s := q.Settings()
		if string(s["eos_token"]) != `"<eos>"` || string(s["chat_template"]) != `"{{ x }}"` || q.Size() != p.Size() {
			t.Errorf("settings %s, size %d, want %d", s, q.Size(), p.Size())
		}
	}
	v := readPreVectors(t)
	for i := range ggufPres {
		name, _, _ := strings.Cut(ggufPres[i].names, " ")
		p, err := FromGGUF(v.keys(t, name, gguf.Key{Name: ggufPrefix + "add_bos_token", Value: i%2 == 0}))
		if err != nil {
			t.Fatal(err)
		}
		check(name, p, GGUF{})
	}
}

// TestGGUFRefusals: what cannot be read or said is refused by name.
func TestGGUFRefusals(t *testing.T) {
	v := readPreVectors(t)
	key := func(name string, x any) gguf.Key { return gguf.Key{Name: ggufPrefix + name, Value: x} }
	for _, c := range []struct {
		pre  string
		more gguf.Key
		want string
	}{
		{"gpt-5", key("token_type_count", uint32(1)), `tokenizer.ggml.pre: unknown "gpt-5" (known: a.x-4.0, bailingmoe, `},
		{"", key("token_type_count", uint32(1)), "no tokenizer.ggml.pre, so that"},
		{"gpt-2", key("escape_whitespaces", true), "tokenizer.ggml.escape_whitespaces is not supported"},
		{"gpt-2", key("suppress_tokens", []int32{1}), "tokenizer.ggml.suppress_tokens is not supported"},
		{"gpt-2", key("padding_token_id", uint32(99999)), "tokenizer.ggml.padding_token_id is not one of the 2435 tokens"},
		{"gpt-2", key("add_bos_token", "yes"), "tokenizer.ggml.add_bos_token: a value of type string is not a bool"},
	} {
		if _, err := FromGGUF(v.keys(t, c.pre, c.more)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q, %s: error %v, want %q in it", c.pre, c.more.Name, err, c.want)
		}
	}
	for _, c := range []struct {
		keys []gguf.Key
		want string
	}{
		{nil, "no tokenizer.ggml.model"},
		{[]gguf.Key{key("model", "rwkv")}, `tokenizer.ggml.model: unknown "rwkv" (known: bert, gpt2, llama, t5)`},
		{[]gguf.Key{key("model", "llama")}, "no tokenizer.ggml.tokens"},
		{[]gguf.Key{key("model", "llama"), key("tokens", []string{"a", "b"})}, "no tokenizer.ggml.scores"},
		{[]gguf.Key{key("model", "llama"), key("tokens", []string{"a", "a"}), key("scores", []float32{0, 0})}, `piece 1: "a" is piece 0 too`},
		{[]gguf.Key{key("model", "llama"), key("tokens", []string{"a", "\xff"}), key("scores", []float32{0, 0})}, "tokenizer.ggml.tokens: entry 1: \"\\xff\" is not valid UTF-8"},
		{[]gguf.Key{key("model", "gpt2"), key("pre", "gpt-2"), key("tokens", []string{"a", "b"}), key("token_type", []int32{1, 9})}, `token 1: "b" has unknown type 9`},
		{[]gguf.Key{key("model", "gpt2"), key("pre", "gpt-2"), key("tokens", []string{"a", "b"}), key("token_type", []int32{1})}, "2 tokens, but 1 types"},
		{[]gguf.Key{key("model", "gpt2"), key("pre", "gpt-2"), key("tokens", []string{"a", "b"})}, "no tokenizer.ggml.merges"},
		{[]gguf.Key{key("model", "gpt2"), key("pre", "gpt-2"), key("tokens", []string{"a", "b"}), key("merges", []string{}), key("add_eos_token", true)},
			"tokenizer.ggml.add_eos_token is true, but tokenizer.ggml.eos_token_id is not a token"},
	} {
		if _, err := FromGGUF(ggufKeys(t, c.keys...)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q in it", err, c.want)
		}
	}
	tiny := readTiny(t)
	wider, err := tiny.Extend([]AddedToken{{Content: "<mask>", LStrip: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path string
		p    *Pipeline
		g    GGUF
		want string
	}{
		{"testdata/agree/unigram.json", nil, GGUF{}, "a tokenizer of kind unigram cannot be written"},
		{"testdata/agree/wordpiece.json", nil, GGUF{}, "a tokenizer of kind wordpiece cannot be written"},
		{"testdata/agree/prefix.json", nil, GGUF{}, "tokenizer: gguf: "},
		{"", wider, GGUF{}, `the added token "<mask>" has lstrip`},
		{"", tiny, GGUF{Rows: 5}, "5 rows are too few for 2048 tokens"},
		{"", tiny, GGUF{Roles: map[string]string{"head_token": "a"}}, "there is no key for the role head_token"},
		{"", tiny, GGUF{Roles: map[string]string{"eos_token": "</s>"}}, `eos_token "</s>" is not in the vocabulary`},
	} {
		p := c.p
		if p == nil {
			if p, err = Open(c.path); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.GGUF(c.g); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q in it", c.path, err, c.want)
		}
	}
}

// TestGGUFCased: whether capitals count is said by a key, else by the vocabulary.
func TestGGUFCased(t *testing.T) {
	vocabulary := []string{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[unused0]", "▁the", "▁The", "re", "▁e", "▁é"}
	for _, c := range []struct {
		tokens []string
		more   []gguf.Key
		want   string
	}{
		{vocabulary, nil, "[2 6 7 9 3]"},
		{vocabulary, []gguf.Key{{Name: ggufPrefix + "normalizer.lowercase", Value: true}}, "[2 5 7 8 3]"},
		{vocabulary, []gguf.Key{{Name: ggufPrefix + "normalizer.lowercase", Value: true}, {Name: ggufPrefix + "normalizer.strip_accents", Value: false}}, "[2 5 7 9 3]"},
		{slices.Concat(vocabulary[:6], vocabulary[7:]), nil, "[2 5 6 7 3]"},
	} {
		p, err := FromGGUF(ggufKeys(t, append(c.more, gguf.Key{Name: ggufPrefix + "model", Value: "bert"}, gguf.Key{Name: ggufPrefix + "tokens", Value: c.tokens})...))
		if err != nil {
			t.Fatal(err)
		}
		if e, err := p.Tokenize("There é", true); err != nil || fmt.Sprint(e.IDs) != c.want {
			t.Errorf("%v: %v, want %s; %v", c.more, e.IDs, c.want, err)
		}
	}
}

// TestGGUFSettings: roles and chat templates are kept for tokenizer_config.json.
func TestGGUFSettings(t *testing.T) {
	v := readPreVectors(t)
	more := []gguf.Key{{Name: "tokenizer.chat_template", Value: "{{ a }}"}, {Name: ggufPrefix + "padding_token_id", Value: uint32(1)}, {Name: ggufPrefix + "eot_token_id", Value: uint32(2)}}
	p, err := FromGGUF(v.keys(t, "smollm", more...))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"bos_token": quote(v.Tokens[0]), "eos_token": quote(v.Tokens[0]), "pad_token": quote(v.Tokens[1]), "eot_token": quote(v.Tokens[2]), "chat_template": `"{{ a }}"`} {
		if got := string(p.Settings()[key]); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	for _, key := range []string{"cls_token", "mask_token", "unk_token"} {
		if got, ok := p.Settings()[key]; ok {
			t.Errorf("%s is %s", key, got)
		}
	}
	more = append(more, gguf.Key{Name: "tokenizer.chat_template.tool_use", Value: "{{ b }}"}, gguf.Key{Name: "tokenizer.chat_templates", Value: []string{"tool_use"}})
	if p, err = FromGGUF(v.keys(t, "smollm", more...)); err != nil {
		t.Fatal(err)
	}
	if got, want := string(p.Settings()["chat_template"]), `[{"name": "default", "template": "{{ a }}"}, {"name": "tool_use", "template": "{{ b }}"}]`; got != want {
		t.Errorf("templates %s, want %s", got, want)
	}
}

package tokenizer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// worstTexts are long texts that a tokenizer could spend quadratic time on: without a
// place to cut, of one character, of what nothing knows, of what could begin anything.
var worstTexts = []struct {
	name string
	make func(size int) string
}{
	{"word", func(size int) string { return randomBytes(size, 'a', 26) }},
	{"one letter", func(size int) string { return strings.Repeat("a", size) }},
	{"blanks", func(size int) string { return strings.Repeat(" ", size) }},
	{"newlines", func(size int) string { return strings.Repeat(" \n", size/2) + "x" }},
	{"unknown", func(size int) string { return randomBytes(size, 0x80, 128) }},
	{"unknown letters", func(size int) string { return strings.Repeat("𓀀𓁐𓂀", size/12) }},
	{"marks", func(size int) string { return "e" + strings.Repeat("\u0323\u0302\u0301", size/6) }},
	{"half a token", func(size int) string { return strings.Repeat("<|endoftext", size/11) }},
}

func randomBytes(size int, first byte, n int) string {
	rng := rand.New(rand.NewPCG(1, uint64(size)))
	b := make([]byte, size)
	for i := range b {
		b[i] = first + byte(rng.IntN(n))
	}
	return string(b)
}

// worstKinds are tokenizers of every model, and of every expensive stage before it; the
// last are in use and may not be here.
var worstKinds = []string{"byte bpe", "smollm", "llama2", "suffix", "bert", "bert, any length", "unigram as t5", "unigram bytes", "GPT-2", "BERT", "Llama 3", "Gemma 3", "Qwen 3", "T5"}

func worstKind(t testing.TB, name string) *Pipeline {
	t.Helper()
	var p *Pipeline
	var err error
	switch name {
	case "byte bpe":
		p, err = Open("testdata/tokenizer.json")
	case "bert, any length":
		p, err = parse(merged(t, "agree/wordpiece.json", nil, map[string]json.RawMessage{"max_input_chars_per_word": json.RawMessage("1000000000")}))
	default:
		all := readJSON[[]agreeCase](t, "agree/cases.json")
		i := slices.IndexFunc(all, func(c agreeCase) bool { return c.Name == name })
		if i < 0 {
			t.Fatalf("no case %q", name)
		}
		if p = all[i].open(t); p == nil {
			return nil
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	p.truncation, p.padding = nil, nil
	return p
}

// TestWorst would take hours if any text took quadratic time, and holds ids with and
// without offsets against each other.
func TestWorst(t *testing.T) {
	t.Parallel()
	for _, kind := range worstKinds {
		p := worstKind(t, kind)
		if p == nil {
			continue
		}
		for _, w := range worstTexts {
			s := w.make(1 << 16)
			e, err := p.Tokenize(s, false)
			if err != nil {
				t.Fatal(err)
			}
			if ids := p.Encode(nil, s); !slices.Equal(ids, e.IDs) {
				t.Errorf("%s, %s: %d tokens without offsets, %d with them", kind, w.name, len(ids), len(e.IDs))
			}
			for i, o := range e.Bytes {
				if o.Start > o.End || o.End > len(s) {
					t.Fatalf("%s, %s: token %d is at %v", kind, w.name, i, o)
				}
			}
			if kind == "byte bpe" && p.Decode(e.IDs) != s {
				t.Errorf("%s, %s: does not come back", kind, w.name)
			}
		}
	}
}

// BenchmarkWorst is a table of speed against length: where time is near-linear, MB/s
// is the same in a line. Once over is enough: -benchtime 1x.
func BenchmarkWorst(b *testing.B) {
	for _, kind := range worstKinds {
		p := worstKind(b, kind)
		if p == nil {
			continue
		}
		for _, w := range worstTexts {
			for _, size := range []int{1e5, 1e6, 1e7} {
				s := w.make(size)
				b.Run(fmt.Sprintf("%s/%s/%d", kind, w.name, size), func(b *testing.B) {
					b.SetBytes(int64(len(s)))
					var ids []int32
					for b.Loop() {
						ids = p.EncodeOrdinary(ids[:0], s)
					}
				})
			}
		}
	}
}

// BenchmarkWorstOffsets is the same with offsets and with added tokens looked for.
func BenchmarkWorstOffsets(b *testing.B) {
	for _, kind := range worstKinds {
		p := worstKind(b, kind)
		if p == nil {
			continue
		}
		for _, w := range worstTexts {
			for _, size := range []int{1e5, 1e6} {
				s := w.make(size)
				b.Run(fmt.Sprintf("%s/%s/%d", kind, w.name, size), func(b *testing.B) {
					b.SetBytes(int64(len(s)))
					for b.Loop() {
						if _, err := p.Tokenize(s, true); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
}

package data

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"hone/data/tokenizer"
)

func TestPreview(t *testing.T) {
	c := inMemory{{Text: "a\tb\x1b\n", HasLabel: true, Label: "b"}, {Text: "é", HasLabel: true, Label: "\x07"}}
	for _, test := range []struct {
		o      Objective
		colour bool
		want   string
	}{
		{Causal, false, `1 rows of 12 tokens, 75.0 % filled, 2 sequences; the global batch has 9 targets
── row 0, segment 1, positions 0–5, record 0
<0>[a][\t][b][\u001b][\n]
[<0>]
── row 0, segment 2, positions 6–8, record 1
<0>[\xc3][\xa9][<0>]
`},
		{Causal, true, `1 rows of 12 tokens, 75.0 % filled, 2 sequences; the global batch has 9 targets
── row 0, segment 1, positions 0–5, record 0
{2m<0>{0m{32ma{0m{36m\t{0m{32mb{0m{36m\u001b{0m{32m\n{0m
{36m<0>{0m
── row 0, segment 2, positions 6–8, record 1
{2m<0>{0m{32m\xc3{0m{36m\xa9{0m{32m<0>{0m
`},
		{classification, false, `1 rows of 12 tokens, 91.7 % filled, 2 sequences; the global batch has 2 targets
── row 0, segment 1, positions 0–6, record 0
<0>a\tb\u001b\n
<0> → [b]
── row 0, segment 2, positions 7–10, record 1
<0>\xc3\xa9<0> → [\u0007]
`},
	} {
		cfg := testConfig(c, test.o)
		cfg.T, cfg.BatchSize, cfg.Shuffle, cfg.Labels = 12, 1, false, []string{"\x07", "b"}
		b := drain(t, open(t, cfg, Cursor{}), 1)[0]
		var out bytes.Buffer
		if err := Preview(&out, &b, byteTokenizer{}, test.colour); err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(test.want, "{", "\x1b[")
		if out.String() != want {
			t.Errorf("%v, colour %v:\n%s\nwant\n%s", test.o, test.colour, out.String(), want)
		}
	}
	b := Batch{
		B: 1, Objective: Causal, Dec: Stream{T: 2, Tokens: []int32{98, 99}, Segments: []int32{1, 1}, Positions: []int32{0, 1}, Order: []int32{0, 1}},
		Targets: []int32{99, 100}, Weights: []float32{0.25, 0}, Seqs: []Seq{{Last: 1, Label: -1}}, NumTargets: 1,
	}
	var out bytes.Buffer
	if err := Preview(&out, &b, byteTokenizer{}, false); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "\na[b×0.25]c\n") {
		t.Errorf("weights are not shown:\n%s", out.String())
	}
}

// names spells ids as the tests' tokenizers do not: special tokens too.
type names struct{ withSpecials }

func (names) Decode(ids []int32) (s string) {
	for _, id := range ids {
		switch {
		case id == maskID:
			s += "<mask>"
		case id >= sentinelID:
			s += sentinel(int(id) - sentinelID)
		default:
			s += byteTokenizer{}.Decode([]int32{id})
		}
	}
	return s
}

func TestPreviewOfWhatIsHidden(t *testing.T) {
	ids := func(s string) []int32 { // * is the mask, digits are sentinels, . the end
		var out []int32
		for _, c := range s {
			switch {
			case c == '*':
				out = append(out, maskID)
			case c == '.':
				out = append(out, 0)
			case c >= '0' && c <= '9':
				out = append(out, sentinelID+c-'0')
			case c == '_':
				out = append(out, -1)
			default:
				out = append(out, c+1)
			}
		}
		return out
	}
	row := func(tokens string, order ...int32) Stream {
		n := len(tokens)
		s := Stream{T: n, Tokens: ids(tokens), Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n)}
		for i := range n {
			s.Segments[i], s.Positions[i] = 1, int32(i)
		}
		copy(s.Order, order)
		return s
	}
	for _, test := range []struct {
		o        Objective
		enc, dec Stream
		targets  string
		want     string
	}{
		{Masked, Stream{}, row(".t*exm."), "__h_t__", "<0>t[<mask>→h]e[x→t]m<0>"},
		{Masked, Stream{}, row(".the."), "_t___", "<0>[t]he<0>"},
		{Permutation, Stream{}, row(".the.", 0, 2, 0, 1), "_t_e_", "<0>[t@2]h[e@1]<0>"},
		{PrefixLM, Stream{}, row(".the", 0, 0, 0, 1), "__e.", "<0>th┃[e][<0>]"},
		{PrefixLM, Stream{}, row(".", 0), "t", "<0>┃[t]"},
		{SpanCorruption, row(".t0e1."), row(".0h1n"), "0h1n.", "reads: <0>t<extra_id_0>e<extra_id_1><0>\nwrites: [<extra_id_0>][h][<extra_id_1>][n][<0>]"},
	} {
		b := Batch{B: 1, Objective: test.o, Enc: test.enc, Dec: test.dec, Targets: ids(test.targets), Seqs: []Seq{{Last: int32(test.dec.T - 1), Label: -1}}}
		for _, x := range b.Targets {
			weight := float32(0)
			if x >= 0 {
				weight = 1
			}
			b.Weights = append(b.Weights, weight)
		}
		var out bytes.Buffer
		if err := Preview(&out, &b, names{}, false); err != nil {
			t.Fatal(err)
		}
		_, got, _ := strings.Cut(out.String(), "record 0\n")
		if got != test.want+"\n" {
			t.Errorf("%v:\n%swant\n%s", test.o, got, test.want)
		}
	}
}

// Words of a tokenizer whose decoder puts blanks between them stand apart, and a batch is data too.
func TestPreviewOfWords(t *testing.T) {
	tok, err := tokenizer.Parse([]byte(`{"version": "1.0", "added_tokens": [{"id": 0, "content": "<|endoftext|>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
"pre_tokenizer": {"type": "BertPreTokenizer"}, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
"model": {"type": "WordPiece", "unk_token": "<|endoftext|>", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {"<|endoftext|>": 0, "the": 1, "river": 2, "##s": 3, "ran": 4}}}`))
	if err != nil {
		t.Fatal(err)
	}
	cfg := testConfig(inMemory{{Text: "the rivers ran", HasLabel: true, Label: "b"}}, classification)
	cfg.Tokenizer, cfg.T, cfg.BatchSize, cfg.Shuffle, cfg.Labels = tok, 8, 1, false, []string{"a", "b"}
	b := drain(t, open(t, cfg, Cursor{}), 1)[0]
	var out bytes.Buffer
	if err := Preview(&out, &b, tok, false); err != nil {
		t.Fatal(err)
	}
	if want := "<|endoftext|> the rivers ran<|endoftext|> → [b]\n"; !strings.HasSuffix(out.String(), want) {
		t.Errorf("%s, want %s", &out, want)
	}
	text, err := json.Marshal(NewBatchPreview(&b, tok).Sequences)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[{"row":0,"first":0,"record":0,"label":"b","tokens":[{"id":0,"text":"<|endoftext|>"},{"id":1,"text":" the"},{"id":2,"text":" river"},{"id":3,"text":"s"},{"id":4,"text":" ran"},{"id":0,"text":"<|endoftext|>"}]}]`; strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(string(text)) != want {
		t.Errorf("%s, want %s", text, want)
	}
}

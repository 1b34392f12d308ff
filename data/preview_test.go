package data

import (
	"bytes"
	"strings"
	"testing"
)

func TestPreview(t *testing.T) {
	c := corpus{{Text: "a\tb\x1b\n", HasLabel: true, Label: "b"}, {Text: "é", HasLabel: true, Label: "\x07"}}
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
		{Classification, false, `1 rows of 12 tokens, 91.7 % filled, 2 sequences; the global batch has 2 targets
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
		B: 1, Dec: Stream{T: 2, Tokens: []int32{98, 99}, Segments: []int32{1, 1}, Positions: []int32{0, 1}, Order: []int32{0, 1}},
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

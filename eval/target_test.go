package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hone/data"
	"hone/data/corpus"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// marked is letters with special tokens for what is hidden.
type marked struct{ letters }

func (marked) Special(n string) (int32, bool) {
	switch n {
	case "<|endoftext|>":
		return 0, true
	case "<mask>":
		return 129, true
	}
	for i := range 20 {
		if n == fmt.Sprintf("<extra_id_%d>", i) {
			return int32(130 + i), true
		}
	}
	return 0, false
}
func (marked) Size() int { return 150 }

// hiding makes a network of large random weights that learns by an objective, and documents.
func hiding(t *testing.T, o data.Objective) (*model.Network, data.Config) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2, Kernels: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	cfg := data.Config{Tokenizer: marked{}, Objective: o, T: 24, BatchSize: 3, MicroBatchSize: 3}
	opts := model.Options{}
	var c model.Config
	if o == data.Masked {
		c, err = model.DefaultConfig("bert")
		f := c.Family.(model.BERT)
		f.HiddenSize, f.NumHiddenLayers, f.NumAttentionHeads, f.IntermediateSize, f.MaxPositionEmbeddings, f.InitializerRange = 16, 2, 2, 32, 24, 0.4
		c.Family = f
		cfg.MLMProbability, cfg.MaskReplaceProb = 0.4, 1 // more than a quarter: the rows take several turns
	} else {
		c, err = model.DefaultConfig("t5")
		f := c.Family.(model.T5)
		f.DModel, f.DKV, f.DFF, f.NumLayers, f.NumHeads, f.InitializerFactor = 16, 8, 32, 1, 2, 3
		c.Family = f
		opts.EncoderLength = cfg.T
		cfg.EOS, cfg.NoiseDensity = "<|endoftext|>", 0.4
	}
	if err != nil {
		t.Fatal(err)
	}
	c.VocabSize = marked{}.Size()
	net, err := model.NewNetwork(dev, exec.F32, c, opts)
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Init(1); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	docs := make(documents, 17)
	for i := range docs {
		text := make([]byte, 1+r.IntN(40))
		for k := range text {
			text[k] = byte('a' + r.IntN(26))
		}
		docs[i] = corpus.Record{Text: string(text)}
	}
	docs[7].Text = ""
	cfg.Records = docs
	return net, cfg
}

// The targets of every objective cost what the model's own loss says, are the text's, and
// have their neighbours.
func TestTargets(t *testing.T) {
	for _, o := range []data.Objective{data.Masked, data.SpanCorruption} {
		net, cfg := hiding(t, o)
		list, longer, err := Targets(t.Context(), net, cfg, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		docs, others, err := Likelihood(t.Context(), net, cfg.WithDefaults(), 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		if longer != others || o == data.Masked && (longer == 0 || longer == len(docs)) {
			t.Errorf("%v: %d and %d of %d documents are longer than a row", o, longer, others, len(docs))
		}
		nats, n := map[int64]float64{}, map[int64]int{}
		right, marks, beside := 0, 0, 0
		for _, target := range list {
			nats[target.Record] += target.Nats
			n[target.Record]++
			if target.Correct() {
				right++
			}
			text := cfg.Records.(documents)[target.Record].Text
			if target.Mark {
				marks++
			} else if at := strings.IndexByte(text, byte(target.Token-1)); at < 0 {
				t.Errorf("%v: record %d: token %d is not in %q", o, target.Record, target.Token, text)
			}
			if o == data.Masked && target.Left > 0 && target.Right > 0 {
				beside++
				if s := string([]byte{byte(target.Left - 1), byte(target.Token - 1), byte(target.Right - 1)}); !strings.Contains(text, s) {
					t.Errorf("record %d: %q is not in %q", target.Record, s, text)
				}
			}
		}
		if len(docs) != 16 || len(n) != 16 {
			t.Fatalf("%v: %d and %d documents, want all but the empty one", o, len(docs), len(n))
		}
		for _, d := range docs {
			if d.Tokens != n[d.Record] || math.Abs(d.Nats-nats[d.Record]) > 1e-4*d.Nats {
				t.Errorf("%v: record %d: %d targets cost %v nats, want %d and %v", o, d.Record, n[d.Record], nats[d.Record], d.Tokens, d.Nats)
			}
		}
		if right == len(list) || o == data.Masked && (marks > 0 || beside < 10) {
			t.Errorf("%v: %d of %d right, %d marks, %d between two letters", o, right, len(list), marks, beside)
		}
		some, _, err := Targets(t.Context(), net, cfg, 4, nil)
		if err != nil || some[0].Record != 0 || some[len(some)-1].Record != 12 {
			t.Errorf("%v: 4 of 17 documents: %v, records %d to %d, want 0 to 12", o, err, some[0].Record, some[len(some)-1].Record)
		}
	}
}

// What span corruption hides, put back between its neighbours, is the text.
func TestSpans(t *testing.T) {
	_, cfg := hiding(t, data.SpanCorruption)
	const epochs = 3
	list, err := HiddenTargets(t.Context(), cfg, epochs, nil)
	if err != nil {
		t.Fatal(err)
	}
	spans := Spans(list)
	tokens := 0
	for _, s := range spans {
		var b strings.Builder
		for _, id := range slices.Concat([]int32{s.Left}, s.Tokens, []int32{s.Right}) {
			if id > 0 {
				b.WriteByte(byte(id - 1))
			}
		}
		if text := cfg.Records.(documents)[s.Record].Text; len(s.Tokens) == 0 || !strings.Contains(text, b.String()) {
			t.Errorf("record %d: %q (%v) is not in %q", s.Record, b.String(), s, text)
		}
		tokens += len(s.Tokens)
	}
	marks, texts := 0, 0
	for i, target := range list {
		if target.Mark {
			marks++
			if i+1 == len(list) || list[i+1].Mark {
				texts++
			}
		}
	}
	if marks != len(spans)+texts || tokens != len(list)-marks || texts < epochs*16 {
		t.Errorf("%d marks of %d spans in %d texts; %d tokens of %d targets", marks, len(spans), texts, tokens, len(list))
	}
}

// A span is right where all its tokens are, and its end.
func TestExactSpans(t *testing.T) {
	list := []Target{
		{Token: 130, Best: 9, Mark: true}, {Token: 5, Best: 5}, {Token: 6, Best: 6}, // what opens it does not count
		{Token: 131, Best: 131, Mark: true}, {Token: 7, Best: 7},
		{Token: 132, Best: 8, Mark: true}, {Token: 8, Best: 9}, // the span before goes on
		{Token: 0, Best: 0, Mark: true},
		{Record: 1, Token: 130, Best: 9, Mark: true}, {Record: 1, Token: 5, Best: 5},
		{Record: 1, Token: 0, Best: 0, Mark: true},
	}
	var exact []bool
	for _, s := range Spans(list) {
		exact = append(exact, s.Exact)
	}
	if want := []bool{true, false, false, true}; !slices.Equal(exact, want) {
		t.Errorf("%v, want %v", exact, want)
	}
}

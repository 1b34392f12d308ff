package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"hone/data"
	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
	"hone/trainer/model"
)

// letters is a tokenizer of one token a byte.
type letters struct{}

func (letters) Encode(dst []int32, text string) []int32 {
	for i := range len(text) {
		dst = append(dst, int32(text[i])+1)
	}
	return dst
}
func (letters) Decode([]int32) string          { panic("not decoded here") }
func (letters) Special(n string) (int32, bool) { return 0, n == "<|endoftext|>" }
func (letters) Size() int                      { return 130 }

type documents []data.Record

func (d documents) Rows() int64                         { return int64(len(d)) }
func (d documents) Record(i int64) (data.Record, error) { return d[i], nil }

// scored makes a network of large random weights, so that its answers differ, and
// documents of 1 to longest bytes, one without text and one without a label.
func scored(t *testing.T, head model.Head, longest int) (*model.Network, data.Config) {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 2, Kernels: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	c, err := model.DefaultConfig("gpt2")
	if err != nil {
		t.Fatal(err)
	}
	gpt := c.Family.(model.GPT2)
	gpt.NLayer, gpt.NHead, gpt.NEmbd, gpt.NPositions, gpt.InitializerRange = 2, 2, 16, 24, 0.3
	c.Family, c.VocabSize = gpt, letters{}.Size()
	cfg := data.Config{Tokenizer: letters{}, T: 24, BatchSize: 4, MicroBatchSize: 4, MaxSeqs: 4}
	if head == model.Classifier {
		cfg.Objective, cfg.Labels = data.Classification, []string{"0", "1", "2"}
		c.SetLabels(cfg.Labels)
	}
	net, err := model.NewNetwork(dev, exec.F32, c, model.Options{Head: head})
	if err != nil {
		t.Fatal(err)
	}
	if err := net.Init(1); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	docs := make(documents, 41)
	for i := range docs {
		text := make([]byte, 1+r.IntN(longest))
		for k := range text {
			text[k] = byte('a' + r.IntN(26))
		}
		docs[i] = data.Record{Text: string(text), Label: fmt.Sprint(r.IntN(3)), HasLabel: true}
	}
	docs[7].Text, docs[9].HasLabel = "", false
	cfg.Records = docs
	return net, cfg
}

// A packed document is scored as it is alone in a row.
func TestLikelihoodOfPackedDocuments(t *testing.T) {
	net, cfg := scored(t, model.LanguageModel, 22) // with both ends no longer than a row
	// A document that goes on in the next row is scored there without what went before:
	// only the whole ones must be as if alone.
	packed, err := Likelihood(t.Context(), net, cfg, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	docs := cfg.Records.(documents)
	if len(packed) != len(docs)-1 {
		t.Fatalf("%d documents were scored, want all but the empty one of %d", len(packed), len(docs))
	}
	whole := 0
	used := 0 // of the row
	for _, d := range packed {
		text := docs[d.Record].Text
		if d.Bytes != len(text) || d.Tokens != len(text)+1 {
			t.Errorf("record %d: %d bytes and %d tokens of %q", d.Record, d.Bytes, d.Tokens, text)
		}
		alone := cfg
		alone.Records = docs[d.Record : d.Record+1]
		alone.BatchSize, alone.MicroBatchSize = 1, 1
		one, err := Likelihood(t.Context(), net, alone, 0, nil)
		if err != nil || len(one) != 1 {
			t.Fatalf("%v, %v", one, err)
		}
		inputs := len(text) + 1
		if used+inputs <= cfg.T {
			whole++
			if d.Nats != one[0].Nats {
				t.Errorf("record %d: %v nats packed, %v alone", d.Record, d.Nats, one[0].Nats)
			}
			if uniform := float64(d.Tokens) * math.Log(float64(letters{}.Size())); math.Abs(d.Nats-uniform) < 1e-3 {
				t.Errorf("record %d: %v nats: the model says nothing", d.Record, d.Nats)
			}
		}
		used = (used + inputs) % cfg.T
	}
	if whole < 10 || whole == len(packed) {
		t.Errorf("%d of %d documents lie in one row: the test has not seen both kinds", whole, len(packed))
	}
}

// Documents longer than a row are scored whole, each token once.
func TestLikelihoodOfLongDocuments(t *testing.T) {
	net, cfg := scored(t, model.LanguageModel, 100)
	list, err := Likelihood(t.Context(), net, cfg, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if text := cfg.Records.(documents)[d.Record].Text; d.Tokens != len(text)+1 || d.Bytes != len(text) {
			t.Errorf("record %d: %d tokens of %d bytes", d.Record, d.Tokens, len(text))
		}
	}
	// Some of them, evenly spaced, in order.
	some, err := Likelihood(t.Context(), net, cfg, 4, nil)
	if err != nil || len(some) != 4 {
		t.Fatalf("%v, %v", some, err)
	}
	for i, want := range []int64{0, 10, 20, 30} {
		if some[i].Record != want {
			t.Errorf("record %d, want %d", some[i].Record, want)
		}
	}
}

func TestClassifyPackedDocuments(t *testing.T) {
	net, cfg := scored(t, model.Classifier, 40) // some are cut to a row
	packed, err := Classify(t.Context(), net, cfg, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	docs := cfg.Records.(documents)
	if len(packed) != len(docs)-2 {
		t.Fatalf("%d documents were classified, want all but one without text and one without label of %d", len(packed), len(docs))
	}
	seen := map[int64]bool{}
	best := map[int]bool{}
	for _, p := range packed {
		if seen[p.Record] || fmt.Sprint(p.Label) != docs[p.Record].Label {
			t.Errorf("record %d: again, or label %d of %s", p.Record, p.Label, docs[p.Record].Label)
		}
		seen[p.Record] = true
		best[p.Best()] = true
		alone := cfg
		alone.Records = docs[p.Record : p.Record+1]
		alone.BatchSize, alone.MicroBatchSize, alone.MaxSeqs = 1, 1, 1
		one, err := Classify(t.Context(), net, alone, 0, nil)
		if err != nil || len(one) != 1 {
			t.Fatalf("%v, %v", one, err)
		}
		sum := 0.0
		for i, v := range p.Probs {
			sum += v
			if v != one[0].Probs[i] {
				t.Errorf("record %d, label %d: probability %v packed, %v alone", p.Record, i, v, one[0].Probs[i])
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("record %d: probabilities sum to %v", p.Record, sum)
		}
	}
	if len(best) < 2 {
		t.Error("one label for all: the model says nothing")
	}
}

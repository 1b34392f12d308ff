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
	"hone/data/task"
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

type documents []corpus.Record

func (d documents) Rows() int64                           { return int64(len(d)) }
func (d documents) Record(i int64) (corpus.Record, error) { return d[i], nil }

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
		cfg.Objective, cfg.Labels = data.Labelled(task.Classification), []string{"0", "1", "2"}
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
		docs[i] = corpus.Record{Text: string(text), Label: fmt.Sprint(r.IntN(3)), HasLabel: true}
	}
	docs[7].Text, docs[9].HasLabel = "", false
	cfg.Records = docs
	return net, cfg
}

// byHand is what the windows of a document cost: the first has as much as a row holds, each
// further one begins with the last token of the one before, and the last reaches back as far as
// a row does (lm-evaluation-harness, get_rolling_token_windows).
func byHand(t *testing.T, net *model.Network, text string, length int) (nats float64) {
	t.Helper()
	ids := append(letters{}.Encode([]int32{0}, text), 0)
	for done := 0; done < len(ids)-1; {
		n := min(length, len(ids)-1-done)
		first := max(0, done+n-length)
		in := ids[first : done+n]
		f := model.Feed{Tokens: in}
		for i := range in {
			f.Segments, f.Positions, f.Order = append(f.Segments, 1), append(f.Positions, int32(i)), append(f.Order, int32(i))
			f.Targets, f.Weights = append(f.Targets, ids[first+i+1]), append(f.Weights, 1)
		}
		x, err := net.Executor(model.Evaluate, 1, len(in), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := net.Feed(x, &f); err != nil {
			t.Fatal(err)
		}
		if err := x.Run(); err != nil {
			t.Fatal(err)
		}
		nll := make([]float32, len(in))
		if err := exec.Read(x, "nll", nll); err != nil {
			t.Fatal(err)
		}
		for _, v := range nll[len(in)-n:] {
			nats += float64(v)
		}
		done += n
	}
	return nats
}

// A document is scored as it is alone, whatever stands beside it, in any order, of any length, in
// rows of any length and batches of any size.
func TestLikelihoodOfADocumentIsItsOwn(t *testing.T) {
	net, cfg := scored(t, model.LanguageModel, 70)
	docs := cfg.Records.(documents)
	cfg.T, cfg.BatchSize, cfg.MicroBatchSize = 24, 4, 4
	list, longer, err := Likelihood(t.Context(), net, cfg, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != len(docs)-1 {
		t.Fatalf("%d documents were scored, want all but the empty one of %d", len(list), len(docs))
	}
	long := 0
	for _, d := range list {
		text := docs[d.Record].Text
		if d.Bytes != len(text) || d.Tokens != len(text)+1 || !(d.End > 0 && d.End < d.Nats) {
			t.Errorf("record %d: %d bytes, %d tokens of %q, %v nats of them %v for the end", d.Record, d.Bytes, d.Tokens, text, d.Nats, d.End)
		}
		if want := byHand(t, net, text, cfg.T); d.Nats != want {
			t.Errorf("record %d, %d bytes: %v nats, by hand %v", d.Record, len(text), d.Nats, want)
		}
		if uniform := float64(d.Tokens) * math.Log(float64(letters{}.Size())); math.Abs(d.Nats-uniform) < 1e-3 {
			t.Errorf("record %d: %v nats: the model says nothing", d.Record, d.Nats)
		}
		if len(text) >= cfg.T {
			long++
		}
	}
	if long != longer {
		t.Errorf("%d documents longer than a row, want %d", longer, long)
	}
	if long < 10 || long > 35 {
		t.Errorf("%d of %d documents are longer than a row: the test has not seen both kinds", long, len(list))
	}
	reversed := slices.Clone(docs)
	slices.Reverse(reversed)
	for _, size := range []int{1, 2, 7} {
		other := cfg
		other.Records, other.BatchSize, other.MicroBatchSize = reversed, size, size
		back, _, err := Likelihood(t.Context(), net, other, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(back)
		for i := range back {
			back[i].Record = int64(len(docs)) - 1 - back[i].Record
		}
		if !slices.Equal(back, list) {
			t.Errorf("from the last to the first, %d rows at a time: %v\nwant %v", size, back, list)
		}
	}
	// Some of them, evenly spaced, in order.
	some, _, err := Likelihood(t.Context(), net, cfg, 4, nil)
	if err != nil || len(some) != 4 {
		t.Fatalf("%v, %v", some, err)
	}
	for i, want := range []int64{0, 10, 20, 30} {
		if some[i].Record != want || !slices.Contains(list, some[i]) {
			t.Errorf("%v, want record %d as above", some[i], want)
		}
	}
}

// So is it from left to right by a permuted order, with a memory of the pieces before and without:
// in any order of documents, in batches of any size.
func TestLikelihoodOfPermutedDocuments(t *testing.T) {
	_, cfg := scored(t, model.LanguageModel, 70)
	docs := cfg.Records.(documents)
	dev, err := cpu.New(cpu.Options{Threads: 2, Kernels: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	var nats [2]float64
	for i, memory := range []int{0, 8} {
		c, err := model.DefaultConfig("xlnet")
		if err != nil {
			t.Fatal(err)
		}
		f := c.Family.(model.XLNet)
		f.DModel, f.NLayer, f.NHead, f.DInner, f.InitializerRange, f.MemLen, f.UseMemsTrain = 16, 2, 2, 32, 0.3, memory, memory > 0
		c.Family, c.VocabSize = f, letters{}.Size()
		net, err := model.NewNetwork(dev, exec.F32, c, model.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := net.Init(1); err != nil {
			t.Fatal(err)
		}
		cfg.Objective, cfg.LeftToRight, cfg.Consecutive = data.Permutation, true, memory > 0
		var first []Document
		for _, size := range []int{4, 1, 7} {
			cfg.Records, cfg.BatchSize, cfg.MicroBatchSize = docs, size, size
			if size != 4 {
				back := slices.Clone(docs)
				slices.Reverse(back)
				cfg.Records = back
			}
			list, longer, err := Likelihood(t.Context(), net, cfg, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if size != 4 {
				slices.Reverse(list)
				for k := range list {
					list[k].Record = int64(len(docs)) - 1 - list[k].Record
				}
			} else {
				first = list
			}
			if !slices.Equal(list, first) || len(list) != len(docs)-1 || longer < 10 {
				t.Errorf("memory %d, %d rows at a time: %v\nwant %v", memory, size, list, first)
			}
		}
		for _, d := range first {
			nats[i] += d.Nats
			if d.Tokens != d.Bytes || d.End != 0 {
				t.Errorf("%+v: want a token for each byte, and no end", d)
			}
		}
	}
	if nats[0] == nats[1] {
		t.Error("the memory makes no difference")
	}
}

// Rows are as long as the documents need, and no more of them than these fill.
func TestRowsAsLongAsDocumentsNeed(t *testing.T) {
	for _, test := range []struct {
		n, bytes  int // documents, and the bytes of each: with what is before them a position more
		rows, row int
	}{
		{4, 50, 4, 64}, {40, 63, 40, 64}, {40, 64, 21, 128}, {1, 200, 1, 256}, {1000, 50, 128, 64}, {3, 4095, 2, 4096}, {3, 8191, 1, 8192}, {3, 9000, 1, 8192},
	} {
		docs := make(documents, test.n)
		for i := range docs {
			docs[i].Text = strings.Repeat("a", test.bytes)
		}
		c, err := fitted(t.Context(), data.Config{Tokenizer: letters{}, T: 8192, BatchSize: 1}, spread{docs, int64(test.n)})
		if err != nil {
			t.Fatal(err)
		}
		if c.T != test.row || c.MicroBatchSize != test.rows || c.BatchSize != test.rows {
			t.Errorf("%d documents of %d bytes: %d rows of %d, want %d of %d", test.n, test.bytes, c.BatchSize, c.T, test.rows, test.row)
		}
	}
}

func TestClassifyPackedDocuments(t *testing.T) {
	net, cfg := scored(t, model.Classifier, 40) // some are cut to a row
	packed, cut, err := Classify(t.Context(), net, cfg, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	docs := cfg.Records.(documents)
	if len(packed) != len(docs)-2 {
		t.Fatalf("%d documents were classified, want all but one without text and one without label of %d", len(packed), len(docs))
	}
	long := 0
	for i, d := range docs {
		if i != 9 && len(d.Text)+2 > cfg.T {
			long++
		}
	}
	if cut != long || cut == 0 {
		t.Errorf("%d documents were cut, want %d", cut, long)
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
		one, _, err := Classify(t.Context(), net, alone, 0, nil)
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

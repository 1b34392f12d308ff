package data

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/data/corpus"
	"hone/data/source"
)

func testMixture(o Objective, by Unit) Config {
	cfg := testConfig(nil, o)
	cfg.Records, cfg.Epochs, cfg.MixtureBy = nil, 0, by
	for i, n := range []int{120, 31, 7} {
		c := append(randomCorpus(rand.New(rand.NewPCG(9, uint64(i))), n, 16), corpus.Record{Text: "x", HasLabel: true, Label: "a"})
		cfg.Mixture = append(cfg.Mixture, Part{Name: fmt.Sprint("part", i), Records: c, Weight: []float64{0.6, 0.3, 0.1}[i]})
	}
	return cfg
}

// Of every stretch from the beginning on, each corpus has its share.
func TestMixtureSharesMatchTheWeights(t *testing.T) {
	words := func(n int) inMemory {
		c := make(inMemory, n)
		r := rand.New(rand.NewPCG(2, uint64(n)))
		for i := range c {
			c[i] = corpus.Record{Text: strings.Repeat("x", 1+r.IntN(60*n/100))}
		}
		return c
	}
	many := make([]float64, 100)
	for i := range many {
		many[i] = 1 / float64(i+1)
	}
	for _, test := range []struct {
		weights []float64
		slack   float64 // documents that a corpus may be off at any time
	}{
		{[]float64{1, 1}, 1}, {[]float64{0.7, 0.2, 0.1}, 2}, {[]float64{0.9, 0.05, 0.03, 0.015, 0.005}, 2}, {many, 3},
	} {
		for _, by := range []Unit{ByDocument, ByToken} {
			cfg := Config{Tokenizer: byteTokenizer{}, T: 64, BatchSize: 8, Seed: 3, Shuffle: true, MixtureBy: by}
			sum := 0.0
			for i, w := range test.weights {
				cfg.Mixture = append(cfg.Mixture, Part{Name: fmt.Sprint(i), Records: words(100 + i), Weight: w})
				sum += w
			}
			cfg = cfg.WithDefaults()
			r := newReader(&cfg, Cursor{Parts: make([]Drawn, len(test.weights))}, &Stats{}, nil)
			c := Cursor{Parts: make([]Drawn, len(test.weights))}
			total := 0.0
			for n := 1; n <= 10000; n++ {
				ids, d, err := r.read(&c, nil)
				if err != nil {
					t.Fatal(err)
				}
				r.pass(&c, d, len(ids)-1)
				if by == ByToken {
					total += float64(len(ids) - 1)
					continue
				}
				for i, w := range test.weights {
					if off := float64(c.Parts[i].Documents) - w/sum*float64(n); math.Abs(off) > test.slack {
						t.Fatalf("weights %v: after %d documents corpus %d is off by %.1f", test.weights, n, i, off)
					}
				}
			}
			if by == ByDocument {
				total = 10000
			}
			for i, w := range test.weights {
				got := float64(c.Parts[i].Documents)
				if by == ByToken {
					got = float64(c.Parts[i].Tokens)
				}
				if off := got/total - w/sum; math.Abs(off) > 0.001 {
					t.Errorf("%d weights by %v: corpus %d has %.4f, want %.4f", len(test.weights), by, i, got/total, w/sum)
				}
			}
		}
	}
}

func TestMixtureResumes(t *testing.T) {
	for _, by := range []Unit{ByDocument, ByToken} {
		for _, o := range []Objective{Causal, classification} {
			cfg := testMixture(o, by)
			cfg.BatchSize, cfg.MicroBatchSize = 2, 1
			bs := drain(t, open(t, cfg, Cursor{}), 2*210)
			for k := range 200 {
				l, err := NewLoader(cfg, bs[2*k+1].Cursor)
				if err != nil {
					t.Fatal(err)
				}
				for i := 2*k + 2; i < min(len(bs), 2*k+40); i++ {
					b, err := l.Next(context.Background())
					if err != nil {
						t.Fatal(err)
					}
					if !equal(b, &bs[i]) {
						t.Fatalf("%v by %v: resumed after batch %d: batch %d differs", o, by, k, i/2)
					}
				}
				l.Close()
			}
		}
	}
}

// Each corpus of a mixture goes through its records in an order of its own, each once
// an epoch, and comes round again.
func TestMixtureWraps(t *testing.T) {
	cfg := testMixture(Causal, ByDocument)
	bs := drain(t, open(t, cfg, Cursor{}), 400)
	for part, p := range cfg.Mixture {
		var stream []int64
		for i := range bs {
			for _, s := range bs[i].Seqs {
				if int(s.Part) == part && bs[i].Dec.Positions[int(s.Row)*16+int(s.First)] == 0 && bs[i].Dec.Tokens[int(s.Row)*16+int(s.First)] == 0 {
					stream = append(stream, s.Doc)
				}
			}
		}
		usable := 0
		for _, r := range p.Records.(inMemory) {
			if r.Text != "" {
				usable++
			}
		}
		if len(stream) < 2*usable {
			t.Fatalf("%s: %d documents, fewer than two epochs of %d", p.Name, len(stream), usable)
		}
		checkEpochs(t, stream[:2*usable], p.Records.(inMemory), func(r corpus.Record) bool { return r.Text != "" })
		last := bs[len(bs)-1].Cursor.Parts[part]
		if d := last.Documents - int64(len(stream)); d < -1 || d > 1 { // the last may be in the midst
			t.Errorf("%s: %d documents, the cursor says %+v", p.Name, len(stream), last)
		}
		if last.Position <= p.Records.Rows() {
			t.Errorf("%s: the cursor does not show that it came round: %+v", p.Name, last)
		}
	}
}

func TestMixtureFaults(t *testing.T) {
	good := inMemory{{Text: "abc"}}
	cfg := testConfig(nil, Causal)
	cfg.Mixture = []Part{{Name: "a", Records: good, Weight: 0}, {Name: "a", Records: inMemory{}, Weight: 1}}
	_, err := NewLoader(cfg, Cursor{})
	for _, want := range []string{`"a" has weight 0`, `"a" is listed twice`, `"a" is empty`, "1 epochs of a mixture"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	cfg = testMixture(Causal, ByDocument)
	for _, from := range []Cursor{
		{Position: 3}, {Position: 3, Parts: make([]Drawn, 3)}, {Parts: make([]Drawn, 2)}, {Epoch: 1, Parts: make([]Drawn, 3)},
		{Position: 1, Parts: []Drawn{{1, 2, 3}, {}, {}}},
	} {
		if _, err := NewLoader(cfg, from); err == nil {
			t.Errorf("cursor %+v is taken", from)
		}
	}
	cfg.Mixture[1].Records = inMemory{{Null: true}, {Null: true}}
	l := open(t, cfg, Cursor{})
	for range 1000 {
		if _, err = l.Next(context.Background()); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), `2 records of corpus "part1"`) {
		t.Errorf("a corpus without text: %v", err)
	}
}

func TestWeights(t *testing.T) {
	if w := Weights([]float64{900, 100}, 1); math.Abs(w[0]-0.9) > 1e-15 {
		t.Errorf("temperature 1: %v", w)
	}
	if w := Weights([]float64{900, 100}, 2); math.Abs(w[0]-0.75) > 1e-15 {
		t.Errorf("temperature 2: %v", w)
	}
}

// Ranks see parts of the same global batches, and their parts make up the whole.
func TestRanksMakeUpTheWhole(t *testing.T) {
	mixture := testMixture(Causal, ByToken)
	single := testConfig(randomCorpus(rand.New(rand.NewPCG(5, 5)), 300, 16), classification)
	for name, cfg := range map[string]Config{
		"mixture": mixture, "single": single, "masked": testMixture(Masked, ByToken), "permutation": testMixture(Permutation, ByDocument),
		"span_corruption": testMixture(SpanCorruption, ByToken), "prefix_lm": testMixture(PrefixLM, ByDocument),
		"consecutive": consecutive(randomCorpus(rand.New(rand.NewPCG(5, 5)), 600, 16)),
	} {
		cfg.BatchSize, cfg.MicroBatchSize = 16, 2
		whole := drain(t, open(t, cfg, Cursor{}), 8*6)
		for _, world := range []int{1, 2, 8} {
			var ranks [][]Batch
			for rank := range world {
				cfg.Rank, cfg.World = rank, world
				ranks = append(ranks, drain(t, open(t, cfg, Cursor{}), len(whole)/world))
				// And from a cursor, as after a restart.
				from := ranks[rank][2*8/world-1].Cursor
				for i, b := range drain(t, open(t, cfg, from), 8/world) {
					if !equal(&b, &ranks[rank][2*8/world+i]) {
						t.Fatalf("%s: rank %d of %d: micro-batch %d differs after resuming", name, rank, world, i)
					}
				}
			}
			each := 8 / world
			for i := range whole {
				step, m := i/8, i%8
				got, want := ranks[m/each][step*each+m%each], whole[i]
				last := m%each == each-1
				if got.Last != last || last && !got.Cursor.Equal(whole[step*8+7].Cursor) {
					t.Fatalf("%s: %d ranks: micro-batch %d: last %v, cursor %+v", name, world, i, got.Last, got.Cursor)
				}
				got.Last, got.Cursor = want.Last, want.Cursor
				if !equal(&got, &want) {
					t.Fatalf("%s: %d ranks: micro-batch %d differs", name, world, i)
				}
			}
		}
		cfg.World = 3
		if _, err := NewLoader(cfg, Cursor{}); err == nil || !strings.Contains(err.Error(), "8 micro-batches cannot be shared out evenly among 3 ranks") {
			t.Errorf("3 ranks: %v", err)
		}
	}
}

// framed has more special tokens than one, and a text that encodes to one of them.
type framed struct{ byteTokenizer }

func (framed) Special(name string) (int32, bool) {
	id, ok := map[string]int32{"<|endoftext|>": 0, "<s>": 300, "</s>": 301}[name]
	return id, ok
}

func (framed) Encode(dst []int32, text string) []int32 {
	if text == "framed" {
		dst = append(dst, 300)
	}
	return byteTokenizer{}.Encode(dst, text)
}

func TestSpecialTokensAroundDocuments(t *testing.T) {
	for _, test := range []struct {
		bos, eos, sep   string
		o               Objective
		tokens, targets []int32
	}{
		{"<s>", "</s>", "", Causal, []int32{300, 'a' + 1, 'b' + 1, 300, 'c' + 1, 301, 301, 301}, []int32{'a' + 1, 'b' + 1, 301, 'c' + 1, 301, -1, -1, -1}},
		{"", "</s>", "", Causal, []int32{301, 'a' + 1, 'b' + 1, 301, 'c' + 1, 301, 301, 301}, []int32{'a' + 1, 'b' + 1, 301, 'c' + 1, 301, -1, -1, -1}},
		{"<s>", "", "", Causal, []int32{300, 'a' + 1, 300, 300, 300, 300, 300, 300}, []int32{'a' + 1, 'b' + 1, 'c' + 1, -1, -1, -1, -1, -1}},
		{"", "", "<|endoftext|>", Causal, []int32{0, 'a' + 1, 'b' + 1, 0, 'c' + 1, 0, 0, 0}, []int32{'a' + 1, 'b' + 1, 0, 'c' + 1, 0, -1, -1, -1}},
		{"", "</s>", "", classification, []int32{'a' + 1, 'b' + 1, 301, 'c' + 1, 301, 301, 301, 301}, nil},
		{"<s>", "", "", classification, []int32{300, 'a' + 1, 'b' + 1, 300, 'c' + 1, 300, 300, 300}, nil},
	} {
		cfg := testConfig(inMemory{{Text: "ab", HasLabel: true, Label: "a"}, {Text: "c", HasLabel: true, Label: "b"}}, test.o)
		cfg.Tokenizer, cfg.BOS, cfg.EOS, cfg.Separator = framed{}, test.bos, test.eos, test.sep
		cfg.T, cfg.BatchSize, cfg.Shuffle = 8, 1, false
		b := drain(t, open(t, cfg, Cursor{}), 1)[0]
		if !reflect.DeepEqual(b.Dec.Tokens, test.tokens) || test.o == Causal && !reflect.DeepEqual(b.Targets, test.targets) {
			t.Errorf("bos %q, eos %q, separator %q, %v: tokens %v, targets %v", test.bos, test.eos, test.sep, test.o, b.Dec.Tokens, b.Targets)
		}
		cfg.Records = inMemory{{Text: "framed", HasLabel: true, Label: "a"}}
		_, err := open(t, cfg, Cursor{}).Next(context.Background())
		if doubled := err != nil && strings.Contains(err.Error(), "doubled"); doubled != (test.bos == "<s>") {
			t.Errorf("bos %q: a text that encodes with its own: %v", test.bos, err)
		}
	}
	cfg := testConfig(inMemory{{IDs: []int32{5, 0}}}, Causal)
	if _, err := open(t, cfg, Cursor{}).Next(context.Background()); err == nil || !strings.Contains(err.Error(), "doubled") {
		t.Errorf("tokens with an end of their own: %v", err)
	}
}

// Anywhere in a mixture of two corpora of 500 shards on disk each: the record there, and
// a loader's first batch out of a full packing window. median-ms says more than ns/op
// where other programs run.
func BenchmarkResume(b *testing.B) {
	const docs, window = 220_000, 1024
	cfg := Config{
		Tokenizer: byteTokenizer{}, Objective: classification, Labels: []string{"a"}, T: 256, BatchSize: 8, MaxSeqs: 8, Seed: 3, Shuffle: true, Window: window,
	}
	for i := range 2 {
		dir := b.TempDir()
		w := source.NewShards(dir, "train", 64<<10, "text", "label")
		r := rand.New(rand.NewPCG(1, uint64(i)))
		for range docs {
			w.Append(source.Value{Text: strings.Repeat("word ", 5+r.IntN(90))}, source.Value{Text: "a"})
		}
		shards, err := w.Close()
		if err != nil {
			b.Fatal(err)
		}
		if len(shards) < 500 {
			b.Fatalf("%d shards", len(shards))
		}
		c, err := corpus.Prepare(context.Background(), corpus.Spec{From: dir}, b.TempDir(), nil)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		cfg.Mixture = append(cfg.Mixture, Part{Name: fmt.Sprint(i), Records: c.Train, Weight: []float64{0.7, 0.3}[i]})
	}
	r := rand.New(rand.NewPCG(2, 2))
	anywhere := func() Cursor {
		c := Cursor{Parts: make([]Drawn, 2), Position: window * r.Int64N(200)}
		first := c.Position * 7 / 10
		c.Parts[0] = Drawn{first, first, 100 * first}
		c.Parts[1] = Drawn{c.Position - first, c.Position - first, 100 * (c.Position - first)}
		return c
	}
	measure := func(name string, do func(c Cursor)) {
		b.Run(name, func(b *testing.B) {
			var took []float64
			for b.Loop() {
				c := anywhere()
				start := time.Now()
				do(c)
				took = append(took, time.Since(start).Seconds()*1e3)
			}
			slices.Sort(took)
			b.ReportMetric(took[len(took)/2], "median-ms")
			b.ReportMetric(took[0], "least-ms")
		})
	}
	measure("record", func(c Cursor) {
		cfg := cfg.WithDefaults()
		if _, _, err := newReader(&cfg, c, &Stats{}, nil).read(&c, nil); err != nil {
			b.Fatal(err)
		}
	})
	measure("window", func(c Cursor) {
		l, err := NewLoader(cfg, c)
		if err != nil {
			b.Fatal(err)
		}
		defer l.Close()
		if _, err := l.Next(context.Background()); err != nil {
			b.Fatal(err)
		}
	})
}

// One of 1,000 corpora, anywhere: opening a loader there, and drawing a window.
func BenchmarkMixtureSeek(b *testing.B) {
	cfg := Config{Tokenizer: byteTokenizer{}, Objective: classification, Labels: []string{"a"}, T: 256, BatchSize: 8, Seed: 3, Shuffle: true}
	from := Cursor{Parts: make([]Drawn, 1000)}
	for i := range from.Parts {
		c := make(inMemory, 1000)
		for k := range c {
			c[k] = corpus.Record{Text: strings.Repeat("word ", 5+(i+k)%30), HasLabel: true, Label: "a"}
		}
		cfg.Mixture = append(cfg.Mixture, Part{Name: fmt.Sprint(i), Records: c, Weight: 1 + float64(i%7)})
		n := int64(1024 * (1 + i%7))
		from.Parts[i] = Drawn{n, n, 100 * n}
		from.Position += n
	}
	b.Run("record", func(b *testing.B) {
		cfg := cfg.WithDefaults()
		for b.Loop() {
			r := newReader(&cfg, from, &Stats{}, nil)
			c := from.clone()
			if _, _, err := r.read(&c, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("window", func(b *testing.B) {
		for b.Loop() {
			l, err := NewLoader(cfg, from)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := l.Next(context.Background()); err != nil {
				b.Fatal(err)
			}
			l.Close()
		}
	})
}

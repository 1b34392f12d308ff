package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
)

// byteTokenizer has a token a byte, after the end of text, which is 0.
type byteTokenizer struct{}

func (byteTokenizer) Encode(dst []int32, text string) []int32 {
	for i := range len(text) {
		if text[i] != 0xff { // stands for text that a tokenizer makes nothing of
			dst = append(dst, int32(text[i])+1)
		}
	}
	return dst
}

func (byteTokenizer) Decode(ids []int32) string {
	var b []byte
	for _, id := range ids {
		if id > 0 {
			b = append(b, byte(id-1))
		}
	}
	return string(b)
}

func (byteTokenizer) Special(name string) (int32, bool) { return 0, name == "<|endoftext|>" }
func (byteTokenizer) Size() int                         { return 257 }

// corpus is records in memory; a Path of "broken" cannot be read.
type inMemory []corpus.Record

func (c inMemory) Rows() int64 { return int64(len(c)) }
func (c inMemory) Record(i int64) (corpus.Record, error) {
	if c[i].Path == "broken" {
		return corpus.Record{}, errors.New("shard-3.arrow: record batch 2: body is cut short")
	}
	return c[i], nil
}

var classes = []string{"a", "b", "c"}

// randomCorpus has documents of the lengths at which packing could go wrong.
func randomCorpus(r *rand.Rand, n, T int) inMemory {
	c := make(inMemory, n)
	for i := range c {
		length := []int{0, 1, max(0, T-3), max(0, T-2), T - 1, T, T + 1, 2 * T, 10 * T, r.IntN(3 * T), r.IntN(T)}[r.IntN(11)]
		text := make([]byte, length)
		for k := range text {
			text[k] = byte('a' + r.IntN(26))
		}
		c[i] = corpus.Record{Text: string(text), Path: fmt.Sprint("doc", i)}
		if r.IntN(4) > 0 {
			c[i].HasLabel, c[i].Label = true, classes[r.IntN(3)]
		}
		if r.IntN(10) == 0 {
			c[i] = corpus.Record{Null: true, HasLabel: true, Label: "a"}
		}
	}
	return c
}

func testConfig(c inMemory, o Objective) Config {
	cfg := Config{
		Records: c, Tokenizer: byteTokenizer{}, Objective: o, Labels: classes,
		T: 16, BatchSize: 4, Seed: 1, Shuffle: true, Epochs: 1, Window: 10, MaxSeqs: 3,
	}
	if o != Causal && o != classification {
		cfg.Tokenizer = withSpecials{}
	}
	return cfg
}

// classification is the objective of labelled texts.
var classification = Labelled(task.Classification)

var everyObjective = []Objective{Causal, classification, Masked, Permutation, SpanCorruption, PrefixLM}

// withSpecials has the special tokens of all objectives.
type withSpecials struct{ byteTokenizer }

const maskID, padID, sentinelID = 257, 258, 260

func (withSpecials) Size() int { return 300 }

func (withSpecials) Special(name string) (int32, bool) {
	var i int32
	switch n, _ := fmt.Sscanf(name, "<extra_id_%d>", &i); {
	case n == 1:
		return sentinelID + i, i < 40
	case name == "<mask>":
		return maskID, true
	case name == "<pad>":
		return padID, true
	}
	return byteTokenizer{}.Special(name)
}

func open(t *testing.T, cfg Config, from Cursor) *Loader {
	t.Helper()
	l, err := NewLoader(cfg, from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func clone(b *Batch) Batch {
	c := *b
	for _, s := range []*Stream{&c.Dec, &c.Enc} {
		s.Tokens, s.Segments = slices.Clone(s.Tokens), slices.Clone(s.Segments)
		s.Positions, s.Order, s.Types = slices.Clone(s.Positions), slices.Clone(s.Order), slices.Clone(s.Types)
	}
	c.Targets, c.Weights, c.Seqs, c.Before = slices.Clone(b.Targets), slices.Clone(b.Weights), slices.Clone(b.Seqs), slices.Clone(b.Before)
	return c
}

func equal(a, b *Batch) bool {
	return a.B == b.B && a.NumTargets == b.NumTargets && a.Last == b.Last && a.Cursor.Equal(b.Cursor) &&
		equalStreams(&a.Dec, &b.Dec) && equalStreams(&a.Enc, &b.Enc) &&
		slices.Equal(a.Targets, b.Targets) && slices.Equal(a.Weights, b.Weights) && slices.Equal(a.Seqs, b.Seqs) && slices.Equal(a.Before, b.Before)
}

func equalStreams(a, b *Stream) bool {
	return a.T == b.T && slices.Equal(a.Tokens, b.Tokens) && slices.Equal(a.Segments, b.Segments) &&
		slices.Equal(a.Positions, b.Positions) && slices.Equal(a.Order, b.Order)
}

// drain reads to the end, or n batches.
func drain(t *testing.T, l *Loader, n int) []Batch {
	t.Helper()
	var bs []Batch
	for len(bs) != n {
		b, err := l.Next(context.Background())
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		bs = append(bs, clone(b))
	}
	return bs
}

// checkRows is what holds of every batch, whatever the objective: segments are runs
// numbered from 1, what is not in one is padding, and sequences say where they lie.
func checkRows(t *testing.T, b *Batch) {
	t.Helper()
	T := b.Dec.T
	if len(b.Dec.Tokens) != b.B*T {
		t.Fatalf("%d tokens in %d rows of %d", len(b.Dec.Tokens), b.B, T)
	}
	covered := make([]bool, b.B*T)
	segment, row := int32(0), int32(-1)
	for _, s := range b.Seqs {
		if s.Row != row {
			segment, row = 0, s.Row
		}
		segment++
		for p := s.First; p <= s.Last; p++ {
			i := int(s.Row)*T + int(p)
			if covered[i] {
				t.Fatalf("position %d belongs to two sequences", i)
			}
			covered[i] = true
			if b.Dec.Segments[i] != segment || b.Dec.Positions[i] != p-s.First {
				t.Fatalf("row %d, position %d: segment %d, position %d; want %d, %d", s.Row, p, b.Dec.Segments[i], b.Dec.Positions[i], segment, p-s.First)
			}
		}
	}
	for i, c := range covered {
		if causal := b.Objective == Causal || b.Objective == classification || b.Objective == SpanCorruption; (causal || !c) && b.Dec.Order[i] != int32(i%T) {
			t.Fatalf("order[%d] = %d", i, b.Dec.Order[i])
		}
		if !c && (b.Dec.Segments[i] != -1 || b.Dec.Positions[i] != 0 || b.Dec.Tokens[i] != 0 && b.Dec.Tokens[i] != padID ||
			b.Targets != nil && (b.Targets[i] != -1 || b.Weights[i] != 0)) {
			t.Fatalf("position %d is in no sequence, and no padding", i)
		}
	}
}

// checkGlobal is what holds of the micro-batches of each global batch.
func checkGlobal(t *testing.T, bs []Batch, size int, targets func(*Batch) int) {
	t.Helper()
	if len(bs)%size != 0 {
		t.Fatalf("%d micro-batches, not a multiple of %d", len(bs), size)
	}
	var before Cursor
	for ; len(bs) > 0; bs = bs[size:] {
		sum := 0
		for i := range size {
			b := &bs[i]
			sum += targets(b)
			if b.Last != (i == size-1) || b.NumTargets != bs[0].NumTargets {
				t.Fatalf("micro-batch %d of %d: last %v, %d targets of %d", i, size, b.Last, b.NumTargets, bs[0].NumTargets)
			}
			if !b.Last && !b.Cursor.Equal(before) {
				t.Fatalf("micro-batch %d of %d: cursor %+v, want the start, %+v", i, size, b.Cursor, before)
			}
		}
		if sum != bs[0].NumTargets || sum == 0 {
			t.Fatalf("%d targets, NumTargets %d", sum, bs[0].NumTargets)
		}
		if before.Equal(bs[size-1].Cursor) {
			t.Fatalf("the cursor stays at %+v", before)
		}
		before = bs[size-1].Cursor
	}
}

func TestCausalScoresEveryTokenOnce(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 2))
		T := []int{1, 2, 3, 8, 16, 33}[r.IntN(6)]
		c := append(randomCorpus(r, 1+r.IntN(40), T), corpus.Record{Text: "one at least"})
		cfg := testConfig(c, Causal)
		cfg.T, cfg.Epochs, cfg.Seed = T, 2, seed
		cfg.BatchSize = 1 + r.IntN(5)
		cfg.MicroBatchSize = 1
		l := open(t, cfg, Cursor{})
		bs := drain(t, l, -1)
		checkGlobal(t, bs, cfg.BatchSize, func(b *Batch) int {
			n := 0
			for i, x := range b.Targets {
				if (x >= 0) != (b.Weights[i] == 1) || (x < 0) != (b.Weights[i] == 0) {
					t.Fatalf("target %d has weight %g", x, b.Weights[i])
				}
				if x >= 0 {
					n++
				}
			}
			return n
		})

		// Put the documents together again in the order of the stream.
		var stream []int64 // documents as they begin
		var got, before []int32
		finish := func(doc int64) {
			want := append(byteTokenizer{}.Encode(nil, c[doc].Text), 0)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: targets of document %d: %v, want %v", seed, doc, got, want)
			}
			got = nil
		}
		padding := false
		for k := range bs {
			b := &bs[k]
			checkRows(t, b)
			for i := range b.Dec.Segments {
				if padding && b.Dec.Segments[i] >= 0 {
					t.Fatalf("seed %d: padding before the end of the stream", seed)
				}
				padding = padding || b.Dec.Segments[i] < 0
			}
			for _, s := range b.Seqs {
				at := int(s.Row) * T
				in := b.Dec.Tokens[at+int(s.First) : at+int(s.Last)+1]
				out := b.Targets[at+int(s.First) : at+int(s.Last)+1]
				if !slices.Equal(in[1:], out[:len(out)-1]) {
					t.Fatalf("seed %d: inputs %v, targets %v are not one shift apart", seed, in, out)
				}
				if len(got) == 0 {
					stream = append(stream, s.Doc)
					if in[0] != 0 {
						t.Fatalf("seed %d: document %d begins with %d", seed, s.Doc, in[0])
					}
				} else if in[0] != before[len(before)-1] || s.Doc != stream[len(stream)-1] || s.First != 0 {
					t.Fatalf("seed %d: document %d goes on with %d after %v", seed, s.Doc, in[0], before)
				}
				got, before = append(got, out...), out
				if out[len(out)-1] == 0 {
					finish(s.Doc)
				}
			}
		}
		if len(got) != 0 {
			t.Fatalf("seed %d: the last document has no end", seed)
		}
		checkEpochs(t, stream, c, func(r corpus.Record) bool { return r.Text != "" })
		s := l.Stats()
		if s.Documents != int64(len(stream)) || s.Positions != int64(len(bs)*T) {
			t.Errorf("seed %d: stats %+v", seed, s)
		}
	}
}

// checkEpochs: the stream is two epochs, each of them every wanted record once, in
// different orders.
func checkEpochs(t *testing.T, stream []int64, c inMemory, wanted func(corpus.Record) bool) {
	t.Helper()
	var want []int64
	for i, r := range c {
		if wanted(r) {
			want = append(want, int64(i))
		}
	}
	if len(stream) != 2*len(want) {
		t.Fatalf("%d documents in two epochs of %d", len(stream), len(want))
	}
	first, second := slices.Clone(stream[:len(want)]), slices.Clone(stream[len(want):])
	if len(want) > 10 && (slices.Equal(first, second) || slices.IsSorted(first)) {
		t.Errorf("epochs are not in orders of their own: %v, %v", first, second)
	}
	slices.Sort(first)
	slices.Sort(second)
	if !slices.Equal(first, want) || !slices.Equal(second, want) {
		t.Errorf("epochs %v, %v: want each of %v once", first, second, want)
	}
}

// A fine-tuned document is a target of its own as well, its weights sum up to LMWeight,
// and the tokens that training does not see are others in each epoch.
func TestClassificationAgainstLearningByHeart(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	c := randomCorpus(r, 60, 40)
	for i := range c {
		c[i].HasLabel, c[i].Label = true, "a"
		c[i].Text += "some text of a length"
	}
	cfg := testConfig(c, classification)
	cfg.T, cfg.Epochs, cfg.BatchSize, cfg.MicroBatchSize = 64, 2, 4, 4
	cfg.LMWeight, cfg.TokenDropout, cfg.Mask = 0.5, 0.25, "<|mask|>"
	cfg.Tokenizer = masked{}
	dropped := map[int64][]string{}
	hidden, tokens := 0, 0
	for _, b := range drain(t, open(t, cfg, Cursor{}), -1) {
		for _, s := range b.Seqs {
			at := int(s.Row) * b.Dec.T
			first, last := at+int(s.First), at+int(s.Last)
			want := append(byteTokenizer{}.Encode([]int32{0}, c[s.Doc].Text), 0)
			if len(want) > cfg.T {
				want = append(want[:cfg.T-1], 0)
			}
			if got := b.Targets[first:last]; !slices.Equal(got, want[1:]) || b.Targets[last] != -1 {
				t.Fatalf("document %d: targets %v, want %v and none at the end", s.Doc, b.Targets[first:last+1], want[1:])
			}
			sum := float32(0)
			for _, w := range b.Weights[first : last+1] {
				sum += w
			}
			if math.Abs(float64(sum)-0.5) > 1e-5 {
				t.Errorf("document %d: weights sum up to %g, want 0.5", s.Doc, sum)
			}
			var where strings.Builder
			for i, id := range b.Dec.Tokens[first : last+1] {
				if id == 256 {
					fmt.Fprint(&where, i, " ")
					hidden++
				} else if id != want[i] {
					t.Fatalf("document %d: token %d is %d, want %d or the mask", s.Doc, i, id, want[i])
				}
			}
			if b.Dec.Tokens[first] != 0 || b.Dec.Tokens[last] != 0 {
				t.Errorf("document %d: the tokens around it are masked", s.Doc)
			}
			tokens += last - first - 1
			dropped[s.Doc] = append(dropped[s.Doc], where.String())
		}
	}
	// 5 standard deviations of a binomial number.
	if p := float64(hidden) / float64(tokens); math.Abs(p-0.25) > 5*math.Sqrt(0.25*0.75/float64(tokens)) {
		t.Errorf("%d of %d tokens masked, want a quarter", hidden, tokens)
	}
	for doc, where := range dropped {
		if len(where) != 2 || where[0] == where[1] {
			t.Errorf("document %d: masked at %q", doc, where)
		}
	}
}

// masked has a special token for what is not to be seen.
type masked struct{ byteTokenizer }

func (masked) Special(name string) (int32, bool) {
	if name == "<|mask|>" {
		return 256, true
	}
	return byteTokenizer{}.Special(name)
}

func TestClassificationLabelsEveryDocumentOnce(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 3))
		T := []int{3, 4, 8, 16, 33}[r.IntN(5)]
		c := append(randomCorpus(r, 1+r.IntN(40), T), corpus.Record{Text: "one at least", HasLabel: true, Label: "c"})
		cfg := testConfig(c, classification)
		cfg.T, cfg.Epochs, cfg.Seed = T, 2, seed
		cfg.Window, cfg.MaxSeqs = 1+r.IntN(50), 1+r.IntN(4)
		cfg.BatchSize = 2 * (1 + r.IntN(3))
		cfg.MicroBatchSize = 2
		l := open(t, cfg, Cursor{})
		bs := drain(t, l, -1)
		checkGlobal(t, bs, cfg.BatchSize/2, func(b *Batch) int { return len(b.Seqs) })
		var stream []int64
		cut := int64(0)
		for k := range bs {
			b := &bs[k]
			checkRows(t, b)
			rows := map[int32]int{}
			size := cfg.MicroBatchSize * cfg.MaxSeqs
			pool, labels := make([]int32, size), make([]int32, size)
			b.Pool(pool)
			b.Labels(labels)
			for i := range size {
				if i >= len(b.Seqs) {
					if pool[i] != -1 || labels[i] != -1 {
						t.Fatalf("pool %v, labels %v for %d sequences", pool, labels, len(b.Seqs))
					}
					continue
				}
				s := b.Seqs[i]
				if rows[s.Row]++; rows[s.Row] > cfg.MaxSeqs {
					t.Fatalf("seed %d: row %d has more than %d sequences", seed, s.Row, cfg.MaxSeqs)
				}
				text := c[s.Doc].Text
				if len(text) > T-2 {
					text = text[:T-2]
					cut++
				}
				want := append(byteTokenizer{}.Encode([]int32{0}, text), 0)
				last := int(pool[i])
				if got := b.Dec.Tokens[last-len(want)+1 : last+1]; !slices.Equal(got, want) || s.Last-s.First+1 != int32(len(want)) {
					t.Fatalf("seed %d: document %d is %v, want %v", seed, s.Doc, got, want)
				}
				if classes[labels[i]] != c[s.Doc].Label {
					t.Fatalf("seed %d: document %d has label %d", seed, s.Doc, labels[i])
				}
				stream = append(stream, s.Doc)
			}
		}
		checkEpochs(t, stream, c, func(r corpus.Record) bool { return r.Text != "" && r.HasLabel })
		if s := l.Stats(); s.Truncated != cut {
			t.Errorf("seed %d: %d documents cut, stats %+v", seed, cut, s)
		}
	}
}

func TestResumeGivesTheSameStream(t *testing.T) {
	for _, o := range everyObjective {
		r := rand.New(rand.NewPCG(9, 9))
		cfg := testConfig(randomCorpus(r, 120, 16), o)
		cfg.BatchSize, cfg.MicroBatchSize, cfg.Epochs = 2, 1, 7
		if o == classification {
			cfg.Epochs = 14
		}
		cfg.WholeWordMask = true
		bs := drain(t, open(t, cfg, Cursor{}), -1)
		if len(bs) < 2*210 {
			t.Fatalf("%v: only %d batches", o, len(bs)/2)
		}
		for k := range 200 {
			l, err := NewLoader(cfg, bs[2*k+1].Cursor)
			if err != nil {
				t.Fatal(err)
			}
			// The cursor is all there is to go on: some batches show that it is the same, and
			// now and then those to the end.
			for i := 2*k + 2; i < 2*k+10 || k%20 == 0; i++ {
				b, err := l.Next(context.Background())
				if i == len(bs) && err == io.EOF {
					break
				}
				if err != nil {
					t.Fatalf("%v: resumed after batch %d: batch %d: %v", o, k, i/2, err)
				}
				if !equal(b, &bs[i]) {
					t.Fatalf("%v: resumed after batch %d: batch %d differs", o, k, i/2)
				}
			}
			l.Close()
		}
		end := open(t, cfg, bs[len(bs)-1].Cursor)
		if _, err := end.Next(context.Background()); err != io.EOF {
			t.Errorf("%v: resumed at the end: %v", o, err)
		}
	}
}

// The content of a global batch depends neither on the size of the micro-batches nor
// on the threads of the machine.
func TestGlobalBatchIsTheSameHoweverItIsCut(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, o := range everyObjective {
		cfg := testConfig(randomCorpus(rand.New(rand.NewPCG(5, 5)), 300, 16), o)
		cfg.BatchSize, cfg.Epochs = 32, 2
		var want Batch // everything, rows counted through
		for i, micro := range []int{32, 8, 1, 4} {
			runtime.GOMAXPROCS(1 + i%3)
			cfg.MicroBatchSize = micro
			var all Batch
			var ends []Cursor
			for _, b := range drain(t, open(t, cfg, Cursor{}), -1) {
				for _, s := range b.Seqs {
					s.Row += int32(all.B)
					all.Seqs = append(all.Seqs, s)
				}
				all.B += b.B
				all.Dec.Tokens = append(all.Dec.Tokens, b.Dec.Tokens...)
				all.Dec.Segments = append(all.Dec.Segments, b.Dec.Segments...)
				all.Dec.Order = append(all.Dec.Order, b.Dec.Order...)
				all.Enc.Tokens = append(all.Enc.Tokens, b.Enc.Tokens...)
				all.Targets = append(all.Targets, b.Targets...)
				if b.Last {
					ends = append(ends, b.Cursor)
					all.NumTargets = all.NumTargets*31 + b.NumTargets
				}
			}
			all.Cursor = ends[len(ends)/2]
			if i == 0 {
				want = all
			} else if !reflect.DeepEqual(all, want) {
				t.Errorf("%v: %d×%d differs from 1×32", o, 32/micro, micro)
			}
		}
	}
}

func TestEvaluationKeepsTheOrderAndPadsTheEnd(t *testing.T) {
	c := inMemory{{Text: "first"}, {Text: "second"}, {Text: "third"}}
	cfg := testConfig(c, Causal)
	cfg.Shuffle, cfg.BatchSize, cfg.T = false, 4, 8
	bs := drain(t, open(t, cfg, Cursor{}), -1)
	if len(bs) != 1 {
		t.Fatalf("%d batches", len(bs))
	}
	b := &bs[0]
	want := []Seq{
		{Row: 0, First: 0, Last: 5, Label: -1, Pair: -1, Doc: 0},
		{Row: 0, First: 6, Last: 7, Label: -1, Pair: -1, Doc: 1},
		{Row: 1, First: 0, Last: 4, Label: -1, Pair: -1, Doc: 1},
		{Row: 1, First: 5, Last: 7, Label: -1, Pair: -1, Doc: 2},
		{Row: 2, First: 0, Last: 2, Label: -1, Pair: -1, Doc: 2},
	}
	if !reflect.DeepEqual(b.Seqs, want) {
		t.Errorf("sequences %+v", b.Seqs)
	}
	if b.NumTargets != 6+7+6 || !b.Cursor.Equal(Cursor{Epoch: 1}) {
		t.Errorf("%d targets, cursor %+v", b.NumTargets, b.Cursor)
	}
	checkRows(t, b)
}

func TestSkipsAreCounted(t *testing.T) {
	c := inMemory{
		{Text: "good", HasLabel: true, Label: "a"}, {Null: true}, {Text: ""}, {Text: strings.Repeat("x", 51)},
		{Text: strings.Repeat("x", 50), HasLabel: true, Label: "b"}, {Text: "unlabelled"}, {Null: true},
	}
	cfg := testConfig(c, Causal)
	cfg.MaxDocBytes = 50
	l := open(t, cfg, Cursor{})
	drain(t, l, -1)
	s := l.Stats()
	s.Wait = 0
	want := Stats{Documents: 3, Bytes: 64, Tokens: 64, Positions: 2 * 4 * 16, Null: 2, Empty: 1, TooLong: 1}
	want.Padding = want.Positions - 64 - 3
	if s != want {
		t.Errorf("causal: %+v, want %+v", s, want)
	}
	cfg.Objective = classification
	l = open(t, cfg, Cursor{})
	drain(t, l, -1)
	s = l.Stats()
	s.Wait = 0
	want = Stats{Documents: 2, Bytes: 54, Tokens: 54, Positions: 64, Padding: 64 - 6 - 16, Null: 2, Empty: 1, TooLong: 1,
		Unlabelled: 1, Truncated: 1, TruncatedTokens: 36}
	if s != want {
		t.Errorf("classification: %+v, want %+v", s, want)
	}
}

func TestErrorsNameTheRecord(t *testing.T) {
	good := corpus.Record{Text: strings.Repeat("good ", 40), HasLabel: true, Label: "a"}
	for _, test := range []struct {
		name   string
		c      inMemory
		o      Objective
		epochs int
		want   []string
	}{
		{"invalid UTF-8", inMemory{good, {Text: "abc\xffdef", Path: "net/x.go:3"}}, Causal, 1, []string{"record 1", "net/x.go:3", "invalid UTF-8 at byte 3"}},
		{"valid U+FFFD before", inMemory{good, {Text: "\ufffd\xff"}}, Causal, 1, []string{"at byte 3"}},
		{"unreadable", inMemory{good, {Path: "broken"}}, classification, 1, []string{"shard-3.arrow: record batch 2"}},
		{"strange label", inMemory{good, {Text: "x", HasLabel: true, Label: "A"}}, classification, 1, []string{"record 1", `label "A"`, "3 known", `did you mean "a"`}},
		{"nothing usable", inMemory{{Null: true}, {Text: ""}, {Null: true}}, Causal, 0, []string{"3 records", "2 null", "1 empty"}},
		{"nothing labelled", inMemory{{Text: "x"}}, classification, 0, []string{"1 records", "1 without a label"}},
	} {
		cfg := testConfig(test.c, test.o)
		cfg.Shuffle, cfg.Epochs = false, test.epochs
		l := open(t, cfg, Cursor{})
		var err error
		for range 100 {
			if _, err = l.Next(context.Background()); err != nil {
				break
			}
		}
		for _, want := range test.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v lacks %q", test.name, err, want)
			}
		}
		if _, again := l.Next(context.Background()); again != err {
			t.Errorf("%s: then %v", test.name, again)
		}
	}
}

// What can be used before an error is handed out first.
func TestErrorComesAfterTheGoodBatches(t *testing.T) {
	c := inMemory{{Text: strings.Repeat("x", 16*4*3)}, {Path: "broken"}}
	cfg := testConfig(c, Causal)
	cfg.Shuffle = false
	l := open(t, cfg, Cursor{})
	if n := len(drain(t, l, 3)); n != 3 {
		t.Fatalf("%d batches", n)
	}
	if _, err := l.Next(context.Background()); err == nil || err == io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestNewLoaderReportsEveryFault(t *testing.T) {
	_, err := NewLoader(Config{
		Objective: classification, T: 2, BatchSize: 6, MicroBatchSize: 4, Epochs: -1, Separator: "</s>", EOS: "<e>", Rank: 3, World: 2,
		Records: inMemory{}, Tokenizer: byteTokenizer{}, Labels: []string{"x", "x"}, Window: -1, MaxSeqs: -1, MaxDocBytes: -1,
	}, Cursor{})
	for _, want := range []string{"rows of 2", "micro-batch size 4", "-1 epochs", `"</s>"`, `no special token "<e>"`, "doubled", "rank 3 of 2", "corpus is empty", `"x" is listed twice`, "window of -1", "-1 documents a row", "at most -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
	if _, err := NewLoader(Config{}, Cursor{}); err == nil {
		t.Error("the zero Config is taken")
	}
	cfg := testConfig(inMemory{{Text: "abc", HasLabel: true, Label: "a"}}, classification)
	for _, from := range []Cursor{{Epoch: -1}, {Position: 5}, {Position: 1e6}} {
		if _, err := NewLoader(cfg, from); err == nil {
			t.Errorf("cursor %+v is taken", from)
		}
	}
	for o, from := range map[Objective]Cursor{Causal: {Offset: 4}, classification: {Offset: 1}} {
		cfg.Objective = o
		if _, err := open(t, cfg, from).Next(context.Background()); err == nil || err == io.EOF {
			t.Errorf("%v: cursor %+v: %v", o, from, err)
		}
	}
	if _, err := ParseObjective("casual"); err == nil || !strings.Contains(err.Error(), `"casual" (known: causal, prefix_lm`) {
		t.Errorf("%v", err)
	}
	for _, o := range Objectives {
		if got, err := ParseObjective(o.String()); got != o || err != nil {
			t.Errorf("%v: %v, %v", o, got, err)
		}
	}
}

// blocked is a corpus whose reading does not return until it is let go.
type blocked struct {
	inMemory
	letGo chan struct{}
}

func (b blocked) Record(i int64) (corpus.Record, error) {
	<-b.letGo
	return b.inMemory.Record(i)
}

// empty is a number of documents without text.
type empty int64

func (e empty) Rows() int64                           { return int64(e) }
func (empty) Record(int64) (r corpus.Record, _ error) { return }

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	c := randomCorpus(rand.New(rand.NewPCG(1, 1)), 50, 16)
	for i := range 20 {
		cfg := testConfig(c, everyObjective[i%2])
		cfg.Epochs = i % 3
		l := open(t, cfg, Cursor{})
		drain(t, l, i%7)
		l.Close()
		l.Close()
		var err error
		for range 2 * ahead {
			if _, err = l.Next(context.Background()); err != nil {
				break
			}
		}
		if err == nil {
			t.Fatal("a closed loader goes on")
		}
	}
	// In the midst of passing over a large number of documents.
	cfg := testConfig(nil, Causal)
	cfg.Records = empty(1 << 40)
	open(t, cfg, Cursor{}).Close()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond) // Close waits for the function, not for the runtime's bookkeeping
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

func TestNextHeedsItsContext(t *testing.T) {
	b := blocked{inMemory{{Text: "abc"}}, make(chan struct{})}
	cfg := testConfig(b.inMemory, Causal)
	cfg.Records = b
	l := open(t, cfg, Cursor{})
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(5*time.Millisecond, cancel)
	if _, err := l.Next(ctx); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(b.letGo)
	if _, err := l.Next(context.Background()); err != nil {
		t.Errorf("the loader is not to be used after a cancelled wait: %v", err)
	}
	if _, err := l.Next(context.Background()); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

// A tokenizer that finds special tokens in text, as Hugging Face's do, must not find
// them in documents.
type naive struct{ byteTokenizer }

func (naive) Encode(dst []int32, text string) []int32 {
	for i, part := range strings.Split(text, "<|endoftext|>") {
		if i > 0 {
			dst = append(dst, 0)
		}
		dst = byteTokenizer{}.Encode(dst, part)
	}
	return dst
}

func (n naive) Ordinary() tokenizer.Tokenizer { return n.byteTokenizer }

func TestDocumentsCannotWriteSpecialTokens(t *testing.T) {
	cfg := testConfig(inMemory{{Text: "a<|endoftext|>b"}}, Causal)
	cfg.Tokenizer, cfg.T, cfg.BatchSize = naive{}, 32, 1
	b := drain(t, open(t, cfg, Cursor{}), 1)[0]
	if want := len("a<|endoftext|>b") + 1; b.NumTargets != want || slices.Index(b.Targets, 0) != want-1 {
		t.Errorf("targets %v", b.Targets)
	}
}

// The micro-batches of a global batch stay as they are until the next one is asked for.
func TestMicroBatchesLiveTogether(t *testing.T) {
	cfg := testConfig(randomCorpus(rand.New(rand.NewPCG(1, 4)), 200, 16), Causal)
	cfg.MicroBatchSize = 1
	l := open(t, cfg, Cursor{})
	for range 10 {
		var held []*Batch
		var copies []Batch
		for range 4 {
			b, err := l.Next(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, b)
			copies = append(copies, clone(b))
		}
		runtime.Gosched()
		for i := range held {
			if !equal(held[i], &copies[i]) {
				t.Fatalf("micro-batch %d changed", i)
			}
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	for _, o := range []Objective{Causal, Masked, Permutation, SpanCorruption, PrefixLM} {
		c := randomCorpus(rand.New(rand.NewPCG(1, 6)), 50, 16)
		cfg := testConfig(c, o)
		cfg.Epochs, cfg.MicroBatchSize = 0, 2
		l := open(t, cfg, Cursor{})
		drain(t, l, 200)
		allocs := testing.AllocsPerRun(500, func() {
			if _, err := l.Next(context.Background()); err != nil {
				t.Fatal(err)
			}
		})
		if allocs > 0 { // rounded down: a slice may still grow now and then
			t.Errorf("%v: %g allocations a batch", o, allocs)
		}
	}
}

func BenchmarkLoader(b *testing.B) {
	for _, o := range everyObjective {
		b.Run(o.String(), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			c := make(inMemory, 5000)
			for i := range c {
				c[i] = corpus.Record{Text: strings.Repeat("word ", 12+r.IntN(100)), HasLabel: true, Label: "a"}
			}
			cfg := testConfig(c, o)
			cfg.T, cfg.BatchSize, cfg.Epochs, cfg.Window, cfg.MaxSeqs = 256, 32, 0, 0, 0
			l, err := NewLoader(cfg, Cursor{})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.SetBytes(256 * 32)
			for b.Loop() {
				if _, err := l.Next(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			s := l.Stats()
			b.ReportMetric(float64(b.N)*256*32/b.Elapsed().Seconds()/1e6, "Mtokens/s")
			b.ReportMetric(100*float64(s.Padding)/float64(s.Positions), "%padding")
		})
	}
}

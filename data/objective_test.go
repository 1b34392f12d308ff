package data

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/data/tokenizer"
)

// letters is a corpus of n texts of spaced words.
func letters(r *rand.Rand, n, longest int) inMemory {
	c := make(inMemory, n)
	for i := range c {
		b := make([]byte, 1+r.IntN(longest))
		for k := range b {
			b[k] = "abcdefghijklmnopqrstuvwxyz    "[r.IntN(30)]
		}
		c[i].Text = string(b)
	}
	return c
}

// text is what byteTokenizer and withSpecials make of a document.
func text(c inMemory, s *Seq) []int32 { return byteTokenizer{}.Encode(nil, c[s.Doc].Text) }

// walk goes through the sequences of batches, with the place in its document at which
// each begins, and the epoch. taken is how much of the document a sequence has.
func walk(t *testing.T, c inMemory, bs []Batch, taken func(b *Batch, s *Seq) int, each func(b *Batch, s *Seq, epoch, from, n int)) {
	t.Helper()
	from, last, epoch := 0, int64(-1), map[int64]int{}
	for k := range bs {
		b := &bs[k]
		checkRows(t, b)
		for i := range b.Seqs {
			s := &b.Seqs[i]
			if from > 0 && s.Doc != last {
				t.Fatalf("document %d begins within document %d", s.Doc, last)
			}
			n := taken(b, s)
			each(b, s, epoch[s.Doc], from, n)
			if from, last = from+n, s.Doc; from == len(text(c, s)) {
				from = 0
				epoch[s.Doc]++
			} else if from > len(text(c, s)) {
				t.Fatalf("document %d: %d tokens of %d", s.Doc, from, len(text(c, s)))
			}
		}
	}
	if from != 0 {
		t.Fatalf("document %d has no end", last)
	}
}

// within fails where a number of successes is further from the expectation than five
// standard deviations of a binomial one.
func within(t *testing.T, what string, got, n int, p float64) {
	t.Helper()
	if off := math.Abs(float64(got) - p*float64(n)); off > 5*math.Sqrt(p*(1-p)*float64(n)) {
		t.Errorf("%s: %d of %d, %.4f; want %.4f", what, got, n, float64(got)/float64(n), p)
	}
}

func targets(b *Batch) (n int) {
	for i, x := range b.Targets {
		if (x >= 0) != (b.Weights[i] == 1) || x < 0 && b.Weights[i] != 0 {
			return -1
		}
		if x >= 0 {
			n++
		}
	}
	return n
}

// framedText is how much text a sequence with a token before and behind has.
func framedText(_ *Batch, s *Seq) int { return int(s.Last-s.First) - 1 }

func TestMaskedHidesItsShares(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(1, 7)), 300, 400)
	for _, m := range []Masking{{}, {MLMProbability: 0.4, MaskReplaceProb: 0.5, RandomReplaceProb: 0.5}, {MLMProbability: 0.3, MaskReplaceProb: 1}} {
		cfg := testConfig(c, Masked)
		cfg.Masking, cfg.T, cfg.Epochs = m, 64, 2
		m = cfg.WithDefaults().Masking
		bs := drain(t, open(t, cfg, Cursor{}), -1)
		checkGlobal(t, bs, 1, targets)
		var tokens, chosen, masks, others, kept, lone int
		places := map[int64][2][]int{}
		walk(t, c, bs, framedText, func(b *Batch, s *Seq, epoch, from, n int) {
			at := int(s.Row)*b.Dec.T + int(s.First)
			want := text(c, s)[from : from+n]
			if b.Dec.Tokens[at] != 0 || b.Dec.Tokens[at+n+1] != 0 || b.Targets[at] != -1 || b.Targets[at+n+1] != -1 {
				t.Fatalf("document %d: the tokens around it are hidden", s.Doc)
			}
			here := 0
			for i, id := range want {
				in, target := b.Dec.Tokens[at+1+i], b.Targets[at+1+i]
				if b.Dec.Order[at+i] != 0 {
					t.Fatalf("order %d: not bidirectional", b.Dec.Order[at+i])
				}
				if target < 0 {
					if in != id {
						t.Fatalf("document %d: token %d is %d, want %d", s.Doc, from+i, in, id)
					}
					continue
				}
				if target != id {
					t.Fatalf("document %d: target %d is %d, want %d", s.Doc, from+i, target, id)
				}
				p := places[s.Doc]
				p[epoch] = append(p[epoch], from+i)
				places[s.Doc] = p
				here++
				switch in {
				case maskID:
					masks++
				case id:
					kept++
				case 0:
					t.Fatalf("a special token, %d, stands in", in)
				default:
					others++
				}
			}
			if here == 0 {
				t.Fatalf("document %d from %d: nothing to predict in %d tokens", s.Doc, from, n)
			}
			if here == 1 {
				lone++
			}
			tokens, chosen = tokens+n, chosen+here
		})
		// A sequence of which no token was chosen has one all the same: these are among the
		// lone ones, and raise the share by no more.
		if p := m.MLMProbability; float64(chosen) < p*float64(tokens)-5*math.Sqrt(p*(1-p)*float64(tokens)) ||
			float64(chosen-lone) > p*float64(tokens)+5*math.Sqrt(p*(1-p)*float64(tokens)) {
			t.Errorf("%+v: %d of %d tokens chosen, %d of them lone", m, chosen, tokens, lone)
		}
		within(t, "masked", masks, chosen, m.MaskReplaceProb)
		within(t, "another token", others, chosen, m.RandomReplaceProb*(1-1./298)) // which may be the same one
		within(t, "kept", kept, chosen, 1-m.MaskReplaceProb-m.RandomReplaceProb+m.RandomReplaceProb/298)
		same := 0
		for doc, p := range places {
			if len(p[0]) > 10 && reflect.DeepEqual(p[0], p[1]) {
				same++
				t.Errorf("document %d: the same tokens are hidden in both epochs", doc)
			}
		}
	}
}

// What becomes of a token depends on its document, wherever rows end and whatever the
// others are: unless its piece would have had no target.
func TestMaskedDependsOnTheDocumentAlone(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 7))
	c := letters(r, 120, 600)
	for _, whole := range []bool{false, true} {
		type place struct {
			doc int64
			at  int
		}
		hidden := make([]map[place]int32, 2)
		lone := map[place]bool{}
		for k, T := range []int{96, 61} {
			cfg := testConfig(c, Masked)
			cfg.T, cfg.WholeWordMask, cfg.MLMProbability = T, whole, 0.3
			if k == 1 {
				cfg.BatchSize, cfg.Epochs = 7, 1
			}
			hidden[k] = map[place]int32{}
			walk(t, c, drain(t, open(t, cfg, Cursor{}), -1), framedText, func(b *Batch, s *Seq, _, from, n int) {
				at := int(s.Row)*b.Dec.T + int(s.First) + 1
				var list []place
				for i := range n {
					if b.Targets[at+i] >= 0 {
						list = append(list, place{s.Doc, from + i})
						hidden[k][place{s.Doc, from + i}] = b.Dec.Tokens[at+i]
					}
				}
				// One token, or one word, may be there for want of others.
				if list[len(list)-1].at-list[0].at == len(list)-1 {
					for _, p := range list {
						lone[p] = true
					}
				}
			})
		}
		same := 0
		for p, in := range hidden[0] {
			if other, ok := hidden[1][p]; ok && other == in {
				same++
			} else if ok || !lone[p] {
				t.Errorf("whole words %v: document %d, token %d: %d in rows of 96, %d (%v) in rows of 61", whole, p.doc, p.at, in, other, ok)
			}
		}
		for p := range hidden[1] {
			if _, ok := hidden[0][p]; !ok && !lone[p] {
				t.Errorf("whole words %v: document %d, token %d is hidden in rows of 61 alone", whole, p.doc, p.at)
			}
		}
		if same < 1000 {
			t.Errorf("only %d tokens compared", same)
		}
	}
}

func TestWholeWordsAreMaskedWhole(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(2, 7)), 300, 400)
	cfg := testConfig(c, Masked)
	cfg.T, cfg.WholeWordMask = 128, true
	var words, chosen, pieces int
	walk(t, c, drain(t, open(t, cfg, Cursor{}), -1), framedText, func(b *Batch, s *Seq, _, from, n int) {
		at := int(s.Row)*b.Dec.T + int(s.First) + 1
		full := c[s.Doc].Text
		pieces++
		for i := 0; i < n; {
			end := i + 1
			for end < n && full[from+i] != ' ' && full[from+end] != ' ' {
				end++
			}
			is := b.Targets[at+i] >= 0
			for k := i; k < end; k++ {
				if (b.Targets[at+k] >= 0) != is {
					t.Fatalf("document %d: a part of the word %q is hidden", s.Doc, full[from+i:from+end])
				}
			}
			words++
			if is {
				chosen++
			}
			i = end
		}
	})
	// Those of pieces that would have none, beside.
	if float64(chosen) < 0.15*float64(words)-5*math.Sqrt(0.15*0.85*float64(words)) || chosen > int(0.16*float64(words))+pieces/4 {
		t.Errorf("%d of %d words, %d pieces", chosen, words, pieces)
	}
}

// vocabulary is a tokenizer of given pieces, which Decode joins.
type vocabulary []string

func (v vocabulary) Encode(dst []int32, _ string) []int32 { return dst }
func (v vocabulary) Special(string) (int32, bool)         { return 0, false }
func (v vocabulary) Size() int                            { return len(v) }
func (v vocabulary) Decode(ids []int32) (s string) {
	for _, id := range ids {
		s += v[id]
	}
	return s
}

// wordPieces spells its tokens as BERT's vocabulary does.
type wordPieces struct{ vocabulary }

func (w wordPieces) Info() tokenizer.Info  { return tokenizer.Info{Kind: "wordpiece"} }
func (w wordPieces) Token(id int32) string { return w.vocabulary[id] }
func (w wordPieces) Decode(ids []int32) string {
	return strings.ReplaceAll(w.vocabulary.Decode(ids), "##", "")
}

func TestWords(t *testing.T) {
	for _, test := range []struct {
		pieces []string
		tok    func([]string) tokenizer.Tokenizer
		want   string // a bar before each token that begins a word
	}{
		{[]string{"The", " un", "believ", "able", "!", "!", " x", "86", "_", "64", "\n", "end"}, nil, "|The| unbelievable|!|!| x86|_|64|\n|end"},
		{[]string{"한", "국", "어는", " 말", "이다"}, nil, "|한국어는| 말이다"},
		{[]string{"漢", "字", "かな", "a", "b"}, nil, "|漢|字|かな|ab"},
		{[]string{"na", "\xc3", "\xaf", "ve", " ", "\xf0\x9f", "\x98\x80", "!"}, nil, "|na\xc3\xafve| |\xf0\x9f\x98\x80|!"},
		{[]string{"", "", "a", ""}, nil, "|||a|"},
		{[]string{"play", "##ing", "play", "-", "##x", "漢", "字"}, func(p []string) tokenizer.Tokenizer { return wordPieces{vocabulary(p)} }, "|play##ing|play|-##x|漢|字"},
	} {
		tok := tokenizer.Tokenizer(vocabulary(test.pieces))
		if test.tok != nil {
			tok = test.tok(test.pieces)
		}
		w := newWordTable(tok)
		got := "|" + test.pieces[0]
		ids := []int32{0}
		for i := 1; i < len(test.pieces); i++ {
			ids = append(ids, int32(i))
			if w.begins(int32(i-1), int32(i)) {
				got += "|"
			}
			got += test.pieces[i]
		}
		if got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
		for i := range ids {
			if s := w.start(ids, i); w.end(ids, s) <= i || s > i || s > 0 && !w.begins(ids[s-1], ids[s]) {
				t.Errorf("%q: token %d: word from %d to %d", got, i, s, w.end(ids, s))
			}
		}
	}
}

// Each target sees what comes before it in the factorisation order and what is only
// read; what is only read sees no target, through any number of layers.
func TestPermutation(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(4, 7)), 300, 400)
	cfg := testConfig(c, Permutation)
	cfg.T, cfg.Epochs = 64, 2
	bs := drain(t, open(t, cfg, Cursor{}), -1)
	checkGlobal(t, bs, 1, targets)
	var tokens, predicted, pieces int
	after, pairs := 0, 0 // neighbouring targets, of which the right one comes later
	runs := map[int]int{}
	orders := map[string][]string{}
	walk(t, c, bs, framedText, func(b *Batch, s *Seq, epoch, from, n int) {
		at := int(s.Row)*b.Dec.T + int(s.First)
		want := text(c, s)[from : from+n]
		var order []int32
		run := 0
		for i := range n + 2 {
			o, target := b.Dec.Order[at+i], b.Targets[at+i]
			framing := i == 0 || i == n+1
			if framing && b.Dec.Tokens[at+i] != 0 || !framing && b.Dec.Tokens[at+i] != want[i-1] {
				t.Fatalf("document %d: token %d is %d", s.Doc, from+i-1, b.Dec.Tokens[at+i])
			}
			if target < 0 {
				if o != 0 {
					t.Fatalf("document %d: a token that is only read has order %d", s.Doc, o)
				}
				if run > 0 {
					runs[run]++
				}
				run = 0
				continue
			}
			if framing || target != want[i-1] || o < 1 {
				t.Fatalf("document %d: target %d of order %d at %d", s.Doc, target, o, from+i-1)
			}
			if run++; run > 1 {
				pairs++
				if o > b.Dec.Order[at+i-1] {
					after++
				}
			}
			order = append(order, o)
		}
		key := fmt.Sprint(s.Doc, from, n)
		orders[key] = append(orders[key], fmt.Sprint(order))
		sorted := slices.Sorted(slices.Values(order))
		for k, o := range sorted {
			if o != int32(k+1) {
				t.Fatalf("document %d: orders %v are not 1 to %d", s.Doc, order, len(order))
			}
		}
		if len(order) == 0 {
			t.Fatalf("document %d: no targets", s.Doc)
		}
		tokens, predicted, pieces = tokens+n, predicted+len(order), pieces+1
	})
	if share := float64(predicted) / float64(tokens); math.Abs(share-1./6) > 0.015 {
		t.Errorf("%d of %d tokens predicted, want a sixth", predicted, tokens)
	}
	within(t, "right after left", after, pairs, 0.5)
	for n := 1; n <= 5; n++ {
		if runs[n] < pieces/20 {
			t.Errorf("spans of %d: only %d of %v", n, runs[n], runs)
		}
	}
	for key, o := range orders {
		if len(o) > 1 && len(o[0]) > 20 && o[0] == o[1] {
			t.Errorf("piece %s: both epochs have the order %s", key, o[0])
		}
	}
}

// A text has a probability: each token is predicted once, from what is before it.
func TestPermutationFromLeftToRight(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(4, 8)), 100, 200)
	cfg := testConfig(c, Permutation)
	cfg.T, cfg.LeftToRight = 64, true
	n, want := 0, 0
	walk(t, c, drain(t, open(t, cfg, Cursor{}), -1), framedText, func(b *Batch, s *Seq, _, from, n1 int) {
		at, last := int(s.Row)*b.Dec.T+int(s.First), int(s.Row)*b.Dec.T+int(s.Last)
		ends := from+n1 == len(text(c, s))
		for i := at; i <= last; i++ {
			target := b.Dec.Tokens[i]
			if i == at || i == last {
				target = -1
			}
			if b.Dec.Order[i] != int32(i-at) || b.Targets[i] != target {
				t.Fatalf("position %d: order %d, target %d, want %d", i-at, b.Dec.Order[i], b.Targets[i], target)
			}
			if target >= 0 {
				n++
			}
		}
		if ends {
			want += len(text(c, s))
		}
	})
	if n != want {
		t.Errorf("%d targets, want %d", n, want)
	}
}

// The encoder's text with its sentinels replaced by what the decoder writes is the text.
func TestSpanCorruption(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(5, 7)), 300, 700)
	cfg := testConfig(c, SpanCorruption)
	cfg.T, cfg.Epochs, cfg.Pad = 128, 2, "<pad>"
	bs := drain(t, open(t, cfg, Cursor{}), -1)
	checkGlobal(t, bs, 1, targets)
	if e, d := cfg.WithDefaults().T, cfg.WithDefaults().TargetLength; e != 128 || d != bs[0].Dec.T || d < 25 || d > 35 {
		t.Errorf("rows of %d and %d", e, d)
	}
	isSentinel := func(id int32) bool { return id >= sentinelID && id < sentinelID+40 }
	restore := func(b *Batch, s *Seq) (out []int32, noise, spans int) {
		at := int(s.Row)*b.Dec.T + int(s.First)
		last := int(s.Row)*b.Dec.T + int(s.Last)
		segment := b.Dec.Segments[at]
		var enc []int32
		for i, x := range b.Enc.Segments[int(s.Row)*b.Enc.T : (int(s.Row)+1)*b.Enc.T] {
			if i += int(s.Row) * b.Enc.T; x == segment {
				if b.Enc.Positions[i] != int32(len(enc)) || b.Enc.Order[i] != 0 {
					t.Fatalf("encoder: position %d, order %d of token %d", b.Enc.Positions[i], b.Enc.Order[i], len(enc))
				}
				enc = append(enc, b.Enc.Tokens[i])
			}
		}
		if enc[0] != 0 || enc[len(enc)-1] != 0 || b.Targets[last] != 0 || b.Dec.Tokens[at] != padID || !slices.Equal(b.Dec.Tokens[at+1:last+1], b.Targets[at:last]) {
			t.Fatalf("document %d: the encoder reads %v, the decoder %v and writes %v", s.Doc, enc, b.Dec.Tokens[at:last+1], b.Targets[at:last+1])
		}
		written := map[int32][]int32{}
		order := int32(sentinelID)
		for i := at; i < last; i++ {
			if id := b.Targets[i]; isSentinel(id) {
				if id != order {
					t.Fatalf("sentinel %d, want %d", id, order)
				}
				order++
			} else {
				written[order-1] = append(written[order-1], id)
				noise++
			}
		}
		for i, id := range enc[1 : len(enc)-1] {
			if !isSentinel(id) {
				out = append(out, id)
				continue
			}
			if isSentinel(enc[i]) || len(written[id]) == 0 {
				t.Fatalf("document %d: two spans that touch, or an empty one: %v", s.Doc, enc)
			}
			out = append(out, written[id]...)
			spans++
		}
		if spans != int(order)-sentinelID {
			t.Fatalf("%d sentinels read, %d written", spans, int(order)-sentinelID)
		}
		return out, noise, spans
	}
	ends, lengths, total := map[int]int{}, map[int]int{}, 0
	variants := map[string]string{}
	walk(t, c, bs, func(b *Batch, s *Seq) int { out, _, _ := restore(b, s); return len(out) }, func(b *Batch, s *Seq, epoch, from, n int) {
		out, noise, spans := restore(b, s)
		if want := text(c, s)[from : from+n]; !slices.Equal(out, want) {
			t.Fatalf("document %d: %v, want %v", s.Doc, out, want)
		}
		corruption := Corruption{0.15, 3}
		if x, y := corruption.of(n); x != noise || y != spans || n > 1 && noise != min(n-1, max(1, int(math.Round(0.15*float64(n))))) {
			t.Fatalf("%d of %d tokens in %d spans, want %d in %d", noise, n, spans, x, y)
		}
		if n > 100 {
			ends[spans]++
			total += spans
		}
		lengths[n]++
		key, now := fmt.Sprint(s.Doc, from, n), fmt.Sprint(b.Targets[int(s.Row)*b.Dec.T+int(s.First):int(s.Row)*b.Dec.T+int(s.Last)])
		if was, ok := variants[key]; ok && epoch == 1 && n > 30 && was == now {
			t.Errorf("document %d: both epochs hide the same", s.Doc)
		}
		variants[key] = now
	})
	if total == 0 {
		t.Errorf("no long texts: %v", lengths)
	}
}

// Every way to cut is as likely.
func TestCuts(t *testing.T) {
	d := dice(1)
	counts := map[string]int{}
	const n = 60000
	for range n {
		c := cuts{&d, 6, 3}
		counts[fmt.Sprint(c.next(), c.next(), c.next(), c.n)]++
	}
	if len(counts) != 10 { // 5 over 2
		t.Fatalf("%v", counts)
	}
	for k, x := range counts {
		if !strings.HasSuffix(k, " 0") {
			t.Errorf("%s does not add up", k)
		}
		within(t, k, x, n, 0.1)
	}
	for parts := 1; parts <= 4; parts++ {
		c, sum := cuts{&d, 4, parts}, 0
		for range parts {
			sum += c.next()
		}
		if sum != 4 {
			t.Errorf("%d parts of 4 add up to %d", parts, sum)
		}
	}
}

// Texts of every length, in rows of every size that is taken, with every share.
func TestSpanLengths(t *testing.T) {
	for _, c := range []Corruption{{0.15, 3}, {0.5, 1}, {0.5, 32}, {0.9, 2.5}, {0.01, 3}} {
		enc, dec := 0, 0
		for n := 1; n < 600; n++ {
			e, d := c.lengths(n, 2)
			if e < enc || d < dec {
				t.Fatalf("%+v: %d tokens: %d and %d, one fewer: %d and %d", c, n, e, d, enc, dec)
			}
			enc, dec = e, d
			if got := c.most(1000, e, d, 2); got < n {
				t.Fatalf("%+v: %d tokens become %d and %d, for which %d fit", c, n, e, d, got)
			}
			noise, count := c.of(n)
			if noise < 1 || noise >= n && n > 1 || count < 1 || count > noise || count > max(1, n-noise) {
				t.Fatalf("%+v: %d tokens: %d in %d spans", c, n, noise, count)
			}
		}
		for T := 3; T < 200; T++ {
			n := c.full(T, 2)
			e, _ := c.lengths(n, 2)
			if more, _ := c.lengths(n+1, 2); e > T || more <= T {
				t.Errorf("%+v: %d tokens for a row of %d: %d, and %d of one more", c, n, T, e, more)
			}
		}
	}
	// T5's own: 512 positions take 568 tokens, and the decoder 114 (t5/data/preprocessors.py,
	// random_spans_helper).
	c := Corruption{0.15, 3}
	if n := c.full(512, 1); n != 568 {
		t.Errorf("%d tokens for 512 positions", n)
	}
	if _, d := c.lengths(568, 1); d != 114 {
		t.Errorf("%d positions of the decoder", d)
	}
}

func TestPrefixLM(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(6, 7)), 600, 300)
	cfg := testConfig(c, PrefixLM)
	cfg.T, cfg.Epochs = 64, 2
	bs := drain(t, open(t, cfg, Cursor{}), -1)
	checkGlobal(t, bs, 1, targets)
	var tenths [10]int
	pieces := 0
	places := map[string]int{}
	for k := range bs {
		b := &bs[k]
		checkRows(t, b)
		for i := range b.Seqs {
			s := &b.Seqs[i]
			at, last := int(s.Row)*b.Dec.T+int(s.First), int(s.Row)*b.Dec.T+int(s.Last)
			n := last - at + 1
			prefix := 1
			for b.Targets[at+prefix-1] < 0 {
				prefix++
			}
			for i := range n {
				want := int32(-1)
				if i >= prefix-1 {
					if want = b.Targets[last]; i < n-1 {
						want = b.Dec.Tokens[at+i+1]
					}
				}
				if b.Targets[at+i] != want || b.Dec.Order[at+i] != int32(max(0, i-prefix+1)) {
					t.Fatalf("prefix of %d: target %d, order %d at %d", prefix, b.Targets[at+i], b.Dec.Order[at+i], i)
				}
			}
			if n >= 20 {
				tenths[(prefix-1)*10/n]++
				pieces++
			}
			if n == 64 {
				places[fmt.Sprint(s.Doc, b.Dec.Tokens[at:last+1])]++
			}
		}
	}
	for i, n := range tenths {
		if math.Abs(float64(n)-float64(pieces)/10) > 0.3*float64(pieces)/10 {
			t.Errorf("prefixes end in tenth %d of the piece %d times of %d: %v", i, n, pieces, tenths)
		}
	}
}

func TestObjectiveFaults(t *testing.T) {
	c := inMemory{{Text: "abc"}}
	for _, test := range []struct {
		o    Objective
		with func(*Config)
		want string
	}{
		{Masked, func(c *Config) { c.Tokenizer = byteTokenizer{} }, `no special token ""`},
		{Masked, func(c *Config) { c.Mask = "[M]" }, `no special token "[M]"`},
		{Masked, func(c *Config) { c.MLMProbability = 1.5 }, "mlm_probability 1.5"},
		{Masked, func(c *Config) { c.MaskReplaceProb, c.RandomReplaceProb = 0.8, 0.3 }, "random_replace_prob 0.3"},
		{Masked, func(c *Config) { c.T = 2 }, "rows of 2"},
		{Permutation, func(c *Config) { c.PLMProbability = math.NaN() }, "plm_probability NaN"},
		{Permutation, func(c *Config) { c.MaxSpanLength = -1 }, "spans of -1"},
		{SpanCorruption, func(c *Config) { c.NoiseDensity = 1 }, "noise_density 1"},
		{SpanCorruption, func(c *Config) { c.MeanNoiseSpanLength = 0.5 }, "mean_noise_span_length 0.5"},
		{SpanCorruption, func(c *Config) { c.T = 2000 }, "40 of the sentinels"},
		{SpanCorruption, func(c *Config) { c.BOS = "<pad>" }, "give one of them"},
		{SpanCorruption, func(c *Config) { c.TargetLength = 2 }, "2 for the decoder: want ≥ 3 and 3"},
		{SpanCorruption, func(c *Config) { c.Pad = "<p>" }, `"<p>"`},
		{PrefixLM, func(c *Config) { c.T = 0 }, "rows of 0"},
	} {
		cfg := testConfig(c, test.o)
		test.with(&cfg)
		if _, err := NewLoader(cfg, Cursor{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v lacks %q", test.o, err, test.want)
		}
	}
}

// Rows of the least sizes, texts of the least lengths: everything is laid, once.
func TestObjectivesOfTheLeastSizes(t *testing.T) {
	for _, o := range everyObjective[2:] {
		for T := 1; T < 9; T++ {
			for n := 1; n < 12; n++ {
				cfg := testConfig(inMemory{{Text: strings.Repeat("a", n)}, {Text: "b"}, {Text: strings.Repeat("c", 2*n)}}, o)
				cfg.T, cfg.BatchSize = T, 2
				l, err := NewLoader(cfg, Cursor{})
				if T < 3 && o != PrefixLM {
					if err == nil {
						t.Fatalf("%v: rows of %d are taken", o, T)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				for {
					b, err := l.Next(context.Background())
					if err == io.EOF {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					if targets(b) != b.NumTargets {
						t.Fatalf("%v: %d targets, %d", o, targets(b), b.NumTargets)
					}
				}
				if s := l.Stats(); s.Documents != 3 || s.Tokens != int64(3*n+1) {
					t.Errorf("%v: %+v", o, s)
				}
				l.Close()
			}
		}
	}
}

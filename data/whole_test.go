package data

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hone/data/corpus"
)

// withEnds has special tokens for every frame.
type withEnds struct{ withSpecials }

const bosID, eosID = 290, 291

func (withEnds) Special(name string) (int32, bool) {
	switch name {
	case "<s>":
		return bosID, true
	case "</s>":
		return eosID, true
	}
	return withSpecials{}.Special(name)
}

// frames are the ways in which documents begin and end.
var frames = []struct{ name, bos, eos, separator string }{
	{"bos", "<s>", "", ""}, {"eos", "", "</s>", ""}, {"bos and eos", "<s>", "</s>", ""}, {"separator", "", "", "<|endoftext|>"}, {"none named", "", "", ""},
}

// laid is what a batch has of each document, sequence by sequence: what is read and what is to
// be predicted, wherever it lies.
func laid(bs []Batch) map[int64][]string {
	docs := map[int64][]string{}
	for i := range bs {
		b := &bs[i]
		for _, s := range b.Seqs {
			at, last := int(s.Row)*b.Dec.T+int(s.First), int(s.Row)*b.Dec.T+int(s.Last)
			text := fmt.Sprint(b.Dec.Tokens[at:last+1], b.Targets[at:last+1], b.Dec.Positions[at:last+1], b.Weights[at:last+1])
			for j := int(s.Row) * b.Enc.T; j < (int(s.Row)+1)*b.Enc.T; j++ {
				if b.Enc.Segments[j] == b.Dec.Segments[at] {
					text += fmt.Sprint(" ", b.Enc.Tokens[j])
				}
			}
			if b.Before != nil && s.First == 0 { // of the row's first document
				text += fmt.Sprint(" after ", b.Before[s.Row])
			}
			text = strings.TrimSuffix(text, " after 0")
			docs[s.Doc] = append(docs[s.Doc], text)
		}
	}
	return docs
}

// The way in which a document is laid out depends on it alone, and one that fits a row is not cut.
func TestWholeDocuments(t *testing.T) {
	const T = 24
	r := rand.New(rand.NewPCG(3, 9))
	c := letters(r, 60, 90)
	for i := range 6 { // those that just fit, and that just do not
		c[i].Text = string(make([]byte, T-3+i))
	}
	for _, f := range frames {
		for _, o := range []Objective{Causal, Permutation, Masked, SpanCorruption} {
			if o == SpanCorruption && f.name == "bos" {
				continue // what a decoder writes has an end
			}
			for _, memory := range []bool{false, true} {
				if memory && o != Permutation {
					continue
				}
				cfg := testConfig(c, o)
				cfg.Tokenizer, cfg.BOS, cfg.EOS, cfg.Separator = withEnds{}, f.bos, f.eos, f.separator
				cfg.T, cfg.Shuffle, cfg.Whole, cfg.LeftToRight, cfg.Consecutive = T, false, true, true, memory
				cfg.Pad = "<pad>"
				bs := drain(t, open(t, cfg, Cursor{}), -1)
				for i := range bs {
					checkRows(t, &bs[i])
				}
				got := laid(bs)
				cfg.BatchSize, cfg.MicroBatchSize = 7, 0
				if more := laid(drain(t, open(t, cfg, Cursor{}), -1)); fmt.Sprint(more) != fmt.Sprint(got) {
					t.Errorf("%v, %s: another batch size lays documents out otherwise", o, f.name)
				}
				around := cfg.WithDefaults()
				fits := T - around.frame().size()
				if o == Causal {
					fits = T - 1 // what begins it is read; the end is not
					if f.name == "bos" {
						fits = T
					}
				}
				for i := range c {
					alone := cfg
					// Numbers make what is hidden: the document keeps its own.
					alone.Records = only{c, int64(i)}
					one := laid(drain(t, open(t, alone, Cursor{}), -1))
					if !slices.Equal(one[int64(i)], got[int64(i)]) {
						t.Fatalf("%v, %s, memory %v: document %d of %d bytes is laid out\n%v\nalone\n%v", o, f.name, memory, i, len(c[i].Text), got[int64(i)], one[int64(i)])
					}
					if n := len(got[int64(i)]); o != SpanCorruption && (n == 1) != (len(c[i].Text) <= fits) {
						t.Errorf("%v, %s: document %d of %d bytes is in %d pieces", o, f.name, i, len(c[i].Text), n)
					}
				}
			}
		}
	}
}

// only is one document of a corpus, in its place; the others have no text.
type only struct {
	inMemory
	i int64
}

func (o only) Record(i int64) (corpus.Record, error) {
	if i != o.i {
		return corpus.Record{}, nil
	}
	return o.inMemory.Record(i)
}

// Whatever is around documents, each token of their text is predicted once, the first too, and
// the end where there is one and it is learned.
func TestEveryTokenIsScoredOnce(t *testing.T) {
	const T = 24
	c := letters(rand.New(rand.NewPCG(3, 10)), 60, 90)
	for _, f := range frames {
		for _, o := range []Objective{Causal, Permutation} {
			cfg := testConfig(c, o)
			cfg.Tokenizer, cfg.BOS, cfg.EOS, cfg.Separator = withEnds{}, f.bos, f.eos, f.separator
			cfg.T, cfg.Shuffle, cfg.Whole, cfg.LeftToRight = T, false, true, true
			scored := map[int64][]int32{}
			for _, b := range drain(t, open(t, cfg, Cursor{}), -1) {
				for _, s := range b.Seqs {
					at, last := int(s.Row)*T+int(s.First), int(s.Row)*T+int(s.Last)
					for i := at; i <= last; i++ {
						if b.Targets[i] >= 0 {
							scored[s.Doc] = append(scored[s.Doc], b.Targets[i])
						}
					}
				}
			}
			end, ends := cfg.End()
			if want := o == Causal && f.name != "bos"; ends != want {
				t.Errorf("%v, %s: an end is scored: %v", o, f.name, ends)
			}
			for i := range c {
				want := byteTokenizer{}.Encode(nil, c[i].Text)
				if ends {
					want = append(want, end)
				}
				if got := scored[int64(i)]; !slices.Equal(got, want) {
					t.Fatalf("%v, %s: of document %d (%d bytes), %v is scored, want %v", o, f.name, i, len(c[i].Text), got, want)
				}
			}
		}
	}
}

// The last piece of a long document is read with as much before it as its row holds.
func TestWindowsOfLongDocuments(t *testing.T) {
	cfg := testConfig(inMemory{{Text: "abcdefghij"}, {Text: "xy"}}, Causal)
	cfg.T, cfg.BatchSize, cfg.Shuffle, cfg.Whole = 4, 1, false, true
	var got []string
	for _, b := range drain(t, open(t, cfg, Cursor{}), -1) {
		for _, s := range b.Seqs {
			text := ""
			for i := s.First; i <= s.Last; i++ {
				text += show(b.Dec.Tokens[i]) + ">" + show(b.Targets[i]) + " "
			}
			got = append(got, text)
		}
	}
	want := []string{
		".>a a>b b>c c>d ", "d>e e>f f>g g>h ", "g>_ h>i i>j j>. ", // of 11 targets 3 are left
		".>x x>y y>. ",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	longest, all, err := cfg.WithDefaults().Longest(t.Context())
	if longest != 4 || all != -1 || err != nil {
		t.Errorf("longest %d, all %d, %v", longest, all, err)
	}
	cfg.T = 64
	longest, all, err = cfg.WithDefaults().Longest(t.Context())
	if longest != 11 || all != 14 || err != nil {
		t.Errorf("longest %d, all %d, %v, want 11 and 14", longest, all, err)
	}
}

// A pair of texts takes a position more than one.
func TestWholePairs(t *testing.T) {
	cfg := testConfig(inMemory{{Text: "abcdefghijklm"}, {Text: "xy"}}, Masked)
	cfg.T, cfg.Shuffle, cfg.Whole, cfg.NextSentence = 16, false, true, true
	if longest, all, err := cfg.WithDefaults().Longest(t.Context()); longest != 16 || all != -1 || err != nil {
		t.Errorf("longest %d of %d, %v: 13 letters and 3 around them fill a row", longest, all, err)
	}
	cfg.T = 17
	if longest, all, err := cfg.WithDefaults().Longest(t.Context()); longest != 16 || all != 16+5 || err != nil {
		t.Errorf("longest %d of %d, %v, want 16 of 21", longest, all, err)
	}
	var n int
	for _, b := range drain(t, open(t, cfg, Cursor{}), -1) {
		checkRows(t, &b)
		n += len(b.Seqs)
	}
	if n < 2 {
		t.Errorf("%d pairs", n)
	}
}

func show(id int32) string {
	switch {
	case id < 0:
		return "_"
	case id == 0:
		return "."
	}
	return string(rune(id - 1))
}

package data

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func pairs(c inMemory) Config {
	cfg := testConfig(c, Masked)
	cfg.NextSentence, cfg.MaxSeqs = true, 100
	return cfg
}

// halves are the tokens of a pair without those around them, hidden ones as they were, and how
// much of the document it takes.
func halves(c inMemory, b *Batch, s *Seq) (a, after []int32, taken int) {
	at, n := int(s.Row)*b.Dec.T+int(s.First), int(s.Last-s.First)+1
	ids, types := slices.Clone(b.Dec.Tokens[at:at+n]), b.Dec.Types[at:at+n]
	for i := range ids {
		if b.Targets[at+i] >= 0 {
			ids[i] = b.Targets[at+i]
		}
	}
	cut := slices.Index(types, 1)
	a, after = ids[1:cut-1], ids[cut:n-1]
	if s.Label == follows {
		return a, after, len(a) + len(after)
	}
	return a, after, len(a)
}

func TestNextSentence(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(4, 4)), 400, 300)
	cfg := pairs(c)
	cfg.T, cfg.Epochs = 64, 2
	bs := drain(t, open(t, cfg, Cursor{}), -1)
	checkGlobal(t, bs, 1, targets)
	kinds, lengths := [2]int{}, [2]int{}
	from := map[int64]int{}
	ended := map[int64]int{}
	for k := range bs {
		b := &bs[k]
		checkRows(t, b)
		if want := float32(b.NumTargets) / float32(len(b.Seqs)); b.LabelWeight != want {
			t.Fatalf("labels weigh %g, want %g", b.LabelWeight, want)
		}
		for i := range b.Seqs {
			s := &b.Seqs[i]
			a, after, taken := halves(c, b, s)
			text := text(c, s)
			at := int(s.Row)*b.Dec.T + int(s.First)
			for _, edge := range []int{at, at + 1 + len(a), at + 2 + len(a) + len(after)} {
				if b.Dec.Tokens[edge] != 0 || b.Targets[edge] >= 0 {
					t.Fatalf("document %d: token %d around the texts, target %d", s.Doc, b.Dec.Tokens[edge], b.Targets[edge])
				}
			}
			if !slices.Equal(a, text[from[s.Doc]:][:len(a)]) {
				t.Fatalf("document %d: a pair does not begin with what comes at %d", s.Doc, from[s.Doc])
			}
			next := text[from[s.Doc]+len(a):]
			if s.Label == follows {
				if !slices.Equal(after, next[:len(after)]) {
					t.Fatalf("document %d: another text where the label says that it follows", s.Doc)
				}
			} else {
				found := false
				for other := range c {
					found = found || int64(other) != s.Doc && strings.Contains(c[other].Text, byteTokenizer{}.Decode(after))
				}
				if !found {
					t.Fatalf("document %d: the second text is of no other document", s.Doc)
				}
				if len(next) == 1 {
					taken++
				}
			}
			if len(text) > 1 { // else there is nothing that could follow
				kinds[s.Label]++
				lengths[s.Label] += len(a) + len(after)
			}
			if from[s.Doc] += taken; from[s.Doc] == len(text) {
				from[s.Doc] = 0
				ended[s.Doc]++
			}
			if targets := slices.IndexFunc(b.Targets[at:at+2+len(a)], func(x int32) bool { return x >= 0 }); targets < 0 {
				t.Fatalf("document %d: nothing is hidden in the first text", s.Doc)
			}
		}
	}
	for doc := range c {
		if ended[int64(doc)] != 2 {
			t.Errorf("document %d: %d times in two epochs", doc, ended[int64(doc)])
		}
	}
	within(t, "pairs that follow", kinds[0], kinds[0]+kinds[1], 0.5)
	if a, b := float64(lengths[0])/float64(kinds[0]), float64(lengths[1])/float64(kinds[1]); a/b < 0.9 || a/b > 1.1 {
		t.Errorf("pairs that follow have %.1f tokens, others %.1f", a, b)
	}
	// The second epoch has other pairs.
	half := 0
	for k := range bs {
		if bs[k].Cursor.Epoch == 0 {
			half = k
		}
	}
	if half == 0 || equalStreams(&bs[0].Dec, &bs[half+1].Dec) {
		t.Error("both epochs have the same pairs")
	}
}

func TestNextSentenceResumes(t *testing.T) {
	for _, words := range []bool{false, true} {
		cfg := pairs(randomCorpus(rand.New(rand.NewPCG(9, 9)), 120, 16))
		cfg.BatchSize, cfg.MicroBatchSize, cfg.Epochs, cfg.MaxSeqs, cfg.WholeWordMask = 2, 1, 4, 2, words
		bs := drain(t, open(t, cfg, Cursor{}), -1)
		most := 0
		for k := range 100 {
			most = max(most, len(bs[k].Seqs))
			l := open(t, cfg, bs[2*k+1].Cursor)
			for i := 2*k + 2; i < 2*k+8; i++ {
				b, err := l.Next(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if !equal(b, &bs[i]) || !slices.Equal(b.Dec.Types, bs[i].Dec.Types) || b.LabelWeight != bs[i].LabelWeight {
					t.Fatalf("resumed after batch %d: batch %d differs", k, i/2)
				}
			}
			l.Close()
		}
		if most != 2 {
			t.Errorf("%d pairs in a row, want at most 2", most)
		}
	}
	cfg := pairs(inMemory{{Text: "a"}}) // nothing else to set beside it
	cfg.Epochs = 1
	b, err := open(t, cfg, Cursor{}).Next(context.Background())
	if err != nil || len(b.Seqs) != 1 || b.Seqs[0].Label != doesNot {
		t.Errorf("%+v, %v", b, err)
	}
	cfg.Tokenizer, cfg.Separator, cfg.EOS = withSpecials{}, "", "<|endoftext|>"
	if _, err := NewLoader(cfg, Cursor{}); err == nil || !strings.Contains(err.Error(), "pairs of texts are set between bos and eos") {
		t.Error(err)
	}
}

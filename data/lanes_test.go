package data

import (
	"context"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func consecutive(c inMemory) Config {
	cfg := testConfig(c, Permutation)
	cfg.BatchSize, cfg.Consecutive = 4, true
	return cfg
}

// Each document lies in one row of batch after batch, each part of it once, and Before counts
// what the batches before have of it.
func TestDocumentsKeepToTheirRows(t *testing.T) {
	c := letters(rand.New(rand.NewPCG(3, 9)), 150, 120)
	for _, micro := range []int{4, 1} {
		cfg := consecutive(c)
		cfg.MicroBatchSize, cfg.Epochs = micro, 3
		bs := drain(t, open(t, cfg, Cursor{}), -1)
		type part struct {
			doc    int64 // -1: none
			from   int
			before int
		}
		rows, seen, going := make([]part, 4), map[int64]int{}, 0
		for i := range rows {
			rows[i].doc = -1
		}
		for k := range bs {
			b := &bs[k]
			checkRows(t, b)
			full := make([]int, b.B) // positions in use
			begun := make([]bool, b.B)
			for i := range b.Seqs {
				s := &b.Seqs[i]
				row := &rows[k*micro%4+int(s.Row)]
				switch {
				case begun[s.Row] || row.doc < 0:
					if row.doc >= 0 || !begun[s.Row] && b.Before[s.Row] != 0 {
						t.Fatalf("batch %d, row %d: document %d begins, %d has not ended; %d before", k, s.Row, s.Doc, row.doc, b.Before[s.Row])
					}
					*row = part{doc: s.Doc}
				case row.doc != s.Doc || int(b.Before[s.Row]) != row.before:
					t.Fatalf("batch %d, row %d: document %d with %d before, want %d with %d", k, s.Row, s.Doc, b.Before[s.Row], row.doc, row.before)
				default:
					going++
				}
				begun[s.Row] = true
				n, at := framedText(b, s), int(s.Row)*b.Dec.T+int(s.First)
				if !slices.Equal(b.Dec.Tokens[at+1:at+1+n], text(c, s)[row.from:row.from+n]) {
					t.Fatalf("batch %d, row %d: other tokens than those of document %d from %d", k, s.Row, s.Doc, row.from)
				}
				row.from, row.before, full[s.Row] = row.from+n, row.before+n+2, int(s.Last)+1
				if row.from == len(text(c, s)) {
					seen[s.Doc]++
					*row = part{doc: -1}
				}
			}
			for i, n := range full {
				if rows[k*micro%4+i].doc >= 0 && n != b.Dec.T {
					t.Fatalf("batch %d, row %d: a document goes on, but the row ends at %d", k, i, n)
				}
			}
		}
		for doc := range c {
			if seen[int64(doc)] != 3 {
				t.Errorf("document %d: %d times in 3 epochs", doc, seen[int64(doc)])
			}
		}
		if going < 100 {
			t.Errorf("only %d parts go on", going)
		}
	}
}

// A cursor is all that a resume needs: rows go on in the middle of their documents.
func TestConsecutiveRowsResume(t *testing.T) {
	mixture := testMixture(Permutation, ByToken)
	mixture.Consecutive = true
	for name, cfg := range map[string]Config{"single": consecutive(randomCorpus(rand.New(rand.NewPCG(9, 9)), 120, 16)), "mixture": mixture} {
		cfg.BatchSize, cfg.MicroBatchSize = 4, 2
		if name == "single" {
			cfg.Epochs = 4
		}
		bs := drain(t, open(t, cfg, Cursor{}), 2*100)
		for k := range 90 {
			l, err := NewLoader(cfg, bs[2*k+1].Cursor)
			if err != nil {
				t.Fatal(err)
			}
			for i := 2*k + 2; i < min(len(bs), 2*k+30); i++ {
				b, err := l.Next(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if !equal(b, &bs[i]) {
					t.Fatalf("%s: resumed after batch %d: batch %d differs", name, k, i/2)
				}
			}
			l.Close()
		}
		if name == "single" {
			all := drain(t, open(t, cfg, Cursor{}), -1)
			if _, err := open(t, cfg, all[len(all)-1].Cursor).Next(context.Background()); err != io.EOF {
				t.Errorf("resumed at the end: %v", err)
			}
		}
		from := bs[21].Cursor
		cfg.BatchSize = 2
		if _, err := NewLoader(cfg, from); err == nil || !strings.Contains(err.Error(), "does not fit batches of 2 rows") {
			t.Errorf("%s: a cursor of 4 rows for 2: %v", name, err)
		}
		cfg.BatchSize, cfg.Consecutive = 4, false
		if _, err := NewLoader(cfg, from); err == nil {
			t.Errorf("%s: rows of a cursor are lost in silence", name)
		}
	}
	cfg := testConfig(randomCorpus(rand.New(rand.NewPCG(9, 9)), 120, 16), classification)
	cfg.Consecutive = true
	if _, err := NewLoader(cfg, Cursor{}); err == nil || !strings.Contains(err.Error(), "classification takes documents whole") {
		t.Error(err)
	}
	// Nothing to learn from is an end, not a search without one.
	if _, err := open(t, consecutive(inMemory{{}, {}, {}}), Cursor{}).Next(context.Background()); err == nil {
		t.Error("a batch of an empty corpus")
	}
}

package data

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
)

// Of two texts that are too long the longer one loses tokens first, as with "longest_first" of
// Hugging Face's tokenizers 0.23.3, which gave these numbers.
func TestLongestFirst(t *testing.T) {
	for _, c := range []struct{ n, m, room, a, b int }{
		{3, 4, 10, 3, 4}, {3, 4, 7, 3, 4}, {3, 9, 10, 3, 7}, {9, 3, 10, 7, 3}, {9, 9, 10, 5, 5},
		{9, 9, 11, 5, 6}, {12, 9, 11, 6, 5}, {9, 12, 11, 5, 6}, {5, 9, 10, 5, 5}, {0, 9, 4, 0, 4},
	} {
		if a, b := longestFirst(c.n, c.m, c.room); a != c.a || b != c.b {
			t.Errorf("%d and %d in %d: %d and %d, want %d and %d", c.n, c.m, c.room, a, b, c.a, c.b)
		}
	}
}

// Pairs of texts have the ids and types of transformers, cut or not: see testdata/pairs.py.
func TestPairs(t *testing.T) {
	text, err := os.ReadFile("testdata/pairs.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref struct {
		Texts [][2]string
		Cases []struct {
			Name, BOS, EOS string
			Length         int
			Tokenizer      json.RawMessage
			IDs, Types     [][]int32
		}
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	for _, c := range ref.Cases {
		tok, err := tokenizer.Parse(c.Tokenizer)
		if err != nil {
			t.Fatal(err)
		}
		f, err := tok.PairFrame()
		if err != nil {
			t.Fatal(err)
		}
		var rows pairRecords
		for _, two := range ref.Texts {
			rows = append(rows, corpus.Record{Text: two[0], Fields: map[string]any{"second": two[1]}, Label: "yes", HasLabel: true})
		}
		of := task.Of(task.PairClassification)
		of.Columns.Pair.Column = "second"
		l, err := NewLoader(Config{
			Records: rows, Tokenizer: tok, Objective: OfTask(of), Labels: []string{"no", "yes"}, T: c.Length, BatchSize: len(rows), BOS: c.BOS, EOS: c.EOS, Epochs: 1,
			Pair: f, MaxSeqs: 1,
		}, Cursor{})
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		b, err := l.Next(t.Context())
		l.Close()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if len(b.Seqs) != len(rows) {
			t.Fatalf("%s: %d sequences", c.Name, len(b.Seqs))
		}
		for _, s := range b.Seqs {
			from, to := int(s.Row)*c.Length+int(s.First), int(s.Row)*c.Length+int(s.Last)+1
			if got := b.Dec.Tokens[from:to]; !slices.Equal(got, c.IDs[s.Doc]) {
				t.Errorf("%s, %d tokens, pair %d: %v, want %v", c.Name, c.Length, s.Doc, got, c.IDs[s.Doc])
			}
			if got := b.Dec.Types[from:to]; !slices.Equal(got, c.Types[s.Doc]) {
				t.Errorf("%s, %d tokens, pair %d: types %v, want %v", c.Name, c.Length, s.Doc, got, c.Types[s.Doc])
			}
		}
	}
}

type pairRecords []corpus.Record

func (r pairRecords) Rows() int64                           { return int64(len(r)) }
func (r pairRecords) Record(i int64) (corpus.Record, error) { return r[i], nil }

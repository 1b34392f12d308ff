package data

import (
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/data/corpus"
	"hone/data/tokenizer"
)

// slowBestFit is best-fit decreasing by looking at every row.
func slowBestFit(lengths []int, capacity, maxSeqs int) [][]int {
	var order []int
	for i := range lengths {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int { return lengths[b] - lengths[a] })
	var rows [][]int
	var room, touched []int
	for clock, i := range order {
		best := -1
		for r := range rows {
			if len(rows[r]) < maxSeqs && room[r] >= lengths[i] &&
				(best < 0 || room[r] < room[best] || room[r] == room[best] && touched[r] < touched[best]) {
				best = r
			}
		}
		if best < 0 {
			best = len(rows)
			rows, room, touched = append(rows, nil), append(room, capacity), append(touched, 0)
		}
		rows[best] = append(rows[best], i)
		room[best] -= lengths[i]
		touched[best] = clock
	}
	return rows
}

func TestBestFit(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 8))
		capacity, maxSeqs := 1+r.IntN(200), 1+r.IntN(8)
		lengths := make([]int, r.IntN(150))
		for i := range lengths {
			lengths[i] = 1 + r.IntN(capacity)
			if r.IntN(2) == 0 {
				lengths[i] = 1 + lengths[i]/5
			}
			lengths[i] = min(lengths[i], capacity)
		}
		rows := bestFit(lengths, capacity, maxSeqs)
		if want := slowBestFit(lengths, capacity, maxSeqs); !reflect.DeepEqual(rows, want) {
			t.Fatalf("seed %d: %v, want %v", seed, rows, want)
		}
		times := make([]int, len(lengths))
		for _, row := range rows {
			sum := 0
			for _, i := range row {
				sum += lengths[i]
				times[i]++
			}
			if sum > capacity || len(row) > maxSeqs || len(row) == 0 {
				t.Fatalf("seed %d: a row of %d sequences takes %d of %d", seed, len(row), sum, capacity)
			}
		}
		for i, n := range times {
			if n != 1 {
				t.Fatalf("seed %d: sequence %d is placed %d times", seed, i, n)
			}
		}
	}
}

// Windows of short documents packed into rows.
func BenchmarkPack(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 3))
	lengths, tokens := make([]int, 1024), 0
	for i := range lengths {
		lengths[i] = 1 + r.IntN(200)
		tokens += lengths[i]
	}
	for b.Loop() {
		bestFit(lengths, 256, 16)
	}
	b.ReportMetric(float64(b.N)*float64(tokens)/b.Elapsed().Seconds()/1e6, "Mtokens/s")
}

// words is a tokenizer of a token a word, after the end of text, which is 0.
type words struct{ byteTokenizer }

func (words) Encode(dst []int32, text string) []int32 {
	for range strings.Fields(text) {
		dst = append(dst, 1)
	}
	return dst
}

// Sentences of real lengths fill rows of 256 to 97 %: as words, and as bytes.
func TestPackingOfSST2(t *testing.T) {
	b, err := os.ReadFile("../../shared/data/sst2/train.tsv")
	if err != nil {
		t.Skip("the SST-2 sentences are not here: ", err)
	}
	var c inMemory
	for line := range strings.Lines(string(b)) {
		text, label, _ := strings.Cut(strings.TrimSpace(line), "\t")
		c = append(c, corpus.Record{Text: text, Label: label, HasLabel: true})
	}
	for name, tok := range map[string]tokenizer.Tokenizer{"words": words{}, "bytes": byteTokenizer{}} {
		cfg := Config{
			Records: c, Tokenizer: tok, Objective: classification, Labels: []string{"0", "1"},
			T: 256, BatchSize: 8, Seed: 1, Shuffle: true, Epochs: 1,
		}
		l := open(t, cfg, Cursor{})
		drain(t, l, -1)
		s := l.Stats()
		share := float64(s.Padding) / float64(s.Positions)
		t.Logf("%s: %d sentences of %.1f tokens, %d truncated, padding %.2f %%", name, s.Documents, float64(s.Tokens)/float64(s.Documents), s.Truncated, 100*share)
		if share > 0.03 {
			t.Errorf("%s: padding %.2f %%", name, 100*share)
		}
	}
}

package data

import (
	"math"
	"testing"

	"hone/data/corpus"
	"hone/data/task"
)

// Weights of labels add up to the number of labels of the global batch, in the ratio of their classes'.
func TestClassWeights(t *testing.T) {
	classes := []float32{0.5, 4}
	for _, micro := range []int{4, 1} {
		var docs inMemory
		for i := range 10 {
			docs = append(docs, corpus.Record{Text: "abc", Label: []string{"x", "x", "y"}[i%3], HasLabel: true})
		}
		c := Config{
			Records: docs, Tokenizer: byteTokenizer{}, Objective: Labelled(task.Classification), Labels: []string{"x", "y"}, ClassWeights: classes,
			T: 8, BatchSize: 4, MicroBatchSize: micro, MaxSeqs: 2, Epochs: 1, Separator: "<|endoftext|>",
		}
		l, err := NewLoader(c, Cursor{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for range 2 {
			sum, n, ratio := 0.0, 0, 0.0
			for {
				b, err := l.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				weights := make([]float32, len(b.Seqs)+1)
				b.LabelWeights(weights)
				for i, s := range b.Seqs {
					sum, ratio = sum+float64(weights[i]), float64(weights[i]/classes[s.Label])
				}
				if weights[len(b.Seqs)] != 0 {
					t.Error("what is empty weighs something")
				}
				if n = b.NumTargets; b.Last {
					break
				}
			}
			if math.Abs(sum-float64(n)) > 1e-5 || ratio == 1 || n == 0 {
				t.Errorf("weights of %d labels add up to %g", n, sum)
			}
		}
	}
}

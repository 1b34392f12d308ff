package eval

import (
	"errors"
	"testing"

	"hone/data/corpus"
	"hone/data/tokenizer"
)

// sayings is a split of texts.
type sayings []string

func (s sayings) Rows() int64                           { return int64(len(s)) }
func (s sayings) Record(i int64) (corpus.Record, error) { return corpus.Record{Text: s[i]}, nil }

func TestKeepsText(t *testing.T) {
	docs := sayings{"Ünits of length", "two", "three"}
	texts := func(yield func(string) bool) {
		for _, d := range docs {
			if !yield(d) {
				return
			}
		}
	}
	for kind, lost := range map[string]int{"byte": 0, "byte_bpe": 0, "char": 0, "wordpiece": 1} {
		o := tokenizer.TrainOptions{Kind: kind, VocabSize: 400, Lowercase: kind == "wordpiece"}
		if kind == "byte" {
			o.VocabSize = 0
		}
		tok, err := tokenizer.Train(texts, o, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		var lossy *LossyError
		if err := KeepsText(t.Context(), tok, docs); errors.As(err, &lossy) {
			got = lossy.lost
		} else if err != nil {
			t.Fatal(err)
		}
		if got != lost {
			t.Errorf("%s: %d texts lost, want %d", kind, got, lost)
		}
	}
}

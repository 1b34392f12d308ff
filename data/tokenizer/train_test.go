package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

var special = []string{"<|endoftext|>", "<|user|>"}

// TestTrainAgreesWithLibrary compares every token and merge with what Hugging
// Face's trainer learns from the same documents.
func TestTrainAgreesWithLibrary(t *testing.T) {
	docs := readJSON[[]string](t, "docs.json")
	var calls, last int64
	got, err := Train(slices.Values(docs), TrainOptions{VocabSize: 2048, Special: special}, func(done, total int64) {
		calls++
		if done < last || done > total || total != 2048-258 {
			t.Fatalf("progress %d of %d after %d", done, total, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	if last != 2048-258 || calls < last {
		t.Errorf("%d calls of progress, the last %d", calls, last)
	}
	want := readTiny(t)
	if got.Size() != want.Size() {
		t.Fatalf("%d tokens, want %d", got.Size(), want.Size())
	}
	for id := range int32(want.Size()) {
		if got.Token(id) != want.Token(id) {
			t.Fatalf("token %d is %q, want %q", id, got.Token(id), want.Token(id))
		}
	}
	if a, b := got.model.(*bpe).merges, want.model.(*bpe).merges; !slices.Equal(a, b) {
		t.Fatalf("merges differ (%d, want %d merges)", len(a), len(b))
	}
	if string(got.JSON()) != string(want.JSON()) {
		t.Error("JSON differs")
	}

	slices.Reverse(docs) // another order of documents, the same result
	again, err := Train(slices.Values(docs), TrainOptions{VocabSize: 2048, Special: special}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if string(again.JSON()) != string(got.JSON()) {
		t.Error("the order of documents changes the result")
	}
}

func TestTrainMinFrequency(t *testing.T) {
	docs := readJSON[[]string](t, "docs.json")
	got, err := Train(slices.Values(docs), TrainOptions{VocabSize: 5000, Special: special, MinFrequency: 5}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := readJSON[[]any](t, "merges5.json")
	n := len(want) - 1
	merges := got.model.(*bpe).merges
	if float64(len(merges)) != want[n] {
		t.Fatalf("%d merges, want %v", len(merges), want[n])
	}
	for i, m := range merges[len(merges)-n:] {
		if s := got.Token(m[0]) + " " + got.Token(m[1]); s != want[i] {
			t.Errorf("merge %d from the end is %q, want %q", n-i, s, want[i])
		}
	}
}

func TestTrainOptions(t *testing.T) {
	docs := slices.Values([]string{"some text, some more text"})
	for _, c := range []struct {
		opts TrainOptions
		want string
	}{
		{TrainOptions{VocabSize: 256, Special: []string{"<s>"}}, "less than 257"},
		{TrainOptions{VocabSize: 1 << 30}, "more than"},
		{TrainOptions{VocabSize: 300, MinFrequency: -1}, "negative"},
		{TrainOptions{VocabSize: 300, Special: []string{""}}, "empty"},
		{TrainOptions{VocabSize: 300, Special: []string{"\xff"}}, "invalid UTF-8"},
		{TrainOptions{VocabSize: 300, Special: []string{"<s>", "<s>"}}, "twice"},
		{TrainOptions{VocabSize: 300, Special: []string{"text"}}, "ordinary text"},
		{TrainOptions{VocabSize: 300, Special: []string{"Ġ|"}}, "ordinary text"},
	} {
		if _, err := Train(docs, c.opts, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.opts, err, c.want)
		}
	}
	if _, err := Train(slices.Values([]string{""}), TrainOptions{VocabSize: 300}, nil); err == nil {
		t.Error("no error for an empty text")
	}
	tok, err := Train(docs, TrainOptions{VocabSize: 4096, Special: []string{"<s>", "끝"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := tok.Size(); n < 260 || n > 280 {
		t.Errorf("%d tokens from a small text", n)
	}
	if s := fmt.Sprint(tok.Encode(nil, "some text<s>끝")); !strings.HasSuffix(s, " 0 1]") {
		t.Errorf("Encode = %s", s)
	}
}

func BenchmarkTrain(b *testing.B) {
	docs := readJSON[[]string](b, "docs.json")
	size := 0
	for _, d := range docs {
		size += len(d)
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		if _, err := Train(slices.Values(docs), TrainOptions{VocabSize: 2048}, nil); err != nil {
			b.Fatal(err)
		}
	}
}

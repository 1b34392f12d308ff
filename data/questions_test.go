package data

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"hone/data/task"
	"hone/data/tokenizer"
)

// Windows of contexts, and the places of answers in them, are those of transformers' run_qa.py
// (testdata/questions.py).
func TestQuestions(t *testing.T) {
	var ref struct {
		Tokenizer json.RawMessage
		Length    int
		Rows      []struct {
			Question, Context string
			Answers           json.RawMessage
			Windows           []struct {
				IDs, Types []int32
				Start, End int32
			}
		}
	}
	text, err := os.ReadFile("testdata/questions.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.Parse(ref.Tokenizer)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := tok.PairFrame()
	if err != nil {
		t.Fatal(err)
	}
	var records fields
	for _, r := range ref.Rows {
		records = append(records, map[string]any{"question": r.Question, "context": r.Context, "answers": r.Answers})
	}
	of := task.Task{Name: "x", Kind: task.QuestionAnswering, Columns: task.Columns{
		Text: task.Part{Column: "question"}, Pair: task.Part{Column: "context"}, Answer: task.Part{Column: "answers"},
	}}
	l, err := NewLoader(Config{
		Records: records, Tokenizer: tok, Objective: OfTask(&of), T: ref.Length, BatchSize: 2, MicroBatchSize: 1, Epochs: 1, BOS: "[CLS]", EOS: "[SEP]",
		Pair: frame,
	}, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	seen, answered, want, previews := map[int64]int{}, 0, 0, ""
	for {
		b, err := l.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		var shown strings.Builder
		if err := Preview(&shown, b, tok, false); err != nil {
			t.Fatal(err)
		}
		previews += shown.String()
		for _, s := range b.Seqs {
			seen[s.Doc]++
			at := int(s.Row) * b.Dec.T
			first, last := at+int(s.First), at+int(s.Last)+1
			ids, types := b.Dec.Tokens[first:last], b.Dec.Types[first:last]
			found := false
			for _, w := range ref.Rows[s.Doc].Windows {
				found = found || slices.Equal(w.IDs, ids) && slices.Equal(w.Types, types) && w.Start == s.Window.Start-s.First && w.End == s.Window.End-s.First
			}
			if !found {
				t.Errorf("record %d: no such window: %v, types %v, answer %+v", s.Doc, ids, types, s.Window)
			}
			if s.Window.Start > s.First {
				answered++
			}
			// The window's place in the context.
			whole, _ := tok.Place(ref.Rows[s.Doc].Context)
			second := at + int(s.Window.Second)
			if n := int(s.Window.Tokens); !slices.Equal(b.Dec.Tokens[second:second+n], whole[s.Window.From:int(s.Window.From)+n]) {
				t.Errorf("record %d: the window is not at token %d of the context", s.Doc, s.Window.From)
			}
		}
	}
	for i, r := range ref.Rows {
		if seen[int64(i)] != len(r.Windows) {
			t.Errorf("record %d: %d windows, want %d", i, seen[int64(i)], len(r.Windows))
		}
		for _, w := range r.Windows {
			if w.Start > 0 {
				want++
			}
		}
	}
	if !strings.Contains(previews, "[") || strings.Contains(previews, "→") {
		t.Errorf("preview %.500s", previews)
	}
	if answered != want || want < 8 {
		t.Errorf("%d windows with an answer, want %d", answered, want)
	}
}

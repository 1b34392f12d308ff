package data

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"hone/data/task"
	"hone/data/tokenizer"
)

// questionsOf are the reference values of questions (testdata/questions.py).
type questionsOf struct {
	Tokenizer json.RawMessage
	Length    int
	Rows      []struct {
		Question, Context string
		Answers           json.RawMessage
		Windows           []questionWindow
	}
}

type questionWindow struct {
	IDs, Types []int32
	Start, End int32
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatal(err)
	}
}

// Windows of contexts, and the places of answers in them, are those of transformers' run_qa.py, with the usual
// stride (testdata/questions.py) and with others (testdata/strides.py).
func TestQuestions(t *testing.T) {
	var ref questionsOf
	readJSON(t, "testdata/questions.json", &ref)
	var others struct {
		Strides map[int][][]questionWindow
	}
	readJSON(t, "testdata/strides.json", &others)
	t.Run("usual", func(t *testing.T) { ref.check(t, 0) })
	for stride, rows := range others.Strides {
		for i := range rows {
			ref.Rows[i].Windows = rows[i]
		}
		t.Run(fmt.Sprint(stride), func(t *testing.T) { ref.check(t, stride) })
	}
	of, l := ref.loader(t, 60)
	if _, err := l.Next(t.Context()); err == nil || !strings.Contains(err.Error(), "doc_stride = 60 leaves none of them to the next") {
		t.Errorf("%v of %v", err, of)
	}
}

// loader reads the questions in windows of a stride.
func (ref *questionsOf) loader(t *testing.T, stride int) (*tokenizer.Pipeline, *Loader) {
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
	}, Stride: stride}
	l, err := NewLoader(Config{
		Records: records, Tokenizer: tok, Objective: OfTask(&of), T: ref.Length, BatchSize: 2, MicroBatchSize: 1, Epochs: 1, BOS: "[CLS]", EOS: "[SEP]",
		Pair: frame,
	}, Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return tok, l
}

// check compares the windows of a stride with those of the reference.
func (ref *questionsOf) check(t *testing.T, stride int) {
	tok, l := ref.loader(t, stride)
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

// An answer that is in no window whole is learned to be none in each, and counted.
func TestUnheldAnswers(t *testing.T) {
	var ref questionsOf
	readJSON(t, "testdata/questions.json", &ref)
	long := ref.Rows[2]
	runes := []rune(long.Context)
	answer := func(first, last int) json.RawMessage {
		text, err := json.Marshal(map[string]any{"text": []string{string(runes[first:last])}, "answer_start": []int{first}})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for _, c := range []struct {
		answers json.RawMessage
		want    int64
	}{{answer(0, len(runes)), 1}, {answer(0, 3), 0}, {json.RawMessage(`{"text": [], "answer_start": []}`), 0}} {
		long.Answers = c.answers
		_, l := (&questionsOf{Tokenizer: ref.Tokenizer, Length: ref.Length, Rows: append(ref.Rows[:0:0], long)}).loader(t, 7)
		for {
			if _, err := l.Next(t.Context()); err == io.EOF {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if n := l.Stats().Unheld; n != c.want {
			t.Errorf("%.40s: %d answers that no window has, want %d", c.answers, n, c.want)
		}
	}
}

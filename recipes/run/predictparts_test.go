package run

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hone/recipes"
)

const tinyTask = `
[tokenizer]
kind = "wordpiece"
vocab_size = 120
[model]
model_type = "bert"
hidden_size = 16
num_hidden_layers = 1
num_attention_heads = 2
intermediate_size = 32
max_position_embeddings = 128
[[stage]]
name = "tune"
kind = "finetune"
task = %q
steps = 2
batch_size = 4
learning_rate = 1e-2
`

// Labels of words, and answers, are the same bits alone, among any others, and after an interruption: also of
// a question that is much longer than its context, of a context in windows, and of words that do not fit.
func TestPredictPartsSameBits(t *testing.T) {
	for _, c := range []struct {
		kind, keys string
		row        func(i int) map[string]any
	}{
		{"token_labels", "words = \"words\"\nlabel = \"labels\"", func(i int) map[string]any {
			words, labels := []string{}, []string{}
			for k := range 1 + i*i*2 {
				words, labels = append(words, []string{"강원", "a", "도", "\u200b"}[(i+k)%4]), append(labels, []string{"B-LOC", "O", "I-LOC"}[k%3])
			}
			return map[string]any{"text": strings.Join(words, " "), "words": words, "labels": labels}
		}},
		{"question_answering", "text = \"text\"\ntext_pair = \"context\"\nanswer = \"answer\"", func(i int) map[string]any {
			question, context := strings.Repeat("강원 도 ", 1+i%3*8), "도 강원 "+strings.Repeat("a 강원 도 ", i*i)
			return map[string]any{"text": question, "context": context, "answer": map[string]any{"text": []string{"강원"}, "answer_start": []int{2}}}
		}},
	} {
		t.Run(c.kind, func(t *testing.T) {
			dir := t.TempDir()
			var lines []string
			for i := range 12 {
				line, err := json.Marshal(c.row(i))
				if err != nil {
					t.Fatal(err)
				}
				lines = append(lines, string(line)+"\n")
			}
			data, in, taskFile := filepath.Join(dir, "data.jsonl"), filepath.Join(dir, "in.jsonl"), filepath.Join(dir, "task.toml")
			writeFile(t, data, []byte(strings.Join(lines, "")))
			writeFile(t, taskFile, fmt.Appendf(nil, "kind = %q\nsource = %q\nvalidation = 0.4\n%s\n", c.kind, data, c.keys))
			o := Options{Console: quiet()}
			o.Dir, o.Cache = filepath.Join(dir, "run"), filepath.Join(dir, "cache")
			r, err := parsed("x.toml", fmt.Sprintf(tinyTask, taskFile), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Run(t.Context(), r, o); err != nil {
				t.Fatal(err)
			}
			model := filepath.Join(o.Dir, "tune")
			want, done := predictRows(t, model, data, PredictOptions{})
			if done.Rows != 12 || (done.Truncated == 0) == (c.kind == "token_labels") {
				t.Errorf("%+v", done)
			}
			var alone []byte
			for _, line := range lines {
				writeFile(t, in, []byte(line))
				one, _ := predictRows(t, model, in, PredictOptions{})
				alone = append(alone, one...)
			}
			if !bytes.Equal(alone, want) {
				t.Errorf("other bits alone:\n%s\n%s", alone, want)
			}
			const times = 50 // more than are predicted together
			slices.Reverse(lines)
			writeFile(t, in, []byte(strings.Repeat(strings.Join(lines, ""), times)))
			got, _ := predictRows(t, model, in, PredictOptions{})
			of := strings.SplitAfter(strings.TrimSuffix(string(want), "\n"), "\n")
			of[len(of)-1] += "\n"
			slices.Reverse(of)
			all := strings.Repeat(strings.Join(of, ""), times)
			if string(got) != all {
				t.Error("other bits in another order")
			}

			out := filepath.Join(dir, "out.jsonl")
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			chunks := 1
			interrupted := Options{Console: quiet()}
			interrupted.Bar = func(string, string) recipes.Bar { return stopping{&chunks, stop} }
			p := PredictOptions{RowsOptions: RowsOptions{In: in, Out: out}}
			if _, err := Predict(ctx, model, p, interrupted); !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: %v", err)
			}
			if done, err = Predict(t.Context(), model, p, o); err != nil || done.Resumed != rowsTogether {
				t.Fatalf("%+v, %v", done, err)
			}
			if file, err := os.ReadFile(out); err != nil || string(file) != all {
				t.Errorf("other bytes after an interruption: %v", err)
			}
		})
	}
}

// Labels of words, and answers, with their places in characters, of English and Korean texts, some of them
// longer than a row, are those of transformers.
func TestPredictParts(t *testing.T) {
	text, err := os.ReadFile("testdata/predict/parts.json")
	if err != nil {
		t.Fatal(err)
	}
	var values struct {
		Labels map[string][]struct {
			Words       []string
			Prediction  []*string
			Probability []*float64
		}
		Answers map[string][]struct {
			Question, Context string
			Windows           int
			Score             float64
			NullScore         float64 `json:"null_score"`
			Start, End        int
		}
	}
	if err := json.Unmarshal(text, &values); err != nil {
		t.Fatal(err)
	}
	in := filepath.Join(t.TempDir(), "in.jsonl")
	write := func(rows []map[string]any) {
		t.Helper()
		var b bytes.Buffer
		for _, row := range rows {
			if err := json.NewEncoder(&b).Encode(row); err != nil {
				t.Fatal(err)
			}
		}
		writeFile(t, in, b.Bytes())
	}
	for name, want := range values.Labels {
		var rows []map[string]any
		for _, w := range want {
			rows = append(rows, map[string]any{"words": w.Words})
		}
		write(rows)
		out, done := predictRows(t, importAs(t, name, "bert", nil), in, PredictOptions{})
		cut := 0
		lines := json.NewDecoder(bytes.NewReader(out))
		for i, w := range want {
			var got struct {
				Prediction  []*string
				Probability []*float64
				Truncated   bool
			}
			if err := lines.Decode(&got); err != nil || len(got.Prediction) != len(w.Words) || len(got.Probability) != len(w.Words) {
				t.Fatalf("%s: row %d: %+v, %v", name, i, got, err)
			}
			if got.Truncated {
				cut++
			}
			for k, label := range w.Prediction {
				l, p := got.Prediction[k], got.Probability[k]
				if (l == nil) != (label == nil) || (p == nil) != (label == nil) {
					t.Errorf("%s: row %d: word %d is read by one of the two", name, i, k)
				} else if l != nil && (*l != *label || math.Abs(*p-*w.Probability[k]) > 2e-6) {
					t.Errorf("%s: row %d: word %d is %s, %.7f; want %s, %.7f", name, i, k, *l, *p, *label, *w.Probability[k])
				}
			}
		}
		if cut == 0 || cut == len(want) || int(done.Truncated) != cut {
			t.Errorf("%s: %d rows are cut; %+v", name, cut, done)
		}
	}
	for name, want := range values.Answers {
		var rows []map[string]any
		for _, w := range want {
			rows = append(rows, map[string]any{"question": w.Question, "context": w.Context})
		}
		write(rows)
		out, _ := predictRows(t, importAs(t, name, "bert", nil), in, PredictOptions{})
		lines, windowed := json.NewDecoder(bytes.NewReader(out)), 0
		for i, w := range want {
			var got struct {
				Prediction *string
				Score      float64
				NullScore  float64 `json:"null_score"`
				Start, End *int
			}
			if err := lines.Decode(&got); err != nil {
				t.Fatalf("%s: row %d: %v", name, i, err)
			}
			if w.Windows > 1 {
				windowed++
			}
			if math.Abs(got.Score-w.Score) > 1e-5 || math.Abs(got.NullScore-w.NullScore) > 1e-5 {
				t.Errorf("%s: row %d: scores %.6f and %.6f, want %.6f and %.6f", name, i, got.Score, got.NullScore, w.Score, w.NullScore)
			}
			if got.Prediction == nil || *got.Start != w.Start || *got.End != w.End || *got.Prediction != string([]rune(w.Context)[w.Start:w.End]) {
				t.Errorf("%s: row %d: %+v, want %d to %d", name, i, got, w.Start, w.End)
			}
		}
		if windowed == 0 || windowed == len(want) {
			t.Errorf("%s: %d contexts in windows", name, windowed)
		}
	}
}

package task

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// rows are some documents of columns whose values follow from their number.
func rows(columns []string, value func(column string, i int) any) Sample {
	s := Sample{Columns: columns}
	for i := range 20 {
		r := map[string]any{}
		for _, c := range columns {
			r[c] = value(c, i)
		}
		s.Rows = append(s.Rows, r)
	}
	return s
}

func TestGuess(t *testing.T) {
	text := func(c string, i int) any { return fmt.Sprintf("the %s number %d", c, i) }
	with := func(of map[string]func(i int) any) func(string, int) any {
		return func(c string, i int) any {
			if f := of[c]; f != nil {
				return f(i)
			}
			return text(c, i)
		}
	}
	half := func(i int) any { return int64(i % 2) }
	third := func(i int) any { return float64(i) / 3 }
	lists := func(i int) any { return json.RawMessage(fmt.Sprintf(`["a", "b%d"]`, i)) }
	ragged := func(i int) any { return json.RawMessage([]string{`["a"]`, `["a", "b"]`, `[]`}[i%3]) }
	span := func(i int) any { return json.RawMessage(`{"text": ["a"], "answer_start": [0]}`) }
	for _, c := range []struct {
		columns []string
		value   func(string, int) any
		said    *Kind
		want    *Kind
		to      Columns
		why     string
	}{
		{[]string{"review", "label"}, with(map[string]func(int) any{"label": half}), nil, Classification,
			Columns{Text: Part{Column: "review"}, Label: "label"}, "kind classification: label has 2 labels"},
		{[]string{"a", "premise", "hypothesis", "gold"}, with(map[string]func(int) any{"gold": half}), nil, PairClassification,
			Columns{Text: Part{Column: "premise"}, Pair: Part{Column: "hypothesis"}, Label: "gold"}, "the last one with few values, 2 in 20 documents"},
		{[]string{"sentence1", "sentence2", "score"}, with(map[string]func(int) any{"score": third}), nil, Regression,
			Columns{Text: Part{Column: "sentence1"}, Pair: Part{Column: "sentence2"}, Label: "score"}, "kind regression: score has numbers, 20 different ones"},
		{[]string{"text", "labels"}, with(map[string]func(int) any{"labels": lists}), nil, MultiLabel,
			Columns{Text: Part{Column: "text"}, Label: "labels"}, "kind multi_label: labels has lists"},
		{[]string{"text", "toxic", "insult"}, with(map[string]func(int) any{"toxic": half, "insult": half}), nil, MultiLabel,
			Columns{Text: Part{Column: "text"}, LabelColumns: []string{"toxic", "insult"}}, "kind multi_label: each of the columns toxic, insult is 0 or 1"},
		{[]string{"ctx", "ending0", "ending1", "ending2", "ending3", "label"}, with(map[string]func(int) any{"label": half}), nil, MultipleChoice,
			Columns{Text: Part{Column: "ctx"}, Choices: []string{"ending0", "ending1", "ending2", "ending3"}, Label: "label"}, "label says which is right"},
		{[]string{"question", "choices", "answer"}, with(map[string]func(int) any{"choices": lists, "answer": half}), nil, MultipleChoice,
			Columns{Text: Part{Column: "question"}, Choices: []string{"choices"}, Label: "answer"}, "the columns choices are choices"},
		{[]string{"id", "tokens", "ner_tags"}, with(map[string]func(int) any{"tokens": lists, "ner_tags": lists}), nil, TokenLabels,
			Columns{Words: "tokens", Label: "ner_tags"}, "kind token_labels: tokens has lists of words, and ner_tags as many labels"},
		{[]string{"text", "tokens", "labels"}, with(map[string]func(int) any{"tokens": lists, "labels": ragged}), nil, MultiLabel,
			Columns{Text: Part{Column: "text"}, Label: "labels"}, "kind multi_label: labels has lists"},
		{[]string{"title", "context", "question", "answers"}, with(map[string]func(int) any{"answers": span}), nil, QuestionAnswering,
			Columns{Text: Part{Column: "question"}, Pair: Part{Column: "context"}, Answer: Part{Column: "answers"}}, "answers has answers to question in context"},
		{[]string{"en", "de"}, text, TextToText, TextToText,
			Columns{Text: Part{Column: "en"}, Answer: Part{Column: "de"}}, "de is written for en: there are two columns"},
		{[]string{"question", "answer"}, with(map[string]func(int) any{"answer": half}), TextToText, TextToText,
			Columns{Text: Part{Column: "question"}, Answer: Part{Column: "answer"}}, "by their names"},
		{[]string{"premise", "hypothesis", "label"}, with(map[string]func(int) any{"label": half}), Classification, Classification,
			Columns{Text: Part{Column: "hypothesis"}, Label: "label"}, "kind classification: as you say"},
		{[]string{"a", "b"}, text, nil, nil, Columns{Text: Part{Column: "a"}}, "text: the column a, which has the longest texts"},
	} {
		got, why := Guess(rows(c.columns, c.value), c.said, "", "")
		if got.Kind != c.want || !reflect.DeepEqual(got.Columns, c.to) || !strings.Contains(strings.Join(why, "\n"), c.why) {
			t.Errorf("%v: kind %v, %+v, want %v, %+v; because %q, want %q", c.columns, got.Kind, got.Columns, c.want, c.to, why, c.why)
		}
	}
}

// What the user says is not guessed otherwise.
func TestGuessAsSaid(t *testing.T) {
	s := rows([]string{"id", "body", "mark", "label"}, func(c string, i int) any {
		if c == "body" {
			return strings.Repeat("word ", i+1)
		}
		return int64(i % 3)
	})
	got, _ := Guess(s, nil, "", "mark")
	if want := (Columns{Text: Part{Column: "body"}, Label: "mark"}); got.Kind != Classification || !reflect.DeepEqual(got.Columns, want) {
		t.Errorf("%v, %+v, want %+v", got.Kind, got.Columns, want)
	}
	got, _ = Guess(s, Regression, "", "")
	if got.Kind != Regression || got.Columns.Label != "label" {
		t.Errorf("%v, %+v", got.Kind, got.Columns)
	}
	got, _ = Guess(rows([]string{"id", "en", "de"}, func(c string, i int) any { return strings.Repeat(c+" ", i+2) }), TextToText, "en", "de")
	if want := (Columns{Text: Part{Column: "en"}, Answer: Part{Column: "de"}}); got.Kind != TextToText || !reflect.DeepEqual(got.Columns, want) {
		t.Errorf("%v, %+v, want %+v", got.Kind, got.Columns, want)
	}
}

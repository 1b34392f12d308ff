package task

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"hone/data/corpus"
)

func TestQuestionAnswering(t *testing.T) {
	of := &Task{Name: "t", Kind: QuestionAnswering, Columns: Columns{Text: Part{Column: "question"}, Pair: Part{Column: "context"}, Answer: Part{Column: "answers"}}}
	record := func(answers any) *corpus.Record {
		r := &corpus.Record{Text: "Wo?", Fields: map[string]any{"question": "Wo?", "context": "Sie wohnt in Köln, nicht in Köln."}}
		if answers != nil {
			r.Fields["answers"] = answers
		}
		return r
	}
	e, err := of.Example(record(json.RawMessage(`{"text": ["Köln", "in Köln"], "answer_start": [28, 10]}`)))
	if err != nil || !e.HasLabel || e.Text != "Wo?" || !reflect.DeepEqual(e.Spans, []Span{{29, 34}, {10, 18}}) || e.Pair[e.Spans[0].First:e.Spans[0].Last] != "Köln" {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = of.Example(record(json.RawMessage(`{"text": [], "answer_start": []}`))); err != nil || !e.HasLabel || e.Answers != nil {
		t.Errorf("no answer: %+v, %v", e, err)
	}
	if e, err = of.Example(record(nil)); err != nil || e.HasLabel {
		t.Errorf("null: %+v, %v", e, err)
	}
	for want, answers := range map[string]any{
		`answer "Köln" is not at character 3 of its context, which has it at character 13`: json.RawMessage(`{"text": ["Köln"], "answer_start": [3]}`),
		`answer "Bonn" is not at character 13 of its context, which does not have it`:      `{"text": ["Bonn"], "answer_start": [13]}`,
		`answer "Köln" is not at character 99`:                                             json.RawMessage(`{"text": ["Köln"], "answer_start": [99]}`),
		`answer "" is not`:                                                                 json.RawMessage(`{"text": [""], "answer_start": [0]}`),
		`column answers: want {"text": [...], "answer_start": [...]}`:                      json.RawMessage(`{"text": ["Köln"], "answer_start": []}`),
		`column answers: want {"text"`:                                                     int64(3),
	} {
		if _, err := of.Example(record(answers)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

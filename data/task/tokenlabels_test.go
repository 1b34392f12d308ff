package task

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"hone/data/corpus"
)

func TestIOB2(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"I-A I-A I-B O I-A B-A I-A", "B-A I-A B-B O B-A B-A I-A"}, // IOB1
		{"B-A I-A O B-B", "B-A I-A O B-B"},
		{"S-A B-A I-A E-A E-A S-B", "B-A B-A I-A I-A B-A B-B"}, // IOBES
		{"NOUN I-X-Y I-X-Y VERB", "NOUN B-X-Y I-X-Y VERB"},
		{"I-A O I-A", "B-A O B-A"},
	} {
		in := strings.Fields(c.in)
		if got := strings.Join(IOB2(in), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.in, got, c.want)
		}
	}
}

func TestTokenLabels(t *testing.T) {
	of := &Task{Name: "t", Kind: TokenLabels, Columns: Columns{Words: "w", Label: "l"}, Labels: []string{"O", "B-A", "I-A"}}
	record := func(words, labels string) *corpus.Record {
		r := &corpus.Record{Fields: map[string]any{"w": json.RawMessage(words)}}
		if labels != "" {
			r.Fields["l"] = json.RawMessage(labels)
		}
		return r
	}
	e, err := of.Example(record(`["an", "old", "man"]`, `["O", 1, "I-A"]`))
	if err != nil || e.Text != "an old man" || !slices.Equal(e.Labels, []string{"O", "B-A", "I-A"}) || !e.HasLabel {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = of.Example(record(`["강", " ", "은"]`, "")); err != nil || e.Text != "강 은" || e.HasLabel {
		t.Errorf("%+v, %v", e, err)
	}
	if e, err = of.Example(&corpus.Record{}); err != nil || !e.Null {
		t.Errorf("null: %+v, %v", e, err)
	}
	for want, r := range map[string]*corpus.Record{
		"2 words, and 1 labels in column l":            record(`["a", "b"]`, `["O"]`),
		`word 2, "b": label "B-B" is not one of the 3`: record(`["a", "b"]`, `["O", "B-B"]`),
		"column w: element 1 is null":                  record(`[null]`, `["O"]`),
		`word 1, "a", has no label`:                    record(`["a"]`, `[""]`),
	} {
		if _, err := of.Example(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if !reflect.DeepEqual(TokenLabels.Keys, []string{"words", "label"}) {
		t.Error(TokenLabels.Keys)
	}
}

// Parts of a text in place of a label for each word are refused by what they are.
func TestSpans(t *testing.T) {
	of := &Task{Kind: TokenLabels, Columns: Columns{Words: "words", Label: "entities"}}
	for _, spans := range []any{
		json.RawMessage(`[{"start": 0, "end": 3, "label": "PER"}]`), json.RawMessage(`[[0, 3, "PER"], [2, 5, "LOC"]]`), `[{"start": 0, "end": 3, "label": "PER"}]`,
	} {
		_, err := of.Example(&corpus.Record{Fields: map[string]any{"words": json.RawMessage(`["Ann", "ran"]`), "entities": spans}})
		if err == nil || !strings.Contains(err.Error(), "column entities has spans of the text, as {start, end, label}, and not a label for each word") {
			t.Errorf("%s: %v", spans, err)
		}
	}
}

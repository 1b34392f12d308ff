package task

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"hone/data/corpus"
)

// QuestionAnswering is the task of finding the part of a second text, the context, that answers the
// question which the first one asks.
var QuestionAnswering = &Kind{
	Name:  "question_answering",
	Head:  "question answering",
	Reads: Passage, Labels: Within,
	Keys: []string{"text", "text_pair", "answer", "?doc_stride"}, Usual: &Columns{Text: Part{Column: "question"}, Pair: Part{Column: "context"}},
	Metrics:   []string{"squad_f1", "squad_exact_match", "squad2_f1", "squad2_exact_match", "korquad_f1", "korquad_exact_match"},
	Baselines: []string{"sliding_window", "random_init"},
	example:   readAnswers,
	guess:     (*guesser).questions,
}

// A Span is an answer: a part of the context, in bytes.
type Span struct{ First, Last int }

// readAnswers gives the question, the context and the answers: those of a column as SQuAD has it, with the
// lists text and answer_start, in characters of the context. Empty lists are a question without an
// answer.
func readAnswers(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err != nil {
		return e, err
	}
	column := t.Columns.Answer.Column
	var answers struct {
		Text  []string `json:"text"`
		Start []int    `json:"answer_start"`
	}
	switch v := r.Fields[column].(type) {
	case nil:
		return e, nil
	case json.RawMessage:
		err = json.Unmarshal(v, &answers)
	case string: // as CSV has it
		err = json.Unmarshal([]byte(v), &answers)
	default:
		err = fmt.Errorf("%v", v)
	}
	if err != nil || len(answers.Text) != len(answers.Start) {
		return e, fmt.Errorf("column %s: want {\"text\": [...], \"answer_start\": [...]} with as many elements each", column)
	}
	e.HasLabel = true
	for i, text := range answers.Text {
		first := byteOf(e.Pair, answers.Start[i])
		if text == "" || first < 0 || !strings.HasPrefix(e.Pair[first:], text) {
			hint := "which does not have it"
			if at := strings.Index(e.Pair, text); text != "" && at >= 0 {
				hint = fmt.Sprintf("which has it at character %d", utf8.RuneCountInString(e.Pair[:at]))
			}
			return e, fmt.Errorf("answer %q is not at character %d of its context, %s", text, answers.Start[i], hint)
		}
		e.Answers, e.Spans = append(e.Answers, text), append(e.Spans, Span{first, first + len(text)})
	}
	return e, nil
}

// byteOf gives the byte at which character n of a text begins; -1: it has no so many.
func byteOf(text string, n int) int {
	for i := range text {
		if n == 0 {
			return i
		}
		n--
	}
	return -1
}

// questions finds questions about contexts by SQuAD's columns.
func (g *guesser) questions() (why string, ok bool) {
	c := &g.to
	question, context, answers := cmp.Or(c.Text.Column, g.first("question")), g.first("context", "passage"), g.first("answers")
	if g.said { // what the user calls the label is the answers
		answers = cmp.Or(c.Label, answers)
	}
	if ok = question != "" && context != "" && answers != "" && (c.Label == "" || c.Label == answers) && !g.lists(answers); ok {
		c.Text.Column, c.Pair.Column, c.Answer.Column, c.Label = question, context, answers, ""
	}
	return fmt.Sprintf("%s has answers to %s in %s", answers, question, context), ok
}

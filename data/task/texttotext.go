package task

import "hone/data/corpus"

// TextToText is the task of writing a text for a text, as a translation, a summary, an answer.
var TextToText Kind = textToText{}

type textToText struct{}

func (textToText) String() string    { return "text_to_text" }
func (textToText) Head() string      { return "language model" }
func (textToText) Problem() string   { return "" }
func (textToText) Labels() Labels    { return Values }
func (textToText) Keys() []string    { return []string{"text", "answer"} }
func (textToText) Metrics() []string { return []string{"loss", "exact_match", "chrf", "bleu"} }
func (textToText) Baselines() []string {
	return []string{"copy", "word_dictionary", "lead_1", "lead_3"}
}

// Example gives the text that is read, and the one that is written.
func (textToText) Example(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err == nil {
		e.Answer, e.HasLabel, err = t.Columns.Answer.read(r)
	}
	return e, err
}

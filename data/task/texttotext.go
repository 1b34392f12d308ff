package task

import (
	"encoding/json"
	"fmt"

	"hone/data/corpus"
)

// TextToText is the task of writing a text for a text, as a translation, a summary, an answer.
var TextToText = &Kind{
	Name:  "text_to_text",
	Head:  "language model",
	Reads: OneText, Labels: Written,
	Keys: []string{"text", "answer"}, Options: []string{"max_target_length", "label_smoothing_factor", "eval_generate"},
	Metrics: []string{
		"loss", "exact_match", "chrf", "bleu", // which are those of a task that lists none
		"chrf++", "bleu_char", "rouge1", "rouge2", "rougel", "rougelsum", "rouge1_unicode", "rouge2_unicode", "rougel_unicode", "rougelsum_unicode",
	},
	Baselines: []string{"copy", "word_dictionary", "lead_1", "lead_3"},
	example: func(t *Task, r *corpus.Record) (Example, error) {
		e, err := t.text(r)
		if err != nil {
			return e, err
		}
		p := &t.Columns.Answer
		raw, ok := r.Fields[p.Column].(json.RawMessage)
		if p.Template != nil || !ok {
			e.Answer, e.HasLabel, err = p.read(r)
			return e, err
		}
		texts, ok, err := list(raw, p.Column) // that are all right; the first one is learned
		if !ok || err != nil {
			return e, err
		}
		for _, x := range texts {
			text, ok := x.(string)
			if !ok {
				return e, fmt.Errorf("column %s: %v is not a text", p.Column, x)
			}
			e.Answers = append(e.Answers, text)
		}
		if e.HasLabel = len(e.Answers) > 0; e.HasLabel {
			e.Answer = e.Answers[0]
		}
		return e, nil
	},
	guess: (*guesser).writing,
}

// textAndAnswer are names of columns of a text and of what is written for it.
var textAndAnswer = [][2]string{
	{"prompt", "completion"}, {"instruction", "output"}, {"instruction", "response"}, {"prompt", "response"}, {"input", "output"}, {"source", "target"}, {"src", "tgt"},
	{"question", "answer"}, {"document", "summary"}, {"article", "highlights"}, {"text", "summary"}, {"input", "target"},
}

// writing finds the columns of a text and of what is written for it: by their names, where the second one
// has more texts than labels would have; and where the user says the kind, also if there are two.
func (g *guesser) writing() (why string, ok bool) {
	if label := g.to.Label; label != "" {
		if g.said { // what the user calls the label is what is to be written
			g.to.Answer.Column, g.to.Label = label, ""
		}
		return fmt.Sprintf("%s is written, as you say", label), g.said
	}
	for _, w := range textAndAnswer {
		text, answer := g.first(w[0]), g.first(w[1])
		if text == "" || answer == "" || g.to.Text.Column != "" && g.to.Text.Column != text || !g.said && g.distinct(answer) <= fewLabels {
			continue
		}
		g.to.Text.Column, g.to.Answer.Column = text, answer
		return fmt.Sprintf("%s is written for %s, by their names", answer, text), true
	}
	if !g.said || len(g.Columns) != 2 {
		return "", false
	}
	g.to.Text.Column, g.to.Answer.Column = g.Columns[0], g.Columns[1]
	return fmt.Sprintf("%s is written for %s: there are two columns", g.Columns[1], g.Columns[0]), true
}

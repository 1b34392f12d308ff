package task

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hone/data/corpus"
)

// MultipleChoice is the task of finding the right one of several texts, each of which is read
// behind a first text, as the endings of a sentence or the answers of a question.
var MultipleChoice = &Kind{
	Name:  "multiple_choice",
	Head:  "multiple choice",
	Reads: Choices, Labels: Choice,
	Keys:      []string{"text", "choices", "?template.choice", "label"},
	Metrics:   []string{"accuracy"},
	Baselines: []string{"random_choice", "longest_choice", "random_init"},
	example:   readChoices,
	guess:     (*guesser).choices,
}

// readChoices gives the text, the choices, and which is right: by its number from 0, by its letter
// from A, or by its text.
func readChoices(t *Task, r *corpus.Record) (Example, error) {
	e, err := t.text(r)
	if err != nil {
		return e, err
	}
	columns := t.Columns.Choices
	var choices []any
	if len(columns) == 1 {
		var ok bool
		if choices, ok, err = list(r.Fields[columns[0]], columns[0]); err != nil {
			return e, err
		}
		e.Null = e.Null || !ok
	} else {
		for _, column := range columns {
			choices = append(choices, r.Fields[column])
		}
	}
	var plain []string // as the columns have them
	for i, c := range choices {
		text, ok := asText(c)
		if !ok {
			return e, fmt.Errorf("choice %d is null", i)
		}
		plain = append(plain, text)
		if t.Columns.Choice != nil {
			if text, err = write(t.Columns.Choice, r, text); err != nil {
				return e, err
			}
		}
		e.Choices = append(e.Choices, text)
	}
	if !e.Null && len(e.Choices) < 2 {
		return e, fmt.Errorf("%d choices: want 2 or more", len(e.Choices))
	}
	label, ok := asText(r.Fields[t.Columns.Label])
	if label = strings.TrimSpace(label); !ok || label == "" || label == "-1" {
		return e, nil
	}
	e.HasLabel = true
	if at := slices.Index(plain, label); at >= 0 {
		e.Right = at
	} else if n, err := strconv.Atoi(label); err == nil {
		e.Right = n
	} else if len(label) == 1 {
		e.Right = int(strings.ToUpper(label)[0]) - 'A'
	} else {
		e.Right = -1
	}
	if e.Right < 0 || e.Right >= len(e.Choices) {
		return e, fmt.Errorf("label %q is none of the %d choices: neither their number from 0, nor their letter, nor one of their texts", label, len(e.Choices))
	}
	return e, nil
}

// setsOfChoices are names of columns of a choice each.
var setsOfChoices = [][]string{
	{"ending0", "ending1", "ending2", "ending3"}, {"choice0", "choice1", "choice2", "choice3"}, {"option_a", "option_b", "option_c", "option_d"}, {"A", "B", "C", "D"},
	{"sol1", "sol2"}, {"choice1", "choice2"}, {"option1", "option2"},
}

func (g *guesser) choices() (why string, ok bool) {
	c := &g.to
	for _, names := range setsOfChoices {
		if c.Choices = g.all(names); c.Choices != nil {
			break
		}
	}
	if c.Choices == nil {
		column := g.first("choices", "endings", "options", "answers")
		if column == "" || !g.lists(column) {
			return "", false
		}
		c.Choices = []string{column}
	}
	if c.Label == "" {
		c.Label = g.first("label", "gold", "answer", "answerKey", "target", "correct")
	}
	if c.Text.Column == "" {
		c.Text.Column = g.first("question", "text", "context", "ctx", "sent1", "premise", "goal", "sentence")
	}
	return fmt.Sprintf("the columns %s are choices, and %s says which is right", strings.Join(c.Choices, ", "), c.Label), true
}

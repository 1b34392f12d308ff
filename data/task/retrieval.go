package task

import (
	"fmt"
	"slices"
	"strings"

	"hone/data/corpus"
)

// Retrieval is the task of finding the texts that belong to a text, such as the passage that answers a question,
// among all those of a split: by vectors, which are near for texts that belong together. Further texts of a record
// are ones that look alike and do not belong to it.
var Retrieval = &Kind{
	Name:  "retrieval",
	Head:  "base",
	Reads: Texts, Labels: Nearest,
	Keys: []string{"text", "text_pair", "?choices"}, Options: []string{"loss"},
	Losses:    []string{"ranking", "triplet"},
	Metrics:   []string{"ndcg_at_10", "mrr_at_10", "recall_at_1", "recall_at_10", "recall_at_100"},
	Baselines: []string{"bm25", "random_init"},
	example: func(t *Task, r *corpus.Record) (Example, error) {
		e, err := t.text(r)
		if err != nil || e.Null {
			return e, err
		}
		columns := t.Columns.Choices
		if len(columns) == 1 {
			texts, ok, err := list(r.Fields[columns[0]], columns[0])
			if text, is := r.Fields[columns[0]].(string); is && err != nil { // a column of one text
				e.Choices, err = append(e.Choices, text), nil
			}
			if err != nil {
				return e, err
			}
			for i, x := range texts {
				text, is := asText(x)
				if ok = ok && is; !is {
					return e, fmt.Errorf("column %s: text %d is null", columns[0], i)
				}
				e.Choices = append(e.Choices, text)
			}
		} else {
			for _, c := range columns {
				text, ok := asText(r.Fields[c])
				if !ok {
					return e, fmt.Errorf("column %s is null", c)
				}
				e.Choices = append(e.Choices, text)
			}
		}
		e.HasLabel = true
		return e, nil
	},
	guess: (*guesser).belonging,
}

// belong are names of columns of a text and of the one that belongs to it, as data sets of sentence-transformers have them.
var belong = [][2]string{{"anchor", "positive"}, {"query", "positive"}, {"question", "positive"}, {"query", "answer"}, {"query", "passage"}, {"query", "document"}, {"question", "context"}}

// belonging finds a text, the one that belongs to it, and those that do not.
func (g *guesser) belonging() (why string, ok bool) {
	c := &g.to
	for i, two := range belong {
		if i > 2 && !g.said { // which other kinds have too
			break
		}
		a, b := g.first(two[0]), g.first(two[1])
		if a == "" || b == "" || c.Text.Column != "" && c.Text.Column != a {
			continue
		}
		c.Text.Column, c.Pair.Column = a, b
		for _, name := range g.Columns {
			if lower := strings.ToLower(name); strings.HasPrefix(lower, "negative") && !slices.Contains(c.Choices, name) {
				c.Choices = append(c.Choices, name)
			}
		}
		why = fmt.Sprintf("%s is what %s belongs to", a, b)
		if len(c.Choices) > 0 {
			why += fmt.Sprintf(", and %s does not", strings.Join(c.Choices, ", "))
		}
		return why, true
	}
	return "", false
}

package task

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Sample is some rows of a file: its columns in their order, and their values as
// source.Batch.Value gives them.
type Sample struct {
	Columns []string
	Rows    []map[string]any
}

// Repeated finds a column with few values of which its name is one, as where a row has been taken for a
// header, and the number of rows with that value; 0: there is none.
func (s Sample) Repeated() (column string, n int) {
	g := guesser{Sample: s}
	for _, c := range s.Columns {
		if d := g.distinct(c); d > fewLabels || d >= len(s.Rows) {
			continue
		}
		for _, r := range s.Rows {
			if fmt.Sprint(r[c]) == c {
				n++
			}
		}
		if n > 0 {
			return c, n
		}
	}
	return "", 0
}

// kindsByColumns are the kinds that columns of a file tell of, those that need the most particular ones
// first.
var kindsByColumns = []*Kind{TokenLabels, QuestionAnswering, MultipleChoice, Retrieval, Similarity, TextToText, MultiLabel, Regression, PairClassification, Classification}

// Guess makes a task of a sample: what its columns are by their names and values, and what is predicted.
// kind, text and label are given where the user has said so; nil and "": not. The Kind of the task is nil
// where the columns tell of none. why says in sentences what was guessed, and from what.
func Guess(s Sample, kind *Kind, text, label string) (t *Task, why []string) {
	g := guesser{Sample: s, said: kind != nil}
	g.to.Text.Column, g.to.Label = text, label
	if kind != nil {
		g.say("kind %s: as you say", kind)
	}
	for _, k := range kindsByColumns {
		if g.said && k != kind {
			continue
		}
		if why, ok := k.guess(&g); ok {
			if !g.said {
				why = fmt.Sprintf("kind %s: %s", k, why)
			}
			kind = k
			g.say("%s", why)
			break
		}
	}
	g.text()
	t = Of(kind)
	t.Columns = g.to
	return t, g.why
}

type guesser struct {
	Sample
	said bool // the user has said the kind
	to   Columns
	why  []string
}

func (g *guesser) say(format string, args ...any) {
	g.why = append(g.why, fmt.Sprintf(format, args...))
}

// first gives the first of some names that a column has, whatever its case.
func (g *guesser) first(names ...string) string {
	for _, name := range names {
		for _, c := range g.Columns {
			if strings.EqualFold(c, name) {
				return c
			}
		}
	}
	return ""
}

// all gives the columns that have all these names; nil: one is missing.
func (g *guesser) all(names []string) (found []string) {
	for _, name := range names {
		c := g.first(name)
		if c == "" {
			return nil
		}
		found = append(found, c)
	}
	return found
}

// twoTexts are names of columns of two texts.
var twoTexts = [][2]string{
	{"sentence1", "sentence2"}, {"premise", "hypothesis"}, {"question1", "question2"}, {"question", "sentence"}, {"text1", "text2"}, {"text_a", "text_b"}, {"text", "text_pair"},
	{"first", "second"}, {"query", "passage"}, {"query", "document"},
}

// pair finds two texts by their names.
func (g *guesser) pair() {
	c := &g.to
	if c.Pair.Column != "" {
		return
	}
	for _, two := range twoTexts {
		a, b := g.first(two[0]), g.first(two[1])
		if a != "" && b != "" && (c.Text.Column == "" || c.Text.Column == a) && c.Label != a && c.Label != b {
			c.Text.Column, c.Pair.Column = a, b
			g.say("two texts, %s and %s, by their names", a, b)
			return
		}
	}
}

// labelByName finds the label by its name.
func (g *guesser) labelByName() {
	if g.to.Label != "" {
		return
	}
	if g.to.Label = g.first("label", "labels", "class", "category", "sentiment", "stars", "rating", "score", "similarity", "target", "intent", "topic", "emotion", "polarity", "tags", "y"); g.to.Label != "" {
		g.say("label: the column %s, by its name", g.to.Label)
	}
}

// fewLabels is the greatest number of values of a column that is taken for one of labels.
const fewLabels = 200

// label finds the label by its name, or as the last column with few values.
func (g *guesser) label() {
	g.labelByName()
	if g.to.Label != "" {
		return
	}
	for _, c := range g.Columns {
		if n := g.distinct(c); !g.isText(c) && n > 1 && n <= fewLabels && n < len(g.Rows) {
			g.to.Label = c
		}
	}
	if g.to.Label != "" {
		g.say("label: the column %s, the last one with few values, %d in %d documents", g.to.Label, g.distinct(g.to.Label), len(g.Rows))
	}
}

// labels says how many labels there are, if any.
func (g *guesser) labels() (why string, ok bool) {
	return fmt.Sprintf("%s has %d labels", g.to.Label, g.distinct(g.to.Label)), g.to.Label != ""
}

// marks are the columns that have nothing but 0 and 1.
func (g *guesser) marks() (columns []string) {
	for _, c := range g.Columns {
		if !g.isText(c) && g.every(c, func(x any) bool {
			return x == int64(0) || x == int64(1) || x == "0" || x == "1" || x == true || x == false
		}) {
			columns = append(columns, c)
		}
	}
	return columns
}

func (g *guesser) isText(column string) bool {
	return column == g.to.Text.Column || column == g.to.Pair.Column
}

// text finds the text by its name, or as the column with the longest texts.
func (g *guesser) text() {
	to := &g.to
	if to.Text.Column != "" || to.Words != "" {
		return
	}
	taken := slices.Concat([]string{to.Label, to.Pair.Column, to.Answer.Column}, to.LabelColumns, to.Choices)
	if c := g.first("text", "sentence", "content", "review", "comment", "document", "question", "utterance", "title", "body", "tweet", "message", "sequence"); c != "" && !slices.Contains(taken, c) {
		to.Text.Column = c
		g.say("text: the column %s, by its name", c)
		return
	}
	longest := 0
	for _, c := range g.Columns {
		if slices.Contains(taken, c) {
			continue
		}
		n := 0
		for _, r := range g.Rows {
			if s, ok := r[c].(string); ok {
				n += len(s)
			}
		}
		if n > longest {
			to.Text.Column, longest = c, n
		}
	}
	if to.Text.Column != "" {
		g.say("text: the column %s, which has the longest texts", to.Text.Column)
	}
}

func isNumber(x any) bool {
	switch x := x.(type) {
	case int64, float64:
		return true
	case string:
		_, err := strconv.ParseFloat(strings.TrimSpace(x), 64)
		return err == nil
	}
	return false
}

func isWhole(x any) bool {
	switch x := x.(type) {
	case float64:
		return x == float64(int64(x))
	case string:
		v, err := strconv.ParseFloat(strings.TrimSpace(x), 64)
		return err != nil || v == float64(int64(v))
	}
	return true
}

// every says that all values of a column that are not null are such, and that there are some.
func (g *guesser) every(column string, is func(x any) bool) bool {
	some := false
	for _, r := range g.Rows {
		x := r[column]
		if x == nil || x == "" {
			continue
		}
		if some = true; !is(x) {
			return false
		}
	}
	return some
}

func (g *guesser) lists(column string) bool {
	return g.every(column, func(x any) bool {
		raw, ok := x.(json.RawMessage)
		if s, text := x.(string); text {
			raw, ok = json.RawMessage(s), strings.HasPrefix(s, "[")
		}
		return ok && len(raw) > 0 && raw[0] == '['
	})
}

// distinct is the number of different values of a column in the sample.
func (g *guesser) distinct(column string) int {
	seen := map[string]bool{}
	for _, r := range g.Rows {
		if x := r[column]; x != nil && x != "" {
			seen[fmt.Sprint(x)] = true
		}
	}
	return len(seen)
}

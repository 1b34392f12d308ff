package recipes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"hone/data/task"
)

// A Sample is some rows of a file: its columns in their order, and their values as
// source.Batch.Value gives them.
type Sample struct {
	Columns []string
	Rows    []map[string]any
}

// Guess makes a task of a sample: what its columns are by their names and values, and what is
// predicted. kind, text and label are given where the user has said so; "": not. why says in
// sentences what was guessed, and from what.
func Guess(s Sample, kind, text, label string) (t *Task, why []string, err error) {
	t = new(defaultTask())
	g := guesser{Sample: s, task: t}
	for _, name := range []string{text, label} {
		if name != "" && !slices.Contains(s.Columns, name) {
			return nil, nil, Input(fmt.Errorf("no column is called %q%s", name, suggest(name, s.Columns)))
		}
	}
	t.Text, t.Label = text, label
	if kind != "" {
		if _, err := task.ParseKind(kind); err != nil {
			return nil, nil, Input(err)
		}
		t.Kind = kind
		g.say("kind %s: as you say", kind)
	}
	g.choices()
	g.answers()
	g.pairs()
	g.label()
	g.text()
	g.kind()
	if t.Text == "" || t.Kind == "" {
		return nil, g.why, Input(fmt.Errorf("what is the task of columns %s? (hint: --text and --label name columns, --task the kind, or the file of a task)", strings.Join(s.Columns, ", ")))
	}
	k, _ := task.ParseKind(t.Kind)
	t.Baselines = slices.DeleteFunc(slices.Clone(k.Baselines()), func(b string) bool {
		return b == "random_init" || b == "word_overlap" && t.TextPair == "" || strings.HasPrefix(b, "lead_") || b == "word_dictionary"
	})
	return t, g.why, nil
}

type guesser struct {
	Sample
	task *Task
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

// open says that a kind has not been given, or is one of these.
func (g *guesser) open(kinds ...task.Kind) bool {
	if g.task.Kind == "" {
		return true
	}
	return slices.ContainsFunc(kinds, func(k task.Kind) bool { return k.String() == g.task.Kind })
}

func (g *guesser) choices() {
	t := g.task
	if !g.open(task.MultipleChoice) {
		return
	}
	for _, set := range [][]string{{"ending0", "ending1", "ending2", "ending3"}, {"choice0", "choice1", "choice2", "choice3"}, {"option_a", "option_b", "option_c", "option_d"}, {"A", "B", "C", "D"}, {"sol1", "sol2"}, {"choice1", "choice2"}, {"option1", "option2"}} {
		if found := g.all(set); found != nil {
			t.Choices = found
		}
		if t.Choices != nil {
			break
		}
	}
	if t.Choices == nil {
		if c := g.first("choices", "endings", "options", "answers"); c != "" && g.lists(c) {
			t.Choices = []string{c}
		}
	}
	if t.Choices == nil {
		return
	}
	t.Kind = task.MultipleChoice.String()
	if t.Label == "" {
		t.Label = g.first("label", "gold", "answer", "answerKey", "target", "correct")
	}
	if t.Text == "" {
		t.Text = g.first("question", "text", "context", "ctx", "sent1", "premise", "goal", "sentence")
	}
	g.say("kind %s: the columns %s are choices, and %s says which is right", t.Kind, strings.Join(t.Choices, ", "), t.Label)
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

// textAndAnswer are names of columns of a text and of what is written for it.
var textAndAnswer = [][2]string{
	{"prompt", "completion"}, {"instruction", "output"}, {"instruction", "response"}, {"prompt", "response"}, {"input", "output"}, {"source", "target"}, {"src", "tgt"},
	{"question", "answer"}, {"document", "summary"}, {"article", "highlights"}, {"text", "summary"}, {"input", "target"},
}

func (g *guesser) answers() {
	t := g.task
	if t.Kind == task.MultipleChoice.String() || !g.open(task.TextToText) || t.Label != "" {
		return
	}
	for _, w := range textAndAnswer {
		text, answer := g.first(w[0]), g.first(w[1])
		if text == "" || answer == "" || t.Text != "" && t.Text != text || t.Kind == "" && g.distinct(answer) <= fewLabels {
			continue
		}
		t.Kind, t.Text, t.Answer = task.TextToText.String(), text, answer
		g.say("kind %s: %s is written for %s, by their names", t.Kind, answer, text)
		return
	}
	if t.Kind != "" && len(g.Columns) == 2 {
		t.Text, t.Answer = g.Columns[0], g.Columns[1]
		g.say("%s is written for %s: there are two columns", t.Answer, t.Text)
	}
}

// twoTexts are names of columns of two texts.
var twoTexts = [][2]string{
	{"sentence1", "sentence2"}, {"premise", "hypothesis"}, {"question1", "question2"}, {"question", "sentence"}, {"text1", "text2"}, {"text_a", "text_b"}, {"text", "text_pair"},
	{"first", "second"}, {"query", "passage"}, {"query", "document"},
}

func (g *guesser) pairs() {
	t := g.task
	if t.Kind == task.MultipleChoice.String() || t.Kind == task.TextToText.String() || !g.open(task.PairClassification, task.Regression, task.MultiLabel) {
		return
	}
	for _, two := range twoTexts {
		a, b := g.first(two[0]), g.first(two[1])
		if a != "" && b != "" && (t.Text == "" || t.Text == a) && t.Label != a && t.Label != b {
			t.Text, t.TextPair = a, b
			g.say("two texts, %s and %s, by their names", a, b)
			return
		}
	}
}

func (g *guesser) label() {
	t := g.task
	if t.Label != "" || t.Kind == task.TextToText.String() || t.Kind == task.MultipleChoice.String() {
		return
	}
	if t.Label = g.first("label", "labels", "class", "category", "sentiment", "stars", "rating", "score", "similarity", "target", "intent", "topic", "emotion", "polarity", "tags", "y"); t.Label != "" {
		g.say("label: the column %s, by its name", t.Label)
		return
	}
	var marks []string
	for _, c := range g.Columns {
		if c != t.Text && c != t.TextPair && g.every(c, func(x any) bool {
			return x == int64(0) || x == int64(1) || x == "0" || x == "1" || x == true || x == false
		}) {
			marks = append(marks, c)
		}
	}
	if len(marks) > 1 && g.open(task.MultiLabel) {
		t.LabelColumns, t.Kind = marks, task.MultiLabel.String()
		g.say("kind %s: each of the columns %s is 0 or 1", t.Kind, strings.Join(marks, ", "))
		return
	}
	var rest []string
	for _, c := range g.Columns {
		if n := g.distinct(c); c != t.Text && c != t.TextPair && n > 1 && n <= fewLabels && n < len(g.Rows) {
			rest = append(rest, c)
		}
	}
	if len(rest) > 0 {
		t.Label = rest[len(rest)-1]
		g.say("label: the column %s, the last one with few values, %d in %d documents", t.Label, g.distinct(t.Label), len(g.Rows))
	}
}

func (g *guesser) text() {
	t := g.task
	if t.Text != "" {
		return
	}
	taken := append([]string{t.Label, t.TextPair, t.Answer}, append(slices.Clone(t.LabelColumns), t.Choices...)...)
	if c := g.first("text", "sentence", "content", "review", "comment", "document", "question", "utterance", "title", "body", "tweet", "message", "sequence"); c != "" && !slices.Contains(taken, c) {
		t.Text = c
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
			t.Text, longest = c, n
		}
	}
	if t.Text != "" {
		g.say("text: the column %s, which has the longest texts", t.Text)
	}
}

// fewLabels is the greatest number of values of a column that is taken for one of labels.
const fewLabels = 200

func (g *guesser) kind() {
	t := g.task
	if t.Kind != "" || t.Label == "" {
		return
	}
	n := g.distinct(t.Label)
	switch {
	case g.lists(t.Label):
		t.Kind = task.MultiLabel.String()
		g.say("kind %s: %s has lists", t.Kind, t.Label)
	case g.every(t.Label, isNumber) && (g.every(t.Label, func(x any) bool { return !isWhole(x) }) || g.fractions(t.Label) || n > fewLabels):
		t.Kind = task.Regression.String()
		g.say("kind %s: %s has numbers, %d different ones", t.Kind, t.Label, n)
	case t.TextPair != "":
		t.Kind = task.PairClassification.String()
		g.say("kind %s: %s has %d labels", t.Kind, t.Label, n)
	default:
		t.Kind = task.Classification.String()
		g.say("kind %s: %s has %d labels", t.Kind, t.Label, n)
	}
}

// fractions says that a column has a number that is not whole.
func (g *guesser) fractions(column string) bool {
	return !g.every(column, isWhole)
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

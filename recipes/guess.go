package recipes

import (
	"fmt"
	"slices"
	"strings"

	"hone/data/task"
)

// Guess makes the file of a task of a sample. kind, text and label are given where the user has said so;
// "": not. why says in sentences what was guessed, and from what.
func Guess(s task.Sample, kind, text, label string) (t *Task, why []string, err error) {
	for _, name := range []string{text, label} {
		if name != "" && !slices.Contains(s.Columns, name) {
			return nil, nil, Input(fmt.Errorf("no column is called %q%s", name, suggest(name, s.Columns)))
		}
	}
	var said *task.Kind
	if kind != "" {
		if said, err = task.ParseKind(kind); err != nil {
			return nil, nil, Input(err)
		}
	}
	found, why := task.Guess(s, said, text, label)
	c := &found.Columns
	if found.Kind == nil || c.Text.Column+c.Words == "" || c.Words != "" && c.Label == "" {
		return nil, why, Input(fmt.Errorf("what is the task of columns %s? (hint: --text and --label name columns, --task the kind, or the file of a task)", strings.Join(s.Columns, ", ")))
	}
	if label != "" && !found.Kind.Labelled() {
		return nil, nil, Input(fmt.Errorf("%s predicts the text itself: there is no label %q to name", found.Kind, label))
	}
	t = new(defaultTask())
	t.Kind, t.Text, t.TextPair, t.Answer = found.Kind.Name, c.Text.Column, c.Pair.Column, c.Answer.Column
	t.Words, t.Label, t.LabelColumns, t.Choices = c.Words, c.Label, c.LabelColumns, c.Choices
	t.Baselines = slices.DeleteFunc(slices.Clone(found.Kind.Baselines), func(b string) bool {
		return b == "random_init" || b == "word_overlap" && t.TextPair == "" || strings.HasPrefix(b, "lead_") || b == "word_dictionary"
	})
	return t, why, nil
}

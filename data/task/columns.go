package task

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"hone/data/corpus"
	"hone/data/source"
	"hone/data/tokenizer/template"
)

// Columns say where the records of a task have the parts of an example.
type Columns struct {
	Text, Pair, Answer Part
	Choices            []string           // columns of a choice each; or one, of lists
	Choice             *template.Template // writes a choice, the variable choice; nil: as it is
	Words              string             // column of lists of words
	Label              string             // column; "": that of the corpus
	FirstLabel         int                // integer that stands for the first of the task's labels
	LabelColumns       []string           // columns of 0 and 1, one for each label, which has the column's name
	Separator          string             // between the labels of a text; "": the column has lists
	Group              string             // column whose documents stay together where some are held out; "": see Read
}

// A Part is where a record has a text of its example: a column or, if there is a template, what
// that writes of the record's columns.
type Part struct {
	Column   string
	Template *template.Template
}

// Read completes the Spec of a task: which columns of its corpus are read. Questions about one
// context are held out together, unless another column is named.
func (t *Task) Read() {
	c, s := &t.Columns, &t.Spec
	s.Fields, s.Words, s.Group = nil, c.Words, c.Group
	if s.Group == "" && t.Kind != nil && t.Kind.Reads == Passage {
		s.Group = c.Pair.Column
	}
	add := func(names ...string) {
		for _, name := range names {
			if name != "" && !slices.Contains(s.Fields, name) {
				s.Fields = append(s.Fields, name)
			}
		}
	}
	s.Text = c.Text.Column
	if c.Text.Template != nil {
		names := c.Text.Template.Variables()
		add(names...)
		if s.Text == "" && len(names) > 0 {
			s.Text = names[0]
		}
	}
	for _, p := range []Part{c.Pair, c.Answer} {
		if p.Template != nil {
			add(p.Template.Variables()...)
		} else {
			add(p.Column)
		}
	}
	add(c.Words)
	add(c.Choices...)
	if c.Choice != nil {
		add(slices.DeleteFunc(slices.Clone(c.Choice.Variables()), func(name string) bool { return name == choiceName })...)
	}
	add(c.LabelColumns...)
	if t.Kind.Labels == OneOf {
		s.Label = c.Label
	} else {
		add(c.Label)
	}
}

// Needs lists the columns that a task reads of a corpus whose text is in the column text, beside
// that and the label.
func (t *Task) Needs(text string) []string {
	fields := t.Spec.Fields
	if c := t.Columns.Text.Column; c != "" && c != text && !slices.Contains(fields, c) {
		fields = append(slices.Clone(fields), c)
	}
	return fields
}

// Texts are the columns that have the texts of records: none where a template or a list of words makes
// them, and nil where no column is named, and the text is wherever a file has it.
func (t *Task) Texts() (columns []string) {
	if t.Columns.Text.Template != nil || t.Columns.Words != "" {
		columns = []string{}
	}
	for _, p := range []Part{t.Columns.Text, t.Columns.Pair} {
		if p.Template == nil && p.Column != "" {
			columns = append(columns, p.Column)
		}
	}
	return columns
}

// Predicting gives the task for records that lack what is predicted. texts are the columns that have their
// texts, or their words; none: those of the task.
func (t *Task) Predicting(texts []string) (*Task, error) {
	p := *t
	c := &p.Columns
	c.Label, c.LabelColumns, c.Answer = "", nil, Part{}
	switch n := len(texts); {
	case t.Kind.Reads == Words && n > 1:
		return nil, fmt.Errorf("%d columns, and a task of kind %v reads one, of lists of words", n, t.Kind)
	case t.Kind.Reads == Words && n == 1:
		c.Words = texts[0]
	case n > 0:
		if c.Text.Template == nil {
			c.Text.Column = texts[0]
			if n > 1 && t.Kind.Reads != Choices && !t.Kind.Writes() {
				c.Pair = Part{Column: texts[1]}
			}
		}
		if reads := len(p.Texts()); reads != n {
			return nil, fmt.Errorf("%d columns, and a task of kind %v reads %d", n, t.Kind, reads)
		}
	}
	p.Read()
	return &p, nil
}

// choiceName is the variable of a template of choices.
const choiceName = "choice"

// text begins an example with its text, and with the second one where the task has one.
func (t *Task) text(r *corpus.Record) (Example, error) {
	e := Example{Text: r.Text, IDs: r.IDs, Null: r.Null}
	p := &t.Columns.Text
	if text, ok := r.Fields[p.Column]; p.Template != nil || ok && (text != nil || p.Column == "") {
		text, ok, err := p.read(r)
		if err != nil {
			return e, err
		}
		e = Example{Text: text, Null: !ok}
	}
	if t.Columns.Pair == (Part{}) {
		return e, nil
	}
	text, ok, err := t.Columns.Pair.read(r)
	e.Pair, e.Null = text, e.Null || !ok
	return e, err
}

// read gives a text of a record; ok is false where it is null.
func (p *Part) read(r *corpus.Record) (text string, ok bool, err error) {
	if p.Template != nil {
		text, err = write(p.Template, r, nil)
		return text, true, err
	}
	text, ok = asText(r.Fields[p.Column])
	return text, ok, nil
}

// write gives what a template writes of a record's columns, and of one more variable.
func write(t *template.Template, r *corpus.Record, choice any) (string, error) {
	v := template.Values{}
	for name, x := range r.Fields {
		if raw, ok := x.(json.RawMessage); ok {
			var err error
			if x, err = template.DecodeJSON(raw); err != nil {
				return "", fmt.Errorf("column %s: %w", name, err)
			}
		}
		v[name] = x
	}
	if choice != nil {
		v[choiceName] = choice
	}
	text, _, err := t.Render(v)
	return text, err
}

// asText gives the value of a column as text; ok is false for null.
func asText(x any) (text string, ok bool) {
	switch x := x.(type) {
	case nil:
		return "", false
	case string:
		return x, true
	case json.RawMessage:
		return string(x), true
	}
	return fmt.Sprint(x), true
}

// class gives the label that a value of a column stands for: itself, or the one of that number
// where the labels of the task are names.
func (t *Task) class(x any) (label string, ok bool) {
	label, ok = asText(x)
	if label = strings.TrimSpace(label); !ok || label == "" {
		return "", false
	}
	if i, err := strconv.Atoi(label); err == nil && len(t.Labels) > 0 && !slices.Contains(t.Labels, label) {
		if i == -1 {
			return "", false // how datasets marks a row without label
		}
		if i -= t.Columns.FirstLabel; i >= 0 && i < len(t.Labels) {
			return t.Labels[i], true
		}
	}
	return label, true
}

// known checks a label against those of the task, if it has a list.
func (t *Task) known(label string) error {
	if len(t.Labels) == 0 || slices.Contains(t.Labels, label) {
		return nil
	}
	err := UnknownLabel(label, t.Labels)
	if _, no := strconv.Atoi(label); no == nil {
		return fmt.Errorf("%w (hint: integers stand for labels from first_label = %d on)", err, t.Columns.FirstLabel)
	}
	return err
}

// UnknownLabel is the error of a label that is none of a set.
func UnknownLabel(label string, known []string) error {
	near := ""
	if n := source.Nearest(label, known); n != "" {
		near = fmt.Sprintf(" (did you mean %q?)", n)
	}
	return fmt.Errorf("label %q is not one of the %d known%s", label, len(known), near)
}

// labelled sets the label of an example that has one of a set.
func (t *Task) labelled(e *Example, r *corpus.Record) error {
	if e.HasLabel = r.HasLabel; !r.HasLabel {
		return nil
	}
	if len(t.Labels) == 0 { // as it is written
		e.Label = r.Label
		return nil
	}
	e.Label, e.HasLabel = t.class(r.Label)
	if !e.HasLabel {
		return nil
	}
	return t.known(e.Label)
}

// list gives the elements of a column of lists; ok is false for null.
func list(x any, column string) (elements []any, ok bool, err error) {
	switch x := x.(type) {
	case nil:
		return nil, false, nil
	case string: // as CSV has it
		if !strings.HasPrefix(strings.TrimSpace(x), "[") {
			return nil, false, fmt.Errorf("column %s: %q is not a list", column, x)
		}
		return list(json.RawMessage(x), column)
	case json.RawMessage:
		v, err := template.DecodeJSON(x)
		elements, ok = v.([]any)
		if err != nil || !ok {
			return nil, false, fmt.Errorf("column %s: %s is not a list", column, x)
		}
		return elements, true, nil
	}
	return nil, false, fmt.Errorf("column %s: %v is not a list", column, x)
}

// number gives the value of a column as a finite number; ok is false for null.
func number(x any, column string) (v float64, ok bool, err error) {
	switch x := x.(type) {
	case nil:
		return 0, false, nil
	case int64:
		return float64(x), true, nil
	case float64:
		v = x
	case string:
		if strings.TrimSpace(x) == "" {
			return 0, false, nil
		}
		if v, err = strconv.ParseFloat(strings.TrimSpace(x), 64); err != nil {
			return 0, false, fmt.Errorf("column %s: %q is not a number", column, x)
		}
	default:
		return 0, false, fmt.Errorf("column %s: %v is not a number", column, x)
	}
	if math.IsNaN(v) || math.IsInf(v, 0) || math.Abs(v) > math.MaxFloat32 {
		return 0, false, fmt.Errorf("column %s: %g is not a finite number (hint: leave the cell empty where there is no value)", column, v)
	}
	return v, true, nil
}

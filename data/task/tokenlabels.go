package task

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"hone/data/corpus"
	"hone/data/source"
)

// TokenLabels is the task of assigning a label to each word of a text, such as the tags of entities
// or parts of speech.
var TokenLabels = &Kind{
	Name:  "token_labels",
	Head:  "token classifier",
	Reads: Words, Labels: EachOf,
	Keys: []string{"words", "label"}, Options: []string{"class_weights", "label_smoothing_factor"}, Usual: &Columns{Words: "words"},
	Metrics:   []string{"entity_f1", "entity_f1_iob2", "entity_macro_f1_iob2", "klue_entity_macro_f1", "klue_char_macro_f1", "accuracy"},
	Baselines: []string{"frequent_label", "random_init"},
	example:   readWords,
	guess:     (*guesser).words,
}

// readWords gives the words and the label of each. Tags of entities of any of the schemes IOB1, IOB2 and
// IOBES become those of IOB2.
func readWords(t *Task, r *corpus.Record) (Example, error) {
	var e Example
	words, ok, err := t.texts(r, t.Columns.Words)
	if err != nil || !ok {
		e.Null = !ok
		return e, err
	}
	e.Words, e.Text = words, source.JoinWords(words)
	if hasSpans(r.Fields[t.Columns.Label]) {
		return e, fmt.Errorf("column %s has spans of the text, as {start, end, label}, and not a label for each word (hint: cut the text into words, and give each one a tag, as B-PER, I-PER or O)", t.Columns.Label)
	}
	labels, ok, err := t.texts(r, t.Columns.Label)
	if err != nil || !ok {
		return e, err
	}
	if len(labels) != len(words) {
		return e, fmt.Errorf("%d words, and %d labels in column %s", len(words), len(labels), t.Columns.Label)
	}
	for i, l := range labels {
		if labels[i], ok = t.class(l); !ok {
			return e, fmt.Errorf("word %d, %q, has no label", i+1, words[i])
		}
	}
	e.Labels, e.HasLabel = IOB2(labels), len(words) > 0
	for i, l := range e.Labels {
		if err := t.known(l); err != nil {
			return e, fmt.Errorf("word %d, %q: %w", i+1, words[i], err)
		}
	}
	return e, nil
}

// hasSpans reports whether a column has parts of a text, as annotation tools write them: a list of objects, or
// of lists, of places and a label.
func hasSpans(x any) bool {
	raw, ok := x.(json.RawMessage)
	if text, is := x.(string); is {
		raw, ok = json.RawMessage(text), true
	}
	var list []json.RawMessage
	return ok && json.Unmarshal(raw, &list) == nil && len(list) > 0 && (list[0][0] == '{' || list[0][0] == '[')
}

// texts gives the elements of a column of lists of texts; ok is false for null.
func (t *Task) texts(r *corpus.Record, column string) (texts []string, ok bool, err error) {
	values, ok, err := list(r.Fields[column], column)
	if err != nil || !ok {
		return nil, false, err
	}
	for i, v := range values {
		text, ok := asText(v)
		if !ok {
			return nil, false, fmt.Errorf("column %s: element %d is null", column, i+1)
		}
		texts = append(texts, text)
	}
	return texts, true, nil
}

// Tag splits the tag of an entity into the letter before its hyphen and the type; ok is false for what
// is none. O has no type.
func Tag(label string) (prefix byte, kind string, ok bool) {
	if label == "O" {
		return 'O', "", true
	}
	p, kind, hyphen := strings.Cut(label, "-")
	if !hyphen || len(p) != 1 || kind == "" || !strings.Contains("BIES", p) {
		return 0, "", false
	}
	return p[0], kind, true
}

// IOB2 gives tags of entities of any of the schemes IOB1, IOB2 and IOBES as IOB2 has them: an entity
// begins with B-, and I- continues it. Labels that are no tags stay as they are.
func IOB2(labels []string) []string {
	out := make([]string, len(labels))
	before, inside := "", false // the type of the entity that may go on
	for i, label := range labels {
		prefix, kind, ok := Tag(label)
		out[i] = label
		switch {
		case !ok || prefix == 'O':
			inside = false
			continue
		case (prefix == 'I' || prefix == 'E') && inside && kind == before:
			out[i] = "I-" + kind
		default:
			out[i] = "B-" + kind
		}
		before, inside = kind, prefix != 'E' && prefix != 'S'
	}
	return out
}

// words finds words and their labels: two columns of lists that are as long in every row. Where the user
// has said the kind, what is wrong with them is said of their rows.
func (g *guesser) words() (why string, ok bool) {
	c := &g.to
	words := cmp.Or(c.Text.Column, g.first("tokens", "words", "token", "word", "forms", "form"))
	label := cmp.Or(c.Label, g.first("ner_tags", "tags", "ner", "labels", "label", "bio", "pos_tags", "upos", "pos", "chunk_tags"))
	if ok = words != "" && label != "" && (g.said || g.lists(words) && g.lists(label) && g.together(words, label)); ok {
		c.Text.Column, c.Words, c.Label = "", words, label
	}
	return fmt.Sprintf("%s has lists of words, and %s as many labels", words, label), ok
}

// together says that two columns have lists of as many elements each in every row that has both.
func (g *guesser) together(a, b string) bool {
	for _, r := range g.Rows {
		x, has, err := list(r[a], a)
		y, both, errY := list(r[b], b)
		if err != nil || errY != nil || has && both && len(x) != len(y) {
			return false
		}
	}
	return true
}

package data

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"hone/data/source"
)

// An Objective says what is learned from a document.
type Objective uint8

const (
	Causal         Objective = iota // the next token, of every token and of the end
	Classification                  // the record's label, at the document's end
)

var objectives = []string{Causal: "causal", Classification: "classification"}

func (o Objective) String() string {
	if int(o) < len(objectives) {
		return objectives[o]
	}
	return fmt.Sprintf("objective(%d)", uint8(o))
}

// ParseObjective is the objective of a name.
func ParseObjective(name string) (Objective, error) {
	for o, n := range objectives {
		if n == name {
			return Objective(o), nil
		}
	}
	return 0, fmt.Errorf("data: unknown objective %q; known: %s", name, strings.Join(objectives, ", "))
}

// rowSource lays documents into rows; each objective has one. What it gives next is
// a function of its cursor alone.
type rowSource interface {
	// fill writes row row of b and appends its sequences; it returns the number of
	// loss terms in it. io.EOF: nothing is left, and the row is untouched.
	fill(b *Batch, row int) (targets int, err error)
	cursor() Cursor
}

// A reader takes documents out of the epochs' orders and encodes them.
type reader struct {
	cfg    *Config
	eot    int32
	labels map[string]int32 // nil: not wanted
	order  permutation
	epoch  int64 // of order
	usable int64 // documents since the start of the epoch; -1: it was entered midway
	stats  *Stats
	stop   <-chan struct{} // Close: heeded between documents, since any number may be passed over
}

func (r *reader) enter(c Cursor) {
	r.epoch = c.Epoch
	r.order = newPermutation(r.cfg.Records.Rows(), r.cfg.Shuffle, r.cfg.Seed, uint64(c.Epoch))
	r.usable = 0
	if c.Position != 0 || c.Offset != 0 {
		r.usable = -1
	}
}

// next turns to the epoch after the one that has ended, in c.
func (r *reader) next(c *Cursor) error {
	if r.usable == 0 {
		s := r.stats
		return fmt.Errorf("data: nothing to learn from in %d records: %d null, %d empty, %d longer than %d bytes, %d without a label",
			r.cfg.Records.Rows(), s.Null, s.Empty, s.TooLong, r.cfg.MaxDocBytes, s.Unlabelled)
	}
	*c = Cursor{Epoch: c.Epoch + 1}
	r.enter(*c)
	return nil
}

func (r *reader) ended(c Cursor) bool {
	return r.cfg.Epochs > 0 && c.Epoch >= int64(r.cfg.Epochs)
}

// read appends [EOT t1…tn EOT] of the document at a position of the epoch to ids. Its
// label is -1 where labels are not wanted. ok is false for a document to pass over,
// which is counted.
func (r *reader) read(position int64, ids []int32) (out []int32, doc int64, label int32, ok bool, err error) {
	select {
	case <-r.stop:
		return ids, 0, -1, false, errClosed
	default:
	}
	doc = r.order.at(position)
	rec, err := r.cfg.Records.Record(doc)
	if err != nil {
		return ids, doc, -1, false, err // names the place, as Records promises
	}
	label = -1
	skip := func(count *int64) ([]int32, int64, int32, bool, error) {
		*count++
		return ids, doc, -1, false, nil
	}
	switch {
	case rec.Null:
		return skip(&r.stats.Null)
	case rec.Text == "":
		return skip(&r.stats.Empty)
	case len(rec.Text) > r.cfg.MaxDocBytes:
		return skip(&r.stats.TooLong)
	case r.labels != nil && !rec.HasLabel:
		return skip(&r.stats.Unlabelled)
	case !utf8.ValidString(rec.Text):
		return ids, doc, -1, false, fmt.Errorf("data: record %d%s: invalid UTF-8 at byte %d", doc, at(rec.Path), invalidAt(rec.Text))
	}
	if r.labels != nil {
		if label, ok = r.labels[rec.Label]; !ok {
			near := ""
			if n := source.Nearest(rec.Label, r.cfg.Labels); n != "" {
				near = fmt.Sprintf(" (did you mean %q?)", n)
			}
			return ids, doc, -1, false, fmt.Errorf("data: record %d%s: label %q is not one of the %d known%s",
				doc, at(rec.Path), rec.Label, len(r.labels), near)
		}
	}
	start := len(ids)
	ids = append(ids, r.eot)
	ids = r.cfg.Tokenizer.Encode(ids, rec.Text)
	if len(ids) == start+1 {
		ids = ids[:start]
		return skip(&r.stats.Empty)
	}
	if r.usable >= 0 {
		r.usable++
	}
	r.stats.Documents++
	r.stats.Bytes += int64(len(rec.Text))
	r.stats.Tokens += int64(len(ids) - start - 1)
	return append(ids, r.eot), doc, label, true, nil
}

func at(path string) string {
	if path == "" {
		return ""
	}
	return " (" + path + ")"
}

func invalidAt(s string) int {
	for i, c := range s {
		if c == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return -1
}

// startRow sets row row of b to padding and returns where it starts.
func startRow(b *Batch, row int, eot int32) int {
	T := b.Dec.T
	at := row * T
	for i := at; i < at+T; i++ {
		b.Dec.Tokens[i] = eot
		b.Dec.Segments[i] = -1
		b.Dec.Positions[i] = 0
		b.Dec.Order[i] = int32(i - at)
	}
	if b.Targets != nil {
		absent(b.Targets[at : at+T])
		clear(b.Weights[at : at+T])
	}
	return at
}

// place writes the inputs of a segment at position first of a row that starts at at.
func place(b *Batch, at, first int, segment int32, ids []int32) {
	copy(b.Dec.Tokens[at+first:], ids)
	for i := range ids {
		b.Dec.Segments[at+first+i] = segment
		b.Dec.Positions[at+first+i] = int32(i)
	}
}

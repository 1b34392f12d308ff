package data

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"hone/data/source"
	"hone/data/tokenizer"
)

// An Objective says what is learned from a document.
type Objective uint8

const (
	Causal         Objective = iota // the next token, of every token and of the end
	Classification                  // the record's label, at the document's end
	Masked                          // tokens that are hidden, from both sides
	Permutation                     // some of the tokens, in a random factorisation order
	SpanCorruption                  // hidden spans, written by a decoder
	PrefixLM                        // the next token, of each behind a prefix that is read as a whole
)

var objectives = []string{
	Causal: "causal", Classification: "classification", Masked: "masked", Permutation: "permutation",
	SpanCorruption: "span_corruption", PrefixLM: "prefix_lm",
}

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

// next says that each token is predicted from those before it, and the end too.
func (o Objective) next() bool { return o == Causal || o == PrefixLM }

// shifted says that the target of an input is the next one.
func (o Objective) shifted() bool { return o.next() || o == Classification }

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
	parts  []partReader // one, or those of the mixture
	frame  frame
	labels map[string]int32 // nil: not wanted
	stats  *Stats
	stop   <-chan struct{} // Close: heeded between documents, since any number may be passed over
}

// A partReader is one corpus in the order of one epoch.
type partReader struct {
	Part
	stride, phase float64 // see next
	order         permutation
	epoch         int64 // of order; -1: none yet
	usable        int64 // documents since the start of the epoch; -1: it was entered midway
}

// A frame is the special tokens around a document; -1: none.
type frame struct{ first, last, pad int32 }

// size is the number of tokens that a frame adds.
func (f frame) size() int {
	n := 0
	if f.first >= 0 {
		n++
	}
	if f.last >= 0 {
		n++
	}
	return n
}

// A document is what has been read at a place: its record and corpus, the epoch of
// that, and its label, or -1. A document to pass over is not ok.
type document struct {
	part  int
	epoch int64
	doc   int64
	label int32
	ok    bool
}

func newReader(cfg *Config, from Cursor, stats *Stats, stop <-chan struct{}) *reader {
	r := &reader{cfg: cfg, frame: cfg.frame(), stats: stats, stop: stop}
	parts := cfg.Mixture
	if len(parts) == 0 {
		parts = []Part{{Records: cfg.Records, Weight: 1}}
	}
	r.parts = make([]partReader, len(parts))
	for i, p := range parts {
		r.parts[i] = partReader{Part: p, stride: 1 / p.Weight, phase: phase(i), epoch: -1}
	}
	if len(cfg.Mixture) == 0 {
		r.parts[0].enter(cfg, 0, from.Epoch, from.Position == 0 && from.Offset == 0)
	}
	if cfg.Objective == Classification {
		r.labels = map[string]int32{}
		for i, name := range cfg.Labels {
			r.labels[name] = int32(i)
		}
	}
	return r
}

// enter turns to the order of an epoch, at its start or midway.
func (p *partReader) enter(cfg *Config, part int, epoch int64, start bool) {
	p.epoch, p.usable = epoch, -1
	if start {
		p.usable = 0
	}
	if len(cfg.Mixture) == 0 {
		p.order = newPermutation(p.Records.Rows(), cfg.Shuffle, cfg.Seed, uint64(epoch))
	} else {
		p.order = newPermutation(p.Records.Rows(), cfg.Shuffle, cfg.Seed, uint64(epoch), uint64(part))
	}
}

// turn turns c from the end of a single corpus to its next epoch; ended says that there
// is none. A mixture has no end: each of its corpora turns by itself.
func (r *reader) turn(c *Cursor) (ended bool, err error) {
	if len(c.Parts) > 0 {
		return false, nil
	}
	if c.Position >= r.parts[0].Records.Rows() && !r.ended(*c) {
		if err := r.enough(0); err != nil {
			return false, err
		}
		*c = Cursor{Epoch: c.Epoch + 1}
		r.parts[0].enter(r.cfg, 0, c.Epoch, true)
	}
	return r.ended(*c), nil
}

func (r *reader) ended(c Cursor) bool {
	return r.cfg.Epochs > 0 && c.Epoch >= int64(r.cfg.Epochs)
}

// enough is an error where a whole epoch of a corpus had nothing to learn from: the
// next would be the same.
func (r *reader) enough(part int) error {
	p := &r.parts[part]
	if p.usable != 0 {
		return nil
	}
	s, of := r.stats, ""
	if len(r.parts) > 1 {
		of = fmt.Sprintf(" of corpus %q (with the rest of the mixture", p.Name)
	} else {
		of = " ("
	}
	return fmt.Errorf("data: nothing to learn from in %d records%s: %d null, %d empty, %d longer than %d bytes, %d without a label)",
		p.Records.Rows(), of, s.Null, s.Empty, s.TooLong, r.cfg.MaxDocBytes, s.Unlabelled)
}

// read appends the framed tokens of the document at c to ids.
func (r *reader) read(c *Cursor, ids []int32) ([]int32, document, error) {
	select {
	case <-r.stop:
		return ids, document{}, errClosed
	default:
	}
	d := document{label: -1}
	position := c.Position
	if len(c.Parts) > 0 {
		d.part = r.next(c)
		rows := r.parts[d.part].Records.Rows()
		epoch := c.Parts[d.part].Position / rows
		position = c.Parts[d.part].Position % rows
		if p := &r.parts[d.part]; p.epoch != epoch {
			if p.epoch >= 0 { // it has come round
				if err := r.enough(d.part); err != nil {
					return ids, d, err
				}
			}
			p.enter(r.cfg, d.part, epoch, position == 0)
		}
	}
	p := &r.parts[d.part]
	d.epoch, d.doc = p.epoch, p.order.at(position)
	rec, err := p.Records.Record(d.doc)
	if err != nil {
		return ids, d, err // names the place, as Records promises
	}
	start := len(ids)
	skip := func(count *int64) ([]int32, document, error) {
		*count++
		return ids[:start], d, nil
	}
	switch {
	case rec.Null:
		return skip(&r.stats.Null)
	case rec.Text == "" && len(rec.IDs) == 0:
		return skip(&r.stats.Empty)
	case len(rec.Text) > r.cfg.MaxDocBytes:
		return skip(&r.stats.TooLong)
	case r.labels != nil && !rec.HasLabel:
		return skip(&r.stats.Unlabelled)
	}
	fail := func(format string, args ...any) ([]int32, document, error) {
		of := ""
		if p.Name != "" {
			of = "corpus " + p.Name + ": "
		}
		return ids[:start], d, fmt.Errorf("data: %srecord %d%s: %s", of, d.doc, rec.Place(), fmt.Sprintf(format, args...))
	}
	if !utf8.ValidString(rec.Text) {
		return fail("invalid UTF-8 at byte %d", rec.InvalidUTF8())
	}
	if r.labels != nil {
		var known bool
		if d.label, known = r.labels[rec.Label]; !known {
			near := ""
			if n := source.Nearest(rec.Label, r.cfg.Labels); n != "" {
				near = fmt.Sprintf(" (did you mean %q?)", n)
			}
			return fail("label %q is not one of the %d known%s", rec.Label, len(r.labels), near)
		}
	}
	if r.frame.first >= 0 {
		ids = append(ids, r.frame.first)
	}
	text := len(ids)
	if len(rec.IDs) > 0 {
		ids = append(ids, rec.IDs...)
	} else {
		ids = r.cfg.Tokenizer.Encode(ids, rec.Text)
		if err := tokenizer.Fault(r.cfg.Tokenizer); err != nil {
			return fail("%v", err)
		}
	}
	n := len(ids) - text
	if n == 0 {
		return skip(&r.stats.Empty)
	}
	if ids[text] == r.frame.first || ids[len(ids)-1] == r.frame.last {
		return fail("its tokens already begin or end with the special token that would be set around them: it would stand doubled (hint: leave bos, eos or separator to one of the two)")
	}
	if r.frame.last >= 0 {
		ids = append(ids, r.frame.last)
	}
	if r.cfg.Objective.shifted() && len(ids)-start < 2 {
		return skip(&r.stats.Empty)
	}
	if p.usable >= 0 {
		p.usable++
	}
	r.stats.Documents++
	r.stats.Bytes += int64(len(rec.Text))
	r.stats.Tokens += int64(n)
	d.ok = true
	return ids, d, nil
}

// pass moves c behind a document that has been read, of which tokens were taken.
func (r *reader) pass(c *Cursor, d document, tokens int) {
	c.Position++
	c.Offset = 0
	if len(c.Parts) > 0 {
		p := &c.Parts[d.part]
		p.Position++
		if d.ok {
			p.Documents++
			p.Tokens += int64(tokens)
		}
	}
}

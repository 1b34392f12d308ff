package data

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"hone/data/corpus"
	"hone/data/task"
	"hone/data/tokenizer"
)

// An Objective is a training objective, with everything that depends on it. Each one is in a
// file of its own; Objectives lists those of text without labels.
type Objective interface {
	// String gives its name in recipes.
	String() string
	// Predicts says what the output layer of the model has to predict, by the names of
	// model.Learning.
	Predicts() string
	// OfText reports whether it learns from text alone: documents are laid end to end, and
	// records need no labels.
	OfText() bool
	// Hides reports whether it predicts tokens that are hidden from the input.
	Hides() bool
	// Specials lists the special tokens that the tokenizer needs, in addition to those around
	// documents; mask is the name of the mask token.
	Specials(mask string) []string
	// Ends gives the tokens around a text that a trained model reads, from those around training
	// documents: a text that is to be continued has no end token.
	Ends(before, after string) (string, string)
	// Baselines lists the baselines for its models, by their names in reports.
	Baselines() []string
	// Validating turns the training configuration c into the one of validation: by the
	// probability of whole texts if the objective gives one, else by its own loss.
	Validating(c *Config) (whole bool)

	// example gives the part of a record that is read.
	example(r *corpus.Record) (task.Example, error)
	defaults(c *Config)
	check(c *Config, f *faults)
	// lengths gives the numbers of positions of a row of the decoder and of the encoder.
	lengths(c *Config) (dec, enc int)
	// labelled reports whether sequences have labels, targeted whether tokens have targets.
	labelled(c *Config) bool
	targeted(c *Config) bool
	// ends reports whether the end of a document is a target too.
	ends() bool
	// rows makes rows of documents; stream lays the pieces of a document into them.
	rows(r *reader, from Cursor, stream func(layer) rowSource) rowSource
	layout() layout
}

// A layout says where the targets of a sequence are.
type layout struct {
	shifted  bool // that of an input is the token that follows it
	prefixed bool // a prefix is only read
	ordered  bool // they are predicted in the order that Stream.Order says
}

// Objectives are the objectives of text without labels; the first is what is learned where
// nobody says.
var Objectives = []Objective{Causal, PrefixLM, Masked, Permutation, SpanCorruption}

// ParseObjective gives the objective of a name.
func ParseObjective(name string) (Objective, error) {
	var known []string
	for _, o := range Objectives {
		if o.String() == name {
			return o, nil
		}
		known = append(known, o.String())
	}
	return nil, fmt.Errorf("data: unknown objective %q (known: %s)", name, strings.Join(known, ", "))
}

// ofText has the methods that most objectives of text share.
type ofText struct{}

func (ofText) OfText() bool                               { return true }
func (ofText) Hides() bool                                { return false }
func (ofText) Specials(string) []string                   { return nil }
func (ofText) Ends(before, after string) (string, string) { return before, after }
func (ofText) Validating(*Config) bool                    { return false }
func (ofText) Baselines() []string                        { return task.WholeTexts.Kind.Baselines }
func (ofText) example(r *corpus.Record) (task.Example, error) {
	return task.WholeTexts.Example(r)
}
func (ofText) defaults(*Config)                 {}
func (ofText) lengths(c *Config) (dec, enc int) { return c.T, 0 }
func (ofText) labelled(*Config) bool            { return false }
func (ofText) targeted(*Config) bool            { return true }
func (ofText) ends() bool                       { return false }
func (ofText) layout() layout                   { return layout{} }

// faults collects the faults of a Config.
type faults struct{ list []error }

func (f *faults) add(bad bool, format string, args ...any) {
	if bad {
		f.list = append(f.list, fmt.Errorf("data: "+format, args...))
	}
}

func (f *faults) within(share float64, of string) {
	f.add(!(share > 0 && share < 1), "%s %g: want it above 0 and below 1", of, share)
}

// masked requires the mask token.
func (f *faults) masked(c *Config, what string) {
	if c.Tokenizer != nil {
		_, ok := c.Tokenizer.Special(c.Mask)
		f.add(!ok, "the tokenizer has no special token %q to put in the place of %s tokens", c.Mask, what)
	}
}

// framed requires room for at least one token of text within its frame.
func (f *faults) framed(c *Config) {
	around := c.frame().size()
	f.add(c.T < 1+around, "rows of %d tokens: want ≥ %d, a token of text beside the special ones", c.T, 1+around)
}

// rowSource lays documents into rows; each objective has one. Its next row is a function
// of its cursor alone.
type rowSource interface {
	// fill writes row row of b and appends its sequences; it returns the number of
	// loss terms in it. After io.EOF the row is unchanged.
	fill(b *Batch, row int) (targets int, err error)
	cursor() Cursor
}

// A reader reads documents in the order of the epochs and encodes them.
type reader struct {
	cfg    *Config
	parts  []partReader // one, or those of the mixture
	frame  frame
	rec    corpus.Record // the last one read
	labels map[string]int32
	needs  bool // documents without a label are passed over
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

// A document is the result of reading at a place: the record, its corpus and the epoch of
// that corpus, and its label or -1. ok is false for a document that is skipped.
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
	if !cfg.Objective.OfText() {
		r.needs, r.labels = !cfg.Unlabelled, map[string]int32{}
		for i, name := range cfg.Labels {
			r.labels[name] = int32(i)
		}
	}
	return r
}

// enter changes to the order of an epoch, at its start or in its middle.
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

// turn moves c from the end of a single corpus to its next epoch; ended reports that there
// is none. A mixture has no end: each of its corpora starts anew by itself.
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

// enough fails if a whole epoch of a corpus had no usable document, since the next one
// would have none either.
func (r *reader) enough(part int) error {
	p := &r.parts[part]
	if p.usable != 0 {
		return nil
	}
	s, of := r.stats, ""
	if len(r.parts) > 1 {
		of = fmt.Sprintf(" of corpus %q (with the rest of the mixture: ", p.Name)
	} else {
		of = " ("
	}
	return fmt.Errorf("data: nothing to learn from in %d records%s%d null, %d empty, %d longer than %d bytes, %d without a label)",
		p.Records.Rows(), of, s.Null, s.Empty, s.TooLong, r.cfg.MaxDocBytes, s.Unlabelled)
}

// record reads the record at c, and its example. ok is false for one that is passed over. d has
// no label yet.
func (r *reader) record(c *Cursor, d *document) (rec *corpus.Record, ex task.Example, ok bool, err error) {
	rec = &r.rec
	select {
	case <-r.stop:
		return rec, ex, false, errClosed
	default:
	}
	*d = document{label: -1}
	position := c.Position
	if len(c.Parts) > 0 {
		d.part = r.next(c)
		rows := r.parts[d.part].Records.Rows()
		epoch := c.Parts[d.part].Position / rows
		position = c.Parts[d.part].Position % rows
		if p := &r.parts[d.part]; p.epoch != epoch {
			if p.epoch >= 0 { // it has come round
				if err := r.enough(d.part); err != nil {
					return rec, ex, false, err
				}
			}
			p.enter(r.cfg, d.part, epoch, position == 0)
		}
	}
	p := &r.parts[d.part]
	d.epoch, d.doc = p.epoch, p.order.at(position)
	if *rec, err = p.Records.Record(d.doc); err != nil {
		return rec, ex, false, err // names the place, as Records promises
	}
	if ex, err = r.cfg.Objective.example(rec); err != nil {
		return rec, ex, false, r.fault(d, rec, "%v", err)
	}
	switch {
	case rec.Null || ex.Null:
		r.stats.Null++
	case ex.Text == "" && len(ex.IDs) == 0:
		r.stats.Empty++
	case len(ex.Text)+len(ex.Pair)+len(ex.Answer) > r.cfg.MaxDocBytes:
		r.stats.TooLong++
	case r.needs && !ex.HasLabel:
		r.stats.Unlabelled++
	case !utf8.ValidString(rec.Text):
		return rec, ex, false, r.fault(d, rec, "invalid UTF-8 at byte %d", rec.InvalidUTF8())
	default:
		return rec, ex, true, nil
	}
	return rec, ex, false, nil
}

// fault is an error of a document, with its place.
func (r *reader) fault(d *document, rec *corpus.Record, format string, args ...any) error {
	p, of := &r.parts[d.part], ""
	if p.Name != "" {
		of = "corpus " + p.Name + ": "
	}
	return fmt.Errorf("data: %s%s: %s", of, corpus.Where(p.Records, d.doc, rec), fmt.Sprintf(format, args...))
}

// usable counts a document of the present epoch that is not passed over.
func (r *reader) usable(part int) {
	if p := &r.parts[part]; p.usable >= 0 {
		p.usable++
	}
}

// read appends the framed tokens of the document at c to ids.
func (r *reader) read(c *Cursor, ids []int32) ([]int32, document, error) {
	var d document
	rec, ex, ok, err := r.record(c, &d)
	if err != nil || !ok {
		return ids, d, err
	}
	start := len(ids)
	skip := func() ([]int32, document, error) {
		r.stats.Empty++
		return ids[:start], d, nil
	}
	fail := func(format string, args ...any) ([]int32, document, error) {
		return ids[:start], d, r.fault(&d, rec, format, args...)
	}
	if r.frame.first >= 0 {
		ids = append(ids, r.frame.first)
	}
	text := len(ids)
	if len(ex.IDs) > 0 {
		ids = append(ids, ex.IDs...)
	} else {
		ids = r.cfg.Tokenizer.Encode(ids, ex.Text)
		if err := tokenizer.Fault(r.cfg.Tokenizer); err != nil {
			return fail("%v", err)
		}
	}
	n := len(ids) - text
	if n == 0 {
		return skip()
	}
	if ids[text] == r.frame.first || ids[len(ids)-1] == r.frame.last {
		return fail("%v", errDoubled)
	}
	if r.frame.last >= 0 {
		ids = append(ids, r.frame.last)
	}
	if r.cfg.Objective.layout().shifted && len(ids)-start < 2 {
		return skip()
	}
	r.usable(d.part)
	r.stats.Documents++
	r.stats.Bytes += int64(len(ex.Text))
	r.stats.Tokens += int64(n)
	d.ok = true
	return ids, d, nil
}

// pass moves c past a document that has been read and of which some tokens were used.
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

// Package data turns corpora into batches. It has the order of records, the packing of
// token sequences into rows, mixtures of corpora, and the training objectives.
package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"hone/data/corpus"
	"hone/data/tokenizer"
)

// Config is the configuration of a Loader: what it reads, and which batches it makes. Zero
// fields that have a default take it.
type Config struct {
	Records corpus.Records // a single corpus, or
	Mixture []Part         // several: then Records is nil, and Epochs 0
	// MixtureBy is the unit in which the weights of a mixture are measured.
	MixtureBy Unit
	// Tokenizer encodes documents. If it has a method Ordinary, as tokenizer.Pipeline has,
	// documents are encoded as ordinary text, which cannot produce a special token.
	Tokenizer tokenizer.Tokenizer
	// Special tokens around documents, by name; "": none. Separator stands once between
	// two documents, as the last target of one and the first input of the next, and
	// excludes the two others. It is "<|endoftext|>" where none of the three is given. EOS
	// without BOS acts in the same way in next-token prediction: the first token of a
	// document is predicted from the end token of the one before.
	BOS, EOS, Separator string
	Bare                bool // no special tokens stand around documents, and none of these is given
	// Pad is the special token that fills rows and that starts the text of a decoder; "":
	// the last one given of those above.
	Pad string
	// Mask is the special token that replaces hidden tokens, if the objective or
	// TokenDropout hides any; "": the one of [MASK], <mask> and <|mask|> that exists.
	Mask string

	Objective  Objective
	Masking                         // masked
	Permuting                       // permutation
	Corruption                      // span corruption
	Labels     []string             // of tasks whose labels are of a set: these, in the order of their numbers
	Pair       *tokenizer.PairFrame // special tokens of two texts in one sequence
	Encoder    bool                 // the model has an encoder, which reads the text that is to be answered
	Unlabelled bool                 // records of a task need no label: nothing is compared with it
	Prompts    Prompts              // before texts whose vectors are compared
	Prompt     *Prompt              // of texts that are to be written, what is read alone; nil: with what is written

	T              int // positions of a row; of the encoder, where there is one
	TargetLength   int // span corruption, and answers beside an encoder: positions of the decoder's row; default what a text that fills T needs
	BatchSize      int // rows of a global batch
	MicroBatchSize int // rows of a Batch, a divisor of BatchSize; default BatchSize
	// Rank r of World takes the r-th of World equal parts of the micro-batches of each
	// global batch. World 0 is one rank.
	Rank, World int

	// Consecutive makes a document that does not fit a row continue in the same row of the next
	// global batch, for models with a memory, instead of in the next row.
	Consecutive bool

	Seed    uint64
	Shuffle bool // each epoch in an order of its own; else in the order of the records
	Epochs  int  // 0: without end
	Windows bool // rows from random places of a single corpus, without end, in place of epochs
	// Whole is for scoring: a document that fits a row is not cut, and where a longer one is cut
	// depends on that document alone, so that its score does not depend on its neighbours.
	// The order of the documents within a packing window is not defined. See wholeRows.
	Whole bool

	MaxDocBytes int // longer documents are passed over and counted; default corpus.MaxDocBytes
	Window      int // classification, and Whole: records packed together; default 1024
	MaxSeqs     int // classification: documents of a row at most, or pairs; default max(8, T/8)

	// Regularisation of classification: LMWeight is the weight λ of each document's mean
	// next-token loss beside the loss of its label (Radford et al. 2018, eq. 5), and
	// TokenDropout is the share of its tokens that are replaced by the special token Mask,
	// different ones in each epoch (Iyyer et al. 2015, word dropout).
	LMWeight, TokenDropout float64
	// ClassWeights are those of Labels in the loss, which is a weighted mean over the global batch, as torch's
	// cross_entropy with weight; of tasks with sets of labels, that of a label that applies, as pos_weight of torch's
	// binary_cross_entropy_with_logits. nil: all are 1.
	ClassWeights []float32
}

// Prompts are what stands before a text that others are looked for by, or that is compared with one like it, and before
// those that are found.
type Prompts struct{ Query, Document string }

// A Prompt says how a text stands that a model is to go on from, or to answer.
type Prompt struct {
	Before, After []int32 // tokens around it
	Room          int     // tokens that a row has room for behind it, where a decoder alone reads it
}

// WithDefaults fills in the zero fields that have a default.
func (c Config) WithDefaults() Config {
	if c.Objective == nil {
		c.Objective = Objectives[0]
	}
	setDefault(&c.MicroBatchSize, c.BatchSize)
	setDefault(&c.MaxDocBytes, corpus.MaxDocBytes)
	setDefault(&c.Window, 1024)
	setDefault(&c.MaxSeqs, max(8, c.T/8))
	setDefault(&c.World, 1)
	if c.BOS == "" && c.EOS == "" && c.Separator == "" && !c.Bare {
		c.Separator = "<|endoftext|>"
	}
	c.Objective.defaults(&c)
	for _, name := range []string{"[MASK]", "<mask>", "<|mask|>"} {
		if c.Mask == "" && c.Tokenizer != nil {
			if _, ok := c.Tokenizer.Special(name); ok {
				c.Mask = name
			}
		}
	}
	return c
}

func setDefault[V int | float64](v *V, d V) {
	if *v == 0 {
		*v = d
	}
}

// Lengths gives the numbers of positions of a row of Batch.Dec and of Batch.Enc, for a Config
// with its defaults.
func (c *Config) Lengths() (dec, enc int) { return c.Objective.lengths(c) }

// Slots gives the greatest number of sequences with labels in a Batch: 0 where the objective
// has no labels.
func (c *Config) Slots() int {
	if c.Objective.labelled(c) {
		return c.MicroBatchSize * c.MaxSeqs
	}
	return 0
}

// frame gives the special tokens around documents, after check.
func (c *Config) frame() frame {
	f := frame{-1, -1, -1}
	if c.Tokenizer == nil {
		return f
	}
	for _, t := range []struct {
		name string
		to   []*int32
	}{
		{c.BOS, []*int32{&f.pad, &f.first}}, {c.EOS, []*int32{&f.pad, &f.last}}, {c.Separator, []*int32{&f.pad, &f.first, &f.last}},
		{c.Pad, []*int32{&f.pad}},
	} {
		if t.name == "" {
			continue
		}
		for _, to := range t.to {
			*to, _ = c.Tokenizer.Special(t.name)
		}
	}
	if f.first < 0 && c.Objective.ends() {
		f.first = f.last
	}
	return f
}

// End gives the token that is predicted at the end of a document. ok is false where none is,
// because documents have no end token or the objective does not predict it.
func (c Config) End() (id int32, ok bool) {
	c = c.WithDefaults()
	if !c.Objective.ends() {
		return 0, false
	}
	id = c.frame().last
	return id, id >= 0
}

// check returns every fault.
func (c *Config) check() error {
	var f faults
	fault := f.add
	fault(c.Records == nil && len(c.Mixture) == 0, "no records")
	fault(c.Records != nil && len(c.Mixture) > 0, "a single corpus and a mixture of %d: give one of them", len(c.Mixture))
	fault(c.Records != nil && c.Records.Rows() == 0, "the corpus is empty: 0 records")
	names := map[string]bool{}
	for _, p := range c.Mixture {
		fault(p.Records == nil || p.Records.Rows() == 0, "mixture: corpus %q is empty: 0 records", p.Name)
		fault(!(p.Weight > 0) || math.IsInf(p.Weight, 0), "mixture: corpus %q has weight %g: want a number above 0", p.Name, p.Weight)
		fault(names[p.Name], "mixture: corpus %q is listed twice", p.Name)
		names[p.Name] = true
	}
	fault(len(c.Mixture) > 0 && c.Epochs != 0, "%d epochs of a mixture: its corpora come round each at its own rate; want 0", c.Epochs)
	fault(c.MixtureBy > ByToken, "unknown %v", c.MixtureBy)
	fault(c.Tokenizer == nil, "no tokenizer")
	fault(c.Separator != "" && (c.BOS != "" || c.EOS != ""),
		"separator %q already begins and ends documents: with bos %q and eos %q the boundary would be doubled; give separator, or bos and eos", c.Separator, c.BOS, c.EOS)
	if c.Tokenizer != nil {
		for _, name := range []string{c.BOS, c.EOS, c.Separator, c.Pad} {
			if name != "" {
				_, ok := c.Tokenizer.Special(name)
				fault(!ok, "the tokenizer has no special token %q to begin or end documents with, or to fill rows", name)
			}
		}
	}
	fault(c.BatchSize < 1, "batch size %d: want ≥ 1", c.BatchSize)
	fault(c.MicroBatchSize < 1 || c.BatchSize%c.MicroBatchSize != 0,
		"micro-batch size %d does not divide batch size %d", c.MicroBatchSize, c.BatchSize)
	fault(c.World < 1 || c.Rank < 0 || c.Rank >= c.World, "rank %d of %d", c.Rank, c.World)
	fault(c.World > 1 && c.MicroBatchSize > 0 && c.BatchSize/c.MicroBatchSize%c.World != 0,
		"%d micro-batches cannot be shared out evenly among %d ranks", c.BatchSize/max(1, c.MicroBatchSize), c.World)
	fault(c.Windows && (len(c.Mixture) > 0 || c.Epochs != 0 || !c.Objective.OfText() || c.Consecutive || c.NextSentence),
		"random windows are of a single corpus, without end, and not for classification or consecutive rows")
	fault(c.Whole && (len(c.Mixture) > 0 || c.Epochs == 0 || c.Windows), "whole documents are of epochs of a single corpus")
	fault(c.Epochs < 0, "%d epochs: want ≥ 0 (0: without end)", c.Epochs)
	fault(c.MaxDocBytes < 1, "documents of at most %d bytes: want ≥ 1", c.MaxDocBytes)
	c.Objective.check(c, &f)
	return errors.Join(f.list...)
}

// Stats counts the documents of all ranks, from NewLoader up to the last batch that Next
// returned. The documents of a packing window are counted once the window is packed.
type Stats struct {
	Documents int64 // encoded
	Bytes     int64 // of their text
	Tokens    int64 // of their text, before truncation
	Positions int64 // of all rows
	Padding   int64 // of those, without a token

	Null, Empty, TooLong int64 // passed over; Empty: no text, or text without a token
	Unlabelled           int64 // passed over, where the objective needs a label
	Truncated            int64 // documents cut to fit a row
	TruncatedTokens      int64
	Unheld               int64 // questions whose answer no window of the context has whole: all have none

	Wait time.Duration // that Next waited for a batch to be ready
}

var errClosed = errors.New("data: the loader is closed")

// ahead is the number of global batches that are prepared in advance.
const ahead = 4

// A Loader makes batches in a goroutine of its own, a few global batches ahead. One
// goroutine at a time may call Next and Stats; Close may be called at any time.
type Loader struct {
	free, full chan *globalBatch
	stop       context.CancelFunc
	stopped    <-chan struct{}
	done       sync.WaitGroup

	now   *globalBatch // being handed out
	micro int          // next of it
	stats Stats
	wait  time.Duration
	err   error // the first that Next returned for good
}

type globalBatch struct {
	micro []Batch
	stats Stats
	err   error // in place of a batch: io.EOF or what went wrong
}

// NewLoader makes a loader that starts at a cursor; the zero Cursor is the beginning. Its
// error lists every fault of cfg; all of them are faults of the user's input (exit code 2).
func NewLoader(cfg Config, from Cursor) (*Loader, error) {
	cfg = cfg.WithDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if from.Parts == nil && from.Position == 0 && len(cfg.Mixture) > 0 {
		from.Parts = make([]Drawn, len(cfg.Mixture))
	}
	from = from.clone()
	if err := from.check(&cfg); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l := &Loader{
		free: make(chan *globalBatch, ahead+1), // and one in the consumer's hands
		full: make(chan *globalBatch, ahead+1),
		stop: cancel, stopped: ctx.Done(),
	}
	for range cap(l.free) {
		l.free <- &globalBatch{}
	}
	cfg.ordinary()
	m := &maker{cfg: &cfg, pad: cfg.frame().pad}
	m.rows = newRowSource(&cfg, from, &m.stats, ctx.Done())
	l.done.Go(func() { m.run(ctx.Done(), l.free, l.full) })
	return l, nil
}

// ordinary gives the tokenizer without special tokens in texts.
func (c *Config) ordinary() {
	if t, ok := c.Tokenizer.(interface{ Ordinary() tokenizer.Tokenizer }); ok {
		c.Tokenizer = t.Ordinary()
	}
}

func (c Cursor) check(cfg *Config) error {
	misfit := func(format string, args ...any) error {
		return fmt.Errorf("data: cursor %+v does not fit %s", c, fmt.Sprintf(format, args...))
	}
	if c.Epoch < 0 || c.Position < 0 || c.Offset < 0 {
		return misfit("any corpus")
	}
	if len(c.Parts) != len(cfg.Mixture) {
		return misfit("a mixture of %d corpora (0: a single one)", len(cfg.Mixture))
	}
	for _, l := range c.Lanes {
		if l.At.Equal(none) && l.Before == 0 {
			continue
		}
		if l.Before < 0 || len(l.At.Lanes) > 0 || len(l.At.Parts) == 0 && cfg.Records != nil && l.At.Position >= cfg.Records.Rows() {
			return misfit("any corpus")
		}
		if err := l.At.check(cfg); err != nil {
			return err
		}
	}
	drawn := int64(0)
	for _, p := range c.Parts {
		if p.Position < p.Documents || p.Documents < 0 || p.Tokens < p.Documents {
			return misfit("any mixture")
		}
		drawn += p.Position
	}
	switch {
	case len(c.Lanes) > 0 && (!cfg.Consecutive || len(c.Lanes) != cfg.BatchSize):
		return misfit("batches of %d rows (consecutive: %v)", cfg.BatchSize, cfg.Consecutive)
	case len(c.Parts) > 0 && (drawn != c.Position || c.Epoch != 0):
		return misfit("any mixture: %d documents drawn from its corpora", drawn)
	case len(c.Parts) == 0 && c.Position > cfg.Records.Rows()+int64(cfg.Window):
		return misfit("a corpus of %d records", cfg.Records.Rows())
	case !cfg.Objective.OfText() && c.Position%int64(cfg.Window) != 0:
		return misfit("packing windows of %d records", cfg.Window)
	}
	return nil
}

func newRowSource(cfg *Config, from Cursor, stats *Stats, stop <-chan struct{}) rowSource {
	r := newReader(cfg, from, stats, stop)
	stream := func(l layer) rowSource {
		switch {
		case cfg.Consecutive:
			return newLanes(r, from, l)
		case cfg.Windows:
			return &windowRows{r: r, cur: from, layer: l}
		case cfg.Whole:
			return &wholeRows{r: r, cur: from, layer: l}
		}
		return &streamRows{r: r, cur: from, layer: l}
	}
	return cfg.Objective.rows(r, from, stream)
}

// Next gives the next micro-batch, or io.EOF after the last epoch. A global batch that
// the last epoch does not fill ends with empty rows. The micro-batches of a global batch
// are valid until Next is called after its Last one. Errors of the corpus are permanent
// and faults of the user's input (exit code 2); an error of ctx is not permanent.
func (l *Loader) Next(ctx context.Context) (*Batch, error) {
	if l.err != nil {
		return nil, l.err
	}
	if l.now != nil && l.micro == len(l.now.micro) {
		l.free <- l.now
		l.now = nil
	}
	if l.now == nil {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		start := time.Now()
		select {
		case l.now = <-l.full:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-l.stopped:
			l.err = errClosed
			return nil, l.err
		}
		l.wait += time.Since(start)
		l.micro = 0
		l.stats = l.now.stats
		if l.now.err != nil {
			l.err = l.now.err
			return nil, l.err
		}
	}
	b := &l.now.micro[l.micro]
	l.micro++
	return b, nil
}

// Stats gives the counts of the documents that were read for the batches so far.
func (l *Loader) Stats() Stats {
	s := l.stats
	s.Wait = l.wait
	return s
}

// Close stops the goroutine and waits until it has ended.
func (l *Loader) Close() {
	l.stop()
	l.done.Wait()
}

// A maker fills global batches in one goroutine: batches are a function of the cursor
// alone.
type maker struct {
	cfg   *Config
	rows  rowSource
	pad   int32
	stats Stats
	other Batch // a micro-batch of another rank, made for the sake of what follows it
}

func (m *maker) run(stop <-chan struct{}, free <-chan *globalBatch, full chan<- *globalBatch) {
	for {
		var g *globalBatch
		select {
		case g = <-free:
		case <-stop:
			return
		}
		g.err = m.make(g)
		g.stats = m.stats
		full <- g // never blocks: it has room for all there are
		if g.err != nil {
			return
		}
	}
}

// make fills a global batch. Where rows end depends on the documents before them, so
// each rank makes all rows, and keeps its own.
func (m *maker) make(g *globalBatch) error {
	if g.micro == nil {
		m.alloc(g)
	}
	start := m.rows.cursor()
	total, seqs, ended := 0, 0, false
	classes, weight, words := m.cfg.classWeights(), 0.0, m.cfg.words()
	first := m.cfg.Rank * len(g.micro)
	for i := range m.cfg.BatchSize / m.cfg.MicroBatchSize {
		b := &m.other
		if i >= first && i < first+len(g.micro) {
			b = &g.micro[i-first]
		}
		b.Seqs, b.Questions, b.Goals = b.Seqs[:0], b.Questions[:0], b.Goals[:0]
		for row := range b.B {
			n, err := 0, io.EOF
			if !ended {
				n, err = m.rows.fill(b, row)
			}
			switch {
			case err == io.EOF && total == 0:
				return io.EOF
			case err == io.EOF:
				ended = true
				startRow(b, row, m.pad)
			case err != nil:
				return err
			}
			total += n
			m.stats.Positions += int64(b.Dec.T + b.Enc.T)
		}
		m.stats.Padding += b.Dec.padding() + b.Enc.padding()
		seqs += len(b.Seqs)
		if classes != nil {
			weight += b.weigh(classes, words)
		}
	}
	for i := range g.micro {
		b := &g.micro[i]
		b.NumTargets, b.LabelWeight = total, 1
		switch {
		case m.cfg.NextSentence:
			b.LabelWeight = float32(total) / float32(seqs)
		case classes != nil && words: // what is divided by the number of targets is divided by their weight
			for i := range b.Weights {
				b.Weights[i] *= float32(float64(total) / weight)
			}
		case classes != nil:
			b.LabelWeight, b.ClassWeights = float32(float64(total)/weight), classes
		}
		b.Cursor = start
	}
	g.micro[len(g.micro)-1].Cursor = m.rows.cursor()
	return nil
}

func (m *maker) alloc(g *globalBatch) {
	g.micro = make([]Batch, m.cfg.BatchSize/m.cfg.MicroBatchSize/m.cfg.World)
	for i := range g.micro {
		g.micro[i] = m.cfg.batch()
	}
	g.micro[len(g.micro)-1].Last = true
	if m.cfg.World > 1 && m.other.B == 0 {
		m.other = m.cfg.batch()
	}
}

// batch makes an empty micro-batch.
func (c *Config) batch() Batch {
	dec, enc := c.Lengths()
	b := Batch{B: c.MicroBatchSize, Objective: c.Objective, LabelNames: c.Labels, Dec: newStream(c.MicroBatchSize, dec)}
	if enc > 0 {
		b.Enc = newStream(b.B, enc)
	}
	if c.Objective.targeted(c) {
		n := b.B * b.Dec.T
		b.Targets, b.Weights = make([]int32, n), make([]float32, n)
	}
	if t, ok := c.Objective.(tasked); ok && t.words() {
		b.Words = make([]int32, b.B*b.Dec.T)
	}
	if c.Consecutive {
		b.Before = make([]int32, b.B)
	}
	if c.Pair != nil {
		b.Dec.Types = make([]int32, b.B*b.Dec.T)
	}
	if c.NextSentence {
		b.LabelNames, b.Dec.Types = nextSentenceLabels, make([]int32, b.B*b.Dec.T)
	}
	if c.Objective.labelled(c) {
		b.Seqs = make([]Seq, 0, c.MicroBatchSize*c.MaxSeqs)
	}
	return b
}

func newStream(B, T int) Stream {
	n := B * T
	return Stream{T: T, Tokens: make([]int32, n), Segments: make([]int32, n), Positions: make([]int32, n), Order: make([]int32, n)}
}

func (s *Stream) padding() (n int64) {
	for _, segment := range s.Segments {
		if segment < 0 {
			n++
		}
	}
	return n
}

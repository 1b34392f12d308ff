package data

import (
	"fmt"
	"io"
	"math"

	"hone/data/corpus"
	"hone/data/task"
)

// Labelled learns a task: the label of each example, predicted at its end.
func Labelled(kind task.Kind) Objective { return labelled{kind: kind} }

type labelled struct {
	ofText
	kind task.Kind
}

func (l labelled) String() string                       { return l.kind.String() }
func (l labelled) Baselines() []string                  { return l.kind.Baselines() }
func (l labelled) example(r corpus.Record) task.Example { return l.kind.Example(r) }
func (labelled) Predicts() string                       { return "labels" }
func (labelled) OfText() bool                           { return false }
func (labelled) labelled(*Config) bool                  { return true }
func (labelled) targeted(c *Config) bool                { return c.LMWeight > 0 }

func (l labelled) check(c *Config, f *faults) {
	f.add(c.Consecutive, "%v takes documents whole: none goes on in the next batch", l.kind)
	f.framed(c)
	f.add(c.Window < 1, "packing window of %d records: want ≥ 1", c.Window)
	f.add(c.MaxSeqs < 1, "%d documents a row: want ≥ 1", c.MaxSeqs)
	f.add(len(c.Labels) == 0, "%s without labels", l.kind)
	f.add(!(c.LMWeight >= 0) || math.IsInf(c.LMWeight, 0), "weight %g of the language-model loss: want a number ≥ 0", c.LMWeight)
	f.add(!(c.TokenDropout >= 0 && c.TokenDropout < 1), "token dropout %g: want it in [0,1)", c.TokenDropout)
	if c.TokenDropout > 0 {
		f.masked(c, "dropped")
	}
	seen := map[string]bool{}
	for _, l := range c.Labels {
		f.add(seen[l], "label %q is listed twice", l)
		seen[l] = true
	}
}

func (labelled) rows(r *reader, from Cursor, _ func(layer) rowSource) rowSource {
	return &exampleRows{r: r, cur: from}
}

func (labelled) layout() layout { return layout{shifted: true} }

// exampleRows packs whole documents, [BOS t1 … tk EOS] with the text cut to fit T,
// labelled at the last token. Packing works on windows: of a single corpus, positions
// kW … (k+1)W of the epoch's order; of a mixture, W documents drawn. A cursor is the
// window's start and a row of it.
type exampleRows struct {
	r    *reader
	cur  Cursor
	end  Cursor  // of the window
	rows [][]int // sequences of the window at cur, by row; nil: not packed yet
	seqs []packed
	ids  []int32 // of all of them
	turn permutation
}

type packed struct {
	first, last int // in ids, last not included
	document
}

func (c *exampleRows) cursor() Cursor { return c.cur.clone() }

// load packs the window at cur, or the first that has a row.
func (c *exampleRows) load() error {
	for c.rows == nil {
		if ended, err := c.r.turn(&c.cur); err != nil {
			return err
		} else if ended {
			return io.EOF
		}
		if err := c.pack(); err != nil {
			return err
		}
		if c.cur.Offset != 0 && c.cur.Offset >= int64(len(c.rows)) {
			return fmt.Errorf("data: the window of %d records at position %d has %d rows, so that it cannot be resumed after row %d: the corpus, the tokenizer or the packing has changed",
				c.r.cfg.Window, c.cur.Position, len(c.rows), c.cur.Offset)
		}
		if len(c.rows) == 0 {
			c.cur, c.rows = c.end, nil
		}
	}
	return nil
}

func (c *exampleRows) pack() error {
	T, f := c.r.cfg.T, c.r.frame
	c.ids, c.seqs = c.ids[:0], c.seqs[:0]
	var lengths []int
	c.end = c.cur.clone()
	for range c.r.cfg.Window {
		if len(c.end.Parts) == 0 && c.end.Position >= c.r.cfg.Records.Rows() {
			break
		}
		start := len(c.ids)
		ids, doc, err := c.r.read(&c.end, c.ids)
		if err != nil {
			return err
		}
		c.ids = ids
		if !doc.ok {
			c.r.pass(&c.end, doc, 0)
			continue
		}
		if cut := len(ids) - start - T; cut > 0 {
			c.ids = ids[:start+T]
			if f.last >= 0 {
				c.ids[start+T-1] = f.last
			}
			c.r.stats.Truncated++
			c.r.stats.TruncatedTokens += int64(cut)
		}
		c.seqs = append(c.seqs, packed{start, len(c.ids), doc})
		lengths = append(lengths, len(c.ids)-start)
		c.r.pass(&c.end, doc, len(c.ids)-start)
	}
	c.end.Position = c.cur.Position + int64(c.r.cfg.Window)
	c.end.Offset = 0
	c.rows = bestFit(lengths, T, c.r.cfg.MaxSeqs)
	// Packing puts the longest documents into the first rows, so the rows are shuffled.
	c.turn = newPermutation(int64(len(c.rows)), c.r.cfg.Shuffle, c.r.cfg.Seed, uint64(c.cur.Epoch), uint64(c.cur.Position), 1)
	return nil
}

func (c *exampleRows) fill(b *Batch, row int) (targets int, err error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	startRow(b, row, c.r.frame.pad)
	at, first := row*b.Dec.T, 0
	for segment, i := range c.rows[c.turn.at(c.cur.Offset)] {
		s := c.seqs[i]
		ids := c.ids[s.first:s.last]
		b.Dec.place(row, first, int32(segment+1), ids)
		if λ := c.r.cfg.LMWeight; λ > 0 {
			for i := range len(ids) - 1 {
				b.Targets[at+first+i] = ids[i+1]
				b.Weights[at+first+i] = float32(λ / float64(len(ids)-1))
			}
		}
		if c.r.cfg.TokenDropout > 0 {
			c.drop(b.Dec.Tokens[at+first:at+first+len(ids)], s)
		}
		b.Seqs = append(b.Seqs, Seq{
			Row: int32(row), First: int32(first), Last: int32(first + len(ids) - 1), Label: s.label, Pair: -1, Part: int32(s.part), Doc: s.doc,
		})
		first += len(ids)
		targets++
	}
	if c.cur.Offset++; c.cur.Offset == int64(len(c.rows)) {
		c.cur, c.rows = c.end, nil
	}
	return targets, nil
}

// drop masks tokens of a document, except those of its frame. Which ones depends on the
// seed, the epoch, the document and the place alone.
func (c *exampleRows) drop(ids []int32, s packed) {
	cfg := c.r.cfg
	ids = c.r.frame.inner(ids)
	mask, _ := cfg.Tokenizer.Special(cfg.Mask) // checked
	key, below := s.key(cfg.Seed), share(cfg.TokenDropout)
	for i := range ids {
		if draw(key, i) < below {
			ids[i] = mask
		}
	}
}

package data

import (
	"fmt"
	"io"
)

// classifyRows packs whole documents, [EOT t1 … tk EOT] with the text cut to fit T,
// labelled at the last token. Packing works on windows of positions kW … (k+1)W of
// the epoch's order, so that a cursor is a window and a row of it.
type classifyRows struct {
	r    *reader
	cur  Cursor
	rows [][]int // sequences of the window at cur, by row; nil: not packed yet
	seqs []packed
	ids  []int32 // of all of them
	turn permutation
}

type packed struct {
	first, last int // in ids, last not included
	label       int32
	doc         int64
}

func (c *classifyRows) cursor() Cursor { return c.cur }

// load packs the window at cur, or the first that has a row.
func (c *classifyRows) load() error {
	for c.rows == nil {
		rows := c.r.cfg.Records.Rows()
		if c.r.ended(c.cur) {
			return io.EOF
		}
		if c.cur.Position >= rows {
			if err := c.r.next(&c.cur); err != nil {
				return err
			}
			continue
		}
		if err := c.pack(min(c.cur.Position+int64(c.r.cfg.Window), rows)); err != nil {
			return err
		}
		if c.cur.Offset != 0 && c.cur.Offset >= int64(len(c.rows)) {
			return fmt.Errorf("data: the window of %d records at position %d has %d rows, none to resume at after %d; the corpus, the tokenizer or the packing is another than before",
				c.r.cfg.Window, c.cur.Position, len(c.rows), c.cur.Offset)
		}
		if len(c.rows) == 0 {
			c.cur.Position += int64(c.r.cfg.Window)
			c.rows = nil
		}
	}
	return nil
}

func (c *classifyRows) pack(end int64) error {
	T := c.r.cfg.T
	c.ids, c.seqs = c.ids[:0], c.seqs[:0]
	var lengths []int
	for p := c.cur.Position; p < end; p++ {
		start := len(c.ids)
		ids, doc, label, ok, err := c.r.read(p, c.ids)
		if err != nil {
			return err
		}
		c.ids = ids
		if !ok {
			continue
		}
		if cut := len(ids) - start - T; cut > 0 {
			c.ids = ids[:start+T]
			c.ids[start+T-1] = c.r.eot
			c.r.stats.Truncated++
			c.r.stats.TruncatedTokens += int64(cut)
		}
		c.seqs = append(c.seqs, packed{start, len(c.ids), label, doc})
		lengths = append(lengths, len(c.ids)-start)
	}
	c.rows = bestFit(lengths, T, c.r.cfg.MaxSeqs)
	// Packing puts the longest documents into the first rows: they take turns at random.
	c.turn = newPermutation(int64(len(c.rows)), c.r.cfg.Shuffle, c.r.cfg.Seed, uint64(c.cur.Epoch), uint64(c.cur.Position), 1)
	return nil
}

func (c *classifyRows) fill(b *Batch, row int) (targets int, err error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	at := startRow(b, row, c.r.eot)
	first := 0
	for segment, i := range c.rows[c.turn.at(c.cur.Offset)] {
		s := c.seqs[i]
		ids := c.ids[s.first:s.last]
		place(b, at, first, int32(segment+1), ids)
		b.Seqs = append(b.Seqs, Seq{
			Row: int32(row), First: int32(first), Last: int32(first + len(ids) - 1), Label: s.label, Pair: -1, Doc: s.doc,
		})
		first += len(ids)
		targets++
	}
	if c.cur.Offset++; c.cur.Offset == int64(len(c.rows)) {
		c.cur.Position += int64(c.r.cfg.Window)
		c.cur.Offset = 0
		c.rows = nil
	}
	return targets, nil
}

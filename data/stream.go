package data

import (
	"fmt"
	"io"
	"math"
)

// streamRows lays documents end to end, for the objectives that learn from text alone. The
// part of a document that does not fit a row continues in the next one as a sequence of its
// own.
type streamRows struct {
	r   *reader
	cur Cursor
	ids []int32 // of the document at cur, framed; empty: not read yet
	doc document
	now piece
	layer

	lanes  *lanes // that it is one of; nil: it is alone
	before int    // positions of rows before that the document at cur has taken
}

// A layer makes a sequence of each piece of a document; each streaming objective is one.
type layer interface {
	// units gives the length of a document in the units that Cursor.Offset counts: inputs, or
	// tokens of its text.
	units(ids []int32) int
	// fit gives how many of n units fit a sequence with the given numbers of positions of
	// the decoder and the encoder; 0: none.
	fit(n, dec, enc int) int
	// lay writes a sequence. It returns the number of positions that it takes, and of its
	// loss terms, at least one.
	lay(b *Batch, p *piece) (dec, enc, targets int)
	// again gives how many units before from a window reads again as context, when a document
	// is scored and there is room for that many.
	again(from, room int) int
}

// fresh is embedded by layers that read nothing again.
type fresh struct{}

func (fresh) again(from, room int) int { return 0 }

// A piece is a part of a document, with its place in a batch.
type piece struct {
	document
	ids        []int32 // of the whole document, framed
	from, n    int     // units
	again      int     // units before from that are read again, and are no targets
	row        int
	first, enc int // positions of the row, of the decoder and the encoder
	segment    int32
}

// key gives the key of a document's random numbers, which differs in every epoch.
func (d *document) key(seed uint64) uint64 {
	return keyOf(seed, uint64(d.part), uint64(d.epoch), uint64(d.doc))
}

// dice gives random numbers for the place in the document at which a piece begins.
func (p *piece) dice(seed uint64) dice { return dice(keyOf(p.key(seed), uint64(p.from))) }

func (c *streamRows) cursor() Cursor { return c.cur.clone() }

// load reads the document at cur, or the first usable one after it, into ids.
func (c *streamRows) load() error {
	if c.lanes != nil {
		return c.lanes.load(c)
	}
	for len(c.ids) == 0 {
		if ended, err := c.r.turn(&c.cur); err != nil {
			return err
		} else if ended {
			return io.EOF
		}
		ids, doc, err := c.r.read(&c.cur, c.ids)
		if err != nil {
			return err
		}
		c.ids, c.doc = ids, doc
		if c.cur.Offset != 0 && (!doc.ok || c.cur.Offset >= int64(c.units(ids))) {
			return cannotResume(doc, c.cur)
		}
		if !doc.ok {
			c.r.pass(&c.cur, doc, 0)
		}
	}
	return nil
}

func cannotResume(d document, at Cursor) error {
	return fmt.Errorf("data: record %d is too short to be resumed at %d: the corpus, the tokenizer or the objective has changed", d.doc, at.Offset)
}

func (c *streamRows) fill(b *Batch, row int) (targets int, err error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	startRow(b, row, c.r.frame.pad)
	before, dec, enc := c.before, 0, 0
	if b.Before != nil {
		b.Before[row] = int32(min(before, math.MaxInt32))
	}
	for segment := int32(1); dec < b.Dec.T; segment++ {
		if err := c.load(); err == io.EOF {
			break
		} else if err != nil {
			return 0, err
		}
		units := c.units(c.ids)
		n := c.fit(units-int(c.cur.Offset), b.Dec.T-dec, b.Enc.T-enc)
		if c.r.cfg.Whole && dec > 0 && n < units-int(c.cur.Offset) {
			break
		}
		if n == 0 || c.r.cfg.NextSentence && int(segment) > c.r.cfg.MaxSeqs {
			break
		}
		c.now = piece{document: c.doc, ids: c.ids, from: int(c.cur.Offset), n: n, row: row, first: dec, enc: enc, segment: segment}
		d, e, t := c.lay(b, &c.now) // which may leave some of the n to the next sequence
		b.Seqs = append(b.Seqs, Seq{
			Row: int32(row), First: int32(dec), Last: int32(dec + d - 1), Label: c.now.label, Pair: -1, Part: int32(c.doc.part), Doc: c.doc.doc,
		})
		dec, enc, targets = dec+d, enc+e, targets+t
		c.before, before = before+d, 0
		if c.cur.Offset += int64(c.now.n); c.cur.Offset == int64(units) {
			if c.lanes != nil { // which has passed it
				c.cur = none
			} else {
				c.r.pass(&c.cur, c.doc, units)
			}
			c.ids, c.before = c.ids[:0], 0
		}
	}
	return targets, nil
}

// startRow fills row row of b with padding.
func startRow(b *Batch, row int, pad int32) {
	b.Dec.start(row, pad)
	b.Enc.start(row, pad)
	if T := b.Dec.T; b.Targets != nil {
		absent(b.Targets[row*T : (row+1)*T])
		clear(b.Weights[row*T : (row+1)*T])
	}
	if T := b.Dec.T; b.Words != nil {
		absent(b.Words[row*T : (row+1)*T])
	}
}

func (s *Stream) start(row int, pad int32) {
	at := row * s.T
	for i := at; i < at+s.T; i++ {
		s.Tokens[i] = pad
		s.Segments[i] = -1
		s.Positions[i] = 0
		s.Order[i] = int32(i - at)
	}
	if s.Types != nil {
		clear(s.Types[at : at+s.T])
	}
}

// place writes the inputs of the piece's sequence.
func (p *piece) place(b *Batch, ids []int32) { b.Dec.place(p.row, p.first, p.segment, ids) }

// place writes the inputs of a segment at position first of a row.
func (s *Stream) place(row, first int, segment int32, ids []int32) {
	at := row*s.T + first
	copy(s.Tokens[at:], ids)
	for i := range ids {
		s.Segments[at+i] = segment
		s.Positions[at+i] = int32(i)
	}
}

// dice is a sequence of random numbers of a key.
type dice uint64

func (d *dice) next() uint64 {
	*d += golden
	return mix(uint64(*d))
}

// roll gives a number from 0 to n-1.
func (d *dice) roll(n int) int { return bounded(d.next(), n) }

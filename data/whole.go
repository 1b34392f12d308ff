package data

import (
	"context"
	"fmt"
	"io"
	"math"
)

// wholeRows lays out documents for scoring. A document that fits a row is laid as a whole. A
// longer one is cut, from its beginning on, into pieces that fill a row each, and a rest. In
// next-token prediction the rest is preceded by as much context as fills its row
// (get_rolling_token_windows of lm-evaluation-harness, with a context of one token). The pieces
// of a window of records are packed by best fit.
type wholeRows struct {
	layer
	r       *reader
	cur     Cursor // Offset: rows of the window that are behind
	end     Cursor // of the window
	pieces  []piece
	rows    [][]int // pieces of the window at cur, by row; nil: not packed yet
	scratch Batch   // a row to measure pieces in
}

// wholeTokens is the approximate number of tokens of a packing window.
const wholeTokens = 1 << 20

func (w *wholeRows) cursor() Cursor { return w.cur.clone() }

// load packs the window at cur, or the first that has a row.
func (w *wholeRows) load() error {
	for len(w.rows) == 0 {
		if ended, err := w.r.turn(&w.cur); err != nil {
			return err
		} else if ended {
			return io.EOF
		}
		if err := w.pack(); err != nil {
			return err
		}
		if w.cur.Offset != 0 && w.cur.Offset >= int64(len(w.rows)) {
			return fmt.Errorf("data: the window at position %d has %d rows, so that it cannot be resumed after row %d: the corpus or the tokenizer has changed",
				w.cur.Position, len(w.rows), w.cur.Offset)
		}
		if len(w.rows) == 0 {
			w.cur = w.end
		}
	}
	return nil
}

func (w *wholeRows) pack() error {
	if w.scratch.B == 0 {
		c := *w.r.cfg
		c.MicroBatchSize = 1
		w.scratch = c.batch()
	}
	cfg := w.r.cfg
	w.pieces = w.pieces[:0]
	w.end = w.cur.clone()
	w.end.Offset = 0
	var lengths []int
	capacity, perRow := cfg.T, math.MaxInt
	if w.scratch.Enc.T > 0 {
		capacity = shares
	}
	if cfg.NextSentence {
		perRow = cfg.MaxSeqs
	}
	tokens := 0
	for range cfg.Window {
		if w.end.Position >= cfg.Records.Rows() || tokens >= wholeTokens {
			break
		}
		ids, doc, err := w.r.read(&w.end, nil)
		if err != nil {
			return err
		}
		w.r.pass(&w.end, doc, 0)
		if !doc.ok {
			continue
		}
		tokens += len(ids)
		for units, from := w.units(ids), 0; from < units; {
			p := piece{document: doc, ids: ids, from: from, segment: 1}
			p.n = w.fit(units-from, w.scratch.Dec.T, w.scratch.Enc.T)
			p.again = w.again(from, cfg.T-p.n)
			laid := p
			startRow(&w.scratch, 0, w.r.frame.pad)
			dec, enc, _ := w.lay(&w.scratch, &laid)
			lengths = append(lengths, w.length(dec, enc))
			w.pieces = append(w.pieces, p)
			from += laid.n
		}
	}
	w.rows = bestFit(lengths, capacity, perRow)
	return nil
}

// shares is the capacity of a row where a piece takes room in two rows, an encoder's and a
// decoder's: lengths are then measured in parts of a row.
const shares = 1 << 12

// length gives the part of a row that a piece takes, in the row of which it takes more.
func (w *wholeRows) length(dec, enc int) int {
	d, e := &w.scratch.Dec, &w.scratch.Enc
	if e.T == 0 {
		return dec
	}
	return partOf(dec, d.T, enc, e.T)
}

// partOf gives the part of a row that dec of decT and enc of encT positions are, in the row of
// which they are more.
func partOf(dec, decT, enc, encT int) int {
	return max((dec*shares+decT-1)/decT, (enc*shares+encT-1)/encT)
}

func (w *wholeRows) fill(b *Batch, row int) (targets int, err error) {
	if err := w.load(); err != nil {
		return 0, err
	}
	startRow(b, row, w.r.frame.pad)
	dec, enc := 0, 0
	for i, k := range w.rows[w.cur.Offset] {
		p := w.pieces[k]
		p.row, p.first, p.enc, p.segment = row, dec, enc, int32(i+1)
		d, e, t := w.lay(b, &p)
		b.Seqs = append(b.Seqs, Seq{
			Row: int32(row), First: int32(dec), Last: int32(dec + d - 1), Label: p.label, Pair: -1, Part: int32(p.part), Doc: p.doc,
		})
		dec, enc, targets = dec+d, enc+e, targets+t
	}
	if w.cur.Offset++; w.cur.Offset == int64(len(w.rows)) {
		w.cur, w.rows = w.end, nil
	}
	return targets, nil
}

// Count reads all documents of a single corpus once, and counts them.
func Count(ctx context.Context, c Config) (Stats, error) {
	c.Epochs, c.Shuffle, c.Whole = 1, false, false
	l, err := NewLoader(c, Cursor{})
	if err != nil {
		return Stats{}, err
	}
	defer l.Close()
	for {
		if _, err := l.Next(ctx); err == io.EOF {
			return l.Stats(), nil
		} else if err != nil {
			return Stats{}, err
		}
	}
}

// Longest gives the number of positions that the longest document of c takes, at most c.T, and
// the number that all documents take together. c is a Config of a single corpus with its
// defaults. If a document fills a row, Longest stops there, and all is -1.
func (c Config) Longest(ctx context.Context) (longest int, all int64, err error) {
	if err := c.check(); err != nil {
		return 0, 0, err
	}
	c.ordinary()
	r := newReader(&c, Cursor{}, new(Stats), ctx.Done())
	var ids []int32
	of, tasked := c.Objective.(tasked)
	for at := (Cursor{}); at.Position < c.Records.Rows(); {
		var doc document
		read := 0 // positions of a row in which what is read of the document is what c.T lets one read
		if tasked {
			w, p := exampleRows{r: r, of: of, ids: ids[:0]}, packed{}
			_, err = w.next(&at, &p)
			ids, doc = w.ids, p.document
			if p.ok && of.asks() { // a question has half of a row
				question := w.seqs[0].second - w.seqs[0].first - len(c.Pair.Before) - len(c.Pair.Between)
				read = 2*question + c.Pair.Size()
			}
		} else {
			ids, doc, err = r.read(&at, ids[:0])
		}
		if err != nil {
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			return 0, 0, err
		}
		r.pass(&at, doc, 0)
		if !doc.ok {
			continue
		}
		n := len(ids)
		switch {
		case c.Objective.ends():
			n-- // what is predicted last is not read
		case c.NextSentence:
			n++ // what stands between the two
		}
		if n >= c.T {
			return c.T, -1, nil
		}
		longest, all = max(longest, n, read), all+int64(n)
	}
	return longest, all, nil
}

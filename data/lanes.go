package data

import (
	"io"
)

// lanes lays documents into rows so that each continues in the same row of the next global
// batch. A row is a lane: at the end of its document it takes the next document that no lane
// has taken.
type lanes struct {
	r    *reader
	next Cursor // of the document that comes next
	rows []streamRows
	at   int // the row to be filled
}

// none is the place of a lane without a document.
var none = Cursor{Position: -1}

func newLanes(r *reader, from Cursor, l layer) *lanes {
	c := &lanes{r: r, next: from.clone(), rows: make([]streamRows, r.cfg.BatchSize)}
	c.next.Lanes = nil
	for i := range c.rows {
		row := &c.rows[i]
		*row = streamRows{r: r, layer: l, lanes: c, cur: none}
		if i < len(from.Lanes) {
			row.cur, row.before = from.Lanes[i].At.clone(), from.Lanes[i].Before
		}
	}
	return c
}

func (c *lanes) cursor() Cursor {
	now := c.next.clone()
	now.Lanes = make([]Lane, 0, len(c.rows))
	for i := range c.rows {
		now.Lanes = append(now.Lanes, Lane{c.rows[i].cur.clone(), c.rows[i].before})
	}
	return now
}

// fill lays the next row, whatever its place in b. A lane that finishes the last epoch before
// the others stays empty.
func (c *lanes) fill(b *Batch, row int) (targets int, err error) {
	if c.at == 0 {
		err := io.EOF
		for i := range c.rows {
			switch e := c.load(&c.rows[i]); {
			case e == nil:
				err = nil
			case e != io.EOF:
				return 0, e
			}
		}
		if err != nil {
			return 0, err
		}
	}
	lane := &c.rows[c.at]
	c.at = (c.at + 1) % len(c.rows)
	if targets, err = lane.fill(b, row); err == io.EOF {
		startRow(b, row, c.r.frame.pad)
		b.Before[row] = 0
		err = nil
	}
	return targets, err
}

// load gives a row the rest of its document, after a resume, or the next document.
func (c *lanes) load(row *streamRows) error {
	if len(row.ids) > 0 {
		return nil
	}
	r, at := c.r, &c.next
	if row.cur.Position >= 0 { // it has been read, and counted, before
		again := row.cur.clone()
		r, at = newReader(c.r.cfg, again, new(Stats), c.r.stop), &again
	}
	for {
		if ended, err := r.turn(at); err != nil {
			return err
		} else if ended {
			return io.EOF
		}
		place := at.clone()
		ids, doc, err := r.read(at, row.ids)
		if err != nil {
			return err
		}
		if row.cur.Position >= 0 && (!doc.ok || place.Offset >= int64(row.units(ids))) {
			return cannotResume(doc, place)
		}
		row.ids, row.doc = ids, doc
		if row.cur.Position >= 0 {
			return nil
		}
		if doc.ok {
			row.cur = place
			r.pass(at, doc, row.units(ids))
			return nil
		}
		r.pass(at, doc, 0)
	}
}

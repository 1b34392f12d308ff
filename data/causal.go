package data

import (
	"fmt"
	"io"
)

// causalRows lays documents end to end. A document is a = [BOS t1 … tn EOS], its
// inputs a[0..n], its targets a[1..n+1]: each token and the end is scored once. What
// does not fit a row goes on in the next as a segment of its own, whose first input
// is the last one's last target: nothing is lost, and nothing is scored twice.
type causalRows struct {
	r   *reader
	cur Cursor
	ids []int32 // a, of the document at cur; empty: not read yet
	doc document
}

func (c *causalRows) cursor() Cursor { return c.cur.clone() }

// load makes ids the document at cur, or at the first usable place after it.
func (c *causalRows) load() error {
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
		if c.cur.Offset != 0 && (!doc.ok || c.cur.Offset >= int64(len(ids)-1)) {
			return fmt.Errorf("data: record %d has no input %d to resume at; the corpus or the tokenizer is another than before", doc.doc, c.cur.Offset)
		}
		if !doc.ok {
			c.r.pass(&c.cur, doc, 0)
		}
	}
	return nil
}

func (c *causalRows) fill(b *Batch, row int) (targets int, err error) {
	if err := c.load(); err != nil {
		return 0, err
	}
	T := b.Dec.T
	at := startRow(b, row, c.r.frame.pad)
	for first, segment := 0, int32(1); first < T; segment++ {
		if err := c.load(); err == io.EOF {
			break
		} else if err != nil {
			return 0, err
		}
		k := int(c.cur.Offset)
		n := min(T-first, len(c.ids)-1-k)
		place(b, at, first, segment, c.ids[k:k+n])
		copy(b.Targets[at+first:], c.ids[k+1:k+1+n])
		for i := range n {
			b.Weights[at+first+i] = 1
		}
		b.Seqs = append(b.Seqs, Seq{
			Row: int32(row), First: int32(first), Last: int32(first + n - 1), Label: -1, Pair: -1, Part: int32(c.doc.part), Doc: c.doc.doc,
		})
		first += n
		targets += n
		c.cur.Offset += int64(n)
		if c.cur.Offset == int64(len(c.ids)-1) {
			c.r.pass(&c.cur, c.doc, len(c.ids)-1)
			c.ids = c.ids[:0]
		}
	}
	return targets, nil
}

package data

import (
	"fmt"
	"io"
	"math"
	"sort"
)

// maxWindowTokens is the greatest number of tokens that are kept in memory: 1 GiB.
const maxWindowTokens = 1 << 28

// windowRows begins every sequence at a random place of the corpus, instead of reading the
// documents in order: every part of a document that fills a row is equally likely, so that no
// two epochs are cut at the same places. The room after a short document is filled from
// another place. A row depends on the seed and its number alone. The tokens of all documents
// are kept in memory.
type windowRows struct {
	layer
	r     *reader
	cur   Cursor // Offset: rows that are behind
	texts []windowText
	ends  []int64 // units of the texts up to each, itself included; nil: not read yet
}

// A windowText is a document with its frame.
type windowText struct {
	document
	ids []int32
}

func (w *windowRows) cursor() Cursor { return w.cur.clone() }

// load reads all documents.
func (w *windowRows) load() error {
	total, tokens := int64(0), 0
	for c := (Cursor{}); c.Position < w.r.parts[0].Records.Rows(); {
		ids, doc, err := w.r.read(&c, nil)
		if err != nil {
			return err
		}
		w.r.pass(&c, doc, 0)
		if !doc.ok {
			continue
		}
		if tokens += len(ids); tokens > maxWindowTokens {
			return fmt.Errorf("data: random windows keep all tokens in memory, at most %d, but the corpus has more (hint: without random windows it is read document by document)", maxWindowTokens)
		}
		total += int64(w.units(ids))
		w.texts, w.ends = append(w.texts, windowText{doc, ids}), append(w.ends, total)
	}
	return w.r.enough(0)
}

func (w *windowRows) fill(b *Batch, row int) (targets int, err error) {
	if w.ends == nil {
		if err := w.load(); err != nil {
			return 0, err
		}
	}
	startRow(b, row, w.r.frame.pad)
	d := dice(keyOf(w.r.cfg.Seed, math.MaxUint64, uint64(w.cur.Offset))) // no document's key
	dec, enc := 0, 0
	for segment := int32(1); dec < b.Dec.T; segment++ {
		at := int64(d.roll(int(w.ends[len(w.ends)-1])))
		k := sort.Search(len(w.ends), func(k int) bool { return w.ends[k] > at })
		text := &w.texts[k]
		units := int64(w.units(text.ids))
		n := w.fit(int(units), b.Dec.T-dec, b.Enc.T-enc)
		if n == 0 {
			break
		}
		at -= w.ends[k] - units
		p := piece{
			document: text.document, ids: text.ids, from: int(at * (units - int64(n) + 1) / units), n: n,
			row: row, first: dec, enc: enc, segment: segment,
		}
		p.epoch = w.cur.Offset // what is hidden of it is another thing each time
		dd, e, t := w.lay(b, &p)
		b.Seqs = append(b.Seqs, Seq{
			Row: int32(row), First: int32(dec), Last: int32(dec + dd - 1), Label: -1, Pair: -1, Part: int32(text.part), Doc: text.doc,
		})
		dec, enc, targets = dec+dd, enc+e, targets+t
	}
	if targets == 0 {
		return 0, io.EOF
	}
	w.cur.Offset++
	return targets, nil
}

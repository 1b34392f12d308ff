package data

import (
	"unicode/utf8"
)

// nextSentence makes pairs [BOS A EOS B EOS] (Devlin et al. 2019, §3.1, task 2). In half of them
// B is the text that follows A; in the others it is text of another document, and the text after
// A begins the next pair. Tokens of both are masked. Where a piece is cut, which document B is
// from and where it begins there depend on the seed, the epoch, the document and the start of
// the pair in it alone. Pairs of both kinds have the same lengths, so that the length does not
// give the label away.
type nextSentence struct {
	*masker
	r   *reader
	ids []int32 // of another document
}

// Labels of pairs, as in Hugging Face's BertForNextSentencePrediction.
const (
	follows int32 = iota
	doesNot
)

var nextSentenceLabels = []string{"next", "not next"}

func (l *nextSentence) fit(n, dec, _ int) int {
	if dec -= l.frame.size() + 1; dec < 2 {
		return 0
	}
	return min(n, dec)
}

func (l *nextSentence) lay(b *Batch, p *piece) (dec, enc, targets int) {
	d, text := p.dice(l.seed), l.frame.inner(p.ids)
	cut := 1 + d.roll(max(1, p.n-1)) // tokens of A
	second, from, end, key := p.document, p.from+cut, p.from+p.n, p.key(l.seed)
	other := text
	p.label = follows
	if p.n == 1 || d.roll(2) == 1 {
		size := max(1, p.n-cut)
		if doc, ids, ok := l.another(p, &d, size); ok {
			p.label, p.n = doesNot, cut
			if left := len(text) - p.from - cut; left == 1 { // no pair could begin with it
				p.n++
			}
			second.doc, other = doc, ids
			from = d.roll(len(ids) - size + 1)
			end, key = from+size, keyOf(key, uint64(p.from), 1)
		} else if p.n == 1 { // there is nothing else: the token twice
			p.label, from, end = doesNot, p.from, p.from+1
		}
	}
	at := p.row*b.Dec.T + p.first
	n := b.Dec.framed(p.row, p.first, p.segment, &l.frame, text[p.from:p.from+cut])
	targets = l.hide(b, at+1, p.document, text, p.from, p.from+cut, p.key(l.seed))
	for i, id := range other[from:end] {
		b.Dec.Tokens[at+n+i] = id
	}
	targets += l.hide(b, at+n, second, other, from, end, key)
	n += end - from
	b.Dec.Tokens[at+n] = l.frame.last
	n++
	for i := range n {
		b.Dec.Segments[at+i], b.Dec.Positions[at+i], b.Dec.Order[at+i], b.Dec.Types[at+i] = p.segment, int32(i), 0, 0
		if i >= cut+2 {
			b.Dec.Types[at+i] = 1
		}
	}
	return n, 0, targets
}

// another gives another document of the same corpus with at least n tokens, and its text. ok is
// false if a few attempts have found none.
func (l *nextSentence) another(p *piece, d *dice, size int) (doc int64, text []int32, ok bool) {
	records := l.r.parts[p.part].Records
	rows := records.Rows()
	for range 16 {
		doc := int64(d.roll(int(rows)))
		if doc == p.doc {
			continue
		}
		rec, err := records.Record(doc)
		if err != nil || rec.Null || len(rec.Text) > l.r.cfg.MaxDocBytes || !utf8.ValidString(rec.Text) {
			continue // which the order comes to, and says
		}
		if l.ids = append(l.ids[:0], rec.IDs...); len(rec.IDs) == 0 {
			l.ids = l.r.cfg.Tokenizer.Encode(l.ids, rec.Text)
		}
		if len(l.ids) >= size {
			return doc, l.ids, true
		}
	}
	return 0, nil, false
}

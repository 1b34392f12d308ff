package data

import (
	"math"
)

// Masked predicts hidden tokens from the context on both sides.
var Masked Objective = hiddenTokens{}

type hiddenTokens struct{ ofText }

func (hiddenTokens) String() string   { return "masked" }
func (hiddenTokens) Predicts() string { return "masked tokens" }
func (hiddenTokens) Hides() bool      { return true }

func (hiddenTokens) Baselines() []string { return []string{"bidirectional_trigram"} }

func (hiddenTokens) Specials(mask string) []string { return []string{mask} }

func (hiddenTokens) defaults(c *Config) {
	setDefault(&c.MLMProbability, 0.15)
	if c.MaskReplaceProb == 0 && c.RandomReplaceProb == 0 {
		c.MaskReplaceProb, c.RandomReplaceProb = 0.8, 0.1
	}
}

func (hiddenTokens) check(c *Config, f *faults) {
	f.framed(c)
	f.within(c.MLMProbability, "mlm_probability")
	m, r := c.MaskReplaceProb, c.RandomReplaceProb
	f.add(!(m >= 0 && r >= 0 && m+r <= 1), "mask_replace_prob %g and random_replace_prob %g: want shares of a whole", m, r)
	f.masked(c, "hidden")
	f.add(c.NextSentence && c.Tokenizer != nil && (c.frame().first < 0 || c.frame().last < 0), "pairs of texts are set between bos and eos, or separators: give them")
	f.add(c.NextSentence && c.MaxSeqs < 1, "%d pairs a row: want ≥ 1", c.MaxSeqs)
	f.add(c.NextSentence && c.T < 3+2, "rows of %d tokens for pairs of texts: want ≥ 5", c.T)
	f.add(c.Tokenizer != nil && c.Tokenizer.Size() < 5, "masking with a vocabulary of special tokens alone")
}

func (hiddenTokens) labelled(c *Config) bool { return c.NextSentence }

func (hiddenTokens) rows(r *reader, _ Cursor, stream func(layer) rowSource) rowSource {
	if r.cfg.NextSentence {
		return stream(&nextSentence{masker: newMasker(r.cfg), r: r})
	}
	return stream(newMasker(r.cfg))
}

// Masking says which tokens the objective Masked hides. The names are those of Hugging
// Face's DataCollatorForLanguageModeling.
type Masking struct {
	MLMProbability float64 // share of the tokens to be predicted; default 0.15
	// The shares of these tokens that are replaced by the special token Mask, and by a random
	// token; the others stay as they are. Where both are 0: 0.8 and 0.1.
	MaskReplaceProb, RandomReplaceProb float64
	WholeWordMask                      bool // words are chosen whole, not token by token
	// NextSentence makes pairs of texts, and adds the label whether the second follows the first.
	NextSentence bool
}

// masker predicts the hidden tokens of a text from both sides (Devlin et al. 2019, §3.1).
// Each piece of a document is framed like a whole document. Whether and how a token is
// hidden depends on the seed, the epoch, the document and the token's place in it, not on
// where the document is cut; it differs between epochs (Liu et al. 2019, §4.1). Where no
// token of a piece is chosen, the token or word that came closest to it is.
type masker struct {
	fresh
	Masking
	seed           uint64
	frame          frame
	mask           int32
	size           int     // of the vocabulary
	special        []int32 // that no random token is
	words          *wordTable
	chosen         uint64 // below which a draw is chosen
	masks, replace uint64 // below which it becomes the mask, another token

	last  document // that words.start was asked for,
	until int      // up to this place; a word of megabytes is not gone through for each piece
	start int
}

// share gives the number below which the given share of draw's numbers lies.
func share(p float64) uint64 { return uint64(p * (1 << 53)) }

// draw gives a random number of 53 bits for a key and a place.
func draw(key uint64, place int) uint64 { return mix(key+uint64(place)*golden) >> 11 }

func newMasker(cfg *Config) *masker {
	m := &masker{Masking: cfg.Masking, seed: cfg.Seed, frame: cfg.frame(), size: cfg.Tokenizer.Size()}
	m.mask, _ = cfg.Tokenizer.Special(cfg.Mask) // checked
	m.special = []int32{m.mask, m.frame.first, m.frame.last, m.frame.pad}
	if m.WholeWordMask {
		m.words = newWordTable(cfg.Tokenizer)
	}
	m.chosen, m.masks = share(m.MLMProbability), share(m.MaskReplaceProb)
	m.replace = m.masks + share(m.RandomReplaceProb)
	return m
}

func (m *masker) units(ids []int32) int { return len(ids) - m.frame.size() }

func (m *masker) fit(n, dec, _ int) int { return min(n, max(0, dec-m.frame.size())) }

func (m *masker) lay(b *Batch, p *piece) (dec, enc, targets int) {
	first, n := p.bidirectional(b, &m.frame)
	return n, 0, m.hide(b, first, p.document, m.frame.inner(p.ids), p.from, p.from+p.n, p.key(m.seed))
}

// hide makes targets of the tokens from place from to place end of a document's text, whose
// first one is at index first of the batch.
func (m *masker) hide(b *Batch, first int, d document, text []int32, from, end int, key uint64) (targets int) {
	hide := func(i, next int) {
		for ; i < next; i++ {
			at := first + i - from
			b.Targets[at], b.Weights[at] = text[i], 1
			switch d := draw(key, 2*i+1); {
			case d < m.masks:
				b.Dec.Tokens[at] = m.mask
			case d < m.replace:
				b.Dec.Tokens[at] = m.other(d)
			}
			targets++
		}
	}
	nearest, lone, after := uint64(math.MaxUint64), 0, 0
	for i := from; i < end; {
		next, start := i+1, i
		if m.words != nil {
			next = m.words.end(text[:end], i)
			if i == from {
				start = m.wordStart(d, text, from)
			}
			m.last, m.until, m.start = d, next, start
		}
		if d := draw(key, 2*start); d < m.chosen {
			hide(i, next)
		} else if d < nearest {
			nearest, lone, after = d, i, next
		}
		i = next
	}
	if targets == 0 {
		hide(lone, after)
	}
	return targets
}

// wordStart gives the start of the word that a place is in, which may be in the piece before.
func (m *masker) wordStart(d document, text []int32, from int) int {
	if from > 0 && d == m.last && from == m.until {
		if m.words.begins(text[from-1], text[from]) {
			return from
		}
		return m.start
	}
	return m.words.start(text, from)
}

// other gives a random token of the vocabulary that is not special.
func (m *masker) other(key uint64) int32 {
	for d := dice(key); ; {
		id := int32(d.roll(m.size))
		if id != m.special[0] && id != m.special[1] && id != m.special[2] && id != m.special[3] {
			return id
		}
	}
}

// bidirectional writes the inputs of a framed piece, all of which attend to each other. It
// returns the index in the batch where the text of the piece begins, and the number of
// positions of the piece.
func (p *piece) bidirectional(b *Batch, f *frame) (first, n int) {
	at := p.row*b.Dec.T + p.first
	n = b.Dec.framed(p.row, p.first, p.segment, f, f.inner(p.ids)[p.from:p.from+p.n])
	clear(b.Dec.Order[at : at+n])
	if f.first >= 0 {
		at++
	}
	return at, n
}

// framed writes a text and its frame as one segment, and returns its length.
func (s *Stream) framed(row, first int, segment int32, f *frame, text []int32) int {
	at, n := row*s.T+first, 0
	if f.first >= 0 {
		s.Tokens[at] = f.first
		n++
	}
	n += copy(s.Tokens[at+n:], text)
	if f.last >= 0 {
		s.Tokens[at+n] = f.last
		n++
	}
	for i := range n {
		s.Segments[at+i] = segment
		s.Positions[at+i] = int32(i)
	}
	return n
}

// inner gives the text within a frame.
func (f *frame) inner(ids []int32) []int32 {
	if f.first >= 0 {
		ids = ids[1:]
	}
	if f.last >= 0 {
		ids = ids[:len(ids)-1]
	}
	return ids
}

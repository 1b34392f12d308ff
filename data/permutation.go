package data

import (
	"math"
)

// Permutation predicts some of the tokens in a random factorisation order.
var Permutation Objective = permuted{}

type permuted struct{ ofText }

func (permuted) String() string   { return "permutation" }
func (permuted) Predicts() string { return "permuted tokens" }

func (permuted) Ends(before, _ string) (string, string) { return before, "" }

func (permuted) Validating(c *Config) bool {
	c.LeftToRight = true
	return true
}

func (permuted) defaults(c *Config) {
	setDefault(&c.PLMProbability, 1./6)
	setDefault(&c.MaxSpanLength, 5)
}

func (permuted) check(c *Config, f *faults) {
	f.framed(c)
	f.within(c.PLMProbability, "plm_probability")
	f.add(c.MaxSpanLength < 1, "spans of %d tokens: want ≥ 1", c.MaxSpanLength)
}

func (permuted) rows(r *reader, _ Cursor, stream func(layer) rowSource) rowSource {
	return stream(&permuter{Permuting: r.cfg.Permuting, seed: r.cfg.Seed, frame: r.frame})
}

func (permuted) layout() layout { return layout{ordered: true} }

// Permuting says what the objective Permutation predicts. The names are those of
// Hugging Face's DataCollatorForPermutationLanguageModeling.
type Permuting struct {
	PLMProbability float64 // share of the tokens to be predicted: 1/K; default 1/6
	MaxSpanLength  int     // of neighbours that are predicted together; default 5
	// LeftToRight predicts every token in the order of the text, which gives the probability of
	// the text. The end is not predicted, as in training.
	LeftToRight bool
}

// permuter predicts tokens in a random factorisation order (Yang et al. 2019). The order of
// a piece has two parts (§2.3, partial prediction). The tokens of the first part are only
// read; all of them attend to each other, so that their order does not matter and Order is
// 0. The tokens of the second part are predicted, and Order counts them from 1. The content
// stream attends to Order[j] ≤ Order[i]; the query stream to Order[j] < Order[i], the tokens
// before the predicted one without itself. Targets are at the place of the token. They are
// chosen as spans of up to MaxSpanLength in a context of K times their length (§3.1). The
// frame is only read. All choices depend on the seed, the epoch, the document and the start
// of the piece in it alone.
type permuter struct {
	fresh
	Permuting
	seed  uint64
	frame frame
	list  []int // targets of a piece, by place
}

func (l *permuter) units(ids []int32) int { return len(ids) - l.frame.size() }

func (l *permuter) fit(n, dec, _ int) int { return min(n, max(0, dec-l.frame.size())) }

func (l *permuter) lay(b *Batch, p *piece) (dec, enc, targets int) {
	first, n := p.bidirectional(b, &l.frame)
	if l.LeftToRight {
		return n, 0, l.inOrder(b, p, first)
	}
	d := p.dice(l.seed)
	l.list = l.list[:0]
	for at := 0; at < p.n; {
		span := 1 + d.roll(l.MaxSpanLength)
		context := max(span, int(math.Round(float64(span)/l.PLMProbability)))
		start := at + d.roll(context-span+1)
		for i := start; i < min(start+span, p.n); i++ {
			l.list = append(l.list, i)
		}
		at += context
	}
	if len(l.list) == 0 { // the piece is shorter than a context
		l.list = append(l.list, d.roll(p.n))
	}
	order := newPermutation(int64(len(l.list)), true, d.next())
	text := l.frame.inner(p.ids)[p.from:]
	for k, i := range l.list {
		at := first + i
		b.Targets[at], b.Weights[at] = text[i], 1
		b.Dec.Order[at] = 1 + int32(order.at(int64(k)))
	}
	return n, 0, len(l.list)
}

// inOrder makes targets of a piece's text, which begins at index first of the batch. They do
// not attend to the end of the frame, which would reveal the length of the text.
func (l *permuter) inOrder(b *Batch, p *piece, first int) (targets int) {
	for i, id := range l.frame.inner(p.ids)[p.from : p.from+p.n] {
		b.Targets[first+i], b.Weights[first+i], b.Dec.Order[first+i] = id, 1, int32(i+1)
	}
	if l.frame.last >= 0 {
		b.Dec.Order[first+p.n] = int32(p.n + 1)
	}
	return p.n
}

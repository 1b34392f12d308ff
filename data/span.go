package data

import (
	"fmt"
	"math"
)

// SpanCorruption predicts hidden spans with the decoder of an encoder-decoder.
var SpanCorruption Objective = corrupted{}

type corrupted struct{ ofText }

func (corrupted) String() string   { return "span_corruption" }
func (corrupted) Predicts() string { return "corrupted spans" }
func (corrupted) Hides() bool      { return true }

func (corrupted) Baselines() []string { return []string{"frequent_span", "gap_span", "unigram"} }

// sentinelsTrained is the number of sentinels of a tokenizer that is trained for it, as T5's.
const sentinelsTrained = 100

func (corrupted) Specials(string) []string { return Sentinels(sentinelsTrained) }

func (corrupted) defaults(c *Config) {
	setDefault(&c.NoiseDensity, 0.15)
	setDefault(&c.MeanNoiseSpanLength, 3)
	if c.TargetLength == 0 && c.Corruption.valid() {
		_, c.TargetLength = c.Corruption.lengths(max(1, c.full(c.T, c.frame().size())), 0)
	}
}

func (corrupted) check(c *Config, f *faults) {
	f.within(c.NoiseDensity, "noise_density")
	f.add(!(c.MeanNoiseSpanLength >= 1), "mean_noise_span_length %g: want ≥ 1", c.MeanNoiseSpanLength)
	if !c.Corruption.valid() {
		return
	}
	around := c.frame().size()
	enc, dec := c.Corruption.lengths(1, around)
	f.add(c.T < enc || c.TargetLength < dec, "rows of %d tokens for the encoder and %d for the decoder: want ≥ %d and %d", c.T, c.TargetLength, enc, dec)
	if c.Tokenizer == nil {
		return
	}
	f.add(c.frame().last < 0, "span corruption ends what the decoder writes with eos or separator: give one of them")
	need, have := c.Corruption.sentinels(c.T, around), 0
	for ok := true; ok && have < need; {
		if _, ok = c.Tokenizer.Special(sentinel(have)); ok {
			have++
		}
	}
	f.add(have < need, "the tokenizer has %d of the sentinels <extra_id_0>, <extra_id_1>, …; rows of %d need %d", have, c.T, need)
}

func (corrupted) lengths(c *Config) (dec, enc int) { return c.TargetLength, c.T }

func (corrupted) rows(r *reader, _ Cursor, stream func(layer) rowSource) rowSource {
	return stream(newCorrupter(r.cfg))
}

// Corruption says which spans the objective SpanCorruption hides. The names are those of T5.
type Corruption struct {
	NoiseDensity        float64 // share of the tokens to be predicted; default 0.15
	MeanNoiseSpanLength float64 // default 3
}

// corrupter is the objective of T5 (Raffel et al. 2020, §3.1.4; random_spans_noise_mask of
// its code): in the encoder's input each span of a text is replaced by a sentinel, and the
// decoder writes each sentinel with the tokens that it replaces, then the end. Kept text and
// spans alternate, starting with text, and both are cut at random places. All choices depend
// on the seed, the epoch, the document and the start of the piece in it alone. A text of one
// token is a span as a whole.
type corrupter struct {
	fresh
	Corruption
	seed      uint64
	frame     frame
	sentinels []int32
	enc, dec  []int32
}

// sentinel gives the name of a sentinel token of T5.
func sentinel(i int) string { return fmt.Sprintf("<extra_id_%d>", i) }

// Sentinels gives the names of the special tokens that replace n hidden spans.
func Sentinels(n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = sentinel(i)
	}
	return names
}

func newCorrupter(cfg *Config) *corrupter {
	s := &corrupter{Corruption: cfg.Corruption, seed: cfg.Seed, frame: cfg.frame()}
	for i := range cfg.Corruption.sentinels(cfg.T, s.frame.size()) {
		id, _ := cfg.Tokenizer.Special(sentinel(i)) // checked
		s.sentinels = append(s.sentinels, id)
	}
	return s
}

func (c *Corruption) valid() bool {
	return c.NoiseDensity > 0 && c.NoiseDensity < 1 && c.MeanNoiseSpanLength >= 1
}

// of gives the number of hidden tokens among n, and the number of their spans.
func (c *Corruption) of(n int) (noise, count int) {
	if n == 1 {
		return 1, 1
	}
	noise = min(max(1, int(math.Round(float64(n)*c.NoiseDensity))), n-1)
	count = min(max(1, int(math.Round(float64(noise)/c.MeanNoiseSpanLength))), noise, n-noise)
	return noise, count
}

// lengths gives the numbers of tokens of the encoder and of the decoder for n tokens of text,
// with the frame for the encoder and the end for the decoder.
func (c *Corruption) lengths(n, frame int) (enc, dec int) {
	noise, count := c.of(n)
	return n - noise + count + frame, noise + count + 1
}

// most gives the greatest number of tokens, at most n, whose lengths do not exceed the given
// ones. Both lengths grow with n.
func (c *Corruption) most(n, enc, dec, frame int) int {
	least := 0
	for least < n {
		k := (least + n + 1) / 2
		if e, d := c.lengths(k, frame); e <= enc && d <= dec {
			least = k
		} else {
			n = k - 1
		}
	}
	return least
}

// full gives the number of tokens of text that fill an encoder's row of T.
func (c *Corruption) full(T, frame int) int {
	// Except for rounding, at least n·(1-NoiseDensity) of n tokens are kept.
	return c.most(int(float64(T+1)/(1-c.NoiseDensity))+1, T, math.MaxInt, frame)
}

// sentinels gives the number of sentinels that a row of T can need: those of one text, since
// each text of a row counts from the first sentinel.
func (c *Corruption) sentinels(T, frame int) int {
	_, count := c.of(max(1, c.full(T, frame)))
	return count
}

func (l *corrupter) units(ids []int32) int { return len(ids) - l.frame.size() }

func (l *corrupter) fit(n, dec, enc int) int { return l.most(n, enc, dec, l.frame.size()) }

func (l *corrupter) lay(b *Batch, p *piece) (dec, enc, targets int) {
	d := p.dice(l.seed)
	text := l.frame.inner(p.ids)[p.from : p.from+p.n]
	noise, count := l.of(p.n)
	hidden, kept := cuts{&d, noise, count}, cuts{&d, p.n - noise, count}
	l.enc, l.dec = l.enc[:0], l.dec[:0]
	for i := range count {
		n := 0
		if p.n > 1 {
			n = kept.next()
		}
		l.enc, text = append(l.enc, text[:n]...), text[n:]
		l.enc, l.dec = append(l.enc, l.sentinels[i]), append(l.dec, l.sentinels[i])
		n = hidden.next()
		l.dec, text = append(l.dec, text[:n]...), text[n:]
	}
	l.dec = append(l.dec, l.frame.last)

	enc = b.Enc.framed(p.row, p.enc, p.segment, &l.frame, l.enc)
	clear(b.Enc.Order[p.row*b.Enc.T+p.enc:][:enc])
	at := p.row*b.Dec.T + p.first
	p.place(b, l.dec) // and one to the right, behind the token that decoding starts with
	b.Dec.Tokens[at] = l.frame.pad
	copy(b.Dec.Tokens[at+1:at+len(l.dec)], l.dec)
	copy(b.Targets[at:], l.dec)
	for i := range l.dec {
		b.Weights[at+i] = 1
	}
	return len(l.dec), enc, len(l.dec)
}

// cuts divides n things into a number of non-empty parts, every division equally likely.
type cuts struct {
	*dice
	n, parts int
}

// next gives the length of the next part.
func (c *cuts) next() int {
	// Each of the n-1 remaining gaps is a cut with probability (parts-1)/(n-1).
	k := 1
	for ; c.n-k > 0 && c.roll(c.n-k) >= c.parts-1; k++ {
	}
	c.n, c.parts = c.n-k, c.parts-1
	return k
}

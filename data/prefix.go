package data

// PrefixLM predicts the next token of each token after a prefix that is read as a whole.
var PrefixLM Objective = prefixed{}

type prefixed struct{ nextToken }

func (prefixed) String() string { return "prefix_lm" }

func (prefixed) Validating(c *Config) bool {
	c.Objective = Causal
	return true
}

func (prefixed) rows(r *reader, _ Cursor, stream func(layer) rowSource) rowSource {
	return stream(prefixLM{seed: r.cfg.Seed})
}

func (prefixed) layout() layout { return layout{shifted: true, prefixed: true} }

// prefixLM reads a prefix of each piece as a whole, with all its tokens attending to each
// other, and predicts the rest from left to right (Raffel et al. 2020, §3.2.3; Liu et al.
// 2018). The end of the prefix is uniformly distributed, and leaves at least one target. It
// depends on the seed, the epoch, the document and the start of the piece in it alone.
// Inputs and targets are those of causal.
type prefixLM struct {
	fresh
	seed uint64
}

func (prefixLM) units(ids []int32) int { return len(ids) - 1 }

func (prefixLM) fit(n, dec, _ int) int { return min(n, dec) }

func (l prefixLM) lay(b *Batch, p *piece) (dec, enc, targets int) {
	at, n := p.row*b.Dec.T+p.first, p.n
	p.place(b, p.ids[p.from:p.from+n])
	d := p.dice(l.seed)
	prefix := 1 + d.roll(n)
	for i := range n {
		b.Dec.Order[at+i] = int32(max(0, i-prefix+1))
		if i >= prefix-1 {
			b.Targets[at+i], b.Weights[at+i] = p.ids[p.from+1+i], 1
		}
	}
	return n, 0, n - prefix + 1
}

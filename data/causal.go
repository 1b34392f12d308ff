package data

import "cmp"

// Causal is next-token prediction: of every token, and of the end of the document.
var Causal Objective = nextToken{}

type nextToken struct{ ofText }

func (nextToken) String() string   { return "causal" }
func (nextToken) Predicts() string { return "next tokens" }
func (nextToken) ends() bool       { return true }

// Ends are no end: it is what the model writes. Documents that have an end alone start with it.
func (nextToken) Ends(before, after string) (string, string) { return cmp.Or(before, after), "" }

func (nextToken) Validating(*Config) bool { return true }

func (nextToken) check(c *Config, f *faults) {
	f.add(c.T < 1, "rows of %d tokens: want ≥ 1", c.T)
}

func (nextToken) rows(_ *reader, _ Cursor, stream func(layer) rowSource) rowSource {
	return stream(causal{})
}

func (nextToken) layout() layout { return layout{shifted: true} }

// causal predicts the next token. For a document a = [BOS t1 … tn EOS], the inputs are
// a[0..n] and the targets a[1..n+1]: each token and the end is predicted once. The first
// input of a piece is the last target of the piece before, so that no target is lost or
// counted twice.
type causal struct{}

func (causal) units(ids []int32) int { return len(ids) - 1 }

func (causal) fit(n, dec, _ int) int { return min(n, dec) }

func (causal) lay(b *Batch, p *piece) (dec, enc, targets int) {
	end := p.from + p.n
	p.place(b, p.ids[p.from-p.again:end])
	at := p.row*b.Dec.T + p.first + p.again
	copy(b.Targets[at:], p.ids[p.from+1:end+1])
	for i := range p.n {
		b.Weights[at+i] = 1
	}
	return p.again + p.n, 0, p.n
}

// again begins a window with tokens of the window before, as many as there is room for.
func (causal) again(from, room int) int { return min(from, room) }

package data

// causal predicts the next token. A document is a = [BOS t1 … tn EOS], its inputs
// a[0..n], its targets a[1..n+1]: each token and the end is scored once. A piece's first
// input is the last target of the piece before: nothing is lost, and nothing scored twice.
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

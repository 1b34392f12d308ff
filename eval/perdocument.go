package eval

import "hone/eval/metric"

// perDocument is a metric of tokens or spans, summed by document.
type perDocument struct {
	records []int64
	sums    []float64
	n       []int
}

// add adds a token or span of a document; documents come one after the other.
func (p *perDocument) add(record int64, figure float64) {
	last := len(p.records) - 1
	if last < 0 || p.records[last] != record {
		p.records, p.sums, p.n = append(p.records, record), append(p.sums, 0), append(p.n, 0)
		last++
	}
	p.sums[last] += figure
	p.n[last]++
}

const bootstrapSeed = 1

func (p *perDocument) score(e *metric.Evaluation) (err error) {
	e.Items = &metric.Items{Records: p.records, Sums: p.sums, Sizes: p.n}
	e.Estimate, err = metric.PerToken(p.sums, p.n, bootstrapSeed)
	return err
}

// beside compares a baseline on the same tokens with the model.
func (p *perDocument) beside(e *metric.Evaluation, name string, theirs *perDocument) (err error) {
	b := metric.Baseline{Name: name}
	if b.Estimate, err = metric.PerToken(theirs.sums, theirs.n, bootstrapSeed); err != nil {
		return err
	}
	if b.Diff, err = metric.PerTokenDiff(p.sums, theirs.sums, p.n, bootstrapSeed); err != nil {
		return err
	}
	e.Baselines = append(e.Baselines, b)
	return nil
}

func share(right bool) float64 {
	if right {
		return 1
	}
	return 0
}

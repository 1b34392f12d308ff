package metric

import (
	"fmt"
	"math"
)

// A Figure is a metric of a model on a set of items. Two figures of one metric on the same
// items can be compared in pairs.
type Figure struct {
	Name string // accuracy, macro_f1, bleu, …
	// Definition says exactly what is computed: the reference that it equals, with its mode or
	// signature, and what counts where items are tied or empty.
	Definition string
	Estimate
	// Scores are the figure item by item, where it is their mean; else nil.
	Scores []float64

	n      int
	part   bool // it lies between 0 and 1, and resamples that are all alike make neither certain
	groups Groups
	stat   statistic
}

// Groups has the number of the group of each item, from 0 on: items that share a passage, a
// document or an author are not independent, and are resampled together. nil: each item is a
// group of its own.
type Groups []int

// A statistic is a metric of items of which item i is counted weight[i] times: the form in which
// it is resampled. It is NaN where it is not defined.
type statistic func(weight []int) float64

// check fails if there are no items, or groups that are not theirs.
func (g Groups) check(n int) error {
	if n == 0 {
		return fmt.Errorf("metric: no items to score")
	}
	if g != nil && len(g) != n {
		return fmt.Errorf("metric: the groups of %d items for %d items", len(g), n)
	}
	for i, k := range g {
		if k < 0 || k >= n {
			return fmt.Errorf("metric: item %d: group %d outside [0, %d)", i, k, n)
		}
	}
	return nil
}

// number numbers the groups that occur from 0 on, in the order of their first item.
func (g Groups) number(n int) (of []int, groups int) {
	of = make([]int, n)
	if g == nil {
		for i := range of {
			of[i] = i
		}
		return of, n
	}
	seen := make(map[int]int, n)
	for i, k := range g {
		if _, ok := seen[k]; !ok {
			seen[k] = len(seen)
		}
		of[i] = seen[k]
	}
	return of, len(seen)
}

// resampled gives the bootstrap's interval of a statistic. Whole groups are drawn.
func (g Groups) resampled(n int, stat statistic) (lo, hi float64) {
	of, groups := g.number(n)
	times, weight := make([]int, groups), make([]int, n)
	return Bootstrap(groups, seed, func(sample []int) float64 {
		clear(times)
		for _, k := range sample {
			times[k]++
		}
		for i, k := range of {
			weight[i] = times[k]
		}
		return stat(weight)
	})
}

// seed is of all resampling: an interval depends on the data alone.
const seed = 1

// estimate measures a statistic of n items, with the bootstrap's interval.
func (f *Figure) estimate(n int, groups Groups, stat statistic) {
	f.n, f.groups, f.stat = n, groups, stat
	f.Estimate = Estimate{Value: stat(once(n)), N: n}
	f.Lo, f.Hi = groups.resampled(n, stat)
	switch {
	case math.IsNaN(f.Value):
		f.Lo, f.Hi = math.NaN(), math.NaN()
	case f.part && f.Lo == f.Hi && (f.Value == 0 || f.Value == 1): // all resamples are alike
		_, independent := groups.number(n)
		f.Lo, f.Hi = wilson(f.Value, float64(independent))
	}
}

// once counts each of n items once.
func once(n int) []int {
	weight := make([]int, n)
	for i := range weight {
		weight[i] = 1
	}
	return weight
}

// mean measures the mean of the scores of items. Scores between 0 and 1 have Wilson's interval,
// of as many independent items as would give the mean its variance between groups; others have
// the bootstrap's.
func (f *Figure) mean(scores []float64, groups Groups) {
	f.n, f.groups, f.Scores = len(scores), groups, scores
	f.stat = func(weight []int) float64 {
		sum, n := 0.0, 0
		for i, w := range weight {
			sum += float64(w) * scores[i]
			n += w
		}
		return sum / float64(n)
	}
	f.Estimate = Estimate{Value: f.stat(once(f.n)), N: f.n}
	whole := groups == nil // each item right or wrong, and independent
	for _, s := range scores {
		if s < 0 || s > 1 {
			f.Lo, f.Hi = groups.resampled(f.n, f.stat)
			return
		}
		whole = whole && (s == 0 || s == 1)
	}
	if whole {
		f.Estimate = Wilson(int(math.Round(f.Value*float64(f.n))), f.n)
		return
	}
	f.Lo, f.Hi = wilson(f.Value, effective(scores, f.Value, groups))
}

// effective gives the number of independent right or wrong items whose share would have the
// variance of the mean of scores between 0 and 1, by the sandwich estimator over groups. Where no
// group differs from another, it is the number of groups.
func effective(scores []float64, mean float64, groups Groups) float64 {
	of, n := groups.number(len(scores))
	off := make([]float64, n)
	for i, s := range scores {
		off[of[i]] += s - mean
	}
	square := 0.0
	for _, d := range off {
		square += d * d
	}
	if n == 1 || square == 0 || mean <= 0 || mean >= 1 {
		return float64(n)
	}
	items := float64(len(scores))
	variance := square / (items * items) * float64(n) / float64(n-1)
	return mean * (1 - mean) / variance
}

// Evaluation gives the figure as a result on a task, of the documents that of describes.
func (f *Figure) Evaluation(task string, of *Scored) Evaluation {
	return Evaluation{Task: task, Metric: f.Name, Definition: f.Definition, Estimate: f.Estimate, Scored: of}
}

// Against gives g, the same metric of a baseline on the same items, for a comparison with f.
func (f *Figure) Against(name string, g *Figure) Baseline {
	return Baseline{Name: name, Estimate: g.Estimate, Diff: Difference(f, g)}
}

// Difference gives f less g, two figures of one metric on the same items, with the paired
// interval: Tango's where both are shares of right answers, else the bootstrap's. It panics where
// the figures are not of as many items.
func Difference(f, g *Figure) Estimate {
	if f.n != g.n {
		panic(fmt.Sprintf("metric: paired comparison of %d and %d items", f.n, g.n))
	}
	if f.groups == nil {
		if a, ok := right(f.Scores); ok {
			if b, ok := right(g.Scores); ok {
				diff, lo, hi := PairedDiff(a, b)
				return Estimate{Value: diff, Lo: lo, Hi: hi, N: f.n}
			}
		}
	}
	stat := func(weight []int) float64 { return f.stat(weight) - g.stat(weight) }
	d := Estimate{Value: stat(once(f.n)), N: f.n}
	d.Lo, d.Hi = f.groups.resampled(f.n, stat)
	return d
}

// right tells which items are right, where each is right or wrong.
func right(scores []float64) (list []bool, ok bool) {
	list = make([]bool, len(scores))
	for i, s := range scores {
		if s != 0 && s != 1 {
			return nil, false
		}
		list[i] = s == 1
	}
	return list, len(scores) > 0
}

// Share is the share of items that are right.
func Share(name, definition string, right []bool, groups Groups) (Figure, error) {
	if err := groups.check(len(right)); err != nil {
		return Figure{}, err
	}
	scores := make([]float64, len(right))
	for i, ok := range right {
		if ok {
			scores[i] = 1
		}
	}
	f := Figure{Name: name, Definition: definition}
	f.mean(scores, groups)
	return f, nil
}

// summed gives the statistic that is computed from the sums of the rows of items.
func summed(rows [][]float64, of func(sums []float64) float64) statistic {
	sums := make([]float64, len(rows[0]))
	return func(weight []int) float64 {
		clear(sums)
		for i, w := range weight {
			if w == 0 {
				continue
			}
			for k, v := range rows[i] {
				sums[k] += float64(w) * v
			}
		}
		return of(sums)
	}
}

// f1 is the harmonic mean of precision hit/predicted and recall hit/truth; 0 where nothing is hit.
func f1(hit, predicted, truth float64) float64 {
	if hit == 0 {
		return 0
	}
	return 2 * hit / (predicted + truth)
}

// over is a/b, and 0 where b is.
func over(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

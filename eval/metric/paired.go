package metric

import (
	"fmt"
	"math"
)

// PairedDiff returns the difference in accuracy of two classifiers on the same
// items, a's minus b's, with Tango's (1998) score interval for paired
// proportions. aCorrect[i] and bCorrect[i] say whether each got item i right;
// the slices must have one length, or PairedDiff panics.
//
// It is to the difference what Wilson's interval is to one proportion: it
// excludes 0 exactly when McNemar's test (without continuity correction)
// rejects at 5 %, and holds its level when the two disagree on few items,
// where the bootstrap's interval shrinks to a point. With no items it is
// (0, −1, 1).
func PairedDiff(aCorrect, bCorrect []bool) (diff, lo, hi float64) {
	onlyA, onlyB := discordant(aCorrect, bCorrect)
	n := float64(len(aCorrect))
	if n == 0 {
		return 0, -1, 1
	}
	b, c := float64(onlyA), float64(onlyB)
	diff = (b - c) / n
	// score is the standardised distance of the observed difference from delta;
	// p is the maximum-likelihood P(only b is right) given that difference.
	// It falls from +Inf at delta = -1 to -Inf at 1.
	score := func(delta float64) float64 {
		qb := (2*n-b+c)*delta - b - c
		qc := -c * delta * (1 - delta)
		p := (math.Sqrt(max(0, qb*qb-8*n*qc)) - qb) / (4 * n)
		num, v := b-c-n*delta, n*(2*p+delta*(1-delta))
		switch {
		case v > 0:
			return num / math.Sqrt(v)
		case num == 0:
			return 0
		}
		return math.Inf(int(math.Copysign(1, num)))
	}
	// Bisection of a monotone function: 60 halvings of a width ≤ 2.
	solve := func(left, right, z float64) float64 {
		for range 60 {
			if mid := (left + right) / 2; score(mid) > z {
				left = mid
			} else {
				right = mid
			}
		}
		return (left + right) / 2
	}
	return diff, solve(-1, diff, z95), solve(diff, 1, -z95)
}

// Beats reports whether classifier a is more accurate than b beyond the 95 %
// interval: on the same test items, in the same order, the whole paired
// interval of accuracy(a) − accuracy(b) lies above 0. Both must have been
// fitted and tuned without these items. This is the sense in which a report
// says that a model beats a baseline. Whether the two separate intervals overlap
// says less, because both depend on the difficulty of the same items.
func Beats(aCorrect, bCorrect []bool) bool {
	_, lo, _ := PairedDiff(aCorrect, bCorrect)
	return lo > 0
}

// McNemar returns the two-sided p-value of the exact McNemar test: how often
// two equally accurate classifiers that disagree in correctness on as many
// items would split them at least so unevenly.
func McNemar(aCorrect, bCorrect []bool) float64 {
	onlyA, onlyB := discordant(aCorrect, bCorrect)
	m := onlyA + onlyB
	lg := func(k int) float64 { v, _ := math.Lgamma(float64(k) + 1); return v }
	tail := 0.0
	for k := 0; k <= min(onlyA, onlyB); k++ {
		tail += math.Exp(lg(m) - lg(k) - lg(m-k) - float64(m)*math.Ln2)
	}
	return min(1, 2*tail)
}

func discordant(a, b []bool) (onlyA, onlyB int) {
	if len(a) != len(b) {
		panic(fmt.Sprintf("metric: paired comparison of %d and %d items", len(a), len(b)))
	}
	for i := range a {
		switch {
		case a[i] && !b[i]:
			onlyA++
		case b[i] && !a[i]:
			onlyB++
		}
	}
	return onlyA, onlyB
}

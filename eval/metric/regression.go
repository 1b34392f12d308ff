package metric

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// A Regression is what predicted numbers are judged by.
type Regression struct {
	Pearson, Spearman, MSE, MAE Figure
}

// Regress scores predicted against true numbers. It fails if the slices differ in length or are
// empty, or a number is not finite.
func Regress(truth, predicted []float64, groups Groups) (Regression, error) {
	if len(truth) != len(predicted) {
		return Regression{}, fmt.Errorf("metric: %d true numbers, %d predicted", len(truth), len(predicted))
	}
	if err := groups.check(len(truth)); err != nil {
		return Regression{}, err
	}
	n := len(truth)
	squared, absolute := make([]float64, n), make([]float64, n)
	for i, t := range truth {
		p := predicted[i]
		if !Number(t).Known() || !Number(p).Known() {
			return Regression{}, fmt.Errorf("metric: item %d: true number %v, predicted %v: not finite", i, t, p)
		}
		squared[i], absolute[i] = (p-t)*(p-t), math.Abs(p-t)
	}
	const constant = "; not defined where all true or all predicted numbers are equal"
	out := Regression{
		Pearson:  Figure{Name: "pearson", Definition: "Pearson's correlation, scipy's pearsonr" + constant},
		Spearman: Figure{Name: "spearman", Definition: "Spearman's rank correlation, scipy's spearmanr: equal numbers have the mean of their ranks" + constant},
		MSE:      Figure{Name: "mse", Definition: "mean squared error"},
		MAE:      Figure{Name: "mae", Definition: "mean absolute error"},
	}
	a, b := centred(truth), centred(predicted)
	out.Pearson.estimate(n, groups, func(weight []int) float64 { return correlation(a, b, weight) })
	rankTruth, rankPredicted := ranks(truth), ranks(predicted)
	out.Spearman.estimate(n, groups, func(weight []int) float64 {
		return correlation(rankTruth(weight), rankPredicted(weight), weight)
	})
	out.MSE.mean(squared, groups)
	out.MAE.mean(absolute, groups)
	return out, nil
}

// centred gives the numbers less their mean, so that sums of squares lose no digits.
func centred(list []float64) []float64 {
	mean := 0.0
	for _, v := range list {
		mean += v / float64(len(list))
	}
	out := make([]float64, len(list))
	for i, v := range list {
		out[i] = v - mean
	}
	return out
}

// correlation is Pearson's, of items counted weight times; NaN where one side is constant.
func correlation(a, b []float64, weight []int) float64 {
	var n, sumA, sumB float64
	first, varyA, varyB := -1, false, false
	for i, w := range weight {
		if w == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		varyA, varyB = varyA || a[i] != a[first], varyB || b[i] != b[first]
		n += float64(w)
		sumA += float64(w) * a[i]
		sumB += float64(w) * b[i]
	}
	if !varyA || !varyB {
		return math.NaN()
	}
	sumA, sumB = sumA/n, sumB/n
	var aa, bb, ab float64
	for i, w := range weight {
		x, y := a[i]-sumA, b[i]-sumB
		aa += float64(w) * x * x
		bb += float64(w) * y * y
		ab += float64(w) * x * y
	}
	return max(-1, min(1, ab/math.Sqrt(aa)/math.Sqrt(bb)))
}

// ranks gives a function for the ranks of numbers that are counted weight times; equal ones have the
// mean of their ranks.
func ranks(list []float64) func(weight []int) []float64 {
	order, rank := make([]int, len(list)), make([]float64, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(list[a], list[b]) })
	return func(weight []int) []float64 {
		below := 0
		for i := 0; i < len(order); {
			end, tied := i, 0
			for ; end < len(order) && list[order[end]] == list[order[i]]; end++ {
				tied += weight[order[end]]
			}
			for ; i < end; i++ {
				rank[order[i]] = float64(below) + float64(tied+1)/2
			}
			below += tied
		}
		return rank
	}
}

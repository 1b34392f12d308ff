package metric

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
)

// AUROC is the area under the ROC curve: the probability that a positive item has a higher score
// than a negative one, equal scores counting one half. It fails if there is no item of one kind.
func AUROC(positive []bool, score []float64, groups Groups) (Figure, error) {
	return ranked(Figure{Name: "auroc", Definition: "area under the ROC curve, scikit-learn's roc_auc_score: equal scores count one half"}, positive, score, groups,
		func(thresholds iter.Seq[threshold], positives, negatives float64) float64 {
			area := 0.0
			for t := range thresholds {
				area += t.negative * (t.above + t.positive/2)
			}
			return area / (positives * negatives)
		})
}

// AveragePrecision is the sum over thresholds of precision times the gain in recall. Items of equal
// scores are one threshold. It fails if there is no item of one kind.
func AveragePrecision(positive []bool, score []float64, groups Groups) (Figure, error) {
	return ranked(Figure{Name: "average_precision", Definition: "sum over thresholds of precision times the gain in recall, scikit-learn's average_precision_score: equal scores are one threshold, and nothing is interpolated"}, positive, score, groups,
		func(thresholds iter.Seq[threshold], positives, _ float64) float64 {
			sum, wrong := 0.0, 0.0
			for t := range thresholds {
				wrong += t.negative
				if hit := t.above + t.positive; hit > 0 {
					sum += t.positive / positives * hit / (hit + wrong)
				}
			}
			return sum
		})
}

// A threshold has the items of one score, and the positive ones that are above.
type threshold struct{ above, positive, negative float64 }

// ranked measures a metric of the order of scores. of is given the thresholds, the highest first.
func ranked(f Figure, positive []bool, score []float64, groups Groups,
	of func(thresholds iter.Seq[threshold], positives, negatives float64) float64) (Figure, error) {
	if len(positive) != len(score) {
		return Figure{}, fmt.Errorf("metric: labels of %d items, scores of %d", len(positive), len(score))
	}
	if err := groups.check(len(score)); err != nil {
		return Figure{}, err
	}
	order, some := make([]int, len(score)), [2]bool{}
	for i, s := range score {
		if math.IsNaN(s) {
			return Figure{}, fmt.Errorf("metric: item %d: the score is not a number", i)
		}
		order[i] = i
		if positive[i] {
			some[1] = true
		} else {
			some[0] = true
		}
	}
	if !some[0] || !some[1] {
		return Figure{}, fmt.Errorf("metric: %s is not defined: all %d items are of one kind", f.Name, len(score))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(score[b], score[a]) })
	f.estimate(len(score), groups, func(weight []int) float64 {
		var positives, negatives float64
		for i, w := range weight {
			if positive[i] {
				positives += float64(w)
			} else {
				negatives += float64(w)
			}
		}
		if positives == 0 || negatives == 0 {
			return math.NaN()
		}
		return of(func(yield func(threshold) bool) {
			above := 0.0
			for i := 0; i < len(order); {
				t, s := threshold{above: above}, score[order[i]]
				for ; i < len(order) && score[order[i]] == s; i++ {
					if k := order[i]; positive[k] {
						t.positive += float64(weight[k])
					} else {
						t.negative += float64(weight[k])
					}
				}
				if !yield(t) {
					return
				}
				above += t.positive
			}
		}, positives, negatives)
	})
	return f, nil
}

package metric

import (
	"fmt"
	"math"
)

// Brier is the mean over items of the squared distance of the probabilities of all classes from 1 for the
// true one and 0 for the others: 0 is best, 2 worst.
func Brier(probabilities [][]float64, truth []int, groups Groups) (Figure, error) {
	if len(probabilities) != len(truth) {
		return Figure{}, fmt.Errorf("metric: %d true labels, probabilities of %d items", len(truth), len(probabilities))
	}
	if err := groups.check(len(truth)); err != nil {
		return Figure{}, err
	}
	scores := make([]float64, len(truth))
	for i, list := range probabilities {
		if truth[i] < 0 || truth[i] >= len(list) {
			return Figure{}, fmt.Errorf("metric: item %d: true label %d outside [0, %d)", i, truth[i], len(list))
		}
		for k, p := range list {
			if math.IsNaN(p) || p < 0 || p > 1+1e-5 {
				return Figure{}, fmt.Errorf("metric: item %d: %v is not a probability", i, p)
			}
			if k == truth[i] {
				p--
			}
			scores[i] += p * p
		}
	}
	f := Figure{Name: "brier", Definition: "mean of the squared distance of all probabilities from the true label's, from 0 to 2: scikit-learn's brier_score_loss with scale_by_half=False, lm-evaluation-harness's brier_score"}
	f.mean(scores, groups)
	return f, nil
}

package metric

import "fmt"

// A MultiLabel is what classification with any number of labels for an item is judged by.
type MultiLabel struct {
	MicroF1, MacroF1, WeightedF1 Figure
	ExactMatch                   Figure // of items, all labels right
}

// MultiLabels scores predicted against true labels: truth[i][k] says whether item i has label k. It
// fails if there are no items, or some have another number of labels.
func MultiLabels(truth, predicted [][]bool, groups Groups) (MultiLabel, error) {
	if len(truth) != len(predicted) {
		return MultiLabel{}, fmt.Errorf("metric: labels of %d items, predictions of %d", len(truth), len(predicted))
	}
	if err := groups.check(len(truth)); err != nil {
		return MultiLabel{}, err
	}
	labels := len(truth[0])
	if labels == 0 {
		return MultiLabel{}, fmt.Errorf("metric: no labels to score")
	}
	// For each label: hits, predicted, true.
	rows, right := make([][]float64, len(truth)), make([]bool, len(truth))
	for i := range truth {
		if len(truth[i]) != labels || len(predicted[i]) != labels {
			return MultiLabel{}, fmt.Errorf("metric: item %d: %d true and %d predicted labels; want %d", i, len(truth[i]), len(predicted[i]), labels)
		}
		row := make([]float64, 3*labels)
		right[i] = true
		for k, t := range truth[i] {
			p := predicted[i][k]
			right[i] = right[i] && t == p
			if t && p {
				row[3*k] = 1
			}
			if p {
				row[3*k+1] = 1
			}
			if t {
				row[3*k+2] = 1
			}
		}
		rows[i] = row
	}
	const zero = "; a label that is neither true nor predicted counts 0"
	out := MultiLabel{
		MicroF1:    Figure{part: true, Name: "micro_f1", Definition: "F1 of all decisions of all labels, as scikit-learn's f1_score of a matrix of labels"},
		MacroF1:    Figure{part: true, Name: "macro_f1", Definition: "mean of the labels' F1, as scikit-learn's f1_score of a matrix of labels" + zero},
		WeightedF1: Figure{part: true, Name: "weighted_f1", Definition: "mean of the labels' F1, each with the weight of its true items, as scikit-learn's f1_score of a matrix of labels"},
	}
	n := len(truth)
	out.MicroF1.estimate(n, groups, summed(rows, microF1))
	out.MacroF1.estimate(n, groups, summed(rows, func(sums []float64) float64 { return macroF1(sums, true) }))
	out.WeightedF1.estimate(n, groups, summed(rows, weightedF1))
	var err error
	out.ExactMatch, err = Share("exact_match", "share of items with all labels right, scikit-learn's accuracy_score of a matrix of labels", right, groups)
	return out, err
}

// microF1 is F1 of the sum over classes of hits, predicted and true items, three numbers a class.
func microF1(sums []float64) float64 {
	var hit, predicted, truth float64
	for k := 0; k < len(sums); k += 3 {
		hit, predicted, truth = hit+sums[k], predicted+sums[k+1], truth+sums[k+2]
	}
	return f1(hit, predicted, truth)
}

// macroF1 is the mean of the classes' F1. Those that are neither true nor predicted count 0 if all
// is set, and are left out if not.
func macroF1(sums []float64, all bool) float64 {
	sum, classes := 0.0, 0
	for k := 0; k < len(sums); k += 3 {
		if all || sums[k+1]+sums[k+2] > 0 {
			sum += f1(sums[k], sums[k+1], sums[k+2])
			classes++
		}
	}
	return sum / float64(classes)
}

// weightedF1 is the mean of the classes' F1, each with the weight of its true items; 0 without any.
func weightedF1(sums []float64) float64 {
	sum, truth := 0.0, 0.0
	for k := 0; k < len(sums); k += 3 {
		sum += f1(sums[k], sums[k+1], sums[k+2]) * sums[k+2]
		truth += sums[k+2]
	}
	return over(sum, truth)
}

package metric

import (
	"fmt"
	"math"
)

// Confusion counts items by true class (row) and predicted class (column).
type Confusion [][]int

// Classification is what single-label classification is judged by.
type Classification struct {
	Confusion Confusion
	Accuracy  Estimate // Wilson interval
	MacroF1   Estimate // bootstrap interval over items
	MCC       Estimate // bootstrap interval over items
}

// Classify scores predicted against true labels, both in [0, classes). It
// fails if the slices differ in length, are empty or hold another label.
func Classify(truth, predicted []int, classes int, seed uint64) (Classification, error) {
	if len(truth) != len(predicted) {
		return Classification{}, fmt.Errorf("metric: %d true labels, %d predicted", len(truth), len(predicted))
	}
	if len(truth) == 0 {
		return Classification{}, fmt.Errorf("metric: no items to score")
	}
	for i := range truth {
		if t := truth[i]; t < 0 || t >= classes {
			return Classification{}, fmt.Errorf("metric: item %d: true label %d outside [0, %d)", i, t, classes)
		}
		if p := predicted[i]; p < 0 || p >= classes {
			return Classification{}, fmt.Errorf("metric: item %d: predicted label %d outside [0, %d)", i, p, classes)
		}
	}
	n := len(truth)
	c := newConfusion(classes)
	for i := range truth {
		c[truth[i]][predicted[i]]++
	}
	correct := 0
	for k := range c {
		correct += c[k][k]
	}
	out := Classification{
		Confusion: c,
		Accuracy:  Wilson(correct, n),
		MacroF1:   Estimate{Value: c.MacroF1(), N: n},
		MCC:       Estimate{Value: c.MCC(), N: n},
	}
	re := newConfusion(classes)
	resample := func(sample []int) {
		for k := range re {
			clear(re[k])
		}
		for _, i := range sample {
			re[truth[i]][predicted[i]]++
		}
	}
	out.MacroF1.Lo, out.MacroF1.Hi = Bootstrap(n, seed, func(s []int) float64 { resample(s); return re.MacroF1() })
	out.MCC.Lo, out.MCC.Hi = Bootstrap(n, seed, func(s []int) float64 { resample(s); return re.MCC() })
	return out, nil
}

func newConfusion(classes int) Confusion {
	flat := make([]int, classes*classes)
	c := make(Confusion, classes)
	for k := range c {
		c[k] = flat[k*classes : (k+1)*classes : (k+1)*classes]
	}
	return c
}

// MacroF1 is the unweighted mean of the classes' F1 = 2·TP/(2·TP+FP+FN). A
// class that is neither true nor predicted anywhere has no F1 and is left out,
// as in scikit-learn; one that is never hit counts 0.
func (c Confusion) MacroF1() float64 {
	row, col, _ := c.margins()
	sum, classes := 0.0, 0
	for k := range c {
		if row[k]+col[k] == 0 {
			continue
		}
		sum += 2 * float64(c[k][k]) / float64(row[k]+col[k])
		classes++
	}
	return sum / float64(classes)
}

// MCC is Matthews' correlation coefficient for any number of classes
// (Gorodkin's R_K, 2004): 1 perfect, 0 no better than chance. It is 0, as in
// scikit-learn, when all items share one true or one predicted class.
func (c Confusion) MCC() float64 {
	row, col, n := c.margins()
	var hit, cross, rows, cols float64
	for k := range c {
		t, p := float64(row[k]), float64(col[k])
		hit += float64(c[k][k])
		cross += float64(t * p)
		rows += float64(t * t)
		cols += float64(p * p)
	}
	s := float64(n)
	d := float64(s*s-rows) * float64(s*s-cols)
	if d == 0 {
		return 0
	}
	return (float64(hit*s) - cross) / math.Sqrt(d)
}

func (c Confusion) margins() (row, col []int, n int) {
	row, col = make([]int, len(c)), make([]int, len(c))
	for t := range c {
		for p, m := range c[t] {
			row[t] += m
			col[p] += m
			n += m
		}
	}
	return row, col, n
}

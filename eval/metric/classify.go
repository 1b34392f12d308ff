package metric

import (
	"fmt"
	"math"
)

// Confusion counts items by true class (row) and predicted class (column).
type Confusion [][]int

// Classification is what single-label classification is judged by.
type Classification struct {
	Confusion                          Confusion
	Accuracy, MacroF1, WeightedF1, MCC Figure
}

// Classify scores predicted against true labels, both in [0, classes). It
// fails if the slices differ in length, are empty or hold another label.
func Classify(truth, predicted []int, classes int, groups Groups) (Classification, error) {
	if len(truth) != len(predicted) {
		return Classification{}, fmt.Errorf("metric: %d true labels, %d predicted", len(truth), len(predicted))
	}
	if err := groups.check(len(truth)); err != nil {
		return Classification{}, err
	}
	for i := range truth {
		if t := truth[i]; t < 0 || t >= classes {
			return Classification{}, fmt.Errorf("metric: item %d: true label %d outside [0, %d)", i, t, classes)
		}
		if p := predicted[i]; p < 0 || p >= classes {
			return Classification{}, fmt.Errorf("metric: item %d: predicted label %d outside [0, %d)", i, p, classes)
		}
	}
	right := make([]bool, len(truth))
	for i := range truth {
		right[i] = truth[i] == predicted[i]
	}
	count := func(c Confusion, weight []int) {
		for k := range c {
			clear(c[k])
		}
		for i, w := range weight {
			c[truth[i]][predicted[i]] += w
		}
	}
	out := Classification{
		Confusion:  newConfusion(classes),
		MacroF1:    Figure{part: true, Name: "macro_f1", Definition: "mean of the classes' F1, as in scikit-learn: a class that is neither true nor predicted is left out, and one that is never hit counts 0"},
		WeightedF1: Figure{part: true, Name: "weighted_f1", Definition: "mean of the classes' F1, each with the weight of its true items, as in scikit-learn"},
		MCC:        Figure{Name: "mcc", Definition: "Matthews' correlation coefficient, for more than two classes Gorodkin's; 0 where all items have one true or one predicted label, as in scikit-learn"},
	}
	count(out.Confusion, once(len(truth)))
	var err error
	if out.Accuracy, err = Share("accuracy", "share of right labels; of equally probable labels the first is predicted", right, groups); err != nil {
		return Classification{}, err
	}
	for _, m := range []struct {
		figure *Figure
		of     func(Confusion) float64
	}{{&out.MacroF1, Confusion.MacroF1}, {&out.WeightedF1, Confusion.WeightedF1}, {&out.MCC, Confusion.MCC}} {
		c := newConfusion(classes)
		m.figure.estimate(len(truth), groups, func(weight []int) float64 { count(c, weight); return m.of(c) })
	}
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

// WeightedF1 is the mean of the classes' F1, each with the weight of its true items.
func (c Confusion) WeightedF1() float64 {
	row, col, n := c.margins()
	sum := 0.0
	for k := range c {
		sum += f1(float64(c[k][k]), float64(col[k]), float64(row[k])) * float64(row[k])
	}
	return sum / float64(n)
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

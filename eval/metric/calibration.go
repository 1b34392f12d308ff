package metric

import (
	"fmt"
	"math"
)

// Bin is one bar of a reliability plot: the items whose confidence lies in
// (Lo, Hi], the first bin including 0. Confidence and Accuracy are their means,
// 0 in an empty bin.
type Bin struct {
	Lo, Hi     float64
	N          int
	Confidence float64
	Accuracy   float64
}

// Calibration says how far a classifier's stated probabilities can be believed.
type Calibration struct {
	ECE  float64 // expected calibration error: Σ N/total · |Accuracy − Confidence|
	Bins []Bin
}

// Calibrate compares the confidence of each prediction (the probability given
// to the predicted class, in [0, 1]) with whether it was correct, in bins of
// equal width (Guo et al. 2017 use 15). It fails if the slices differ in
// length, are empty, or a confidence is no probability.
func Calibrate(confidence []float64, correct []bool, bins int) (Calibration, error) {
	if len(confidence) != len(correct) {
		return Calibration{}, fmt.Errorf("metric: %d confidences, %d outcomes", len(confidence), len(correct))
	}
	if len(confidence) == 0 {
		return Calibration{}, fmt.Errorf("metric: no items to score")
	}
	if bins < 1 {
		return Calibration{}, fmt.Errorf("metric: %d bins; want 1 or more", bins)
	}
	c := Calibration{Bins: make([]Bin, bins)}
	for k := range c.Bins {
		c.Bins[k].Lo, c.Bins[k].Hi = float64(k)/float64(bins), float64(k+1)/float64(bins)
	}
	for i, p := range confidence {
		// A softmax in float32 may sum to a little more than 1.
		if math.IsNaN(p) || p < 0 || p > 1+1e-5 {
			return Calibration{}, fmt.Errorf("metric: item %d: confidence %v is not a probability", i, p)
		}
		k := min(max(int(math.Ceil(p*float64(bins)))-1, 0), bins-1)
		// p·bins rounds: settle by the bin's own edges.
		if k > 0 && p <= c.Bins[k].Lo {
			k--
		} else if k < bins-1 && p > c.Bins[k].Hi {
			k++
		}
		b := &c.Bins[k]
		b.N++
		b.Confidence += p
		if correct[i] {
			b.Accuracy++
		}
	}
	for k := range c.Bins {
		b := &c.Bins[k]
		if b.N == 0 {
			continue
		}
		b.Confidence /= float64(b.N)
		b.Accuracy /= float64(b.N)
		c.ECE += float64(b.N) / float64(len(confidence)) * math.Abs(b.Accuracy-b.Confidence)
	}
	return c, nil
}

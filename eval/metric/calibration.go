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
		k := c.bin(p)
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

// bin gives the number of the bin of a confidence.
func (c *Calibration) bin(p float64) int {
	n := len(c.Bins)
	k := min(max(int(math.Ceil(p*float64(n)))-1, 0), n-1)
	// p·bins rounds: settle by the bin's own edges.
	if k > 0 && p <= c.Bins[k].Lo {
		k--
	} else if k < n-1 && p > c.Bins[k].Hi {
		k++
	}
	return k
}

// ECE is the expected calibration error of [Calibrate] with its interval. Chance alone makes it
// larger in every sample, and twice as much in a resample: the interval is the basic bootstrap's, which
// takes that off.
func ECE(confidence []float64, correct []bool, bins int, groups Groups) (Figure, error) {
	c, err := Calibrate(confidence, correct, bins)
	if err != nil {
		return Figure{}, err
	}
	if err := groups.check(len(confidence)); err != nil {
		return Figure{}, err
	}
	in, gap := make([]int, len(confidence)), make([]float64, len(confidence))
	for i, p := range confidence {
		in[i], gap[i] = c.bin(p), -p
		if correct[i] {
			gap[i]++
		}
	}
	f := Figure{Name: "ece", Definition: fmt.Sprintf("expected calibration error in %d bins of equal width, each with its upper edge; the interval is the basic bootstrap's", bins)}
	sums := make([]float64, bins)
	f.estimate(len(confidence), groups, func(weight []int) float64 {
		clear(sums)
		total, n := 0.0, 0
		for i, w := range weight {
			sums[in[i]] += float64(w) * gap[i]
			n += w
		}
		for _, s := range sums {
			total += math.Abs(s)
		}
		return total / float64(n)
	})
	f.Lo, f.Hi = max(0, min(f.Value, 2*f.Value-f.Hi)), max(f.Value, 2*f.Value-f.Lo)
	return f, nil
}

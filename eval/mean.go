package eval

import "fmt"

// Rated has texts, or pairs of them, with their numbers.
type Rated struct {
	Texts   []string
	Seconds []string // of pairs; else nil
	Values  []float64
}

func (r *Rated) check(of string) error {
	if len(r.Texts) != len(r.Values) || r.Seconds != nil && len(r.Seconds) != len(r.Values) {
		return fmt.Errorf("%s: %d texts, %d numbers", of, len(r.Texts), len(r.Values))
	}
	if len(r.Values) == 0 {
		return fmt.Errorf("%s: no numbers", of)
	}
	return nil
}

var meanValue = Baseline{Name: "mean", Labels: true}

// FitMean gives the mean of the training numbers, which is predicted for every text.
func FitMean(train Rated) (float64, error) {
	if err := train.check("mean: train"); err != nil {
		return 0, err
	}
	sum := 0.0
	for _, v := range train.Values {
		sum += v
	}
	return sum / float64(len(train.Values)), nil
}

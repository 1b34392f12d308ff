package eval

import "fmt"

var majority = Baseline{Name: "majority", Labels: true}

// Majority predicts the most frequent training label for every text.
type Majority struct {
	label int
	probs []float64
}

// FitMajority counts labels in [0, classes). The lowest label wins a tie.
func FitMajority(labels []int, classes int) (*Majority, error) {
	if len(labels) == 0 {
		return nil, fmt.Errorf("majority: no training labels")
	}
	m := &Majority{probs: make([]float64, max(0, classes))}
	for i, l := range labels {
		if l < 0 || l >= classes {
			return nil, fmt.Errorf("majority: item %d: label %d outside [0, %d)", i, l, classes)
		}
		m.probs[l]++
	}
	for l := range m.probs {
		m.probs[l] /= float64(len(labels))
		if m.probs[l] > m.probs[m.label] {
			m.label = l
		}
	}
	return m, nil
}

// Predict returns the majority label and each label's share of the training
// items (not to be changed by the caller).
func (m *Majority) Predict(string) (label int, probs []float64) { return m.label, m.probs }

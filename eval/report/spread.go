package report

import (
	"math"
	"slices"

	"hone/eval/metric"
)

// A Spread is what the trials of one learning rate came to, over their seeds.
type Spread struct {
	LearningRate float64
	Metric       string
	Mean         metric.Number
	Deviation    metric.Number // standard deviation of a sample, that is over n−1; Missing of one seed
	N, Diverged  int           // seeds with a value, and without
	Chosen       bool
}

// Spreads gives that of each learning rate, in the order of trials.
func Spreads(trials []Trial) (list []Spread) {
	for _, t := range trials {
		if slices.ContainsFunc(list, func(s Spread) bool { return s.LearningRate == t.LearningRate }) {
			continue
		}
		s := Spread{LearningRate: t.LearningRate, Metric: t.Metric}
		var values []float64
		for _, u := range trials {
			switch {
			case u.LearningRate != t.LearningRate:
				continue
			case u.Value.Known():
				values = append(values, float64(u.Value))
			default:
				s.Diverged++
			}
			s.Chosen = s.Chosen || u.Chosen
		}
		s.N = len(values)
		s.Mean, s.Deviation = spread(values)
		list = append(list, s)
	}
	return list
}

// several reports whether trials have several seeds.
func several(trials []Trial) bool { return len(Spreads(trials)) < len(trials) }

// spread gives the mean of values and their standard deviation, over n−1.
func spread(values []float64) (mean, deviation metric.Number) {
	n := float64(len(values))
	if n == 0 {
		return metric.Missing, metric.Missing
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	square := 0.0
	for _, v := range values {
		square += (v - sum/n) * (v - sum/n)
	}
	if n == 1 {
		return metric.Number(sum), metric.Missing
	}
	return metric.Number(sum / n), metric.Number(math.Sqrt(square / (n - 1)))
}

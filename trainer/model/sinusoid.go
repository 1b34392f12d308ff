package model

import (
	"math"

	"hone/trainer/graph"
)

// sinusoids are the embeddings of distances (D,C), beginning with that of the farthest key before a query. If clamp is
// above 0, longer distances count as clamp.
func sinusoids(c, keys, t, clamp int) []float64 {
	half, turns := c/2, graph.Frequencies(c, 10000)
	table := make([]float64, 0, (keys+t-1)*c)
	for distance := keys - 1; distance > -t; distance-- {
		d := distance
		if clamp > 0 {
			d = min(max(d, -clamp), clamp)
		}
		row := make([]float64, c)
		for i, f := range turns {
			row[i], row[half+i] = math.Sin(float64(d)*f), math.Cos(float64(d)*f)
		}
		table = append(table, row...)
	}
	return table
}

// waves fills dst with elements first, first+1, … of a table (positions,C): sines in the even columns, cosines in
// the odd ones, of root mean square std.
func waves(dst []float64, first, c int, std float64) {
	turns := graph.Frequencies(2*((c+1)/2), 10000)
	for i := range dst {
		position, at := (first+i)/c, (first+i)%c
		wave := [2]func(float64) float64{math.Sin, math.Cos}[at%2]
		dst[i] = math.Sqrt2 * std * wave(float64(position)*turns[at/2])
	}
}

// pairs refuses an odd width, which pairs of sine and cosine cannot fill.
func (f *Faults) pairs(key string, width int) {
	if width%2 != 0 {
		f.add(key, "%d is odd: positions are pairs of sine and cosine", width)
	}
}

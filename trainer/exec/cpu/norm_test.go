package cpu

import "math"

func naiveNorm(x, gain, bias []float64, rows, c int, eps float64) (y, mean, rstd []float64) {
	y, mean, rstd = make([]float64, rows*c), make([]float64, rows), make([]float64, rows)
	for r := range rows {
		row := x[r*c : (r+1)*c]
		for _, v := range row {
			mean[r] += v / float64(c)
		}
		variance := 0.0
		for _, v := range row {
			variance += (v - mean[r]) * (v - mean[r]) / float64(c)
		}
		rstd[r] = 1 / math.Sqrt(variance+eps)
		for k, v := range row {
			y[r*c+k] = (v-mean[r])*rstd[r]*gain[k] + bias[k]
		}
	}
	return
}

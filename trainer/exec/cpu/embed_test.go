package cpu

func naiveEmbed(w, dy []float64, ids []int32, v, c int) (y, dw []float64) {
	y, dw = make([]float64, len(ids)*c), make([]float64, v*c)
	for r, id := range ids {
		if id < 0 {
			continue
		}
		for k := range c {
			y[r*c+k] = w[int(id)*c+k]
			dw[int(id)*c+k] += dy[r*c+k]
		}
	}
	return
}

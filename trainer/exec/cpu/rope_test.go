package cpu

import (
	"math"
	"math/rand/v2"

	"hone/trainer/exec"
)

// naiveRoPE is Hugging Face's rotate_half.
func naiveRoPE(x []float64, positions []int32, freqs []float64, w, heads int, sign float64) []float64 {
	y := make([]float64, len(x))
	copy(y, x)
	half := len(freqs)
	for r, p := range positions {
		for h := range heads {
			for i, f := range freqs {
				s, c := math.Sincos(float64(max(p, 0)) * f)
				at := r*w + h*2*half + i
				y[at] = x[at]*c - sign*x[at+half]*s
				y[at+half] = x[at+half]*c + sign*x[at]*s
			}
		}
	}
	return y
}

func ropeOperands(r *rand.Rand, rows, half int) (positions tensor, freqs, table []float64) {
	positions = ints(make([]int32, rows)...)
	for i := range positions.i {
		positions.i[i] = int32(r.IntN(3000)) - 1
	}
	for i := range half {
		freqs = append(freqs, math.Pow(10000, -float64(i)/float64(half)))
	}
	for _, p := range positions.i {
		for _, f := range freqs {
			table = append(table, math.Cos(float64(max(p, 0))*f))
		}
		for _, f := range freqs {
			table = append(table, math.Sin(float64(max(p, 0))*f))
		}
	}
	return
}

func ropes(add addCase, r *rand.Rand) {
	for _, s := range [][4]int{{1, 2, 1, 1}, {3, 70, 2, 16}, {40, 200, 3, 32}, {7, 31, 1, 13}, {130, 96, 6, 8}, {5, 50, 1, 20}} { // rows, width, heads, half a head
		rows, w, heads, half := s[0], s[1], s[2], s[3]
		positions, freqs, table := ropeOperands(r, rows, half)
		x, t := random(r, rows, w), floats(table, rows, 2*half)
		scaled := make([]float64, len(table))
		for i, v := range table {
			scaled[i] = 1.3 * v
		}
		add(1e-6, exec.Instr{Op: exec.OpRotations, Attrs: exec.Attrs{Frequencies: freqs, Scale: 1.3}}, []tensor{positions}, outputs(t.shape), scaled)
		add(1e-6, exec.Instr{Op: exec.OpRoPE, Attrs: exec.Attrs{Heads: heads}}, []tensor{x, t}, outputs(x.shape), naiveRoPE(x.f, positions.i, freqs, w, heads, 1))
		add(1e-6, exec.Instr{Op: exec.OpRoPE, Attrs: exec.Attrs{Heads: heads, Inverse: true}}, []tensor{x, t}, outputs(x.shape), naiveRoPE(x.f, positions.i, freqs, w, heads, -1))
	}
}

func ropeGradCase(r *rand.Rand) gradCase {
	_, _, table := ropeOperands(r, 5, 4)
	x, t := random(r, 5, 20), floats(table, 5, 8)
	return gradCase{
		"rope", exec.Instr{Op: exec.OpRoPE, Attrs: exec.Attrs{Heads: 2}}, []tensor{x, t}, outputs(x.shape), []int{0},
		func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
			// The inverse turn, as the turn by the angles' negatives.
			for i := range t.f {
				if i%8 >= 4 {
					t.f[i] = -t.f[i]
				}
			}
			defer func() {
				for i := range t.f {
					if i%8 >= 4 {
						t.f[i] = -t.f[i]
					}
				}
			}()
			return launch(exec.OpRoPE, []tensor{dy, t}, x.shape)
		},
	}
}

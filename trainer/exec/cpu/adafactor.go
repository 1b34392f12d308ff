package cpu

import (
	"math"

	"hone/trainer/exec"
)

// An adafactorJob goes over a gradient twice, cut over rows: once for the sums of its squares, once for the
// direction. A vector takes one pass, cut over elements.
type adafactorJob[T float] struct {
	direct     bool // the second pass
	g, u       []T
	row, col   []T
	parts      []T // sums of columns, of each chunk
	rows, cols int
	per        int // rows of a chunk
	clip       T   // the gradient's factor
	move       T   // of the means: step^-0.8
	inverse    T   // 1/mean row
	floor      T   // Eps²
}

func (j *adafactorJob[T]) chunk(i, _ int) {
	if j.col == nil {
		lo := i * elemChunk
		hi := min(len(j.g), lo+elemChunk)
		for k, g := range j.g[lo:hi] {
			g = T(g * j.clip)
			v := j.row[lo+k]
			v += T((T(g*g) - v) * j.move)
			j.row[lo+k] = v
			j.u[lo+k] = g / T(math.Sqrt(float64(max(v, j.floor))))
		}
		return
	}
	c := j.cols
	r0, r1 := i*j.per, min(j.rows, (i+1)*j.per)
	if j.direct {
		for r := r0; r < r1; r++ {
			g, u, col := j.g[r*c:][:c], j.u[r*c:][:c], j.col[:c]
			size, clip, floor := T(j.row[r]*j.inverse), j.clip, j.floor
			for k, v := range col {
				u[k] = T(g[k]*clip) / T(math.Sqrt(float64(max(T(size*v), floor))))
			}
		}
		return
	}
	acc := j.parts[i*c:][:c]
	clear(acc)
	for r := r0; r < r1; r++ {
		var wide [4]float64
		g := j.g[r*c:][:c]
		for k := range acc {
			v := T(g[k] * j.clip)
			v = T(v * v)
			acc[k] += v
			wide[k&3] += float64(v)
		}
		mean := T(((wide[0] + wide[2]) + (wide[1] + wide[3])) / float64(c))
		j.row[r] += T((mean - j.row[r]) * j.move)
	}
}

// adafactor: g(R,N), scalars(3), norm2(1), row, [col] -> row, [col], u(R,N).
func adafactor[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 8); err != nil {
		return err
	}
	j := &js.adafactor
	*j = adafactorJob[T]{g: view[T](args[0]), row: view[T](args[3]), col: view[T](args[4]), u: view[T](args[7])}
	s, ok := stepOf(in, args[1], args[2])
	n := len(j.g)
	j.rows, j.cols = n, 1
	if j.col != nil {
		j.cols = len(j.col)
		j.rows = n / j.cols
	}
	if !ok || len(j.row) != j.rows || n != j.rows*j.cols || len(j.u) != n {
		return mismatch(in, args)
	}
	if !s.finite {
		clear(j.u)
		*j = adafactorJob[T]{}
		return nil
	}
	eps := in.Attrs.Eps
	j.clip, j.move, j.floor = T(s.clip), T(math.Pow(s.update, -0.8)), T(eps*eps)
	if j.col == nil {
		d.pool.run(chunks(n, elemChunk), j)
		*j = adafactorJob[T]{}
		return nil
	}
	j.per = rowsPerSum(j.rows, j.cols)
	parts := chunks(j.rows, j.per)
	js.sums.reserve((parts + 1) * j.cols)
	sum := js.sums.parts[:j.cols]
	j.parts = js.sums.parts[j.cols:]
	d.pool.run(parts, j)
	js.sums.combine(d, sum, j.parts)
	for k, v := range sum {
		j.col[k] += T((v/T(j.rows) - j.col[k]) * j.move)
	}
	mean := 0.0
	for _, v := range j.row {
		mean += float64(v)
	}
	j.inverse = T(1 / max(mean/float64(max(1, j.rows)), eps))
	j.direct = true
	d.pool.run(parts, j)
	*j = adafactorJob[T]{}
	return nil
}

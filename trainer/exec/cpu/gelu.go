package cpu

import (
	"math"

	"hone/trainer/exec"
)

// The tanh form: y = x·(1+tanh(u))/2, u = √(2/π)·(x + 0.044715·x³).
// As (1+tanh(u))/2 = 1/(1+exp(-2u)), one exp serves.
const (
	geluA = 0.7978845608028654 // √(2/π)
	geluB = 0.044715
)

// geluTo sets dst to the GELU of x. dst may be x.
func geluTo[T float](k *kernels, dst, x []T) {
	x = x[:len(dst)]
	if isF32[T]() && k.gelu != nil && len(dst) > 0 {
		k.gelu(len(dst), f32(dst), f32(x))
		return
	}
	for i, v := range x {
		x := max(float64(v), -40) // -∞ would meet another
		dst[i] = T(x / (1 + math.Exp(-2*geluA*(x+float64(geluB*float64(x*float64(x*x)))))))
	}
}

// geluGradTo sets dst to dy times the derivative of the GELU at x. dst may be x or dy.
func geluGradTo[T float](k *kernels, dst, x, dy []T) {
	x, dy = x[:len(dst)], dy[:len(dst)]
	if isF32[T]() && k.geluGrad != nil && len(dst) > 0 {
		k.geluGrad(len(dst), f32(dst), f32(x), f32(dy))
		return
	}
	for i, v := range x {
		// Beyond ±40 s is 0 or 1; held there, no infinity meets a zero.
		x := min(max(float64(v), -40), 40)
		s := 1 / (1 + math.Exp(-2*geluA*(x+float64(geluB*float64(x*float64(x*x))))))
		// y = x·s, s' = s·(1-s)·2u'
		du := geluA * (1 + float64(3*geluB*float64(x*x)))
		dst[i] = T(float64(dy[i]) * (s + float64(2*x*float64(s*float64(float64(1-s)*du)))))
	}
}

// A geluBiasJob is the gradient of GELU with the sum of its rows, cut over rows.
type geluBiasJob[T float] struct {
	k            *kernels
	erf          bool
	x, dy, dx    []T
	parts        []T
	rows, c, per int
}

func (j *geluBiasJob[T]) chunk(i, _ int) {
	acc := j.parts[i*j.c : (i+1)*j.c]
	clear(acc)
	end := min(j.rows, (i+1)*j.per)
	for r := i * j.per; r < end; r += 4 {
		at, to := r*j.c, min(end, r+4)*j.c
		if j.erf {
			erfGELUGradTo(j.k, j.dx[at:to], j.x[at:to], j.dy[at:to])
		} else {
			geluGradTo(j.k, j.dx[at:to], j.x[at:to], j.dy[at:to])
		}
		sumRows(j.k, acc, j.dx[at:to], min(end, r+4)-r)
	}
}

// geluGrad: x, dy -> dx, [db].
func geluGrad[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if len(args) != 4 || args[3].Buffer == nil {
		return map2(d, js, in, args[:min(3, len(args))])
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	j, db := &js.geluBias, view[T](args[3])
	*j = geluBiasJob[T]{k: d.kern, erf: in.Attrs.Erf, x: view[T](args[0]), dy: view[T](args[1]), dx: view[T](args[2]), rows: r, c: c, per: rowsPerSum(r, c)}
	if len(j.x) != r*c || len(j.dy) != r*c || len(j.dx) != r*c || len(db) != c {
		return mismatch(in, args)
	}
	n := chunks(r, j.per)
	js.sums.reserve(n * c)
	j.parts = js.sums.parts
	d.pool.run(n, j)
	js.sums.combine(d, db, j.parts)
	*j = geluBiasJob[T]{}
	return nil
}

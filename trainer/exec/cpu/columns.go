package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A columnsJob goes over a range of the columns of a matrix: it multiplies them, or sums what their factors' gradient is.
type columnsJob[T float] struct {
	op       exec.Op
	x, g, y  []T // of the gradient y is dy, and g is written
	rows, n  int
	first, m int
	per      int // rows or columns of a chunk
}

func (j *columnsJob[T]) chunk(i, _ int) {
	if j.op == exec.OpColumnScale {
		for r := i * j.per; r < min(j.rows, (i+1)*j.per); r++ {
			x, y := j.x[r*j.n:][:j.n], j.y[r*j.n:][:j.n]
			copy(y[:j.first], x)
			copy(y[j.first+j.m:], x[j.first+j.m:])
			x, y = x[j.first:][:j.m], y[j.first:][:j.m]
			for k, f := range j.g {
				y[k] = x[k] * f
			}
		}
		return
	}
	lo := i * j.per
	hi := min(j.m, lo+j.per)
	var sums [columnsPerChunk]float64
	for r := range j.rows {
		at := r*j.n + j.first
		x, dy := j.x[at+lo:at+hi], j.y[at+lo:at+hi]
		for k, v := range x {
			sums[k] += float64(float64(v) * float64(dy[k]))
		}
	}
	for k := lo; k < hi; k++ {
		j.g[k] = T(sums[k-lo])
	}
}

const columnsPerChunk = 64

// columnScale: x(…,N), g(M) -> y; its gradient: x, dy -> dg(M).
func columnScale[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	j := &js.columns
	*j = columnsJob[T]{op: in.Op, x: view[T](args[0]), n: args[0].Shape[len(args[0].Shape)-1], first: in.Attrs.First}
	g, y := args[1], args[2]
	if in.Op == exec.OpColumnScaleGrad {
		g, y = y, g
	}
	j.g, j.y = view[T](g), view[T](y)
	j.m, j.rows = len(j.g), len(j.x)/max(1, j.n)
	if j.n == 0 || j.m == 0 || len(j.x) != len(j.y) || j.first < 0 || j.first+j.m > j.n {
		*j = columnsJob[T]{}
		return mismatch(in, args)
	}
	if in.Op == exec.OpColumnScale {
		j.per = rowsPerChunk(j.n)
		d.pool.run(chunks(j.rows, j.per), j)
	} else {
		j.per = columnsPerChunk
		d.pool.run(chunks(j.m, j.per), j)
	}
	*j = columnsJob[T]{}
	return nil
}

// A normsJob computes rows of a matrix with a product of low rank added, and their inverse norms.
type normsJob[T float] struct {
	d          *Device
	w, a, b, y []T
	n, k, s    int
	scale      float64
	transposed bool
}

const normRows = 32

func (j *normsJob[T]) chunk(i, worker int) {
	lo := i * normRows
	rows := min(normRows, j.n-lo)
	work := j.d.scratch[worker]
	sum, b := lend[T](work, slotA, normRows*j.k)[:rows*j.k], lend[T](work, slotB, normRows*j.s)[:rows*j.s]
	if j.transposed {
		for k := range j.k {
			for r := range rows {
				sum[r*j.k+k] = j.w[k*j.n+lo+r]
			}
		}
	} else {
		copy(sum, j.w[lo*j.k:])
	}
	for k, v := range j.b[lo*j.s:][:len(b)] {
		b[k] = T(j.scale) * v
	}
	gemm(j.d.kern, work, false, false, rows, j.k, j.s, b, j.s, j.a, j.k, sum, j.k, true)
	for r := range rows {
		total := 0.0
		for _, v := range sum[r*j.k:][:j.k] {
			total += float64(float64(v) * float64(v))
		}
		j.y[lo+r] = T(1 / math.Sqrt(total))
	}
}

// inverseNorms: w, a(S,K), b(N,S) -> y(N).
func inverseNorms[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 4); err != nil {
		return err
	}
	n, k, s, a1, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	b0, b1, err := rowsCols(in, args, 2)
	if err != nil {
		return err
	}
	if in.Attrs.Transposed {
		n, k = k, n
	}
	j := &js.norms
	*j = normsJob[T]{d: d, w: view[T](args[0]), a: view[T](args[1]), b: view[T](args[2]), y: view[T](args[3]), n: n, k: k, s: s, scale: in.Attrs.Scale, transposed: in.Attrs.Transposed}
	if a1 != k || b0 != n || b1 != s || len(j.y) != n {
		*j = normsJob[T]{}
		return mismatch(in, args)
	}
	for _, w := range d.scratch { // or a worker that came too late the first time would allocate the second time
		lend[T](w, slotA, normRows*k)
		lend[T](w, slotB, normRows*s)
		reserve[T](d.kern, w, false, min(normRows, n), k, s)
	}
	d.pool.run(chunks(n, normRows), j)
	*j = normsJob[T]{}
	return nil
}

package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A normJob is a layer norm or the gradient of its input, cut over rows.
type normJob[T float] struct {
	op               exec.Op
	x, gain, bias, y []T // of the gradient: y is dx
	dy, mean, rstd   []T
	rows, c          int
	eps              float64
}

func (j *normJob[T]) chunk(i, _ int) {
	n := rowsPerChunk(j.c)
	for r := i * n; r < min(j.rows, (i+1)*n); r++ {
		if j.op == exec.OpLayerNorm {
			j.forward(r)
		} else {
			j.backward(r)
		}
	}
}

func (j *normJob[T]) forward(r int) {
	c := j.c
	x, y := j.x[r*c:(r+1)*c], j.y[r*c:(r+1)*c]
	mean := sumOf(x) / T(c)
	var l lanes[T]
	l.deviation(x, mean)
	rstd := T(1 / math.Sqrt(float64(l.tree())/float64(c)+j.eps))
	gain, y := j.gain[:len(x)], y[:len(x)]
	if j.bias == nil {
		for k, v := range x {
			y[k] = T((v-mean)*rstd) * gain[k]
		}
	} else {
		bias := j.bias[:len(x)]
		k := 0
		for ; k+4 <= len(x); k += 4 {
			y4, x4, g4, b4 := (*[4]T)(y[k:]), (*[4]T)(x[k:]), (*[4]T)(gain[k:]), (*[4]T)(bias[k:])
			y4[0] = T(T((x4[0]-mean)*rstd)*g4[0]) + b4[0]
			y4[1] = T(T((x4[1]-mean)*rstd)*g4[1]) + b4[1]
			y4[2] = T(T((x4[2]-mean)*rstd)*g4[2]) + b4[2]
			y4[3] = T(T((x4[3]-mean)*rstd)*g4[3]) + b4[3]
		}
		for ; k < len(x); k++ {
			y[k] = T(T((x[k]-mean)*rstd)*gain[k]) + bias[k]
		}
	}
	if j.mean != nil {
		j.mean[r] = mean
	}
	if j.rstd != nil {
		j.rstd[r] = rstd
	}
}

// backward: with h = dy·gain and x̂ = (x-mean)·rstd, dx = rstd·(h - avg(h) - x̂·avg(h·x̂)).
func (j *normJob[T]) backward(r int) {
	c := j.c
	x, dx, dy := j.x[r*c:(r+1)*c], j.y[r*c:(r+1)*c], j.dy[r*c:(r+1)*c]
	gain := j.gain[:len(x)]
	mean, rstd := j.mean[r], j.rstd[r]
	var lh, lhx lanes[T]
	// Blocks of sixteen lanes keep x̂ out of memory.
	var h, xh [128]T
	for k0 := 0; k0 < c; k0 += len(h) {
		n := min(len(h), c-k0)
		hb, xb := h[:n], xh[:n]
		xs, ds, gs := x[k0:][:n], dy[k0:][:n], gain[k0:][:n]
		for k := range hb {
			hb[k] = T(ds[k] * gs[k])
			xb[k] = T((xs[k] - mean) * rstd)
		}
		lh.sum(hb)
		lhx.dot(hb, xb)
	}
	avgH, avgHX := lh.tree()/T(c), lhx.tree()/T(c)
	dx, dy, gain = dx[:len(x)], dy[:len(x)], gain[:len(x)]
	for k, v := range x {
		xhat := T((v - mean) * rstd)
		dx[k] = rstd * (T(dy[k]*gain[k]) - avgH - T(xhat*avgHX))
	}
}

// layerNorm: x(R,C), gain(C), [bias(C)] -> y(R,C), mean(R), rstd(R).
func layerNorm[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	j := &js.norm
	*j = normJob[T]{
		op: in.Op, rows: r, c: c, eps: in.Attrs.Eps,
		x: view[T](args[0]), gain: view[T](args[1]), bias: view[T](args[2]),
		y: view[T](args[3]), mean: view[T](args[4]), rstd: view[T](args[5]),
	}
	if len(j.x) != r*c || len(j.y) != r*c || len(j.gain) != c || j.bias != nil && len(j.bias) != c ||
		j.mean != nil && len(j.mean) != r || j.rstd != nil && len(j.rstd) != r {
		return mismatch(in, args)
	}
	d.pool.run(chunks(r, rowsPerChunk(c)), j)
	*j = normJob[T]{}
	return nil
}

// layerNormGradX: dy, x, gain, mean, rstd -> dx(R,C).
func layerNormGradX[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 1)
	if err != nil {
		return err
	}
	j := &js.norm
	*j = normJob[T]{
		op: in.Op, rows: r, c: c,
		dy: view[T](args[0]), x: view[T](args[1]), gain: view[T](args[2]),
		mean: view[T](args[3]), rstd: view[T](args[4]), y: view[T](args[5]),
	}
	if len(j.dy) != r*c || len(j.x) != r*c || len(j.y) != r*c || len(j.gain) != c || len(j.mean) != r || len(j.rstd) != r {
		return mismatch(in, args)
	}
	d.pool.run(chunks(r, rowsPerChunk(c)), j)
	*j = normJob[T]{}
	return nil
}

// A normGradWJob sums over rows, cut over columns.
type normGradWJob[T float] struct {
	dy, x, mean, rstd []T
	dgain, dbias      []T
	rows, c           int
}

func (j *normGradWJob[T]) chunk(i, _ int) {
	lo := i * colBlock
	n := min(colBlock, j.c-lo)
	var dgain, dbias, gainPart, biasPart [colBlock]T
	for r0 := 0; r0 < j.rows; r0 += rowBlock {
		clear(gainPart[:])
		clear(biasPart[:])
		for r := r0; r < min(j.rows, r0+rowBlock); r++ {
			mean, rstd := j.mean[r], j.rstd[r]
			x := j.x[r*j.c+lo:][:n]
			dy := j.dy[r*j.c+lo:][:n]
			for k, v := range x {
				g := dy[k]
				gainPart[k&(colBlock-1)] += T(g * T((v-mean)*rstd))
				biasPart[k&(colBlock-1)] += g
			}
		}
		for k := range dgain {
			dgain[k] += gainPart[k]
			dbias[k] += biasPart[k]
		}
	}
	copy(j.dgain[lo:lo+n], dgain[:])
	if j.dbias != nil {
		copy(j.dbias[lo:lo+n], dbias[:])
	}
}

// layerNormGradW: dy, x, mean, rstd -> dgain(C), dbias(C).
func layerNormGradW[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 1)
	if err != nil {
		return err
	}
	j := &js.normGradW
	*j = normGradWJob[T]{
		rows: r, c: c,
		dy: view[T](args[0]), x: view[T](args[1]), mean: view[T](args[2]), rstd: view[T](args[3]),
		dgain: view[T](args[4]), dbias: view[T](args[5]),
	}
	if len(j.dy) != r*c || len(j.x) != r*c || len(j.mean) != r || len(j.rstd) != r || len(j.dgain) != c || j.dbias != nil && len(j.dbias) != c {
		return mismatch(in, args)
	}
	d.pool.run(chunks(c, colBlock), j)
	*j = normGradWJob[T]{}
	return nil
}

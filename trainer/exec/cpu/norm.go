package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A normJob is a layer norm or an RMS norm, which is one of mean 0, cut over rows.
type normJob[T float] struct {
	d             *Device
	rms           bool
	a, b          []T // with b, the norm is that of sum = a + b
	x, gain, bias []T // x is a or sum
	y, mean, rstd []T
	rows, c       int
	eps           float64
}

func (j *normJob[T]) chunk(i, worker int) {
	k, w := j.d.kern, j.d.scratch[worker]
	n := rowsPerChunk(j.c)
	for r := i * n; r < min(j.rows, (i+1)*n); r++ {
		at, end := r*j.c, (r+1)*j.c
		x := j.x[at:end]
		if j.b != nil {
			addTo(k, x, j.a[at:end], j.b[at:end])
		}
		var mean T
		if !j.rms {
			mean = rowSum(k, w, x) / T(j.c)
		}
		rstd := T(1 / math.Sqrt(float64(rowDeviation(k, w, x, mean))/float64(j.c)+j.eps))
		normTo(k, j.y[at:end], x, j.gain, j.bias, mean, rstd)
		if j.mean != nil {
			j.mean[r] = mean
		}
		if j.rstd != nil {
			j.rstd[r] = rstd
		}
	}
}

// normTo sets dst = (x-mean)·rstd·gain + bias. dst may be x.
func normTo[T float](k *kernels, dst, x, gain, bias []T, mean, rstd T) {
	n := len(dst)
	x, gain = x[:n], gain[:n]
	if bias != nil {
		bias = bias[:n]
	}
	if isF32[T]() && k.norm != nil && n > 0 {
		if bias == nil {
			k.norm(n, f32(dst), f32(x), f32(gain), float32(mean), float32(rstd))
		} else {
			k.normBias(n, f32(dst), f32(x), f32(gain), f32(bias), float32(mean), float32(rstd))
		}
		return
	}
	if bias == nil {
		for i, v := range x {
			dst[i] = T(T((v-mean)*rstd) * gain[i])
		}
		return
	}
	for i, v := range x {
		dst[i] = T(T((v-mean)*rstd)*gain[i]) + bias[i]
	}
}

// norm: a, [b], gain, [bias] -> [sum], y, [mean], [rstd], of which an op has some.
func norm[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	j := &js.norm
	*j = normJob[T]{}
	if len(args) == 0 {
		return operands(in, args, 4)
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	switch in.Op {
	case exec.OpRMSNorm:
		r, c = headNorm(r, c, args[1])
	case exec.OpAddRMSNorm:
		r, c = headNorm(r, c, args[2])
	}
	a := view[T](args[0])
	*j = normJob[T]{d: d, rows: r, c: c, eps: in.Attrs.Eps, a: a, x: a}
	switch in.Op {
	case exec.OpLayerNorm:
		if err := operands(in, args, 6); err != nil {
			return err
		}
		j.gain, j.bias, j.y, j.mean, j.rstd = view[T](args[1]), view[T](args[2]), view[T](args[3]), view[T](args[4]), view[T](args[5])
	case exec.OpAddLayerNorm:
		if err := operands(in, args, 8); err != nil {
			return err
		}
		j.b, j.gain, j.bias, j.x = view[T](args[1]), view[T](args[2]), view[T](args[3]), view[T](args[4])
		j.y, j.mean, j.rstd = view[T](args[5]), view[T](args[6]), view[T](args[7])
	case exec.OpRMSNorm:
		if err := operands(in, args, 4); err != nil {
			return err
		}
		j.rms, j.gain, j.y, j.rstd = true, view[T](args[1]), view[T](args[2]), view[T](args[3])
	default: // OpAddRMSNorm
		if err := operands(in, args, 6); err != nil {
			return err
		}
		j.rms, j.b, j.gain, j.x, j.y, j.rstd = true, view[T](args[1]), view[T](args[2]), view[T](args[3]), view[T](args[4]), view[T](args[5])
	}
	sum := in.Op == exec.OpAddLayerNorm || in.Op == exec.OpAddRMSNorm
	if n := r * c; len(j.a) != n || len(j.x) != n || len(j.y) != n || sum && len(j.b) != n ||
		len(j.gain) != c || !absentOr(j.bias, c) || !absentOr(j.mean, r) || !absentOr(j.rstd, r) {
		return mismatch(in, args)
	}
	d.pool.run(chunks(r, rowsPerChunk(c)), j)
	*j = normJob[T]{}
	return nil
}

// headNorm gives the rows and columns of an RMS norm: those of x, or, where gain is shorter than
// a row, of x with each gain's worth of columns a row.
func headNorm(r, c int, gain exec.Arg) (int, int) {
	if len(gain.Shape) == 1 && gain.Shape[0] > 0 && c%gain.Shape[0] == 0 {
		return r * (c / gain.Shape[0]), gain.Shape[0]
	}
	return r, c
}

// absentOr says whether an optional operand is absent or has n elements.
func absentOr[T float](x []T, n int) bool { return x == nil || len(x) == n }

// A normGradJob is the gradient of a norm, cut over rows. Without a mean, as in RMS norms, mean and average of h count as
// 0. Sums over rows are left in parts.
type normGradJob[T float] struct {
	d                  *Device
	dy, x, gain        []T
	mean, rstd, dres   []T
	dx                 []T
	dgain, dbias, dsum []T // a part for each chunk; nil: not wanted
	rows, c, per       int
}

// With h = dy·gain and x̂ = (x-mean)·rstd: dx = rstd·(h - avg(h) - x̂·avg(h·x̂)) + dres,
// dgain = Σ dy·x̂, dbias = Σ dy. dx may be dy. Four rows at a time, as sumRows has it.
func (j *normGradJob[T]) chunk(i, worker int) {
	k, w := j.d.kern, j.d.scratch[worker]
	c := j.c
	part := func(p []T) []T {
		if p == nil {
			return nil
		}
		p = p[i*c : (i+1)*c]
		clear(p)
		return p
	}
	dgain, dbias, dsum := part(j.dgain), part(j.dbias), part(j.dsum)
	end := min(j.rows, (i+1)*j.per)
	for r0 := i * j.per; r0 < end; r0 += 4 {
		r1 := min(end, r0+4)
		if dgain != nil {
			for r := r0; r < r1; r++ {
				gainGrad(k, dgain, j.dy[r*c:(r+1)*c], j.x[r*c:], j.meanOf(r), j.rstd[r])
			}
		}
		if dbias != nil {
			sumRows(k, dbias, j.dy[r0*c:r1*c], r1-r0)
		}
		if j.dx == nil {
			continue
		}
		for r := r0; r < r1; r++ {
			dy, x := j.dy[r*c:(r+1)*c], j.x[r*c:(r+1)*c]
			mean, rstd := j.meanOf(r), j.rstd[r]
			h, hx := normDots(k, w, dy, j.gain, x, mean, rstd)
			if j.mean == nil {
				h = 0
			}
			var dres []T
			if j.dres != nil {
				dres = j.dres[r*c : (r+1)*c]
			}
			normGradTo(k, j.dx[r*c:(r+1)*c], dy, x, j.gain, dres, mean, rstd, h/T(c), hx/T(c))
		}
		if dsum != nil {
			sumRows(k, dsum, j.dx[r0*c:r1*c], r1-r0)
		}
	}
}

func (j *normGradJob[T]) meanOf(r int) T {
	if j.mean == nil {
		return 0
	}
	return j.mean[r]
}

// gainGrad adds dy·x̂ of one row to acc.
func gainGrad[T float](k *kernels, acc, dy, x []T, mean, rstd T) {
	n := len(acc)
	dy, x = dy[:n], x[:n]
	if isF32[T]() && k.gainGrad != nil && n > 0 {
		k.gainGrad(n, f32(acc), f32(dy), f32(x), float32(mean), float32(rstd))
		return
	}
	for i, v := range x {
		acc[i] += T(dy[i] * T((v-mean)*rstd))
	}
}

// normDots gives Σh and Σh·x̂ of one row.
func normDots[T float](k *kernels, w *scratch, dy, gain, x []T, mean, rstd T) (h, hx T) {
	n := len(dy)
	gain, x = gain[:n], x[:n]
	if isF32[T]() && k.normDots != nil && n > 0 {
		k.normDots(n, &w.cell[0], f32(dy), f32(gain), f32(x), float32(mean), float32(rstd))
		return T(w.cell[0]), T(w.cell[1])
	}
	var lh, lhx lanes[T]
	// Blocks of sixteen lanes keep x̂ out of memory.
	var hb, xb [128]T
	for k0 := 0; k0 < n; k0 += len(hb) {
		hs := hb[:min(len(hb), n-k0)]
		xs, ds, gs, xh := x[k0:][:len(hs)], dy[k0:][:len(hs)], gain[k0:][:len(hs)], xb[:len(hs)]
		for i := range hs {
			hs[i] = T(ds[i] * gs[i])
			xh[i] = T((xs[i] - mean) * rstd)
		}
		lh.sum(hs)
		lhx.dot(hs, xh)
	}
	return lh.tree(), lhx.tree()
}

// normGradTo sets dst = rstd·(dy·gain - avgH - x̂·avgHX), plus dres if it is there.
func normGradTo[T float](k *kernels, dst, dy, x, gain, dres []T, mean, rstd, avgH, avgHX T) {
	n := len(dst)
	dy, x, gain = dy[:n], x[:n], gain[:n]
	if isF32[T]() && k.normGrad != nil && n > 0 {
		if dres == nil {
			k.normGrad(n, f32(dst), f32(dy), f32(x), f32(gain), float32(mean), float32(rstd), float32(avgH), float32(avgHX))
		} else {
			k.normGradAdd(n, f32(dst), f32(dy), f32(x), f32(gain), f32(dres[:n]), float32(mean), float32(rstd), float32(avgH), float32(avgHX))
		}
		return
	}
	for i, v := range x {
		xhat := T((v - mean) * rstd)
		g := T(rstd * (T(dy[i]*gain[i]) - avgH - T(xhat*avgHX)))
		if dres != nil {
			g += dres[i]
		}
		dst[i] = g
	}
}

// normGrad: dy, x, gain, [mean], rstd, [dres] -> [dx], [dgain], [dbias], [dsum]; RMS norms have no mean and no bias.
func normGrad[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	layer := in.Op == exec.OpLayerNormGrad
	if err := operands(in, args, map[bool]int{true: 10, false: 8}[layer]); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 1)
	if err != nil {
		return err
	}
	if !layer {
		r, c = headNorm(r, c, args[2])
	}
	at := 0
	next := func() []T { at++; return view[T](args[at-1]) }
	j := &js.normGrad
	*j = normGradJob[T]{d: d, rows: r, c: c, per: rowsPerSum(r, c)}
	j.dy, j.x, j.gain = next(), next(), next()
	if layer {
		j.mean = next()
	}
	j.rstd, j.dres, j.dx = next(), next(), next()
	var sums [3][]T // dgain, dbias, dsum
	sums[0] = next()
	if layer {
		sums[1] = next()
	}
	sums[2] = next()
	n := r * c
	if len(j.dy) != n || len(j.x) != n || !absentOr(j.dres, n) || !absentOr(j.dx, n) || sums[2] != nil && j.dx == nil ||
		len(j.gain) != c || len(j.rstd) != r || layer && len(j.mean) != r ||
		!absentOr(sums[0], c) || !absentOr(sums[1], c) || !absentOr(sums[2], c) {
		return mismatch(in, args)
	}
	parts := chunks(r, j.per)
	s := &js.sums
	s.reserve(3 * parts * c)
	for i, p := range []*[]T{&j.dgain, &j.dbias, &j.dsum} {
		if sums[i] != nil {
			*p = s.parts[i*parts*c : (i+1)*parts*c]
		}
	}
	d.pool.run(parts, j)
	for i, p := range [][]T{j.dgain, j.dbias, j.dsum} {
		if p != nil {
			s.combine(d, sums[i], p)
		}
	}
	*j = normGradJob[T]{}
	return nil
}

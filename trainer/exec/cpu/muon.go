package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A muonJob is one of Muon's passes. Momentum and update go over the rows of a weight
// and of its maps, the other two over elements and rows of one matrix.
type muonJob[T float] struct {
	k          *kernels
	op         exec.Op
	rows, cols int // of the weight
	perChunk   int // rows of a chunk

	x, y, dst []T
	maps      [][]T // side by side in the weight, each contiguous; kept between launches
	clip, m1  T     // the gradient's factor, 1-β
	decay     T     // 1 - lr·weight decay
	size      T     // lr·Scale
	inverse   float64
	coef      [3]T
}

func (j *muonJob[T]) chunk(i, _ int) {
	if j.op == exec.OpNormalize {
		lo := i * elemChunk
		hi := min(len(j.dst), lo+elemChunk)
		for k, v := range j.x[lo:hi] {
			j.dst[lo+k] = T(float64(v) * j.inverse) // wide: 1/√sum may be no float32
		}
		return
	}
	lo := i * j.perChunk
	for r := lo; r < min(j.rows, lo+j.perChunk); r++ {
		x, y, dst := j.x[r*j.cols:][:j.cols], j.y, j.dst[r*j.cols:][:j.cols]
		if y != nil {
			y = y[r*j.cols:][:j.cols]
		}
		if j.op == exec.OpMatrixPolynomial {
			combine(j.k, dst, x, y, j.coef[1], j.coef[2])
			dst[r] += j.coef[0]
			continue
		}
		n := j.cols / len(j.maps)
		for k, m := range j.maps {
			x, dst, m := x[k*n:][:n], dst[k*n:][:n], m[r*n:][:n]
			if j.op == exec.OpMuonMomentum {
				nesterov(j.k, dst, m, x, y[k*n:][:n], j.clip, j.m1)
				continue
			}
			combine(j.k, dst, x, m, j.decay, -j.size)
		}
	}
}

// nesterov moves the mean m towards the gradient and looks one step ahead, by torch's lerp.
func nesterov[T float](k *kernels, next, u, g, m []T, clip, m1 T) {
	n := len(g)
	next, u, m = next[:n], u[:n], m[:n]
	if isF32[T]() && k.nesterov != nil && n > 0 {
		k.nesterov(n, f32(next), f32(u), f32(g), f32(m), float32(clip), float32(m1))
		return
	}
	for k, gk := range g {
		gk = T(gk * clip)
		mk := m[k] + T((gk-m[k])*m1)
		next[k] = mk
		u[k] = mk - T((mk-gk)*m1)
	}
}

// combine sets dst = c·a + d·b. dst may be a or b.
func combine[T float](k *kernels, dst, a, b []T, c, d T) {
	n := len(dst)
	a, b = a[:n], b[:n]
	if isF32[T]() && k.combine != nil && n > 0 {
		k.combine(n, f32(dst), f32(a), f32(b), float32(c), float32(d))
		return
	}
	for i, v := range a {
		dst[i] = T(c*v) + T(d*b[i])
	}
}

func (j *muonJob[T]) start(d *Device) {
	j.k = d.kern
	j.perChunk = rowsPerChunk(j.cols)
	if j.op == exec.OpNormalize {
		d.pool.run(chunks(len(j.dst), elemChunk), j)
	} else {
		d.pool.run(chunks(j.rows, j.perChunk), j)
	}
	j.done()
}

func (j *muonJob[T]) done() {
	clear(j.maps)
	*j = muonJob[T]{maps: j.maps[:0]}
}

// split says whether the maps fill the weight, and keeps them.
func (j *muonJob[T]) split(maps []exec.Arg) bool {
	if len(maps) == 0 || j.cols%len(maps) != 0 {
		return false
	}
	for _, a := range maps {
		j.maps = append(j.maps, view[T](a))
		if len(a.Shape) != 2 || a.Shape[0] != j.rows || a.Shape[1] != j.cols/len(maps) || len(view[T](a)) != j.rows*a.Shape[1] {
			return false
		}
	}
	return true
}

// muonMomentum: g, m (R,K·N), scalars(3), norm2(1) -> m, u_1 … u_K (R,N).
func muonMomentum[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	j := &js.muon
	j.done()
	if len(args) < 6 {
		return operands(in, args, 6)
	}
	var err error
	if j.rows, j.cols, err = rowsCols(in, args, 0); err != nil {
		return err
	}
	j.op, j.x, j.y, j.dst = in.Op, view[T](args[0]), view[T](args[1]), view[T](args[4])
	s, ok := stepOf(in, args[2], args[3])
	n := j.rows * j.cols
	if !ok || len(j.x) != n || len(j.y) != n || len(j.dst) != n || !j.split(args[5:]) {
		return mismatch(in, args)
	}
	if !s.finite {
		for _, u := range j.maps {
			clear(u)
		}
		j.done()
		return nil
	}
	j.clip, j.m1 = T(s.clip), T(1-in.Attrs.Beta1)
	j.start(d)
	return nil
}

// muonUpdate: p(R,K·N), scalars(3), norm2(1), o_1 … o_K (R,N) -> p.
func muonUpdate[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	j := &js.muon
	j.done()
	if len(args) < 5 {
		return operands(in, args, 5)
	}
	var err error
	if j.rows, j.cols, err = rowsCols(in, args, 0); err != nil {
		return err
	}
	last := len(args) - 1
	j.op, j.x, j.dst = in.Op, view[T](args[0]), view[T](args[last])
	s, ok := stepOf(in, args[1], args[2])
	n := j.rows * j.cols
	if !ok || len(j.x) != n || len(j.dst) != n || !j.split(args[3:last]) {
		return mismatch(in, args)
	}
	if !s.finite {
		j.done()
		return nil
	}
	j.decay, j.size = T(1-float64(s.lr*in.Attrs.WeightDecay)), T(s.lr*in.Attrs.Scale)
	j.start(d)
	return nil
}

// normalize: x(n), sum(1) -> y(n).
func normalize[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	j := &js.muon
	j.done()
	if err := operands(in, args, 3); err != nil {
		return err
	}
	sum := view[float64](args[1])
	j.op, j.x, j.dst = in.Op, view[T](args[0]), view[T](args[2])
	if len(j.x) != len(j.dst) || len(sum) != 1 || args[1].DType != exec.F64 {
		return mismatch(in, args)
	}
	j.inverse = 1 / max(math.Sqrt(sum[0]), in.Attrs.Eps)
	j.start(d)
	return nil
}

// matrixPolynomial: a, b (N,N) -> y(N,N).
func matrixPolynomial[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	j := &js.muon
	j.done()
	if err := operands(in, args, 3); err != nil {
		return err
	}
	var err error
	if j.rows, j.cols, err = rowsCols(in, args, 0); err != nil {
		return err
	}
	j.op, j.x, j.y, j.dst = in.Op, view[T](args[0]), view[T](args[1]), view[T](args[2])
	n := j.rows * j.cols
	if j.rows != j.cols || len(j.x) != n || len(j.y) != n || len(j.dst) != n {
		return mismatch(in, args)
	}
	for k, c := range in.Attrs.Coefficients {
		j.coef[k] = T(c)
	}
	j.start(d)
	return nil
}

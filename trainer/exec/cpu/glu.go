package cpu

import (
	"math"

	"hone/trainer/exec"
)

// A gluJob is a gated linear unit or its gradient, cut over rows of n elements. Where the
// operands are matrices of their own, a row is a run of elements whatever their shape.
type gluJob[T float] struct {
	k        *kernels
	act      exec.Activation
	gate, up []T
	dy       []T // of the gradient
	dst, dup []T // dst is y or dgate
	total, n int // rows of y's elements
	per      int // rows of a chunk
	stride   int // of gate and up: elements from row to row
}

func (j *gluJob[T]) chunk(i, _ int) {
	for lo := i * j.per * j.n; lo < min(j.total, (i+1)*j.per*j.n); lo += j.n {
		n := min(j.n, j.total-lo)
		at := lo / j.n * j.stride
		gate, up := j.gate[at:at+n], j.up[at:at+n]
		if j.dy == nil {
			gluTo(j.k, j.act, j.dst[lo:lo+n], gate, up)
		} else {
			gluGradTo(j.k, j.act, j.dst[at:at+n], j.dup[at:at+n], gate, up, j.dy[lo:lo+n])
		}
	}
}

// gluTo sets dst = f(gate)·up. dst may be either.
func gluTo[T float](k *kernels, act exec.Activation, dst, gate, up []T) {
	n := len(dst)
	gate, up = gate[:n], up[:n]
	if isF32[T]() && k.swiglu != nil && n > 0 && act <= exec.GELUTanh {
		if act == exec.SiLU {
			k.swiglu(n, f32(dst), f32(gate), f32(up))
		} else {
			k.geglu(n, f32(dst), f32(gate), f32(up))
		}
		return
	}
	for i, v := range gate {
		f, _ := functionOf(act, float64(v))
		dst[i] = T(f * float64(up[i]))
	}
}

// gluGradTo sets dgate = dy·up·f'(gate) and dup = dy·f(gate). They may be gate and up.
func gluGradTo[T float](k *kernels, act exec.Activation, dgate, dup, gate, up, dy []T) {
	n := len(dgate)
	dup, gate, up, dy = dup[:n], gate[:n], up[:n], dy[:n]
	if isF32[T]() && k.swiglu != nil && n > 0 && act <= exec.GELUTanh {
		if act == exec.SiLU {
			k.swigluGrad(n, f32(dgate), f32(dup), f32(gate), f32(up), f32(dy))
		} else {
			k.gegluGrad(n, f32(dgate), f32(dup), f32(gate), f32(up), f32(dy))
		}
		return
	}
	for i, v := range gate {
		f, df := functionOf(act, float64(v))
		d, u := float64(dy[i]), float64(up[i])
		dup[i] = T(d * f)
		dgate[i] = T(d * float64(u*df))
	}
}

// gateOf gives x, s with f(x) = x·s, and f'(x). x is held from below where s is 0, and for
// the derivative where it is 1 too, so that no infinity meets a zero.
func gateOf(act exec.Activation, x float64) (held, s, df float64) {
	x = max(x, -700)
	held = min(x, 700)
	z, dz := held, 1.
	if act == exec.GELUTanh {
		x = max(x, -40)
		held = min(x, 40)
		z = 2 * geluA * (held + float64(geluB*float64(held*float64(held*held))))
		dz = 2 * geluA * (1 + float64(3*geluB*float64(held*held)))
	}
	s = 1 / (1 + math.Exp(-z))
	return x, s, s + float64(held*float64(s*float64(float64(1-s)*dz)))
}

// glu: gate, [up] -> y; gluGrad: gate, [up], dy -> dgate, [dup].
func glu[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	grad := in.Op == exec.OpGLUGrad
	if err := operands(in, args, map[bool]int{false: 3, true: 5}[grad]); err != nil {
		return err
	}
	r, n, err := rowsCols(in, args, 2) // y or dy
	if err != nil {
		return err
	}
	j := &js.glu
	*j = gluJob[T]{k: d.kern, act: in.Attrs.Activation, gate: view[T](args[0]), up: view[T](args[1]), total: r * n}
	y := view[T](args[2])
	if grad {
		j.dy, j.dst, j.dup = y, view[T](args[3]), view[T](args[4])
	} else {
		j.dst = y
	}
	fits := len(y) == r*n
	if j.up == nil {
		fits = fits && n > 0 && len(j.gate) == 2*r*n && args[1].Shape == nil
		if fits {
			j.up, j.n, j.stride, j.per = j.gate[n:], n, 2*n, rowsPerChunk(n)
		}
		if grad {
			fits = fits && len(j.dst) == 2*r*n && j.dup == nil
			if fits {
				j.dup = j.dst[n:]
			}
		}
	} else {
		j.n, j.stride, j.per = elemChunk, elemChunk, 1
		fits = fits && len(j.gate) == r*n && len(j.up) == r*n && len(j.dst) == r*n && (!grad || len(j.dup) == r*n)
	}
	if !fits || !j.act.Known() {
		return mismatch(in, args)
	}
	d.pool.run(chunks(chunks(j.total, j.n), j.per), j)
	*j = gluJob[T]{}
	return nil
}

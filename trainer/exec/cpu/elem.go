package cpu

import (
	"hone/trainer/exec"
)

// elemChunk is the elements of one chunk of an elementwise op: 64 KiB of float32.
const elemChunk = 16384

// An elemJob is an elementwise op over equal slices.
type elemJob[T float] struct {
	k         *kernels
	op        exec.Op
	erf       bool // of GELU
	act       exec.Activation
	scale     T
	dst, a, b []T
}

func (j *elemJob[T]) chunk(i, _ int) {
	lo := i * elemChunk
	hi := min(lo+elemChunk, len(j.dst))
	dst, a := j.dst[lo:hi], j.a[lo:hi]
	switch j.op {
	case exec.OpGELU:
		if j.erf {
			erfGELUTo(j.k, dst, a)
		} else {
			geluTo(j.k, dst, a)
		}
	case exec.OpGELUGrad:
		if j.erf {
			erfGELUGradTo(j.k, dst, a, j.b[lo:hi])
		} else {
			geluGradTo(j.k, dst, a, j.b[lo:hi])
		}
	case exec.OpActivation:
		for i, v := range a {
			y, _ := functionOf(j.act, float64(v))
			dst[i] = T(y)
		}
	case exec.OpActivationGrad:
		for i, v := range a {
			_, df := functionOf(j.act, float64(v))
			dst[i] = T(float64(j.b[lo+i]) * df)
		}
	case exec.OpAdd:
		addTo(j.k, dst, a, j.b[lo:hi])
	case exec.OpTanh:
		tanhTo(j.k, dst, a)
	case exec.OpSigmoid:
		sigmoidTo(j.k, dst, a)
	case exec.OpScale:
		for i, v := range a {
			dst[i] = j.scale * v
		}
	case exec.OpReLU:
		reluTo(j.k, dst, a)
	case exec.OpTanhGrad:
		tanhGradTo(j.k, dst, a, j.b[lo:hi])
	case exec.OpSigmoidGrad:
		sigmoidGradTo(j.k, dst, a, j.b[lo:hi])
	case exec.OpReLUGrad:
		reluGradTo(j.k, dst, a, j.b[lo:hi])
	}
}

func (j *elemJob[T]) start(d *Device) {
	j.k = d.kern
	d.pool.run((len(j.dst)+elemChunk-1)/elemChunk, j)
	j.dst, j.a, j.b = nil, nil, nil
}

// map1: x -> y, elementwise.
func map1[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 2); err != nil {
		return err
	}
	js.elem = elemJob[T]{op: in.Op, erf: in.Attrs.Erf, act: in.Attrs.Activation, scale: T(in.Attrs.Scale), a: view[T](args[0]), dst: view[T](args[1])}
	if len(js.elem.a) != len(js.elem.dst) || !js.elem.act.Known() {
		return mismatch(in, args)
	}
	js.elem.start(d)
	return nil
}

// map2: a, b -> y, elementwise.
func map2[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	js.elem = elemJob[T]{op: in.Op, erf: in.Attrs.Erf, act: in.Attrs.Activation, a: view[T](args[0]), b: view[T](args[1]), dst: view[T](args[2])}
	if len(js.elem.a) != len(js.elem.dst) || len(js.elem.b) != len(js.elem.dst) || !js.elem.act.Known() {
		return mismatch(in, args)
	}
	js.elem.start(d)
	return nil
}

// addTo sets dst[i] = a[i] + b[i]. dst may be a or b.
func addTo[T float](k *kernels, dst, a, b []T) {
	n := len(dst)
	a, b = a[:n], b[:n]
	if isF32[T]() && k.add != nil && n > 0 {
		k.add(n, f32(dst), f32(a), f32(b))
		return
	}
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

const copyChunk = 1 << 18 // bytes

// A copyJob copies bytes.
type copyJob struct{ dst, src []byte }

func (j *copyJob) chunk(i, _ int) {
	lo := i * copyChunk
	hi := min(lo+copyChunk, len(j.dst))
	copy(j.dst[lo:hi], j.src[lo:hi])
}

// copyBytes: x -> y, of any type.
func copyBytes(d *Device, in *exec.Instr, args []exec.Arg) error {
	src, err := bufferOf(args[0].Buffer)
	if err != nil {
		return err
	}
	dst, err := bufferOf(args[1].Buffer)
	if err != nil {
		return err
	}
	if len(src.bytes) != len(dst.bytes) {
		return mismatch(in, args)
	}
	d.copyTo(dst.bytes, src.bytes)
	return nil
}

func (d *Device) copyTo(dst, src []byte) {
	d.copy = copyJob{dst, src}
	d.pool.run((len(dst)+copyChunk-1)/copyChunk, &d.copy)
	d.copy = copyJob{}
}

// concat: x_1 … x_n -> y; split: y -> x_1 … x_n.
func concat(d *Device, in *exec.Instr, args []exec.Arg) error {
	whole, parts := args[len(args)-1], args[:len(args)-1]
	if in.Op == exec.OpSplit {
		whole, parts = args[0], args[1:]
	}
	y, err := bufferOf(whole.Buffer)
	if err != nil {
		return err
	}
	at := 0
	for _, part := range parts {
		x, err := bufferOf(part.Buffer)
		if err != nil {
			return err
		}
		if at+len(x.bytes) > len(y.bytes) {
			return mismatch(in, args)
		}
		to, from := y.bytes[at:at+len(x.bytes)], x.bytes
		if in.Op == exec.OpSplit {
			to, from = from, to
		}
		d.copyTo(to, from)
		at += len(x.bytes)
	}
	if at != len(y.bytes) {
		return mismatch(in, args)
	}
	return nil
}

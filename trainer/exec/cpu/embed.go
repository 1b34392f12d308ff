package cpu

import (
	"fmt"

	"hone/trainer/exec"
)

// An embedJob gathers rows.
type embedJob[T float] struct {
	w, y   []T
	packed []byte // instead of w: elements of dt, in panels
	dt     exec.DType
	ids    []int32
	c      int
}

func (j *embedJob[T]) chunk(i, _ int) {
	n := rowsPerChunk(j.c)
	for r := i * n; r < min(len(j.ids), (i+1)*n); r++ {
		y := j.y[r*j.c : (r+1)*j.c]
		if id := int(j.ids[r]); id < 0 {
			clear(y)
		} else if j.packed != nil {
			panelRow(j.dt, cast[float32](y), j.packed, id)
		} else {
			copy(y, j.w[id*j.c:(id+1)*j.c])
		}
	}
}

// below checks that every id is less than n; negative ids mean no row.
func below(in *exec.Instr, ids []int32, n int) error {
	for r, id := range ids {
		if int(id) >= n {
			return fmt.Errorf("cpu: %v %s: row %d: id %d is outside the %d known", in.Op, in.Note, r, id, n)
		}
	}
	return nil
}

// embed: w(V,C), ids(R) -> y(R,C).
func embed[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	v, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	j := &js.embed
	*j = embedJob[T]{ids: view[int32](args[1]), y: view[T](args[2]), c: c, dt: args[0].DType}
	fits := len(j.y) == len(j.ids)*c
	if form := args[0].Form; form == exec.Panels && isF32[T]() {
		b, err := bufferOf(args[0].Buffer)
		if err != nil {
			return err
		}
		j.packed = b.bytes
		fits = fits && len(j.packed) == j.dt.Bytes(form.Elems(args[0].Shape))
	} else {
		j.w = view[T](args[0])
		fits = fits && form == exec.Rows && len(j.w) == v*c
	}
	if !fits {
		return mismatch(in, args)
	}
	if err := below(in, j.ids, v); err != nil {
		return err
	}
	d.pool.run(chunks(len(j.ids), rowsPerChunk(c)), j)
	*j = embedJob[T]{}
	return nil
}

const embedCols = 256 // columns of dw of one chunk

// An embedGradJob is cut over blocks of dw. Each chunk goes over all ids, and adds the rows of its own block, in order.
type embedGradJob[T float] struct {
	k      *kernels
	dy, dw []T
	base   []T
	ids    []int32
	v, c   int
	per    int // rows of a block
	across int // blocks side by side
}

func (j *embedGradJob[T]) chunk(i, _ int) {
	v0, c0 := i/j.across*j.per, i%j.across*embedCols
	v1, n := min(j.v, v0+j.per), min(embedCols, j.c-c0)
	switch {
	case j.base != nil && &j.base[0] == &j.dw[0]:
	case j.base != nil:
		for v := v0; v < v1; v++ {
			copy(j.dw[v*j.c+c0:][:n], j.base[v*j.c+c0:])
		}
	case n == j.c:
		clear(j.dw[v0*j.c : v1*j.c])
	default:
		for v := v0; v < v1; v++ {
			clear(j.dw[v*j.c+c0:][:n])
		}
	}
	lo, span := int32(v0), uint32(v1-v0)
	for r, id := range j.ids {
		if uint32(id-lo) < span && id >= 0 {
			dst := j.dw[int(id)*j.c+c0:][:n]
			addTo(j.k, dst, dst, j.dy[r*j.c+c0:][:n])
		}
	}
}

// embedGrad: dy(R,C), ids(R), [base(V,C)] -> dw(V,C).
func embedGrad[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 4); err != nil {
		return err
	}
	v, c, err := rowsCols(in, args, 3)
	if err != nil {
		return err
	}
	j := &js.embedGrad
	*j = embedGradJob[T]{
		k: d.kern, dy: view[T](args[0]), ids: view[int32](args[1]), base: view[T](args[2]), dw: view[T](args[3]),
		v: v, c: c, per: (v + 31) / 32, across: chunks(c, embedCols),
	}
	if len(j.dw) != v*c || len(j.dy) != len(j.ids)*c || !absentOr(j.base, v*c) {
		return mismatch(in, args)
	}
	if err := below(in, j.ids, v); err != nil {
		return err
	}
	d.pool.run(chunks(v, max(1, j.per))*j.across, j)
	*j = embedGradJob[T]{}
	return nil
}

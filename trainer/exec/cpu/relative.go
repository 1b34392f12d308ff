package cpu

import (
	"hone/trainer/exec"
)

// A relativeJob does what follows the products of queries with the keys of distances: the scale, and the terms for equal
// and different types; or the gradients of these. It is cut over rows; its last phase, which sums over rows, over heads.
type relativeJob[T float] struct {
	phase         relativePhase
	y             []T // (R,H,S): the scores, or their gradient
	qs, seg       []T // (R,H·D), (2,H·D)
	dqs, dseg     []T
	sums          []T     // (R,H,2): a row's gradients of equal and of other types, kept between launches
	scaled        []T     // gradients that lack the scale
	types         []int32 // of keys
	scale         T
	r, t, h, s, d int
	rowsPer       int
}

type relativePhase uint8

const (
	relativeForward relativePhase = iota
	relativeBackward
	relativeSums
	relativeScale
)

func (j *relativeJob[T]) chunk(i, _ int) {
	switch j.phase {
	case relativeSums:
		j.sum(i)
		return
	case relativeScale:
		x := j.scaled[i*elemChunk : min(len(j.scaled), (i+1)*elemChunk)]
		for k := range x {
			x[k] *= j.scale
		}
		return
	}
	for row := i * j.rowsPer; row < min(j.r, (i+1)*j.rowsPer); row++ {
		for h := range j.h {
			if j.phase == relativeForward {
				j.forward(row, h)
			} else {
				j.backward(row, h)
			}
		}
	}
}

// keys are the columns of a row's scores whose keys exist, their types, and the row's own.
func (j *relativeJob[T]) keys(row int) (from, to int, types []int32, own int32) {
	n := j.s - j.t + 1
	types = j.types[row/j.t*n:][:n]
	from = j.t - 1 - row%j.t
	return from, from + n, types, types[n-j.t+row%j.t]
}

func (j *relativeJob[T]) forward(row, h int) {
	y := j.y[(row*j.h+h)*j.s : (row*j.h+h+1)*j.s]
	if j.types != nil {
		at := (row*j.h + h) * j.d
		q := j.qs[at : at+j.d]
		same, other := dotOf(q, j.seg[h*j.d:(h+1)*j.d]), dotOf(q, j.seg[(j.h+h)*j.d:(j.h+h+1)*j.d])
		from, to, types, own := j.keys(row)
		for s := from; s < to; s++ {
			if types[s-from] == own {
				y[s] += same
			} else {
				y[s] += other
			}
		}
	}
	for s := range y {
		y[s] *= j.scale
	}
}

func (j *relativeJob[T]) backward(row, h int) {
	dy := j.y[(row*j.h+h)*j.s : (row*j.h+h+1)*j.s]
	var equal, unlike float64 // nearly each other's negatives: the softmax sees no constant
	from, to, types, own := j.keys(row)
	for s := from; s < to; s++ {
		if types[s-from] == own {
			equal += float64(dy[s])
		} else {
			unlike += float64(dy[s])
		}
	}
	same, other := T(equal*float64(j.scale)), T(unlike*float64(j.scale))
	at := (row*j.h + h) * j.d
	j.sums[(row*j.h+h)*2], j.sums[(row*j.h+h)*2+1] = same, other
	if j.dqs == nil {
		return
	}
	a, b := j.seg[h*j.d:(h+1)*j.d], j.seg[(j.h+h)*j.d:(j.h+h+1)*j.d]
	for c := range j.d {
		j.dqs[at+c] = T(same*a[c]) + T(other*b[c])
	}
}

// sum makes a head's gradient of the type vectors.
func (j *relativeJob[T]) sum(h int) {
	a, b := j.dseg[h*j.d:(h+1)*j.d], j.dseg[(j.h+h)*j.d:(j.h+h+1)*j.d]
	clear(a)
	clear(b)
	for row := range j.r {
		same, other := j.sums[(row*j.h+h)*2], j.sums[(row*j.h+h)*2+1]
		for c, q := range j.qs[(row*j.h+h)*j.d : (row*j.h+h+1)*j.d] {
			a[c] += T(same * q)
			b[c] += T(other * q)
		}
	}
}

// relativeScores: q(R,H·D), k(S,H·D), [qs(R,H·D), seg(2,H·D), types(B·T')] -> y(R,H,S).
// relativeScoresGrad: those, dy(R,H,S) -> dq, dk, [dqs], [dseg].
func relativeScores[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	grad := in.Op == exec.OpRelativeScoresGrad
	if err := operands(in, args, map[bool]int{false: 6, true: 10}[grad]); err != nil {
		return err
	}
	r, c, s, ck, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	a, j := &in.Attrs, &js.relative
	*j = relativeJob[T]{
		qs: view[T](args[2]), seg: view[T](args[3]), types: view[int32](args[4]), y: view[T](args[5]), sums: j.sums,
		scale: T(a.Scale), r: r, t: a.T, h: a.Heads, s: s, rowsPer: rowsPerChunk(a.Heads * s),
	}
	q, k := view[T](args[0]), view[T](args[1])
	if a.Heads < 1 || c == 0 || c%a.Heads != 0 || ck != c || len(j.y) != r*a.Heads*s || len(q) != r*c || len(k) != s*c ||
		j.types != nil && (a.T < 1 || r%a.T != 0 || s < 2*a.T-1 || len(j.types) != r/a.T*(s-a.T+1) || len(j.qs) != r*c || len(j.seg) != 2*c) {
		return mismatch(in, args)
	}
	j.d = c / a.Heads
	ldy := a.Heads * s
	if !grad {
		for h := range a.Heads {
			js.gemm = gemmJob[T]{transB: true, m: r, n: s, k: j.d, a: q[h*j.d:], lda: c, b: k[h*j.d:], ldb: c, c: j.y[h*s:], ldc: ldy}
			js.gemm.start(d)
		}
		d.pool.run(chunks(r, j.rowsPer), j)
		*j = relativeJob[T]{sums: j.sums}
		return nil
	}
	dq, dk := view[T](args[6]), view[T](args[7])
	j.dqs, j.dseg = view[T](args[8]), view[T](args[9])
	if len(dq) != r*c || len(dk) != s*c || !absentOr(j.dqs, r*c) || !absentOr(j.dseg, 2*c) || (j.dqs != nil || j.dseg != nil) && j.types == nil {
		return mismatch(in, args)
	}
	for h := range a.Heads {
		js.gemm = gemmJob[T]{m: r, n: j.d, k: s, a: j.y[h*s:], lda: ldy, b: k[h*j.d:], ldb: c, c: dq[h*j.d:], ldc: c}
		js.gemm.start(d)
		js.gemm = gemmJob[T]{transA: true, m: s, n: j.d, k: r, a: j.y[h*s:], lda: ldy, b: q[h*j.d:], ldb: c, c: dk[h*j.d:], ldc: c}
		js.gemm.start(d)
	}
	for _, x := range [][]T{dq, dk} {
		j.phase, j.scaled = relativeScale, x
		d.pool.run(chunks(len(x), elemChunk), j)
	}
	if j.dqs != nil || j.dseg != nil {
		if cap(j.sums) < 2*r*a.Heads {
			j.sums = make([]T, 2*r*a.Heads)
		}
		j.sums, j.phase = j.sums[:2*r*a.Heads], relativeBackward
		d.pool.run(chunks(r, j.rowsPer), j)
	}
	if j.dseg != nil {
		j.phase = relativeSums
		d.pool.run(a.Heads, j)
	}
	*j = relativeJob[T]{sums: j.sums}
	return nil
}

package cpu

import (
	"math"

	"hone/trainer/exec"
)

func negInf[T float]() T { return T(math.Inf(-1)) }

// A crossEntropyJob is the loss or its gradient, cut over rows.
type crossEntropyJob[T float] struct {
	d                *Device
	op               exec.Op
	logits, weights  []T
	targets          []int32
	nll, lse         []T
	dlogits          []T
	dloss, z         T
	smoothing        T
	rows, v, rowsPer int
}

func (j *crossEntropyJob[T]) chunk(i, worker int) {
	for r := i * j.rowsPer; r < min(j.rows, (i+1)*j.rowsPer); r++ {
		if j.op != exec.OpCrossEntropyGrad {
			j.forward(r, j.d.scratch[worker])
		}
		if j.dlogits != nil {
			j.backward(r, j.d.scratch[worker])
		}
	}
}

func (j *crossEntropyJob[T]) forward(r int, w *scratch) {
	target := j.targets[r]
	if target < 0 { // most rows of masked pretraining: their exponentials are not needed
		j.nll[r], j.lse[r] = 0, 0
		return
	}
	x := j.logits[r*j.v : (r+1)*j.v]
	top := rowMax(j.d.kern, w, x)
	j.lse[r] = top + T(math.Log(float64(expSum(j.d.kern, w, x, top))))
	j.nll[r] = j.lse[r] - x[target]
	if j.smoothing > 0 {
		sum := 0.0
		for _, v := range x {
			sum += float64(v)
		}
		j.nll[r] = j.lse[r] - T((1-j.smoothing)*x[target]) - T(j.smoothing*T(sum/float64(j.v)))
	}
}

// backward: dlogits = dloss·weight·((1 + 2z·lse)·softmax - onehot), where smoothing takes a part of onehot and spreads
// it over all classes. dlogits may be logits.
func (j *crossEntropyJob[T]) backward(r int, w *scratch) {
	x, dx := j.logits[r*j.v:(r+1)*j.v], j.dlogits[r*j.v:(r+1)*j.v]
	target := j.targets[r]
	if target < 0 {
		clear(dx)
		return
	}
	s := j.dloss * j.weights[r]
	at := lend[T](w, slotA, 1)
	at[0] = x[target]
	scale := 1 + T(2*j.z*j.lse[r])
	expScale(j.d.kern, dx, x, j.lse[r], T(s*scale))
	// p-1 before the scaling, so that the gradient of a certain and right prediction is 0.
	expSub(j.d.kern, at, at, j.lse[r])
	if j.smoothing == 0 {
		dx[target] = (T(at[0]*scale) - 1) * s
		return
	}
	each := j.smoothing / T(j.v)
	for i := range dx {
		dx[i] -= T(each * s)
	}
	dx[target] = (T(at[0]*scale) - (1 - j.smoothing) - each) * s
}

func (j *crossEntropyJob[T]) check(in *exec.Instr, args []exec.Arg) error {
	if len(j.logits) != j.rows*j.v || len(j.targets) != j.rows || len(j.weights) != j.rows || len(j.lse) != j.rows {
		return mismatch(in, args)
	}
	return below(in, j.targets, j.v)
}

// crossEntropy: logits(R,V), targets(R), weights(R) -> loss(1), nll(R), lse(R).
// lse of a row without target is 0.
func crossEntropy[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r, v, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	j := &js.crossEntropy
	*j = crossEntropyJob[T]{
		d: d, op: in.Op, rows: r, v: v, rowsPer: rowsPerChunk(v),
		logits: view[T](args[0]), targets: view[int32](args[1]), weights: view[T](args[2]),
		nll: view[T](args[4]), lse: view[T](args[5]), smoothing: T(in.Attrs.Smoothing),
	}
	loss := view[T](args[3])
	if len(loss) != 1 || len(j.nll) != r {
		return mismatch(in, args)
	}
	if err := j.check(in, args); err != nil {
		return err
	}
	d.pool.run(chunks(r, j.rowsPer), j)
	loss[0] = weighted(j.targets, j.weights, j.nll, j.lse, in.Attrs.ZLoss)
	*j = crossEntropyJob[T]{}
	return nil
}

// weighted is the loss: Σ weights·(nll + z·lse²) over the rows that have a target.
func weighted[T float](targets []int32, weights, nll, lse []T, z float64) T {
	sum := 0.0
	for i, w := range weights {
		if targets[i] >= 0 {
			l := float64(lse[i])
			sum += float64(float64(w) * (float64(nll[i]) + float64(z*float64(l*l))))
		}
	}
	return T(sum)
}

// crossEntropyGrad: logits, targets, weights, lse, dloss(1) -> dlogits(R,V).
func crossEntropyGrad[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r, v, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	j := &js.crossEntropy
	*j = crossEntropyJob[T]{
		d: d, op: in.Op, rows: r, v: v, rowsPer: rowsPerChunk(v),
		logits: view[T](args[0]), targets: view[int32](args[1]), weights: view[T](args[2]),
		lse: view[T](args[3]), dlogits: view[T](args[5]), z: T(in.Attrs.ZLoss), smoothing: T(in.Attrs.Smoothing),
	}
	dloss := view[T](args[4])
	if len(dloss) != 1 || len(j.dlogits) != r*v {
		return mismatch(in, args)
	}
	if err := j.check(in, args); err != nil {
		return err
	}
	j.dloss = dloss[0]
	d.pool.run(chunks(r, j.rowsPer), j)
	*j = crossEntropyJob[T]{}
	return nil
}

// linearCrossEntropy: x(R,C), w, targets(R), weights(R), [dloss(1)] -> loss(1), nll(R), lse(R), [dx(R,C)], [dw], work(P,V);
// with a bias(V) after dloss, [dbias(V)] after work.
func linearCrossEntropy[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	outs := args[min(5, len(args)):]
	var bias, dbias []T
	if len(args) == 13 {
		bias, dbias, outs = view[T](args[5]), view[T](args[12]), args[6:]
	} else if err := operands(in, args, 11); err != nil {
		return err
	}
	r, c, w0, w1, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	p, v, err := rowsCols(in, outs, 5)
	if err != nil {
		return err
	}
	transposed, packed := in.Attrs.Transposed, args[1].Form != exec.Rows
	x, w, targets, weights, dloss := view[T](args[0]), view[T](args[1]), view[int32](args[2]), view[T](args[3]), view[T](args[4])
	loss, nll, lse, dx, dw, work := view[T](outs[0]), view[T](outs[1]), view[T](outs[2]), view[T](outs[3]), view[T](outs[4]), view[T](outs[5])
	if transposed && (w0 != c || w1 != v) || !transposed && (w0 != v || w1 != c) || p == 0 && r > 0 || p > r ||
		len(x) != r*c || !packed && len(w) != v*c || packed && (dx != nil || dw != nil) || len(targets) != r || len(weights) != r || len(loss) != 1 || len(nll) != r || len(lse) != r ||
		len(work) != p*v || !absentOr(dx, r*c) || !absentOr(dw, v*c) || !absentOr(bias, v) || !absentOr(dbias, v) ||
		len(args) == 13 && bias == nil || (dx != nil || dw != nil || dbias != nil) && len(dloss) != 1 {
		return mismatch(in, args)
	}
	if err := below(in, targets, v); err != nil {
		return err
	}
	for r0 := 0; r0 < r; r0 += p {
		r1 := min(r, r0+p)
		rows := r1 - r0
		xs, logits := x[r0*c:r1*c], work[:rows*v]
		if packed {
			err := d.linearPanels(in, args, panelJob{m: rows, n: v, k: c, a: cast[float32](xs), c: cast[float32](logits), bias: cast[float32](bias)})
			if err != nil {
				return err
			}
		} else {
			js.gemm = gemmJob[T]{transB: !transposed, m: rows, n: v, k: c, a: xs, lda: c, b: w, ldb: w1, c: logits, ldc: v, bias: bias, bf16: in.Attrs.BF16}
			js.gemm.start(d)
		}
		j := &js.crossEntropy
		*j = crossEntropyJob[T]{
			d: d, op: in.Op, rows: rows, v: v, rowsPer: rowsPerChunk(v), logits: logits,
			targets: targets[r0:r1], weights: weights[r0:r1], nll: nll[r0:r1], lse: lse[r0:r1], z: T(in.Attrs.ZLoss), smoothing: T(in.Attrs.Smoothing),
		}
		if dx != nil || dw != nil || dbias != nil {
			j.dlogits, j.dloss = logits, dloss[0]
		}
		d.pool.run(chunks(rows, j.rowsPer), j)
		*j = crossEntropyJob[T]{}
		if dx != nil {
			js.gemm = gemmJob[T]{transB: transposed, m: rows, n: c, k: v, a: logits, lda: v, b: w, ldb: w1, c: dx[r0*c : r1*c], ldc: c, bf16: in.Attrs.BF16}
			js.gemm.start(d)
		}
		if dbias != nil {
			js.addRows(d, dbias, logits, rows, r0 > 0)
		}
		if dw != nil {
			g := gemmJob[T]{transA: true, m: w0, n: w1, k: rows, c: dw, ldc: w1, accumulate: r0 > 0, bf16: in.Attrs.BF16}
			if transposed {
				g.a, g.lda, g.b, g.ldb = xs, c, logits, v
			} else {
				g.a, g.lda, g.b, g.ldb = logits, v, xs, c
			}
			js.gemm = g
			js.gemm.start(d)
		}
	}
	if r == 0 {
		clear(dw)
		clear(dbias)
	}
	loss[0] = weighted(targets, weights, nll, lse, in.Attrs.ZLoss)
	return nil
}

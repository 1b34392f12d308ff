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
	dloss            T
	rows, v, rowsPer int
}

const expBlock = 4096 // logits whose exponentials are held at once; a multiple of 16

func (j *crossEntropyJob[T]) chunk(i, worker int) {
	for r := i * j.rowsPer; r < min(j.rows, (i+1)*j.rowsPer); r++ {
		if j.op == exec.OpCrossEntropy {
			j.forward(r, worker)
		} else {
			j.backward(r)
		}
	}
}

func (j *crossEntropyJob[T]) forward(r, worker int) {
	target := j.targets[r]
	if target < 0 { // most rows of masked pretraining: not worth the exponentials
		j.nll[r], j.lse[r] = 0, 0
		return
	}
	x := j.logits[r*j.v : (r+1)*j.v]
	top := maxOf(x)
	buf := lend[T](j.d.scratch[worker], slotA, min(expBlock, j.v))
	var l lanes[T]
	for k := 0; k < len(x); k += expBlock {
		part := x[k:min(len(x), k+expBlock)]
		expSub(j.d.kern, buf[:len(part)], part, top)
		l.sum(buf[:len(part)])
	}
	j.lse[r] = top + T(math.Log(float64(l.tree())))
	j.nll[r] = j.lse[r] - x[target]
}

// backward: dlogits = dloss·weight·(softmax - onehot). dlogits may be logits.
func (j *crossEntropyJob[T]) backward(r int) {
	x, dx := j.logits[r*j.v:(r+1)*j.v], j.dlogits[r*j.v:(r+1)*j.v]
	target := j.targets[r]
	if target < 0 {
		clear(dx)
		return
	}
	s := j.dloss * j.weights[r]
	expSub(j.d.kern, dx, x, j.lse[r])
	// p-1 before the scaling: the gradient of a sure and right answer is 0.
	dx[target] -= 1
	for k := range dx {
		dx[k] *= s
	}
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
		nll: view[T](args[4]), lse: view[T](args[5]),
	}
	loss := view[T](args[3])
	if len(loss) != 1 || len(j.nll) != r {
		return mismatch(in, args)
	}
	if err := j.check(in, args); err != nil {
		return err
	}
	d.pool.run(chunks(r, j.rowsPer), j)
	sum := 0.0
	for i, w := range j.weights {
		if j.targets[i] >= 0 {
			sum += float64(float64(w) * float64(j.nll[i]))
		}
	}
	loss[0] = T(sum)
	*j = crossEntropyJob[T]{}
	return nil
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
		lse: view[T](args[3]), dlogits: view[T](args[5]),
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

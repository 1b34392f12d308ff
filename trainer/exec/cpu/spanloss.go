package cpu

import (
	"fmt"
	"math"

	"hone/trainer/exec"
)

// A spanLoss has the operands of the loss of spans. Its softmax goes over the rows of a sequence, separately for each
// column of the scores. It is little work, and one thread does it.
type spanLoss[T float] struct {
	scores, weights, lse []T
	spans, targets       []int32
	k                    int
}

// column calls f with the index of each score of a sequence's column.
func (l *spanLoss[T]) column(seq, col int, f func(at int)) {
	for row := int(l.spans[2*seq]); row < int(l.spans[2*seq+1]); row++ {
		f(row*l.k + col)
	}
}

// spanCrossEntropy: scores(R,K), spans(S,2), targets(S,K), weights(S) -> loss(1), nll(S), lse(S,K).
func spanCrossEntropy[T float](_ *Device, in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 7); err != nil {
		return err
	}
	l, err := newSpanLoss[T](in, args, view[T](args[6]))
	if err != nil {
		return err
	}
	loss, nll := view[T](args[4]), view[T](args[5])
	if len(loss) != 1 || len(nll) != len(l.weights) {
		return mismatch(in, args)
	}
	sum := 0.0
	for seq, w := range l.weights {
		nll[seq] = 0
		for col := range l.k {
			target := l.targets[seq*l.k+col]
			if target < 0 {
				l.lse[seq*l.k+col] = 0
				continue
			}
			top := negInf[T]()
			l.column(seq, col, func(at int) { top = max(top, l.scores[at]) })
			total := 0.0
			l.column(seq, col, func(at int) { total += math.Exp(float64(l.scores[at] - top)) })
			l.lse[seq*l.k+col] = top + T(math.Log(total))
			nll[seq] += (l.lse[seq*l.k+col] - l.scores[int(target)*l.k+col]) / T(l.k)
		}
		sum += float64(float64(w) * float64(nll[seq]))
	}
	loss[0] = T(sum)
	return nil
}

// spanCrossEntropyGrad: scores, spans, targets, weights, lse, dloss(1) -> dscores(R,K).
func spanCrossEntropyGrad[T float](_ *Device, in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 7); err != nil {
		return err
	}
	l, err := newSpanLoss[T](in, args, view[T](args[4]))
	if err != nil {
		return err
	}
	dloss, dscores := view[T](args[5]), view[T](args[6])
	if len(dloss) != 1 || len(dscores) != len(l.scores) {
		return mismatch(in, args)
	}
	clear(dscores)
	for seq, w := range l.weights {
		for col := range l.k {
			target := l.targets[seq*l.k+col]
			if target < 0 {
				continue
			}
			factor, lse := dloss[0]*w/T(l.k), float64(l.lse[seq*l.k+col])
			l.column(seq, col, func(at int) { dscores[at] += factor * T(math.Exp(float64(l.scores[at])-lse)) })
			dscores[int(target)*l.k+col] -= factor
		}
	}
	return nil
}

func newSpanLoss[T float](in *exec.Instr, args []exec.Arg, lse []T) (spanLoss[T], error) {
	r, k, err := rowsCols(in, args, 0)
	if err != nil {
		return spanLoss[T]{}, err
	}
	l := spanLoss[T]{view[T](args[0]), view[T](args[3]), lse, view[int32](args[1]), view[int32](args[2]), k}
	n := len(l.weights)
	if len(l.scores) != r*k || len(l.spans) != 2*n || len(l.targets) != n*k || len(lse) != n*k {
		return l, mismatch(in, args)
	}
	for seq := range n {
		from, to := l.spans[2*seq], l.spans[2*seq+1]
		if from < 0 || to < from || int(to) > r {
			return l, fmt.Errorf("cpu: %v %s: sequence %d: rows %d to %d of %d", in.Op, in.Note, seq, from, to, r)
		}
		for _, target := range l.targets[seq*k : (seq+1)*k] {
			if target >= 0 && (target < from || target >= to) {
				return l, fmt.Errorf("cpu: %v %s: sequence %d: target %d is not in rows %d to %d", in.Op, in.Note, seq, target, from, to)
			}
		}
	}
	return l, nil
}

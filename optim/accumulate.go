package optim

import (
	"fmt"
	"math/bits"

	"hone/trainer/exec"
)

// An Accumulator adds the gradients of the micro-batches of a global batch in a
// binary tree over the micro-batch index. The sum therefore does not depend on which
// rank computed which aligned power-of-two range of them. It works as a binary
// counter: partial sums wait in stashes in the state arena, where the stash of level k
// holds the sum of 2^k micro-batches. See [Carry] for the order.
type Accumulator struct {
	Layout *exec.Layout
	Offset int // byte offset of the stashes in the state arena: the optimiser's Bytes
}

// Levels is the number of stashes that n micro-batches need: ⌈log2 n⌉.
func Levels(n int) int {
	if n < 2 {
		return 0
	}
	return bits.Len(uint(n - 1))
}

// Bytes is the size in bytes of the stashes for n micro-batches.
func (a *Accumulator) Bytes(n int) int { return Levels(n) * a.Layout.GradBytes() }

// Add emits grad ← grad + stash[level], over the whole gradient arena.
func (a *Accumulator) Add(b *exec.Builder, level int) {
	g, s := wholeGrad(b, a.Layout), a.stash(b, level)
	// The gradient stands first, since an op may write over its first operand; the
	// sum of two numbers is the same either way.
	b.Emit(exec.OpAdd, []exec.ID{g, s}, []exec.ID{g}, exec.Attrs{}, fmt.Sprintf("accumulate.%d", level))
}

// Stash emits stash[level] ← grad, over the whole gradient arena.
func (a *Accumulator) Stash(b *exec.Builder, level int) {
	g, s := wholeGrad(b, a.Layout), a.stash(b, level)
	b.Emit(exec.OpCopy, []exec.ID{g}, []exec.ID{s}, exec.Attrs{}, fmt.Sprintf("stash.%d", level))
}

func (a *Accumulator) stash(b *exec.Builder, level int) exec.ID {
	n := a.Layout.GradBytes()
	return b.At(fmt.Sprintf("stash.%d", level), exec.State, a.Offset+level*n, a.Layout.DType, n/a.Layout.DType.Size())
}

// Carry gives the steps that follow micro-batch i of n (0 ≤ i < n), once its gradient
// is in the gradient arena: add the stashes of the levels adds, in that order, then
// stash the result at level store, unless store is -1. After the last micro-batch the
// gradient arena holds the sum of all. It panics where i is out of range.
func Carry(i, n int) (adds []int, store int) {
	if i < 0 || i >= n {
		panic(fmt.Sprintf("optim: micro-batch %d of %d", i, n))
	}
	last := i == n-1
	for level := 0; i>>level != 0; level++ {
		switch {
		case i>>level&1 == 1:
			adds = append(adds, level)
		case !last:
			return adds, level
		}
	}
	if last {
		return adds, -1
	}
	return adds, bits.Len(uint(i))
}

package cpu

import (
	"fmt"

	"hone/trainer/exec"
)

// A gemmJob is a matrix product cut into a grid of blocks of C, each over the whole of k.
type gemmJob[T float] struct {
	d               *Device
	transA, transB  bool
	m, n, k         int
	a, b, c         []T
	bias            []T // (n), if any, is added
	lda, ldb, ldc   int
	accumulate      bool // add to c
	bf16            bool // the operands are rounded
	rows, cols, nby int  // of a block; the number of blocks side by side
}

func (j *gemmJob[T]) chunk(i, worker int) {
	row, col := i/j.nby*j.rows, i%j.nby*j.cols
	m, n := min(j.rows, j.m-row), min(j.cols, j.n-col)
	a, b := j.a, j.b
	if j.transA {
		a = a[row:]
	} else {
		a = a[row*j.lda:]
	}
	if j.transB {
		b = b[col*j.ldb:]
	} else {
		b = b[col:]
	}
	bias := j.bias
	if bias != nil {
		bias = bias[col : col+n]
	}
	gemmBias(j.d.kern, j.d.scratch[worker], j.transA, j.transB, m, n, j.k, a, j.lda, b, j.ldb, j.c[row*j.ldc+col:], j.ldc, j.accumulate, bias)
}

// start runs the product on all workers.
func (j *gemmJob[T]) start(d *Device) {
	if j.m == 0 || j.n == 0 {
		return
	}
	j.d = d
	if g, ok := any(j).(*gemmJob[float32]); ok && j.bf16 && j.k > 0 {
		d.bf16Job.start(d, g)
		j.a, j.b, j.c, j.bias = nil, nil, nil, nil
		return
	}
	mr, nr := genericMR, genericNR
	if isF32[T]() && d.kern.micro != nil {
		mr, nr = d.kern.mr, d.kern.nr
	}
	j.rows, j.cols = cut(j.m, j.n, j.k, mr, nr, j.transA, d.pool.threads)
	j.nby = (j.n + j.cols - 1) / j.cols
	for _, w := range d.scratch { // or a worker that came too late the first time would allocate the second time
		reserve[T](d.kern, w, j.transA, j.rows, j.cols, j.k)
	}
	d.pool.run((j.m+j.rows-1)/j.rows*j.nby, j)
	j.a, j.b, j.c, j.bias = nil, nil, nil, nil
}

// cut chooses the size of the blocks of C: multiples of the tile, at most four blocks for each thread. A block packs its
// own parts of the operands, so that none waits for another. With fewer blocks less is packed; with more, a thread that is
// held up delays the others less. Results do not depend on the cut.
func cut(m, n, k, mr, nr int, transA bool, threads int) (rows, cols int) {
	if threads == 1 || m*n*k < 32*32*32 {
		return m, n
	}
	up := func(x, parts, unit int) int { return (x + parts*unit - 1) / (parts * unit) * unit }
	// In multiply-adds for each step of k: to pack an element of B takes the time of 15, one
	// of Aᵀ 20; to read one of A in place once more, 2.
	costA := 2
	if transA {
		costA = 20
	}
	best := -1
	for byN := 1; byN <= 4*threads; byN++ {
		for byM := 1; byM*byN <= 4*threads; byM++ {
			r, c := up(m, byM, mr), up(n, byN, nr)
			byM, byN := (m+r-1)/r, (n+c-1)/c
			// With the padding of the last rows and columns, threads that have nothing to do
			// for want of a last block, and an eighth of a block's wait.
			rounds := (byM*byN + threads - 1) / threads * threads
			cost := 15*byM*n + costA*byN*m + rounds*r*c + r*c/8
			if best < 0 || cost < best {
				best, rows, cols = cost, r, c
			}
		}
	}
	return rows, cols
}

// rowsCols are the sizes of a matrix operand.
func rowsCols(in *exec.Instr, args []exec.Arg, i int) (rows, cols int, err error) {
	if i >= len(args) || len(args[i].Shape) != 2 {
		return 0, 0, fmt.Errorf("cpu: %v: operand %d is no matrix", in.Op, i)
	}
	return args[i].Shape[0], args[i].Shape[1], nil
}

// sizesOf are the sizes of the matrix operands i and j.
func sizesOf(in *exec.Instr, args []exec.Arg, i, j int) (a, b, c, d int, err error) {
	if a, b, err = rowsCols(in, args, i); err == nil {
		c, d, err = rowsCols(in, args, j)
	}
	return
}

func mismatch(in *exec.Instr, args []exec.Arg) error {
	var shapes [][]int
	for _, a := range args {
		shapes = append(shapes, a.Shape)
	}
	return fmt.Errorf("cpu: %v %s: shapes %v do not fit", in.Op, in.Note, shapes)
}

// linear: x(R,K), w, [bias(N)] -> y(R,N).
func linear[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	r, k, y0, n, err := sizesOf(in, args, 0, 3)
	if err != nil {
		return err
	}
	w0, w1, err := rowsCols(in, args, 1)
	if err != nil {
		return err
	}
	bias := view[T](args[2])
	if y0 != r || in.Attrs.Transposed && (w0 != k || w1 != n) || !in.Attrs.Transposed && (w0 != n || w1 != k) || bias != nil && len(bias) != n {
		return mismatch(in, args)
	}
	if args[1].Form != exec.Rows {
		return d.linearPanels(in, args, panelJob{m: r, n: n, k: k, a: view[float32](args[0]), c: view[float32](args[3]), bias: view[float32](args[2])})
	}
	js.gemm = gemmJob[T]{
		transB: !in.Attrs.Transposed, m: r, n: n, k: k,
		a: view[T](args[0]), lda: k,
		b: view[T](args[1]), ldb: w1,
		c: view[T](args[3]), ldc: n,
		bias: bias, bf16: in.Attrs.BF16,
	}
	js.gemm.start(d)
	return nil
}

// linearGradX: dy(R,N), w -> dx(R,K) = dy·w.
func linearGradX[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	r, n, x0, k, err := sizesOf(in, args, 0, 2)
	if err != nil {
		return err
	}
	w0, w1, err := rowsCols(in, args, 1)
	if err != nil {
		return err
	}
	width, dy := n, view[T](args[0])
	if first := in.Attrs.First; !in.Attrs.Transposed && first >= 0 && first+w0 <= n {
		dy, n = dy[first:], w0
	}
	dx := view[T](args[2])
	if x0 != r || len(dx) != r*k || in.Attrs.Transposed && (w0 != k || w1 != n) || !in.Attrs.Transposed && (w0 != n || w1 != k) {
		return mismatch(in, args)
	}
	js.gemm = gemmJob[T]{
		transB: in.Attrs.Transposed, m: r, n: k, k: n,
		a: dy, lda: width,
		b: view[T](args[1]), ldb: w1,
		c: dx, ldc: k,
		bf16: in.Attrs.BF16,
	}
	js.gemm.start(d)
	return nil
}

// linearGradW: x(R,K), dy(R,N) -> dw(N,K) = dyᵀ·x, or dw(K,N) = xᵀ·dy when transposed.
func linearGradW[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	r, k, y0, n, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	w0, w1, err := rowsCols(in, args, 2)
	if err != nil {
		return err
	}
	x, dy, width := view[T](args[0]), view[T](args[1]), n
	if first := in.Attrs.First; !in.Attrs.Transposed && first >= 0 && first+w0 <= n {
		dy, n = dy[first:], w0
	}
	dw := view[T](args[2])
	if y0 != r || len(dw) != w0*w1 || in.Attrs.Transposed && (w0 != k || w1 != n) || !in.Attrs.Transposed && (w0 != n || w1 != k) {
		return mismatch(in, args)
	}
	j := gemmJob[T]{transA: true, m: w0, n: w1, k: r, c: dw, ldc: w1, bf16: in.Attrs.BF16}
	if in.Attrs.Transposed {
		j.a, j.lda, j.b, j.ldb = x, k, dy, n
	} else {
		j.a, j.lda, j.b, j.ldb = dy, width, x, k
	}
	js.gemm = j
	js.gemm.start(d)
	return nil
}

// addLinear: y(R,N), x(R,K), w(M,K) -> y', with x·wᵀ added to its columns from First on.
func addLinear[T float](d *Device, js *jobs[T], in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 4); err != nil {
		return err
	}
	r, n, x0, k, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	w0, w1, out0, out1, err := sizesOf(in, args, 2, 3)
	if err != nil {
		return err
	}
	first := in.Attrs.First
	if x0 != r || w1 != k || out0 != r || out1 != n || first < 0 || first+w0 > n {
		return mismatch(in, args)
	}
	y, out := view[T](args[0]), view[T](args[3])
	if len(y) != r*n || len(out) != r*n {
		return mismatch(in, args)
	}
	if &y[0] != &out[0] {
		if err := copyBytes(d, in, []exec.Arg{args[0], args[3]}); err != nil {
			return err
		}
	}
	js.gemm = gemmJob[T]{
		transB: true, m: r, n: w0, k: k, a: view[T](args[1]), lda: k, b: view[T](args[2]), ldb: k,
		c: out[first:], ldc: n, accumulate: true, bf16: in.Attrs.BF16,
	}
	js.gemm.start(d)
	return nil
}

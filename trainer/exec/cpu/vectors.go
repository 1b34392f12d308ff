package cpu

import (
	"math"
	"slices"

	"hone/trainer/exec"
)

// The operations of vectors of texts are little work beside the network that makes the vectors, but for the products
// of all with all, which are matrix products. One thread does each; sums are of float64.

// meanRows: x(R,C), spans(S,2) -> y(S,C); as a gradient dy(S,C), spans -> dx(R,C).
func meanRows[T float](d *Device, in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	from, c, to, width, err := sizesOf(in, args, 0, 2)
	if err != nil {
		return err
	}
	back := in.Op == exec.OpMeanRowsGrad
	rows, n := from, to
	if back {
		rows, n = to, from
	}
	x, spans, y := view[T](args[0]), view[int32](args[1]), view[T](args[2])
	if width != c || len(x) != from*c || len(y) != to*c || len(spans) != 2*n {
		return mismatch(in, args)
	}
	if back {
		clear(y)
	}
	sums := lend[float64](d.scratch[0], slotA, c)
	for s := range n {
		first, end := int(spans[2*s]), int(spans[2*s+1])
		if first < 0 || end > rows || first > end {
			return mismatch(in, args)
		}
		by := 1 / float64(max(1, end-first))
		if back {
			for i := first; i < end; i++ {
				for k, v := range x[s*c : (s+1)*c] {
					y[i*c+k] += T(float64(v) * by)
				}
			}
			continue
		}
		clear(sums)
		for i := first; i < end; i++ {
			for k, v := range x[i*c : (i+1)*c] {
				sums[k] += float64(v)
			}
		}
		for k, v := range sums {
			y[s*c+k] = T(v * by)
		}
	}
	return nil
}

// dot is the product of two vectors of a length.
func dot[T float](x, y []T) (sum float64) {
	y = y[:len(x)]
	for i, v := range x {
		sum += float64(float64(v) * float64(y[i]))
	}
	return sum
}

// unitRows: x(R,C) -> y(R,D), norm(R).
func unitRows[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	r, c, rows, d, err := sizesOf(in, args, 0, 1)
	if err != nil {
		return err
	}
	x, y, norm := view[T](args[0]), view[T](args[1]), view[T](args[2])
	if rows != r || d > c || len(x) != r*c || len(y) != r*d || len(norm) != r {
		return mismatch(in, args)
	}
	for i := range r {
		row := x[i*c : i*c+d]
		n := max(math.Sqrt(dot(row, row)), in.Attrs.Eps)
		norm[i] = T(n)
		for k, v := range row {
			y[i*d+k] = T(float64(v) / n)
		}
	}
	return nil
}

// unitRowsGrad: dy(R,D), y(R,D), norm(R) -> dx(R,C): (dy - y·(y·dy))/norm.
func unitRowsGrad[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 4); err != nil {
		return err
	}
	r, d, rows, c, err := sizesOf(in, args, 0, 3)
	if err != nil {
		return err
	}
	dy, y, norm, dx := view[T](args[0]), view[T](args[1]), view[T](args[2]), view[T](args[3])
	if rows != r || d > c || len(dy) != r*d || len(y) != r*d || len(norm) != r || len(dx) != r*c {
		return mismatch(in, args)
	}
	clear(dx)
	for i := range r {
		n := float64(norm[i])
		if n <= in.Attrs.Eps {
			continue
		}
		unit, slope := y[i*d:(i+1)*d], dy[i*d:(i+1)*d]
		along := dot(unit, slope)
		for k, v := range slope {
			dx[i*c+k] = T((float64(v) - float64(float64(unit[k])*along)) / n)
		}
	}
	return nil
}

// dotRows: x(R,C), y(R,C) -> dots(R,1).
func dotRows[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	x, y, dots := view[T](args[0]), view[T](args[1]), view[T](args[2])
	if len(x) != r*c || len(y) != r*c || len(dots) != r {
		return mismatch(in, args)
	}
	for i := range r {
		dots[i] = T(dot(x[i*c:(i+1)*c], y[i*c:(i+1)*c]))
	}
	return nil
}

// scaleRows: x(R,C), factors(R,1) -> y(R,C).
func scaleRows[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 3); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	x, factors, y := view[T](args[0]), view[T](args[1]), view[T](args[2])
	if len(x) != r*c || len(y) != r*c || len(factors) != r {
		return mismatch(in, args)
	}
	for i, v := range x {
		y[i] = v * factors[i/c]
	}
	return nil
}

// maskSame: x(R,N), rows(R,K), columns(N,K), targets(R) -> y(R,N).
func maskSame[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	r, n, columnsOf, k, err := sizesOf(in, args, 0, 2)
	if err != nil {
		return err
	}
	x, rows, columns, targets, y := view[T](args[0]), view[int32](args[1]), view[int32](args[2]), view[int32](args[3]), view[T](args[4])
	if columnsOf != n || k < 1 || len(x) != r*n || len(y) != r*n || len(rows) != r*k || len(columns) != n*k || len(targets) != r {
		return mismatch(in, args)
	}
	copy(y, x)
	for i := range r {
		for j := range n {
			column := columns[j*k : (j+1)*k]
			if column[0] < 0 || int(targets[i]) != j && shared(rows[i*k:(i+1)*k], column) {
				y[i*n+j] = T(in.Attrs.Scale)
			}
		}
	}
	return nil
}

// shared says that two lists have a number in common that is not negative.
func shared(a, b []int32) bool {
	for _, x := range a {
		if x >= 0 && slices.Contains(b, x) {
			return true
		}
	}
	return false
}

// A ranked has the scores of a CoSENT.
type ranked[T float] struct {
	scores, goals, weights []T
	scale                  float64
}

// violation is the exponent of two scores; ok says that they count.
func (r *ranked[T]) violation(i, j int) (x float64, ok bool) {
	return r.scale * (float64(r.scores[i]) - float64(r.scores[j])), r.goals[i] < r.goals[j] && r.weights[i] > 0 && r.weights[j] > 0
}

// coSENT: scores(R,1), goals(R,1), weights(R) -> loss(1), lse(1).
func coSENT[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 5); err != nil {
		return err
	}
	r := ranked[T]{view[T](args[0]), view[T](args[1]), view[T](args[2]), in.Attrs.Scale}
	loss, lse, n := view[T](args[3]), view[T](args[4]), len(r.scores)
	if len(r.goals) != n || len(r.weights) != n || len(loss) != 1 || len(lse) != 1 {
		return mismatch(in, args)
	}
	top, total := 0.0, 0.0
	for i, w := range r.weights {
		total += float64(w)
		for j := range n {
			if x, ok := r.violation(i, j); ok {
				top = max(top, x)
			}
		}
	}
	sum := math.Exp(-top)
	for i := range n {
		for j := range n {
			if x, ok := r.violation(i, j); ok {
				sum += math.Exp(x - top)
			}
		}
	}
	l := top + math.Log(sum)
	lse[0], loss[0] = T(l), T(l*total)
	return nil
}

// coSENTGrad: scores, goals, weights, lse(1), dloss(1) -> dscores(R,1).
func coSENTGrad[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r := ranked[T]{view[T](args[0]), view[T](args[1]), view[T](args[2]), in.Attrs.Scale}
	lse, dloss, dscores, n := view[T](args[3]), view[T](args[4]), view[T](args[5]), len(r.scores)
	if len(r.goals) != n || len(r.weights) != n || len(lse) != 1 || len(dloss) != 1 || len(dscores) != n {
		return mismatch(in, args)
	}
	total := 0.0
	for _, w := range r.weights {
		total += float64(w)
	}
	for i := range n {
		slope := 0.0
		for j := range n {
			if x, ok := r.violation(i, j); ok {
				slope += math.Exp(x - float64(lse[0]))
			}
			if x, ok := r.violation(j, i); ok {
				slope -= math.Exp(x - float64(lse[0]))
			}
		}
		dscores[i] = T(slope * in.Attrs.Scale * total * float64(dloss[0]))
	}
	return nil
}

// triplet: anchors, positives, negatives (R,C), weights(R) -> loss(1), distances(R,2).
func triplet[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 6); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	a, weights, loss, distances := view[T](args[0]), view[T](args[3]), view[T](args[4]), view[T](args[5])
	if len(a) != r*c || len(view[T](args[1])) != r*c || len(view[T](args[2])) != r*c || len(weights) != r || len(loss) != 1 || len(distances) != 2*r {
		return mismatch(in, args)
	}
	sum := 0.0
	for i := range r {
		var d [2]float64
		for side := range d {
			other := view[T](args[1+side])[i*c : (i+1)*c]
			for k, v := range a[i*c : (i+1)*c] {
				x := float64(v) - float64(other[k])
				d[side] += float64(x * x)
			}
			d[side] = math.Sqrt(d[side])
			distances[2*i+side] = T(d[side])
		}
		sum += float64(float64(weights[i]) * max(0, d[0]-d[1]+in.Attrs.Margin))
	}
	loss[0] = T(sum)
	return nil
}

// tripletGrad: anchors, positives, negatives, weights, distances, dloss(1) -> danchors, dpositives, dnegatives.
func tripletGrad[T float](in *exec.Instr, args []exec.Arg) error {
	if err := operands(in, args, 9); err != nil {
		return err
	}
	r, c, err := rowsCols(in, args, 0)
	if err != nil {
		return err
	}
	a, weights, distances, dloss, da := view[T](args[0]), view[T](args[3]), view[T](args[4]), view[T](args[5]), view[T](args[6])
	for _, k := range [...]int{0, 1, 2, 6, 7, 8} {
		if len(view[T](args[k])) != r*c {
			return mismatch(in, args)
		}
	}
	if len(weights) != r || len(distances) != 2*r || len(dloss) != 1 {
		return mismatch(in, args)
	}
	clear(da)
	for side, sign := range [...]float64{1, -1} {
		other, dother := view[T](args[1+side]), view[T](args[7+side])
		clear(dother)
		for i := range r {
			d := float64(distances[2*i+side])
			if float64(distances[2*i])-float64(distances[2*i+1])+in.Attrs.Margin <= 0 || d == 0 {
				continue
			}
			factor := sign * float64(dloss[0]) * float64(weights[i]) / d
			for k := i * c; k < (i+1)*c; k++ {
				slope := T(factor * (float64(a[k]) - float64(other[k])))
				da[k] += slope
				dother[k] = -slope
			}
		}
	}
	return nil
}

package graph

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"hone/trainer/exec"
)

// Outputs are what a program computes. With a Loss, of one element, it computes the gradient of every trainable
// parameter too, scaled by the input "seed" (1).
type Outputs struct {
	Loss  *Node
	Named []Named
}

// Named is a value for the host to read.
type Named struct {
	Name string
	Node *Node
}

// Lower differentiates the graph and turns it into a flat program. Gradients lie in the grad arena, at the offsets of
// their parameters. All programs of one model share a layout; nil makes one from Params. A graph can be lowered once.
func (b *Builder) Lower(l *exec.Layout, out Outputs) (*exec.Program, error) {
	if b.lowered {
		b.fail("the graph is lowered already")
	}
	b.lowered = true
	b.Scope("")
	if l == nil {
		l = exec.NewLayout(b.dt, b.Params())
	}
	var grads map[string]*gorgonia.Node
	forward := len(b.g.AllNodes())
	if b.err == nil && out.Loss != nil {
		if err := b.checkTrainable(l); err != nil {
			b.fail("%w", err)
		} else if grads, err = b.differentiate(out.Loss); err != nil {
			b.fail("%w", err)
		}
	}
	for _, o := range out.Named {
		if b.err == nil && (o.Node == nil || o.Node.n == nil) {
			b.fail("output %s is missing", o.Name)
		}
	}
	if b.err != nil {
		return nil, b.Err()
	}
	w := lowering{
		b: b, nodes: forward, l: l, x: exec.NewBuilder(b.name), notes: b.sumNotes(),
		ids: map[*gorgonia.Node]exec.ID{}, parts: map[part]exec.ID{}, homes: map[*gorgonia.Node]exec.ParamInfo{},
		stored: map[*gorgonia.Node]bool{},
	}
	return w.program(out, grads)
}

// checkTrainable compares the trainable parameters of the layout with those of the graph: one that has no gradient
// here would be updated with what an earlier program has left in its place.
func (b *Builder) checkTrainable(l *exec.Layout) error {
	here := map[string]bool{}
	for _, p := range b.params {
		here[p.info.Name] = p.info.Trainable
	}
	for _, p := range l.Params {
		if p.Trainable && !here[p.Name] {
			return fmt.Errorf("parameter %s: trainable in the layout, not in the graph", p.Name)
		}
	}
	return nil
}

// differentiate gives the gradient of each trainable parameter.
func (b *Builder) differentiate(loss *Node) (map[string]*gorgonia.Node, error) {
	if loss.n == nil || elems(loss.shape) != 1 {
		return nil, fmt.Errorf("the loss has shape %s, want one element", dims(loss.shape))
	}
	if !loss.diff {
		return nil, errors.New("the loss depends on no trainable parameter")
	}
	reached := map[*gorgonia.Node]bool{}
	b.walk([]*gorgonia.Node{loss.n}, reached)
	var wrt gorgonia.Nodes
	for _, p := range b.params {
		if !p.info.Trainable {
			continue
		}
		if !reached[p.node.n] {
			return nil, fmt.Errorf("parameter %s: trainable, but the loss does not depend on it", p.info.Name)
		}
		wrt = append(wrt, p.node.n)
	}
	seed := b.leaf("input", "seed", b.dt, loss.shape)
	if b.err != nil {
		return nil, b.err
	}
	b.terms[loss.n] = []*gorgonia.Node{seed.n}
	if _, err := gorgonia.Backpropagate(gorgonia.Nodes{loss.n}, gorgonia.Nodes{seed.n}, wrt); err != nil {
		return nil, fmt.Errorf("differentiation: %w", err)
	}
	if err := b.checkSums(); err != nil {
		return nil, err
	}
	grads := map[string]*gorgonia.Node{}
	for _, p := range b.params {
		if !p.info.Trainable {
			continue
		}
		g := p.node.n.Deriv()
		if !slices.Equal([]int(g.Shape()), p.node.shape) {
			return nil, fmt.Errorf("parameter %s: gradient of shape %v, want %v", p.info.Name, g.Shape(), p.node.shape)
		}
		grads[p.info.Name] = g
	}
	return grads, nil
}

// ErrMerged says that Gorgonia has merged two sums of a graph whose hashes collide. With n sums this happens to
// about n² of 2^33 graphs; with other names of parameters it goes away.
var ErrMerged = errors.New("gorgonia merged two different sums of gradients")

const sumOp = "+ false" // what Gorgonia's sum of two tensors calls itself

// checkSums makes sure that each derivative is the sum, from left to right, of exactly the terms that the operations
// have given, since Gorgonia's own sums have no serial numbers.
func (b *Builder) checkSums() error {
	for _, n := range b.g.AllNodes() { // in this order, for one error message
		terms := b.terms[n]
		if len(terms) == 0 {
			continue
		}
		sum := n.Deriv()
		for k := len(terms) - 1; k > 0 && sum != nil; k-- {
			if sum.Op() == nil || sum.Op().String() != sumOp {
				return fmt.Errorf("gradient of %s: %w", n.Name(), ErrMerged)
			}
			c := b.children(sum)
			if c[1] != terms[k] {
				return fmt.Errorf("gradient of %s: %w", n.Name(), ErrMerged)
			}
			sum = c[0]
		}
		if sum != terms[0] {
			return fmt.Errorf("gradient of %s: %w", n.Name(), ErrMerged)
		}
	}
	return nil
}

func (b *Builder) children(n *gorgonia.Node) []*gorgonia.Node {
	var c []*gorgonia.Node
	for it := b.g.From(n.ID()); it.Next(); {
		c = append(c, it.Node().(*gorgonia.Node))
	}
	return c
}

// walk marks what the nodes are computed from.
func (b *Builder) walk(from []*gorgonia.Node, seen map[*gorgonia.Node]bool) {
	for len(from) > 0 {
		n := from[len(from)-1]
		from = from[:len(from)-1]
		if !seen[n] {
			seen[n] = true
			from = append(from, b.children(n)...)
		}
	}
}

// A lowering turns the live part of a graph into instructions.
type lowering struct {
	b     *Builder
	l     *exec.Layout
	x     *exec.Builder
	nodes int // of the forward pass: the first ones
	count int // instructions
	ids   map[*gorgonia.Node]exec.ID
	parts map[part]exec.ID                  // results of bundles
	notes map[*gorgonia.Node]string         // of sums
	homes map[*gorgonia.Node]exec.ParamInfo // gradients that are computed in place: of which parameter

	stored map[*gorgonia.Node]bool // parameters of a stored type, or in panels
}

type part struct {
	bundle *gorgonia.Node
	k      int
}

func (w *lowering) program(out Outputs, grads map[string]*gorgonia.Node) (*exec.Program, error) {
	b := w.b
	var roots []*gorgonia.Node
	for _, o := range out.Named {
		roots = append(roots, o.Node.n)
	}
	for _, n := range b.g.AllNodes() {
		if o, ok := n.Op().(*op); ok && len(o.writes) > 0 {
			roots = append(roots, n)
		}
	}
	copies := map[string]*gorgonia.Node{}
	for _, p := range w.l.Params {
		g := grads[p.Name]
		if g == nil {
			continue
		}
		roots = append(roots, g)
		// A parameter's gradient is computed in place unless another parameter has
		// the same one, or it is the seed.
		if _, taken := w.homes[g]; taken || g.Op() == nil {
			copies[p.Name] = g
		} else {
			w.homes[g] = p
		}
	}
	live := map[*gorgonia.Node]bool{}
	b.walk(roots, live)

	selects := map[part]*gorgonia.Node{} // of live bundles, to find a gradient's home
	for _, n := range b.g.AllNodes() {
		if o, ok := n.Op().(*op); ok && live[n] && o.code == exec.OpInvalid {
			selects[part{b.children(n)[0], o.part}] = n
		}
	}
	params := map[*gorgonia.Node][]int{} // the shapes as stored
	for _, p := range b.params {
		params[p.node.n] = p.info.Shape
	}

	forward := 0 // instructions
	// Order of creation is a topological order, and puts the gradients of weights
	// beside those of activations. Gorgonia's Sort gains nothing on it.
	for id, n := range b.g.AllNodes() {
		if n.ID() != int64(id) {
			return nil, fmt.Errorf("graph: %s: gorgonia removed a node before %d", b.name, id)
		}
		if id == w.nodes {
			forward = w.count
		}
		if !live[n] && !b.caches[n] { // caches lie at the same places in all programs
			continue
		}
		switch {
		case params[n] != nil:
			if err := w.param(n, params[n]); err != nil {
				return nil, fmt.Errorf("graph: %s: %w", b.name, err)
			}
		case b.caches[n]:
			w.ids[n] = w.x.Cache(n.Name(), w.dtype(n), n.Shape()...)
		case n.Op() == nil:
			w.ids[n] = w.x.Input(n.Name(), w.dtype(n), n.Shape()...)
			if values, ok := b.consts[n]; ok {
				w.x.Constant(w.ids[n], values)
			}
		default:
			if err := w.instr(n, selects); err != nil {
				return nil, fmt.Errorf("graph: %s: %w", b.name, err)
			}
		}
	}
	for _, p := range w.l.Params {
		if g := copies[p.Name]; g != nil {
			w.emit(exec.OpCopy, []exec.ID{w.ids[g]}, []exec.ID{w.gradOf(p, g.Shape())}, exec.Attrs{}, p.Name)
		}
	}
	for _, o := range out.Named {
		w.x.Output(o.Name, w.ids[o.Node.n])
	}
	if b.bf16 {
		w.x.BF16()
	}
	if b.again && grads != nil {
		w.x.Recompute(forward)
	}
	if !b.unfused {
		w.x.Fuse()
	}
	if b.int8 {
		w.x.Int8()
	}
	return w.x.Program()
}

func (w *lowering) dtype(n *gorgonia.Node) exec.DType {
	for dt, t := range dtypes {
		if t == n.Dtype() {
			return dt
		}
	}
	panic("graph: a leaf of another type than the Builder makes")
}

func (w *lowering) param(n *gorgonia.Node, stored []int) error {
	p, ok := w.l.Param(n.Name())
	if !ok {
		return fmt.Errorf("parameter %s is not in the layout", n.Name())
	}
	if p.DType != w.b.dt && !p.DType.Stored() || !slices.Equal(p.Shape, stored) {
		return fmt.Errorf("parameter %s: %v%s, but %v%s in the layout", p.Name, w.b.dt, dims(stored), p.DType, dims(p.Shape))
	}
	w.ids[n] = w.x.Param(p, n.Shape()...)
	if p.DType.Stored() || p.Form != exec.Rows {
		w.stored[n] = true
	}
	return nil
}

// operand is the value of a node for the next instruction. Where the instruction does not read it as it is stored, a
// parameter is expanded for each instruction, so that it is kept as floats no longer than needed.
func (w *lowering) operand(n *gorgonia.Node, asStored bool) exec.ID {
	if !w.stored[n] || asStored {
		return w.ids[n]
	}
	y := w.x.Scratch(fmt.Sprintf("%%%d", w.count), w.b.dt, n.Shape()...)
	w.emit(exec.OpDequantize, []exec.ID{w.ids[n]}, []exec.ID{y}, exec.Attrs{}, n.Name())
	return y
}

// readsStored says that an instruction reads a parameter as it is stored.
func (w *lowering) readsStored(o *op, n *gorgonia.Node) bool {
	p, ok := w.l.Param(n.Name())
	if !ok || p.Form == exec.Rows || o.form(n) != p.Form {
		return false
	}
	if o.code != exec.OpConcat {
		return true
	}
	var parts []exec.ID
	for _, in := range o.in {
		parts = append(parts, w.ids[in.n])
	}
	return w.x.Joined(parts...)
}

func (w *lowering) gradOf(p exec.ParamInfo, shape []int) exec.ID {
	return w.x.At(p.Name+".grad", exec.Grad, p.Offset, w.b.dt, shape...)
}

// value makes the value that a node's instruction writes. Scratch values are named
// after the instruction: %12, %12.lse.
func (w *lowering) value(n *gorgonia.Node, r result, k int) exec.ID {
	if n != nil {
		if p, ok := w.homes[n]; ok {
			return w.gradOf(p, n.Shape())
		}
	}
	name := fmt.Sprintf("%%%d", w.count)
	if k > 0 {
		name += "." + r.name
	}
	return w.x.Scratch(name, w.b.dt, r.shape...)
}

func (w *lowering) emit(code exec.Op, in, out []exec.ID, a exec.Attrs, note string) {
	w.x.Emit(code, in, out, a, note)
	w.count++
}

func (w *lowering) instr(n *gorgonia.Node, selects map[part]*gorgonia.Node) error {
	var in []exec.ID
	children := w.b.children(n)
	o, ok := n.Op().(*op)
	w.x.Layer(0)
	if ok {
		w.x.Layer(o.layer)
	}
	if !ok {
		if n.Op().String() != sumOp {
			return fmt.Errorf("gorgonia brought in an operation of its own: %v", n.Op())
		}
		for _, c := range children {
			in = append(in, w.operand(c, false))
		}
		w.ids[n] = w.value(n, result{"y", n.Shape()}, 0)
		w.emit(exec.OpAdd, in, []exec.ID{w.ids[n]}, exec.Attrs{}, w.notes[n])
		return nil
	}
	if o.code == exec.OpInvalid {
		w.ids[n] = w.parts[part{children[0], o.part}]
		return nil
	}
	for _, c := range children {
		in = append(in, w.operand(c, w.readsStored(o, c)))
	}
	var out []exec.ID
	if len(o.out) == 1 {
		w.ids[n] = w.value(n, o.out[0], 0)
		out = append(out, w.ids[n])
	} else {
		for k, r := range o.out {
			if r.shape == nil {
				out = append(out, exec.None)
				continue
			}
			p := part{n, k}
			w.parts[p] = w.value(selects[p], r, k)
			out = append(out, w.parts[p])
		}
	}
	for _, k := range o.writes {
		out = append(out, in[k])
	}
	if o.slots != nil {
		operands := make([]exec.ID, len(o.slots))
		for k, s := range o.slots {
			operands[k] = exec.None
			if s >= 0 {
				operands[k] = in[s]
			}
		}
		in = operands
	}
	w.emit(o.code, in, out, o.attrs, o.scope)
	return nil
}

// sumNotes gives the origin of the values whose gradients are sums.
func (b *Builder) sumNotes() map[*gorgonia.Node]string {
	notes := map[*gorgonia.Node]string{}
	for _, n := range b.g.AllNodes() {
		if len(b.terms[n]) < 2 || notes[n.Deriv()] != "" {
			continue
		}
		notes[n.Deriv()] = n.Name()
		if o, ok := n.Op().(*op); ok {
			notes[n.Deriv()] = o.scope
		}
	}
	return notes
}

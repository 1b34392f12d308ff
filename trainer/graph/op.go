package graph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"hone/trainer/exec"
)

// An op is a node's operation as Gorgonia sees it.
//
// An operation of several results (a norm with its statistics) is a bundle: one flat
// vector of all of them, read by selects. Only the first result is differentiable:
// Gorgonia would add the gradients of two as if they were of one tensor.
type op struct {
	b      *Builder
	serial uint32
	scope  string
	layer  int
	code   exec.Op // OpInvalid: a select
	attrs  exec.Attrs
	in     []*Node
	out    []result
	part   int   // a select's
	slots  []int // operand k of the instruction is in[slots[k]], absent if -1; nil: they are the same
	writes []int // inputs that the instruction writes too

	// grad gives the gradient of each input from that of the first result; nil
	// where the input does not want one.
	grad func(dy *Node) []*Node
}

type result struct {
	name  string
	shape []int // nil: not wanted
}

func (r result) elems() int {
	if r.shape == nil {
		return 0
	}
	return elems(r.shape)
}

func (o *op) Arity() int                                            { return len(o.in) }
func (o *op) ReturnsPtr() bool                                      { return true }
func (o *op) CallsExtern() bool                                     { return false }
func (o *op) OverwritesInput() int                                  { return -1 }
func (o *op) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return o.shape(), nil }

// Hashcode is a number of the op's own. Gorgonia merges nodes whose 32-bit hashes are
// equal when their ops' Hashcodes, types and shapes are, without a look at what their
// operands are: equal ops on two parameters could silently become one.
func (o *op) Hashcode() uint32 { return o.serial }

func (o *op) WriteHash(h hash.Hash) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], o.serial)
	h.Write(b[:])
}

func (o *op) String() string {
	if o.code == exec.OpInvalid {
		return fmt.Sprintf("select %d", o.part)
	}
	return fmt.Sprintf("%v %s", o.code, o.scope)
}

// Type has concrete types only; shapes are checked by the builder's methods.
func (o *op) Type() hm.Type {
	ts := make([]hm.Type, 0, len(o.in)+1)
	for _, in := range o.in {
		dims := len(in.shape)
		if o.code == exec.OpInvalid {
			dims = 1 // a select reads the flat bundle
		}
		ts = append(ts, gorgonia.TensorType{Dims: dims, Of: dtypes[in.dt]})
	}
	ts = append(ts, gorgonia.TensorType{Dims: len(o.shape()), Of: dtypes[o.b.dt]})
	return hm.NewFnType(ts...)
}

// shape is the node's: flat for a bundle.
func (o *op) shape() tensor.Shape {
	if o.code == exec.OpInvalid {
		return o.out[o.part].shape
	}
	if len(o.out) == 1 {
		return o.out[0].shape
	}
	n := 0
	if len(o.out) == 0 { // it only writes: nothing reads the node
		n = 1
	}
	for _, r := range o.out {
		n += r.elems()
	}
	return tensor.Shape{n}
}

func elems(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// DiffWRT says which inputs want a gradient: those that depend on a trainable parameter.
func (o *op) DiffWRT(int) []bool {
	want := make([]bool, len(o.in))
	for i, in := range o.in {
		want[i] = in.diff && o.part == 0
	}
	return want
}

// SymDiff adds the op's gradient to the graph, and remembers the terms that it gives to each input: checkSums checks
// that Gorgonia has summed exactly those.
func (o *op) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	b := o.b
	dx := []*Node{{n: grad}}
	if o.code != exec.OpInvalid {
		if o.grad == nil {
			return nil, fmt.Errorf("%s: %v has no gradient", o.scope, o.code)
		}
		b.scope, b.layer = o.scope, o.layer
		dx = o.grad(&Node{n: grad, shape: o.out[0].shape, dt: b.dt})
		if b.err != nil {
			return nil, b.err
		}
	}
	nodes := make(gorgonia.Nodes, len(inputs))
	for i, want := range o.DiffWRT(len(inputs)) {
		if !want {
			continue
		}
		if dx[i] == nil {
			return nil, fmt.Errorf("%s: %v has no gradient for input %d", o.scope, o.code, i)
		}
		nodes[i] = dx[i].n
		b.terms[inputs[i]] = append(b.terms[inputs[i]], dx[i].n)
	}
	return nodes, nil
}

// Do is what Gorgonia's own machines call. They do not run our programs.
func (o *op) Do(values ...gorgonia.Value) (gorgonia.Value, error) {
	if o.b.do == nil {
		return nil, errors.New("graph: operations run as lowered programs only")
	}
	return o.b.do(o, values)
}

// apply adds an op to the graph and returns its results. Absent inputs are nil.
func (b *Builder) apply(o op, in ...*Node) []*Node {
	results := make([]*Node, len(o.out))
	for i := range results {
		results[i] = &Node{}
	}
	if b.err != nil {
		return results
	}
	diff := false
	var slots []int
	for _, n := range in {
		if n == nil {
			slots = append(slots, -1)
			continue
		}
		slots = append(slots, len(o.in))
		o.in = append(o.in, n)
		diff = diff || n.diff
	}
	if len(o.in) < len(in) {
		o.slots = slots
	}
	bundle := b.add(&o)
	if b.err != nil {
		return results
	}
	if len(o.out) == 1 {
		results[0] = &Node{n: bundle, shape: o.out[0].shape, dt: b.dt, diff: diff}
		return results
	}
	for i, r := range o.out {
		if r.shape == nil {
			continue
		}
		whole := &Node{n: bundle, dt: b.dt, diff: diff && i == 0}
		n := b.add(&op{in: []*Node{whole}, out: o.out, part: i})
		if b.err != nil {
			return results
		}
		results[i] = &Node{n: n, shape: r.shape, dt: b.dt, diff: diff && i == 0, saved: diff && i > 0}
	}
	return results
}

// add makes the Gorgonia node of an op.
func (b *Builder) add(o *op) *gorgonia.Node {
	b.serial++
	o.b, o.serial, o.scope, o.layer = b, b.serial, b.scope, b.layer
	children := make([]*gorgonia.Node, len(o.in))
	for i, in := range o.in {
		children[i] = in.n
	}
	n, err := gorgonia.ApplyOp(o, children...)
	if err != nil {
		b.fail("%v: %w", o, err)
		return nil
	}
	if n.Op() != gorgonia.Op(o) {
		b.fail("%v: gorgonia merged it with %v", o, n.Op())
		return nil
	}
	return n
}

// differentiable refuses a node through which a gradient would be lost without a word.
func (b *Builder) differentiable(code exec.Op, nodes ...*Node) {
	for _, n := range nodes {
		if n != nil && n.saved {
			b.fail("%v: an operand is a statistic of another operation, which has no gradient", code)
		}
	}
}

// form is the form in which an op reads an input best.
func (o *op) form(n *gorgonia.Node) exec.Form {
	form := exec.Rows
	for k, in := range o.in {
		if in.n != n {
			continue
		}
		switch {
		case o.code == exec.OpLinear && k == 1 && o.attrs.Transposed:
			form = exec.PanelsT
		case o.code == exec.OpLinear && k == 1, o.code == exec.OpEmbed && k == 0, o.code == exec.OpConcat:
			form = exec.Panels
		default:
			return exec.Rows
		}
	}
	return form
}

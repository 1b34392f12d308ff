// Package graph is the mathematics of a model: a builder of expression graphs over
// differentiable operations, their gradients, and the lowering to a flat program.
//
// The graph, its types and the reverse-mode differentiation are Gorgonia's; the
// operations plug into it, each with a symbolic gradient of its own, and no operation
// spans more than one step of a model. Gorgonia's machines do not run the result:
// Lower turns it into an exec.Program.
package graph

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"hone/trainer/exec"
)

// A Builder builds one expression graph. It keeps the first error, which Lower
// returns, and does nothing after it. A Builder is for one goroutine.
type Builder struct {
	name   string
	dt     exec.DType
	g      *gorgonia.ExprGraph
	err    error
	scope  string
	layer  int // 0: none
	frozen func(name string) bool
	headed func(name string) bool
	layers int // as far as they have been seen
	stored func(name string) exec.DType

	serial  uint32 // of the last op; see op.Hashcode
	salt    uint64 // of the last dropout
	params  []param
	consts  map[*gorgonia.Node]any // []float64 or []int32
	names   map[string]bool        // of parameters and inputs
	caches  map[*gorgonia.Node]bool
	terms   map[*gorgonia.Node][]*gorgonia.Node
	lowered bool
	again   bool // layers run again for their gradients
	bf16    bool // matrix products round their operands
	int8    bool // products with quantised weights round their other operand
	packed  bool // weights are kept as products read them
	unfused bool // set by tests: each node stays an instruction

	do func(o *op, values []gorgonia.Value) (gorgonia.Value, error) // set by tests: runs an op on Gorgonia's machine
}

// A Node is a value of the graph.
type Node struct {
	n     *gorgonia.Node
	shape []int
	dt    exec.DType
	diff  bool // depends on a trainable parameter
	saved bool // carries no gradient although it depends on its op's inputs
	cache bool // an instruction may write it
}

// Shape is the node's shape, nil after an error. It must not be changed.
func (n *Node) Shape() []int { return n.shape }

// Init says how a parameter is initialised: with zeros (the zero Init), ones, normal numbers of mean 0 and
// standard deviation Std, uniform ones from -Uniform to Uniform, or a table of positions of size Std.
type Init struct {
	Std       float64
	Uniform   float64
	Ones      bool
	Positions bool // row r is sines and cosines of r (Vaswani et al. 2017, §3.5)
}

type param struct {
	info exec.ParamInfo // with the shape as stored
	init Init
	node *Node
	// depth is 0 before the first layer, that of a layer counted from 1, or one more behind it; -1: in a head.
	depth int
}

// New starts a graph whose floats are all of type dt (float32 or float64).
func New(name string, dt exec.DType) *Builder {
	b := &Builder{
		name: name, dt: dt, g: gorgonia.NewGraph(gorgonia.WithGraphName(name)),
		names: map[string]bool{}, consts: map[*gorgonia.Node]any{}, terms: map[*gorgonia.Node][]*gorgonia.Node{},
		caches: map[*gorgonia.Node]bool{},
	}
	if dt != exec.F32 && dt != exec.F64 {
		b.fail("%v is no float type", dt)
	}
	return b
}

// Head says which parameters are those of a head, not of the body. Call it before Param.
func (b *Builder) Head(headed func(name string) bool) { b.headed = headed }

// Freeze says which parameters get no gradient. Call it before Param.
func (b *Builder) Freeze(frozen func(name string) bool) {
	if len(b.params) > 0 {
		b.fail("Freeze is called after Param")
	}
	b.frozen = frozen
}

// Store gives the types in which the layout keeps parameters, exec.Q8_0 for one. Parameters of a type that is
// not a stored one get the graph's type, and so do vectors of BF16. Call it before Param.
func (b *Builder) Store(stored func(name string) exec.DType) {
	if len(b.params) > 0 {
		b.fail("Store is called after Param")
	}
	b.stored = stored
}

// Recompute makes the results of a layer be computed again for its gradients, except those that other layers
// read. It saves memory, and takes about a third of a step's time. See exec.Builder.Recompute.
func (b *Builder) Recompute() { b.again = true }

// BF16 makes matrix products round their operands to bf16. See exec.Builder.BF16.
func (b *Builder) BF16() { b.bf16 = true }

// Int8 makes products with quantised weights round their other operand to 8 bits. See exec.Builder.Int8.
func (b *Builder) Int8() { b.int8 = true }

// Pack keeps parameters that only products and embeddings read in the form that products read. They must be frozen.
func (b *Builder) Pack() { b.packed = true }

// Scope names the operations that follow, until the next Scope or Layer, in listings and
// errors: "embed".
func (b *Builder) Scope(name string) { b.scope, b.layer = name, 0 }

// Layer says that the operations that follow belong to layer n, counted from 0, and names them: "h.3.attn".
func (b *Builder) Layer(n int, name string) {
	b.scope, b.layer = name, n+1
	b.layers = max(b.layers, n+1)
}

// Param declares a parameter, trainable unless frozen. Weight decay applies to those
// of rank 2 and more.
func (b *Builder) Param(name string, init Init, shape ...int) *Node {
	trainable := b.frozen == nil || !b.frozen(name)
	n := b.leaf("parameter", name, b.dt, shape)
	if b.err != nil {
		return n
	}
	info := exec.ParamInfo{Name: name, Shape: n.shape, Decay: len(shape) > 1, Trainable: trainable, DType: b.dt}
	if b.stored != nil {
		if dt := b.stored(name); dt.Quantized() || dt.Stored() && len(shape) > 1 {
			info.DType = dt
		}
	}
	switch last := shape[len(shape)-1]; {
	case info.DType.Stored() && trainable:
		return b.fail("parameter %s: of type %v, which cannot be trained: freeze it", name, info.DType)
	case last%info.DType.Block() != 0:
		return b.fail("parameter %s: rows of %d are not whole blocks of %v, %d each", name, last, info.DType, info.DType.Block())
	}
	n.diff = trainable
	depth := b.layer
	switch {
	case b.headed != nil && b.headed(name):
		depth = -1
	case b.layer == 0 && b.layers > 0:
		depth = b.layers + 1
	}
	b.params = append(b.params, param{info, init, n, depth})
	return n
}

// Matrix declares the weight of a hidden layer: a parameter of rank 2, whose columns
// hold a number of linear maps side by side; see exec.ParamInfo. Embeddings and output
// layers are plain parameters.
func (b *Builder) Matrix(name string, init Init, maps int, shape ...int) *Node {
	if b.err == nil && (len(shape) != 2 || maps < 1 || shape[1]%maps != 0) {
		return b.fail("matrix %s: shape %v does not hold %d maps side by side", name, shape, maps)
	}
	n := b.Param(name, init, shape...)
	if b.err == nil {
		b.params[len(b.params)-1].info.Maps = maps
	}
	return n
}

// Stored gives the shape that n, the parameter declared last, has in checkpoints, with as many elements: XLNet's
// matrices have rank 3 there.
func (b *Builder) Stored(n *Node, shape ...int) *Node {
	if b.err != nil {
		return n
	}
	if len(b.params) == 0 || b.params[len(b.params)-1].node != n || elems(shape) != elems(n.shape) {
		return b.fail("shape %v is not that of the last parameter's elements", shape)
	}
	b.params[len(b.params)-1].info.Shape = shape
	return n
}

// Input declares a value that the host feeds.
func (b *Builder) Input(name string, dt exec.DType, shape ...int) *Node {
	return b.leaf("input", name, dt, shape)
}

// Constant declares an input of fixed values, []float64 or []int32, that the executor sets.
func (b *Builder) Constant(name string, values any, shape ...int) *Node {
	dt, n := b.dt, 0
	switch v := values.(type) {
	case []float64:
		n = len(v)
	case []int32:
		dt, n = exec.I32, len(v)
	default:
		return b.fail("constant %s: a %T, want []float64 or []int32", name, values)
	}
	node := b.leaf("constant", name, dt, shape)
	if b.err != nil {
		return node
	}
	if n != elems(shape) {
		return b.fail("constant %s: %d values, want %v", name, n, shape)
	}
	b.consts[node.n] = values
	return node
}

// Cache declares floats of class exec.Cache: instructions read and write them, they survive runs, and programs
// share them.
func (b *Builder) Cache(name string, shape ...int) *Node {
	n := b.leaf("cache", name, b.dt, shape)
	if n.cache = true; n.n != nil {
		b.caches[n.n] = true
	}
	return n
}

func (b *Builder) leaf(kind, name string, dt exec.DType, shape []int) *Node {
	if b.err != nil {
		return &Node{}
	}
	if b.names[name] {
		return b.fail("%s %s: the name is taken", kind, name)
	}
	if len(shape) == 0 || slices.Min(shape) < 1 {
		return b.fail("%s %s: shape %v: want one or more sizes above 0", kind, name, shape)
	}
	b.names[name] = true
	shape = slices.Clone(shape)
	before := len(b.g.AllNodes())
	n := gorgonia.NewTensor(b.g, dtypes[dt], len(shape), gorgonia.WithName(name), gorgonia.WithShape(shape...))
	if len(b.g.AllNodes()) != before+1 {
		return b.fail("%s %s: gorgonia merged it with another node", kind, name)
	}
	return &Node{n: n, shape: shape, dt: dt}
}

var dtypes = map[exec.DType]tensor.Dtype{exec.F32: tensor.Float32, exec.F64: tensor.Float64, exec.I32: tensor.Int32}

// Params lists the parameters in order of declaration, for exec.NewLayout.
func (b *Builder) Params() []exec.ParamInfo {
	infos := make([]exec.ParamInfo, len(b.params))
	for i, p := range b.params {
		infos[i] = p.info
		infos[i].Form = b.form(p)
		if p.depth >= 0 {
			infos[i].Above = b.layers + 2 - p.depth
		}
		for readers := b.g.To(p.node.n.ID()); readers.Next(); {
			if o, ok := readers.Node().(*gorgonia.Node).Op().(*op); ok && o.code == exec.OpConcat {
				infos[i].Joint = int(readers.Node().ID()) + 1
			}
		}
	}
	return infos
}

// form is how a parameter is kept.
func (b *Builder) form(p param) exec.Form {
	if !b.packed || b.bf16 || b.dt != exec.F32 || b.err != nil || p.info.Trainable ||
		len(p.info.Shape) != 2 || !slices.Equal(p.info.Shape, p.node.shape) {
		return exec.Rows
	}
	form := b.readAs(p.node.n)
	if form == exec.PanelsT && p.info.DType.Quantized() { // whose blocks are of outputs
		return exec.Rows
	}
	return form
}

// readAs is the form in which all operations that read a matrix want it; rows, where they differ, or where rows are
// looked up in it and no product reads it.
func (b *Builder) readAs(n *gorgonia.Node) exec.Form {
	form, multiplied := exec.Rows, false
	for readers := b.g.To(n.ID()); readers.Next(); {
		reader := readers.Node().(*gorgonia.Node)
		o, ok := reader.Op().(*op)
		if !ok {
			return exec.Rows
		}
		f := o.form(n)
		if o.code == exec.OpConcat { // which the product behind it reads, without a copy if all panels are full
			if f = b.readAs(reader); f != exec.Panels {
				return exec.Rows
			}
			for _, part := range o.in[:len(o.in)-1] {
				if part.shape[0]%exec.PanelWidth != 0 {
					return exec.Rows
				}
			}
		}
		if f == exec.Rows || form != exec.Rows && f != form {
			return exec.Rows
		}
		form, multiplied = f, multiplied || o.code != exec.OpEmbed
	}
	if !multiplied {
		return exec.Rows
	}
	return form
}

// Inits are the initialisations of the parameters, in the order of Params.
func (b *Builder) Inits() []Init {
	inits := make([]Init, len(b.params))
	for i, p := range b.params {
		inits[i] = p.init
	}
	return inits
}

// Err is the first error.
func (b *Builder) Err() error {
	if b.err == nil {
		return nil
	}
	return fmt.Errorf("graph: %s: %w", b.name, b.err)
}

func (b *Builder) fail(format string, args ...any) *Node {
	if b.err == nil {
		b.err = fmt.Errorf(format, args...)
		if b.scope != "" {
			b.err = fmt.Errorf("%s: %w", b.scope, b.err)
		}
	}
	return &Node{}
}

// shape checks a node's type and rank; a size of -1 fits any. It is false after an error.
func (b *Builder) shape(op exec.Op, what string, n *Node, dt exec.DType, want ...int) bool {
	if b.err != nil {
		return false
	}
	if n == nil || n.n == nil {
		b.fail("%v: %s is missing", op, what)
		return false
	}
	if n.n.Graph() != b.g {
		b.fail("%v: %s belongs to another graph", op, what)
		return false
	}
	ok := n.dt == dt && len(n.shape) == len(want)
	for i := range want {
		ok = ok && (want[i] < 0 || want[i] == n.shape[i])
	}
	if !ok {
		b.fail("%v: %s is %v%s, want %v%s", op, what, n.dt, dims(n.shape), dt, dims(want))
	}
	return ok
}

func dims(shape []int) string {
	s := make([]string, len(shape))
	for i, d := range shape {
		s[i] = fmt.Sprint(d)
		if d < 0 {
			s[i] = "any"
		}
	}
	return "(" + strings.Join(s, ",") + ")"
}

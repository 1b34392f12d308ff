package graph

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

func device(t *testing.T) *cpu.Device {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: 1, Kernels: "generic"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	return dev
}

// A run is a float64 program with the values of its parameters and inputs.
type run struct {
	t      *testing.T
	l      *exec.Layout
	mem    *exec.Memory
	x      *exec.Executor
	params map[string][]float64
}

func f64bytes(v []float64) []byte {
	b := make([]byte, 0, 8*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	}
	return b
}

// start lowers a graph and gives its parameters and float inputs random values;
// the other inputs are fed by name.
func start(t *testing.T, dev exec.Device, b *Builder, out Outputs, inputs map[string][]int32) *run {
	t.Helper()
	l := exec.NewLayout(exec.F64, b.Params())
	p, err := b.Lower(l, out)
	if err != nil {
		t.Fatal(err)
	}
	mem := exec.NewMemory(dev, l.Bytes, l.GradBytes(), 0).WithCache(p.Size(exec.Cache))
	x, err := exec.NewExecutor(mem, p)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t, l, mem, x, map[string][]float64{}}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, p := range l.Params {
		v := make([]float64, p.Elems)
		for i := range v {
			v[i] = rnd.NormFloat64()
		}
		r.params[p.Name] = v
		r.set(p, v)
	}
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range p.Named {
			if !yield(name) {
				return
			}
		}
	}) {
		v := p.Values[p.Named[name]]
		if v.Class != exec.Input && v.Class != exec.Cache || slices.ContainsFunc(p.Constants, func(c exec.Constant) bool { return c.ID == p.Named[name] }) {
			continue
		}
		if v.DType == exec.I32 {
			if inputs[name] == nil {
				t.Fatalf("input %s has no values", name)
			}
			err = exec.Feed(x, name, inputs[name])
		} else {
			f := make([]float64, v.Elems())
			for i := range f {
				f[i] = 0.5 + rnd.Float64()
			}
			err = exec.Feed(x, name, f)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *run) set(p exec.ParamInfo, v []float64) {
	r.t.Helper()
	if err := r.mem.Upload(exec.Param, p.Offset, f64bytes(v)); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) read(name string, n int) []float64 {
	r.t.Helper()
	v := make([]float64, n)
	if err := exec.Read(r.x, name, v); err != nil {
		r.t.Fatal(err)
	}
	return v
}

func (r *run) run() {
	r.t.Helper()
	if err := r.x.Run(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *run) grad(p exec.ParamInfo) []float64 {
	r.t.Helper()
	b := make([]byte, 8*p.Elems)
	if err := r.mem.Download(exec.Grad, p.Offset, b); err != nil {
		r.t.Fatal(err)
	}
	v := make([]float64, p.Elems)
	for i := range v {
		v[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return v
}

// checkGradients compares with central differences, as norms over a tensor.
func (r *run) checkGradients(bound float64) {
	r.t.Helper()
	seed := r.read("seed", 1)[0]
	r.run()
	grads := map[string][]float64{}
	for _, p := range r.l.Params {
		if p.Trainable {
			grads[p.Name] = r.grad(p)
		}
	}
	const h = 1e-5
	for _, p := range r.l.Params {
		if !p.Trainable {
			continue
		}
		var diff, norm float64
		v := slices.Clone(r.params[p.Name])
		for i, was := range v {
			var l [2]float64
			for k, step := range []float64{h, -h} {
				v[i] = was + step
				r.set(p, v)
				r.run()
				l[k] = r.read("loss", 1)[0]
			}
			v[i] = was
			want := seed * (l[0] - l[1]) / (2 * h)
			diff += (grads[p.Name][i] - want) * (grads[p.Name][i] - want)
			norm += want * want
		}
		r.set(p, v)
		if e := math.Sqrt(diff / norm); !(e <= bound) {
			r.t.Errorf("%s: gradient of %s differs from central differences by %.2g of its norm %.2g", r.x.Program().Name, p.Name, e, math.Sqrt(norm))
		}
	}
}

const rows = 6 // two sequences of three tokens, one with two segments

var ints = map[string][]int32{
	"ids":             {3, 0, 3, 1, -1, 2},
	"targets":         {1, 0, -1, 2, 3, 1},
	"segments":        {0, 0, 0, 0, 1, 1},
	"order":           {0, 1, 2, 0, 0, 1},
	"key segments":    {0, 0, 0, 1},
	"one segment":     {0, 0, 0, 0, 0, 0},
	"permutation":     {2, 0, 1, 1, 2, 0},
	"key order":       {0, 0, 0, 0},
	"pool":            {2, 5, -1},
	"slots":           {1, 0},
	"key types":       {0, 1, 0, 1, 1, 0, 0, 1, 0, 0},
	"memory order":    {-1, -1, 0, 1, 2, -1, -1, 0, 0, 1},
	"memory segments": {0, 0, 0, 0, 0, -1, 0, 0, 1, 1},
	"ptargets":        {1, 3, -1},
	"ptargets of it":  {1, 3, -1},
	"texts":           {5, 1, 7, 2, 0, 3},
	"candidates":      {5, -1, 5, 2, -1, -1, 7, 3},
	"rng":             {7, 0, 3, 1},
	"spans":           {0, 3, 3, 4, 4, 6},
	"span targets":    {1, 2, 3, -1, 5, 4},

	"positions": {0, 1, 2, 0, -1, 7},
}

// Each operation, between a parameter and a cross-entropy.
func TestGradients(t *testing.T) {
	dev := device(t)
	const c = 4
	checked := map[exec.Op]bool{}
	check := func(b *Builder, out Outputs) {
		r := start(t, dev, b, out, ints)
		r.checkGradients(2e-9)
		for _, in := range r.x.Program().Instrs {
			checked[in.Op] = true
		}
	}
	w := func(b *Builder, name string, shape ...int) *Node { return b.Param(name, Init{}, shape...) }
	for name, op := range map[string]func(b *Builder, x *Node) *Node{
		"cross_entropy": func(b *Builder, x *Node) *Node { return x },
		"embed": func(b *Builder, x *Node) *Node {
			return b.Add(x, b.Embed(w(b, "e", 5, c), b.Input("ids", exec.I32, rows)))
		},
		"linear":            func(b *Builder, x *Node) *Node { return b.Linear(x, w(b, "w", 5, c), w(b, "b", 5), false) },
		"linear transposed": func(b *Builder, x *Node) *Node { return b.Linear(x, w(b, "w", c, 5), nil, true) },
		"column_scale": func(b *Builder, x *Node) *Node {
			y := b.ColumnScale(b.Linear(x, w(b, "w", 9, c), nil, false), w(b, "g", 3), 4)
			return b.ColumnScale(y, b.ColumnScale(w(b, "m", 9), b.Constant("f", []float64{1, 2, 3, 1, -1, 2, 3, 4, 1}, 9), 0), 0)
		},
		"add_linear": func(b *Builder, x *Node) *Node {
			y := b.Linear(x, w(b, "w", 9, c), nil, false)
			y = b.AddLinear(y, b.Linear(x, w(b, "a", 2, c), nil, false), w(b, "b", 3, 2), 0)
			return b.AddLinear(y, b.Linear(x, w(b, "a2", 2, c), nil, false), w(b, "b2", 4, 2), 5)
		},
		"layer_norm":              func(b *Builder, x *Node) *Node { return b.LayerNorm(x, w(b, "g", c), w(b, "b", c), 1e-5) },
		"layer_norm without bias": func(b *Builder, x *Node) *Node { return b.LayerNorm(x, w(b, "g", c), nil, 1e-5) },
		"rms_norm":                func(b *Builder, x *Node) *Node { return b.RMSNorm(x, w(b, "g", c), 1e-5) },
		"rms_norm of heads": func(b *Builder, x *Node) *Node {
			return b.RMSNorm(b.Linear(x, w(b, "w", 8, c), w(b, "b", 8), false), w(b, "g", 4), 1e-5)
		},
		"concat": func(b *Builder, x *Node) *Node {
			weight := b.Concat(w(b, "w1", 2, c), w(b, "w2", 3, c), w(b, "w3", 1, c))
			return b.Linear(x, weight, b.Concat(w(b, "b1", 2), w(b, "b2", 4)), false)
		},
		"concat of a computed part": func(b *Builder, x *Node) *Node {
			return b.Linear(x, b.Concat(w(b, "w1", 2, c), b.Tanh(w(b, "w2", 2, c))), nil, false)
		},
		"tanh":    func(b *Builder, x *Node) *Node { return b.Tanh(x) },
		"sigmoid": func(b *Builder, x *Node) *Node { return b.Sigmoid(x) },
		"relu":    func(b *Builder, x *Node) *Node { return b.ReLU(x) },
		"mish":    func(b *Builder, x *Node) *Node { return b.Activation(exec.Mish, x) },
		"swiglu":  func(b *Builder, x *Node) *Node { return b.GLU(exec.SiLU, x, w(b, "up", rows, c)) },
		"geglu":   func(b *Builder, x *Node) *Node { return b.GLU(exec.GELUTanh, x, b.Tanh(x)) },
		"glu side by side": func(b *Builder, x *Node) *Node {
			return b.GLU(exec.SiLU, b.Linear(x, w(b, "both", 2*c, c), nil, false), nil)
		},
		"rope": func(b *Builder, x *Node) *Node {
			table := b.Rotations(b.Input("positions", exec.I32, rows), Frequencies(2, 100), 1.5)
			return b.RoPE(b.Linear(x, w(b, "qkv", 7, c), nil, false), table, 3)
		},
		"attention": func(b *Builder, x *Node) *Node {
			qkv := b.Linear(x, w(b, "qkv", 12, c), nil, false)
			return b.Attention(Attend{Q: qkv, Heads: Heads{2, 2}, T: 3, Segments: b.Input("segments", exec.I32, rows), Order: b.Input("order", exec.I32, rows)})
		},
		"attention with shared keys": func(b *Builder, x *Node) *Node {
			qkv := b.Linear(x, w(b, "qkv", 8, c), nil, false)
			return b.Attention(Attend{Q: qkv, Heads: Heads{2, 1}, T: 3, Segments: b.Input("segments", exec.I32, rows), Order: b.Input("order", exec.I32, rows)})
		},
		"attention of a second stream": func(b *Builder, x *Node) *Node { // strict, with the keys of the first
			kv := b.Linear(x, w(b, "kv", 8, c), nil, false)
			seg, ord := b.Input("one segment", exec.I32, rows), b.Input("permutation", exec.I32, rows)
			return b.Attention(Attend{Q: b.Linear(x, w(b, "q", 4, c), nil, false), K: kv, Heads: Heads{2, 2}, T: 3, Segments: seg, Order: ord, Strict: true,
				Bias: w(b, "positions", rows, 2, 5)})
		},
		"cross-attention": func(b *Builder, x *Node) *Node {
			other := w(b, "other", 4, c)
			k, v := b.Linear(other, w(b, "k", 2, c), nil, false), b.Linear(other, w(b, "v", 2, c), nil, false)
			return b.Attention(Attend{Q: x, K: k, V: v, Heads: Heads{2, 1}, T: 3, Segments: b.Input("segments", exec.I32, rows), Order: b.Input("order", exec.I32, rows),
				KeyT: 2, KeySegments: b.Input("key segments", exec.I32, 4), KeyOrder: b.Input("key order", exec.I32, 4), Bias: w(b, "bias", 2, 4), Scale: 1})
		},
		"gelu":                    func(b *Builder, x *Node) *Node { return b.GELU(x) },
		"scale":                   func(b *Builder, x *Node) *Node { return b.Scale(b.GELU(x), -0.7) },
		"stored in another shape": func(b *Builder, x *Node) *Node { return b.Linear(x, b.Stored(w(b, "w", 6, c), 2, 3, c), nil, false) },
		"add_bias":                func(b *Builder, x *Node) *Node { return b.AddBias(x, w(b, "b", c)) },
		"transpose": func(b *Builder, x *Node) *Node {
			return b.Linear(b.Transpose(b.Transpose(x)), w(b, "w", 5, c), nil, false)
		},
		"constant": func(b *Builder, x *Node) *Node {
			table := b.Constant("table", []float64{1, 2, 3, 4, -1, 0.5, 2, 3, 1, -2, 1, 2, 3, 3, 4, 1}, 4, 4)
			return b.Add(b.Linear(x, table, nil, false), b.Embed(w(b, "e", 2, c), b.Constant("zeros", make([]int32, rows), rows)))
		},
		"relative_scores": func(b *Builder, x *Node) *Node {
			seg, ord := b.Input("one segment", exec.I32, rows), b.Input("permutation", exec.I32, rows)
			qkv := b.Linear(x, w(b, "qkv", 12, c), nil, false)
			bias := b.RelativeScores(Relative{Q: b.AddBias(x, w(b, "u", c)), K: w(b, "k", 5, c), Heads: 2, T: 3, Scale: 0.7,
				QSeg: b.AddBias(x, w(b, "v", c)), Seg: w(b, "seg", 2, c), Types: b.Input("order", exec.I32, rows)})
			return b.Attention(Attend{Q: qkv, Heads: Heads{2, 2}, T: 3, Segments: seg, Order: ord, Bias: bias})
		},
		"relative_scores without types": func(b *Builder, x *Node) *Node {
			seg, ord := b.Input("segments", exec.I32, rows), b.Input("order", exec.I32, rows)
			bias := b.RelativeScores(Relative{Q: x, K: w(b, "k", 5, c), Heads: 1, T: 3, Scale: 2})
			return b.Attention(Attend{Q: x, K: x, V: x, Heads: Heads{1, 1}, T: 3, Segments: seg, Order: ord, Bias: bias})
		},
		"remember": func(b *Builder, x *Node) *Node {
			all := b.Remember(x, b.Cache("memory", 2, 2, 2, c), b.Input("slots", exec.I32, 2), b.Constant("rows", []int32{2, 3, 4, 7, 8, 9}, rows))
			kv := b.Linear(all, w(b, "kv", 8, c), nil, false)
			bias := b.RelativeScores(Relative{Q: x, K: w(b, "k", 7, c), Heads: 1, T: 3, Scale: 2,
				QSeg: b.AddBias(x, w(b, "v", c)), Seg: w(b, "seg", 2, c), Types: b.Input("key types", exec.I32, 10)})
			return b.Attention(Attend{Q: x, K: kv, Heads: Heads{1, 1}, T: 3, Segments: b.Input("segments", exec.I32, rows), Order: b.Input("order", exec.I32, rows),
				KeySegments: b.Input("memory segments", exec.I32, 10), KeyOrder: b.Input("memory order", exec.I32, 10), KeyT: 5, Bias: bias, Strict: true})
		},
		"t5's relative bias": func(b *Builder, x *Node) *Node {
			seg, ord := b.Input("segments", exec.I32, rows), b.Input("order", exec.I32, rows)
			bias := b.Transpose(b.Embed(w(b, "buckets", 3, 2), b.Constant("distances", []int32{2, 2, 0, 1, 1}, 5)))
			return b.Attention(Attend{Q: x, K: x, V: b.Scale(x, 2), Heads: Heads{2, 2}, T: 3, Segments: seg, Order: ord, Bias: bias, Scale: 0.3})
		},
		"gelu by erf":     func(b *Builder, x *Node) *Node { return b.GELUErf(b.Linear(x, w(b, "w", 5, c), w(b, "b", 5), false)) },
		"add":             func(b *Builder, x *Node) *Node { return b.Add(x, b.GELU(x)) },
		"add twice":       func(b *Builder, x *Node) *Node { return b.Add(x, x) },
		"shared gradient": func(b *Builder, x *Node) *Node { return b.Add(x, w(b, "y", rows, c)) },
		"dropout":         func(b *Builder, x *Node) *Node { return b.Dropout(x, 0.25, b.Input("rng", exec.I32, 4)) },
		"weight of three uses": func(b *Builder, x *Node) *Node {
			m := w(b, "m", c, c)
			return b.Linear(b.GELU(b.Linear(b.Linear(x, m, nil, false), m, nil, true)), m, nil, false)
		},
	} {
		b := New(name, exec.F64)
		y := op(b, w(b, "x", rows, c))
		l, nll := b.CrossEntropy(y, b.Input("targets", exec.I32, rows), b.Input("weights", exec.F64, rows))
		check(b, Outputs{l, []Named{{"loss", l}, {"nll", nll}}})
	}
	for _, fused := range []bool{false, true} { // of log Z
		b := New("z", exec.F64)
		b.unfused = !fused
		y := b.Linear(w(b, "x", rows, c), w(b, "w", 5, c), nil, false)
		l, _ := b.SoftCrossEntropy(y, b.Input("targets", exec.I32, rows), b.Input("weights", exec.F64, rows), 0.3, 0.2)
		check(b, Outputs{l, []Named{{"loss", l}}})
	}
	b := New("span_cross_entropy", exec.F64)
	l, nll := b.SpanCrossEntropy(w(b, "x", rows, 2), b.Input("spans", exec.I32, 3, 2), b.Input("span targets", exec.I32, 3, 2), b.Input("weights", exec.F64, 3))
	check(b, Outputs{l, []Named{{"loss", l}, {"nll", nll}}})
	b = New("squared_error", exec.F64)
	l, nll = b.SquaredError(w(b, "x", rows, 2), b.Input("goals", exec.F64, rows, 2), b.Input("weights", exec.F64, rows))
	check(b, Outputs{l, []Named{{"loss", l}, {"nll", nll}}})
	b = New("binary_cross_entropy", exec.F64)
	l, nll = b.BinaryCrossEntropy(w(b, "x", rows, 3), b.Input("marks", exec.F64, rows, 3), b.Input("weights", exec.F64, rows))
	check(b, Outputs{l, []Named{{"loss", l}, {"nll", nll}}})
	b = New("pool", exec.F64)
	y := b.Embed(w(b, "x", rows, c), b.Input("pool", exec.I32, 3))
	l, _ = b.CrossEntropy(y, b.Input("ptargets", exec.I32, 3), b.Input("weights", exec.F64, 3))
	check(b, Outputs{l, []Named{{"loss", l}}})
	b = New("ranking", exec.F64)
	v := b.MeanRows(w(b, "x", rows, c), b.Input("spans", exec.I32, 3, 2))
	l, _ = b.CrossEntropy(b.MaskSame(b.Linear(b.UnitRows(v, 3), b.UnitRows(w(b, "y", 4, c), 3), nil, false),
		b.Input("texts", exec.I32, 3, 2), b.Input("candidates", exec.I32, 4, 2), b.Input("ptargets", exec.I32, 3)), b.Input("ptargets of it", exec.I32, 3), b.Input("weights", exec.F64, 3))
	check(b, Outputs{l, []Named{{"loss", l}}})
	b = New("cosent", exec.F64)
	l = b.CoSENT(b.DotRows(w(b, "x", rows, c), w(b, "y", rows, c)), b.Constant("goals", []float64{1, 3, 2, 0, 1, 1}, rows, 1), b.Constant("weights", []float64{1, 1, 1, 1, 0, 1}, rows), 0.7)
	check(b, Outputs{l, []Named{{"loss", l}}})
	b = New("triplet", exec.F64)
	l = b.Triplet(w(b, "x", rows, c), w(b, "y", rows, c), w(b, "z", rows, c), b.Input("weights", exec.F64, rows), 0.3)
	check(b, Outputs{l, []Named{{"loss", l}}})
	for op := exec.OpInvalid + 1; op.String() != fmt.Sprintf("op(%d)", op); op++ {
		if strings.Contains(op.String(), "_grad") && !checked[op] {
			t.Errorf("no operation above has %v", op)
		}
	}
}

// block is a transformer block with everything in it.
func block(b *Builder) Outputs {
	const c, v = 8, 5
	x := b.Param("wte", Init{}, v, c)
	h := b.Dropout(b.Embed(x, b.Input("ids", exec.I32, rows)), 0.2, b.Input("rng", exec.I32, 4))
	a := b.LayerNorm(h, b.Param("ln.weight", Init{}, c), b.Param("ln.bias", Init{}, c), 1e-5)
	a = b.Linear(a, b.Param("attn.weight", Init{}, c, 3*c), b.Param("attn.bias", Init{}, 3*c), true)
	a = b.Attention(Attend{Q: a, Heads: Heads{2, 2}, T: 3, Segments: b.Input("segments", exec.I32, rows), Order: b.Input("order", exec.I32, rows)})
	h = b.Add(h, a)
	f := b.GELU(b.Linear(h, b.Param("fc.weight", Init{}, c, c), nil, false))
	h = b.Add(h, f)
	l, nll := b.CrossEntropy(b.Linear(h, x, nil, false), b.Input("targets", exec.I32, rows), b.Input("weights", exec.F64, rows))
	return Outputs{l, []Named{{"loss", l}, {"nll", nll}}}
}

func TestGradientsOfABlock(t *testing.T) {
	dev := device(t)
	for _, frozen := range []string{"", "wte", "fc.weight", "ln.bias", "attn.weight"} {
		b := New("frozen "+frozen, exec.F64)
		b.Freeze(func(name string) bool { return name == frozen })
		start(t, dev, b, block(b), ints).checkGradients(2e-8)
	}
}

// Gorgonia's own machine, with our kernels, gives the bits of the lowered program.
func TestStockMachineAgrees(t *testing.T) {
	dev := device(t)
	b := New("stock", exec.F64)
	b.unfused = true // the tape machine has an instruction for each node
	out := block(b)
	r := start(t, dev, b, out, ints)
	r.run()
	b.do = func(o *op, values []gorgonia.Value) (gorgonia.Value, error) { return doOn(dev, o, values) }

	var loss gorgonia.Value
	gorgonia.Read(out.Loss.n, &loss)
	grads := make([]gorgonia.Value, len(b.params))
	for i, p := range b.params {
		gorgonia.Read(p.node.n.Deriv(), &grads[i])
		if err := gorgonia.Let(p.node.n, tensor.New(tensor.WithShape(p.info.Shape...), tensor.WithBacking(r.params[p.info.Name]))); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range b.g.AllNodes() {
		if v, ok := b.names[n.Name()]; !ok || !v || n.Op() != nil || r.params[n.Name()] != nil {
			continue
		}
		var backing any
		if n.Dtype() == tensor.Int32 {
			backing = slices.Clone(ints[n.Name()])
		} else {
			backing = r.read(n.Name(), elems(n.Shape()))
		}
		if err := gorgonia.Let(n, tensor.New(tensor.WithShape(n.Shape()...), tensor.WithBacking(backing))); err != nil {
			t.Fatal(err)
		}
	}
	m := gorgonia.NewTapeMachine(b.g)
	defer m.Close()
	if err := m.RunAll(); err != nil {
		t.Fatal(err)
	}
	same := func(what string, got gorgonia.Value, want []float64) {
		t.Helper()
		g, ok := got.Data().([]float64)
		if !ok {
			g = []float64{got.Data().(float64)}
		}
		if len(g) != len(want) {
			t.Fatalf("%s has %d elements, want %d", what, len(g), len(want))
		}
		for i := range g {
			if math.Float64bits(g[i]) != math.Float64bits(want[i]) {
				t.Fatalf("%s[%d] is %v on the tape machine, %v in the program", what, i, g[i], want[i])
			}
		}
	}
	same("loss", loss, r.read("loss", 1))
	for i, p := range b.params {
		info, _ := r.l.Param(p.info.Name)
		same(p.info.Name, grads[i], r.grad(info))
	}
}

// doOn runs one operation on a device, on flat bundles as Gorgonia sees them.
func doOn(dev exec.Device, o *op, values []gorgonia.Value) (gorgonia.Value, error) {
	dense := func(shape []int, v []float64) gorgonia.Value {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(v)))
	}
	if o.code == exec.OpInvalid {
		at := 0
		for _, r := range o.out[:o.part] {
			at += r.elems()
		}
		shape := o.out[o.part].shape
		return dense(shape, values[0].Data().([]float64)[at:at+elems(shape)]), nil
	}
	var in exec.Instr
	in.Op, in.Attrs = o.code, o.attrs
	var args []exec.Arg
	operand := func(shape []int, dt exec.DType, data []byte) error {
		buf, err := dev.Alloc(max(64, elems(shape)*dt.Size()))
		if err != nil {
			return err
		}
		buf = buf.Slice(0, elems(shape)*dt.Size())
		args = append(args, exec.Arg{Buffer: buf, Shape: shape, DType: dt})
		if data == nil {
			return nil
		}
		return dev.Upload(buf, data)
	}
	slots := o.slots
	if slots == nil {
		for k := range values {
			slots = append(slots, k)
		}
	}
	for _, k := range slots {
		if k < 0 {
			args = append(args, exec.Arg{})
			continue
		}
		dt, data := exec.F64, []byte(nil)
		switch v := values[k].Data().(type) {
		case []float64:
			data = f64bytes(v)
		case float64:
			data = f64bytes([]float64{v})
		case []int32:
			dt = exec.I32
			for _, x := range v {
				data = binary.LittleEndian.AppendUint32(data, uint32(x))
			}
		}
		if err := operand(o.in[k].n.Shape(), dt, data); err != nil {
			return nil, err
		}
	}
	first := len(args)
	for _, r := range o.out {
		if r.shape == nil {
			args = append(args, exec.Arg{})
			continue
		}
		if err := operand(r.shape, exec.F64, nil); err != nil {
			return nil, err
		}
	}
	if err := dev.Launch(&in, args); err != nil {
		return nil, err
	}
	var flat []float64
	for _, a := range args[first:] {
		if a.Buffer == nil {
			continue
		}
		b := make([]byte, a.Len())
		if err := dev.Download(b, a.Buffer); err != nil {
			return nil, err
		}
		for i := 0; i < len(b); i += 8 {
			flat = append(flat, math.Float64frombits(binary.LittleEndian.Uint64(b[i:])))
		}
	}
	return dense(o.shape(), flat), nil
}

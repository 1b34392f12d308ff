package model

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// everywhere stands beside all modules of a model, those of its head too.
func everywhere(t *testing.T, c Config, o Options) *Adapter {
	t.Helper()
	modules, err := Modules(c, o.Head)
	if err != nil {
		t.Fatal(err)
	}
	a := &Adapter{Pairs: map[string]Pair{}, Dropout: 0.25}
	for _, m := range modules {
		a.Pairs[m.Name] = Pair{Rank: min(2, m.In, m.Out), Scale: 1.5}
	}
	if len(a.Pairs) == 0 {
		t.Fatal("no modules")
	}
	return a
}

// perturb gives the parameters that are trained other values than those of the start.
func perturb(t *testing.T, n *Network) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 1))
	for _, p := range n.Layout().Params {
		if !p.Trainable {
			continue
		}
		v := arena(t, n, exec.Param, p)
		for i := range v {
			v[i] += 0.3 * r.NormFloat64()
		}
		if err := n.upload(p, 0, v); err != nil {
			t.Fatal(err)
		}
	}
}

// rowNorms are the norms of the rows of a module's matrix with its pair, of DoRA, of which p is the A or the B; else nil.
func rowNorms(t *testing.T, n *Network, p exec.ParamInfo) []float64 {
	t.Helper()
	module, part := PairOf(p.Name)
	if _, ok := n.layout.Param(module + loraMagnitude); !ok || part != PartA && part != PartB {
		return nil
	}
	values := func(names ...string) []float64 {
		for _, name := range names {
			if p, ok := n.layout.Param(name); ok {
				return arena(t, n, exec.Param, p)
			}
		}
		t.Fatalf("no parameter %q", names)
		return nil
	}
	_, embedding := Tied(n.config, n.opts.Head)
	w, a, b := values(module+".weight", embedding), values(module+loraA, module+loraEmbeddingA), values(module+loraB, module+loraEmbeddingB)
	modules, err := Modules(n.config, n.opts.Head)
	if err != nil {
		t.Fatal(err)
	}
	m := modules[slices.IndexFunc(modules, func(m Module) bool { return m.Name == module })]
	pair := n.opts.Adapter.Pairs[module]
	norms := make([]float64, m.Out)
	for o := range m.Out {
		for i := range m.In {
			at := o*m.In + i
			if m.Kind != Linear {
				at = i*m.Out + o
			}
			v := w[at]
			for k := range pair.Rank {
				v += pair.Scale * b[o*pair.Rank+k] * a[k*m.In+i]
			}
			norms[o] += v * v
		}
		norms[o] = math.Sqrt(norms[o])
	}
	return norms
}

// checkSlopes compares the gradient of each trained parameter with the slope of the loss in a direction of it.
func checkSlopes(t *testing.T, n *Network, x *exec.Executor, f *Feed) {
	t.Helper()
	run(t, n, x, f)
	r := rand.New(rand.NewPCG(3, 4))
	const h = 1e-5
	for _, p := range n.Layout().Params {
		if !p.Trainable {
			continue
		}
		run(t, n, x, f)
		grad, v := arena(t, n, exec.Grad, p), arena(t, n, exec.Param, p)
		direction, moved := make([]float64, p.Elems), make([]float64, p.Elems)
		var want, got, size, length float64
		for i := range direction {
			direction[i] = r.NormFloat64()
			length += float64(direction[i] * direction[i])
		}
		for i := range direction {
			direction[i] /= math.Sqrt(length)
			got += float64(grad[i] * direction[i])
			size += float64(grad[i] * grad[i])
		}
		restore := func() {}
		for k, step := range []float64{h, -h} {
			before := rowNorms(t, n, p)
			for i := range v {
				moved[i] = v[i] + step*direction[i]
			}
			if err := n.upload(p, 0, moved); err != nil {
				t.Fatal(err)
			}
			// The gradient takes the norms for constants: here the magnitudes make up for them.
			if after := rowNorms(t, n, p); after != nil {
				module, _ := PairOf(p.Name)
				m, _ := n.layout.Param(module + loraMagnitude)
				was := arena(t, n, exec.Param, m)
				now := slices.Clone(was)
				for i := range now {
					now[i] *= after[i] / before[i]
				}
				set := func(v []float64) {
					if err := n.upload(m, 0, v); err != nil {
						t.Fatal(err)
					}
				}
				set(now)
				restore = func() { set(was) }
			}
			run(t, n, x, f)
			restore()
			if err := n.upload(p, 0, v); err != nil {
				t.Fatal(err)
			}
			want += []float64{1, -1}[k] * read(t, x, "loss")[0] / (2 * h) * float64(f.Seed)
		}
		if err := n.upload(p, 0, v); err != nil {
			t.Fatal(err)
		}
		if e := math.Abs(got-want) / math.Sqrt(size); !(e < 2e-7) {
			t.Errorf("%s: slope %.9g, want %.9g, of a gradient of size %.3g", p.Name, got, want, math.Sqrt(size))
		}
	}
}

// Pairs beside every module of every family and head have the gradients of differences, and all else stays as it is: it
// has no gradient. Before the first step they change nothing.
func TestAdapters(t *testing.T) {
	for _, name := range []string{"palm", "gpt2-heads", "llama-heads", "qwen3-heads", "gemma3", "bert", "roberta", "distilbert", "t5v1_1", "t5-heads", "xlnet"} {
		var r *reference
		if name == "palm" {
			f := readFixture(t, name)
			r = &reference{Config: f.Config, Heads: []string{"PaLMForCausalLM"}, IDs: f.IDs, values: map[string][]float64{}}
			for k, v := range f.values {
				r.values[k] = v
			}
			for range f.IDs {
				r.Targets, r.Lengths = append(r.Targets, f.IDs[0]), append(r.Lengths, len(f.IDs[0]))
			}
		} else {
			r = readReference(t, name)
		}
		for i, architecture := range r.Heads {
			t.Run(name+"/"+architecture, func(t *testing.T) { r.checkAdapter(t, architecture, false) })
			if i == 0 {
				t.Run(name+"/"+architecture+"/dora", func(t *testing.T) { r.checkAdapter(t, architecture, true) })
			}
		}
	}
}

func (r *reference) checkAdapter(t *testing.T, architecture string, dora bool) {
	c := r.Config
	c.Architectures = []string{architecture}
	h, err := c.Head()
	if err != nil {
		t.Fatal(err)
	}
	b, tt, s := len(r.IDs), len(r.IDs[0]), 0
	if h.pools() {
		s = b
	}
	f, _ := r.feed(h)
	f.Seed = 0.125
	o := r.options(h)
	device := cpu.Options{Threads: 2, Kernels: "generic"}
	plain := network(t, device, exec.F64, c, o)
	r.load(t, plain)
	x := executor(t, plain, Evaluate, b, tt, s)
	run(t, plain, x, f)
	want := read(t, x, "loss")[0]

	o.Adapter = everywhere(t, c, o)
	if dora {
		o.Adapter.Dropout = 0
		for name, p := range o.Adapter.Pairs {
			p.DoRA = true
			o.Adapter.Pairs[name] = p
		}
	}
	n := network(t, device, exec.F64, c, o)
	if err := n.Init(1); err != nil {
		t.Fatal(err)
	}
	trained := 0
	for _, p := range n.Layout().Params {
		if p.Trainable != InAdapter(p.Name) {
			t.Errorf("%s: trained: %v", p.Name, p.Trainable)
		}
		if p.Trainable {
			trained += p.Bytes()
			continue
		}
		if err := n.upload(p, 0, r.values["weight/"+p.Name]); err != nil {
			t.Fatal(err)
		}
	}
	if got := n.Layout().GradBytes(); got < trained || got > trained+64*len(n.Layout().Params) {
		t.Errorf("%d bytes of gradients for %d of trained parameters", got, trained)
	}
	if err := n.StartMagnitudes(); err != nil {
		t.Fatal(err)
	}
	x = executor(t, n, Evaluate, b, tt, s)
	run(t, n, x, f)
	if got := read(t, x, "loss")[0]; !dora && got != want || !(math.Abs(got-want) < 1e-6*want) { // magnitudes are float32
		t.Errorf("before the first step the loss is %v, without an adapter %v", got, want)
	}
	perturb(t, n)
	train := executor(t, n, Train, b, tt, s)
	checkSlopes(t, n, train, f)
	run(t, n, x, f)
	if got := read(t, x, "loss")[0]; got == want {
		t.Error("the adapter changes nothing")
	}
	for _, in := range train.Program().Instrs {
		if in.Op != exec.OpLinearGradW {
			continue
		}
		if shape := train.Program().Values[in.Out[0]].Shape; min(shape[0], shape[1]) > 2 {
			t.Errorf("a gradient of shape %v is computed: of no pair", shape)
		}
	}
}

// What no pair can be is refused.
func TestAdapterRefused(t *testing.T) {
	dev, err := cpu.New(cpu.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer dev.Close()
	c := tiny()
	for name, p := range map[string]Pair{
		"transformer.h.0.attn.c_attn": {Rank: 0, Scale: 1},
		"transformer.h.1.attn.c_proj": {Rank: 99, Scale: 1},
		"transformer.h.7.attn.c_proj": {Rank: 1, Scale: 1},
	} {
		if _, err := NewNetwork(dev, exec.F32, c, Options{Adapter: &Adapter{Pairs: map[string]Pair{name: p}}}); err == nil {
			t.Errorf("%s: a pair of rank %d", name, p.Rank)
		}
	}
}

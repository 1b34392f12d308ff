package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// A bench is an optimiser's program over a layout's arenas.
type bench struct {
	t    testing.TB
	l    *exec.Layout
	mem  *exec.Memory
	exec *exec.Executor
	opt  *Optimizer
}

func newBench(t testing.TB, threads int, cfg Config, dt exec.DType, params []exec.ParamInfo) *bench {
	t.Helper()
	dev, err := cpu.New(cpu.Options{Threads: threads})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dev.Close() })
	opt, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	n := &bench{t: t, l: exec.NewLayout(dt, params), opt: opt}
	n.mem = exec.NewMemory(dev, n.l.Bytes, n.l.GradBytes(), opt.Bytes(n.l))
	p := program(t, func(b *exec.Builder) { opt.Update(b, n.l) })
	if p.Size(exec.State) > opt.Bytes(n.l) {
		t.Fatalf("the update reaches to byte %d of the state, of %d", p.Size(exec.State), opt.Bytes(n.l))
	}
	if n.exec, err = exec.NewExecutor(n.mem, p); err != nil {
		t.Fatal(err)
	}
	return n
}

func (n *bench) set(c exec.Class, offset int, x []float64) {
	n.t.Helper()
	if err := n.mem.Upload(c, offset, bytesOf(x)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *bench) get(c exec.Class, offset, elems int) []float64 {
	n.t.Helper()
	x := make([]float64, elems)
	if err := n.mem.Download(c, offset, bytesOf(x)); err != nil {
		n.t.Fatal(err)
	}
	return x
}

func (n *bench) run(scalars [3]float64) {
	n.t.Helper()
	if err := exec.Feed(n.exec, "scalars", scalars[:]); err != nil {
		n.t.Fatal(err)
	}
	if err := n.exec.Run(); err != nil {
		n.t.Fatal(err)
	}
}

type traces struct {
	WeightDecay float64 `json:"weight_decay"`
	Clip        float64
	Betas       [2]float64
	Eps         float64
	Momentum    float64
	EMA         float64
	Params      []struct {
		Name  string
		Shape []int
		Maps  int
		Decay bool
	}
	Start map[string][]float64
	Grads []map[string][]float64
	Runs  map[string]struct {
		Lrs   []float64
		Steps []map[string][]float64
		State map[string][]float64 // after the last
	}
}

func readTraces(t *testing.T) *traces {
	t.Helper()
	text, err := os.ReadFile("testdata/traces.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref traces
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	if len(ref.Runs) != len(Names) {
		t.Fatalf("traces of %d optimisers, there are %d", len(ref.Runs), len(Names))
	}
	return &ref
}

func (ref *traces) params() []exec.ParamInfo {
	var list []exec.ParamInfo
	for _, p := range ref.Params {
		list = append(list, exec.ParamInfo{Name: p.Name, Shape: p.Shape, Maps: p.Maps, Decay: p.Decay, Trainable: true})
	}
	return list
}

func (ref *traces) config(name string) Config {
	return Config{
		Name: name, Beta1: ref.Betas[0], Beta2: ref.Betas[1], Momentum: ref.Momentum, Eps: ref.Eps,
		WeightDecay: ref.WeightDecay, MaxGradNorm: ref.Clip, EMADecay: ref.EMA,
	}
}

// Twenty steps, some of them clipped, of every optimiser equal PyTorch's, or the paper's
// formulas where PyTorch lacks it (testdata/traces.py): all weights after each step; state
// and averaged weights after the last.
func TestTraces(t *testing.T) {
	ref := readTraces(t)
	for _, name := range Names {
		t.Run(name, func(t *testing.T) {
			cfg, run := ref.config(name), ref.Runs[name]
			n := newBench(t, 2, cfg, exec.F64, ref.params())
			for _, p := range n.l.Params {
				n.set(exec.Param, p.Offset, ref.Start[p.Name])
			}
			worst := 0.0
			near := func(what string, got, want []float64) {
				t.Helper()
				for i := range want {
					d := math.Abs(got[i] - want[i])
					if !(d <= 1e-10*max(1, math.Abs(want[i]))) {
						t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
					}
					worst = max(worst, d)
				}
			}
			if len(run.Steps) != 20 {
				t.Fatalf("a trace of %d steps", len(run.Steps))
			}
			for k, want := range run.Steps {
				for _, p := range n.l.Params {
					n.set(exec.Grad, p.Offset, ref.Grads[k][p.Name])
				}
				n.run(cfg.Scalars(run.Lrs[k], k+1))
				for _, p := range n.l.Params {
					near(fmt.Sprintf("step %d: %s", k+1, p.Name), n.get(exec.Param, p.Offset, p.Elems), want[p.Name])
				}
			}
			state := n.opt.State(n.l)
			if len(state) != len(run.State) {
				t.Fatalf("%d tensors of state, want %d", len(state), len(run.State))
			}
			for _, s := range state {
				want, ok := run.State[strings.Replace(s.Name, "weights.", "average.", 1)] // not exchanged
				if !ok {
					t.Fatalf("the reference has no state %s", s.Name)
				}
				near(s.Name, n.get(exec.State, s.Offset, elems(s.Shape)), want)
			}
			t.Logf("max|Δ| %.1e", worst)
		})
	}
}

// wideParams take several chunks of every kernel. Only Adafactor and LAMB care for shapes;
// one of three dimensions is among them.
func wideParams() []exec.ParamInfo {
	return append(muonParams(),
		exec.ParamInfo{Name: "wide", Shape: []int{300, 130}, Decay: true, Trainable: true},
		exec.ParamInfo{Name: "heads", Shape: []int{20, 5, 7}, Decay: true, Trainable: true},
		exec.ParamInfo{Name: "long", Shape: []int{40000}, Trainable: true},
		exec.ParamInfo{Name: "none", Shape: []int{0, 4}, Decay: true, Trainable: true})
}

// train runs steps first … last-1 on gradients that their numbers give.
func (n *bench) train(cfg Config, first, last int) {
	n.t.Helper()
	for k := first; k < last; k++ {
		r := rand.New(rand.NewPCG(1, uint64(k)))
		for _, p := range n.l.Params {
			if p.Trainable && p.Elems > 0 {
				n.narrow(exec.Grad, p.Offset, p.Elems, r)
			}
		}
		n.run(cfg.Scalars(0.01/float64(k+1), k+1))
	}
}

// narrow sets float32 noise; between the parameters all arenas are zero.
func (n *bench) narrow(c exec.Class, offset, elems int, r *rand.Rand) {
	n.t.Helper()
	x := make([]float32, elems)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	if err := n.mem.Upload(c, offset, f32Bytes(x)); err != nil {
		n.t.Fatal(err)
	}
}

func (n *bench) start() {
	n.t.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	for _, p := range n.l.Params {
		if p.Elems > 0 {
			n.narrow(exec.Param, p.Offset, p.Elems, r)
		}
	}
}

// arenas are the weights and the state.
func (n *bench) arenas() []byte {
	n.t.Helper()
	b := make([]byte, n.l.Bytes+n.opt.Bytes(n.l))
	for _, x := range []struct {
		c exec.Class
		b []byte
	}{{exec.Param, b[:n.l.Bytes]}, {exec.State, b[n.l.Bytes:]}} {
		if err := n.mem.Download(x.c, 0, x.b); err != nil {
			n.t.Fatal(err)
		}
	}
	return b
}

func wideConfig(name string) Config {
	c := testConfig()
	c.Name, c.Momentum, c.EMADecay = name, 0.9, 0.9
	return c
}

// Any number of threads gives the same bits, a step allocates nothing, and the padding
// between parameters stays zero.
func TestSameForAnyThreads(t *testing.T) {
	for _, name := range Names {
		cfg := wideConfig(name)
		var want []byte
		for threads := 1; threads <= 3; threads++ {
			n := newBench(t, threads, cfg, exec.F32, wideParams())
			n.start()
			n.train(cfg, 0, 3)
			got := n.arenas()
			if want == nil {
				want = got
				n.paddingIsZero(name, got)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d threads give another result", name, threads)
			}
			if allocs := testing.AllocsPerRun(2, func() { n.exec.Run() }); allocs != 0 {
				t.Errorf("%s: %d threads: %v allocations a step", name, threads, allocs)
			}
		}
	}
}

func (n *bench) paddingIsZero(name string, arenas []byte) {
	n.t.Helper()
	used := make([]bool, len(arenas))
	mark := func(at, elems int) {
		for i := range 4 * elems {
			if used[at+i] {
				n.t.Fatalf("%s: two tensors at byte %d", name, at+i)
			}
			used[at+i] = true
		}
	}
	for _, p := range n.l.Params {
		mark(p.Offset, p.Elems)
	}
	last := 0
	for _, s := range n.opt.State(n.l) {
		if s.Offset < last {
			n.t.Errorf("%s: %s is not in arena order", name, s.Name)
		}
		last = s.Offset
		mark(n.l.Bytes+s.Offset, elems(s.Shape))
	}
	for i, b := range arenas {
		if b != 0 && !used[i] {
			n.t.Fatalf("%s: byte %d belongs to no tensor and is not zero", name, i)
		}
	}
}

// Weights and the tensors of State are all that a run goes on from: twenty steps are ten,
// a new process, and ten more, bit for bit.
func TestResume(t *testing.T) {
	for _, name := range Names {
		cfg := wideConfig(name)
		whole := newBench(t, 2, cfg, exec.F32, wideParams())
		whole.start()
		whole.train(cfg, 0, 10)
		half := newBench(t, 2, cfg, exec.F32, wideParams())
		copyPart := func(c exec.Class, offset, elems int) {
			b := make([]byte, 4*elems)
			if err := whole.mem.Download(c, offset, b); err != nil {
				t.Fatal(err)
			}
			if err := half.mem.Upload(c, offset, b); err != nil {
				t.Fatal(err)
			}
		}
		for _, p := range whole.l.Params {
			copyPart(exec.Param, p.Offset, p.Elems)
		}
		for _, s := range whole.opt.State(whole.l) {
			copyPart(exec.State, s.Offset, elems(s.Shape))
		}
		whole.train(cfg, 10, 20)
		half.train(cfg, 10, 20)
		if !slices.Equal(half.arenas(), whole.arenas()) {
			t.Errorf("%s: resumed after ten steps, the weights or the state differ", name)
		}
	}
}

// A gradient that is not finite changes nothing.
func TestNonFiniteGradient(t *testing.T) {
	for _, name := range Names {
		cfg := wideConfig(name)
		for _, bad := range []float64{math.NaN(), math.Inf(1), 1e200} {
			n := newBench(t, 2, cfg, exec.F64, muonParams())
			g := make([]float64, n.l.GradBytes()/8)
			for i := range g {
				g[i] = math.Sin(float64(i * i))
			}
			n.set(exec.Param, 0, g)
			n.set(exec.Grad, 0, g)
			n.run(cfg.Scalars(0.01, 1))
			before := n.arenas()
			n.set(exec.Grad, 0, []float64{bad}) // in one parameter alone
			n.run(cfg.Scalars(0.01, 2))
			if !slices.Equal(before, n.arenas()) {
				t.Errorf("%s: a gradient with %v changed something", name, bad)
			}
		}
	}
}

// Frozen parameters stay, whatever the optimiser; so do those that weight decay spares
// where the gradient is zero.
func TestDecayGroups(t *testing.T) {
	for _, name := range Names {
		cfg := wideConfig(name)
		cfg.MaxGradNorm = 0
		n := newBench(t, 2, cfg, exec.F64, muonParams())
		one := make([]float64, n.l.Bytes/8)
		for i := range one {
			one[i] = 1
		}
		n.set(exec.Param, 0, one)
		n.run(cfg.Scalars(0.01, 1))
		for _, p := range n.l.Params {
			got := n.get(exec.Param, p.Offset, 1)[0]
			switch decays := p.Decay && p.Trainable; {
			case !decays && got != 1:
				t.Errorf("%s: %s became %v", name, p.Name, got)
			case decays && !(got < 1 && got > 0.98):
				t.Errorf("%s: %s became %v: weight decay should have made it a little smaller", name, p.Name, got)
			}
		}
	}
}

// The exchange puts the average in the weights' place, and back.
func TestExchange(t *testing.T) {
	cfg := wideConfig("adamw")
	n := newBench(t, 2, cfg, exec.F32, wideParams())
	n.start()
	n.train(cfg, 0, 3)
	before := n.arenas()
	x, err := exec.NewExecutor(n.mem, program(t, func(b *exec.Builder) { n.opt.Exchange(b, n.l) }))
	if err != nil {
		t.Fatal(err)
	}
	run := func() []byte {
		if err := x.Run(); err != nil {
			t.Fatal(err)
		}
		return n.arenas()
	}
	after := run()
	at := map[string]int{}
	for _, s := range n.opt.State(n.l) {
		at[s.Name] = n.l.Bytes + s.Offset
	}
	for _, p := range n.l.Params {
		weights := func(b []byte) []byte { return b[p.Offset:][:4*p.Elems] }
		if !p.Trainable {
			if !slices.Equal(weights(before), weights(after)) {
				t.Errorf("%s is frozen, and changed", p.Name)
			}
			continue
		}
		average := func(b []byte) []byte { return b[at["weights."+p.Name]:][:4*p.Elems] }
		if !slices.Equal(weights(before), average(after)) || !slices.Equal(average(before), weights(after)) {
			t.Errorf("%s: not exchanged", p.Name)
		}
		if p.Elems > 0 && slices.Equal(weights(before), weights(after)) {
			t.Errorf("%s: the average is the weights: the test has seen nothing", p.Name)
		}
	}
	if !slices.Equal(run(), before) {
		t.Error("exchanged twice, something is not as before")
	}
}

func f32Bytes(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// What each optimiser's update costs on 10 M parameters.
func BenchmarkUpdate(b *testing.B) {
	for _, name := range Names {
		if name == "muon" {
			continue // its matrix products are the cost
		}
		b.Run(name, func(b *testing.B) {
			cfg := wideConfig(name)
			cfg.EMADecay = 0
			n := newBench(b, 1, cfg, exec.F32, []exec.ParamInfo{
				{Name: "wte", Shape: []int{10000, 512}, Decay: true, Trainable: true},
				{Name: "c_fc", Shape: []int{2048, 2500}, Decay: true, Trainable: true},
			})
			n.start()
			n.train(cfg, 0, 1)
			b.SetBytes(int64(n.l.GradBytes()))
			for b.Loop() {
				if err := n.exec.Run(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

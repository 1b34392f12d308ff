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

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

func muonConfig() Config {
	c := testConfig()
	c.Name = "muon"
	return c
}

// A bench is an optimiser's program over a layout's arenas.
type bench struct {
	t    *testing.T
	l    *exec.Layout
	mem  *exec.Memory
	exec *exec.Executor
	opt  Optimizer
}

func newBench(t *testing.T, threads int, cfg Config, dt exec.DType, params []exec.ParamInfo) *bench {
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
	if n.mem, err = exec.NewMemory(dev, n.l.Bytes, n.l.GradBytes(), opt.Bytes(n.l)); err != nil {
		t.Fatal(err)
	}
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

type muonReference struct {
	Lrs         []float64
	WeightDecay float64 `json:"weight_decay"`
	Clip        float64
	Betas       [2]float64
	Eps         float64
	Params      []struct {
		Name  string
		Shape []int
		Maps  int
		Decay bool
	}
	Start map[string][]float64
	Grads []map[string][]float64
	Steps []struct{ Params, State map[string][]float64 }
}

// Three steps, one of them clipped, equal PyTorch's Muon and AdamW (testdata/muon.py),
// each parameter and each tensor of the state.
func TestMuonAgainstTorch(t *testing.T) {
	text, err := os.ReadFile("testdata/muon.json")
	if err != nil {
		t.Fatal(err)
	}
	var ref muonReference
	if err := json.Unmarshal(text, &ref); err != nil {
		t.Fatal(err)
	}
	var params []exec.ParamInfo
	for _, p := range ref.Params {
		params = append(params, exec.ParamInfo{Name: p.Name, Shape: p.Shape, Maps: p.Maps, Decay: p.Decay, Trainable: true})
	}
	cfg := Config{Name: "muon", Beta1: ref.Betas[0], Beta2: ref.Betas[1], Eps: ref.Eps, WeightDecay: ref.WeightDecay, MaxGradNorm: ref.Clip}
	n := newBench(t, 2, cfg, exec.F64, params)
	for _, p := range n.l.Params {
		n.set(exec.Param, p.Offset, ref.Start[p.Name])
	}
	near := func(what string, got, want []float64) {
		t.Helper()
		for i := range want {
			if !(math.Abs(got[i]-want[i]) <= 1e-9) {
				t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
			}
		}
	}
	for k, grads := range ref.Grads {
		for _, p := range n.l.Params {
			n.set(exec.Grad, p.Offset, grads[p.Name])
		}
		n.run(cfg.Scalars(ref.Lrs[k], k+1))
		for _, p := range n.l.Params {
			near(fmt.Sprintf("step %d: %s", k+1, p.Name), n.get(exec.Param, p.Offset, p.Elems), ref.Steps[k].Params[p.Name])
		}
		state := n.opt.State(n.l)
		if len(state) != len(ref.Steps[k].State) {
			t.Fatalf("%d tensors of state, want %d", len(state), len(ref.Steps[k].State))
		}
		for _, s := range state {
			want, ok := ref.Steps[k].State[s.Name]
			if !ok {
				t.Fatalf("torch has no state %s", s.Name)
			}
			near(fmt.Sprintf("step %d: %s", k+1, s.Name), n.get(exec.State, s.Offset, len(want)), want)
		}
	}
}

// No tensor of the state lies over another, and none beyond the end.
func TestMuonStateIsApart(t *testing.T) {
	l := exec.NewLayout(exec.F32, muonParams())
	o, err := New(muonConfig())
	if err != nil {
		t.Fatal(err)
	}
	end, bytes := 0, 0
	for _, s := range o.State(l) {
		if s.Offset < end {
			t.Errorf("%s at %d starts before %d", s.Name, s.Offset, end)
		}
		n := 4
		for _, d := range s.Shape {
			n *= d
		}
		end = s.Offset + n
		bytes += alignUp(n)
	}
	if end > o.Bytes(l) || o.Bytes(l) != bytes {
		t.Errorf("the state ends at %d and has %d bytes, Bytes is %d", end, bytes, o.Bytes(l))
	}
}

func muonParams() []exec.ParamInfo {
	return []exec.ParamInfo{
		{Name: "wte", Shape: []int{61, 48}, Decay: true, Trainable: true},
		{Name: "c_attn", Shape: []int{48, 3 * 48}, Maps: 3, Decay: true, Trainable: true},
		{Name: "frozen", Shape: []int{48, 48}, Maps: 1, Decay: true},
		{Name: "ln", Shape: []int{48}, Trainable: true},
		{Name: "c_fc", Shape: []int{48, 192}, Maps: 1, Decay: true, Trainable: true},
		{Name: "c_proj", Shape: []int{192, 48}, Maps: 1, Decay: true, Trainable: true},
		{Name: "score", Shape: []int{3, 48}, Decay: true, Trainable: true},
	}
}

// Any number of threads gives the same bits, and a step allocates nothing.
func TestMuonSameForAnyThreads(t *testing.T) {
	var want []byte
	for threads := 1; threads <= 3; threads++ {
		n := newBench(t, threads, muonConfig(), exec.F32, muonParams())
		r := rand.New(rand.NewPCG(1, 2))
		noise := make([]float32, n.l.GradBytes()/4)
		for i := range noise {
			noise[i] = float32(r.NormFloat64())
		}
		for _, c := range []exec.Class{exec.Param, exec.Grad} {
			// As any gradient is, zero between the parameters.
			for _, p := range n.l.Params {
				if p.Trainable {
					if err := n.mem.Upload(c, p.Offset, f32Bytes(noise[p.Offset/4:][:p.Elems])); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		cfg := muonConfig()
		for k := range 3 {
			n.run(cfg.Scalars(0.01, k+1))
		}
		got := make([]byte, n.l.Bytes+n.opt.Bytes(n.l))
		if err := n.mem.Download(exec.Param, 0, got[:n.l.Bytes]); err != nil {
			t.Fatal(err)
		}
		if err := n.mem.Download(exec.State, 0, got[n.l.Bytes:]); err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !slices.Equal(got, want) {
			t.Errorf("%d threads give another result", threads)
		}
		if allocs := testing.AllocsPerRun(2, func() { n.exec.Run() }); allocs != 0 {
			t.Errorf("%d threads: %v allocations a step", threads, allocs)
		}
	}
}

func f32Bytes(x []float32) []byte {
	wide := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b := math.Float32bits(v)
		wide = append(wide, byte(b), byte(b>>8), byte(b>>16), byte(b>>24))
	}
	return wide
}

// The update's singular values lie where the iteration brings all those from 0.003 of
// the norm up: between 0.6818 and 1.2024.
func TestMuonOrthogonalises(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range [][2]int{{12, 12}, {12, 40}, {40, 12}, {1, 9}, {9, 1}} {
		rows, cols := s[0], s[1]
		n := newBench(t, 2, Config{Name: "muon", Eps: 1e-8}, exec.F64, []exec.ParamInfo{
			{Name: "w", Shape: s[:], Maps: 1, Decay: true, Trainable: true},
		})
		g := make([]float64, rows*cols)
		for i := range g {
			g[i] = 1e-3 * r.NormFloat64()
		}
		for i := range min(rows, cols) { // no singular value is tiny
			g[i*cols+i] += 5e-3
		}
		n.set(exec.Grad, 0, g)
		n.run([3]float64{1, 1, 0})
		o := n.get(exec.Param, 0, rows*cols) // -0.2·√max(R,N) of what is looked for
		norm := 0.2 * math.Sqrt(float64(max(rows, cols)))
		for _, v := range singular(o, rows, cols) {
			if v /= norm; v < 0.68 || v > 1.21 {
				t.Errorf("%v: singular value %v", s, v)
			}
		}
		dot := 0.0
		for i := range g {
			dot -= g[i] * o[i]
		}
		sum := 0.0
		for _, v := range singular(g, rows, cols) {
			sum += v * norm
		}
		// UVᵀ is the one orthogonal matrix with <G,UVᵀ> = ΣS.
		if dot < 0.68*sum || dot > 1.21*sum {
			t.Errorf("%v: the update's product with the gradient is %v, want about %v", s, dot, sum)
		}
	}
}

// singular gives the singular values of a (R,N) matrix by one-sided Jacobi rotations.
func singular(a []float64, rows, cols int) []float64 {
	down, along := cols, 1
	if cols > rows {
		down, along = along, down
		rows, cols = cols, rows
	}
	u := make([][]float64, cols)
	for j := range u {
		u[j] = make([]float64, rows)
		for i := range u[j] {
			u[j][i] = a[i*down+j*along]
		}
	}
	dot := func(x, y []float64) (s float64) {
		for i := range x {
			s += x[i] * y[i]
		}
		return s
	}
	for range 30 {
		for p := range u {
			for q := range p {
				x, y := u[p], u[q]
				xy := dot(x, y)
				if xy == 0 {
					continue
				}
				zeta := (dot(y, y) - dot(x, x)) / (2 * xy)
				tan := math.Copysign(1, zeta) / (math.Abs(zeta) + math.Sqrt(1+zeta*zeta))
				cos := 1 / math.Sqrt(1+tan*tan)
				for i := range x {
					x[i], y[i] = cos*(x[i]-tan*y[i]), cos*(tan*x[i]+y[i])
				}
			}
		}
	}
	var s []float64
	for _, x := range u {
		s = append(s, math.Sqrt(dot(x, x)))
	}
	return s
}

// A gradient that is not finite changes nothing; one of zeros only lets weights decay.
func TestMuonOddGradients(t *testing.T) {
	cfg := muonConfig()
	for _, bad := range []float64{math.NaN(), math.Inf(1), 1e200} {
		n := newBench(t, 2, cfg, exec.F64, muonParams())
		g := make([]float64, n.l.GradBytes()/8)
		for i := range g {
			g[i] = math.Sin(float64(i * i))
		}
		n.set(exec.Param, 0, g)
		n.set(exec.Grad, 0, g)
		n.run(cfg.Scalars(0.01, 1))
		before := slices.Concat(n.get(exec.Param, 0, n.l.Bytes/8), n.get(exec.State, 0, n.opt.Bytes(n.l)/8))
		// In the embedding alone: the hidden matrices' own gradients are sound.
		n.set(exec.Grad, 0, []float64{bad})
		n.run(cfg.Scalars(0.01, 2))
		after := slices.Concat(n.get(exec.Param, 0, n.l.Bytes/8), n.get(exec.State, 0, n.opt.Bytes(n.l)/8))
		if !slices.Equal(before, after) {
			t.Errorf("a gradient with %v changed something", bad)
		}
	}
	n := newBench(t, 2, cfg, exec.F64, muonParams())
	p, _ := n.l.Param("c_fc")
	n.set(exec.Param, p.Offset, []float64{3, -2})
	n.run(cfg.Scalars(0.01, 1))
	if got := n.get(exec.Param, p.Offset, 3); math.Abs(got[0]-3*(1-0.001)) > 1e-15 || math.Abs(got[1]+2*(1-0.001)) > 1e-15 || got[2] != 0 {
		t.Errorf("a gradient of zeros made %v of 3, -2, 0", got)
	}
}

// What Muon adds to a step of a model of four layers and 256 channels, and that the
// products are on the smaller side.
func TestMuonFLOPs(t *testing.T) {
	const c = 256
	var params []exec.ParamInfo
	for i := range 4 {
		for _, p := range []exec.ParamInfo{
			{Name: "c_attn", Shape: []int{c, 3 * c}, Maps: 3}, {Name: "attn.c_proj", Shape: []int{c, c}, Maps: 1},
			{Name: "c_fc", Shape: []int{c, 4 * c}, Maps: 1}, {Name: "mlp.c_proj", Shape: []int{4 * c, c}, Maps: 1},
		} {
			p.Name, p.Decay, p.Trainable = fmt.Sprintf("h.%d.%s", i, p.Name), true, true
			params = append(params, p)
		}
	}
	o, err := New(muonConfig())
	if err != nil {
		t.Fatal(err)
	}
	p := program(t, func(b *exec.Builder) { o.Update(b, exec.NewLayout(exec.F32, params)) })
	// 5 iterations: square maps cost 3 products of 2C³, those of the MLP 4+1+4.
	want := 4.0 * 5 * 2 * c * c * c * (4*3 + 2*9)
	if p.FLOPs() != want {
		t.Errorf("%.4g FLOP, want %.4g", p.FLOPs(), want)
	}
	t.Logf("%.1f GFLOP a step, %d bytes of scratch", p.FLOPs()/1e9, p.Size(exec.Scratch))
	var listing strings.Builder
	if err := p.Print(&listing); err != nil || !strings.Contains(listing.String(), "muon_update") {
		t.Errorf("listing: %v", err)
	}
}

package optim

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"unsafe"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

func device(t *testing.T) exec.Device {
	t.Helper()
	d, err := cpu.New(cpu.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func testLayout() *exec.Layout {
	return exec.NewLayout(exec.F64, []exec.ParamInfo{
		{Name: "wte", Shape: []int{5, 3}, Decay: true, Trainable: true},
		{Name: "ln.bias", Shape: []int{3}, Trainable: true},
		{Name: "frozen", Shape: []int{7}, Decay: true},
		{Name: "fc", Shape: []int{3, 11}, Decay: true, Trainable: true},
		{Name: "ln.weight", Shape: []int{3}, Trainable: true},
	})
}

func testConfig() Config {
	return Config{Name: "adamw", LR: 1e-2, Beta1: 0.9, Beta2: 0.95, Eps: 1e-8, WeightDecay: 0.1, MaxGradNorm: 1}
}

func program(t testing.TB, emit func(*exec.Builder)) *exec.Program {
	t.Helper()
	b := exec.NewBuilder("test")
	emit(b)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func run(t *testing.T, mem *exec.Memory, p *exec.Program, scalars ...float64) *exec.Executor {
	t.Helper()
	x, err := exec.NewExecutor(mem, p)
	if err == nil && scalars != nil {
		err = exec.Feed(x, "scalars", scalars)
	}
	if err == nil {
		err = x.Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestUpdateEmitsOneRangeForEachDecay(t *testing.T) {
	l := testLayout()
	o, err := New(testConfig())
	if err != nil {
		t.Fatal(err)
	}
	p := program(t, func(b *exec.Builder) { o.Update(b, l) })
	var got []string
	for _, in := range p.Instrs {
		got = append(got, fmt.Sprintf("%v %s %g", in.Op, in.Note, in.Attrs.WeightDecay))
	}
	want := "sum_squares grad 0\nadamw wte…fc 0.1\nadamw ln.bias…ln.weight 0"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("emitted\n%s\nwant\n%s", s, want)
	}
	if p.Size(exec.State) != o.Bytes(l) || o.Bytes(l) != 2*l.GradBytes() {
		t.Errorf("state arena %d bytes, Bytes %d, gradient arena %d", p.Size(exec.State), o.Bytes(l), l.GradBytes())
	}
	if p.Size(exec.Param) != l.GradBytes() {
		t.Errorf("the update reaches to byte %d of the parameters; frozen ones start at %d", p.Size(exec.Param), l.GradBytes())
	}
}

// A layout in the model's own order, a frozen parameter in the middle: its span must
// not be joined over.
func TestUpdateLeavesFrozenAlone(t *testing.T) {
	l := &exec.Layout{DType: exec.F64, Bytes: 192, Params: []exec.ParamInfo{
		{Name: "a", Shape: []int{8}, Elems: 8, Trainable: true},
		{Name: "b", Shape: []int{8}, Elems: 8, Offset: 64},
		{Name: "c", Shape: []int{8}, Elems: 8, Offset: 128, Trainable: true},
	}}
	o, _ := New(testConfig())
	p := program(t, func(b *exec.Builder) { o.Update(b, l) })
	if n := len(p.Instrs); n != 3 {
		t.Errorf("%d instructions, want a sum and two updates", n)
	}
}

// Three steps over the merged ranges equal torch's rule on each parameter by itself,
// and the padding stays zero.
func TestUpdateAgainstEachParameterAlone(t *testing.T) {
	l, cfg := testLayout(), testConfig()
	o, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mem := exec.NewMemory(device(t), l.Bytes, l.GradBytes(), o.Bytes(l))
	state := map[string]Tensor{}
	for _, s := range o.State(l) {
		state[s.Name] = s
	}
	if len(state) != 8 {
		t.Fatalf("%d state tensors, want two for each of 4 parameters", len(state))
	}
	params, grads := make([]float64, l.Bytes/8), make([]float64, l.GradBytes()/8)
	want := map[string][3][]float64{} // p, m, v
	for _, p := range l.Params {
		w := [3][]float64{make([]float64, p.Elems), make([]float64, p.Elems), make([]float64, p.Elems)}
		for i := range p.Elems {
			w[0][i] = math.Sin(float64(p.Offset + i))
			params[p.Offset/8+i] = w[0][i]
		}
		want[p.Name] = w
	}
	if err := mem.Upload(exec.Param, 0, bytesOf(params)); err != nil {
		t.Fatal(err)
	}
	prog := program(t, func(b *exec.Builder) { o.Update(b, l) })
	for step := range 3 {
		norm2 := 0.0
		for _, p := range l.Params {
			for i := 0; p.Trainable && i < p.Elems; i++ {
				g := math.Cos(float64(p.Offset + 3*i + step))
				grads[p.Offset/8+i] = g
				norm2 += g * g
			}
		}
		if err := mem.Upload(exec.Grad, 0, bytesOf(grads)); err != nil {
			t.Fatal(err)
		}
		lr := cfg.LR / float64(step+1)
		scalars := cfg.Scalars(lr, step+1)
		x := run(t, mem, prog, scalars[:]...)
		var got [1]float64
		if err := exec.Read(x, "norm2", got[:]); err != nil || math.Abs(got[0]-norm2) > 1e-12*norm2 {
			t.Errorf("step %d: norm2 %g (%v), want %g", step, got[0], err, norm2)
		}
		for _, p := range l.Params {
			w := want[p.Name]
			for i := 0; p.Trainable && i < p.Elems; i++ {
				g := grads[p.Offset/8+i] / math.Sqrt(norm2)
				if p.Decay {
					w[0][i] -= lr * cfg.WeightDecay * w[0][i]
				}
				w[1][i] += (1 - cfg.Beta1) * (g - w[1][i])
				w[2][i] = cfg.Beta2*w[2][i] + (1-cfg.Beta2)*g*g
				k := float64(step + 1)
				w[0][i] -= lr / (1 - math.Pow(cfg.Beta1, k)) * w[1][i] /
					(math.Sqrt(w[2][i])/math.Sqrt(1-math.Pow(cfg.Beta2, k)) + cfg.Eps)
			}
		}
	}
	check := func(c exec.Class, offset int, ref []float64, name string) {
		got := make([]float64, len(ref))
		if err := mem.Download(c, offset, bytesOf(got)); err != nil {
			t.Fatal(err)
		}
		for i := range ref {
			if math.Abs(got[i]-ref[i]) > 1e-13 {
				t.Fatalf("%s[%d] = %g, want %g", name, i, got[i], ref[i])
			}
		}
	}
	clear(params) // what the arena should be, padding included
	for _, p := range l.Params {
		copy(params[p.Offset/8:], want[p.Name][0])
		if p.Trainable {
			check(exec.State, state["exp_avg."+p.Name].Offset, want[p.Name][1], "exp_avg."+p.Name)
			check(exec.State, state["exp_avg_sq."+p.Name].Offset, want[p.Name][2], "exp_avg_sq."+p.Name)
		}
	}
	check(exec.Param, 0, params, "parameters")
}

func bytesOf(f []float64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&f[0])), len(f)*8)
}

func TestNewReportsEveryFault(t *testing.T) {
	_, err := New(Config{Name: "Adamm", LR: -1, Beta1: 1, Beta2: math.NaN(), WeightDecay: math.Inf(1), MaxGradNorm: -2})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{`"Adamm"`, `known: adamw, muon`, "known: adamw", "learning rate", "beta1", "beta2", "epsilon", "weight decay", "norm"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	if _, err := New(testConfig()); err != nil {
		t.Error(err)
	}
}

func TestSchedulesAgainstTransformers(t *testing.T) {
	text, err := os.ReadFile("testdata/schedules.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Kind        string
			LR          float64
			Steps       int
			WarmupSteps int     `json:"warmup_steps"`
			WarmupRatio float64 `json:"warmup_ratio"`
			MinLRRatio  float64 `json:"min_lr_ratio"`
			DecaySteps  int     `json:"decay_steps"`
			DecayType   string  `json:"decay_type"`
			Rates       []float64
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) != 14 {
		t.Fatalf("%d cases", len(file.Cases))
	}
	for k, c := range file.Cases {
		s, err := NewSchedule(ScheduleConfig{c.Kind, c.LR, c.Steps, c.WarmupSteps, c.WarmupRatio, c.MinLRRatio, c.DecaySteps, c.DecayType})
		if err != nil {
			t.Fatal(err)
		}
		for step, want := range c.Rates {
			if got := s(step); math.Abs(got-want) > 1e-15 {
				t.Errorf("case %d, %s: step %d: %g, want %g", k, c.Kind, step, got, want)
			}
		}
		if got, want := s(2*c.Steps), c.Rates[c.Steps]; c.Kind != "inverse_sqrt" && c.WarmupSteps < c.Steps && math.Abs(got-want) > 1e-15 {
			t.Errorf("case %d, %s: long after the end: %g, want %g", k, c.Kind, got, want)
		}
	}
}

func TestNewScheduleReportsEveryFault(t *testing.T) {
	_, err := NewSchedule(ScheduleConfig{Kind: "cosin", LR: -1, WarmupSteps: 3, WarmupRatio: 0.1, MinLRRatio: 2})
	var joined interface{ Unwrap() []error }
	if !errors.As(err, &joined) || len(joined.Unwrap()) != 5 || !strings.Contains(err.Error(), `known: constant, linear, cosine`) {
		t.Errorf("got %v, want five faults and the known names", err)
	}
	for _, c := range []ScheduleConfig{
		{Kind: "warmup_stable_decay", Steps: 10, DecayType: "linear"},
		{Kind: "warmup_stable_decay", Steps: 10, DecaySteps: 5, DecayType: "sqrt"},
		{Kind: "warmup_stable_decay", Steps: 10, WarmupSteps: 6, DecaySteps: 5, DecayType: "linear"},
		{Kind: "inverse_sqrt", MinLRRatio: 0.1},
		{Kind: "cosine", Steps: 10, DecaySteps: 5},
	} {
		if _, err := NewSchedule(c); !errors.As(err, &joined) || len(joined.Unwrap()) != 1 {
			t.Errorf("%+v: got %v, want one fault", c, err)
		}
	}
}

// The sum's order, written as a formula, is the binary tree over the index whatever n is.
func TestCarryIsABinaryTree(t *testing.T) {
	var tree func(lo, hi int) string // aligned: lo is a multiple of the tree's size
	tree = func(lo, hi int) string {
		if hi-lo == 1 {
			return fmt.Sprint(lo)
		}
		half := 1
		for half*2 < hi-lo {
			half *= 2
		}
		return "(" + tree(lo, lo+half) + "+" + tree(lo+half, hi) + ")"
	}
	for n := 1; n <= 70; n++ {
		stash := map[int]string{}
		grad, levels := "", 0
		for i := range n {
			grad = fmt.Sprint(i)
			adds, store := Carry(i, n)
			for _, level := range adds {
				grad = "(" + stash[level] + "+" + grad + ")"
				delete(stash, level)
			}
			if store >= 0 {
				if stash[store] != "" {
					t.Fatalf("n=%d: micro-batch %d overwrites level %d", n, i, store)
				}
				levels = max(levels, store+1)
				stash[store] = grad
			} else if i != n-1 {
				t.Fatalf("n=%d: micro-batch %d is lost", n, i)
			}
		}
		if levels != Levels(n) {
			t.Errorf("n=%d: %d levels are used, not %d", n, levels, Levels(n))
		}
		if want := tree(0, n); grad != want || len(stash) != 0 {
			t.Errorf("n=%d: %s, want %s; left over %v", n, grad, want, stash)
		}
	}
}

func TestAccumulatorSums(t *testing.T) {
	l := testLayout()
	o, _ := New(testConfig())
	for _, n := range []int{1, 2, 3, 5, 8, 13} {
		a := Accumulator{Layout: l, Offset: o.Bytes(l)}
		mem := exec.NewMemory(device(t), l.Bytes, l.GradBytes(), o.Bytes(l)+a.Bytes(n))
		grad := make([]float64, l.GradBytes()/8)
		for i := range n {
			for k := range grad {
				grad[k] = float64(i*i + k)
			}
			if err := mem.Upload(exec.Grad, 0, bytesOf(grad)); err != nil {
				t.Fatal(err)
			}
			adds, store := Carry(i, n)
			for _, level := range adds {
				run(t, mem, program(t, func(b *exec.Builder) { a.Add(b, level) }))
			}
			if store >= 0 {
				run(t, mem, program(t, func(b *exec.Builder) { a.Stash(b, store) }))
			}
		}
		if err := mem.Download(exec.Grad, 0, bytesOf(grad)); err != nil {
			t.Fatal(err)
		}
		for k, got := range grad {
			want := 0.0
			for i := range n {
				want += float64(i*i + k)
			}
			if got != want {
				t.Fatalf("n=%d: sum[%d] = %g, want %g", n, k, got, want)
			}
		}
		moments := make([]float64, o.Bytes(l)/8)
		if err := mem.Download(exec.State, 0, bytesOf(moments)); err != nil {
			t.Fatal(err)
		}
		for i, m := range moments {
			if m != 0 {
				t.Fatalf("n=%d: the stashes reach into the moments at %d", n, i)
			}
		}
	}
}

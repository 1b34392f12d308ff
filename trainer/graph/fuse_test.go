package graph

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// gpt is two layers as a GPT-2 has them, with tied embeddings, or an output layer of its own.
func gpt(b *Builder, tied bool, dropout float64, train bool) Outputs {
	const c, v = 8, 5
	wte := b.Param("wte", Init{}, v, c)
	rng := b.Input("rng", exec.I32, 4)
	p := func(name string, shape ...int) *Node { return b.Param(name, Init{}, shape...) }
	norm := func(name string, x *Node) *Node { return b.LayerNorm(x, p(name+".g", c), p(name+".b", c), 1e-5) }
	linear := func(name string, x *Node, in, out int) *Node {
		return b.Linear(x, p(name+".w", in, out), p(name+".b", out), true)
	}
	ids, order := b.Input("ids", exec.I32, rows), b.Input("order", exec.I32, rows)
	x := b.Dropout(b.Add(b.Embed(wte, ids), b.Embed(p("wpe", 3, c), order)), dropout, rng)
	segments := b.Input("segments", exec.I32, rows)
	for _, l := range []string{"0", "1"} {
		a := linear(l+".qkv", norm(l+".ln_1", x), c, 3*c)
		a = linear(l+".proj", b.Attention(Attend{Q: a, Heads: Heads{2, 2}, T: 3, Segments: segments, Order: order}), c, c)
		x = b.Add(x, b.Dropout(a, dropout, rng))
		f := b.GELU(linear(l+".fc", norm(l+".ln_2", x), c, 2*c))
		x = b.Add(x, b.Dropout(linear(l+".out", f, 2*c, c), dropout, rng))
	}
	w, bias := wte, (*Node)(nil)
	if !tied {
		w, bias = p("head", v, c), p("head.b", v)
	}
	x = norm("ln_f", x)
	loss, nll := b.CrossEntropy(b.Linear(x, w, bias, false), b.Input("targets", exec.I32, rows), b.Input("weights", b.dt, rows))
	out := Outputs{Named: []Named{{"loss", loss}, {"nll", nll}}}
	if train {
		out.Loss = loss
	}
	return out
}

// Fusing changes no bit of the outputs, and of the gradients those that Fuse names, by a
// few roundings.
func TestFused(t *testing.T) {
	dev := device(t)
	for _, c := range []struct {
		name    string
		tied    bool
		dropout float64
		train   bool
		want    map[exec.Op]int // instructions of the fused program
	}{
		{"tied", true, 0, true, map[exec.Op]int{
			exec.OpLinearCrossEntropy: 1, exec.OpAddLayerNorm: 5, exec.OpLayerNorm: 0, exec.OpLayerNormGrad: 5, exec.OpAdd: 0,
			exec.OpCrossEntropyGrad: 0, exec.OpColSum: 2, exec.OpEmbedGrad: 2, exec.OpGELUGrad: 2,
		}},
		{"an output layer of its own", false, 0, true, map[exec.Op]int{exec.OpLinearCrossEntropy: 1, exec.OpAdd: 0, exec.OpColSum: 2}},
		{"dropout", true, 0.25, true, map[exec.Op]int{exec.OpLinearCrossEntropy: 1, exec.OpAddLayerNorm: 4, exec.OpAdd: 1, exec.OpColSum: 6}},
		{"forward", true, 0, false, map[exec.Op]int{exec.OpLinearCrossEntropy: 1, exec.OpAddLayerNorm: 5, exec.OpAdd: 0, exec.OpLinear: 8}},
	} {
		var runs [2]*run
		for i, unfused := range []bool{true, false} {
			b := New(c.name, exec.F64)
			b.unfused = unfused
			runs[i] = start(t, dev, b, gpt(b, c.tied, c.dropout, c.train), ints)
			runs[i].run()
		}
		plain, fused := runs[0], runs[1]
		for op, want := range c.want {
			if got := count(fused.x.Program(), op); got != want {
				t.Errorf("%s: %d instructions %v, want %d", c.name, got, op, want)
			}
		}
		for name, n := range map[string]int{"loss": 1, "nll": rows} {
			if a, b := plain.read(name, n), fused.read(name, n); !slices.Equal(a, b) {
				t.Errorf("%s: %s is %v, fused %v", c.name, name, a, b)
			}
		}
		if !c.train {
			continue
		}
		for _, p := range plain.l.Params {
			var diff, norm float64
			a, b := plain.grad(p), fused.grad(p)
			for i := range a {
				diff += (a[i] - b[i]) * (a[i] - b[i])
				norm += a[i] * a[i]
			}
			rounded := len(p.Shape) == 1 || p.Name == "wte" // sums of biases, and the tied table
			if d := math.Sqrt(diff / norm); d != 0 && !(rounded && d < 1e-14) {
				t.Errorf("%s: gradient of %s differs by %.2g of its norm", c.name, p.Name, d)
			}
		}
	}
}

// The gradients of a fused program against central differences.
func TestGradientsFused(t *testing.T) {
	dev := device(t)
	for _, tied := range []bool{true, false} {
		b := New("fused", exec.F64)
		start(t, dev, b, gpt(b, tied, 0.2, true), ints).checkGradients(2e-8)
	}
}

// A product by parameters that lie side by side takes no copy of them or their gradients; by
// others, or by partly frozen ones, it takes one, and gives the same.
func TestConcatOfParameters(t *testing.T) {
	dev := device(t)
	for _, c := range []struct {
		name   string
		n      int // rows of 16 bytes
		frozen string
		want   int // instructions that copy
	}{
		{"adjacent", 4, "", 0},
		{"padded", 3, "", 4},
		{"partly frozen", 4, "w2", 2},
		{"all weights frozen", 4, "w", 0},
	} {
		var runs [2]*run
		for i, unfused := range []bool{true, false} {
			b := New(c.name, exec.F64)
			b.unfused = unfused
			b.Freeze(func(name string) bool {
				return name == c.frozen || c.frozen == "w" && name != "x" && name[0] == 'w'
			})
			var w, bias [3]*Node
			for k := range w { // as a model declares them
				w[k] = b.Param(fmt.Sprintf("w%d", k), Init{}, c.n, 2)
				bias[k] = b.Param(fmt.Sprintf("b%d", k), Init{}, 2*c.n)
			}
			x := b.Param("x", Init{}, rows, 2)
			y := b.Linear(x, b.Concat(w[:]...), nil, false)
			y = b.Add(b.Linear(y, b.Param("u", Init{}, 6*c.n, 3*c.n), b.Concat(bias[:]...), false), b.Linear(y, b.Param("v", Init{}, 6*c.n, 3*c.n), nil, false))
			loss, _ := b.CrossEntropy(y, b.Input("targets", exec.I32, rows), b.Input("weights", b.dt, rows))
			runs[i] = start(t, dev, b, Outputs{loss, []Named{{"loss", loss}}}, ints)
			runs[i].run()
		}
		plain, fused := runs[0], runs[1]
		if n := count(plain.x.Program(), exec.OpConcat); n != 2 {
			t.Errorf("%s: %d concatenations before fusing, want 2", c.name, n)
		}
		if got := count(fused.x.Program(), exec.OpConcat) + count(fused.x.Program(), exec.OpSplit); got != c.want {
			t.Errorf("%s: %d instructions copy, want %d", c.name, got, c.want)
		}
		if a, b := plain.read("loss", 1), fused.read("loss", 1); a[0] != b[0] {
			t.Errorf("%s: loss %v, fused %v", c.name, a, b)
		}
		for _, p := range plain.l.Params {
			if p.Trainable && !slices.Equal(plain.grad(p), fused.grad(p)) {
				t.Errorf("%s: another gradient of %s", c.name, p.Name)
			}
		}
		fused.checkGradients(2e-8)
	}
}

package graph

import (
	"flag"
	"strings"
	"testing"

	"hone/trainer/exec"
)

var search = flag.Int("search", 0, "names to try in the search for colliding sums")

func TestBuilderRefuses(t *testing.T) {
	const f = exec.F64
	type nodes struct{ x, w, v, ids, rows *Node }
	for want, build := range map[string]func(b *Builder, n nodes) *Node{
		"s: linear: w is f64(3,5), want f64(any,4)":  func(b *Builder, n nodes) *Node { return b.Linear(n.x, b.Param("p", Init{}, 3, 5), nil, false) },
		"s: linear: bias is f64(4), want f64(3)":     func(b *Builder, n nodes) *Node { return b.Linear(n.x, n.w, n.v, false) },
		"s: linear: x is i32(6), want f64(any,any)":  func(b *Builder, n nodes) *Node { return b.Linear(n.ids, n.w, nil, false) },
		"s: linear: x is missing":                    func(b *Builder, n nodes) *Node { return b.Linear(nil, n.w, nil, false) },
		"s: embed: ids is f64(6), want i32(any)":     func(b *Builder, n nodes) *Node { return b.Embed(n.w, n.rows) },
		"s: layer_norm: gain is f64(6), want f64(4)": func(b *Builder, n nodes) *Node { return b.LayerNorm(n.x, n.rows, nil, 1e-5) },
		"s: layer_norm: eps 0 is not above 0":        func(b *Builder, n nodes) *Node { return b.LayerNorm(n.x, n.v, nil, 0) },
		"s: add: y is f64(3,4), want f64(6,4)":       func(b *Builder, n nodes) *Node { return b.Add(n.x, n.w) },
		"s: dropout: probability 1 is not in [0,1)":  func(b *Builder, n nodes) *Node { return b.Dropout(n.x, 1, b.Input("rng", exec.I32, 4)) },
		"s: dropout: rng is i32(6), want i32(4)":     func(b *Builder, n nodes) *Node { return b.Dropout(n.x, 0.5, n.ids) },
		"s: attention: 4 columns do not split into 2 que": func(b *Builder, n nodes) *Node {
			return b.Attention(Attend{Q: n.x, Heads: Heads{2, 2}, T: 3, Segments: n.ids, Order: n.ids})
		},
		"s: attention: 3 query heads cannot share 2 key": func(b *Builder, n nodes) *Node {
			return b.Attention(Attend{Q: n.x, Heads: Heads{3, 2}, T: 3, Segments: n.ids, Order: n.ids})
		},
		"s: attention: 6 rows are no whole number of seq": func(b *Builder, n nodes) *Node {
			return b.Attention(Attend{Q: n.x, Heads: Heads{2, 1}, T: 4, Segments: n.ids, Order: n.ids})
		},
		"s: attention_cached: keys and values must be tw": func(b *Builder, n nodes) *Node {
			c := b.Cache("c", 6, 5, 1)
			return b.AttentionCached(AttendCached{Q: n.x, Keys: c, Values: c, Positions: n.ids, Sequences: n.ids, Heads: Heads{2, 1}})
		},
		"s: cross_entropy: targets is f64(6), want i32(6)": func(b *Builder, n nodes) *Node { l, _ := b.CrossEntropy(n.x, n.rows, n.rows); return l },
		"s: cross_entropy: weights cannot depend on train": func(b *Builder, n nodes) *Node {
			l, _ := b.CrossEntropy(n.x, n.ids, b.Param("p", Init{}, 6))
			return l
		},
		"s: gelu: an operand is a statistic of another": func(b *Builder, n nodes) *Node {
			_, nll := b.CrossEntropy(b.Linear(n.x, n.w, nil, false), n.ids, n.rows)
			return b.GELU(nll)
		},
		"s: parameter w: the name is taken":   func(b *Builder, n nodes) *Node { return b.Param("w", Init{}, 3, 4) },
		"s: input w: the name is taken":       func(b *Builder, n nodes) *Node { return b.Input("w", f, 3, 4) },
		"s: input y: shape [0 2]: want one":   func(b *Builder, n nodes) *Node { return b.Input("y", f, 0, 2) },
		"s: gelu: x belongs to another graph": func(b *Builder, n nodes) *Node { return b.GELU(New("other", f).Input("x", f, 2)) },
	} {
		b := New("bad", f)
		n := nodes{b.Input("x", f, 6, 4), b.Param("w", Init{}, 3, 4), b.Param("v", Init{}, 4), b.Input("ids", exec.I32, 6), b.Input("rows", f, 6)}
		b.Scope("s")
		y := build(b, n)
		b.GELU(y) // does nothing after the error
		b.Scope("later")
		_, err := b.Lower(nil, Outputs{Named: []Named{{"y", y}}})
		if err == nil || !strings.HasPrefix(err.Error(), "graph: bad: "+want) {
			t.Errorf("error %q, want %q", err, "graph: bad: "+want)
		}
	}
}

func TestLowerRefuses(t *testing.T) {
	const f = exec.F32
	for want, lower := range map[string]func(b *Builder, w, x *Node) (*exec.Layout, Outputs){
		"the loss has shape (2,3), want one element": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			return nil, Outputs{Loss: b.Linear(x, w, nil, false)}
		},
		"the loss depends on no trainable parameter": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			return nil, Outputs{Loss: b.GELU(b.Input("one", f, 1))}
		},
		"parameter lost: trainable, but the loss does not depend on it": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			b.Param("lost", Init{}, 3)
			return nil, Outputs{Loss: loss(b, w, x)}
		},
		"parameter v: trainable in the layout, not in the graph": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			return exec.NewLayout(f, append(b.Params(), exec.ParamInfo{Name: "v", Shape: []int{1}, Trainable: true})), Outputs{Loss: loss(b, w, x)}
		},
		"parameter w: f32(3,4), but f32(4,3) in the layout": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			return exec.NewLayout(f, []exec.ParamInfo{{Name: "w", Shape: []int{4, 3}, Trainable: true}}), Outputs{Loss: loss(b, w, x)}
		},
		"parameter w is not in the layout": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			return exec.NewLayout(f, nil), Outputs{Named: []Named{{"y", b.GELU(w)}}}
		},
		"output y is missing": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			return nil, Outputs{Named: []Named{{"y", nil}}}
		},
		"attention_cached has no gradient": func(b *Builder, w, x *Node) (*exec.Layout, Outputs) {
			y := b.AttentionCached(AttendCached{Q: b.Linear(x, w, nil, false), Keys: b.Cache("k", 2, 4, 1), Values: b.Cache("v", 2, 4, 1), Positions: b.Input("at", exec.I32, 2), Sequences: b.Input("of", exec.I32, 2), Heads: Heads{1, 1}})
			l, _ := b.CrossEntropy(y, b.Input("targets", exec.I32, 2), b.Input("weights", f, 2))
			return nil, Outputs{Loss: l}
		},
	} {
		b := New("bad", f)
		w, x := b.Param("w", Init{}, 3, 4), b.Input("x", f, 2, 4)
		_, err := b.Lower(lower(b, w, x))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	b := New("twice", f)
	y := b.GELU(b.Input("x", f, 1))
	if _, err := b.Lower(nil, Outputs{Named: []Named{{"y", y}}}); err != nil {
		t.Error(err)
	}
	if _, err := b.Lower(nil, Outputs{Named: []Named{{"y", y}}}); err == nil {
		t.Error("lowered twice")
	}
}

func loss(b *Builder, w, x *Node) *Node {
	l, _ := b.CrossEntropy(b.Linear(x, w, nil, false), b.Input("targets", exec.I32, 2), b.Input("weights", b.dt, 2))
	return l
}

func count(p *exec.Program, op exec.Op) int {
	n := 0
	for i := range p.Instrs {
		if p.Instrs[i].Op == op {
			n++
		}
	}
	return n
}

// Frozen parameters leave no instructions behind, and a tied weight costs one sum.
func TestLoweredInstructions(t *testing.T) {
	build := func(frozen string) *exec.Program {
		b := New("p", exec.F32)
		b.unfused = true
		b.Freeze(func(name string) bool { return name == frozen })
		e := b.Param("e", Init{}, 7, 4)
		w := b.Param("w", Init{}, 4, 4)
		bias := b.Param("bias", Init{}, 4)
		x := b.Embed(e, b.Input("ids", exec.I32, 2))
		b.GELU(x) // dead
		l, nll := b.CrossEntropy(b.Linear(b.Linear(x, w, bias, true), e, nil, false), b.Input("targets", exec.I32, 2), b.Input("weights", exec.F32, 2))
		p, err := b.Lower(nil, Outputs{l, []Named{{"loss", l}, {"nll", nll}}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	all := build("")
	for op, want := range map[exec.Op]int{
		exec.OpGELU: 0, exec.OpAdd: 1, exec.OpCopy: 0, exec.OpEmbedGrad: 1,
		exec.OpLinearGradW: 2, exec.OpLinearGradX: 2, exec.OpColSum: 1,
	} {
		if got := count(all, op); got != want {
			t.Errorf("%d instructions %v, want %d", got, op, want)
		}
	}
	if got := count(build("e"), exec.OpAdd) + count(build("e"), exec.OpEmbedGrad); got != 0 {
		t.Errorf("a frozen embedding costs %d instructions", got)
	}
	if got := count(build("w"), exec.OpLinearGradW); got != 1 {
		t.Errorf("%d weight gradients with w frozen, want 1", got)
	}
	// Gradients are computed where they belong.
	for i := range all.Instrs {
		in := &all.Instrs[i]
		if in.Op == exec.OpLinearGradW && in.Note == "" && all.Values[in.Out[0]].Name == "w.grad" {
			if v := all.Values[in.Out[0]]; v.Class != exec.Grad {
				t.Errorf("w.grad lies in the %v arena", v.Class)
			}
			return
		}
	}
	t.Error("no instruction computes w.grad")
}

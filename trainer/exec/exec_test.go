package exec

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"
)

// Values that are alive together must not overlap, whatever the program.
func TestPlanKeepsLiveValuesApart(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := NewBuilder("random")
		x := b.Input("x", F32, 64)
		live := []ID{x}
		for i := range 40 {
			n := 16 * (1 + r.IntN(20))
			src := live[r.IntN(len(live))]
			if r.IntN(3) == 0 {
				n = b.p.Values[src].Elems()
			}
			op := OpCopy
			if r.IntN(2) == 0 && b.p.Values[src].Elems() == n {
				op = OpGELU
			}
			y := b.Scratch("v", F32, n)
			b.Emit(op, []ID{src}, []ID{y}, Attrs{}, "")
			live = append(live, y)
			if i == 39 {
				b.Output("out", y)
			}
		}
		p, err := b.Program()
		if err != nil {
			t.Fatal(err)
		}
		// Replay: remember who wrote each byte last; every read must find its own.
		owner := make([]ID, p.Size(Scratch))
		for i := range p.Instrs {
			in := &p.Instrs[i]
			for _, id := range in.In {
				if v := &p.Values[id]; v.Class == Scratch {
					for k := range v.Bytes() {
						if owner[v.Offset+k] != id {
							t.Fatalf("seed %d: instruction %d reads byte %d of value %d, overwritten by %d", seed, i, k, id, owner[v.Offset+k])
						}
					}
				}
			}
			for _, id := range in.Out {
				v := &p.Values[id]
				for k := range v.Bytes() {
					owner[v.Offset+k] = id
				}
			}
		}
	}
}

func TestPlanWritesElementwiseInPlace(t *testing.T) {
	b := NewBuilder("inplace")
	x := b.Input("x", F32, 1024)
	a, c, d := b.Scratch("a", F32, 1024), b.Scratch("c", F32, 1024), b.Scratch("d", F32, 1024)
	b.Emit(OpCopy, []ID{x}, []ID{a}, Attrs{}, "")
	b.Emit(OpGELU, []ID{a}, []ID{c}, Attrs{}, "")
	b.Emit(OpGELU, []ID{c}, []ID{d}, Attrs{}, "")
	b.Output("d", d)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Size(Scratch); got != 4096 {
		t.Errorf("scratch is %d bytes, want 4096", got)
	}
}

func TestBuilderRefuses(t *testing.T) {
	for name, f := range map[string]func(b *Builder){
		"before it is written": func(b *Builder) {
			y := b.Scratch("y", F32, 4)
			b.Emit(OpGELU, []ID{b.Scratch("x", F32, 4)}, []ID{y}, Attrs{}, "")
		},
		"a second time": func(b *Builder) {
			x, y := b.Input("x", F32, 4), b.Scratch("y", F32, 4)
			b.Emit(OpGELU, []ID{x}, []ID{y}, Attrs{}, "")
			b.Emit(OpGELU, []ID{x}, []ID{y}, Attrs{}, "")
		},
		"declared twice":  func(b *Builder) { b.Input("x", F32, 4); b.Input("x", F32, 4) },
		"never written":   func(b *Builder) { b.Output("y", b.Scratch("y", F32, 4)) },
		"not a multiple":  func(b *Builder) { b.At("p", Param, 4, F32, 4) },
		"no fixed offset": func(b *Builder) { b.At("p", Scratch, 0, F32, 4) },
	} {
		b := NewBuilder("bad")
		f(b)
		if _, err := b.Program(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want one that says %q", err, name)
		}
	}
}

func TestLayoutPutsDecayFirstAndFrozenLast(t *testing.T) {
	l := NewLayout(F32, []ParamInfo{
		{Name: "frozen", Shape: []int{3, 3}, Decay: true},
		{Name: "bias", Shape: []int{5}, Trainable: true},
		{Name: "weight", Shape: []int{5, 5}, Decay: true, Trainable: true},
	})
	var names []string
	for _, p := range l.Params {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "weight bias frozen" {
		t.Errorf("order %q", got)
	}
	if l.Bytes != 128+64+64 || l.GradBytes() != 128+64 || l.Elems() != 39 {
		t.Errorf("bytes %d, gradient bytes %d, elements %d", l.Bytes, l.GradBytes(), l.Elems())
	}
}

func TestPrintNamesEveryOp(t *testing.T) {
	for op := range numOps {
		if op.String() == "" {
			t.Errorf("op %d has no name", op)
		}
	}
	b := NewBuilder("tiny")
	x, w := b.Input("x", F32, 4, 8), b.At("w", Param, 0, F32, 16, 8)
	y := b.Scratch("y", F32, 4, 16)
	b.Emit(OpLinear, []ID{x, w, None}, []ID{y}, Attrs{}, "mlp")
	b.Output("y", y)
	p, err := b.Program()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := p.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"linear", "y[4 16]@0", "w[16 8]", "mlp", "0.00102"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("listing lacks %q:\n%s", want, out.String())
		}
	}
	if p.FLOPs() != 2*4*8*16 {
		t.Errorf("FLOPs %g", p.FLOPs())
	}
}

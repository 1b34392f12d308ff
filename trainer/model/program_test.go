package model

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"hone/trainer/exec"
)

var update = flag.Bool("update", false, "write the golden listings")

// tiny is a GPT-2 for tests, with other keys where they ask for them.
func tiny(edits ...func(*GPT2)) Config {
	c := defaultGPT2()
	c.VocabSize = 11
	f := c.Family.(GPT2)
	f.NPositions, f.NEmbd, f.NLayer, f.NHead = 8, 8, 1, 2
	for _, edit := range edits {
		edit(&f)
	}
	c.Family = f
	return c
}

func TestListings(t *testing.T) {
	labels := tiny()
	labels.SetLabels([]string{"a", "b", "c"})
	for file, p := range map[string]struct {
		c       Config
		o       Options
		k       Kind
		b, t, s int
	}{
		"train.txt":      {tiny(), Options{}, Train, 2, 4, 0},
		"decode.txt":     {tiny(), Options{}, Decode, 1, 8, 1},
		"classifier.txt": {labels, Options{Head: Classifier, Trainable: func(name string) bool { return name == "score.weight" }}, Train, 2, 4, 3},
	} {
		l, err := NewLayout(p.c, exec.F32, p.o)
		if err != nil {
			t.Fatal(err)
		}
		prog, err := Program(p.c, l, p.o, p.k, p.b, p.t, p.s)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := prog.Print(&got); err != nil {
			t.Fatal(err)
		}
		file = "testdata/" + file
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s has changed (go test -run Listings -update writes it anew):\n%s", file, got.String())
		}
	}
}

func TestProgramErrors(t *testing.T) {
	labels := tiny()
	labels.SetLabels([]string{"a", "b"})
	lm, cl := Options{}, Options{Head: Classifier}
	for want, p := range map[string]struct {
		o       Options
		k       Kind
		b, t, s int
	}{
		"train B=2 T=9: sequences longer than the model's 8":          {lm, Train, 2, 9, 0},
		"train B=0 T=4: want B and T above 0":                         {lm, Train, 0, 4, 0},
		"train B=2 T=4 S=1: a language model has no pooled rows here": {lm, Train, 2, 4, 1},
		"decode B=2 T=4: want S, the number of tokens, above 0":       {lm, Decode, 2, 4, 0},
		"decode B=2 T=4: a classifier does not decode":                {cl, Decode, 2, 4, 0},
		"evaluate B=2 T=4: a classifier needs S":                      {cl, Evaluate, 2, 4, 0},
		"Kind(7) is not known":                                        {lm, 7, 2, 4, 0},
	} {
		l, err := NewLayout(labels, exec.F32, p.o)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Program(labels, l, p.o, p.k, p.b, p.t, p.s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// A 12-layer GPT-2 of 124 M parameters, as counted by transformers.
func TestGPT2Size(t *testing.T) {
	l, err := NewLayout(defaultGPT2(), exec.F32, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := l.Elems(); got != 124439808 {
		t.Errorf("%d parameters, want 124439808", got)
	}
	p, err := Program(defaultGPT2(), l, Options{}, Train, 1, 16, 0)
	if err != nil {
		t.Fatal(err)
	}
	if p.Size(exec.Grad) != l.GradBytes() || p.Size(exec.Param) != l.Bytes {
		t.Errorf("program has %d and %d bytes of parameters and gradients, the layout %d and %d",
			p.Size(exec.Param), p.Size(exec.Grad), l.Bytes, l.GradBytes())
	}
	// A gradient costs twice its forward product; attention's are recomputed partly.
	if f := p.FLOPs() / (6 * float64(l.Elems()-l.Params[1].Elems) * 16); f < 0.95 || f > 1.1 {
		t.Errorf("%.3g FLOPs, %.3g of 6·N·R", p.FLOPs(), f)
	}
}

func BenchmarkProgramGPT2(b *testing.B) {
	l, err := NewLayout(defaultGPT2(), exec.F32, Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := Program(defaultGPT2(), l, Options{}, Train, 1, 1024, 0); err != nil {
			b.Fatal(err)
		}
	}
}

package graph

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"hone/trainer/exec"
)

// Names of (4,4) float32 inputs whose nodes have the same 32-bit hash in Gorgonia.
const collide1, collide2 = "h.179599.w", "h.362382.w"

func TestSerialsKeepOpsApart(t *testing.T) {
	b := New("serial", exec.F32)
	x := b.Input("x", exec.F32, 2, 4)
	w1, w2 := b.Param(collide1, Init{}, 4, 4), b.Param(collide2, Init{}, 4, 4)
	if w1.n.Hashcode() != w2.n.Hashcode() {
		t.Fatal("the names do not collide: this test shows nothing")
	}
	y1, y2 := b.Linear(x, w1, nil, false), b.Linear(x, w2, nil, false)
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	if y1.n == y2.n {
		t.Error("Linear(x, w1) and Linear(x, w2) are one node")
	}
	if y1.n.Op().Hashcode() == y2.n.Op().Hashcode() {
		t.Error("the hash codes of two operations are equal")
	}

	// Without a serial of its own the second is merged, and refused.
	b = New("no serial", exec.F32)
	x = b.Input("x", exec.F32, 2, 4)
	w1, w2 = b.Param(collide1, Init{}, 4, 4), b.Param(collide2, Init{}, 4, 4)
	b.Linear(x, w1, nil, false)
	b.serial--
	b.Linear(x, w2, nil, false)
	if err := b.Err(); err == nil || !strings.Contains(err.Error(), "merged") {
		t.Errorf("error %v, want one that says merged", err)
	}
}

// two has the loss (p + gelu(p)) + (q + gelu(q)): the gradients of p and q are sums
// whose hashes depend on the names.
func two(p, q string) (*Builder, *Node) {
	b := New("two", exec.F32)
	x, y := b.Param(p, Init{}, 1), b.Param(q, Init{}, 1)
	return b, b.Add(b.Add(x, b.GELU(x)), b.Add(y, b.GELU(y)))
}

// sumHashes gives the hashes of the gradients of p and q.
func sumHashes(t *testing.T, p, q string) (hp, hq uint32, merged bool, err error) {
	b, loss := two(p, q)
	if b.Err() != nil {
		t.Fatal(b.Err())
	}
	_, err = b.Lower(nil, Outputs{Loss: loss})
	dp, dq := b.params[0].node.n.Deriv(), b.params[1].node.n.Deriv()
	return dp.Hashcode(), dq.Hashcode(), dp == dq, err
}

// Two parameters whose gradient sums collide, found by TestSearchCollidingSums.
const sum1, sum2 = "p.15511", "q.13909"

func TestMergedSumIsRefused(t *testing.T) {
	hp, hq, merged, err := sumHashes(t, sum1, sum2)
	if hp != hq || !merged {
		t.Fatalf("gorgonia keeps the gradients of %s and %s apart: this test shows nothing; run the search", sum1, sum2)
	}
	if !errors.Is(err, ErrMerged) {
		t.Errorf("error %v, want ErrMerged", err)
	}
	if _, _, merged, err := sumHashes(t, sum1, sum2+"x"); merged || err != nil {
		t.Errorf("other names: merged %v, error %v", merged, err)
	}
}

func TestSearchCollidingSums(t *testing.T) {
	if testing.Short() || *search == 0 {
		t.Skip("a search: go test -run SearchCollidingSums -search 100000")
	}
	seen := map[uint32]string{}
	for i := range *search {
		name := fmt.Sprintf("p.%d", i)
		hp, _, _, _ := sumHashes(t, name, "q")
		seen[hp] = name
	}
	for i := range *search {
		name := fmt.Sprintf("q.%d", i)
		_, hq, _, _ := sumHashes(t, "p", name)
		if p, ok := seen[hq]; ok {
			if _, _, merged, _ := sumHashes(t, p, name); merged {
				t.Logf("%s and %s collide", p, name)
			}
		}
	}
}

// The check looks at which terms are in a sum, not only at how many.
func TestCheckSums(t *testing.T) {
	b, loss := two("p", "q")
	if _, err := b.Lower(nil, Outputs{Loss: loss}); err != nil {
		t.Fatal(err)
	}
	p, q := b.params[0].node.n, b.params[1].node.n
	for name, terms := range map[string][]*gorgonia.Node{
		"another last term":  {b.terms[p][0], b.terms[q][1]},
		"another first term": {b.terms[q][0], b.terms[p][1]},
		"one too few":        b.terms[p][:1],
		"one too many":       append([]*gorgonia.Node{b.terms[p][0]}, b.terms[p]...),
	} {
		good := b.terms[p]
		if name == "another first term" && terms[0] == good[0] || name == "another last term" && terms[1] == good[1] {
			terms = []*gorgonia.Node{good[1], good[0]} // the seed serves both
		}
		b.terms[p] = terms
		if err := b.checkSums(); !errors.Is(err, ErrMerged) {
			t.Errorf("%s: error %v", name, err)
		}
		b.terms[p] = good
	}
	if err := b.checkSums(); err != nil {
		t.Error(err)
	}
}

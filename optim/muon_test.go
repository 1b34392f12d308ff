package optim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"hone/trainer/exec"
)

func muonConfig() Config {
	c := testConfig()
	c.Name = "muon"
	return c
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

// A gradient of zeros only lets weights decay.
func TestMuonZeroGradient(t *testing.T) {
	cfg := muonConfig()
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

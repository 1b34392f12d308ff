package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"hone/trainer/exec"
)

// muonCases are Muon's ops against their formulas, for weights of one to three maps.
func muonCases(r *rand.Rand) []opCase {
	var cases []opCase
	for _, s := range [][3]int{{1, 1, 1}, {3, 17, 3}, {17, 3, 2}, {70, 130, 1}, {200, 64, 3}} {
		rows, n, maps := s[0], s[1], s[2]
		g, m, p := random(r, rows, maps*n), random(r, rows, maps*n), random(r, rows, maps*n)
		const lr, clip, norm2, beta, scale, decay = 0.1, 2.0, 9.0, 0.9, 1.5, 0.3
		scalars, norm := wide(lr, 3, clip), wide(norm2)
		next, w := make([]float64, len(g.f)), make([]float64, len(g.f))
		us, os := make([][]float64, maps), make([]tensor, maps)
		for k := range maps {
			us[k], os[k] = make([]float64, rows*n), random(r, rows, n)
		}
		for i := range g.f {
			k, at := i%(maps*n)/n, i/(maps*n)*n+i%n // i%(maps·n)%n is i%n
			gi := g.f[i] * clip / 3                 // √norm2
			next[i] = beta*m.f[i] + (1-beta)*gi
			us[k][at] = beta*next[i] + (1-beta)*gi
			w[i] = (1-lr*decay)*p.f[i] - lr*scale*os[k].f[at]
		}
		uout := outputs(m.shape)
		for range maps {
			uout = append(uout, outputs([]int{rows, n})...)
		}
		var x, sum = random(r, rows, n), 0.04 // √ is 0.2
		y, z := make([]float64, len(x.f)), make([]float64, len(x.f))
		for i, v := range x.f {
			y[i], z[i] = v/0.2, v/0.5
		}
		a, b := random(r, n, n), random(r, n, n)
		poly := make([]float64, n*n)
		for i := range poly {
			poly[i] = 2*a.f[i] - 3*b.f[i]
			if i/n == i%n {
				poly[i] += 0.25
			}
		}
		attrs := exec.Attrs{Beta1: beta, Scale: scale, WeightDecay: decay, Coefficients: [3]float64{0.25, 2, -3}}
		add := func(op exec.Op, eps float64, ins, outs []tensor, want ...[]float64) {
			at := attrs
			at.Eps = eps
			cases = append(cases, opCase{fmt.Sprintf("%v%v eps=%g", op, s, eps), exec.Instr{Op: op, Attrs: at}, ins, outs, want, 1e-6})
		}
		add(exec.OpMuonMomentum, 0, []tensor{g, m, scalars, norm}, uout, append([][]float64{next}, us...)...)
		add(exec.OpMuonUpdate, 0, append([]tensor{p, scalars, norm}, os...), outputs(p.shape), w)
		add(exec.OpNormalize, 0.1, []tensor{x, wide(sum)}, outputs(x.shape), y)
		add(exec.OpNormalize, 0.5, []tensor{x, wide(sum)}, outputs(x.shape), z)
		add(exec.OpMatrixPolynomial, 0, []tensor{a, b}, outputs(a.shape), poly)
	}
	x := random(r, 3*elemChunk+5)
	return append(cases, opCase{"normalize long", exec.Instr{Op: exec.OpNormalize}, []tensor{x, wide(4)}, outputs(x.shape), nil, 1e-6})
}

// A gradient that is not finite: the momentum stays, the look ahead is zero, and no
// weight is written. Operands that do not fit are errors.
func TestMuonRefuses(t *testing.T) {
	d := testDevice(t, 2, "")
	r := rand.New(rand.NewPCG(19, 20))
	for _, norm2 := range []float64{math.NaN(), math.Inf(1)} {
		m, p, u := place[float32](t, d, random(r, 4, 6)), place[float32](t, d, random(r, 4, 6)), place[float32](t, d, random(r, 4, 3))
		v := place[float32](t, d, random(r, 4, 3))
		g, s, n := place[float32](t, d, random(r, 4, 6)), place[float32](t, d, wide(0.1, 1, 1)), place[float32](t, d, wide(norm2))
		before := append(fetch[float32](t, d, m), fetch[float32](t, d, p)...)
		launchOK(t, d, exec.Instr{Op: exec.OpMuonMomentum, Attrs: exec.Attrs{Beta1: 0.9}}, g, m, s, n, m, u, v)
		sameBits(t, "look ahead", append(fetch[float32](t, d, u), fetch[float32](t, d, v)...), make([]float64, 24))
		launchOK(t, d, exec.Instr{Op: exec.OpMuonUpdate, Attrs: exec.Attrs{Scale: 1, WeightDecay: 1}}, p, s, n, u, v, p)
		sameBits(t, "momentum and weight", append(fetch[float32](t, d, m), fetch[float32](t, d, p)...), before)

		narrow := place[float32](t, d, random(r, 4, 2))
		for _, c := range []struct {
			op   exec.Op
			args []exec.Arg
		}{
			{exec.OpMuonMomentum, []exec.Arg{g, m, s, n, m}},
			{exec.OpMuonMomentum, []exec.Arg{g, m, s, n, m, u, narrow}},
			{exec.OpMuonMomentum, []exec.Arg{g, m, s, n, m, u, u, u, u}},
			{exec.OpMuonMomentum, []exec.Arg{g, m, n, s, m, u, v}},
			{exec.OpMuonUpdate, []exec.Arg{p, s, n, p}},
			{exec.OpMuonUpdate, []exec.Arg{p, s, n, u, narrow, p}},
			{exec.OpMuonUpdate, []exec.Arg{p, n, s, u, v, p}},
			{exec.OpNormalize, []exec.Arg{u, s, u}},
			{exec.OpNormalize, []exec.Arg{u, n, narrow}},
			{exec.OpMatrixPolynomial, []exec.Arg{u, u, u}},
		} {
			if err := d.Launch(&exec.Instr{Op: c.op}, c.args); err == nil {
				t.Errorf("%v took operands that do not fit", c.op)
			}
		}
	}
}

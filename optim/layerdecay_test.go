package optim

import (
	"math"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// With a decay of the learning rate from layer to layer, each parameter moves as it does at decay^Above of the rate, to
// the bit, whichever optimiser there is; frozen ones do not move.
func TestLayerDecay(t *testing.T) {
	const decay, rate = 0.5, 0.01
	params := muonParams()
	for i := range params {
		params[i].Above = []int{4, 3, 3, 3, 2, 2, 0}[i]
	}
	for _, name := range Names {
		cfg := testConfig()
		cfg.Name = name
		run := func(layerDecay, lr float64) (*bench, map[string][]float64) {
			cfg.LayerDecay = layerDecay
			n := newBench(t, 1, cfg, exec.F64, slices.Clone(params))
			values := map[string][]float64{}
			for _, p := range n.l.Params {
				x := make([]float64, p.Elems)
				for i := range x {
					x[i] = math.Sin(float64(p.Offset/8 + 3*i))
				}
				n.set(exec.Param, p.Offset, x)
			}
			for step := range 2 {
				for _, p := range n.l.Params {
					if !p.Trainable {
						continue
					}
					g := make([]float64, p.Elems)
					for i := range g {
						g[i] = math.Cos(float64(p.Offset/8 + 5*i + step))
					}
					n.set(exec.Grad, p.Offset, g)
				}
				n.run(cfg.Scalars(lr, step+1))
			}
			for _, p := range n.l.Params {
				values[p.Name] = n.get(exec.Param, p.Offset, p.Elems)
			}
			return n, values
		}
		n, got := run(decay, rate)
		_, plain := run(0, rate)
		for _, p := range n.l.Params {
			_, want := run(0, rate*math.Pow(decay, float64(p.Above)))
			if !slices.Equal(got[p.Name], want[p.Name]) {
				t.Errorf("%s: %s does not move as at %g of the rate", name, p.Name, math.Pow(decay, float64(p.Above)))
			}
			if same := slices.Equal(got[p.Name], plain[p.Name]); same != (p.Above == 0 || !p.Trainable) {
				t.Errorf("%s: %s moves as without a decay: %v", name, p.Name, same)
			}
		}
	}
	if _, err := New(Config{Name: "adamw", Eps: 1, LayerDecay: 1.5}); err == nil {
		t.Error("a decay above 1 is none")
	}
}

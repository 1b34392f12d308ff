package bench

import (
	"math"
	"testing"

	"hone/trainer/exec"
)

// The families have as many parameters as GPT within 2.5 %, and the FLOPs of GPT-2's products
// are 6N + 12LCT a token but for biases and norms.
func TestBenchFamiliesAreEqual(t *testing.T) {
	program := func(c Config) (*exec.Layout, *exec.Program) {
		l, p, err := c.program()
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		return l, p
	}
	gpt := 0
	for i, c := range benchFamilyConfigs {
		l, p := program(c)
		n := c.params(l)
		if i == 0 {
			gpt = n
		}
		if off := float64(n)/float64(gpt) - 1; math.Abs(off) > 0.025 {
			t.Errorf("%s has %d parameters, %.1f %% from GPT's", c.Name, n, 100*off)
		}
		for k := range p.Instrs {
			if op := p.Instrs[k].Op; op == exec.OpConcat || op == exec.OpSplit {
				t.Errorf("%s: %v %s copies weights", c.Name, op, p.Instrs[k].Note)
			}
		}
		if text, flops := c.formula(); text != "" && math.Abs(p.FLOPs()/flops-1) > 1e-3 {
			t.Errorf("%s: %.5g FLOPs of products, %.5g by %s", c.Name, p.FLOPs(), flops, text)
		}
	}
	for _, c := range Configs {
		l, p := program(c)
		if products, usual := p.FLOPs(), c.flops(c.params(l), 0); math.Abs(products/usual-1) > 0.01 {
			t.Errorf("%s: %.4g FLOPs of products, %.4g by 6N + 12LCT", c.Name, products, usual)
		}
	}
}

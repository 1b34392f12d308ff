package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// differences gives the derivative of f by every element of x, or by every so many
// of a long one, in place of those in grad.
func differences(f func() float64, x, grad []float64) []float64 {
	const eps = 1e-5
	grad = slices.Clone(grad)
	for i := 0; i < len(x); i += 1 + len(x)/60 {
		v := x[i]
		x[i] = v + eps
		up := f()
		x[i] = v - eps
		down := f()
		x[i] = v
		grad[i] = (up - down) / (2 * eps)
	}
	return grad
}

// A gradCase is an op and its gradients: for operands wrt, by turns, what grad gives.
type gradCase struct {
	name string
	in   exec.Instr
	ins  []tensor
	outs []tensor // dy belongs to the first
	wrt  []int
	grad func(launch func(op exec.Op, ins []tensor, shapes ...[]int) [][]float64, out [][]float64, dy tensor) [][]float64
}

func gradCases(r *rand.Rand) []gradCase {
	var cases []gradCase
	for _, s := range [][3]int{{1, 1, 1}, {3, 5, 7}, {17, 4, 9}} {
		x, bias := random(r, s[0], s[1]), random(r, s[2])
		for _, transposed := range []bool{false, true} {
			w := random(r, s[2], s[1])
			if transposed {
				w = random(r, s[1], s[2])
			}
			cases = append(cases, gradCase{
				fmt.Sprintf("linear %v transposed %v", s, transposed),
				exec.Instr{Op: exec.OpLinear, Attrs: exec.Attrs{Transposed: transposed}}, []tensor{x, w, bias}, outputs([]int{s[0], s[2]}), []int{0, 1, 2},
				func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
					return slices.Concat(
						launch(exec.OpLinearGradX, []tensor{dy, w}, x.shape),
						launch(exec.OpLinearGradW, []tensor{x, dy}, w.shape),
						launch(exec.OpColSum, []tensor{dy}, bias.shape))
				},
			})
		}
	}
	for _, first := range []int{0, 4} { // 19 columns, or those behind 4
		y, u, w, attrs := random(r, 6, 23), random(r, 6, 3), random(r, 19, 3), exec.Attrs{First: first}
		cases = append(cases, gradCase{
			fmt.Sprintf("add_linear from %d", first), exec.Instr{Op: exec.OpAddLinear, Attrs: attrs}, []tensor{y, u, w}, outputs(y.shape), []int{1, 2},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return slices.Concat(launch(exec.OpLinearGradX, []tensor{dy, w}, u.shape), launch(exec.OpLinearGradW, []tensor{u, dy}, w.shape))
			},
		})
	}
	x := random(r, 5, 23)
	cases = append(cases, gradCase{
		"gelu", exec.Instr{Op: exec.OpGELU}, []tensor{x}, outputs(x.shape), []int{0},
		func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
			return launch(exec.OpGELUGrad, []tensor{x, dy}, x.shape)
		},
	}, gradCase{
		"dropout", exec.Instr{Op: exec.OpDropout, Attrs: exec.Attrs{P: 0.4, Salt: 2}}, []tensor{x, ints(5, 6, 7, 8)}, outputs(x.shape), []int{0},
		func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
			return launch(exec.OpDropout, []tensor{dy, ints(5, 6, 7, 8)}, x.shape)
		},
	})
	for _, f := range []struct{ op, grad exec.Op }{{exec.OpTanh, exec.OpTanhGrad}, {exec.OpSigmoid, exec.OpSigmoidGrad}, {exec.OpReLU, exec.OpReLUGrad}} {
		cases = append(cases, gradCase{
			f.op.String(), exec.Instr{Op: f.op}, []tensor{x}, outputs(x.shape), []int{0},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, out [][]float64, dy tensor) [][]float64 {
				return launch(f.grad, []tensor{floats(out[0], x.shape...), dy}, x.shape)
			},
		})
	}
	for f := exec.SiLU; f.Known(); f++ {
		wide := random(r, 5, 23) // with what lies beyond the corners
		for i := range wide.f {
			wide.f[i] *= 8
		}
		at := exec.Attrs{Activation: f}
		cases = append(cases, gradCase{
			f.String(), exec.Instr{Op: exec.OpActivation, Attrs: at}, []tensor{wide}, outputs(x.shape), []int{0},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpActivationGrad, []tensor{wide, dy}, x.shape)
			},
		}, gradCase{
			"glu of " + f.String(), exec.Instr{Op: exec.OpGLU, Attrs: at}, []tensor{wide, x}, outputs(x.shape), []int{0, 1},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpGLUGrad, []tensor{wide, x, dy}, x.shape, x.shape)
			},
		})
	}
	cases = append(cases, ropeGradCase(r))
	for _, s := range [][2]int{{1, 3}, {4, 17}, {5, 130}} {
		x, gain, bias := random(r, s[0], s[1]), random(r, s[1]), random(r, s[1])
		rows := []int{s[0]}
		up, both := random(r, s[0], s[1]), random(r, s[0], 2*s[1])
		cases = append(cases, gradCase{
			fmt.Sprintf("layer_norm %v", s), exec.Instr{Op: exec.OpLayerNorm, Attrs: exec.Attrs{Eps: 1e-2}}, []tensor{x, gain, bias}, outputs(x.shape, rows, rows), []int{0, 1, 2},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, out [][]float64, dy tensor) [][]float64 {
				mean, rstd := floats(out[1], rows...), floats(out[2], rows...)
				return launch(exec.OpLayerNormGrad, []tensor{dy, x, gain, mean, rstd, absent}, x.shape, gain.shape, bias.shape, nil)[:3]
			},
		}, gradCase{
			fmt.Sprintf("rms_norm %v", s), exec.Instr{Op: exec.OpRMSNorm, Attrs: exec.Attrs{Eps: 1e-2}}, []tensor{x, gain}, outputs(x.shape, rows), []int{0, 1},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, out [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpRMSNormGrad, []tensor{dy, x, gain, floats(out[1], rows...), absent}, x.shape, gain.shape, nil)[:2]
			},
		}, gradCase{
			fmt.Sprintf("swiglu %v", s), exec.Instr{Op: exec.OpGLU}, []tensor{x, up}, outputs(x.shape), []int{0, 1},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpGLUGrad, []tensor{x, up, dy}, x.shape, x.shape)
			},
		}, gradCase{
			fmt.Sprintf("geglu %v", s), exec.Instr{Op: exec.OpGLU, Attrs: exec.Attrs{Activation: exec.GELUTanh}}, []tensor{x, up}, outputs(x.shape), []int{0, 1},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpGLUGrad, []tensor{x, up, dy}, x.shape, x.shape)
			},
		}, gradCase{
			fmt.Sprintf("glu side by side %v", s), exec.Instr{Op: exec.OpGLU}, []tensor{both, absent}, outputs(x.shape), []int{0},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpGLUGrad, []tensor{both, absent, dy}, both.shape, nil)[:1]
			},
		})
		targets, weights := ints(make([]int32, s[0])...), random(r, s[0])
		for i := range targets.i {
			targets.i[i] = int32(r.IntN(s[1]+1)) - 1
		}
		targets.i[0] = 1
		cases = append(cases, gradCase{
			fmt.Sprintf("cross_entropy %v", s), exec.Instr{Op: exec.OpCrossEntropy}, []tensor{x, targets, weights}, outputs([]int{1}, rows, rows), []int{0},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, out [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpCrossEntropyGrad, []tensor{x, targets, weights, floats(out[2], rows...), dy}, x.shape)
			},
		})
		ids := ints(make([]int32, s[0])...)
		for i := range ids.i {
			ids.i[i] = int32(r.IntN(4)) - 1
		}
		w := random(r, 3, s[1])
		cases = append(cases, gradCase{
			fmt.Sprintf("embed %v", s), exec.Instr{Op: exec.OpEmbed}, []tensor{w, ids}, outputs(x.shape), []int{0},
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, _ [][]float64, dy tensor) [][]float64 {
				return launch(exec.OpEmbedGrad, []tensor{dy, ids, absent}, w.shape)
			},
		})
	}
	// Attention: causal, bidirectional, prefix, permuted, in pieces with padding; over one tile and
	// several; strict; with windows; to other keys; with biases.
	attend := func(name string, c *attentionCase) {
		res := c.results()
		cases = append(cases, gradCase{
			"attention " + name, exec.Instr{Op: exec.OpAttention, Attrs: c.attrs}, c.operands(), res, c.wrt(),
			func(launch func(exec.Op, []tensor, ...[]int) [][]float64, out [][]float64, dy tensor) [][]float64 {
				var shapes [][]int
				for _, g := range c.gradients() {
					shapes = append(shapes, g.shape)
				}
				ins := append(c.operands(), floats(out[0], res[0].shape...), floats(out[1], res[1].shape...), dy)
				return slices.DeleteFunc(launch(exec.OpAttentionGrad, ins, shapes...), func(g []float64) bool { return g == nil })
			},
		})
	}
	for i, t := range []int{7, 7, 70, 66, 9, 67} {
		c := newAttention(r, 1+i%2, t, 2, 1+(i+1)%2, 3)
		switch i {
		case 1:
			clear(c.order)
		case 2:
			clear(c.order[:t/2])
		case 3, 4:
			c.permuted(r)
		}
		if i >= 4 {
			for k := range c.segments {
				c.segments[k] = int32(r.IntN(3)) - 1
			}
		}
		attend(fmt.Sprint(i), c)
		strict := *c
		strict.attrs.Strict = true
		attend(fmt.Sprint(i, " strict"), &strict)
		window := *c
		attend(fmt.Sprint(i, " windowed"), window.windowed(1+t/3))
		bias := *c
		attend(fmt.Sprint(i, " with a bias"), bias.biased(r, i%2 == 1))
		attend(fmt.Sprint(i, " with dropout"), bias.dropping(0.25))
	}
	for i, s := range [][2]int{{5, 9}, {66, 20}, {20, 70}} {
		for form := fusedKV; form <= separate; form++ {
			attend(fmt.Sprint("cross ", i, form), newCross(r, 1+i%2, s[0], s[1], 2, 1, 3, form))
			attend(fmt.Sprint("cross with a bias ", i, form), newCross(r, 1+i%2, s[0], s[1], 2, 2, 3, form).crossed().biased(r, i > 0))
		}
	}
	return cases
}

// The gradient of every op agrees with central differences in float64.
func TestGradientsAgainstDifferences(t *testing.T) {
	oneGoroutine(t)
	d := testDevice(t, 1, "")
	r := rand.New(rand.NewPCG(41, 42))
	for _, c := range gradCases(r) {
		dy := random(r, c.outs[0].shape...)
		args := make([]exec.Arg, 0, 16)
		for _, o := range slices.Concat(c.ins, c.outs) {
			args = append(args, place[float64](t, d, o))
		}
		y := args[len(c.ins)]
		out := make([]float64, len(dy.f))
		f := func() float64 {
			for _, i := range c.wrt {
				if err := d.Upload(args[i].Buffer, raw(c.ins[i].f)); err != nil {
					t.Fatal(err)
				}
			}
			if err := d.Launch(&c.in, args); err != nil {
				t.Fatal(err)
			}
			if err := d.Download(raw(out), y.Buffer); err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for i, v := range out {
				sum += v * dy.f[i]
			}
			return sum
		}
		got := c.grad(func(op exec.Op, ins []tensor, shapes ...[]int) [][]float64 {
			return launchOn[float64](t, d, &exec.Instr{Op: op, Attrs: c.in.Attrs}, ins, outputs(shapes...))
		}, launchOn[float64](t, d, &c.in, c.ins, c.outs), dy)
		for i, k := range c.wrt {
			compare(t, fmt.Sprintf("%s by operand %d", c.name, k), got[i], differences(f, c.ins[k].f, got[i]), 1e-8)
		}
	}
}

package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// BenchmarkOps takes matrices far larger than the caches: 16384 rows of 768 channels, 2048
// of 8192 logits. GB/s counts each operand once, and the copy is what the memory gives.
func BenchmarkOps(b *testing.B) {
	const rows, c, v = 16384, 768, 8192
	r := rand.New(rand.NewPCG(51, 52))
	some := random(r, 1<<16)
	cheap := func(shape ...int) tensor {
		t := tensor{shape: shape, f: make([]float64, product(shape))}
		for i := 0; i < len(t.f); i += len(some.f) {
			copy(t.f[i:], some.f)
		}
		return t
	}
	ones := func(n int) tensor { return floats(slices.Repeat([]float64{1}, n), n) }
	picks := func(n int) tensor { // some tokens far more often than others
		ids := ints(make([]int32, n)...)
		for i := range ids.i {
			ids.i[i] = int32(v * math.Pow(r.Float64(), 4))
		}
		return ids
	}
	x, gain := cheap(rows, c), random(r, c)
	stat := ones(rows)
	gate, logits, table := cheap(rows/4, 3072), cheap(2048, v), cheap(v, c)
	ids, targets := picks(rows), picks(2048)
	turns, one := cheap(rows, 64), wide(1)
	bias := ones(3072)
	eps := exec.Attrs{Eps: 1e-5}
	step := wide(1e-3, 5, 1)
	for _, s := range []struct {
		name      string
		in        exec.Instr
		ins, outs []tensor
		inPlace   []int // operands that are outputs too
	}{
		{"copy", exec.Instr{Op: exec.OpCopy}, []tensor{x}, []tensor{x}, nil},
		{"add", exec.Instr{Op: exec.OpAdd}, []tensor{x, x}, []tensor{x}, nil},
		{"embed", exec.Instr{Op: exec.OpEmbed}, []tensor{table, ids}, []tensor{x}, nil},
		{"embed_grad", exec.Instr{Op: exec.OpEmbedGrad}, []tensor{x, ids, absent}, []tensor{table}, nil},
		{"layer_norm", exec.Instr{Op: exec.OpLayerNorm, Attrs: eps}, []tensor{x, gain, gain}, []tensor{x, stat, stat}, nil},
		{"add_layer_norm", exec.Instr{Op: exec.OpAddLayerNorm, Attrs: eps}, []tensor{x, x, gain, gain}, []tensor{x, x, stat, stat}, nil},
		{"rms_norm", exec.Instr{Op: exec.OpRMSNorm, Attrs: eps}, []tensor{x, gain}, []tensor{x, stat}, nil},
		{"layer_norm_grad", exec.Instr{Op: exec.OpLayerNormGrad}, []tensor{x, x, gain, stat, stat, absent}, []tensor{x, gain, gain, absent}, nil},
		{"layer_norm_grad+residual+sum", exec.Instr{Op: exec.OpLayerNormGrad}, []tensor{x, x, gain, stat, stat, x}, []tensor{x, gain, gain, gain}, nil},
		{"rms_norm_grad", exec.Instr{Op: exec.OpRMSNormGrad}, []tensor{x, x, gain, stat, absent}, []tensor{x, gain, absent}, nil},
		{"col_sum", exec.Instr{Op: exec.OpColSum}, []tensor{x}, []tensor{gain}, nil},
		{"rope", exec.Instr{Op: exec.OpRoPE, Attrs: exec.Attrs{Heads: 12}}, []tensor{x, turns}, []tensor{x}, nil},
		{"gelu", exec.Instr{Op: exec.OpGELU}, []tensor{gate}, []tensor{gate}, nil},
		{"gelu_grad", exec.Instr{Op: exec.OpGELUGrad}, []tensor{gate, gate}, []tensor{gate}, nil},
		{"gelu_grad+sum", exec.Instr{Op: exec.OpGELUGrad}, []tensor{gate, gate}, []tensor{gate, bias}, nil},
		{"swiglu", exec.Instr{Op: exec.OpGLU}, []tensor{gate, gate}, []tensor{gate}, nil},
		{"swiglu_grad", exec.Instr{Op: exec.OpGLUGrad}, []tensor{gate, gate, gate}, []tensor{gate, gate}, nil},
		{"tanh", exec.Instr{Op: exec.OpTanh}, []tensor{x}, []tensor{x}, nil},
		{"dropout", exec.Instr{Op: exec.OpDropout, Attrs: exec.Attrs{P: 0.1}}, []tensor{x, ints(1, 2, 3, 4)}, []tensor{x}, nil},
		{"cross_entropy", exec.Instr{Op: exec.OpCrossEntropy}, []tensor{logits, targets, ones(2048)}, []tensor{one1, ones(2048), ones(2048)}, nil},
		{"cross_entropy_grad", exec.Instr{Op: exec.OpCrossEntropyGrad}, []tensor{logits, targets, ones(2048), ones(2048), one1}, nil, []int{0}},
		{"sum_squares", exec.Instr{Op: exec.OpSumSquares}, []tensor{x}, []tensor{one}, nil},
		{"adamw", exec.Instr{Op: exec.OpAdamW, Attrs: exec.Attrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8}}, []tensor{x, x, x, floats(slices.Repeat([]float64{1}, rows*c), rows, c), step, one}, nil, []int{0, 2, 3}},
		{"muon_momentum", exec.Instr{Op: exec.OpMuonMomentum, Attrs: exec.Attrs{Beta1: 0.9}}, []tensor{x, x, step, one}, []tensor{x, x}, nil},
	} {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%s/%dT", s.name, threads), func(b *testing.B) {
				d := testDevice(b, threads, "")
				var args []exec.Arg
				bytes := 0
				for _, o := range slices.Concat(s.ins, s.outs) {
					args = append(args, place[float32](b, d, o))
					if o.shape != nil {
						bytes += args[len(args)-1].Len()
					}
				}
				for _, i := range s.inPlace {
					args = append(args, args[i])
					bytes += args[i].Len()
				}
				b.SetBytes(int64(bytes))
				for b.Loop() {
					if err := d.Launch(&s.in, args); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

var one1 = floats([]float64{1}, 1)

// BenchmarkHead is GPT-2's output layer with its loss, 512 rows: the separate ops, and the
// two in one with all rows or 256 at a time.
func BenchmarkHead(b *testing.B) {
	const rows, c, v = 512, 768, 50257
	r := rand.New(rand.NewPCG(55, 56))
	x, w, targets, weights, dloss := headOperands(r, rows, c, v, false)
	one, logits := floats(make([]float64, rows), rows), floats(make([]float64, rows*v), rows, v)
	flops := 6 * float64(rows*c*v)
	for _, p := range []int{0, rows, 256} {
		b.Run(fmt.Sprintf("rows=%d", p), func(b *testing.B) {
			d := testDevice(b, 2, "")
			at := func(t tensor) exec.Arg { return place[float32](b, d, t) }
			ax, aw, at1, aws, al, a1, a2, a3 := at(x), at(w), at(targets), at(weights), at(dloss), at(one1), at(one), at(one)
			dx, dw := at(x), at(w)
			work := at(logits)
			launch := func(op exec.Op, args ...exec.Arg) {
				if err := d.Launch(&exec.Instr{Op: op}, args); err != nil {
					b.Fatal(err)
				}
			}
			if p > 0 {
				work = exec.Arg{Buffer: work.Slice(0, 4*p*v), Shape: []int{p, v}, DType: exec.F32}
			}
			for b.Loop() {
				if p > 0 {
					launch(exec.OpLinearCrossEntropy, ax, aw, at1, aws, al, a1, a2, a3, dx, dw, work)
					continue
				}
				launch(exec.OpLinear, ax, aw, exec.Arg{}, work)
				launch(exec.OpCrossEntropy, work, at1, aws, a1, a2, a3)
				launch(exec.OpCrossEntropyGrad, work, at1, aws, a3, al, work)
				launch(exec.OpLinearGradX, work, aw, dx)
				launch(exec.OpLinearGradW, ax, work, dw)
			}
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// BenchmarkOps is a small model's sizes: 2048 rows of 384 channels, 6 heads, 8192 tokens known.
// GB/s counts each operand once.
func BenchmarkOps(b *testing.B) {
	const rows, c, v = 2048, 384, 8192
	r := rand.New(rand.NewPCG(51, 52))
	x, dy, gain, bias := random(r, rows, c), random(r, rows, c), random(r, c), random(r, c)
	ones, ids := floats(slices.Repeat([]float64{1}, rows), rows), ints(make([]int32, rows)...)
	for i := range ids.i {
		ids.i[i] = int32(v * math.Pow(r.Float64(), 4)) // some tokens far more often than others
	}
	table, logits, one := random(r, v, c), random(r, rows, v), wide(1)
	flat := random(r, 1<<22)
	type bench struct {
		in        exec.Instr
		ins, outs []tensor
	}
	for _, s := range []bench{
		{exec.Instr{Op: exec.OpEmbed}, []tensor{table, ids}, outputs(x.shape)},
		{exec.Instr{Op: exec.OpEmbedGrad}, []tensor{dy, ids, absent}, outputs(table.shape)},
		{exec.Instr{Op: exec.OpLayerNorm, Attrs: exec.Attrs{Eps: 1e-5}}, []tensor{x, gain, bias}, outputs(x.shape, ones.shape, ones.shape)},
		{exec.Instr{Op: exec.OpLayerNormGrad}, []tensor{dy, x, gain, ones, ones, absent}, outputs(x.shape, gain.shape, gain.shape, nil)},
		{exec.Instr{Op: exec.OpColSum}, []tensor{dy}, outputs(gain.shape)},
		{exec.Instr{Op: exec.OpDropout, Attrs: exec.Attrs{P: 0.1}}, []tensor{x, ints(1, 2, 3, 4)}, outputs(x.shape)},
		{exec.Instr{Op: exec.OpCrossEntropy}, []tensor{logits, ids, ones}, outputs([]int{1}, ones.shape, ones.shape)},
		{exec.Instr{Op: exec.OpCrossEntropyGrad}, []tensor{logits, ids, ones, ones, floats([]float64{1}, 1)}, outputs(logits.shape)},
		{exec.Instr{Op: exec.OpSumSquares}, []tensor{flat}, []tensor{one}},
		{exec.Instr{Op: exec.OpAdamW, Attrs: exec.Attrs{Beta1: 0.9, Beta2: 0.95, Eps: 1e-8}}, []tensor{flat, flat, flat, floats(slices.Repeat([]float64{1}, 1<<22), 1<<22), wide(1e-3, 5, 1), one}, nil},
	} {
		for threads := 1; threads <= 2; threads++ {
			b.Run(fmt.Sprintf("%v/%dT", s.in.Op, threads), func(b *testing.B) {
				d := testDevice(b, threads, "")
				var args []exec.Arg
				bytes := 0
				for _, o := range slices.Concat(s.ins, s.outs) {
					args = append(args, place[float32](b, d, o))
					bytes += len(o.f)*4 + len(o.i)*4
				}
				if s.in.Op == exec.OpAdamW {
					args = append(args, args[0], args[2], args[3])
					bytes += 3 * args[0].Len()
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

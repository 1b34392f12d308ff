package cpu

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// BenchmarkAttention is of the sizes of the standard models, one document a row, causal; of a
// row of short documents; and of other forms. GFLOP/s counts the pairs in sight, and in the gradient the products that
// its definition has and the scores computed again (2 products forward, 5 backward); square/s
// as is usual all pairs, and nothing twice (2 and 4).
func BenchmarkAttention(b *testing.B) {
	r := rand.New(rand.NewPCG(53, 54))
	for _, s := range []struct {
		name                string
		b, t, heads, d, doc int
	}{
		{"nano", 12, 64, 4, 32, 64}, {"char", 32, 256, 6, 64, 256}, {"small", 8, 512, 8, 64, 512}, {"gpt2", 4, 256, 12, 64, 256},
		{"packed25", 8, 256, 6, 64, 25},
	} {
		c := newAttention(r, s.b, s.t, s.heads, s.heads, s.d)
		pairs := 0.0
		for i := range c.segments {
			c.segments[i] = int32(i % s.t / s.doc)
			pairs += float64(i%s.t%s.doc + 1)
		}
		benchmarkAttention(b, r, s.name, c, pairs)
	}
	perm := newAttention(r, 8, 256, 6, 6, 64).permuted(r)
	benchmarkAttention(b, r, "permuted", perm, 8*256*257/2)
	benchmarkAttention(b, r, "bias", newAttention(r, 8, 256, 6, 6, 64).biased(r, false), 8*256*257/2)
	benchmarkAttention(b, r, "cross", newCross(r, 8, 64, 256, 6, 6, 64, fusedKV), 8*64*256)
	benchmarkAttention(b, r, "multiquery", newAttention(r, 8, 256, 6, 1, 64), 8*256*257/2)
	benchmarkAttention(b, r, "dropout", newAttention(r, 8, 256, 6, 6, 64).dropping(0.1), 8*256*257/2)
}

func benchmarkAttention(b *testing.B, r *rand.Rand, name string, c *attentionCase, pairs float64) {
	res := c.results()
	y, lse, dy := random(r, res[0].shape...), random(r, res[1].shape...), random(r, res[0].shape...)
	for i := range lse.f {
		lse.f[i] = 5
	}
	flops := 4 * float64(c.attrs.Heads*c.dim)
	square := float64(c.attrs.B*c.attrs.T*c.keyRows()) * flops
	for threads := 1; threads <= 2; threads++ {
		for _, grad := range []bool{false, true} {
			in := exec.Instr{Op: exec.OpAttention, Attrs: c.attrs}
			all, seen, total := slices.Concat(c.operands(), res), pairs*flops, square
			if grad {
				in.Op = exec.OpAttentionGrad
				all = slices.Concat(c.operands(), []tensor{y, lse, dy}, c.gradients())
				seen, total = 2.5*seen, 2*total
			}
			b.Run(fmt.Sprintf("%s/%v/%dT", name, in.Op, threads), func(b *testing.B) {
				d := testDevice(b, threads, "")
				var args []exec.Arg
				for _, o := range all {
					args = append(args, place[float32](b, d, o))
				}
				for b.Loop() {
					if err := d.Launch(&in, args); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(seen*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				b.ReportMetric(total*float64(b.N)/b.Elapsed().Seconds()/1e9, "square/s")
			})
		}
	}
}

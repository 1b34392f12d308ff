package cpu

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"hone/trainer/exec"
)

// BenchmarkAttentionCached is a token's attention in SmolLM2-135M's 30 layers, behind so many tokens, of one sequence and
// of eight. GB/s counts the keys and values that are seen, each once.
func BenchmarkAttentionCached(b *testing.B) {
	const layers, heads, kv, dim, size = 30, 9, 3, 64, 1024
	r := rand.New(rand.NewPCG(71, 72))
	for _, sequences := range []int{1, 8} {
		for _, position := range []int{128, 1000} {
			b.Run(fmt.Sprintf("sequences=%d/position=%d", sequences, position), func(b *testing.B) {
				d := testDevice(b, 2, "")
				n := sequences * size * kv * dim
				arena, err := d.Alloc(2 * layers * 4 * n)
				if err != nil {
					b.Fatal(err)
				}
				all := view[float32](exec.Arg{Buffer: arena})
				for i := range all {
					all[i] = r.Float32()
				}
				cache := func(i int) exec.Arg {
					return exec.Arg{Buffer: arena.Slice(4*n*i, 4*n), Shape: []int{sequences, size, kv * dim}}
				}
				positions, slots := make([]int32, sequences), make([]int32, sequences)
				for i := range slots {
					positions[i], slots[i] = int32(position), int32(i)
				}
				q := place[float32](b, d, random(r, sequences, (heads+2*kv)*dim))
				at, of := place[float32](b, d, ints(positions...)), place[float32](b, d, ints(slots...))
				y := place[float32](b, d, random(r, sequences, heads*dim))
				in := exec.Instr{Op: exec.OpAttentionCached, Attrs: exec.Attrs{T: 1, Heads: heads, KVHeads: kv, Scale: 0.125}}
				var launches [][]exec.Arg
				for l := range layers {
					keys, values := cache(2*l), cache(2*l+1)
					launches = append(launches, []exec.Arg{q, keys, values, at, of, {}, {}, {}, y, keys, values})
				}
				b.SetBytes(int64(2 * layers * 4 * sequences * (position + 1) * kv * dim))
				for b.Loop() {
					for _, args := range launches {
						if err := d.Launch(&in, args); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}

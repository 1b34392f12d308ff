package cpu

import (
	"math/rand/v2"
	"slices"
	"testing"

	"hone/trainer/exec"
)

// A memory comes before each sequence, and the end of both is kept, whichever is longer.
func TestRemember(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	d := testDevice(t, 2, "")
	for _, s := range [][4]int{{1, 1, 1, 1}, {3, 2, 5, 7}, {2, 6, 4, 3}} { // B, M, T, C
		b, m, tt, c := s[0], s[1], s[2], s[3]
		memory, x := random(r, 3, b, m, c), random(r, b*tt, c)
		want, kept := []float64{}, slices.Clone(memory.f)
		for i := range b {
			y := slices.Concat(memory.f[(2*b+i)*m*c:][:m*c], x.f[i*tt*c:][:tt*c])
			want = append(want, y...)
			copy(kept[(b+i)*m*c:][:m*c], y[tt*c:])
		}
		in := exec.Instr{Op: exec.OpRemember}
		args := []exec.Arg{place[float64](t, d, memory), place[float64](t, d, ints(2, 1)), place[float64](t, d, x), place[float64](t, d, outputs([]int{b * (m + tt), c})[0])}
		args = append(args, args[0])
		for range 2 { // again gives the same
			if err := d.Launch(&in, args); err != nil {
				t.Fatal(err)
			}
			sameBits(t, "result", fetch[float64](t, d, args[3]), want)
			sameBits(t, "memory", fetch[float64](t, d, args[0]), kept)
		}
		for _, slots := range []tensor{ints(1, 1), ints(0, 3), ints(-1, 0), ints(0)} {
			bad := slices.Clone(args)
			bad[1] = place[float64](t, d, slots)
			if err := d.Launch(&in, bad); err == nil {
				t.Errorf("ran with slots %v", slots.i)
			}
		}
		bad := slices.Clone(args)
		bad[2] = place[float64](t, d, random(r, b*tt, c+1))
		if err := d.Launch(&in, bad); err == nil {
			t.Error("ran with rows of another width")
		}
	}
}

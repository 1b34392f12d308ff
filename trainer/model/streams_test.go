package model

import (
	"reflect"
	"slices"
	"testing"

	"hone/trainer/exec"
	"hone/trainer/exec/cpu"
)

// Any number of threads gives the same bits of loss and gradients, and a step allocates
// nothing, in every family and head of the references.
func TestReferencesForAnyThreads(t *testing.T) {
	for _, name := range references {
		r := readReference(t, name)
		for _, architecture := range r.Heads {
			t.Run(architecture, func(t *testing.T) {
				c := r.Config
				c.Architectures = []string{architecture}
				h, err := c.Head()
				if err != nil {
					t.Fatal(err)
				}
				f, _ := r.feed(h)
				s := 0
				if h.pools() {
					s = len(r.IDs)
				}
				var want [][]float64
				for threads := 1; threads <= 3; threads++ {
					n := network(t, cpu.Options{Threads: threads}, exec.F32, c, r.options(h))
					r.load(t, n)
					x := executor(t, n, Train, len(r.IDs), len(r.IDs[0]), s)
					run(t, n, x, f)
					got := [][]float64{read(t, x, "loss")}
					got = append(got, gradients(t, n)...)
					if want == nil {
						want = got
					}
					for i := range want {
						if !slices.Equal(got[i], want[i]) {
							t.Errorf("%d threads: value %d of loss and gradients differs", threads, i)
						}
					}
					if threads > 1 {
						continue // a worker that comes late to an instruction allocates its scratch then
					}
					if a := testing.AllocsPerRun(3, func() { run(t, n, x, f) }); a != 0 {
						t.Errorf("%v allocations a step", a)
					}
				}
			})
		}
	}
}

// Two sequences in a row are as two alone, bit for bit.
func TestReferencesPacked(t *testing.T) {
	for _, name := range references {
		t.Run(name, func(t *testing.T) {
			r := readReference(t, name)
			c := r.Config
			c.Architectures = r.Heads[:1]
			if h, err := c.Head(); err != nil || h != LanguageModel {
				t.Skip("no language model among its heads", err)
			}
			c.Edit(func(_, family any) { // positions for both, though they are counted in each
				if f := reflect.ValueOf(family).Elem().FieldByName("MaxPositionEmbeddings"); f.IsValid() {
					f.SetInt(64)
				}
			})
			f, _ := r.feed(LanguageModel)
			tt := len(r.IDs[0])
			o := r.options(LanguageModel)
			n := network(t, cpu.Options{Threads: 1}, exec.F32, c, o)
			o.EncoderLength *= 2
			wide := network(t, cpu.Options{Threads: 1}, exec.F32, c, o)
			for _, n := range []*Network{n, wide} {
				if err := n.Init(7); err != nil {
					t.Fatal(err)
				}
			}
			x := executor(t, n, Evaluate, 2, tt, 0)
			run(t, n, x, f)
			apart := read(t, x, "nll")

			packed := *f
			packed.Segments, packed.EncoderSegments = slices.Clone(f.Segments), slices.Clone(f.EncoderSegments)
			for _, segments := range [][]int32{packed.Segments, packed.EncoderSegments} {
				for i, v := range segments {
					if v >= 0 && i >= len(segments)/2 {
						segments[i] = 1
					}
				}
			}
			y := executor(t, wide, Evaluate, 1, 2*tt, 0)
			run(t, wide, y, &packed)
			if got := read(t, y, "nll"); !slices.Equal(got, apart) {
				t.Errorf("negative log likelihoods %v in one row, %v apart", got, apart)
			}
			sum := 0.0
			for _, v := range apart {
				sum += v
			}
			if !(sum > 1) {
				t.Errorf("nothing was predicted: %v", apart)
			}
		})
	}
}

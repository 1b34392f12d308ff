package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	half "hone/checkpoint/float"
	"hone/trainer/exec"
)

// stored gives values as a type keeps them, and what that is worth.
func stored(dt exec.DType, values []float32) (kept any, worth []float32) {
	if dt == exec.F32 {
		return values, values
	}
	to, from := half.ToBF16, half.FromBF16
	if dt == exec.F16 {
		to, from = half.ToF16, half.FromF16
	}
	kept16 := make([]uint16, len(values))
	worth = make([]float32, len(values))
	for i, v := range values {
		kept16[i] = to(v)
		worth[i] = from(kept16[i])
	}
	return kept16, worth
}

// inPanels places a matrix of a stored type, in panels.
func inPanels(t testing.TB, d *Device, dt exec.DType, form exec.Form, kept any, shape ...int) exec.Arg {
	t.Helper()
	var data []byte
	switch k := kept.(type) {
	case []float32:
		p := make([]float32, form.Elems(shape))
		exec.Pack(form, shape, p, k)
		data = raw(p)
	case []uint16:
		p := make([]uint16, form.Elems(shape))
		exec.Pack(form, shape, p, k)
		data = raw(p)
	}
	buf, err := d.Alloc(len(data))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Upload(buf, data); err != nil {
		t.Fatal(err)
	}
	return exec.Arg{Buffer: buf, Shape: shape, DType: dt, Form: form}
}

// A product with a weight in panels has the bits of the chain that the package documents, and of the product with the
// weight's values in rows, for any number of rows and threads.
func TestPanels(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		devices := []*Device{testDevice(t, 1, k.name), testDevice(t, 2, k.name), testDevice(t, 3, k.name)}
		r := rand.New(rand.NewPCG(61, 62))
		sizes := [][3]int{{1, 1, 1}, {1, 576, 40}, {8, 130, 400}, {1, 1000, 7}, {2, 32, 5}, {30, 416, 400}, {13, 31, 385}, {3, 257, 64}}
		for m := 1; m <= 2*k.mr+1 && !testing.Short(); m++ {
			sizes = append(sizes, [3]int{m, 1 + r.IntN(150), 1 + r.IntN(120)})
		}
		for _, s := range sizes {
			m, n, kk := s[0], s[1], s[2]
			x, bias := random(r, m, kk), random(r, n)
			for _, dt := range []exec.DType{exec.F32, exec.BF16, exec.F16} {
				for _, form := range []exec.Form{exec.Panels, exec.PanelsT} {
					shape := []int{n, kk}
					if form == exec.PanelsT {
						shape = []int{kk, n}
					}
					kept, worth := stored(dt, fill[float32](r, n*kk))
					in := exec.Instr{Op: exec.OpLinear, Attrs: exec.Attrs{Transposed: form == exec.PanelsT}}
					what := fmt.Sprintf("m=%d n=%d k=%d %v %v", m, n, kk, dt, form)
					for threads, d := range devices {
						w := inPanels(t, d, dt, form, kept, shape...)
						want := launchOn[float32](t, d, &in, []tensor{x, floats(convert[float64](worth), shape...), bias}, outputs([]int{m, n}))[0]
						args := []exec.Arg{place[float32](t, d, x), w, place[float32](t, d, bias), place[float32](t, d, outputs([]int{m, n})[0])}
						if err := d.Launch(&in, args); err != nil {
							t.Fatal(err)
						}
						got := fetch[float32](t, d, args[3])
						sameBits(t, what, got, want)
						if threads > 0 {
							continue
						}
						i, q := r.IntN(m), r.IntN(n)
						var sum float32
						for p := range kk {
							at := q*kk + p
							if form == exec.PanelsT {
								at = p*n + q
							}
							sum = chain(k, sum, float32(x.f[i*kk+p]), worth[at])
						}
						if want := sum + float32(bias.f[q]); float32(got[i*n+q]) != want {
							t.Fatalf("%s: element (%d,%d) is %v, want %v", what, i, q, got[i*n+q], want)
						}
						back := []exec.Arg{w, place[float32](t, d, outputs(shape)[0])}
						if err := d.Launch(&exec.Instr{Op: exec.OpDequantize}, back); err != nil {
							t.Fatal(err)
						}
						sameBits(t, what+" in rows", fetch[float32](t, d, back[1]), convert[float64](worth))
						if form == exec.PanelsT {
							continue
						}
						ids := ints(int32(r.IntN(n)), -1, int32(n-1))
						rows := []exec.Arg{w, place[float32](t, d, ids), place[float32](t, d, outputs([]int{3, kk})[0])}
						if err := d.Launch(&exec.Instr{Op: exec.OpEmbed}, rows); err != nil {
							t.Fatal(err)
						}
						gathered, _ := naiveEmbed(convert[float64](worth), make([]float64, 3*kk), ids.i, n, kk)
						sameBits(t, what+" gathered", fetch[float32](t, d, rows[2]), gathered)
					}
				}
			}
		}
	})
}

// Operands that do not fit are refused, by name.
func TestPanelsRefused(t *testing.T) {
	d := testDevice(t, 1, "")
	r := rand.New(rand.NewPCG(63, 64))
	w := inPanels(t, d, exec.F32, exec.Panels, fill[float32](r, 8*4), 8, 4)
	x, y := place[float32](t, d, random(r, 2, 4)), place[float32](t, d, random(r, 2, 8))
	short := w
	short.Buffer = w.Slice(0, 64)
	other := w
	other.Form = exec.PanelsT
	wide := inPanels(t, d, exec.F32, exec.Panels, fill[float32](r, 8*5), 8, 5)
	for what, c := range map[string]struct {
		in   exec.Instr
		args []exec.Arg
	}{
		"too few bytes":            {exec.Instr{Op: exec.OpLinear}, []exec.Arg{x, short, {}, y}},
		"another form":             {exec.Instr{Op: exec.OpLinear}, []exec.Arg{x, other, {}, y}},
		"another k":                {exec.Instr{Op: exec.OpLinear}, []exec.Arg{x, wide, {}, y}},
		"a gradient":               {exec.Instr{Op: exec.OpLinearGradX}, []exec.Arg{y, w, x}},
		"an op that reads rows":    {exec.Instr{Op: exec.OpAdd}, []exec.Arg{w, w, y}},
		"an embedding, transposed": {exec.Instr{Op: exec.OpEmbed}, []exec.Arg{other, place[float32](t, d, ints(1)), place[float32](t, d, random(r, 1, 4))}},
	} {
		if err := d.Launch(&c.in, c.args); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
}

// BenchmarkPanels is the products of SmolLM2-135M's layers and head, for one row, eight, and a prompt, through weights
// that together are larger than the caches. GB/s counts the weights, GFLOP/s their multiply-adds.
func BenchmarkPanels(b *testing.B) {
	shapes := [][2]int{{960, 576}, {576, 576}, {3072, 576}, {576, 1536}} // N, K
	for _, dt := range []exec.DType{exec.F32, exec.BF16, exec.F16} {
		for _, m := range []int{1, 2, 4, 8, 12, 16, 64, 512} {
			for threads := 1; threads <= 2; threads++ {
				b.Run(fmt.Sprintf("%v/M=%d/%dT", dt, m, threads), func(b *testing.B) {
					d := testDevice(b, threads, "")
					r := rand.New(rand.NewPCG(65, 66))
					some := fill[float32](r, 3072*1536)
					type layer struct{ args []exec.Arg }
					var layers []layer
					bytes, flops := 0, 0.0
					add := func(n, k int) {
						kept, _ := stored(dt, some[:n*k])
						w := inPanels(b, d, dt, exec.Panels, kept, n, k)
						layers = append(layers, layer{[]exec.Arg{place[float32](b, d, random(r, m, k)), w, {}, place[float32](b, d, tensor{shape: []int{m, n}, f: make([]float64, m*n)})}})
						bytes += w.Len()
						flops += 2 * float64(m) * float64(n) * float64(k)
					}
					for range 30 {
						for _, s := range shapes {
							add(s[0], s[1])
						}
					}
					in := exec.Instr{Op: exec.OpLinear}
					fastest := math.Inf(1)
					for b.Loop() {
						start := time.Now()
						for _, l := range layers {
							if err := d.Launch(&in, l.args); err != nil {
								b.Fatal(err)
							}
						}
						fastest = min(fastest, time.Since(start).Seconds())
					}
					b.ReportMetric(float64(bytes)/fastest/1e9, "GB/s")
					b.ReportMetric(flops/fastest/1e9, "GFLOP/s")
				})
			}
		}
	}
}

// Where a product is cut into blocks of rows, the last one may have few rows of many steps: these are written as floats
// some at a time, as those of the others are.
func TestPanelsOfFewRowsLast(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		one, two := testDevice(t, 1, k.name), testDevice(t, 2, k.name)
		r := rand.New(rand.NewPCG(63, 64))
		const n, kk = 64, panelBlock*panelSteps + 100
		for _, dt := range []exec.DType{exec.BF16, exec.F16} {
			kept, _ := stored(dt, fill[float32](r, n*kk))
			m := 2*max(1, len(k.panels.of(dt))) + 1
			x, in := random(r, m, kk), exec.Instr{Op: exec.OpLinear}
			var got [2][]float64
			for i, d := range []*Device{one, two} {
				args := []exec.Arg{place[float32](t, d, x), inPanels(t, d, dt, exec.Panels, kept, n, kk), {}, place[float32](t, d, outputs([]int{m, n})[0])}
				if err := d.Launch(&in, args); err != nil {
					t.Fatal(err)
				}
				got[i] = fetch[float32](t, d, args[3])
			}
			sameBits(t, dt.String(), got[1], got[0])
		}
	})
}

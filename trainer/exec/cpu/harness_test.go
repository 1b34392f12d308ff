package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"hone/trainer/exec"
)

// A tensor of a test: float64 values that go to the device as its
// float type, or as float64 when wide is set; or int32 values.
type tensor struct {
	shape []int
	f     []float64
	i     []int32
	wide  bool
}

func floats(f []float64, shape ...int) tensor { return tensor{shape: shape, f: f} }
func wide(f ...float64) tensor                { return tensor{shape: []int{len(f)}, f: f, wide: true} }
func ints(i ...int32) tensor                  { return tensor{shape: []int{len(i)}, i: i} }
func random(r *rand.Rand, shape ...int) tensor {
	return tensor{shape: shape, f: fill[float64](r, product(shape))}
}

var absent = tensor{}

func product(shape []int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

func testDevice(t testing.TB, threads int, kernels string) *Device {
	t.Helper()
	d, err := New(Options{Threads: threads, Kernels: kernels})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func raw[T any](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)*int(unsafe.Sizeof(s[0])))
}

func convert[T, F float](s []F) []T {
	out := make([]T, len(s))
	for i, v := range s {
		out[i] = T(v)
	}
	return out
}

func dtypeOf[T float]() exec.DType {
	if isF32[T]() {
		return exec.F32
	}
	return exec.F64
}

// place puts a tensor on the device.
func place[T float](t testing.TB, d *Device, o tensor) exec.Arg {
	t.Helper()
	a := exec.Arg{Shape: o.shape}
	var data []byte
	switch {
	case o.shape == nil:
		return a
	case o.i != nil:
		a.DType, data = exec.I32, raw(o.i)
	case o.wide:
		a.DType, data = exec.F64, raw(o.f)
	default:
		a.DType, data = dtypeOf[T](), raw(convert[T](o.f))
	}
	buf, err := d.Alloc(len(data))
	if err != nil {
		t.Fatal(err)
	}
	a.Buffer = buf
	if err := d.Upload(a.Buffer, data); err != nil {
		t.Fatal(err)
	}
	return a
}

// fetch reads a tensor back, as float64.
func fetch[T float](t testing.TB, d *Device, a exec.Arg) []float64 {
	t.Helper()
	read := func(dst []byte) {
		if err := d.Download(dst, a.Buffer); err != nil {
			t.Fatal(err)
		}
	}
	n := product(a.Shape)
	if a.DType == exec.F64 {
		out := make([]float64, n)
		read(raw(out))
		return out
	}
	out := make([]float32, n)
	read(raw(out))
	return convert[float64](out)
}

// outputs gives an op's outputs, filled with NaN so that what is not written shows.
func outputs(shapes ...[]int) []tensor {
	var outs []tensor
	for _, s := range shapes {
		if s == nil {
			outs = append(outs, absent)
			continue
		}
		o := tensor{shape: s, f: make([]float64, product(s))}
		for i := range o.f {
			o.f[i] = math.NaN()
		}
		outs = append(outs, o)
	}
	return outs
}

// launchOn runs an op once and gives all its outputs.
func launchOn[T float](t testing.TB, d *Device, in *exec.Instr, ins, outs []tensor) [][]float64 {
	t.Helper()
	var args []exec.Arg
	for _, o := range slices.Concat(ins, outs) {
		args = append(args, place[T](t, d, o))
	}
	if err := d.Launch(in, args); err != nil {
		t.Fatal(err)
	}
	var got [][]float64
	for i, o := range outs {
		if o.shape == nil {
			got = append(got, nil)
			continue
		}
		got = append(got, fetch[T](t, d, args[len(ins)+i]))
	}
	return got
}

// compare asks that |got-want| <= bound·max|want|.
func compare(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d values, want %d", what, len(got), len(want))
		return
	}
	top, worst, at := 0.0, 0.0, 0
	for i := range want {
		top = max(top, math.Abs(want[i]))
		if d := math.Abs(got[i] - want[i]); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= bound*top) {
		t.Errorf("%s: element %d is %g, want %g: off by %.2g of the largest, over %.2g", what, at, got[at], want[at], worst/top, bound)
	}
}

// sameBits asks for equality bit for bit.
func sameBits(t *testing.T, what string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range want {
		if math.Float64bits(got[i]) != math.Float64bits(want[i]) {
			t.Fatalf("%s: element %d of %d is %v, want %v", what, i, len(want), got[i], want[i])
		}
	}
}

// An opCase is an op with operands, and what must come out.
type opCase struct {
	name  string
	in    exec.Instr
	ins   []tensor
	outs  []tensor
	want  [][]float64 // nil: whatever float64 gives
	bound float64     // of float32
}

// addCase adds a case; see opCase.
type addCase func(bound float64, in exec.Instr, ins, outs []tensor, want ...[]float64)

// opCases are all ops that this package has, over random and odd shapes.
func opCases(r *rand.Rand) []opCase {
	var cases []opCase
	var add addCase = func(bound float64, in exec.Instr, ins, outs []tensor, want ...[]float64) {
		var shapes string
		for _, o := range ins {
			shapes += fmt.Sprint(o.shape)
		}
		cases = append(cases, opCase{fmt.Sprintf("%v%s", in.Op, shapes), in, ins, outs, want, bound})
	}
	for _, s := range [][2]int{{1, 1}, {3, 17}, {17, 3}, {70, 64}, {530, 65}, {37, 300}, {1, 1000}} {
		rows, c := s[0], s[1]
		x, gain, bias, dy := random(r, rows, c), random(r, c), random(r, c), random(r, rows, c)
		for i := range x.f {
			x.f[i] += 3 // a mean that matters
		}
		norms(add, r, x, gain, bias, dy)
		add(1e-6, exec.Instr{Op: exec.OpColSum}, []tensor{dy}, outputs(gain.shape), naiveColSum(dy.f, rows, c))
		out := outputs([]int{1})[0]
		out.wide = true
		sum := 0.0
		for _, v := range dy.f {
			sum += v * v
		}
		add(1e-6, exec.Instr{Op: exec.OpSumSquares}, []tensor{dy}, []tensor{out}, []float64{sum})

		low, w := random(r, rows, 3), random(r, (c+1)/2, 3)
		first := c - w.shape[0]
		added, byLow, byW := slices.Clone(x.f), make([]float64, rows*3), make([]float64, w.shape[0]*3)
		for i := range rows {
			for j := range w.shape[0] {
				for k := range 3 {
					added[i*c+first+j] += low.f[i*3+k] * w.f[j*3+k]
					byLow[i*3+k] += dy.f[i*c+first+j] * w.f[j*3+k]
					byW[j*3+k] += dy.f[i*c+first+j] * low.f[i*3+k]
				}
			}
		}
		of := exec.Attrs{First: first}
		add(1e-6, exec.Instr{Op: exec.OpAddLinear, Attrs: of}, []tensor{x, low, w}, outputs(x.shape), added)
		add(1e-6, exec.Instr{Op: exec.OpLinearGradX, Attrs: of}, []tensor{dy, w}, outputs(low.shape), byLow)
		add(1e-6, exec.Instr{Op: exec.OpLinearGradW, Attrs: of}, []tensor{low, dy}, outputs(w.shape), byW)

		factors := random(r, w.shape[0])
		scaled, byFactor := slices.Clone(x.f), make([]float64, w.shape[0])
		norms, turned := make([]float64, rows), make([]float64, rows*c)
		up := random(r, 3, c)
		for i := range rows {
			for j, f := range factors.f {
				scaled[i*c+first+j] *= f
				byFactor[j] += x.f[i*c+first+j] * dy.f[i*c+first+j]
			}
			sum := 0.0
			for k := range c {
				v := x.f[i*c+k]
				for s := range 3 {
					v += 0.7 * low.f[i*3+s] * up.f[s*c+k]
				}
				sum += v * v
				turned[k*rows+i] = x.f[i*c+k]
			}
			norms[i] = 1 / math.Sqrt(sum)
		}
		add(1e-7, exec.Instr{Op: exec.OpColumnScale, Attrs: of}, []tensor{x, factors}, outputs(x.shape), scaled)
		add(1e-6, exec.Instr{Op: exec.OpColumnScaleGrad, Attrs: of}, []tensor{x, dy}, outputs(factors.shape), byFactor)
		add(1e-6, exec.Instr{Op: exec.OpInverseNorms, Attrs: exec.Attrs{Scale: 0.7}}, []tensor{x, up, low}, outputs([]int{rows}), norms)
		add(1e-6, exec.Instr{Op: exec.OpInverseNorms, Attrs: exec.Attrs{Scale: 0.7, Transposed: true}}, []tensor{floats(turned, c, rows), up, low}, outputs([]int{rows}), norms)

		ids := ints(make([]int32, rows)...)
		v := 1 + rows/2
		for i := range ids.i {
			ids.i[i] = int32(r.IntN(v+1)) - 1
		}
		table := random(r, v, c)
		got, grad := naiveEmbed(table.f, dy.f, ids.i, v, c)
		add(1e-7, exec.Instr{Op: exec.OpEmbed}, []tensor{table, ids}, outputs(x.shape), got)
		add(1e-6, exec.Instr{Op: exec.OpEmbedGrad}, []tensor{dy, ids, absent}, outputs(table.shape), grad)
		based := slices.Clone(grad)
		for i, v := range table.f {
			based[i] += v
		}
		add(1e-6, exec.Instr{Op: exec.OpEmbedGrad}, []tensor{dy, ids, table}, outputs(table.shape), based)

		targets := ints(make([]int32, rows)...)
		for i := range targets.i {
			targets.i[i] = int32(r.IntN(c+1)) - 1
		}
		weights, dloss := random(r, rows), random(r, 1)
		loss, nll, lse := naiveCrossEntropy(x.f, targets.i, weights.f, rows, c)
		l := floats(lse, rows)
		add(5e-6, exec.Instr{Op: exec.OpCrossEntropy}, []tensor{x, targets, weights}, outputs([]int{1}, l.shape, l.shape), []float64{loss}, nll, lse)
		add(5e-6, exec.Instr{Op: exec.OpCrossEntropyGrad}, []tensor{x, targets, weights, l, dloss}, outputs(x.shape))
		add(1e-6, exec.Instr{Op: exec.OpDropout, Attrs: exec.Attrs{P: 0.3, Salt: 5}}, []tensor{x, ints(1, 2, 3, 4)}, outputs(x.shape))
	}
	x := random(r, 40000)
	add(1e-6, exec.Instr{Op: exec.OpSumSquares}, []tensor{x}, []tensor{{shape: []int{1}, f: []float64{0}, wide: true}})
	add(1e-6, exec.Instr{Op: exec.OpDropout, Attrs: exec.Attrs{P: 0.3, Salt: 5}}, []tensor{x, ints(1, 2, 3, 4)}, outputs(x.shape))
	activations(add, r)
	ropes(add, r)
	heads(add, r)
	relatives(add, r)
	rowOps(add, r)
	vectorOps(add, r)
	for _, c := range attentionCases(r) {
		y, lse := c.naive()
		res := c.results()
		add(5e-6, exec.Instr{Op: exec.OpAttention, Attrs: c.attrs}, c.operands(), res, y, lse)
		add(5e-6, exec.Instr{Op: exec.OpAttentionGrad, Attrs: c.attrs},
			append(c.operands(), floats(y, res[0].shape...), floats(lse, res[1].shape...), random(r, res[0].shape...)), c.gradients())
	}
	return append(cases, muonCases(r)...)
}

// Every op agrees with a plain float64 reference where there is one, and float32
// with float64, for each kernel set.
func TestOpsAgainstReference(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		if k.name != "generic" { // which the race detector sees whole
			oneGoroutine(t)
		}
		d := testDevice(t, 2, k.name)
		for _, c := range opCases(rand.New(rand.NewPCG(11, 12))) {
			want := launchOn[float64](t, d, &c.in, c.ins, c.outs)
			for i, w := range c.want {
				compare(t, fmt.Sprintf("%s output %d in float64", c.name, i), want[i], w, 1e-12)
			}
			for i, got := range launchOn[float32](t, d, &c.in, c.ins, c.outs) {
				compare(t, fmt.Sprintf("%s output %d in float32", c.name, i), got, want[i], c.bound)
			}
		}
	})
}

// Any number of threads gives the same bits.
func TestOpsSameForAnyThreads(t *testing.T) {
	one := testDevice(t, 1, "")
	cases := opCases(rand.New(rand.NewPCG(13, 14)))
	for threads := 2; threads <= 3; threads++ {
		d := testDevice(t, threads, "")
		for _, c := range cases {
			want := launchOn[float32](t, one, &c.in, c.ins, c.outs)
			for i, got := range launchOn[float32](t, d, &c.in, c.ins, c.outs) {
				sameBits(t, fmt.Sprintf("%s output %d with %d threads", c.name, i, threads), got, want[i])
			}
		}
	}
}

// A launch allocates nothing once the op has run.
func TestOpsDoNotAllocate(t *testing.T) {
	if testing.Short() {
		t.Skip("counts allocations: not in short mode")
	}
	d := testDevice(t, 2, "")
	for _, c := range opCases(rand.New(rand.NewPCG(15, 16))) {
		var args []exec.Arg
		for _, o := range slices.Concat(c.ins, c.outs) {
			args = append(args, place[float32](t, d, o))
		}
		launch := func() {
			if err := d.Launch(&c.in, args); err != nil {
				t.Fatal(err)
			}
		}
		for range 5 { // each worker meets the op
			launch()
		}
		if n := testing.AllocsPerRun(5, launch); n != 0 {
			t.Errorf("%s: %v allocations a launch", c.name, n)
		}
	}
}

// Operands that do not fit are errors, not crashes.
func TestOpsRefuse(t *testing.T) {
	oneGoroutine(t)
	d := testDevice(t, 1, "")
	for _, c := range opCases(rand.New(rand.NewPCG(17, 18))) {
		args := func() []exec.Arg {
			var args []exec.Arg
			for _, o := range slices.Concat(c.ins, c.outs) {
				args = append(args, place[float32](t, d, o))
			}
			return args
		}
		if err := d.Launch(&c.in, args()[:len(c.ins)]); err == nil {
			t.Errorf("%s: ran without outputs", c.name)
		}
		bad := args()
		last := len(bad) - 1
		if c.in.Op == exec.OpAttentionGrad || c.in.Op == exec.OpRelativeScoresGrad || c.in.Op == exec.OpLinearCrossEntropy && len(c.ins) == 6 { // its last is optional
			last = len(c.ins)
		}
		bad[last].Buffer = nil
		switch c.in.Op {
		case exec.OpLayerNorm, exec.OpAddLayerNorm, exec.OpLayerNormGrad, exec.OpRMSNorm, exec.OpAddRMSNorm, exec.OpRMSNormGrad, exec.OpGELUGrad, exec.OpGLUGrad:
			// there it is optional
		default:
			if err := d.Launch(&c.in, bad); err == nil {
				t.Errorf("%s: ran without its last output", c.name)
			}
		}
	}
	table := floats(make([]float64, 6), 3, 2)
	for _, c := range []opCase{
		{in: exec.Instr{Op: exec.OpEmbed}, ins: []tensor{table, ints(3)}, outs: outputs([]int{1, 2})},
		{in: exec.Instr{Op: exec.OpEmbedGrad}, ins: []tensor{floats([]float64{1, 2}, 1, 2), ints(3), absent}, outs: outputs([]int{3, 2})},
		{in: exec.Instr{Op: exec.OpCrossEntropy}, ins: []tensor{table, ints(-1, 2, 0), floats(make([]float64, 3), 3)}, outs: outputs([]int{1}, []int{3}, []int{3})},
	} {
		var args []exec.Arg
		for _, o := range slices.Concat(c.ins, c.outs) {
			args = append(args, place[float32](t, d, o))
		}
		if err := d.Launch(&c.in, args); err == nil {
			t.Errorf("%v took an id that is out of range", c.in.Op)
		}
	}
}

// No op is without a case, but those that a test of their own has.
func TestEveryOpHasACase(t *testing.T) {
	own := map[exec.Op]string{
		exec.OpLinear: "TestLinear", exec.OpLinearGradX: "TestLinear", exec.OpLinearGradW: "TestLinear",
		exec.OpAttentionCached: "TestCachedAttentionEqualsAttention", exec.OpCacheRows: "TestCacheRows", exec.OpRemember: "TestRemember",
		exec.OpActivation: "TestGradientsAgainstDifferences", exec.OpActivationGrad: "TestGradientsAgainstDifferences",
		exec.OpAdd: "TestElementwiseOps", exec.OpCopy: "TestElementwiseOps", exec.OpConcat: "TestElementwiseOps", exec.OpSplit: "TestElementwiseOps",
		exec.OpDequantize: "TestQuantized of trainer/model", exec.OpAdamW: "TestAdamWAgainstTorch",
		exec.OpSGD: "TestTraces of optim", exec.OpLion: "TestTraces of optim", exec.OpLAMBDirection: "TestTraces of optim", exec.OpLAMBUpdate: "TestTraces of optim",
		exec.OpAdafactorDirection: "TestTraces of optim", exec.OpAdafactorUpdate: "TestTraces of optim", exec.OpEMA: "TestTraces of optim",
	}
	has := map[exec.Op]bool{}
	for _, c := range opCases(rand.New(rand.NewPCG(11, 12))) {
		has[c.in.Op] = true
	}
	for op := exec.OpInvalid + 1; op.String() != fmt.Sprintf("op(%d)", op); op++ {
		if !has[op] && own[op] == "" {
			t.Errorf("%v: opCases lacks it", op)
		}
	}
}

package cpu

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"hone/trainer/exec"
)

func newDevice(t testing.TB, k *kernels, threads int) *Device {
	t.Helper()
	d, err := New(Options{Threads: threads, Kernels: k.name})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// operand puts data on the device, where it stays as long as the test: a view of it
// does not keep it.
func operand[T float](t testing.TB, d *Device, data []T, shape ...int) exec.Arg {
	t.Helper()
	dt := exec.F32
	if !isF32[T]() {
		dt = exec.F64
	}
	buf, err := d.Alloc(len(data) * dt.Size())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { runtime.KeepAlive(buf) })
	a := exec.Arg{Buffer: buf, Shape: shape, DType: dt}
	copy(view[T](a), data)
	return a
}

func launchOK(t testing.TB, d *Device, in exec.Instr, args ...exec.Arg) {
	t.Helper()
	if err := d.Launch(&in, args); err != nil {
		t.Fatal(err)
	}
}

// linears runs the three linear ops and returns y, dx and dw.
func linears[T float](t *testing.T, d *Device, transposed bool, r, k, n int, x, w, bias, dy []T) (y, dx, dw []T) {
	t.Helper()
	w0, w1 := n, k
	if transposed {
		w0, w1 = k, n
	}
	xa, wa, ya := operand(t, d, x, r, k), operand(t, d, w, w0, w1), operand(t, d, make([]T, r*n), r, n)
	ba := exec.Arg{}
	if bias != nil {
		ba = operand(t, d, bias, n)
	}
	dya, dxa, dwa := operand(t, d, dy, r, n), operand(t, d, make([]T, r*k), r, k), operand(t, d, make([]T, n*k), w0, w1)
	a := exec.Attrs{Transposed: transposed}
	launchOK(t, d, exec.Instr{Op: exec.OpLinear, Attrs: a}, xa, wa, ba, ya)
	launchOK(t, d, exec.Instr{Op: exec.OpLinearGradX, Attrs: a}, dya, wa, dxa)
	launchOK(t, d, exec.Instr{Op: exec.OpLinearGradW, Attrs: a}, xa, dya, dwa)
	return slices.Clone(view[T](ya)), slices.Clone(view[T](dxa)), slices.Clone(view[T](dwa))
}

func testLinear[T float](t *testing.T, k *kernels) {
	r := rand.New(rand.NewPCG(9, 10))
	sizes := [][3]int{{1, 5, 7}, {70, 33, 65}, {130, 300, 97}}
	if testing.Short() {
		sizes = sizes[:2]
	}
	for _, s := range sizes {
		for _, transposed := range []bool{false, true} {
			rows, kk, n := s[0], s[1], s[2]
			x, w, bias, dy := fill[T](r, rows*kk), fill[T](r, kk*n), fill[T](r, n), fill[T](r, rows*n)
			y, dx, dw := linears(t, newDevice(t, k, 1), transposed, rows, kk, n, x, w, bias, dy)
			weight := func(o, i int) T { // of output o, input i
				if transposed {
					return w[i*n+o]
				}
				return w[o*kk+i]
			}
			for i := range rows {
				for o := range n {
					var want T
					for p := range kk {
						want = chain(k, want, x[i*kk+p], weight(o, p))
					}
					if want += bias[o]; y[i*n+o] != want {
						t.Fatalf("%v transposed=%v: y(%d,%d) = %v, want %v", s, transposed, i, o, y[i*n+o], want)
					}
				}
				for p := range kk {
					var want T
					for o := range n {
						want = chain(k, want, dy[i*n+o], weight(o, p))
					}
					if dx[i*kk+p] != want {
						t.Fatalf("%v transposed=%v: dx(%d,%d) = %v, want %v", s, transposed, i, p, dx[i*kk+p], want)
					}
				}
			}
			for o := range n {
				for p := range kk {
					var want T
					for i := range rows {
						want = chain(k, want, x[i*kk+p], dy[i*n+o])
					}
					got := dw[o*kk+p]
					if transposed {
						got = dw[p*n+o]
					}
					if got != want {
						t.Fatalf("%v transposed=%v: dw of output %d, input %d = %v, want %v", s, transposed, o, p, got, want)
					}
				}
			}
			for _, threads := range []int{2, 3} {
				y2, dx2, dw2 := linears(t, newDevice(t, k, threads), transposed, rows, kk, n, x, w, bias, dy)
				if !slices.Equal(y, y2) || !slices.Equal(dx, dx2) || !slices.Equal(dw, dw2) {
					t.Fatalf("%v transposed=%v: %d threads give other bits than 1", s, transposed, threads)
				}
			}
			for _, i := range []int{0, rows / 2, rows - 1} { // as in decoding
				y1, dx1, _ := linears(t, newDevice(t, k, 2), transposed, 1, kk, n, x[i*kk:(i+1)*kk], w, bias, dy[i*n:(i+1)*n])
				if !slices.Equal(y1, y[i*n:(i+1)*n]) || !slices.Equal(dx1, dx[i*kk:(i+1)*kk]) {
					t.Fatalf("%v transposed=%v: row %d alone gives other bits than among others", s, transposed, i)
				}
			}
		}
	}
}

func TestLinear(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		testLinear[float32](t, k)
		testLinear[float64](t, k)
	})
}

// A sum of no terms is zero, plus the bias.
func TestLinearWithoutInputs(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		d := newDevice(t, k, 2)
		y := operand(t, d, []float32{9, 9, 9, 9}, 2, 2)
		launchOK(t, d, exec.Instr{Op: exec.OpLinear}, operand(t, d, []float32{}, 2, 0), operand(t, d, []float32{}, 2, 0), operand(t, d, []float32{3, 4}, 2), y)
		if got := view[float32](y); !slices.Equal(got, []float32{3, 4, 3, 4}) {
			t.Errorf("y = %v", got)
		}
	})
}

// Elementwise ops give the same bits for any number of threads.
func TestElementwiseOps(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		r := rand.New(rand.NewPCG(11, 12))
		const n = 3*elemChunk + 5
		x, dy := fill[float32](r, n), fill[float32](r, n)
		var want [3][]float32
		for _, threads := range []int{1, 2, 3} {
			d := newDevice(t, k, threads)
			xa, dya := operand(t, d, x, n), operand(t, d, dy, n)
			ops := []exec.Op{exec.OpGELU, exec.OpGELUGrad, exec.OpAdd}
			for i, op := range ops {
				out := operand(t, d, make([]float32, n), n)
				if op == exec.OpGELU {
					launchOK(t, d, exec.Instr{Op: op}, xa, out)
				} else {
					launchOK(t, d, exec.Instr{Op: op}, xa, dya, out)
				}
				got := view[float32](out)
				if threads == 1 {
					want[i] = slices.Clone(got)
					for _, e := range []int{0, elemChunk, n - 1} {
						ref := []float64{gelu64(float64(x[e])), geluGrad64(float64(x[e])) * float64(dy[e]), float64(x[e]) + float64(dy[e])}[i]
						if math.Abs(float64(got[e])-ref) > 1e-6 {
							t.Errorf("%v of element %d is %v, want %v", op, e, got[e], ref)
						}
					}
				} else if !slices.Equal(want[i], got) {
					t.Errorf("%v: %d threads give other bits than 1", op, threads)
				}
			}
			out := operand(t, d, make([]float32, n), n)
			launchOK(t, d, exec.Instr{Op: exec.OpCopy}, xa, out)
			if !slices.Equal(view[float32](out), x) {
				t.Errorf("copy, %d threads, differs", threads)
			}
			first, last := operand(t, d, make([]float32, n/3), n/3), operand(t, d, make([]float32, n-n/3), n-n/3)
			again := operand(t, d, make([]float32, n), n)
			launchOK(t, d, exec.Instr{Op: exec.OpSplit}, out, first, last)
			launchOK(t, d, exec.Instr{Op: exec.OpConcat}, first, last, again)
			if !slices.Equal(view[float32](first), x[:n/3]) || !slices.Equal(view[float32](again), x) {
				t.Errorf("split and concatenation, %d threads, differ", threads)
			}
		}
	})
}

func TestBuffers(t *testing.T) {
	d := newDevice(t, &genericKernels, 1)
	for _, n := range []int{0, 1, 64, 4097, 5 << 20} {
		b, err := d.Alloc(n)
		if err != nil || b.Len() != n {
			t.Fatalf("Alloc(%d) gives %v bytes, %v", n, b.Len(), err)
		}
		mem := b.(*buffer).bytes
		if n > 0 && uintptr(unsafe.Pointer(&mem[0]))%64 != 0 {
			t.Errorf("Alloc(%d) is not aligned", n)
		}
		for _, x := range mem {
			if x != 0 {
				t.Fatalf("Alloc(%d) is not zeroed", n)
			}
		}
		runtime.KeepAlive(b)
	}
	b, _ := d.Alloc(192)
	if err := d.Upload(b.Slice(64, 64), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if err := d.Download(got, b.Slice(64, 5)); err != nil || string(got) != "hello" {
		t.Errorf("Download gives %q, %v", got, err)
	}
	if err := d.Upload(b.Slice(0, 4), got); err == nil {
		t.Error("an upload beyond the buffer passes")
	}
	if err := d.Download(make([]byte, 200), b); err == nil {
		t.Error("a download beyond the buffer passes")
	}
	if _, err := d.Alloc(-1); err == nil {
		t.Error("Alloc(-1) passes")
	}
	if b, err := d.Alloc(1 << 60); err == nil || b != nil {
		t.Errorf("Alloc of 2^60 bytes gives %v, %v", b, err)
	}
}

func TestNewRefusesWhatItCannotDo(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Threads: -1}, "-1 threads"},
		{Options{Kernels: "sse9"}, "known are generic, avx2, avx512"},
	} {
		if _, err := New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("New(%+v): %v, want …%s…", c.o, err, c.want)
		}
	}
	for _, name := range []string{"avx2", "avx512"} {
		if slices.ContainsFunc(available(), func(k *kernels) bool { return k.name == name }) {
			continue
		}
		if _, err := New(Options{Kernels: name}); err == nil || !strings.Contains(err.Error(), "it has generic") {
			t.Errorf("New(%s): %v", name, err)
		}
	}
	t.Setenv("HONE_KERNELS", "generic")
	d, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Name() != "cpu/generic" {
		t.Errorf("New picks %s for HONE_KERNELS=generic", d.Name())
	}
	t.Setenv("HONE_KERNELS", "")
	if d, err = New(Options{}); err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Name() != "cpu/"+available()[0].name || d.Threads() < 1 {
		t.Errorf("New picks %s with %d threads", d.Name(), d.Threads())
	}
}

func TestLaunchRefusesShapes(t *testing.T) {
	d := newDevice(t, &genericKernels, 1)
	m := func(shape ...int) exec.Arg {
		n := 1
		for _, s := range shape {
			n *= s
		}
		return operand(t, d, make([]float32, n), shape...)
	}
	for _, c := range []struct {
		op   exec.Op
		args []exec.Arg
	}{
		{exec.OpLinear, []exec.Arg{m(2, 3), m(4, 5), {}, m(2, 4)}},
		{exec.OpLinear, []exec.Arg{m(2, 3), m(4, 3), m(3), m(2, 4)}},
		{exec.OpLinear, []exec.Arg{m(6), m(4, 3), {}, m(2, 4)}},
		{exec.OpLinearGradX, []exec.Arg{m(2, 4), m(4, 5), m(2, 3)}},
		{exec.OpLinearGradW, []exec.Arg{m(2, 3), m(2, 4), m(3, 4)}},
		{exec.OpGELU, []exec.Arg{m(3), m(4)}},
		{exec.OpAdd, []exec.Arg{m(3), m(4), m(3)}},
		{exec.OpCopy, []exec.Arg{m(3), m(4)}},
		{exec.OpConcat, []exec.Arg{m(3), m(4), m(8)}},
		{exec.OpConcat, []exec.Arg{m(3), m(4), m(6)}},
		{exec.OpSplit, []exec.Arg{m(8), m(3), m(4)}},
		{exec.OpInvalid, []exec.Arg{m(3)}},
		{exec.OpGELU, nil},
	} {
		if err := d.Launch(&exec.Instr{Op: c.op}, c.args); err == nil || !strings.HasPrefix(err.Error(), "cpu: ") {
			t.Errorf("%v: %v", c.op, err)
		}
	}
}

func TestLaunchAllocatesNothing(t *testing.T) {
	everyKernels(t, func(t *testing.T, k *kernels) {
		d := newDevice(t, k, 2)
		const r, kk, n = 50, 40, 70
		x, w, y := operand(t, d, make([]float32, r*kk), r, kk), operand(t, d, make([]float32, kk*n), n, kk), operand(t, d, make([]float32, r*n), r, n)
		bias := operand(t, d, make([]float32, n), n)
		type step struct {
			in   exec.Instr
			args []exec.Arg
		}
		steps := []step{
			{exec.Instr{Op: exec.OpLinear}, []exec.Arg{x, w, bias, y}},
			{exec.Instr{Op: exec.OpLinearGradX}, []exec.Arg{y, w, x}},
			{exec.Instr{Op: exec.OpLinearGradW}, []exec.Arg{x, y, w}},
			{exec.Instr{Op: exec.OpGELU}, []exec.Arg{y, y}},
			{exec.Instr{Op: exec.OpGELUGrad}, []exec.Arg{y, y, y}},
			{exec.Instr{Op: exec.OpAdd}, []exec.Arg{y, y, y}},
			{exec.Instr{Op: exec.OpCopy}, []exec.Arg{y, y}},
		}
		run := func() {
			for i := range steps {
				if err := d.Launch(&steps[i].in, steps[i].args); err != nil {
					t.Fatal(err)
				}
			}
		}
		for range 20 { // each worker's scratch grows on its first use
			run()
		}
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%v allocations a run", n)
		}
	})
}

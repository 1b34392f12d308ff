package cpu

import (
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"hone/trainer/exec"
)

// An emulation makes kernels over n elements of functions that a machine interprets.
type emulation struct {
	t     *testing.T
	set   string
	proto *machine
}

var prototype = regexp.MustCompile(`(?m)^func (\w+)\((.*)\)$`)

// fill sets every function of a table. A pointer parameter is n elements, but for the
// results of a sum and rope's heads.
func (e emulation) fill(table any) {
	e.t.Helper()
	v := reflect.ValueOf(table).Elem()
	noun := strings.TrimSuffix(v.Type().Name(), "Kernels")
	text, err := os.ReadFile(noun + "_" + e.set + "_amd64.go")
	if err != nil {
		e.t.Fatal(err)
	}
	params := map[string][]string{}
	for _, f := range prototype.FindAllStringSubmatch(string(text), -1) {
		for _, p := range strings.Split(f[2], ", ") {
			name, _, _ := strings.Cut(p, " ")
			params[f[1]] = append(params[f[1]], name)
		}
	}
	for i := range v.NumField() {
		fn := v.Type().Field(i).Name
		names := params[fn+"_"+e.set]
		if len(names) != v.Field(i).Type().NumIn() {
			e.t.Fatalf("%s_%s has parameters %v", fn, e.set, names)
		}
		field := reflect.NewAt(v.Field(i).Type(), v.Field(i).Addr().UnsafePointer()).Elem() // not exported
		field.Set(reflect.MakeFunc(v.Field(i).Type(), func(in []reflect.Value) []reflect.Value {
			e.call(fn, names, in)
			return nil
		}))
	}
}

func (e emulation) call(fn string, names []string, in []reflect.Value) {
	e.t.Helper()
	m := &machine{code: e.proto.code, consts: e.proto.consts, origin: e.proto.origin, base: machineBase}
	args := map[string]uint64{}
	n, half := int(in[0].Int()), 0
	type memory struct {
		at   uint64
		host []float32
		was  []float32
	}
	var all []memory
	for i, v := range in {
		switch v.Kind() {
		case reflect.Int:
			args[names[i]] = uint64(v.Int())
			if i == 1 {
				half = int(v.Int())
			}
		case reflect.Uint32:
			args[names[i]] = v.Uint()
		case reflect.Float32:
			args[names[i]] = uint64(bits(float32(v.Float())))
		case reflect.Pointer:
			size := n
			switch {
			case names[i] == "out" && fn == "normDots":
				size = 2
			case fn == "sumSquares" && names[i] == "out":
				size = 16 // words of eight float64
			case names[i] == "out":
				size = 1
			case names[i] == "state":
				size = len(maskState{}) * 8
			case fn == "dropout":
				size = 32 * n
			case fn == "rope" && names[i] == "table":
				size = 2 * half
			case fn == "rope":
				size = n * 2 * half
			}
			host := unsafe.Slice((*float32)(v.UnsafePointer()), size)
			all = append(all, memory{m.put(host), host, append([]float32{}, host...)})
			args[names[i]] = all[len(all)-1].at
			m.put([]float32{-1e30}) // a gap
		}
	}
	if err := m.call(fn+"_"+e.set, args); err != nil {
		e.t.Fatal(err)
	}
	for _, o := range all {
		for i, v := range m.get(o.at, len(o.host)) {
			if bits(v) != bits(o.was[i]) { // two operands may be one slice
				o.host[i] = v
			}
		}
		if m.get(o.at+uint64(4*len(o.host)), 1)[0] != -1e30 {
			e.t.Fatalf("%s writes beyond an operand", fn)
		}
	}
}

// rowKernels runs every kernel of rows on x, y and what is made of them.
func rowKernels(k *kernels, x, y []float32) map[string][]float32 {
	n := len(x)
	w := &scratch{}
	out := map[string][]float32{}
	dst := func(name string, from []float32) []float32 {
		out[name] = append(append([]float32{}, from...), 77)
		return out[name][:n]
	}
	z := make([]float32, n)
	for i := range z {
		z[i] = x[i]*0.5 + y[(i+1)%n]
	}
	h, hx := normDots(k, w, x, y, z, 0.25, 1.5)
	out["reductions"] = []float32{rowSum(k, w, x), rowDeviation(k, w, x, 0.75), rowMax(k, w, x), h, hx}
	out["expSum"] = []float32{expSum(k, w, x, 1)}
	normTo(k, dst("norm", x), x, y, nil, 0.25, 1.5)
	normTo(k, dst("normBias", x), x, y, z, 0.25, 1.5)
	normGradTo(k, dst("normGrad", x), x, y, z, nil, 0.25, 1.5, 0.125, -0.375)
	normGradTo(k, dst("normGradAdd", x), x, y, z, x, 0.25, 1.5, 0.125, -0.375)
	gainGrad(k, dst("gainGrad", z), x, y, 0.25, 1.5)
	rows := append(append(append(append([]float32{}, x...), y...), z...), y...)
	sumRows(k, dst("sumRows", z), rows, 4)
	heads := append(append([]float32{}, x...), y...)
	table := append(append([]float32{}, y...), z...)
	turned := make([]float32, 4*n)
	turn(k, turned, append(heads, table...), table, -1)
	out["rope"] = turned
	job := adamWJob[float32]{k: k, p: dst("adamW p", x), g: y, m: dst("adamW m", z), clip: 0.5, decay: 0.99, m1: 0.1, b2: 0.95, v1: 0.05, size: 0.01, invRoot: 1.25, eps: 1e-8}
	job.v = dst("adamW v", x)
	for i, v := range job.v {
		job.v[i] = v * v
	}
	job.chunk(0, 0)
	nesterov(k, dst("nesterov m", x), dst("nesterov u", x), y, z, 0.5, 0.1)
	combine(k, dst("combine", x), x, y, 0.99, -0.01)
	d := &Device{kern: k, scratch: []*scratch{w}}
	squares := sumSquaresJob[float32]{d: d, x: rows, part: make([]float64, 1)}
	squares.chunk(0, 0)
	out["sum of squares"] = []float32{number(uint32(math.Float64bits(squares.part[0]))), number(uint32(math.Float64bits(squares.part[0]) >> 32))}
	drop := dropoutJob[float32]{x: rows, y: make([]float32, len(rows))}
	if err := drop.mask.set(k, &exec.Instr{Attrs: exec.Attrs{P: 0.3, Salt: 9}}, []int32{7, 8, 10, 11}); err != nil {
		panic(err)
	}
	drop.chunk(0, 0)
	out["dropout"] = drop.y
	return out
}

// All sets give the bits of the portable code, but for the exponentials; the vector sets
// agree in those too. Nothing is written beyond the end.
func TestRowKernelsAgree(t *testing.T) {
	oneGoroutine(t)
	r := rand.New(rand.NewPCG(71, 72))
	emulated2, emulated512 := emulated(t, "avx2", 8, 6, 16), emulated(t, "avx512", 16, 12, 32)
	for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 24, 31, 33, 40, 70} {
		x, y := fill[float32](r, n), fill[float32](r, n)
		want := rowKernels(&genericKernels, x, y)
		vector := rowKernels(emulated2, x, y)["expSum"][0]
		if w := want["expSum"][0]; math.Abs(float64(vector-w)) > 1e-6*float64(w) {
			t.Errorf("n = %d: the sum of exponentials is %v, portable %v", n, vector, w)
		}
		for _, k := range append([]*kernels{emulated2, emulated512}, available()...) {
			got := rowKernels(k, x, y)
			for name := range want {
				w := want[name]
				if name == "expSum" && k.lanes > 0 {
					w = []float32{vector}
				}
				for i := range w {
					if bits(got[name][i]) != bits(w[i]) {
						t.Fatalf("%s, n = %d: %s of %s is %v, want %v", k.name, n, name, k.name, got[name][i], w[i])
					}
				}
			}
		}
	}
}

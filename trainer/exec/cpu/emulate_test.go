package cpu

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unsafe"
)

// A machine interprets the assembly that gen writes, so that the AVX-512 kernels are
// tested on a processor that lacks them. It knows the instructions that occur and
// nothing else, reads and writes only memory that it was given, and is itself checked:
// the AVX2 kernels must give the bits that the processor gives.
type machine struct {
	code   map[string][]string // of each function
	consts map[string][]byte
	origin map[string]uint64 // addresses of consts

	mem  []byte // addresses are offsets from base
	base uint64
	args map[string]uint64
	regs map[string]uint64
	vec  map[string]*[16]uint32 // by number
	zero bool                   // flags: the last result was zero,
	less bool                   // or the last comparison's first operand the smaller
	err  error
}

const machineBase = 1 << 20

var (
	textLine = regexp.MustCompile(`^TEXT ·(\w+)\(SB\)`)
	dataLine = regexp.MustCompile(`^DATA (\w+)<>\+(\d+)\(SB\)/4, \$(0x[0-9a-f]+)`)
	memory   = regexp.MustCompile(`^(-?\d*)\((\w+)\)(?:\((\w+)\*(\d)\))?$`)
	argument = regexp.MustCompile(`^(\w+)\+\d+\(FP\)$`)
	constant = regexp.MustCompile(`^(\w+)<>\+(\d+)\(SB\)$`)
)

func newMachine(t *testing.T, set string) *machine {
	t.Helper()
	files, err := filepath.Glob("*_" + set + "_amd64.s")
	if err != nil || len(files) == 0 {
		t.Fatal("no assembly", err)
	}
	var text []byte
	for _, f := range files {
		s, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, s...)
	}
	m := &machine{code: map[string][]string{}, consts: map[string][]byte{}, origin: map[string]uint64{}, base: machineBase}
	name := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if f := textLine.FindStringSubmatch(line); f != nil {
			name = f[1]
		} else if f := dataLine.FindStringSubmatch(line); f != nil {
			w, _ := strconv.ParseUint(f[3], 0, 32)
			if off, _ := strconv.Atoi(f[2]); off != len(m.consts[f[1]]) {
				t.Fatalf("gap before %s", line)
			}
			if m.consts[f[1]] == nil { // in memory too, far from the data
				m.origin[f[1]] = 1<<40 + uint64(len(m.consts))<<20
			}
			m.consts[f[1]] = binary.LittleEndian.AppendUint32(m.consts[f[1]], uint32(w))
		} else if name != "" && line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "GLOBL") {
			m.code[name] = append(m.code[name], line)
		}
	}
	return m
}

// put copies values into the machine's memory and returns their address.
func (m *machine) put(x []float32) uint64 {
	at := m.base + uint64(len(m.mem))
	for _, v := range x {
		m.mem = binary.LittleEndian.AppendUint32(m.mem, math.Float32bits(v))
	}
	return at
}

func (m *machine) get(at uint64, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(binary.LittleEndian.Uint32(m.mem[at-m.base+uint64(4*i):]))
	}
	return x
}

// address is where a memory operand points.
func (m *machine) address(op string) uint64 {
	if f := constant.FindStringSubmatch(op); f != nil {
		off, _ := strconv.Atoi(f[2])
		return m.origin[f[1]] + uint64(off)
	}
	f := memory.FindStringSubmatch(op)
	if f == nil {
		m.err = fmt.Errorf("operand %q", op)
		return 0
	}
	disp, _ := strconv.ParseInt("0"+f[1], 10, 64)
	a := m.reg(f[2]) + uint64(disp)
	if f[3] != "" {
		scale, _ := strconv.ParseUint(f[4], 10, 64)
		a += m.reg(f[3]) * scale
	}
	return a
}

func (m *machine) reg(name string) uint64 {
	v, ok := m.regs[name]
	if !ok {
		m.err = fmt.Errorf("%s is read before it is written", name)
	}
	return v
}

// word is the place of 4 bytes of memory, which must exist.
func (m *machine) word(at uint64) []byte {
	mem, base := m.mem, m.base
	if at >= base && at+4 <= base+uint64(len(mem)) {
		return mem[at-base:][:4]
	}
	for name, c := range m.consts {
		b := m.origin[name]
		if at >= b && at < b+uint64(len(c)) {
			mem, base = c, b
		}
	}
	if at < base || at+4 > base+uint64(len(mem)) {
		if m.err == nil {
			m.err = fmt.Errorf("address %#x is outside memory", at)
		}
		return make([]byte, 4)
	}
	return mem[at-base:][:4]
}

// lanes is the width of a vector register.
func lanesOf(reg string) int { return map[byte]int{'X': 4, 'Y': 8, 'Z': 16}[reg[0]] }

func isVector(op string) bool { return op[0] == 'X' || op[0] == 'Y' || op[0] == 'Z' }

// vector is a source's value: a register or lanes words of memory.
func (m *machine) vector(op string, lanes int) (v [16]uint32) {
	if isVector(op) {
		whole := m.vec[op[1:]]
		if whole == nil {
			m.err = fmt.Errorf("%s is read before it is written", op)
			return v
		}
		copy(v[:lanesOf(op)], whole[:])
		return v
	}
	at := m.address(op)
	for i := range lanes {
		v[i] = binary.LittleEndian.Uint32(m.word(at + uint64(4*i)))
	}
	return v
}

// doubles sets lanes of 64 bits.
func doubles(width int, out *[16]uint32, f func(i int) uint64) {
	for i := range width / 2 {
		x := f(i)
		out[2*i], out[2*i+1] = uint32(x), uint32(x>>32)
	}
}

func bits(x float32) uint32   { return math.Float32bits(x) }
func number(u uint32) float32 { return math.Float32frombits(u) }

// call runs a function with arguments by name.
func (m *machine) call(name string, args map[string]uint64) error {
	m.args, m.regs, m.vec, m.err = args, map[string]uint64{}, map[string]*[16]uint32{}, nil
	code := m.code[name]
	if code == nil {
		return fmt.Errorf("no function %s", name)
	}
	labels := map[string]int{}
	for i, line := range code {
		if strings.HasSuffix(line, ":") {
			labels[strings.TrimSuffix(line, ":")] = i
		}
	}
	for pc, steps := 0, 0; pc < len(code); pc, steps = pc+1, steps+1 {
		if steps > 1<<20 {
			return fmt.Errorf("%s does not end", name)
		}
		op, rest, _ := strings.Cut(code[pc], " ")
		var operands []string
		if rest != "" {
			operands = strings.Split(rest, ", ")
		}
		switch {
		case strings.HasSuffix(op, ":"), op == "PCALIGN", op == "VZEROUPPER", strings.HasPrefix(op, "PREFETCH"), op == "LONG": // LONG: a PREFETCHW
		case op == "RET":
			return m.err
		case op == "JMP", op == "JZ" && m.zero, op == "JNZ" && !m.zero, op == "JLT" && m.less, op == "JGE" && !m.less, op == "JLE" && (m.less || m.zero):
			pc = labels[operands[0]]
		case op == "JZ", op == "JNZ", op == "JLT", op == "JGE", op == "JLE":
		case op[0] == 'V':
			m.stepVector(op, operands)
		default:
			m.stepScalar(op, operands)
		}
		if m.err != nil {
			return fmt.Errorf("%s: %s: %w", name, code[pc], m.err)
		}
	}
	return fmt.Errorf("%s has no RET", name)
}

func (m *machine) stepScalar(op string, o []string) {
	dst := o[len(o)-1]
	src := func() uint64 {
		if s, ok := strings.CutPrefix(o[0], "$"); ok {
			v, _ := strconv.ParseUint(s, 0, 64)
			return v
		}
		if f := argument.FindStringSubmatch(o[0]); f != nil {
			v, ok := m.args[f[1]]
			if !ok {
				m.err = fmt.Errorf("no argument %s", f[1])
			}
			return v
		}
		return m.reg(o[0])
	}
	var v uint64
	switch op {
	case "MOVQ", "MOVBLZX", "MOVL", "KMOVW":
		if f := argument.FindStringSubmatch(dst); f != nil {
			m.args[f[1]] = src()
			return
		}
		m.regs[dst] = src()
		return
	case "MOVLQSX":
		m.regs[dst] = uint64(int32(binary.LittleEndian.Uint32(m.word(m.address(o[0])))))
		return
	case "LEAQ":
		m.regs[dst] = m.address(o[0])
		return
	case "TESTL":
		m.zero = uint32(src()&m.reg(dst)) == 0
		return
	case "TESTQ":
		m.zero = src()&m.reg(dst) == 0
		return
	case "CMPQ": // Go's order: the first with the second
		var second uint64
		if s, ok := strings.CutPrefix(dst, "$"); ok {
			second, _ = strconv.ParseUint(s, 0, 64)
		} else {
			second = m.reg(dst)
		}
		m.zero, m.less = m.reg(o[0]) == second, int64(m.reg(o[0])) < int64(second)
		return
	case "CMOVQLT", "CMOVQGT":
		if v := src(); op == "CMOVQLT" && m.less || op == "CMOVQGT" && !m.less && !m.zero {
			m.regs[dst] = v
		}
		return
	case "IMULQ":
		v = m.reg(dst) * src()
	case "XORQ":
		if o[0] != dst { // with itself it is 0, whatever was there
			v = src() ^ m.reg(dst)
		}
	case "SHLQ":
		v = m.reg(dst) << src()
	case "ADDQ":
		v = m.reg(dst) + src()
	case "SUBQ":
		v = m.reg(dst) - src()
		m.less = int64(v) < 0
	case "ANDQ":
		v = m.reg(dst) & src()
	case "SHRQ":
		v = m.reg(dst) >> src()
	case "SHLL":
		v = uint64(uint32(m.reg(dst)) << src())
	case "DECQ", "DECL":
		v = m.reg(dst) - 1
	case "NEGQ":
		v = -m.reg(dst)
	default:
		m.err = fmt.Errorf("unknown instruction")
		return
	}
	m.regs[dst], m.zero = v, v == 0
}

func (m *machine) stepVector(op string, o []string) {
	dst := o[len(o)-1]
	width := 0
	for _, x := range o {
		if isVector(x) {
			width = max(width, lanesOf(x))
		}
	}
	mask := ^uint64(0)
	var out [16]uint32
	store := func() {
		if isVector(dst) {
			m.vec[dst[1:]] = &out // the rest of the widest register is cleared
			return
		}
		at := m.address(dst)
		for i := range width {
			if mask>>i&1 != 0 {
				binary.LittleEndian.PutUint32(m.word(at+uint64(4*i)), out[i])
			}
		}
	}
	lanewise := func(f func(i int) uint32) {
		for i := range width {
			out[i] = f(i)
		}
		store()
	}
	compare := func(f func(i int) bool) { // into a mask register or whole lanes
		mask := uint64(0)
		for i := range width {
			if f(i) {
				mask |= 1 << i
				out[i] = ^uint32(0)
			}
		}
		if dst[0] == 'K' {
			m.regs[dst] = mask
			return
		}
		store()
	}
	switch op {
	case "VMOVUPS", "VMOVAPS", "VMOVDQU", "VMOVUPS.Z":
		if len(o) == 3 {
			mask = m.reg(o[1])
		}
		if len(o) == 3 && isVector(o[0]) && isVector(dst) { // the others stay
			a, was := m.vector(o[0], width), m.vector(dst, width)
			lanewise(func(i int) uint32 {
				if mask>>i&1 == 0 {
					return was[i]
				}
				return a[i]
			})
			return
		}
		if !isVector(o[0]) { // lanes that are masked out are not read
			at := m.address(o[0])
			lanewise(func(i int) uint32 {
				if mask>>i&1 == 0 {
					return 0
				}
				return binary.LittleEndian.Uint32(m.word(at + uint64(4*i)))
			})
			return
		}
		out = m.vector(o[0], width)
		store()
		return
	case "VMOVAPS.Z":
		mask, a := m.reg(o[1]), m.vector(o[0], width)
		lanewise(func(i int) uint32 { return a[i] * uint32(mask>>i&1) })
		return
	case "VMOVSS":
		width, out = 1, m.vector(o[0], 1)
		store()
		return
	case "VSQRTPS":
		a := m.vector(o[0], width)
		lanewise(func(i int) uint32 { return bits(float32(math.Sqrt(float64(number(a[i]))))) })
		return
	case "VEXTRACTF128", "VEXTRACTI128", "VEXTRACTF64X4":
		width = lanesOf(dst)
		a := m.vector(o[1], 16)
		lanewise(func(i int) uint32 { return a[width+i] }) // only the upper half is ever taken
		return
	case "VCVTPS2PD":
		a := m.vector(o[0], width/2)
		doubles(width, &out, func(i int) uint64 { return math.Float64bits(float64(number(a[i]))) })
		store()
		return
	case "VMULPD", "VADDPD", "VPMULUDQ", "VPUNPCKLQDQ", "VPUNPCKHQDQ":
		b, a := m.vector(o[0], width), m.vector(o[1], width)
		word := func(v *[16]uint32, i int) uint64 { return uint64(v[2*i]) | uint64(v[2*i+1])<<32 }
		doubles(width, &out, func(i int) uint64 {
			x, y := word(&a, i), word(&b, i)
			switch op {
			case "VMULPD":
				return math.Float64bits(math.Float64frombits(x) * math.Float64frombits(y))
			case "VADDPD":
				return math.Float64bits(math.Float64frombits(x) + math.Float64frombits(y))
			case "VPMULUDQ":
				return uint64(uint32(x)) * uint64(uint32(y))
			}
			at := i &^ 1
			if op == "VPUNPCKHQDQ" {
				at++
			}
			if i%2 == 0 {
				return word(&a, at)
			}
			return word(&b, at)
		})
		store()
		return
	case "VPSRLQ", "VPSLLQ":
		imm, _ := strconv.ParseUint(strings.TrimPrefix(o[0], "$"), 0, 8)
		a := m.vector(o[1], width)
		doubles(width, &out, func(i int) uint64 {
			x := uint64(a[2*i]) | uint64(a[2*i+1])<<32
			if op == "VPSRLQ" {
				return x >> imm
			}
			return x << imm
		})
		store()
		return
	case "VPMOVZXWD":
		a := m.vector(o[0], width/2)
		lanewise(func(i int) uint32 { return a[i/2] >> (i % 2 * 16) & 0xffff })
		return
	case "VCMPPS": // of the first source with the second
		b, a := m.vector(o[1], width), m.vector(o[2], width)
		compare(func(i int) bool {
			x, y := number(a[i]), number(b[i])
			switch o[0] {
			case "$1":
				return x < y
			case "$5":
				return !(x < y)
			case "$14":
				return x > y
			}
			m.err = fmt.Errorf("comparison %s", o[0])
			return false
		})
		return
	case "VBLENDVPS": // mask, second source, first source
		sel, b, a := m.vector(o[0], width), m.vector(o[1], width), m.vector(o[2], width)
		lanewise(func(i int) uint32 {
			if sel[i]>>31 != 0 {
				return b[i]
			}
			return a[i]
		})
		return
	case "VMASKMOVPS": // source, mask, destination
		sel := m.vector(o[1], width)
		mask = 0
		for i := range width {
			mask |= uint64(sel[i]>>31) << i
		}
		if isVector(o[0]) {
			out = m.vector(o[0], width)
			store()
			return
		}
		at := m.address(o[0])
		lanewise(func(i int) uint32 {
			if mask>>i&1 == 0 {
				return 0
			}
			return binary.LittleEndian.Uint32(m.word(at + uint64(4*i)))
		})
		return
	case "VBROADCASTSS", "VPBROADCASTD":
		var w uint32
		if f := argument.FindStringSubmatch(o[0]); f != nil {
			w = uint32(m.args[f[1]])
		} else {
			w = binary.LittleEndian.Uint32(m.word(m.address(o[0])))
		}
		lanewise(func(int) uint32 { return w })
		return
	case "VXORPS", "VPXORD":
		if o[0] != dst || o[1] != dst {
			m.err = fmt.Errorf("only to clear a register")
		}
		store()
		return
	case "VPSRAD", "VPSLLD", "VROUNDPS", "VRNDSCALEPS", "VPERM2F128", "VPERMILPS":
		imm, _ := strconv.ParseUint(strings.TrimPrefix(o[0], "$"), 0, 8)
		a := m.vector(o[1], width)
		switch op {
		case "VPSRAD":
			lanewise(func(i int) uint32 { return uint32(int32(a[i]) >> imm) })
		case "VPERMILPS":
			lanewise(func(i int) uint32 { return a[i&^3+int(imm>>(i%4*2)&3)] })
		case "VPSLLD":
			lanewise(func(i int) uint32 { return a[i] << imm })
		case "VPERM2F128": // each half of the result is chosen from the halves of the first source (o[2]), then of the second
			halves := [4][]uint32{}
			b := m.vector(o[2], width)
			halves[0], halves[1], halves[2], halves[3] = b[0:4], b[4:8], a[0:4], a[4:8]
			lanewise(func(i int) uint32 { return halves[imm>>(i/4*4)&3][i%4] })
		default:
			if imm != 8 {
				m.err = fmt.Errorf("rounding mode %d", imm)
			}
			lanewise(func(i int) uint32 { return bits(float32(math.RoundToEven(float64(number(a[i]))))) })
		}
		return
	case "VCVTPS2DQ":
		a := m.vector(o[0], width)
		lanewise(func(i int) uint32 {
			x := math.RoundToEven(float64(number(a[i])))
			if !(x >= -1<<31 && x < 1<<31) {
				return 1 << 31
			}
			return uint32(int32(x))
		})
		return
	}
	// Three operands in Go's order: second source, first source, destination.
	b, a := m.vector(o[0], width), m.vector(o[1], width)
	var d [16]uint32
	if strings.HasPrefix(op, "VFM") || strings.HasPrefix(op, "VFN") || len(o) == 4 {
		d = m.vector(dst, width)
	}
	if len(o) == 4 { // under a mask the other lanes stay
		mask := m.reg(o[2])
		all := lanewise
		lanewise = func(f func(i int) uint32) {
			all(func(i int) uint32 {
				if mask>>i&1 == 0 {
					return d[i]
				}
				return f(i)
			})
		}
	}
	switch op {
	case "VFMADD231PS":
		lanewise(func(i int) uint32 { return bits(fma32(number(a[i]), number(b[i]), number(d[i]))) })
	case "VFNMADD231PS":
		lanewise(func(i int) uint32 { return bits(fma32(-number(a[i]), number(b[i]), number(d[i]))) })
	case "VFMADD213PS":
		lanewise(func(i int) uint32 { return bits(fma32(number(a[i]), number(d[i]), number(b[i]))) })
	case "VADDPS":
		lanewise(func(i int) uint32 { return bits(number(a[i]) + number(b[i])) })
	case "VSUBPS":
		lanewise(func(i int) uint32 { return bits(number(a[i]) - number(b[i])) })
	case "VMULPS":
		lanewise(func(i int) uint32 { return bits(number(a[i]) * number(b[i])) })
	case "VDIVPS":
		lanewise(func(i int) uint32 { return bits(number(a[i]) / number(b[i])) })
	case "VMINPS":
		lanewise(func(i int) uint32 {
			if number(a[i]) < number(b[i]) {
				return a[i]
			}
			return b[i]
		})
	case "VMAXPS":
		lanewise(func(i int) uint32 {
			if number(a[i]) > number(b[i]) {
				return a[i]
			}
			return b[i]
		})
	case "VPCMPGTD":
		compare(func(i int) bool { return int32(a[i]) > int32(b[i]) })
	case "VPXOR":
		lanewise(func(i int) uint32 { return a[i] ^ b[i] })
	case "VANDPS", "VPAND", "VPANDD":
		lanewise(func(i int) uint32 { return a[i] & b[i] })
	case "VORPS", "VPOR", "VPORD":
		lanewise(func(i int) uint32 { return a[i] | b[i] })
	case "VPADDD":
		lanewise(func(i int) uint32 { return a[i] + b[i] })
	case "VPSUBD":
		lanewise(func(i int) uint32 { return a[i] - b[i] })
	case "VUNPCKLPS", "VUNPCKHPS":
		h := map[string]int{"VUNPCKHPS": 2}[op]
		lanewise(func(i int) uint32 {
			at := i&^3 + h + i%4/2
			if i%2 == 0 {
				return a[at]
			}
			return b[at]
		})
	case "VUNPCKLPD", "VUNPCKHPD":
		h := map[string]int{"VUNPCKHPD": 2}[op]
		lanewise(func(i int) uint32 {
			at := i&^3 + h + i%2
			if i%4 < 2 {
				return a[at]
			}
			return b[at]
		})
	default:
		m.err = fmt.Errorf("unknown instruction")
	}
}

// emulated is the kernel set of a name with every function run by a machine.
func emulated(t *testing.T, set string, lanes, mr, nr int) *kernels {
	proto := newMachine(t, set)
	// run copies the operands in, calls, and copies dst back. Each operand has exactly
	// the bytes that the kernel may touch.
	type operand struct {
		name string
		p    *float32
		n    int
	}
	run := func(fn string, scalars map[string]uint64, dst operand, srcs ...operand) {
		t.Helper()
		m := &machine{code: proto.code, consts: proto.consts, origin: proto.origin, base: machineBase}
		args := map[string]uint64{}
		for k, v := range scalars {
			args[k] = v
		}
		for _, o := range append(srcs, dst) {
			args[o.name] = m.put(unsafe.Slice(o.p, o.n))
			m.put([]float32{-1e30}) // a gap
		}
		if err := m.call(fn+"_"+set, args); err != nil {
			t.Fatal(err)
		}
		copy(unsafe.Slice(dst.p, dst.n), m.get(args[dst.name], dst.n))
		for _, o := range append(srcs, dst) { // gaps are whole
			if got := m.get(args[o.name]+uint64(4*o.n), 1)[0]; got != -1e30 {
				t.Fatalf("%s writes beyond %s", fn, o.name)
			}
		}
	}
	k := &kernels{name: set, lanes: lanes}
	k.mr, k.nr, k.kc, k.mc, k.nc = mr, nr, 24, 2*mr, 2*nr
	for rows := 1; rows <= mr; rows++ {
		k.micro = append(k.micro, func(kc, n int, a *float32, ars, aks int, b, c *float32, ldc int, accumulate bool, next *float32, next1, next2 int) {
			s := map[string]uint64{"kc": uint64(kc), "n": uint64(n), "ars": uint64(ars), "aks": uint64(aks), "ldc": uint64(ldc), "accumulate": 0, "next": 0, "next1": uint64(next1), "next2": uint64(next2)}
			if accumulate {
				s["accumulate"] = 1
			}
			run(fmt.Sprintf("micro%d", rows), s, operand{"c", c, (rows-1)*ldc/4 + n},
				operand{"a", a, (rows-1)*ars/4 + (kc-1)*aks/4 + 1}, operand{"b", b, kc * ((n + nr - 1) / nr * nr)})
		})
	}
	k.packRows = func(kc, n int, src *float32, stride int, dst *float32) {
		run("packRows", map[string]uint64{"kc": uint64(kc), "n": uint64(n), "stride": uint64(stride)},
			operand{"dst", dst, kc * n * nr}, operand{"src", src, (kc-1)*stride/4 + n*nr})
	}
	k.packCols = func(n int, src *float32, stride int, dst *float32, step int) {
		run("packCols", map[string]uint64{"n": uint64(n), "stride": uint64(stride), "step": uint64(step)},
			operand{"dst", dst, (n-1)*step/4 + mr + lanes}, operand{"src", src, stride/4 + (n-1)*mr + lanes})
	}
	k.transpose8 = func(kc int, src *float32, stride int, dst *float32) {
		run("transpose8", map[string]uint64{"kc": uint64(kc), "stride": uint64(stride)}, operand{"dst", dst, (kc-1)*nr + 8}, operand{"src", src, 7*stride/4 + kc})
	}
	m := emulation{t, set, proto}
	m.fill(&k.elementwiseKernels)
	m.fill(&k.rowsKernels)
	m.attention(k)
	return k
}

// Both sets, interpreted, give the bits of the definition; AVX2's elementwise kernels
// those of the processor, and AVX-512's those of AVX2.
func TestEmulatedKernels(t *testing.T) {
	oneGoroutine(t)
	r := rand.New(rand.NewPCG(13, 14))
	avx2, avx512 := emulated(t, "avx2", 8, 6, 16), emulated(t, "avx512", 16, 12, 32)
	for _, k := range []*kernels{avx2, avx512} {
		sizes := [][3]int{{1, 1, 1}, {14, 33, 30}, {3, 129, 50}, {25, 32, 8}}
		for rows := 1; rows <= k.mr; rows++ {
			sizes = append(sizes, [3]int{rows, k.nr, 5})
		}
		for _, s := range sizes {
			for mode := range 8 {
				testGemm[float32](t, k, r, s[0], s[1], s[2], mode&1 != 0, mode&2 != 0, mode&4 != 0)
			}
		}
	}
	inf := float32(math.Inf(1))
	x := []float32{0, 1, -1, 88.7, 88.8, 1e30, -1e30, -87.5, -103.9, -104.1, inf, -inf, 11, -11, 1e-40, float32(math.NaN())}
	for range 16 {
		x = append(x, float32(20*r.NormFloat64()))
	}
	y := fill[float32](r, len(x))
	for _, n := range []int{len(x), 1, 7, 8, 9, 15, 17, 31} {
		want, got := elementwise(avx2, x[:n], y[:n]), elementwise(avx512, x[:n], y[:n])
		for name := range want {
			for i := range want[name] {
				a, b := want[name][i], got[name][i]
				if a != b && (a == a || b == b) {
					t.Errorf("%s(%v): %v with avx2, %v with avx512", name, x[i], a, b)
				}
			}
		}
		host, err := findKernels("avx2")
		if err != nil {
			continue
		}
		got = elementwise(host, x[:n], y[:n])
		for name := range want {
			for i := range want[name] {
				a, b := want[name][i], got[name][i]
				if a != b && (a == a || b == b) {
					t.Errorf("%s(%v): interpreted %v, the processor gives %v", name, x[i], a, b)
				}
			}
		}
	}
}

package main

import (
	"fmt"
	"math"
	"strings"
)

// A blockType is a type of quantised weights in panels, of which package exec has the layout: for
// every 32 k a block of scales, perhaps minima, and lines of 64 bytes, a word for each of 16
// columns, with the numbers of 4 k, or 8 of half a byte.
type blockType struct {
	name    string
	nibbles bool
	minima  bool
	zero    int // the number that stands for 0
}

var blockTypes = []blockType{
	{name: "Q8_0", zero: 128},
	{name: "Q4_0", nibbles: true, zero: 8},
	{name: "Q4_1", nibbles: true, minima: true},
}

// head is the bytes before the lines of a block.
func (t blockType) head() int {
	if t.minima {
		return 128
	}
	return 64
}

// perLine is the number of k of a line.
func (t blockType) perLine() int {
	if t.nibbles {
		return 8
	}
	return 4
}

func (t blockType) bytes() int { return t.head() + 2*64*32/t.perLine() }

// line is where that of k is, for the first or the second 16 columns.
func (t blockType) line(k, half int) int { return t.head() + 64*(2*(k/t.perLine())+half) }

// bit is the lowest of number k in its word.
func (t blockType) bit(k int) int {
	k %= t.perLine()
	return 8*(k%4) + 4*(k/4)
}

func (t blockType) width() int { return 32 / t.perLine() }

// quantAhead is how far ahead weights are asked for.
const quantAhead = 4096

// quant writes the products with weights in blocks.
func (a *asm) quant() {
	most := 1 // rows
	if a.reg == "Z" {
		most = 4
	}
	names := map[string][]string{}
	for _, t := range blockTypes {
		name := func(field, format string, args ...any) string {
			s := t.name + fmt.Sprintf(format, args...)
			names[field+t.name] = append(names[field+t.name], s+"_"+a.name)
			return s
		}
		a.expand(t, name("expand", "expand"))
		for rows := 1; rows <= most; rows++ {
			a.exact(t, rows, name("exact", "exact%d", rows))
			a.dot8(t, rows, name("dot8", "dot%d", rows))
		}
	}
	a.round8()
	for _, k := range []struct{ field, kind, each string }{
		{"expand", "func(blocks int, w *byte, dst *float32)", "%s"},
		{"exact", "[]exactKernel", "{%s}"}, {"dot8", "[]dot8Kernel", "{%s}"},
	} {
		var of []string
		for _, t := range blockTypes {
			of = append(of, fmt.Sprintf(k.each, strings.Join(names[k.field+t.name], ", ")))
		}
		a.entry("%s: [numBlockTypes]%s{%s}", k.field, k.kind, strings.Join(of, ", "))
	}
}

// An expander writes the dequantising of blocks. Each number becomes d·q, or d·q + m rounded once,
// for the 32 columns of a panel: a vector after the other, for all k in turn.
type expander struct {
	a      *asm
	t      blockType
	d      []int   // registers of the scales, a vector each
	add    [][]int // registers of what is added, for each field and vector
	fields []field
	temps  []int
}

// A field is where AVX-512 brings numbers of width bits to: over the bits of the float32 one,
// they make one + u, of which both are a multiple of the lowest bit; d·(one + zero) is exact.
type field struct{ at, mask, one int }

func (f field) value() float64 { return math.Ldexp(1, 23-f.at) }

// turns are how numbers are brought to fields: a rotation of the word, or of halves of bytes a shift.
func (t blockType) turn(k int) (shift, field int) {
	if !t.nibbles {
		return []int{7, 23}[k%4/2], k % 2
	}
	for _, shift := range []int{0, 8, -12} {
		for i, at := range t.places() {
			if t.bit(k)+shift == at {
				return shift, i
			}
		}
	}
	panic("no field")
}

func (t blockType) places() []int {
	if t.nibbles {
		return []int{8, 12, 16}
	}
	return []int{7, 15}
}

// expander takes registers from next on, and loads constants. DX points to a block.
func (a *asm) expander(t blockType, next int) *expander {
	e := &expander{a: a, t: t}
	vectors := 32 / a.lanes
	take := func(n int) (list []int) {
		for range n {
			list = append(list, next)
			next++
		}
		return list
	}
	e.d = take(vectors)
	if a.reg == "Y" {
		e.add = append(e.add, take(vectors))
		e.temps = take(3)
		return e
	}
	for i, at := range t.places() {
		if i == 0 || !t.minima {
			e.add = append(e.add, take(vectors))
		} else {
			e.add = append(e.add, e.add[0])
		}
		f := field{at, take(1)[0], take(1)[0]}
		a.i("VMOVUPS", a.word(fmt.Sprintf("bits from %d", at), (1<<t.width()-1)<<at), a.v(f.mask))
		a.i("VMOVUPS", a.float(fmt.Sprintf("2^%d", 23-at), f.value()), a.v(f.one))
		e.fields = append(e.fields, f)
	}
	e.temps = take(32 - next)
	return e
}

// frame is the bytes of the stack that blocks need.
func (t blockType) frame(a *asm) int {
	if a.reg == "Z" {
		return 0
	}
	return 128 * (t.perLine() - 2)
}

// scaled is where the scale for a bit is kept: on the stack, or, for bit 0, in a register.
func (e *expander) scaled(bit, vector int) string {
	if bit == 0 {
		return e.a.v(e.d[vector])
	}
	return at(128*(bit/e.t.width()-1)+32*vector, "SP")
}

// block writes one block; number uses the register that has k of a vector.
func (e *expander) block(number func(k, vector int, reg string)) {
	a, t := e.a, e.t
	for v := range e.d {
		d := a.v(e.d[v])
		a.i("VCVTPH2PS", at(2*a.lanes*v, "DX"), d)
		switch {
		case t.minima:
			a.i("VCVTPH2PS", at(64+2*a.lanes*v, "DX"), a.v(e.add[0][v]))
		case a.reg == "Y":
			a.i("VMULPS", a.float(fmt.Sprintf("-%d", t.zero), -float64(t.zero)), d, a.v(e.add[0][v]))
		default:
			for i, f := range e.fields {
				a.i("VMULPS", a.float(fmt.Sprintf("-(2^%d + zero of %s)", 23-f.at, t.name), -f.value()-float64(t.zero)), d, a.v(e.add[i][v]))
			}
		}
		for bit := t.width(); a.reg == "Y" && bit < 32-t.width(); bit += t.width() {
			a.i("VMULPS", a.float(fmt.Sprintf("2^-%d", bit), math.Ldexp(1, -bit)), d, a.v(e.temps[0]))
			a.i("VMOVUPS", a.v(e.temps[0]), e.scaled(bit, v))
		}
	}
	for k := 0; k < 32; k += t.perLine() {
		for v := range e.d {
			lane := v * a.lanes
			disp := t.line(k, lane/16) + 4*(lane%16)
			if lane%16 == 0 {
				a.i("PREFETCHT0", at(disp+quantAhead, "DX"))
			}
			if a.reg == "Y" {
				e.line2(k, v, at(disp, "DX"), number)
			} else {
				e.line512(k, v, at(disp, "DX"), number)
			}
		}
	}
}

// line512 writes the numbers of a line: those of a field are cut out, and with the rest of the bits
// of one make one + u.
func (e *expander) line512(k, v int, line string, number func(k, vector int, reg string)) {
	a, t := e.a, e.t
	turned := map[int]int{} // the register of each shift
	left := map[int]int{}   // how often it is used yet
	for p := range t.perLine() {
		shift, _ := t.turn(p)
		left[shift]++
	}
	take := func() (r int) {
		r, e.temps = e.temps[0], e.temps[1:]
		return r
	}
	for p := range t.perLine() {
		shift, i := t.turn(p)
		f := e.fields[i]
		if _, ok := turned[shift]; !ok {
			r := take()
			turned[shift] = r
			switch {
			case !t.nibbles:
				a.i("VPROLD", fmt.Sprintf("$%d", shift), line, a.v(r))
			case shift == 0:
				a.i("VMOVDQU32", line, a.v(r))
			case shift > 0:
				a.i("VPSLLD", fmt.Sprintf("$%d", shift), line, a.v(r))
			default:
				a.i("VPSRLD", fmt.Sprintf("$%d", -shift), line, a.v(r))
			}
		}
		r := turned[shift]
		if left[shift]--; left[shift] > 0 {
			r = take()
			a.i("VMOVDQA32", a.v(turned[shift]), a.v(r))
		}
		reg := a.v(r)
		a.i("VPTERNLOGD", "$0xea", a.v(f.one), a.v(f.mask), reg) // (reg & mask) | one
		if t.minima {
			a.i("VSUBPS", a.v(f.one), reg, reg)
		}
		a.i("VFMADD213PS", a.v(e.add[i][v]), a.v(e.d[v]), reg)
		number(k+p, v, reg)
		e.temps = append(e.temps, r)
	}
}

// line2 writes the numbers of half a line: as integers u·2^bit, which the scale has 2^-bit for.
func (e *expander) line2(k, v int, line string, number func(k, vector int, reg string)) {
	a, t := e.a, e.t
	whole := a.v(e.temps[0])
	a.i("VMOVDQU", line, whole)
	for p := range t.perLine() {
		reg, bit := a.v(e.temps[1]), t.bit(p)
		if bit == 32-t.width() {
			a.i("VPSRLD", fmt.Sprintf("$%d", bit), whole, reg)
			bit = 0
		} else {
			a.i("VPAND", a.word(fmt.Sprintf("bits from %d, %d of them", bit, t.width()), (1<<t.width()-1)<<bit), whole, reg)
		}
		a.i("VCVTDQ2PS", reg, reg)
		a.i("VFMADD132PS", e.scaled(bit, v), a.v(e.add[0][v]), reg)
		number(k+p, v, reg)
	}
}

// expand writes the blocks of a panel as floats.
func (a *asm) expand(t blockType, name string) {
	a.f("\n// dst[32·k+j] = column j of a panel's block at k, for blocks of 32 k.")
	a.declareFrame(name, "blocks int, w *byte, dst *float32", t.frame(a))
	a.i("MOVQ", "blocks+0(FP)", "CX")
	a.i("MOVQ", "w+8(FP)", "DX")
	a.i("MOVQ", "dst+16(FP)", "DI")
	e := a.expander(t, 0)
	a.f("\tPCALIGN $64")
	a.f("loop:")
	e.block(func(k, v int, reg string) { a.i("VMOVUPS", reg, at(128*k+4*a.lanes*v, "DI")) })
	a.i("ADDQ", fmt.Sprintf("$%d", t.bytes()), "DX")
	a.i("ADDQ", "$4096", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

// exact writes the product of rows with a dequantised panel.
func (a *asm) exact(t blockType, rows int, name string) {
	a.f("\n// y(%d,32) = x·w over blocks of 32 k, each element one chain of fused multiply-adds.", rows)
	a.declareFrame(name, "blocks int, x *float32, ldx int, w *byte, y *float32, ldy int", t.frame(a))
	xs := a.rowsOf(rows)
	vectors := 32 / a.lanes
	acc := func(r, v int) string { return a.v(r*vectors + v) }
	for i := range rows * vectors {
		a.zero(a.v(i))
	}
	e := a.expander(t, rows*vectors)
	a.f("\tPCALIGN $64")
	a.f("loop:")
	e.block(func(k, v int, reg string) {
		for r, x := range xs {
			if a.reg == "Z" {
				a.i("VFMADD231PS.BCST", at(4*k, x), reg, acc(r, v))
				continue
			}
			a.i("VBROADCASTSS", at(4*k, x), a.v(e.temps[2]))
			a.i("VFMADD231PS", reg, a.v(e.temps[2]), acc(r, v))
		}
	})
	a.nextBlock(t, xs, 128)
	a.storeRows(rows, acc)
}

// rowsOf gives the registers of rows of x, and loads the other parameters of exact and dot8.
func (a *asm) rowsOf(rows int) []string {
	xs := []string{"SI", "R10", "R11", "R12"}[:rows]
	a.i("MOVQ", "blocks+0(FP)", "CX")
	a.i("MOVQ", "x+8(FP)", xs[0])
	if rows > 1 {
		a.i("MOVQ", "ldx+16(FP)", "BX")
	}
	for r := 1; r < rows; r++ {
		a.i("LEAQ", fmt.Sprintf("(%s)(BX*1)", xs[r-1]), xs[r])
	}
	a.i("MOVQ", "w+24(FP)", "DX")
	return xs
}

// nextBlock ends the loop over blocks, of which those of x take so many bytes.
func (a *asm) nextBlock(t blockType, xs []string, bytes int) {
	for _, x := range xs {
		a.i("ADDQ", fmt.Sprintf("$%d", bytes), x)
	}
	a.i("ADDQ", fmt.Sprintf("$%d", t.bytes()), "DX")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
}

// storeRows stores the sums of exact and dot8, and returns.
func (a *asm) storeRows(rows int, sum func(r, v int) string) {
	a.i("MOVQ", "y+32(FP)", "DI")
	if rows > 1 {
		a.i("MOVQ", "ldy+40(FP)", "BX")
	}
	for r := range rows {
		for v := range 32 / a.lanes {
			a.i("VMOVUPS", sum(r, v), at(4*a.lanes*v, "DI"))
		}
		if r < rows-1 {
			a.i("ADDQ", "BX", "DI")
		}
	}
	a.i("VZEROUPPER")
	a.i("RET")
}

// A row of numbers rounded to 8 bits is blocks of 32: the numbers, their scale as float32, and
// their sum, negative, as int32.
const (
	roundScale = 32
	roundSum   = 36
	roundBytes = 40
)

// dot8 writes the product of rows of rounded numbers with a panel.
func (a *asm) dot8(t blockType, rows int, name string) {
	a.f("\n// y(%d,32) = x·w over blocks of 32 k: sums of a block are exact, and go to one chain of fused multiply-adds.", rows)
	a.declare(name, "blocks int, x *byte, ldx int, w *byte, y *float32, ldy int")
	xs := a.rowsOf(rows)
	vectors := 32 / a.lanes
	sum := func(r, v int) string { return a.v(r*vectors + v) }
	dot := func(r, v int) string { return a.v((rows+r)*vectors + v) }
	for i := range rows * vectors {
		a.zero(a.v(i))
	}
	next := 2 * rows * vectors
	temp := func(i int) string { return a.v(next + i) }
	if a.reg == "Z" && t.nibbles {
		a.i("VMOVUPS", a.word("lower halves", 0x0f0f0f0f), temp(0))
		next++
	}
	a.f("\tPCALIGN $64")
	a.f("loop:")
	if a.reg == "Z" {
		a.vnni(t, xs, dot, temp)
	} else {
		a.madd(t, dot, temp)
	}
	for v := range vectors {
		a.i("VCVTPH2PS", fmt.Sprintf("%d(DX)", 2*a.lanes*v), temp(0))
		if t.minima {
			a.i("VCVTPH2PS", fmt.Sprintf("%d(DX)", 64+2*a.lanes*v), temp(1))
		}
		for r, x := range xs {
			a.i("VCVTDQ2PS", dot(r, v), dot(r, v))
			a.i("VBROADCASTSS", at(roundScale, x), temp(2))
			a.i("VMULPS", temp(2), temp(0), temp(3))
			a.i("VFMADD231PS", temp(3), dot(r, v), sum(r, v))
			if t.minima {
				a.i("VMULPS", temp(2), temp(1), temp(3))
				a.i("VPBROADCASTD", at(roundSum, x), temp(2))
				a.i("VCVTDQ2PS", temp(2), temp(2))
				a.i("VFNMADD231PS", temp(3), temp(2), sum(r, v))
			}
		}
	}
	a.nextBlock(t, xs, roundBytes)
	a.storeRows(rows, sum)
}

// vnni writes the sums of a block by VPDPBUSD. They begin with what makes up for the number that
// stands for 0.
func (a *asm) vnni(t blockType, xs []string, dot func(r, v int) string, temp func(int) string) {
	for r, x := range xs {
		if t.minima {
			a.zero(dot(r, 0))
		} else {
			a.i("VPBROADCASTD", at(roundSum, x), dot(r, 0))
			a.i("VPSLLD", fmt.Sprintf("$%d", int(math.Log2(float64(t.zero)))), dot(r, 0), dot(r, 0))
		}
		a.i("VMOVDQA32", dot(r, 0), dot(r, 1))
	}
	for k := 0; k < 32; k += t.perLine() {
		for v := range 2 {
			a.i("PREFETCHT0", at(t.line(k, v)+quantAhead, "DX"))
			a.i("VMOVDQU32", at(t.line(k, v), "DX"), temp(0))
			words := []string{temp(0)}
			if t.nibbles {
				a.i("VPSRLD", "$4", temp(0), temp(1))
				a.i("VPANDD", temp(-1), temp(0), temp(0))
				a.i("VPANDD", temp(-1), temp(1), temp(1))
				words = append(words, temp(1))
			}
			for i, w := range words {
				for r, x := range xs {
					a.i("VPDPBUSD.BCST", at(k+4*i, x), w, dot(r, v))
				}
			}
		}
	}
}

// madd writes the sums of a block of one row by VPMADDUBSW, in 16 bits. The numbers of 8 bits are
// made signed, and their signs are given to x, so that two products fit: 2·127·128. Those of 4
// bits fit for a whole block: 32·127·15/2.
func (a *asm) madd(t blockType, dot func(r, v int) string, temp func(int) string) {
	const x = "SI"
	for v := range 4 {
		a.zero(dot(0, v))
	}
	for k := 0; k < 32; k += t.perLine() {
		for v := range 4 {
			disp := t.line(k, v/2) + 32*(v%2)
			if v%2 == 0 {
				a.i("PREFETCHT0", at(disp+quantAhead, "DX"))
			}
			if !t.nibbles {
				a.i("VMOVDQU", at(disp, "DX"), temp(0))
				a.i("VPXOR", a.word("128 in each byte", 0x80808080), temp(0), temp(0))
				a.i("VPBROADCASTD", at(k, x), temp(1))
				a.i("VPSIGNB", temp(0), temp(1), temp(1))
				a.i("VPABSB", temp(0), temp(0))
				a.i("VPMADDUBSW", temp(1), temp(0), temp(0))
				a.i("VPMADDWD", a.word("1 in each half", 0x00010001), temp(0), temp(0))
				a.i("VPADDD", temp(0), dot(0, v), dot(0, v))
				continue
			}
			a.i("VMOVDQU", at(disp, "DX"), temp(0))
			a.i("VPSRLD", "$4", temp(0), temp(1))
			for i := range 2 {
				a.i("VPAND", a.word("lower halves", 0x0f0f0f0f), temp(i), temp(i))
				a.i("VPBROADCASTD", at(k+4*i, x), temp(2))
				a.i("VPMADDUBSW", temp(2), temp(i), temp(i))
				a.i("VPADDW", temp(i), dot(0, v), dot(0, v))
			}
		}
	}
	if !t.nibbles {
		return
	}
	for v := range 4 {
		a.i("VPMADDWD", a.word("1 in each half", 0x00010001), dot(0, v), dot(0, v))
		if t.zero != 0 {
			a.i("VPBROADCASTD", at(roundSum, x), temp(0))
			a.i("VPSLLD", fmt.Sprintf("$%d", int(math.Log2(float64(t.zero)))), temp(0), temp(0))
			a.i("VPADDD", temp(0), dot(0, v), dot(0, v))
		}
	}
}

// round8 rounds rows to 8 bits, in vectors of 8 lanes whatever the instruction set.
func (a *asm) round8() {
	a.f("\n// Blocks of 32 floats become blocks of %d bytes.", roundBytes)
	a.fn("round8", "blocks int, x *float32, q *byte")
	a.i("MOVQ", "blocks+0(FP)", "CX")
	a.i("MOVQ", "x+8(FP)", "SI")
	a.i("MOVQ", "q+16(FP)", "DI")
	a.i("VMOVUPS", a.word("not the sign", 0x7fffffff), a.v(15))
	a.i("VMOVUPS", a.float("127", 127), a.v(14))
	a.f("\tPCALIGN $64")
	a.f("loop:")
	y := func(i int) string { return fmt.Sprintf("Y%d", i) }
	for v := range 4 {
		a.i("VMOVUPS", at(32*v, "SI"), y(v))
		a.i("VPAND", "Y15", y(v), y(4+v))
	}
	// The largest by bits: it is NaN where one is.
	a.i("VPMAXUD", "Y5", "Y4", "Y4")
	a.i("VPMAXUD", "Y7", "Y6", "Y6")
	a.i("VPMAXUD", "Y6", "Y4", "Y4")
	a.i("VEXTRACTI128", "$1", "Y4", "X5")
	a.i("VPMAXUD", "X5", "X4", "X4")
	a.i("VPSHUFD", "$0x4e", "X4", "X5")
	a.i("VPMAXUD", "X5", "X4", "X4")
	a.i("VPSHUFD", "$0xb1", "X4", "X5")
	a.i("VPMAXUD", "X5", "X4", "X4")
	a.i("VDIVPS", "X14", "X4", "X5") // max/127
	a.i("VDIVPS", "X4", "X14", "X6") // 127/max
	a.i("VXORPS", "X7", "X7", "X7")
	a.i("VCMPPS", "$4", "X7", "X4", "X7") // not equal to 0
	a.i("VANDPS", "X7", "X6", "X6")
	a.i("VBROADCASTSS", "X6", "Y6")
	a.i("VCVTPS2PH", "$0", "X5", "X5")
	a.i("VCVTPH2PS", "X5", "X5")
	a.i("VMOVSS", "X5", at(roundScale, "DI"))
	for v := range 4 {
		a.i("VMULPS", "Y6", y(v), y(v))
		a.i("VCVTPS2DQ", y(v), y(v))
	}
	a.i("VPACKSSDW", "Y1", "Y0", "Y0")
	a.i("VPACKSSDW", "Y3", "Y2", "Y2")
	a.i("VPACKSSWB", "Y2", "Y0", "Y0") // words 0 2 4 6 1 3 5 7 of the row
	a.i("VMOVDQU", fmt.Sprintf("order_%s<>(SB)", a.name), "Y1")
	a.i("VPERMD", "Y0", "Y1", "Y0")
	a.i("VMOVDQU", "Y0", "(DI)")
	a.i("VMOVDQU", a.word("1 in each byte", 0x01010101), "Y1")
	a.i("VPMADDUBSW", "Y0", "Y1", "Y1")
	a.i("VPMADDWD", a.word("-1 in each half", 0xffffffff), "Y1", "Y1")
	a.i("VEXTRACTI128", "$1", "Y1", "X2")
	a.i("VPADDD", "X2", "X1", "X1")
	a.i("VPSHUFD", "$0x4e", "X1", "X2")
	a.i("VPADDD", "X2", "X1", "X1")
	a.i("VPSHUFD", "$0xb1", "X1", "X2")
	a.i("VPADDD", "X2", "X1", "X1")
	a.i("VMOVD", "X1", at(roundSum, "DI"))
	a.i("ADDQ", "$128", "SI")
	a.i("ADDQ", fmt.Sprintf("$%d", roundBytes), "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
	a.f("")
	for i, w := range []int{0, 4, 1, 5, 2, 6, 3, 7} {
		a.f("DATA order_%s<>+%d(SB)/4, $%d", a.name, 4*i, w)
	}
	a.f("GLOBL order_%s<>(SB), RODATA|NOPTR, $32", a.name)
}

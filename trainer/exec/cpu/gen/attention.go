package main

import (
	"fmt"
	"math"
	"strings"
)

// attention writes the kernels of attention's tiles: products without packing, and what
// goes over rows of scores. Rows of a tile lie in units of 16, with room for one unit
// more, so that no row kernel but addRows has a partial vector.
func (a *asm) attention() {
	var strips []string
	for rows := 1; rows <= a.mr; rows++ {
		a.strips(rows)
		strips = append(strips, fmt.Sprintf("attentionStrips%d_%s", rows, a.name))
	}
	a.entry("strips: []stripKernel{%s}", strings.Join(strips, ", "))
	a.softmaxRows()
	a.gradRows()
	a.maskRows()
	a.addRows()
	a.scaleRows()
	a.copyRows()
	a.dotRows()
	a.transposeScaled()
}

// offset is the memory that lies bytes behind reg.
func offset(bytes int, reg string) string {
	if bytes == 0 {
		return "(" + reg + ")"
	}
	return fmt.Sprintf("%d(%s)", bytes, reg)
}

// strips is the micro-kernel in a loop over strips of rows, a, b and kc changing from
// one to the next: what lies above a diagonal is left out.
func (a *asm) strips(rows int) {
	a.f("\n// c(n·%d,%d) = or += a·b, over kc ≥ 1 steps in the first strip of rows.", rows, a.nr)
	a.declare(fmt.Sprintf("attentionStrips%d", rows), "n, kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc, astep, bstep, kcstep int, next *float32, nextstep int, accumulate bool")
	groups := []string{"SI", "R10", "R11", "R12"}[:(rows+2)/3] // rows 0, 3, 6, 9 of a
	acc := func(r, h int) string { return a.v(2*r + h) }
	b0, b1 := a.v(2*a.mr), a.v(2*a.mr+1)
	bcast := []string{a.v(2*a.mr + 2), a.v(2*a.mr + 3)}
	half := fmt.Sprint(4 * a.lanes)
	a.i("MOVQ", "ars+24(FP)", "R8")
	a.i("MOVQ", "aks+32(FP)", "R9")
	a.i("MOVQ", "bks+48(FP)", "R14")
	a.i("MOVQ", "c+56(FP)", "DX")
	a.i("MOVQ", "ldc+64(FP)", "BX")
	a.i("MOVQ", "next+96(FP)", "R15")
	a.f("strip:")
	a.i("MOVQ", "kc+8(FP)", "CX")
	a.i("MOVQ", "a+16(FP)", "SI")
	a.i("MOVQ", "b+40(FP)", "DI")
	if len(groups) > 1 {
		a.i("LEAQ", "(R8)(R8*2)", "R13")
	}
	for g := 1; g < len(groups); g++ {
		a.i("LEAQ", fmt.Sprintf("(%s)(R13*1)", groups[g-1]), groups[g])
	}
	a.i("MOVBLZX", "accumulate+112(FP)", "AX")
	a.i("TESTL", "AX", "AX")
	a.i("JZ", "fresh")
	a.i("MOVQ", "DX", "R13")
	for r := range rows {
		a.i("VMOVUPS", "(R13)", acc(r, 0))
		a.i("VMOVUPS", half+"(R13)", acc(r, 1))
		if r < rows-1 {
			a.i("ADDQ", "BX", "R13")
		}
	}
	a.i("JMP", "start")
	a.f("fresh:")
	for r := range rows {
		a.zero(acc(r, 0))
		a.zero(acc(r, 1))
	}
	a.f("start:")
	step := func() {
		a.i("VMOVUPS", "(DI)", b0)
		a.i("VMOVUPS", half+"(DI)", b1)
		a.i("ADDQ", "R14", "DI")
		for r := range rows {
			x := bcast[r%2]
			at := "(" + groups[r/3] + ")"
			if r%3 > 0 {
				at += fmt.Sprintf("(R8*%d)", r%3)
			}
			a.i("VBROADCASTSS", at, x)
			a.i("VFMADD231PS", b0, x, acc(r, 0))
			a.i("VFMADD231PS", b1, x, acc(r, 1))
		}
		for _, g := range groups {
			a.i("ADDQ", "R9", g)
		}
	}
	a.i("MOVQ", "CX", "AX")
	a.i("MOVQ", "nextstep+104(FP)", "R13")
	a.i("SHRQ", "$2", "AX")
	a.i("JZ", "rest")
	a.f("\tPCALIGN $64")
	a.f("four:")
	for k := range 4 {
		if k%2 == 0 {
			a.i("PREFETCHT1", "(R15)")
			a.i("ADDQ", "R13", "R15")
		}
		step()
	}
	a.i("DECQ", "AX")
	a.i("JNZ", "four")
	a.f("rest:")
	a.i("ANDQ", "$3", "CX")
	a.i("JZ", "done")
	a.f("one:")
	step()
	a.i("DECQ", "CX")
	a.i("JNZ", "one")
	a.f("done:")
	for r := range rows {
		a.i("VMOVUPS", acc(r, 0), "(DX)")
		a.i("VMOVUPS", acc(r, 1), half+"(DX)")
		a.i("ADDQ", "BX", "DX")
	}
	for _, s := range []struct {
		arg, step string
	}{{"a+16(FP)", "astep+72(FP)"}, {"b+40(FP)", "bstep+80(FP)"}, {"kc+8(FP)", "kcstep+88(FP)"}} {
		a.i("MOVQ", s.arg, "AX")
		a.i("MOVQ", s.step, "CX")
		a.i("ADDQ", "CX", "AX")
		a.i("MOVQ", "AX", s.arg)
	}
	a.i("MOVQ", "n+0(FP)", "AX")
	a.i("DECQ", "AX")
	a.i("MOVQ", "AX", "n+0(FP)")
	a.i("JNZ", "strip")
	a.i("VZEROUPPER")
	a.i("RET")
}

// exp2Registers hold exp2's constants in a loop: from memory they would take the loads' time.
var exp2Registers = []int{4, 5, 6, 7, 11, 12, 13, 14}

// exp2Constants are c6 … c1 and 1, of 2ⁿ·(1 + f·(c1 + … + c6·f⁵)), minimax on |f| ≤ 1/2, and the
// least exponent.
func (a *asm) exp2Constants() []string {
	var at []string
	for k, c := range []float64{0.00138146, 0.00836872, 0.04166839, 0.16666521, 0.49999993, 1} { // of e to the power
		at = append(at, a.float(fmt.Sprintf("c%d", 6-k), c*math.Pow(math.Ln2, float64(6-k))))
	}
	return append(at, a.float("one", 1), a.float("least", -125))
}

// loadExp2 loads the constants and gives their registers.
func (a *asm) loadExp2() []string {
	var regs []string
	for k, at := range a.exp2Constants() {
		regs = append(regs, a.v(exp2Registers[k]))
		a.i("VMOVUPS", at, regs[k])
	}
	return regs
}

// exp2 sets register 2 to 2 to the power of register 0, using 1 and 3: n = round(x), f = x - n.
// Below 2⁻¹²⁵ it is 0, so that no denormal slows what follows; x is no larger than 127, and NaN
// stays NaN.
func (a *asm) exp2(constants []string) {
	x, n, p, f := a.v(0), a.v(1), a.v(2), a.v(3)
	if a.reg == "Z" {
		a.i("VRNDSCALEPS", "$8", x, n)
	} else {
		a.i("VROUNDPS", "$8", x, n)
	}
	a.i("VSUBPS", n, x, f)
	a.i("VMOVUPS", constants[0], p)
	for _, c := range constants[1:7] {
		a.i("VFMADD213PS", c, f, p)
	}
	a.i("VCVTPS2DQ", n, n)
	a.i("VPSLLD", "$23", n, n)
	a.i("VPADDD", n, p, p)
	// not less: also where x is NaN
	if a.reg == "Z" {
		a.i("VCMPPS", "$5", constants[7], x, "K1")
		a.i("VMOVAPS.Z", p, "K1", p)
	} else {
		a.i("VCMPPS", "$5", constants[7], x, n)
		a.i("VANDPS", n, p, p)
	}
}

// hide stores a unit of -Inf after the seen elements of each row. It comes before the
// rows are read, for a load that crosses a store so near waits.
func (a *asm) hide(rows, s, lds, seen string) {
	a.i("MOVQ", rows, "CX")
	a.i("MOVQ", s, "SI")
	a.i("MOVQ", lds, "R8")
	a.i("MOVQ", seen, "R9")
	a.i("VMOVUPS", a.float("hidden", math.Inf(-1)), a.v(0))
	a.f("hide:")
	a.i("MOVLQSX", "(R9)", "AX")
	a.i("LEAQ", "(SI)(AX*4)", "AX")
	for u := 0; u < 16; u += a.lanes {
		a.i("VMOVUPS", a.v(0), offset(4*u, "AX"))
	}
	a.i("ADDQ", "$4", "R9")
	a.i("ADDQ", "R8", "SI")
	a.i("DECQ", "CX")
	a.i("JNZ", "hide")
	a.i("MOVQ", rows, "CX")
	a.i("MOVQ", s, "SI")
	a.i("MOVQ", seen, "R9")
}

// softmaxRows is a step of the running softmax: the maxima of all rows, what follows from
// them a vector of rows at a time, then the powers. In one loop each row would wait for its
// own chain.
func (a *asm) softmaxRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionSoftmax", "m, n int, s *float32, lds int, seen *int32, top, sum, alpha *float32")
	a.entry("softmax: attentionSoftmax_%s", a.name)
	a.hide("m+0(FP)", "s+16(FP)", "lds+24(FP)", "seen+32(FP)")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("ADDQ", "$15", "DX")
	a.i("SHRQ", "$4", "DX")
	a.i("MOVQ", "alpha+56(FP)", "R11")
	units := func() { // R13 that the row sees, and BX to count them; AX points to them
		a.i("MOVLQSX", "(R9)", "R13")
		a.i("ADDQ", "$15", "R13")
		a.i("SHRQ", "$4", "R13")
		a.i("MOVQ", "SI", "AX")
		a.i("MOVQ", "R13", "BX")
		a.i("TESTQ", "BX", "BX")
	}
	next := func(label string) {
		a.i("ADDQ", "$4", "R9")
		a.i("ADDQ", "$4", "R11")
		a.i("ADDQ", "R8", "SI")
		a.i("DECQ", "CX")
		a.i("JNZ", label)
	}
	a.f("\tPCALIGN $32")
	a.f("top:")
	units()
	a.i("VMOVUPS", a.float("hidden", math.Inf(-1)), a.v(4))
	if a.reg == "Y" {
		a.i("VMOVAPS", "Y4", "Y5")
	}
	a.i("JZ", "topped")
	a.f("max:")
	for u := 0; u < 16; u += a.lanes {
		a.i("VMAXPS", offset(4*u, "AX"), a.v(4+u/8), a.v(4+u/8))
	}
	a.i("ADDQ", "$64", "AX")
	a.i("DECQ", "BX")
	a.i("JNZ", "max")
	a.f("topped:")
	a.fold("VMAXPS", 4, "256(R11)") // behind alpha, as the row's sum later
	next("top")

	// The reference moves when the largest score is 8 above it: 2⁸ is far from any limit,
	// and most tiles then rescale nothing.
	vectors := func(label string, body func()) {
		a.i("MOVQ", "m+0(FP)", "CX")
		a.i("ADDQ", fmt.Sprintf("$%d", a.lanes-1), "CX")
		a.i("SHRQ", fmt.Sprintf("$%d", map[int]int{8: 3, 16: 4}[a.lanes]), "CX")
		a.i("MOVQ", "alpha+56(FP)", "R11")
		a.f("%s:", label)
		body()
		a.i("ADDQ", fmt.Sprintf("$%d", 4*a.lanes), "DI")
		a.i("ADDQ", fmt.Sprintf("$%d", 4*a.lanes), "R11")
		a.i("DECQ", "CX")
		a.i("JNZ", label)
	}
	a.i("MOVQ", "top+40(FP)", "DI")
	vectors("move", func() {
		a.i("VMOVUPS", "256(R11)", a.v(4))
		a.i("VMOVUPS", "(DI)", a.v(6))
		a.i("VADDPS", a.float("margin", 8), a.v(6), a.v(5))
		if a.reg == "Y" {
			a.i("VCMPPS", "$14", "Y5", "Y4", "Y5") // greater
			a.i("VBLENDVPS", "Y5", "Y4", "Y6", "Y8")
		} else {
			a.i("VCMPPS", "$14", "Z5", "Z4", "K2")
			a.i("VMOVAPS", "Z6", "Z8")
			a.i("VMOVAPS", "Z4", "K2", "Z8")
		}
		a.i("VMOVUPS", a.v(8), "(DI)")
		a.i("VSUBPS", a.v(8), a.v(6), a.v(0))
		a.exp2(a.exp2Constants())
		a.i("VMOVUPS", a.v(2), "(R11)")
	})

	a.i("MOVQ", "m+0(FP)", "CX")
	a.i("MOVQ", "s+16(FP)", "SI")
	a.i("MOVQ", "seen+32(FP)", "R9")
	a.i("MOVQ", "top+40(FP)", "DI")
	a.i("MOVQ", "alpha+56(FP)", "R11")
	constants := a.loadExp2()
	a.f("\tPCALIGN $32")
	a.f("row:")
	units()
	a.i("VBROADCASTSS", "(DI)", a.v(8))
	a.zero(a.v(9))
	if a.reg == "Y" {
		a.zero("Y10")
	}
	a.i("JZ", "sum")
	a.f("exp:")
	for u := 0; u < 16; u += a.lanes {
		a.i("VMOVUPS", offset(4*u, "AX"), a.v(0))
		a.i("VSUBPS", a.v(8), a.v(0), a.v(0))
		a.exp2(constants)
		a.i("VMOVUPS", a.v(2), offset(4*u, "AX"))
		a.i("VADDPS", a.v(2), a.v(9+u/8), a.v(9+u/8))
	}
	a.i("ADDQ", "$64", "AX")
	a.i("DECQ", "BX")
	a.i("JNZ", "exp")
	a.f("sum:")
	a.tree(9, "256(R11)")
	a.blank("AX", "zero")
	a.i("ADDQ", "$4", "DI")
	next("row")

	a.i("MOVQ", "sum+48(FP)", "DI")
	vectors("stats", func() {
		a.i("VMOVUPS", "(R11)", a.v(2))
		a.i("VMOVUPS", "(DI)", a.v(0))
		a.i("VFMADD213PS", "256(R11)", a.v(2), a.v(0))
		a.i("VMOVUPS", a.v(0), "(DI)")
	})
	a.i("VZEROUPPER")
	a.i("RET")
}

// blank clears the units R13 to DX, the first of which reg points to.
func (a *asm) blank(reg, label string) {
	a.i("MOVQ", "DX", "BX")
	a.i("SUBQ", "R13", "BX")
	a.i("JZ", label+"ed")
	a.zero(a.v(0))
	a.f("%s:", label)
	for u := 0; u < 16; u += a.lanes {
		a.i("VMOVUPS", a.v(0), offset(4*u, reg))
	}
	a.i("ADDQ", "$64", reg)
	a.i("DECQ", "BX")
	a.i("JNZ", label)
	a.f("%sed:", label)
}

// gradRows turns scores and the gradient of probabilities into probabilities and the
// gradient of scores.
func (a *asm) gradRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionGrad", "m, n int, s, dp *float32, ld int, seen *int32, lse, delta *float32")
	a.entry("grad: attentionGrad_%s", a.name)
	a.hide("m+0(FP)", "s+16(FP)", "ld+32(FP)", "seen+40(FP)")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("ADDQ", "$15", "DX")
	a.i("SHRQ", "$4", "DX")
	a.i("MOVQ", "dp+24(FP)", "DI")
	a.i("MOVQ", "lse+48(FP)", "R10")
	a.i("MOVQ", "delta+56(FP)", "R11")
	lse, delta := a.v(8), a.v(9)
	constants := a.loadExp2()
	a.f("\tPCALIGN $32")
	a.f("row:")
	a.i("MOVLQSX", "(R9)", "R13")
	a.i("ADDQ", "$15", "R13")
	a.i("SHRQ", "$4", "R13")
	a.i("VBROADCASTSS", "(R10)", lse)
	a.i("VBROADCASTSS", "(R11)", delta)
	a.i("MOVQ", "SI", "AX")
	a.i("MOVQ", "DI", "R12")
	a.i("MOVQ", "R13", "BX")
	a.i("TESTQ", "BX", "BX")
	a.i("JZ", "seen")
	a.f("unit:")
	for u := 0; u < 16; u += a.lanes {
		a.i("VMOVUPS", offset(4*u, "AX"), a.v(0))
		a.i("VSUBPS", lse, a.v(0), a.v(0))
		a.exp2(constants)
		a.i("VMOVUPS", offset(4*u, "R12"), a.v(15))
		a.i("VSUBPS", delta, a.v(15), a.v(15))
		a.i("VMOVUPS", a.v(2), offset(4*u, "AX"))
		a.i("VMULPS", a.v(2), a.v(15), a.v(15))
		a.i("VMOVUPS", a.v(15), offset(4*u, "R12"))
	}
	a.i("ADDQ", "$64", "AX")
	a.i("ADDQ", "$64", "R12")
	a.i("DECQ", "BX")
	a.i("JNZ", "unit")
	a.f("seen:")
	a.blank("AX", "zero")
	a.blank("R12", "clear")
	a.i("ADDQ", "$4", "R9")
	a.i("ADDQ", "$4", "R10")
	a.i("ADDQ", "$4", "R11")
	a.i("ADDQ", "R8", "SI")
	a.i("ADDQ", "R8", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// maskRows puts -Inf where a key's order is above the query's.
func (a *asm) maskRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionMask", "m, n int, s *float32, lds int, query, key *int32")
	a.entry("mask: attentionMask_%s", a.name)
	a.i("MOVQ", "m+0(FP)", "CX")
	a.i("MOVQ", "s+16(FP)", "SI")
	a.i("MOVQ", "lds+24(FP)", "R8")
	a.i("MOVQ", "query+32(FP)", "R9")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("ADDQ", "$15", "DX")
	a.i("SHRQ", "$4", "DX")
	a.i("VMOVUPS", a.float("hidden", math.Inf(-1)), a.v(5))
	a.f("row:")
	a.i("VPBROADCASTD", "(R9)", a.v(4))
	a.i("MOVQ", "SI", "AX")
	a.i("MOVQ", "key+40(FP)", "DI")
	a.i("MOVQ", "DX", "BX")
	a.f("unit:")
	for u := 0; u < 16; u += a.lanes {
		a.i("VMOVUPS", offset(4*u, "DI"), a.v(0))
		a.i("VMOVUPS", offset(4*u, "AX"), a.v(1))
		if a.reg == "Y" {
			a.i("VPCMPGTD", a.v(4), a.v(0), a.v(2)) // key > query
			a.i("VBLENDVPS", a.v(2), a.v(5), a.v(1), a.v(1))
		} else {
			a.i("VPCMPGTD", a.v(4), a.v(0), "K1")
			a.i("VMOVAPS", a.v(5), "K1", a.v(1))
		}
		a.i("VMOVUPS", a.v(1), offset(4*u, "AX"))
	}
	a.i("ADDQ", "$64", "AX")
	a.i("ADDQ", "$64", "DI")
	a.i("DECQ", "BX")
	a.i("JNZ", "unit")
	a.i("ADDQ", "$4", "R9")
	a.i("ADDQ", "R8", "SI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// addRows adds a multiple of rows to rows; strides may be anything, rows may overlap.
func (a *asm) addRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionAdd", "m, n int, dst *float32, ldd int, src *float32, lds int, factor float32")
	a.entry("add: attentionAdd_%s", a.name)
	a.i("MOVQ", "m+0(FP)", "CX")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("MOVQ", "dst+16(FP)", "DI")
	a.i("MOVQ", "ldd+24(FP)", "R8")
	a.i("MOVQ", "src+32(FP)", "SI")
	a.i("MOVQ", "lds+40(FP)", "R9")
	a.i("VBROADCASTSS", "factor+48(FP)", a.v(4))
	a.i("MOVQ", "DX", "R13")
	a.i("SHRQ", fmt.Sprintf("$%d", map[int]int{8: 3, 16: 4}[a.lanes]), "R13")
	a.i("ANDQ", fmt.Sprintf("$%d", a.lanes-1), "DX")
	if a.reg == "Z" {
		a.i("MOVQ", "CX", "R12")
		a.i("MOVQ", "DX", "CX")
		a.i("MOVL", "$1", "AX")
		a.i("SHLL", "CX", "AX")
		a.i("DECL", "AX")
		a.i("KMOVW", "AX", "K1")
		a.i("MOVQ", "R12", "CX")
	} else {
		a.i("MOVQ", "DX", "AX")
		a.i("NEGQ", "AX")
		a.i("LEAQ", a.mask(), "BX")
		a.i("VMOVDQU", "(BX)(AX*4)", "Y5")
	}
	a.f("row:")
	a.i("MOVQ", "DI", "AX")
	a.i("MOVQ", "SI", "R10")
	a.i("MOVQ", "R13", "BX")
	a.i("TESTQ", "BX", "BX")
	a.i("JZ", "rest")
	a.f("vector:")
	a.i("VMOVUPS", "(AX)", a.v(0))
	a.i("VFMADD231PS", "(R10)", a.v(4), a.v(0))
	a.i("VMOVUPS", a.v(0), "(AX)")
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.lanes), "AX")
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.lanes), "R10")
	a.i("DECQ", "BX")
	a.i("JNZ", "vector")
	a.f("rest:")
	a.i("TESTQ", "DX", "DX")
	a.i("JZ", "next")
	if a.reg == "Z" {
		a.i("VMOVUPS.Z", "(AX)", "K1", a.v(0))
		a.i("VMOVUPS.Z", "(R10)", "K1", a.v(1))
		a.i("VFMADD231PS", a.v(1), a.v(4), a.v(0))
		a.i("VMOVUPS", a.v(0), "K1", "(AX)")
	} else {
		a.i("VMASKMOVPS", "(AX)", "Y5", "Y0")
		a.i("VMASKMOVPS", "(R10)", "Y5", "Y1")
		a.i("VFMADD231PS", "Y1", "Y4", "Y0")
		a.i("VMASKMOVPS", "Y0", "Y5", "(AX)")
	}
	a.f("next:")
	a.i("ADDQ", "R8", "DI")
	a.i("ADDQ", "R9", "SI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// scaleRows writes rows times a factor each. Eight lanes in either instruction set, for
// head sizes that are no multiple of 16.
func (a *asm) scaleRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionScale", "m, n int, dst *float32, ldd int, src *float32, lds int, factor *float32")
	a.entry("scale: attentionScale_%s", a.name)
	a.i("MOVQ", "m+0(FP)", "CX")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("MOVQ", "dst+16(FP)", "DI")
	a.i("MOVQ", "ldd+24(FP)", "R8")
	a.i("MOVQ", "src+32(FP)", "SI")
	a.i("MOVQ", "lds+40(FP)", "R9")
	a.i("MOVQ", "factor+48(FP)", "R11")
	a.i("SHRQ", "$3", "DX")
	a.f("row:")
	a.i("VBROADCASTSS", "(R11)", "Y4")
	a.i("MOVQ", "DI", "AX")
	a.i("MOVQ", "SI", "R10")
	a.i("MOVQ", "DX", "BX")
	a.f("vector:")
	a.i("VMULPS", "(R10)", "Y4", "Y0")
	a.i("VMOVUPS", "Y0", "(AX)")
	a.i("ADDQ", "$32", "AX")
	a.i("ADDQ", "$32", "R10")
	a.i("DECQ", "BX")
	a.i("JNZ", "vector")
	a.i("ADDQ", "$4", "R11")
	a.i("ADDQ", "R8", "DI")
	a.i("ADDQ", "R9", "SI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// copyRows copies rows: Go's copy takes longer to begin than they take.
func (a *asm) copyRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionCopy", "m, n int, dst *float32, ldd int, src *float32, lds int")
	a.entry("copy: attentionCopy_%s", a.name)
	a.i("MOVQ", "m+0(FP)", "CX")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("MOVQ", "dst+16(FP)", "DI")
	a.i("MOVQ", "ldd+24(FP)", "R8")
	a.i("MOVQ", "src+32(FP)", "SI")
	a.i("MOVQ", "lds+40(FP)", "R9")
	a.i("MOVQ", "DX", "R13")
	a.i("SHRQ", "$5", "R13")
	a.i("SHRQ", "$3", "DX")
	a.i("ANDQ", "$3", "DX")
	a.f("row:")
	a.i("MOVQ", "DI", "AX")
	a.i("MOVQ", "SI", "R10")
	a.i("MOVQ", "R13", "BX")
	a.i("TESTQ", "BX", "BX")
	a.i("JZ", "rest")
	a.f("block:")
	for u := 0; u < 32; u += a.lanes {
		a.i("VMOVUPS", offset(4*u, "R10"), a.v(u/a.lanes))
	}
	for u := 0; u < 32; u += a.lanes {
		a.i("VMOVUPS", a.v(u/a.lanes), offset(4*u, "AX"))
	}
	a.i("ADDQ", "$128", "AX")
	a.i("ADDQ", "$128", "R10")
	a.i("DECQ", "BX")
	a.i("JNZ", "block")
	a.f("rest:")
	a.i("MOVQ", "DX", "BX")
	a.i("TESTQ", "BX", "BX")
	a.i("JZ", "next")
	a.f("vector:")
	a.i("VMOVUPS", "(R10)", "Y0")
	a.i("VMOVUPS", "Y0", "(AX)")
	a.i("ADDQ", "$32", "AX")
	a.i("ADDQ", "$32", "R10")
	a.i("DECQ", "BX")
	a.i("JNZ", "vector")
	a.f("next:")
	a.i("ADDQ", "R8", "DI")
	a.i("ADDQ", "R9", "SI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// dotRows multiplies rows with rows.
func (a *asm) dotRows() {
	a.f("\n// see attentionKernels")
	a.declare("attentionDot", "m, n int, dst, x *float32, ldx int, y *float32, ldy int")
	a.entry("dot: attentionDot_%s", a.name)
	a.i("MOVQ", "m+0(FP)", "CX")
	a.i("MOVQ", "n+8(FP)", "DX")
	a.i("SHRQ", "$4", "DX")
	a.i("MOVQ", "dst+16(FP)", "R11")
	a.i("MOVQ", "x+24(FP)", "SI")
	a.i("MOVQ", "ldx+32(FP)", "R8")
	a.i("MOVQ", "y+40(FP)", "DI")
	a.i("MOVQ", "ldy+48(FP)", "R9")
	a.f("row:")
	a.zero(a.v(9))
	if a.reg == "Y" {
		a.zero(a.v(10))
	}
	a.i("MOVQ", "SI", "AX")
	a.i("MOVQ", "DI", "R10")
	a.i("MOVQ", "DX", "BX")
	a.f("unit:")
	for u := 0; u < 16; u += a.lanes {
		a.i("VMOVUPS", offset(4*u, "AX"), a.v(0))
		a.i("VFMADD231PS", offset(4*u, "R10"), a.v(0), a.v(9+u/8))
	}
	a.i("ADDQ", "$64", "AX")
	a.i("ADDQ", "$64", "R10")
	a.i("DECQ", "BX")
	a.i("JNZ", "unit")
	a.tree(9, "(R11)")
	a.i("ADDQ", "$4", "R11")
	a.i("ADDQ", "R8", "SI")
	a.i("ADDQ", "R9", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// transposeScaled writes 8 rows, times a factor, as 8 columns. Eight lanes in either
// instruction set.
func (a *asm) transposeScaled() {
	a.f("\n// see attentionKernels")
	a.declare("attentionTranspose", "n int, dst *float32, ldd int, src *float32, lds int, factor float32")
	a.entry("transpose: attentionTranspose_%s", a.name)
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "dst+8(FP)", "DI")
	a.i("MOVQ", "ldd+16(FP)", "R11")
	a.i("MOVQ", "src+24(FP)", "SI")
	a.i("MOVQ", "lds+32(FP)", "R8")
	a.i("SHRQ", "$3", "CX")
	a.i("LEAQ", "(R8)(R8*2)", "R9")
	a.i("LEAQ", "(SI)(R8*4)", "R10")
	a.i("LEAQ", "(R11)(R11*2)", "R12")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	y := func(n int) string { return fmt.Sprintf("Y%d", n) }
	rows := func(lo, hi, stride, triple string) []string {
		var at []string
		for _, base := range []string{lo, hi} {
			at = append(at, "("+base+")", "("+base+")("+stride+"*1)", "("+base+")("+stride+"*2)", "("+base+")("+triple+"*1)")
		}
		return at
	}
	for q, at := range rows("SI", "R10", "R8", "R9") {
		a.i("VMOVUPS", at, y(q))
	}
	for q := 0; q < 8; q += 2 { // pairs of rows
		a.i("VUNPCKLPS", y(q+1), y(q), y(8+q))
		a.i("VUNPCKHPS", y(q+1), y(q), y(9+q))
	}
	for q := 0; q < 8; q += 4 { // fours
		a.i("VUNPCKLPD", y(10+q), y(8+q), y(q))
		a.i("VUNPCKHPD", y(10+q), y(8+q), y(q+1))
		a.i("VUNPCKLPD", y(11+q), y(9+q), y(q+2))
		a.i("VUNPCKHPD", y(11+q), y(9+q), y(q+3))
	}
	for q := range 4 { // halves
		a.i("VPERM2F128", "$0x20", y(4+q), y(q), y(8+q))
		a.i("VPERM2F128", "$0x31", y(4+q), y(q), y(12+q))
	}
	a.i("VBROADCASTSS", "factor+40(FP)", "Y0")
	a.i("LEAQ", "(DI)(R11*4)", "R13")
	for p, at := range rows("DI", "R13", "R11", "R12") {
		a.i("VMULPS", y(8+p), "Y0", y(8+p))
		a.i("VMOVUPS", y(8+p), at)
	}
	a.i("ADDQ", "$32", "SI")
	a.i("ADDQ", "$32", "R10")
	a.i("LEAQ", "(R13)(R11*4)", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

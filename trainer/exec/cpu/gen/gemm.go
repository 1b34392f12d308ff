package main

import (
	"fmt"
	"math/bits"
	"strings"
)

// gemm writes the micro-kernels of the matrix product and what packs its operands.
func (a *asm) gemm() {
	a.entry("mr: %d, nr: %d, kc: %d, mc: %d, nc: %d, ask: %d", a.mr, a.nr, a.kc, a.mc, a.nc, a.ask)
	var micro []string
	for rows := 1; rows <= a.mr; rows++ {
		a.micro(rows)
		micro = append(micro, fmt.Sprintf("micro%d_%s", rows, a.name))
	}
	a.entry("micro: []microKernel{%s}", strings.Join(micro, ", "))
	a.packRows()
	a.packCols()
	a.transpose()
}

// micro writes the micro-kernel of a number of rows: it walks along the panels of B with
// the same rows of A, which stay in the first-level cache.
func (a *asm) micro(rows int) {
	a.f("\n// c(%d,n) = or += a·b over kc ≥ 1 steps, n ≥ 1.", rows)
	a.declare(fmt.Sprintf("micro%d", rows), "kc, n int, a *float32, ars, aks int, b, c *float32, ldc int, accumulate bool, next *float32, next1, next2 int")
	groups := []string{"SI", "R10", "R11", "R12"}[:(rows+2)/3] // rows 0, 3, 6, 9 of a
	acc := func(r, h int) string { return a.v(2*r + h) }
	b := []string{a.v(2 * a.mr), a.v(2*a.mr + 1)}
	bcast := []string{a.v(2*a.mr + 2), a.v(2*a.mr + 3)}
	cell := []string{"(R13)", fmt.Sprintf("%d(R13)", 4*a.lanes)} // of a row of c, a vector each
	eachRow := func(f func(r int)) {                             // with R13 on row r of c
		a.i("MOVQ", "DX", "R13")
		for r := range rows {
			f(r)
			if r < rows-1 {
				a.i("ADDQ", "BX", "R13")
			}
		}
	}
	panel := func(part string, vectors int) { // its labels end in part; all but the full one are masked
		full := part == ""
		a.i("MOVQ", "a+16(FP)", "SI")
		if len(groups) > 1 {
			a.i("LEAQ", "(R8)(R8*2)", "R13")
		}
		for g := 1; g < len(groups); g++ {
			a.i("LEAQ", fmt.Sprintf("(%s)(R13*1)", groups[g-1]), groups[g])
		}
		a.i("MOVBLZX", "accumulate+64(FP)", "AX")
		a.i("TESTL", "AX", "AX")
		a.i("JZ", "fresh"+part)
		eachRow(func(r int) {
			for h := range vectors {
				switch {
				case full:
					a.i("VMOVUPS", cell[h], acc(r, h))
				case a.reg == "Z":
					a.i("VMOVUPS.Z", cell[h], fmt.Sprintf("K%d", h+1), acc(r, h))
				default:
					a.i("VMASKMOVPS", cell[h], b[h], acc(r, h))
				}
			}
		})
		a.i("JMP", "start"+part)
		a.f("fresh%s:", part)
		for r := range rows {
			for h := range vectors {
				a.zero(acc(r, h))
			}
		}
		a.f("start%s:", part)
		step := func(p int) {
			for line := 0; line < 4*a.nr && a.ahead > 0; line += 64 {
				a.i("PREFETCHT0", fmt.Sprintf("%d(DI)", (p+a.ahead)*4*a.nr+line))
			}
			for h := range vectors {
				a.i("VMOVUPS", fmt.Sprintf("%d(DI)", 4*(p*a.nr+h*a.lanes)), b[h])
			}
			for r := range rows {
				x := bcast[r%2]
				at := "(" + groups[r/3] + ")"
				if r%3 > 0 {
					at += fmt.Sprintf("(R8*%d)", r%3)
				}
				a.i("VBROADCASTSS", at, x)
				for h := range vectors {
					a.i("VFMADD231PS", b[h], x, acc(r, h))
				}
			}
			for _, g := range groups {
				a.i("ADDQ", "R9", g)
			}
		}
		a.i("MOVQ", "CX", "AX")
		a.i("SHRQ", "$2", "AX")
		fours := func(label string, fetch func()) { // CX times four steps, each time with a fetch
			a.f("\tPCALIGN $64")
			a.f("%s:", label)
			for p := range 4 {
				step(p)
			}
			fetch()
			a.i("ADDQ", fmt.Sprintf("$%d", 4*4*a.nr), "DI")
			a.i("DECQ", "CX")
			a.i("JNZ", label)
		}
		if full && rows == a.mr {
			// What is used next is asked for a line at a time: a burst would take all of the
			// buffers that B's lines come through. First the tile of C: the panel's neighbour,
			// or the next rows' first panel.
			a.i("MOVQ", "BX", "R13")
			a.i("IMULQ", fmt.Sprintf("$%d", rows), "R13")
			a.i("ADDQ", "c+48(FP)", "R13")
			a.i("LEAQ", fmt.Sprintf("%d(DX)", 4*a.nr), "R15")
			a.i("CMPQ", "R14", fmt.Sprintf("$%d", a.nr))
			a.i("CMOVQGT", "R15", "R13")
			some := func(n int, none string) { // CX = min(AX, n), which AX loses
				a.i("TESTQ", "AX", "AX")
				a.i("JZ", none)
				a.i("MOVQ", fmt.Sprintf("$%d", n), "CX")
				a.i("CMPQ", "AX", "CX")
				a.i("CMOVQLT", "AX", "CX")
				a.i("SUBQ", "CX", "AX")
			}
			for line := 0; line < 4*a.nr; line += 64 {
				some(rows, "rest")
				a.i("LEAQ", fmt.Sprintf("%d(R13)", line), "R15")
				fours(fmt.Sprintf("tile%d", line/64), func() {
					a.f("\tLONG $0x0F0D0F41 // PREFETCHW (R15), which the assembler does not know")
					a.i("ADDQ", "BX", "R15")
				})
			}
			// Then a share of the next rows of A, which no hardware prefetcher knows.
			a.i("MOVQ", "DX", "R13")
			a.i("SUBQ", "c+48(FP)", "R13")
			a.i("SHRQ", fmt.Sprintf("$%d", bits.Len(uint(4*a.nr))-1), "R13") // panels done
			a.i("MOVQ", "R13", "R15")
			a.i("ANDQ", "$1", "R15")
			a.i("IMULQ", "next1+80(FP)", "R15")
			a.i("SHRQ", "$1", "R13")
			a.i("IMULQ", "next2+88(FP)", "R13")
			a.i("ADDQ", "R13", "R15")
			a.i("ADDQ", "next+72(FP)", "R15")
			some(a.ask, "rest")
			fours("rows", func() {
				a.i("PREFETCHT1", "(R15)")
				a.i("ADDQ", "$64", "R15")
			})
		}
		a.i("MOVQ", "AX", "CX")
		a.i("TESTQ", "CX", "CX")
		a.i("JZ", "rest"+part)
		fours("four"+part, func() {})
		a.f("rest%s:", part)
		a.i("MOVQ", "kc+0(FP)", "CX")
		a.i("MOVQ", "CX", "AX")
		a.i("ANDQ", "$3", "AX")
		a.i("JZ", "done"+part)
		a.f("one%s:", part)
		step(0)
		a.i("ADDQ", fmt.Sprintf("$%d", 4*a.nr), "DI")
		a.i("DECQ", "AX")
		a.i("JNZ", "one"+part)
		a.f("done%s:", part)
	}
	a.i("MOVQ", "kc+0(FP)", "CX")
	a.i("MOVQ", "n+8(FP)", "R14")
	a.i("MOVQ", "ars+24(FP)", "R8")
	a.i("MOVQ", "aks+32(FP)", "R9")
	a.i("MOVQ", "b+40(FP)", "DI")
	a.i("MOVQ", "c+48(FP)", "DX")
	a.i("MOVQ", "ldc+56(FP)", "BX")
	a.i("CMPQ", "R14", fmt.Sprintf("$%d", a.nr))
	a.i("JLT", "ragged")
	a.f("panel:")
	panel("", 2)
	eachRow(func(r int) {
		for h := range cell {
			a.i("VMOVUPS", acc(r, h), cell[h])
		}
	})
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.nr), "DX")
	a.i("SUBQ", fmt.Sprintf("$%d", a.nr), "R14")
	a.i("CMPQ", "R14", fmt.Sprintf("$%d", a.nr))
	a.i("JGE", "panel")
	a.f("ragged:")
	a.i("TESTQ", "R14", "R14")
	a.i("JZ", "end")
	masks := func(vectors int) {
		if a.reg == "Z" { // the low 16 bits of 2ⁿ-1, and the next
			a.i("MOVQ", "R14", "CX")
			a.i("MOVL", "$1", "R13")
			a.i("SHLQ", "CX", "R13")
			a.i("DECQ", "R13")
			a.i("KMOVW", "R13", "K1")
			if vectors == 2 {
				a.i("SHRQ", "$16", "R13")
				a.i("KMOVW", "R13", "K2")
			}
			a.i("MOVQ", "kc+0(FP)", "CX")
			return
		}
		// n lanes of the first vector, n-8 of the second, held within 0 and 8
		for h := range vectors {
			a.i("MOVQ", "R14", "AX")
			if h == 0 {
				a.i("MOVQ", "$8", "R13")
				a.i("CMPQ", "AX", "R13")
				a.i("CMOVQGT", "R13", "AX")
			} else {
				a.i("XORQ", "R13", "R13")
				a.i("SUBQ", "$8", "AX")
				a.i("CMOVQLT", "R13", "AX")
			}
			a.i("NEGQ", "AX")
			a.i("LEAQ", a.mask(), "R13")
			a.i("VMOVDQU", "(R13)(AX*4)", b[h])
		}
	}
	ragged := func(part string, vectors int) {
		masks(vectors)
		panel(part, vectors)
		if a.reg == "Y" {
			masks(vectors)
		}
		eachRow(func(r int) {
			for h := range vectors {
				if a.reg == "Z" {
					a.i("VMOVUPS", acc(r, h), fmt.Sprintf("K%d", h+1), cell[h])
				} else {
					a.i("VMASKMOVPS", acc(r, h), b[h], cell[h])
				}
			}
		})
	}
	a.i("CMPQ", "R14", fmt.Sprintf("$%d", a.lanes))
	a.i("JLE", "narrow")
	ragged("Ragged", 2)
	a.i("JMP", "end")
	a.f("narrow:") // half the multiply-adds
	ragged("Narrow", 1)
	a.f("end:")
	a.i("VZEROUPPER")
	a.i("RET")
}

// packRows reads along each row of B, as memory likes it, and writes a line into each panel.
func (a *asm) packRows() {
	a.f("\n// dst[(j*kc+p)*%[1]d+q] = src[p][j*%[1]d+q] for kc ≥ 1 rows and n ≥ 1 panels of %[1]d.", a.nr)
	a.fn("packRows", "kc, n int, src *float32, stride int, dst *float32")
	a.i("MOVQ", "kc+0(FP)", "CX")
	a.i("MOVQ", "src+16(FP)", "SI")
	a.i("MOVQ", "stride+24(FP)", "R8")
	a.i("MOVQ", "dst+32(FP)", "DI")
	a.i("MOVQ", "CX", "R9")
	a.i("IMULQ", fmt.Sprintf("$%d", 4*a.nr), "R9")
	a.f("row:")
	a.i("MOVQ", "n+8(FP)", "AX")
	a.i("MOVQ", "SI", "R10")
	a.i("MOVQ", "DI", "R11")
	a.f("\tPCALIGN $32")
	a.f("panel:")
	a.i("VMOVUPS", "(R10)", a.v(0))
	a.i("VMOVUPS", fmt.Sprintf("%d(R10)", 4*a.lanes), a.v(1))
	for line := 0; line < 4*a.nr; line += 64 {
		a.i("PREFETCHT0", fmt.Sprintf("%d(R10)(R8*4)", line))
	}
	a.i("VMOVUPS", a.v(0), "(R11)")
	a.i("VMOVUPS", a.v(1), fmt.Sprintf("%d(R11)", 4*a.lanes))
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.nr), "R10")
	a.i("ADDQ", "R9", "R11")
	a.i("DECQ", "AX")
	a.i("JNZ", "panel")
	a.i("ADDQ", "R8", "SI")
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.nr), "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "row")
	a.i("VZEROUPPER")
	a.i("RET")
}

// packCols packs two rows of Aᵀ at a time, with whole vectors, of which the next row
// overwrites what is too much.
func (a *asm) packCols() {
	a.f("\n// dst[t*step+p*%[1]d+q] = src[p][t*%[1]d+q] for p < 2, q < %[1]d and n ≥ 1 tiles.", a.mr)
	a.fn("packCols", "n int, src *float32, stride int, dst *float32, step int")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "stride+16(FP)", "R8")
	a.i("MOVQ", "dst+24(FP)", "DI")
	a.i("MOVQ", "step+32(FP)", "R9")
	a.i("LEAQ", "(SI)(R8*1)", "R10")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	a.i("VMOVUPS", "(SI)", a.v(0))
	a.i("VMOVUPS", "(R10)", a.v(1))
	a.i("PREFETCHT0", "(SI)(R8*8)")
	a.i("PREFETCHT0", "(R10)(R8*8)")
	a.i("VMOVUPS", a.v(0), "(DI)")
	a.i("VMOVUPS", a.v(1), fmt.Sprintf("%d(DI)", 4*a.mr))
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.mr), "SI")
	a.i("ADDQ", fmt.Sprintf("$%d", 4*a.mr), "R10")
	a.i("ADDQ", "R9", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

// transpose writes 8 rows of kc elements as 8 columns of a panel. Eight lanes in
// either instruction set: wider ones would need rows that a panel's edge may lack.
func (a *asm) transpose() {
	a.f("\n// dst[p*%d+q] = row q of src at p, for 8 rows and kc (a multiple of 8) columns.", a.nr)
	a.fn("transpose8", "kc int, src *float32, stride int, dst *float32")
	a.i("MOVQ", "kc+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "stride+16(FP)", "R8")
	a.i("MOVQ", "dst+24(FP)", "DI")
	a.i("SHRQ", "$3", "CX")
	a.i("JZ", "done")
	a.i("LEAQ", "(R8)(R8*2)", "R9")
	a.i("LEAQ", "(SI)(R8*4)", "R10")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	y := func(n int) string { return fmt.Sprintf("Y%d", n) }
	for q, at := range []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R9*1)", "(R10)", "(R10)(R8*1)", "(R10)(R8*2)", "(R10)(R9*1)"} {
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
	for p := range 8 {
		at := "(DI)"
		if p > 0 {
			at = fmt.Sprintf("%d(DI)", 4*a.nr*p)
		}
		a.i("VMOVUPS", y(8+p), at)
	}
	a.i("ADDQ", "$32", "SI")
	a.i("ADDQ", "$32", "R10")
	a.i("ADDQ", fmt.Sprintf("$%d", 8*4*a.nr), "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.f("done:")
	a.i("VZEROUPPER")
	a.i("RET")
}

package main

import (
	"fmt"
	"strings"
)

// gemm writes the micro-kernels of the matrix product and what packs its operands.
func (a *asm) gemm() {
	a.entry("mr: %d, nr: %d, kc: %d, mc: %d, nc: %d", a.mr, a.nr, a.kc, a.mc, a.nc)
	var micro []string
	for rows := 1; rows <= a.mr; rows++ {
		a.micro(rows)
		micro = append(micro, fmt.Sprintf("micro%d_%s", rows, a.name))
	}
	a.entry("micro: []microKernel{%s}", strings.Join(micro, ", "))
	a.pack("packRows", 2)
	a.pack("packCols", 1)
	a.transpose()
}

// micro writes the micro-kernel of a number of rows.
func (a *asm) micro(rows int) {
	a.f("\n// c(%d,%d) = or += a·b over kc ≥ 1 steps.", rows, a.nr)
	a.declare(fmt.Sprintf("micro%d", rows), "kc int, a *float32, ars, aks int, b *float32, bks int, c *float32, ldc int, accumulate bool")
	groups := []string{"SI", "R10", "R11", "R12"} // rows 0, 3, 6, 9 of a
	a.i("MOVQ", "kc+0(FP)", "CX")
	a.i("MOVQ", "a+8(FP)", "SI")
	a.i("MOVQ", "ars+16(FP)", "R8")
	a.i("MOVQ", "aks+24(FP)", "R9")
	a.i("MOVQ", "b+32(FP)", "DI")
	a.i("MOVQ", "bks+40(FP)", "R14")
	a.i("MOVQ", "c+48(FP)", "DX")
	a.i("MOVQ", "ldc+56(FP)", "BX")
	groups = groups[:(rows+2)/3]
	if len(groups) > 1 {
		a.i("LEAQ", "(R8)(R8*2)", "R13")
	}
	for g := 1; g < len(groups); g++ {
		a.i("LEAQ", fmt.Sprintf("(%s)(R13*1)", groups[g-1]), groups[g])
	}
	acc := func(r, h int) string { return a.v(2*r + h) }
	b0, b1 := a.v(2*a.mr), a.v(2*a.mr+1)
	bcast := []string{a.v(2*a.mr + 2), a.v(2*a.mr + 3)}
	half := fmt.Sprint(4 * a.lanes)

	a.i("MOVBLZX", "accumulate+64(FP)", "AX")
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
	if rows == a.mr { // the tile below is next, and its rows lie far apart
		a.i("MOVQ", "DX", "R13")
		for range rows {
			a.i("ADDQ", "BX", "R13")
		}
		for r := range rows {
			a.i("PREFETCHT0", "(R13)")
			if a.nr > 16 {
				a.i("PREFETCHT0", "64(R13)")
			}
			if r < rows-1 {
				a.i("ADDQ", "BX", "R13")
			}
		}
	}
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
	a.i("SHRQ", "$2", "AX")
	a.i("JZ", "rest")
	a.f("\tPCALIGN $64")
	a.f("four:")
	for range 4 {
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
		if r < rows-1 {
			a.i("ADDQ", "BX", "DX")
		}
	}
	a.i("VZEROUPPER")
	a.i("RET")
}

// pack writes a function that copies rows of so many vectors, which lie far apart, one
// after the other. No hardware prefetcher follows such rows, so one further on is asked for.
func (a *asm) pack(name string, vectors int) {
	width := vectors * a.lanes
	a.f("\n// dst[p*%[1]d+q] = src[p][q] for kc ≥ 1 rows of %[1]d.", width)
	a.fn(name, "kc int, src *float32, stride int, dst *float32")
	a.i("MOVQ", "kc+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "stride+16(FP)", "R8")
	a.i("MOVQ", "dst+24(FP)", "DI")
	at := func(bytes int, reg string) string {
		if bytes == 0 {
			return "(" + reg + ")"
		}
		return fmt.Sprintf("%d(%s)", bytes, reg)
	}
	a.f("\tPCALIGN $32")
	a.f("loop:")
	for i := range vectors {
		a.i("VMOVUPS", at(4*a.lanes*i, "SI"), a.v(i))
	}
	for line := 0; line < 4*width; line += 64 {
		a.i("PREFETCHT0", at(line, "SI")+"(R8*8)")
	}
	a.i("ADDQ", "R8", "SI")
	for i := range vectors {
		a.i("VMOVUPS", a.v(i), at(4*a.lanes*i, "DI"))
	}
	a.i("ADDQ", fmt.Sprintf("$%d", 4*width), "DI")
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

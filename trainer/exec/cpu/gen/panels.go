package main

import (
	"fmt"
	"strings"
)

// A storage is a type of the elements in panels.
type storage struct {
	name string
	size int // bytes of an element
	rows int // of the tallest kernel, at most; 0: of the tile. More rows read what has been widened once.
}

var storages = []storage{{"f32", 4, 0}, {"bf16", 2, 8}, {"f16", 2, 8}}

// panelWidth is exec.PanelWidth.
const panelWidth = 32

// panels writes the products with weights that lie in panels.
func (a *asm) panels() {
	for _, s := range storages {
		var names []string
		for rows := 1; rows <= a.mr && (s.rows == 0 || rows <= s.rows); rows++ {
			a.panel(s, rows)
			names = append(names, fmt.Sprintf("%sPanels%d_%s", s.name, rows, a.name))
		}
		a.entry("%s: []panelKernel{%s}", s.name, strings.Join(names, ", "))
		if s.rows > 0 {
			a.wide(s)
		}
	}
}

// load widens a vector of stored elements.
func (a *asm) load(s storage, at, r string) {
	switch s.name {
	case "f32":
		a.i("VMOVUPS", at, r)
	case "bf16":
		a.i("VPMOVZXWD", at, r)
		a.i("VPSLLD", "$16", r, r)
	case "f16":
		a.i("VCVTPH2PS", at, r)
	}
}

// wide writes the function that widens elements in memory.
func (a *asm) wide(s storage) {
	a.f("\n// dst = src, for n elements of %s, a positive multiple of %d.", s.name, panelWidth)
	a.fn(s.name+"Wide", "n int, src *byte, dst *float32")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "dst+16(FP)", "DI")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	a.i("PREFETCHT0", "1024(SI)")
	for v := range panelWidth / a.lanes {
		a.load(s, at(v*a.lanes*s.size, "SI"), a.v(v))
		a.i("VMOVUPS", a.v(v), at(4*v*a.lanes, "DI"))
	}
	a.i("ADDQ", fmt.Sprintf("$%d", panelWidth*s.size), "SI")
	a.i("ADDQ", fmt.Sprintf("$%d", panelWidth*4), "DI")
	a.i("SUBQ", fmt.Sprintf("$%d", panelWidth), "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

// panelShape is how many panels, and how many vectors of each, a kernel of so many rows takes at once: enough
// accumulators to hide the latency, and as many streams of memory as the registers allow.
func (a *asm) panelShape(rows int) (panels, vectors int) {
	whole := panelWidth / a.lanes
	switch {
	case rows > 2*a.mr/whole: // with AVX2 halves of a panel
		return 1, 2
	case a.reg == "Y":
		return 1, whole
	case rows <= 2:
		return 4, whole
	case rows <= 6:
		return 2, whole
	}
	return 1, whole
}

// panel writes the kernel of a number of rows.
func (a *asm) panel(s storage, rows int) {
	a.f("\n// c(%d,32·n) = or += a·b over kc ≥ 1 steps, n ≥ 1; b is %s.", rows, s.name)
	a.declare(fmt.Sprintf("%sPanels%d", s.name, rows), "kc, n int, a *float32, lda int, b *byte, bstep int, c *float32, ldc int, accumulate bool")
	most, vectors := a.panelShape(rows)
	parts := panelWidth / a.lanes / vectors // of a panel, one after the other
	step := panelWidth * s.size             // bytes of a step of k
	groups := []string{"SI", "R10", "R11", "R12"}[:(rows+2)/3]
	cells := [4]string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R13*1)"} // of the panels side by side

	// pass computes so many panels' vectors from vector first on.
	pass := func(label string, panels, first int) {
		acc := func(r, q, h int) string { return a.v((r*panels+q)*vectors + h) }
		free := rows * panels * vectors
		eachCell := func(do func(cell, acc string)) {
			a.i("MOVQ", "DX", "R15")
			for r := range rows {
				for q := range panels {
					for h := range vectors {
						do(at(4*(q*panelWidth+(first+h)*a.lanes), "R15"), acc(r, q, h))
					}
				}
				if r < rows-1 {
					a.i("ADDQ", "BX", "R15")
				}
			}
		}
		fetch := "R13"
		if most == 4 {
			fetch = "R11"
		}
		a.i("MOVQ", "a+16(FP)", "SI")
		for g := 1; g < len(groups); g++ {
			a.i("LEAQ", fmt.Sprintf("(%s)(R8*2)", groups[g-1]), groups[g])
			a.i("ADDQ", "R8", groups[g])
		}
		a.i("MOVBLZX", "accumulate+64(FP)", "AX")
		a.i("TESTL", "AX", "AX")
		a.i("JZ", "fresh"+label)
		eachCell(func(cell, acc string) { a.i("VMOVUPS", cell, acc) })
		a.i("JMP", "start"+label)
		a.f("fresh%s:", label)
		for n := range free {
			a.zero(a.v(n))
		}
		a.f("start%s:", label)
		one := func(p int) {
			for q := range panels {
				for line := 0; line < step && first == 0; line += 64 {
					a.i("PREFETCHT0", fmt.Sprintf("%d%s", p*step+line, strings.Replace(cells[q], "DI", fetch, 1)))
				}
			}
			row := func(r int) string {
				x := at(4*p, groups[r/3])
				if r%3 > 0 {
					x += fmt.Sprintf("(R8*%d)", r%3)
				}
				return x
			}
			element := func(q, h int) string { return fmt.Sprintf("%d%s", p*step+(first+h)*a.lanes*s.size, cells[q]) }
			if rows <= 3 && free+rows < numRegisters(a) { // the rows' elements stay, panels' come one after the other
				b := free + rows
				for r := range rows {
					a.i("VBROADCASTSS", row(r), a.v(free+r))
				}
				for q := range panels {
					for h := range vectors {
						a.load(s, element(q, h), a.v(b))
						for r := range rows {
							a.i("VFMADD231PS", a.v(b), a.v(free+r), acc(r, q, h))
						}
						if b++; b == numRegisters(a) {
							b = free + rows
						}
					}
				}
				return
			}
			for q := range panels {
				for h := range vectors {
					a.load(s, element(q, h), a.v(free+q*vectors+h))
				}
			}
			spare := numRegisters(a) - free - panels*vectors
			for r := range rows {
				x := a.v(free + panels*vectors + r%min(2, spare))
				a.i("VBROADCASTSS", row(r), x)
				for q := range panels {
					for h := range vectors {
						a.i("VFMADD231PS", a.v(free+q*vectors+h), x, acc(r, q, h))
					}
				}
			}
		}
		next := func(steps int) {
			for _, g := range groups {
				a.i("ADDQ", fmt.Sprintf("$%d", 4*steps), g)
			}
			a.i("ADDQ", fmt.Sprintf("$%d", steps*step), "DI")
			if first == 0 {
				a.i("ADDQ", fmt.Sprintf("$%d", steps*step), fetch)
			}
		}
		// Memory is asked for some steps ahead; in the last steps of these panels, for the first of the next.
		ahead := panelAhead / panels / step &^ 3
		a.i("MOVQ", "CX", "R15")
		a.i("SHRQ", "$2", "R15")
		a.i("JZ", "rest"+label)
		if first == 0 {
			a.i("LEAQ", fmt.Sprintf("%d(DI)", ahead*step), fetch)
		}
		a.i("MOVQ", "R15", "AX")
		a.i("SUBQ", fmt.Sprintf("$%d", ahead/4), "AX")
		a.i("JLE", "turn"+label)
		a.i("SUBQ", "AX", "R15")
		a.f("\tPCALIGN $64")
		a.f("four%s:", label)
		for p := range 4 {
			one(p)
		}
		next(4)
		a.i("DECQ", "AX")
		a.i("JNZ", "four"+label)
		a.f("turn%s:", label)
		if first == 0 { // from the end of a panel to the beginning of the next that comes in its place
			for range panels {
				a.i("ADDQ", "R9", fetch)
			}
			a.i("IMUL3Q", fmt.Sprintf("$%d", step), "CX", "AX")
			a.i("SUBQ", "AX", fetch)
		}
		a.i("MOVQ", "R15", "AX")
		a.i("XORQ", "R15", "R15")
		a.i("TESTQ", "AX", "AX")
		a.i("JNZ", "four"+label)
		a.f("rest%s:", label)
		a.i("MOVQ", "CX", "AX")
		a.i("ANDQ", "$3", "AX")
		a.i("JZ", "done"+label)
		a.f("one%s:", label)
		one(0)
		next(1)
		a.i("DECQ", "AX")
		a.i("JNZ", "one"+label)
		a.f("done%s:", label)
		eachCell(func(cell, acc string) { a.i("VMOVUPS", acc, cell) })
	}
	// all goes along the panels, some at a time, while there are so many.
	all := func(label string, panels int) {
		a.f("%s:", label)
		a.i("CMPQ", "R14", fmt.Sprintf("$%d", panels))
		a.i("JLT", label+"End")
		for part := range parts {
			if part > 0 {
				a.i("MOVQ", "b+32(FP)", "DI")
			}
			pass(fmt.Sprintf("%s%d", label, part), panels, part*vectors)
		}
		a.i("ADDQ", fmt.Sprintf("$%d", 4*panels*panelWidth), "DX")
		a.i("MOVQ", "b+32(FP)", "DI")
		for range panels {
			a.i("ADDQ", "R9", "DI")
		}
		a.i("MOVQ", "DI", "b+32(FP)")
		a.i("SUBQ", fmt.Sprintf("$%d", panels), "R14")
		a.i("JMP", label)
		a.f("%sEnd:", label)
	}
	a.i("MOVQ", "kc+0(FP)", "CX")
	a.i("MOVQ", "n+8(FP)", "R14")
	a.i("MOVQ", "lda+24(FP)", "R8")
	a.i("MOVQ", "b+32(FP)", "DI")
	a.i("MOVQ", "bstep+40(FP)", "R9")
	a.i("MOVQ", "c+48(FP)", "DX")
	a.i("MOVQ", "ldc+56(FP)", "BX")
	if most == 4 {
		a.i("LEAQ", "(R9)(R9*2)", "R13")
	}
	for _, panels := range []int{4, 2} {
		if panels <= most {
			all(fmt.Sprintf("by%d", panels), panels)
		}
	}
	all("last", 1)
	a.i("VZEROUPPER")
	a.i("RET")
}

// panelAhead is how many bytes ahead memory is asked for, of all panels side by side.
const panelAhead = 8192

// numRegisters is the number of vector registers.
func numRegisters(a *asm) int {
	if a.reg == "Z" {
		return 32
	}
	return 16
}

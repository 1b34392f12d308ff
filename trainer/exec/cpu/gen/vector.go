package main

import (
	"fmt"
	"strings"
)

// An operand is a pointer parameter and the vector register for its elements.
type operand struct {
	name string
	reg  int
}

// A step is a vector of a turn of 16 elements: half is 0 or 1 with AVX2, 0 with AVX-512.
// Of a masked one only the first lanes are there; the others are read as 0.
type step struct {
	half   int
	masked bool
}

// pointers and scalars are the registers of parameters, in order. Vector register 14 is
// AVX2's mask.
var (
	pointers = []string{"DI", "SI", "DX", "R8", "R9", "R10", "R11"}
	scalars  = []int{15, 13, 12, 11, 10, 9, 8, 3}
)

// kernel writes a function over n ≥ 1 elements: in is loaded, body runs, out is stored. The
// last, partial vector goes through the same instructions under a mask, so that an element's
// bits do not depend on its place.
func (a *asm) kernel(name, params string, in, out []operand, body func(step)) {
	a.begin(name, params)
	a.turns(in, out, body)
	a.end()
}

// begin declares a function and loads its parameters: integers into CX and BX, pointers, and
// scalars into every lane.
func (a *asm) begin(name, params string) {
	a.f("")
	a.fn(name, params)
	a.at = map[string]string{}
	offset, vectors := 0, 0
	for _, p := range withTypes(params) {
		arg := fmt.Sprintf("%s+%d(FP)", p.name, offset)
		switch {
		case p.kind == "int":
			reg := "CX"
			if offset > 0 {
				reg = "BX"
			}
			a.i("MOVQ", arg, reg)
		case p.kind[0] == '*':
			reg := pointers[len(a.at)]
			a.at[p.name] = reg
			a.i("MOVQ", arg, reg)
		default: // float32
			a.i("VBROADCASTSS", arg, a.v(scalars[vectors]))
			vectors++
			offset -= 4
		}
		offset += 8
	}
}

type parameter struct{ name, kind string }

// withTypes splits Go parameters and gives each its type.
func withTypes(params string) []parameter {
	var out []parameter
	list := strings.Split(params, ", ")
	kind := ""
	for i := len(list) - 1; i >= 0; i-- {
		name, k, typed := strings.Cut(list[i], " ")
		if typed {
			kind = k
		}
		out = append([]parameter{{name, kind}}, out...)
	}
	return out
}

// prefetch has the next loop ask for operands 1 or 4 rows further on, since no hardware
// prefetcher goes from row to row fast enough. It may ask for what is not there.
func (a *asm) prefetch(rows int, names ...string) { a.ahead, a.fetch = rows, names }

// streams has the loop ask for operands streamAhead bytes further on: a processor that
// computes much for a line fetches too few ahead by itself.
func (a *asm) streams(names ...string) { a.stream = names }

const streamAhead = 1024

func (a *asm) end() {
	a.ahead, a.stream = 0, nil
	a.i("VZEROUPPER")
	a.i("RET")
}

// turns loops over CX elements, 16 a turn, and goes on after them.
func (a *asm) turns(in, out []operand, body func(step)) {
	address := func(ptr string, half int) string {
		if half == 0 {
			return fmt.Sprintf("(%s)(R12*1)", ptr)
		}
		return fmt.Sprintf("%d(%s)(R12*1)", 32*half, ptr)
	}
	whole := func(s step) {
		for _, o := range in {
			a.i("VMOVUPS", address(a.at[o.name], s.half), a.v(o.reg))
		}
		body(s)
		for _, o := range out {
			a.i("VMOVUPS", a.v(o.reg), address(a.at[o.name], s.half))
		}
	}
	a.i("XORQ", "R12", "R12")
	if a.ahead != 0 {
		a.i("LEAQ", fmt.Sprintf("(R12)(CX*%d)", 4), "R13")
		if a.ahead == 4 {
			a.i("SHLQ", "$2", "R13")
		}
	}
	a.i("MOVQ", "CX", "AX")
	a.i("SHRQ", "$4", "AX")
	a.i("JZ", "tail")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	for half := range 16 / a.lanes {
		whole(step{half: half})
	}
	if a.ahead != 0 {
		for _, name := range a.fetch {
			a.i("PREFETCHT0", fmt.Sprintf("(%s)(R13*1)", a.at[name]))
		}
		a.i("ADDQ", "$64", "R13")
	}
	for _, ptr := range a.stream {
		a.i("PREFETCHT0", fmt.Sprintf("%d(%s)(R12*1)", streamAhead, a.at[ptr]))
	}
	a.i("ADDQ", "$64", "R12")
	a.i("DECQ", "AX")
	a.i("JNZ", "loop")
	a.f("tail:")
	a.i("ANDQ", "$15", "CX")
	a.i("JZ", "done")
	if a.reg == "Z" {
		a.i("MOVL", "$1", "AX")
		a.i("SHLL", "CX", "AX")
		a.i("DECL", "AX")
		a.i("KMOVW", "AX", "K1")
		for _, o := range in {
			a.i("VMOVUPS.Z", address(a.at[o.name], 0), "K1", a.v(o.reg))
		}
		body(step{masked: true})
		for _, o := range out {
			a.i("VMOVUPS", a.v(o.reg), "K1", address(a.at[o.name], 0))
		}
		a.f("done:")
		return
	}
	masked := func(half int) {
		// lanes -1 then 0, read so that the first CX are set
		a.i("NEGQ", "CX")
		a.i("LEAQ", a.mask(), "AX")
		a.i("VMOVDQU", "(AX)(CX*4)", "Y14")
		for _, o := range in {
			a.i("VMASKMOVPS", address(a.at[o.name], half), "Y14", a.v(o.reg))
		}
		body(step{half, true})
		for _, o := range out {
			a.i("VMASKMOVPS", a.v(o.reg), "Y14", address(a.at[o.name], half))
		}
	}
	a.i("MOVQ", "CX", "AX")
	a.i("SUBQ", "$8", "AX")
	a.i("JLT", "less")
	whole(step{})
	a.i("MOVQ", "AX", "CX")
	a.i("TESTQ", "CX", "CX")
	a.i("JZ", "done")
	masked(1)
	a.i("JMP", "done")
	a.f("less:")
	masked(0)
	a.f("done:")
}

// keep clears the lanes of register n that a step masks out.
func (a *asm) keep(s step, n int) {
	if !s.masked {
		return
	}
	if a.reg == "Z" {
		a.i("VMOVAPS.Z", a.v(n), "K1", a.v(n))
		return
	}
	a.i("VANDPS", "Y14", a.v(n), a.v(n))
}

// and and or work on bits; those of Z on floats would need AVX512DQ.
func (a *asm) and(x, y, dst string) {
	if a.reg == "Z" {
		a.i("VPANDD", x, y, dst)
		return
	}
	a.i("VANDPS", x, y, dst)
}

func (a *asm) or(x, y, dst string) {
	if a.reg == "Z" {
		a.i("VPORD", x, y, dst)
		return
	}
	a.i("VORPS", x, y, dst)
}

// tree stores the sum of 16 lanes: halves are added until one is left. With AVX2 they are
// those of registers n and n+1.
func (a *asm) tree(n int, to string) { a.fold("VADDPS", n, to) }

func (a *asm) fold(op string, n int, to string) {
	x, y := fmt.Sprintf("X%d", n), fmt.Sprintf("Y%d", n)
	if a.reg == "Z" {
		a.i("VEXTRACTF64X4", "$1", a.v(n), "Y0")
		a.i(op, "Y0", y, y)
	} else {
		a.i(op, a.v(n+1), y, y)
	}
	a.i("VEXTRACTF128", "$1", y, "X0")
	a.i(op, "X0", x, x)
	a.i("VPERMILPS", "$0x0e", x, "X0")
	a.i(op, "X0", x, x)
	a.i("VPERMILPS", "$0x01", x, "X0")
	a.i(op, "X0", x, x)
	a.i("VMOVSS", x, to)
}

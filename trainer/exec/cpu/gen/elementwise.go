package main

import (
	"fmt"
	"math"
	"strings"
)

// elementwise writes the kernels that take a vector at a time. The last, partial
// vector goes through the same instructions under a mask, so that an element's bits
// do not depend on its place.
func (a *asm) elementwise() {
	a.kernel("exp", []string{"src"}, true, func() {
		a.i("VSUBPS", a.v(15), a.v(4), a.v(0)) // src - shift
		a.exp("hi", expHi)
		a.i("VMOVAPS", a.v(2), a.v(0))
	})
	a.kernel("gelu", []string{"x"}, false, func() {
		// y = x / (1 + exp(x·(z0 + z1·x²)))
		a.i("VMULPS", a.v(4), a.v(4), a.v(5))
		a.i("VMOVUPS", a.float("z1", geluZ1), a.v(0))
		a.i("VFMADD213PS", a.float("z0", geluZ0), a.v(5), a.v(0))
		a.i("VMULPS", a.v(4), a.v(0), a.v(0))
		a.exp("hi", expHi)
		a.i("VADDPS", a.float("one", 1), a.v(2), a.v(2))
		a.i("VDIVPS", a.v(2), a.v(4), a.v(0))
	})
	a.kernel("geluGrad", []string{"x", "dy"}, false, func() {
		// s = 1/(1+e), 1-s = e·s: dx = dy·(s + s·(e·s)·x·(d0 + d1·x²)). Beyond ±11 the
		// second term is nothing, and x is held there so that no infinity meets a zero.
		a.clamp(4, "xlo", -11, "xhi", 11)
		a.i("VMULPS", a.v(4), a.v(4), a.v(5))
		a.i("VMOVUPS", a.float("z1", geluZ1), a.v(0))
		a.i("VFMADD213PS", a.float("z0", geluZ0), a.v(5), a.v(0))
		a.i("VMULPS", a.v(4), a.v(0), a.v(0))
		a.exp("zhi", 87) // e and 1/(1+e) stay normal
		a.i("VMOVUPS", a.float("one", 1), a.v(6))
		a.i("VADDPS", a.v(6), a.v(2), a.v(0))
		a.i("VDIVPS", a.v(0), a.v(6), a.v(6)) // s
		a.i("VMULPS", a.v(6), a.v(2), a.v(2)) // e·s
		a.i("VMOVUPS", a.float("d1", -3*geluZ1), a.v(0))
		a.i("VFMADD213PS", a.float("d0", -geluZ0), a.v(5), a.v(0))
		a.i("VMULPS", a.v(4), a.v(0), a.v(0))
		a.i("VMULPS", a.v(2), a.v(0), a.v(0))
		a.i("VFMADD213PS", a.v(6), a.v(6), a.v(0))
		a.i("VMULPS", a.v(7), a.v(0), a.v(0))
	})
	a.kernel("add", []string{"a", "b"}, false, func() {
		a.i("VADDPS", a.v(7), a.v(4), a.v(0))
	})
}

// u = √(2/π)·(x + 0.044715·x³) and (1+tanh(u))/2 = 1/(1+exp(-2u)), -2u = x·(z0 + z1·x²).
const (
	geluZ0 = -2 * 0.79788456080286535588
	geluZ1 = geluZ0 * 0.044715
)

const (
	expLo = -104 // exp rounds to 0 below
	expHi = 89   // and to infinity above
)

// clamp holds register n between lo and hi. Min and max give their second source when
// an operand is NaN, so a NaN stays one.
func (a *asm) clamp(n int, loName string, lo float64, hiName string, hi float64) {
	a.i("VMOVUPS", a.float(hiName, hi), a.v(1))
	a.i("VMINPS", a.v(n), a.v(1), a.v(n))
	a.i("VMOVUPS", a.float(loName, lo), a.v(1))
	a.i("VMAXPS", a.v(n), a.v(1), a.v(n))
}

// exp sets register 2 to exp of register 0, held below hi, using 0 to 3: n = round(x/ln 2), r = x - n·ln 2,
// exp(x) = 2ⁿ·(1 + r + r²·(c2 + … + c6·r⁴)), minimax on |r| ≤ ln(2)/2 with relative error
// 4e-9. 2ⁿ is multiplied in two halves, so that denormals and infinity come out right.
func (a *asm) exp(hiName string, hi float64) {
	x, n, p, h := a.v(0), a.v(1), a.v(2), a.v(3)
	a.clamp(0, "lo", expLo, hiName, hi)
	a.i("VMULPS", a.float("log2e", math.Log2E), x, n)
	if a.reg == "Z" {
		a.i("VRNDSCALEPS", "$8", n, n)
	} else {
		a.i("VROUNDPS", "$8", n, n)
	}
	a.i("VFNMADD231PS", a.float("ln2hi", 0.693359375), n, x)
	a.i("VFNMADD231PS", a.float("ln2lo", math.Ln2-0.693359375), n, x)
	a.i("VMOVUPS", a.float("c6", 0.00138146), p)
	a.i("VFMADD213PS", a.float("c5", 0.00836872), x, p)
	a.i("VFMADD213PS", a.float("c4", 0.04166839), x, p)
	a.i("VFMADD213PS", a.float("c3", 0.16666521), x, p)
	a.i("VFMADD213PS", a.float("c2", 0.49999993), x, p)
	a.i("VFMADD213PS", a.float("one", 1), x, p)
	a.i("VFMADD213PS", a.float("one", 1), x, p)
	a.i("VCVTPS2DQ", n, n)
	a.i("VPSRAD", "$1", n, h)
	a.i("VPSUBD", h, n, n)
	for _, r := range []string{h, n} {
		a.i("VPADDD", a.word("bias", 127), r, r)
		a.i("VPSLLD", "$23", r, r)
		a.i("VMULPS", r, p, p)
	}
}

// kernel writes a function over n ≥ 1 elements: body turns register 4 (and 7, the second
// source) into register 0.
func (a *asm) kernel(name string, srcs []string, shift bool, body func()) {
	params := "n int, dst, " + strings.Join(srcs, ", ") + " *float32"
	if shift {
		params += ", shift float32"
	}
	a.f("")
	a.fn(name, params)
	regs := []string{"SI", "DX"}
	vecs := []int{4, 7}
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "dst+8(FP)", "DI")
	for i, s := range srcs {
		a.i("MOVQ", fmt.Sprintf("%s+%d(FP)", s, 16+8*i), regs[i])
	}
	if shift {
		a.i("VBROADCASTSS", fmt.Sprintf("shift+%d(FP)", 16+8*len(srcs)), a.v(15))
	}
	size := fmt.Sprintf("$%d", 4*a.lanes)
	a.i("MOVQ", "CX", "AX")
	a.i("SHRQ", fmt.Sprintf("$%d", map[int]int{8: 3, 16: 4}[a.lanes]), "AX")
	a.i("JZ", "tail")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	for i := range srcs {
		a.i("VMOVUPS", "("+regs[i]+")", a.v(vecs[i]))
	}
	body()
	a.i("VMOVUPS", a.v(0), "(DI)")
	for i := range srcs {
		a.i("ADDQ", size, regs[i])
	}
	a.i("ADDQ", size, "DI")
	a.i("DECQ", "AX")
	a.i("JNZ", "loop")
	a.f("tail:")
	a.i("ANDQ", fmt.Sprintf("$%d", a.lanes-1), "CX")
	a.i("JZ", "done")
	if a.reg == "Z" {
		a.i("MOVL", "$1", "AX")
		a.i("SHLL", "CX", "AX")
		a.i("DECL", "AX")
		a.i("KMOVW", "AX", "K1")
		for i := range srcs {
			a.i("VMOVUPS.Z", "("+regs[i]+")", "K1", a.v(vecs[i]))
		}
		body()
		a.i("VMOVUPS", a.v(0), "K1", "(DI)")
	} else {
		// lanes -1 then 0, read so that the first CX are set
		a.i("NEGQ", "CX")
		a.i("LEAQ", a.mask(), "AX")
		a.i("VMOVDQU", "(AX)(CX*4)", "Y14")
		for i := range srcs {
			a.i("VMASKMOVPS", "("+regs[i]+")", "Y14", a.v(vecs[i]))
		}
		body()
		a.i("VMASKMOVPS", "Y0", "Y14", "(DI)")
	}
	a.f("done:")
	a.i("VZEROUPPER")
	a.i("RET")
}

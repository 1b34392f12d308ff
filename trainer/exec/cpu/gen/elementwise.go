package main

import (
	"fmt"
	"math"
)

// elementwise writes the kernels that turn elements into elements.
func (a *asm) elementwise() {
	x := []operand{{"x", 4}}
	to0 := []operand{{"dst", 0}}
	a.kernel("exp", "n int, dst, src *float32, shift float32", []operand{{"src", 4}}, []operand{{"dst", 2}}, func(step) {
		a.i("VSUBPS", a.v(15), a.v(4), a.v(0)) // src - shift
		a.exp("hi", expHi)
	})
	a.kernel("expScale", "n int, dst, src *float32, shift, scale float32", []operand{{"src", 4}}, []operand{{"dst", 2}}, func(step) {
		a.i("VSUBPS", a.v(15), a.v(4), a.v(0))
		a.exp("hi", expHi)
		a.i("VMULPS", a.v(13), a.v(2), a.v(2))
	})
	a.streams("x", "dst")
	a.kernel("gelu", "n int, dst, x *float32", x, to0, func(step) {
		a.geluHeld()
		a.i("VDIVPS", a.v(2), a.v(6), a.v(0))
	})
	a.streams("x", "dy", "dst")
	a.kernel("geluGrad", "n int, dst, x, dy *float32", []operand{{"x", 4}, {"dy", 7}}, to0, func(step) {
		// s = 1/(1+e), 1-s = e·s: dx = dy·(s + s·(e·s)·x·(d0 + d1·x²)). Beyond the limit the
		// second term is nothing, and x is held there so that no infinity meets a zero.
		a.clamp(4, "xlo", -geluLimit, "xhi", geluLimit)
		a.geluExponent()
		a.gate(a.geluExp)
		a.i("VMOVUPS", a.float("d1", -3*geluZ1), a.v(0))
		a.i("VFMADD213PS", a.float("d0", -geluZ0), a.v(5), a.v(0))
		a.i("VMULPS", a.v(4), a.v(0), a.v(0))
		a.i("VMULPS", a.v(2), a.v(0), a.v(0))
		a.i("VFMADD213PS", a.v(6), a.v(6), a.v(0))
		a.i("VMULPS", a.v(7), a.v(0), a.v(0))
	})
	a.kernel("erfGELU", "n int, dst, x *float32", x, to0, func(step) {
		a.normalTail()
		a.i("VMULPS", a.v(5), a.v(0), a.v(0))
		a.zero(a.v(1))
		a.i("VMAXPS", a.v(4), a.v(1), a.v(1))
		a.i("VSUBPS", a.v(0), a.v(1), a.v(0))
	})
	a.kernel("erfGELUGrad", "n int, dst, x, dy *float32", []operand{{"x", 4}, {"dy", 7}}, to0, func(step) {
		// Φ(x) = ½ ± (½ - Φ(-|x|)), and x·φ(x) = ±|x|·exp(-x²/2)/√2π.
		a.normalTail()
		a.i("VMOVUPS", a.float("half", 0.5), a.v(6))
		a.i("VSUBPS", a.v(0), a.v(6), a.v(0))
		a.i("VMULPS", a.float("density", 1/math.Sqrt(2*math.Pi)), a.v(5), a.v(5))
		a.i("VFMADD231PS", a.v(2), a.v(5), a.v(0))
		a.and(a.word("sign", 0x80000000), a.v(4), a.v(1))
		a.or(a.v(1), a.v(0), a.v(0))
		a.i("VADDPS", a.v(6), a.v(0), a.v(0))
		a.i("VMULPS", a.v(7), a.v(0), a.v(0))
	})
	a.kernel("tanh", "n int, dst, x *float32", x, to0, func(step) {
		// t = exp(2|x|)-1, by its own series so that it is exact near 0; tanh|x| = t/(t+2).
		z, n, q := a.v(0), a.v(2), a.v(3)
		a.and(a.word("abs", 0x7fffffff), a.v(4), z)
		a.i("VMOVUPS", a.float("tanhHi", 10), a.v(1))
		a.i("VMINPS", z, a.v(1), z)
		a.i("VADDPS", z, z, z)
		a.reduceExp(z, n)
		a.expTail(z, q, a.v(1), a.v(10))
		a.i("VFMADD213PS", z, a.v(1), q) // exp(z) - 1
		a.i("VCVTPS2DQ", n, n)
		a.i("VPADDD", a.word("bias", 127), n, n)
		a.i("VPSLLD", "$23", n, n) // s = 2ⁿ
		a.i("VSUBPS", a.float("one", 1), n, a.v(1))
		a.i("VFMADD213PS", a.v(1), n, q) // t = s·q + (s-1)
		a.i("VADDPS", a.float("two", 2), q, a.v(1))
		a.i("VDIVPS", a.v(1), q, a.v(0))
		a.and(a.word("sign", 0x80000000), a.v(4), a.v(1))
		a.or(a.v(1), a.v(0), a.v(0))
	})
	a.kernel("sigmoid", "n int, dst, x *float32", x, to0, func(step) {
		a.negateHeld()
		a.normalExp()
		a.i("VMOVUPS", a.float("one", 1), a.v(0))
		a.i("VADDPS", a.v(0), a.v(2), a.v(2))
		a.i("VDIVPS", a.v(2), a.v(0), a.v(0))
	})
	a.kernel("relu", "n int, dst, x *float32", x, to0, func(step) {
		a.zero(a.v(0))
		a.i("VMAXPS", a.v(4), a.v(0), a.v(0)) // of a NaN the second source, x
	})
	fromY := []operand{{"y", 4}, {"dy", 5}}
	a.kernel("tanhGrad", "n int, dst, y, dy *float32", fromY, to0, func(step) {
		a.i("VMULPS", a.v(4), a.v(4), a.v(1))
		a.i("VMOVUPS", a.float("one", 1), a.v(0))
		a.i("VSUBPS", a.v(1), a.v(0), a.v(0))
		a.i("VMULPS", a.v(5), a.v(0), a.v(0))
	})
	a.kernel("sigmoidGrad", "n int, dst, y, dy *float32", fromY, to0, func(step) {
		a.i("VMOVUPS", a.float("one", 1), a.v(0))
		a.i("VSUBPS", a.v(4), a.v(0), a.v(0))
		a.i("VMULPS", a.v(4), a.v(0), a.v(0))
		a.i("VMULPS", a.v(5), a.v(0), a.v(0))
	})
	a.kernel("reluGrad", "n int, dst, y, dy *float32", fromY, to0, func(step) {
		a.zero(a.v(0))
		if a.reg == "Z" {
			a.i("VCMPPS", "$1", a.v(4), a.v(0), "K2") // 0 < y
			a.i("VMOVAPS.Z", a.v(5), "K2", a.v(0))
			return
		}
		a.i("VCMPPS", "$1", a.v(4), a.v(0), a.v(0))
		a.and(a.v(5), a.v(0), a.v(0))
	})
	pair := []operand{{"gate", 4}, {"up", 7}}
	a.kernel("swiglu", "n int, dst, gate, up *float32", pair, to0, func(step) {
		a.negateHeld()
		a.normalExp()
		a.i("VADDPS", a.float("one", 1), a.v(2), a.v(2))
		a.i("VDIVPS", a.v(2), a.v(6), a.v(0))
		a.i("VMULPS", a.v(7), a.v(0), a.v(0))
	})
	a.kernel("geglu", "n int, dst, gate, up *float32", pair, to0, func(step) {
		a.geluHeld()
		a.i("VDIVPS", a.v(2), a.v(6), a.v(0))
		a.i("VMULPS", a.v(7), a.v(0), a.v(0))
	})
	// dup = dy·x·s and dgate = dy·up·(s + s·(e·s)·x·z'), z' that of the exponent's negative.
	// x is held where s is 0 or 1, but for the linear x·s above.
	pair = []operand{{"gate", 4}, {"up", 7}, {"dy", 8}}
	both := []operand{{"dgate", 0}, {"dup", 9}}
	gateGrad := func(limit float64, exponent, exp, slope func()) {
		a.i("VMOVUPS", a.float(fmt.Sprint("lo", limit), -limit), a.v(1))
		a.i("VMAXPS", a.v(4), a.v(1), a.v(9))
		a.i("VMOVUPS", a.float(fmt.Sprint("hi", limit), limit), a.v(1))
		a.i("VMINPS", a.v(9), a.v(1), a.v(4))
		exponent()
		a.gate(exp)
		slope() // register 0: x·z'
		a.i("VMULPS", a.v(2), a.v(0), a.v(0))
		a.i("VFMADD213PS", a.v(6), a.v(6), a.v(0))
		a.i("VMULPS", a.v(8), a.v(7), a.v(7))
		a.i("VMULPS", a.v(7), a.v(0), a.v(0))
		a.i("VMULPS", a.v(6), a.v(9), a.v(9))
		a.i("VMULPS", a.v(8), a.v(9), a.v(9))
	}
	a.kernel("swigluGrad", "n int, dgate, dup, gate, up, dy *float32", pair, both, func(step) {
		gateGrad(expNormal, func() {
			a.zero(a.v(0))
			a.i("VSUBPS", a.v(4), a.v(0), a.v(0))
		}, a.normalExp, func() { a.i("VMOVAPS", a.v(4), a.v(0)) })
	})
	a.kernel("gegluGrad", "n int, dgate, dup, gate, up, dy *float32", pair, both, func(step) {
		gateGrad(geluLimit, a.geluExponent, a.geluExp, func() {
			a.i("VMOVUPS", a.float("d1", -3*geluZ1), a.v(0))
			a.i("VFMADD213PS", a.float("d0", -geluZ0), a.v(5), a.v(0))
			a.i("VMULPS", a.v(4), a.v(0), a.v(0))
		})
	})
	a.kernel("add", "n int, dst, a, b *float32", []operand{{"a", 4}, {"b", 7}}, to0, func(step) {
		a.i("VADDPS", a.v(7), a.v(4), a.v(0))
	})

	// The updates round each product, as the portable code does: they wait for memory anyway.
	a.kernel("adamW", "n int, p, grad, m, v *float32, clip, decay, m1, b2, v1, size, invRoot, eps float32",
		[]operand{{"p", 4}, {"grad", 5}, {"m", 6}, {"v", 7}}, []operand{{"p", 4}, {"m", 6}, {"v", 7}}, func(step) {
			clip, decay, m1, b2, v1, size, invRoot, eps := a.v(15), a.v(13), a.v(12), a.v(11), a.v(10), a.v(9), a.v(8), a.v(3)
			g, p, m, v := a.v(5), a.v(4), a.v(6), a.v(7)
			a.i("VMULPS", clip, g, g)
			a.i("VSUBPS", m, g, a.v(0))
			a.i("VMULPS", m1, a.v(0), a.v(0))
			a.i("VADDPS", a.v(0), m, m)
			a.i("VMULPS", b2, v, v)
			a.i("VMULPS", g, g, g)
			a.i("VMULPS", v1, g, g)
			a.i("VADDPS", g, v, v)
			a.i("VSQRTPS", v, a.v(0))
			a.i("VMULPS", invRoot, a.v(0), a.v(0))
			a.i("VADDPS", eps, a.v(0), a.v(0))
			a.i("VDIVPS", a.v(0), m, a.v(0))
			a.i("VMULPS", size, a.v(0), a.v(0))
			a.i("VMULPS", decay, p, p)
			a.i("VSUBPS", a.v(0), p, p)
		})
	a.kernel("nesterov", "n int, next, u, grad, m *float32, clip, m1 float32",
		[]operand{{"grad", 5}, {"m", 6}}, []operand{{"next", 6}, {"u", 0}}, func(step) {
			g, m := a.v(5), a.v(6)
			a.i("VMULPS", a.v(15), g, g)
			a.i("VSUBPS", m, g, a.v(0))
			a.i("VMULPS", a.v(13), a.v(0), a.v(0))
			a.i("VADDPS", a.v(0), m, m)
			a.i("VSUBPS", g, m, a.v(0))
			a.i("VMULPS", a.v(13), a.v(0), a.v(0))
			a.i("VSUBPS", a.v(0), m, a.v(0))
		})
	a.kernel("combine", "n int, dst, a, b *float32, c, d float32", []operand{{"a", 4}, {"b", 5}}, []operand{{"dst", 0}}, func(step) {
		a.i("VMULPS", a.v(15), a.v(4), a.v(0))
		a.i("VMULPS", a.v(13), a.v(5), a.v(1))
		a.i("VADDPS", a.v(1), a.v(0), a.v(0))
	})
}

// geluExponent sets register 0 to x·(z0 + z1·x²)/ln 2, x in register 4, and 5 to x².
func (a *asm) geluExponent() {
	a.i("VMULPS", a.v(4), a.v(4), a.v(5))
	a.i("VMOVUPS", a.float("z1", geluZ1*math.Log2E), a.v(0))
	a.i("VFMADD213PS", a.float("z0", geluZ0*math.Log2E), a.v(5), a.v(0))
	a.i("VMULPS", a.v(4), a.v(0), a.v(0))
}

// geluHeld sets register 6 to x held from below, where GELU is 0, and 2 to the 1 + exp(…) that
// divides it.
func (a *asm) geluHeld() {
	a.i("VMOVUPS", a.float("xlo", -geluLimit), a.v(1))
	a.i("VMAXPS", a.v(4), a.v(1), a.v(6))
	a.i("VMOVUPS", a.float("xhi", geluLimit), a.v(1))
	a.i("VMINPS", a.v(6), a.v(1), a.v(4))
	a.geluExponent()
	a.geluExp()
	a.i("VADDPS", a.float("one", 1), a.v(2), a.v(2))
}

// normalTail sets register 0 to Φ(-|x|), x in register 4, 5 to |x|, held where that is nothing,
// and 2 to exp(-x²/2): Φ(-|x|) = t·(q0 + … + q6·t⁶)·exp(-x²/2), t = 1/(1+|x|/4), of the form of
// Abramowitz & Stegun 1964, 26.2.17. The series is off by less than 3e-9; at 0 it gives ½.
func (a *asm) normalTail() {
	a.and(a.word("abs", 0x7fffffff), a.v(4), a.v(5))
	a.i("VMOVUPS", a.float("tailHi", 13), a.v(1))
	a.i("VMINPS", a.v(5), a.v(1), a.v(5))
	a.i("VMULPS", a.v(5), a.v(5), a.v(0))
	a.i("VMULPS", a.float("-half", -0.5), a.v(0), a.v(0))
	a.normalExp()
	a.i("VMOVUPS", a.float("one", 1), a.v(1))
	a.i("VMOVAPS", a.v(1), a.v(6))
	a.i("VFMADD231PS", a.float("tailT", 0.25), a.v(5), a.v(6))
	a.i("VDIVPS", a.v(6), a.v(1), a.v(6))
	q := []float64{0.10016194373793698, 0.10247426776354529, 0.053895120924156305, 0.23506065012380073, -0.22614319810513517, 0.32241263864922, -0.08786142585555042}
	a.i("VMOVUPS", a.float("tail6", q[6]), a.v(0))
	for n := 5; n >= 0; n-- {
		a.i("VFMADD213PS", a.float(fmt.Sprint("tail", n), q[n]), a.v(6), a.v(0))
	}
	a.i("VMULPS", a.v(6), a.v(0), a.v(0))
	a.i("VMULPS", a.v(2), a.v(0), a.v(0))
}

// negateHeld sets register 6 to x held from below, where x/(1+exp(-x)) is 0, and 0 to -x held
// on both sides.
func (a *asm) negateHeld() {
	a.i("VMOVUPS", a.float("nlo", -expNormal), a.v(1))
	a.i("VMAXPS", a.v(4), a.v(1), a.v(6))
	a.i("VMOVUPS", a.float("nhi", expNormal), a.v(1))
	a.i("VMINPS", a.v(6), a.v(1), a.v(0))
	a.zero(a.v(1))
	a.i("VSUBPS", a.v(0), a.v(1), a.v(0))
}

// gate sets register 6 to s = 1/(1+e), where exp makes e of register 0, and 2 to 1-s = e·s.
func (a *asm) gate(exp func()) {
	exp()
	a.i("VMOVUPS", a.float("one", 1), a.v(6))
	a.i("VADDPS", a.v(6), a.v(2), a.v(0))
	a.i("VDIVPS", a.v(0), a.v(6), a.v(6))
	a.i("VMULPS", a.v(6), a.v(2), a.v(2))
}

// u = √(2/π)·(x + 0.044715·x³) and (1+tanh(u))/2 = 1/(1+exp(-2u)), -2u = x·(z0 + z1·x²).
const (
	geluZ0 = -2 * 0.79788456080286535588
	geluZ1 = geluZ0 * 0.044715

	geluLimit = 9.9 // here the exponent is still within expNormal, and s is 0 or 1 within 1e-36
)

const (
	expC2, expC3, expC4, expC5, expC6 = 0.49999993, 0.16666521, 0.04166839, 0.00836872, 0.00138146

	ln2 = math.Ln2

	expNormal = 87.3
	expLo     = -104 // exp rounds to 0 below
	expHi     = 89   // and to infinity above
)

// clamp holds register n between lo and hi. Min and max give their second source when
// an operand is NaN, so a NaN stays one.
func (a *asm) clamp(n int, loName string, lo float64, hiName string, hi float64) {
	a.i("VMOVUPS", a.float(hiName, hi), a.v(1))
	a.i("VMINPS", a.v(n), a.v(1), a.v(n))
	a.i("VMOVUPS", a.float(loName, lo), a.v(1))
	a.i("VMAXPS", a.v(n), a.v(1), a.v(n))
}

// exp sets register 2 to exp of register 0, held below hi, using 0 to 3 and 10: n = round(x/ln 2), r = x - n·ln 2,
// exp(x) = 2ⁿ·(1 + r + r²·(c2 + … + c6·r⁴)), minimax on |r| ≤ ln(2)/2 with relative error
// 4e-9. 2ⁿ is multiplied in two halves, so that denormals and infinity come out right.
func (a *asm) exp(hiName string, hi float64) {
	n, p, h := a.v(1), a.v(2), a.v(3)
	a.clamp(0, "lo", expLo, hiName, hi)
	a.expSeries()
	a.i("VPSRAD", "$1", n, h)
	a.i("VPSUBD", h, n, n)
	for _, r := range []string{h, n} {
		a.i("VPADDD", a.word("bias", 127), r, r)
		a.i("VPSLLD", "$23", r, r)
		a.i("VMULPS", r, p, p)
	}
}

// normalExp is exp for arguments within ±expNormal, whose exponential is a normal number:
// n goes straight into the exponent.
func (a *asm) normalExp() {
	a.expSeries()
	a.i("VPSLLD", "$23", a.v(1), a.v(1))
	a.i("VPADDD", a.v(1), a.v(2), a.v(2))
}

// geluExp is normalExp of register 0 times ln 2. It takes two multiplications less, but the
// argument was rounded as a whole: GELU, whose exponent comes with such an error anyway, uses it.
func (a *asm) geluExp() {
	x, n, p, square, pair := a.v(0), a.v(1), a.v(2), a.v(3), a.v(10)
	a.round(x, n)
	a.i("VSUBPS", n, x, x)
	a.i("VMULPS", x, x, square)
	a.i("VMOVUPS", a.float("p5", expC5*ln2*ln2*ln2*ln2*ln2), p)
	a.i("VFMADD213PS", a.float("p4", expC4*ln2*ln2*ln2*ln2), x, p)
	a.i("VMOVUPS", a.float("p3", expC3*ln2*ln2*ln2), pair)
	a.i("VFMADD213PS", a.float("p2", expC2*ln2*ln2), x, pair)
	a.i("VFMADD231PS", a.float("p6", expC6*ln2*ln2*ln2*ln2*ln2*ln2), square, p)
	a.i("VFMADD213PS", pair, square, p)
	a.i("VFMADD213PS", a.float("ln2", ln2), x, p)
	a.i("VFMADD213PS", a.float("one", 1), x, p)
	a.i("VCVTPS2DQ", n, n)
	a.i("VPSLLD", "$23", n, n)
	a.i("VPADDD", n, p, p)
}

// expSeries sets register 2 to exp(r) and 1 to n, for the argument in register 0. The series
// is summed in pairs (Estrin 1960), for its chain of operations is what one waits for.
func (a *asm) expSeries() {
	x, n, p, square, pair := a.v(0), a.v(1), a.v(2), a.v(3), a.v(10)
	a.reduceExp(x, n)
	a.expTail(x, p, square, pair)
	a.i("VFMADD213PS", a.float("one", 1), x, p)
	a.i("VFMADD213PS", a.float("one", 1), x, p)
	a.i("VCVTPS2DQ", n, n)
}

// expTail sets p = c2 + … + c6·x⁴, and square to x²: exp(x) = 1 + x + p·x².
func (a *asm) expTail(x, p, square, pair string) {
	a.i("VMULPS", x, x, square)
	a.i("VMOVUPS", a.float("c5", expC5), p)
	a.i("VFMADD213PS", a.float("c4", expC4), x, p)
	a.i("VMOVUPS", a.float("c3", expC3), pair)
	a.i("VFMADD213PS", a.float("c2", expC2), x, pair)
	a.i("VFMADD231PS", a.float("c6", expC6), square, p)
	a.i("VFMADD213PS", pair, square, p)
}

// round goes to the nearest integer.
func (a *asm) round(x, dst string) {
	if a.reg == "Z" {
		a.i("VRNDSCALEPS", "$8", x, dst)
		return
	}
	a.i("VROUNDPS", "$8", x, dst)
}

// reduceExp sets n = round(x/ln 2) and x -= n·ln 2.
func (a *asm) reduceExp(x, n string) {
	a.i("VMULPS", a.float("log2e", math.Log2E), x, n)
	a.round(n, n)
	a.i("VFNMADD231PS", a.float("ln2hi", 0.693359375), n, x)
	a.i("VFNMADD231PS", a.float("ln2lo", math.Ln2-0.693359375), n, x)
}

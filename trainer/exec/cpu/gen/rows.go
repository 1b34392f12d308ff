package main

// rows writes the kernels of one row. Their sums have 16 lanes and one tree, and round each
// product, so that all sets and the portable code give the same bits (but for exp).
func (a *asm) rows() {
	const mean, rstd = 15, 13
	sums := func(first ...int) { // accumulators: two registers each with AVX2
		for _, n := range first {
			for half := range 16 / a.lanes {
				a.zero(a.v(n + half))
			}
		}
	}
	a.begin("sum", "n int, out, x *float32")
	sums(8)
	a.turns([]operand{{"x", 4}}, nil, func(s step) {
		a.i("VADDPS", a.v(4), a.v(8+s.half), a.v(8+s.half))
	})
	a.tree(8, "(DI)")
	a.end()

	a.begin("deviation", "n int, out, x *float32, mean float32")
	sums(8)
	a.turns([]operand{{"x", 4}}, nil, func(s step) {
		a.i("VSUBPS", a.v(mean), a.v(4), a.v(4))
		a.keep(s, 4)
		a.i("VMULPS", a.v(4), a.v(4), a.v(4))
		a.i("VADDPS", a.v(4), a.v(8+s.half), a.v(8+s.half))
	})
	a.tree(8, "(DI)")
	a.end()

	a.begin("max", "n int, out, x *float32")
	for half := range 16 / a.lanes {
		a.i("VMOVUPS", a.word("-inf", 0xff800000), a.v(8+half))
	}
	a.turns([]operand{{"x", 4}}, nil, func(s step) {
		acc := a.v(8 + s.half)
		switch { // of a NaN the second source, the maximum so far
		case s.masked && a.reg == "Z":
			a.i("VMAXPS", acc, a.v(4), "K1", acc)
		case s.masked:
			a.i("VMAXPS", acc, a.v(4), a.v(4))
			a.i("VBLENDVPS", "Y14", a.v(4), acc, acc)
		default:
			a.i("VMAXPS", acc, a.v(4), acc)
		}
	})
	a.fold("VMAXPS", 8, "(DI)")
	a.end()

	a.begin("expSum", "n int, out, src *float32, shift float32")
	sums(8)
	a.turns([]operand{{"src", 4}}, nil, func(s step) {
		a.i("VSUBPS", a.v(15), a.v(4), a.v(0))
		a.exp("hi", expHi)
		a.keep(s, 2)
		a.i("VADDPS", a.v(2), a.v(8+s.half), a.v(8+s.half))
	})
	a.tree(8, "(DI)")
	a.end()

	norm := func(bias bool) func(step) {
		return func(step) {
			a.i("VSUBPS", a.v(mean), a.v(4), a.v(4))
			a.i("VMULPS", a.v(rstd), a.v(4), a.v(4))
			a.i("VMULPS", a.v(5), a.v(4), a.v(4))
			if bias {
				a.i("VADDPS", a.v(6), a.v(4), a.v(4))
			}
		}
	}
	a.kernel("norm", "n int, dst, x, gain *float32, mean, rstd float32", []operand{{"x", 4}, {"gain", 5}}, []operand{{"dst", 4}}, norm(false))
	a.kernel("normBias", "n int, dst, x, gain, bias *float32, mean, rstd float32",
		[]operand{{"x", 4}, {"gain", 5}, {"bias", 6}}, []operand{{"dst", 4}}, norm(true))

	// h = dy·gain in register 5, x̂ in 4.
	parts := func() {
		a.i("VSUBPS", a.v(mean), a.v(4), a.v(4))
		a.i("VMULPS", a.v(rstd), a.v(4), a.v(4))
		a.i("VMULPS", a.v(6), a.v(5), a.v(5))
	}
	a.begin("normDots", "n int, out, dy, gain, x *float32, mean, rstd float32")
	sums(8, 10)
	a.turns([]operand{{"x", 4}, {"dy", 5}, {"gain", 6}}, nil, func(s step) {
		parts() // of a lane that is masked out h is 0
		a.i("VADDPS", a.v(5), a.v(8+s.half), a.v(8+s.half))
		a.i("VMULPS", a.v(5), a.v(4), a.v(4))
		a.i("VADDPS", a.v(4), a.v(10+s.half), a.v(10+s.half))
	})
	a.tree(8, "(DI)")
	a.tree(10, "4(DI)")
	a.end()

	grad := func(res bool) func(step) {
		return func(step) {
			parts()
			a.i("VMULPS", a.v(11), a.v(4), a.v(4)) // x̂·avgHX
			a.i("VSUBPS", a.v(12), a.v(5), a.v(5))
			a.i("VSUBPS", a.v(4), a.v(5), a.v(5))
			a.i("VMULPS", a.v(rstd), a.v(5), a.v(5))
			if res {
				a.i("VADDPS", a.v(7), a.v(5), a.v(5))
			}
		}
	}
	in, out := []operand{{"x", 4}, {"dy", 5}, {"gain", 6}}, []operand{{"dst", 5}}
	a.kernel("normGrad", "n int, dst, dy, x, gain *float32, mean, rstd, avgH, avgHX float32", in, out, grad(false))
	a.kernel("normGradAdd", "n int, dst, dy, x, gain, dres *float32, mean, rstd, avgH, avgHX float32", append(in, operand{"dres", 7}), out, grad(true))
	a.kernel("gainGrad", "n int, acc, dy, x *float32, mean, rstd float32", []operand{{"x", 4}, {"dy", 5}, {"acc", 6}}, []operand{{"acc", 6}}, func(step) {
		a.i("VSUBPS", a.v(mean), a.v(4), a.v(4))
		a.i("VMULPS", a.v(rstd), a.v(4), a.v(4))
		a.i("VMULPS", a.v(4), a.v(5), a.v(5))
		a.i("VADDPS", a.v(5), a.v(6), a.v(6))
	})
	a.kernel("sumRows", "n int, acc, a, b, c, d *float32", []operand{{"acc", 3}, {"a", 4}, {"b", 5}, {"c", 6}, {"d", 7}}, []operand{{"acc", 3}}, func(step) {
		a.i("VADDPS", a.v(5), a.v(4), a.v(4))
		a.i("VADDPS", a.v(7), a.v(6), a.v(6))
		a.i("VADDPS", a.v(6), a.v(4), a.v(4))
		a.i("VADDPS", a.v(4), a.v(3), a.v(3))
	})
	a.rope()
}

// rope turns heads: for each, the elements of its halves in pairs.
func (a *asm) rope() {
	a.begin("rope", "heads, half int, dst, x, table *float32, sign float32")
	a.i("MOVQ", "BX", "R13")
	a.i("MOVQ", "CX", "BX")
	a.i("LEAQ", "(DX)(R13*4)", "R10")
	a.f("head:")
	a.i("LEAQ", "(SI)(R13*4)", "R8")
	a.i("LEAQ", "(DI)(R13*4)", "R9")
	a.i("MOVQ", "R13", "CX")
	a.at = map[string]string{"a": "SI", "b": "R8", "p": "DI", "q": "R9", "cos": "DX", "sin": "R10"}
	a.turns([]operand{{"a", 4}, {"b", 5}, {"cos", 6}, {"sin", 7}}, []operand{{"p", 0}, {"q", 1}}, func(step) {
		a.i("VMULPS", a.v(15), a.v(7), a.v(7))
		a.i("VMULPS", a.v(6), a.v(4), a.v(0))
		a.i("VMULPS", a.v(7), a.v(5), a.v(2))
		a.i("VSUBPS", a.v(2), a.v(0), a.v(0)) // a·cos - b·sin
		a.i("VMULPS", a.v(6), a.v(5), a.v(1))
		a.i("VMULPS", a.v(7), a.v(4), a.v(2))
		a.i("VADDPS", a.v(2), a.v(1), a.v(1)) // b·cos + a·sin
	})
	a.i("LEAQ", "(SI)(R13*8)", "SI")
	a.i("LEAQ", "(DI)(R13*8)", "DI")
	a.i("DECQ", "BX")
	a.i("JNZ", "head")
	a.end()
}

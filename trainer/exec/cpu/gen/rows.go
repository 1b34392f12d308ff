package main

import "fmt"

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
	a.prefetch(1, "x")
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
		a.clamp(0, "nlo", -expNormal, "nhi", expNormal) // what is less would not show in the sum
		a.normalExp()
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
	a.prefetch(4, "dy", "x")
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
	a.prefetch(1, "dres")
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
	a.sumSquares()
	a.dropout()
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

// sumSquares leaves eight sums: of the squares of elements i%8, in float64, of which those of
// float32 are exact. n is a multiple of 8. Both sets use the same vectors: it waits for memory.
func (a *asm) sumSquares() {
	a.begin("sumSquares", "n int, out *float64, x *float32")
	a.i("VXORPS", "Y8", "Y8", "Y8")
	a.i("VXORPS", "Y9", "Y9", "Y9")
	a.i("SHRQ", "$3", "CX")
	a.i("JZ", "done")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	a.i("VCVTPS2PD", "(SI)", "Y0")
	a.i("VCVTPS2PD", "16(SI)", "Y1")
	a.i("VMULPD", "Y0", "Y0", "Y0")
	a.i("VMULPD", "Y1", "Y1", "Y1")
	a.i("VADDPD", "Y0", "Y8", "Y8")
	a.i("VADDPD", "Y1", "Y9", "Y9")
	a.i("ADDQ", "$32", "SI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.f("done:")
	a.i("VMOVUPS", "Y8", "(DI)")
	a.i("VMOVUPS", "Y9", "32(DI)")
	a.end()
}

// dropout works on n blocks of 32 elements, which take four counters of Philox from block on,
// one in each 64 bits of a vector: only the lower halves of the words count until the end.
// state holds vectors, see dropoutState. Both sets use vectors of 32 bytes.
func (a *asm) dropout() {
	at := func(vector int) string { return fmt.Sprintf("%d(DX)", 32*vector) }
	const salt, step, micro, mul0, mul1, low, limit, scale, lane, four = 20, 21, 22, 23, 24, 25, 26, 27, 28, 29
	a.f("")
	a.fn("dropout", "n int, dst, x *float32, state *uint32, block uint32")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "dst+8(FP)", "DI")
	a.i("MOVQ", "x+16(FP)", "SI")
	a.i("MOVQ", "state+24(FP)", "DX")
	a.i("VBROADCASTSS", "block+32(FP)", "Y15")
	a.i("VPADDD", at(lane), "Y15", "Y15")
	a.i("VMOVDQU", at(mul0), "Y13")
	a.i("VMOVDQU", at(mul1), "Y14")
	a.i("VMOVDQU", at(scale), "Y12")
	a.i("VMOVDQU", at(limit), "Y11")
	a.i("VMOVDQU", at(low), "Y10")
	a.f("\tPCALIGN $32")
	a.f("loop:")
	c := []string{"Y0", "Y1", "Y2", "Y3"}
	free := []string{"Y4", "Y5"}
	a.i("VMOVDQU", "Y15", c[0])
	a.i("VMOVDQU", at(salt), c[1])
	a.i("VMOVDQU", at(step), c[2])
	a.i("VMOVDQU", at(micro), c[3])
	for r := range 10 {
		p0, p1 := free[0], free[1]
		a.i("VPMULUDQ", "Y13", c[0], p0)
		a.i("VPMULUDQ", "Y14", c[2], p1)
		a.i("VPSRLQ", "$32", p1, c[0])
		a.i("VPXOR", c[1], c[0], c[0])
		a.i("VPXOR", at(2*r), c[0], c[0])
		a.i("VPSRLQ", "$32", p0, c[2])
		a.i("VPXOR", c[3], c[2], c[2])
		a.i("VPXOR", at(2*r+1), c[2], c[2])
		c[1], c[3], free[0], free[1] = p1, p0, c[1], c[3]
	}
	for i := 0; i < 4; i += 2 { // two words in each 64 bits
		a.i("VPAND", "Y10", c[i], c[i])
		a.i("VPSLLQ", "$32", c[i+1], c[i+1])
		a.i("VPOR", c[i+1], c[i], c[i])
	}
	a.i("VPUNPCKLQDQ", c[2], c[0], "Y6") // counters 0 and 2
	a.i("VPUNPCKHQDQ", c[2], c[0], "Y7") // 1 and 3
	for i, x := range []string{"X6", "X7", "X6", "X7"} {
		if i == 2 {
			a.i("VEXTRACTI128", "$1", "Y6", "X6")
			a.i("VEXTRACTI128", "$1", "Y7", "X7")
		}
		a.i("VPMOVZXWD", x, "Y8")
		a.i("VPCMPGTD", "Y11", "Y8", "Y8") // above limit-1: kept
		a.i("VPAND", "Y12", "Y8", "Y8")
		a.i("VMULPS", fmt.Sprintf("%d(SI)", 32*i), "Y8", "Y8")
		a.i("VMOVUPS", "Y8", fmt.Sprintf("%d(DI)", 32*i))
	}
	a.i("VPADDD", at(four), "Y15", "Y15")
	a.i("ADDQ", "$128", "SI")
	a.i("ADDQ", "$128", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.end()
}

package main

import "fmt"

// peak writes the loops that measure the processor.
func (a *asm) peak() {
	a.fmaLoop()
	a.readLoop()
}

// fmaLoop runs 12 independent chains, enough to hide the latency: 12·lanes·n multiply-adds.
func (a *asm) fmaLoop() {
	a.f("\n// n rounds of 12 independent vector FMAs.")
	a.fn("fmaLoop", "n int")
	a.i("MOVQ", "n+0(FP)", "CX")
	for r := range 14 {
		a.zero(a.v(r))
	}
	a.f("\tPCALIGN $64")
	a.f("loop:")
	for r := range 12 {
		a.i("VFMADD231PS", a.v(12), a.v(13), a.v(r))
	}
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

// readLoop reads memory as fast as it comes: four streams side by side, each asked for ahead. One alone is slower.
func (a *asm) readLoop() {
	const ahead = 2048
	a.f("\n// reads n floats, n a positive multiple of 128.")
	a.fn("readLoop", "n int, src *float32")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "CX", "R8") // bytes of a quarter
	a.i("LEAQ", "(R8)(R8*2)", "R9")
	for r := range 4 {
		a.zero(a.v(r))
	}
	a.f("\tPCALIGN $32")
	a.f("loop:")
	for q, stream := range []string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R9*1)"} {
		for line := 0; line < 128; line += 64 {
			a.i("PREFETCHT0", fmt.Sprintf("%d%s", ahead+line, stream))
		}
		for at := 0; at < 128; at += 4 * a.lanes {
			a.i("VADDPS", fmt.Sprintf("%d%s", at, stream), a.v(q), a.v(q))
		}
	}
	a.i("ADDQ", "$128", "SI")
	a.i("SUBQ", "$128", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

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

// readLoop reads memory as fast as it comes.
func (a *asm) readLoop() {
	a.f("\n// reads n floats, n a positive multiple of %d.", 4*a.lanes)
	a.fn("readLoop", "n int, src *float32")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	for r := range 4 {
		a.zero(a.v(r))
	}
	a.f("\tPCALIGN $32")
	a.f("loop:")
	for r := range 4 {
		at := "(SI)"
		if r > 0 {
			at = fmt.Sprintf("%d(SI)", 4*a.lanes*r)
		}
		a.i("VADDPS", at, a.v(r), a.v(r))
	}
	a.i("ADDQ", fmt.Sprintf("$%d", 16*a.lanes), "SI")
	a.i("SUBQ", fmt.Sprintf("$%d", 4*a.lanes), "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

package main

import "fmt"

// bf16 writes the matrix products of bf16 operands, in two instruction sets, and what packs
// the operands. Go's assembler knows neither set, nor AVX512-BF16's conversion.
func (a *asm) bf16() {
	a.rowTiles(false)
	a.rowTiles(true)
	a.pairTiles(false)
	a.pairTiles(true)
	a.amx()
	a.amxLoop()
	a.vdp()
	a.vdpLoop()
	a.f("\n// Word n of the first of two halves, and of the second.")
	for n := range 16 {
		a.f("DATA pairs_%s<>+%d(SB)/4, $0x%08x", a.name, 4*n, n|(16+n)<<16)
	}
	a.f("GLOBL pairs_%s<>(SB), RODATA|NOPTR, $64", a.name)
	a.f("\n// Palette 1: eight tiles of 16 rows of 64 bytes.")
	config := [16]uint32{0: 1}
	for tile := range 8 {
		config[4+tile/2] |= 64 << (16 * (tile % 2))
		config[12+tile/4] |= 16 << (8 * (tile % 4))
	}
	for n, w := range config {
		a.f("DATA tiles_%s<>+%d(SB)/4, $0x%08x", a.name, 4*n, w)
	}
	a.f("GLOBL tiles_%s<>(SB), RODATA|NOPTR, $64", a.name)
}

func (a *asm) bytes(comment string, code ...int) {
	line := ""
	for _, b := range code {
		line += fmt.Sprintf("BYTE $0x%02x; ", b)
	}
	a.f("\t%s// %s", line, comment)
}

// lacks is 1<<at where x has none of bit: prefixes hold registers' high bits inverted.
func lacks(x, bit, at int) int {
	if x&bit != 0 {
		return 0
	}
	return 1 << at
}

// evex is an instruction of three vectors of 512 bits, from the map 0F38, without masks.
func (a *asm) evex(comment string, pp, op, src3, src2, dst int) {
	a.bytes(comment, 0x62,
		lacks(dst, 8, 7)|lacks(src3, 16, 6)|lacks(src3, 8, 5)|lacks(dst, 16, 4)|2,
		(^src2&15)<<3|4|pp,
		0x40|lacks(src2, 16, 3),
		op, 0xc0|dst&7<<3|src3&7)
}

// toBF16 converts two vectors of float32 to one of bf16, rounding to the nearest even.
func (a *asm) toBF16(low, high, dst int) {
	a.evex(fmt.Sprintf("VCVTNE2PS2BF16 Z%d, Z%d, Z%d", low, high, dst), 3, 0x72, low, high, dst)
}

// dot adds the products of pairs: VDPBF16PS.
func (a *asm) dot(src3, src2, dst int) {
	a.evex(fmt.Sprintf("VDPBF16PS Z%d, Z%d, Z%d", src3, src2, dst), 2, 0x52, src3, src2, dst)
}

// register is the number of a general register.
func register(name string) int {
	for n, r := range []string{"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"} {
		if r == name {
			return n
		}
	}
	panic("register " + name)
}

// tileMove loads a tile, or stores it, at disp(base), its rows stride apart.
func (a *asm) tileMove(store bool, tile, disp int, base, stride string) {
	b, s := register(base), register(stride)
	name, pp := "TILELOADD", 3
	if store {
		name, pp = "TILESTORED", 2
	}
	a.bytes(fmt.Sprintf("%s %d(%s)(%s*1), TMM%d", name, disp, base, stride, tile),
		0xc4, 0x80|lacks(s, 8, 6)|lacks(b, 8, 5)|2, 0x78|pp, 0x4b,
		0x84|tile<<3, s&7<<3|b&7, disp&255, disp>>8&255, disp>>16&255, disp>>24&255)
}

// tileDot adds the products of tile x of A and y of B to tile dst.
func (a *asm) tileDot(x, y, dst int) {
	a.bytes(fmt.Sprintf("TDPBF16PS TMM%d, TMM%d, TMM%d", y, x, dst), 0xc4, 0xe2, (^y&15)<<3|2, 0x5c, 0xc0|dst<<3|x)
}

func (a *asm) tileConfig() {
	a.i("LEAQ", fmt.Sprintf("tiles_%s<>(SB)", a.name), "AX")
	a.bytes("LDTILECFG (AX)", 0xc4, 0xe2, 0x78, 0x49, 0x00)
}

func (a *asm) tileRelease() { a.bytes("TILERELEASE", 0xc4, 0xe2, 0x78, 0x49, 0xc0) }

func (a *asm) tileZero(tile int) {
	a.bytes(fmt.Sprintf("TILEZERO TMM%d", tile), 0xc4, 0xe2, 0x7b, 0x49, 0xc0|tile<<3)
}

// at is disp(base).
func at(disp int, base string) string {
	if disp == 0 {
		return "(" + base + ")"
	}
	return fmt.Sprintf("%d(%s)", disp, base)
}

// storeTile writes Z0 to Z15 as the rows of a tile, transposed as 16×16 pairs if need be.
func (a *asm) storeTile(transposed bool, disp int) {
	if transposed {
		z := func(n int) string { return fmt.Sprintf("Z%d", n) }
		for r := 0; r < 16; r += 2 { // pairs of rows
			a.i("VPUNPCKLDQ", z(r+1), z(r), z(16+r))
			a.i("VPUNPCKHDQ", z(r+1), z(r), z(17+r))
		}
		for r := 0; r < 16; r += 4 { // fours
			a.i("VPUNPCKLQDQ", z(18+r), z(16+r), z(r))
			a.i("VPUNPCKHQDQ", z(18+r), z(16+r), z(r+1))
			a.i("VPUNPCKLQDQ", z(19+r), z(17+r), z(r+2))
			a.i("VPUNPCKHQDQ", z(19+r), z(17+r), z(r+3))
		}
		for c := range 4 { // lane l of rows c, 4+c, 8+c, 12+c is column 4l+c
			a.i("VSHUFI32X4", "$0x44", z(4+c), z(c), z(16+c))
			a.i("VSHUFI32X4", "$0xee", z(4+c), z(c), z(20+c))
			a.i("VSHUFI32X4", "$0x44", z(12+c), z(8+c), z(24+c))
			a.i("VSHUFI32X4", "$0xee", z(12+c), z(8+c), z(28+c))
		}
		for c := range 4 {
			a.i("VSHUFI32X4", "$0x88", z(24+c), z(16+c), z(c))
			a.i("VSHUFI32X4", "$0xdd", z(24+c), z(16+c), z(4+c))
			a.i("VSHUFI32X4", "$0x88", z(28+c), z(20+c), z(8+c))
			a.i("VSHUFI32X4", "$0xdd", z(28+c), z(20+c), z(12+c))
		}
	}
	for r := range 16 {
		a.i("VMOVDQU32", fmt.Sprintf("Z%d", r), at(disp+64*r, "DI"))
	}
}

// rowTiles packs where k runs along the rows.
func (a *asm) rowTiles(transposed bool) {
	name := "rowTiles"
	if transposed {
		name = "rowTilesT"
		a.f("\n// As rowTiles, and each tile holds for pairs of k the 16 rows side by side.")
	} else {
		a.f("\n// 16 rows of 32·n floats, stride bytes apart, as n tiles of 16 rows of 32 bf16, one each 2048 bytes.")
	}
	a.fn(name, "n int, src *float32, stride int, dst *uint16")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "stride+16(FP)", "R8")
	a.i("MOVQ", "dst+24(FP)", "DI")
	a.i("LEAQ", "(R8)(R8*2)", "R9")
	a.i("MOVQ", "R8", "R13")
	a.i("SHLQ", "$4", "R13")
	groups := []string{"SI", "R10", "R11", "R12"}
	for g := 1; g < 4; g++ {
		a.i("LEAQ", fmt.Sprintf("(%s)(R8*4)", groups[g-1]), groups[g])
	}
	a.f("\tPCALIGN $32")
	a.f("tile:")
	for r := range 16 {
		row := "(" + groups[r/4] + ")" + []string{"", "(R8*1)", "(R8*2)", "(R9*1)"}[r%4]
		low, high := 16+2*(r%8), 17+2*(r%8)
		a.i("VMOVUPS", row, fmt.Sprintf("Z%d", low))
		a.i("VMOVUPS", "64"+row, fmt.Sprintf("Z%d", high))
		if r%4 == 0 { // the rows that come next
			a.i("LEAQ", fmt.Sprintf("(%s)(R13*1)", groups[r/4]), "R14")
		}
		below := "(R14)" + []string{"", "(R8*1)", "(R8*2)", "(R9*1)"}[r%4]
		a.i("PREFETCHT0", below)
		a.i("PREFETCHT0", "64"+below)
		a.toBF16(low, high, r)
	}
	a.storeTile(transposed, 0)
	for _, g := range groups {
		a.i("ADDQ", "$128", g)
	}
	a.i("ADDQ", "$2048", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "tile")
	a.i("VZEROUPPER")
	a.i("RET")
}

// pairTiles packs where k runs across the rows.
func (a *asm) pairTiles(transposed bool) {
	name := "pairTiles"
	if transposed {
		name = "pairTilesT"
		a.f("\n// As pairTiles, and each tile holds for the columns the 32 k side by side.")
	} else {
		a.f("\n// 32 rows of 32·n floats, stride bytes apart, as n times two tiles of 16 rows: pairs of k of 16 columns. The twos go step bytes apart.")
	}
	a.fn(name, "n int, src *float32, stride int, dst *uint16, step int")
	a.i("MOVQ", "n+0(FP)", "CX")
	a.i("MOVQ", "src+8(FP)", "SI")
	a.i("MOVQ", "stride+16(FP)", "R8")
	a.i("MOVQ", "dst+24(FP)", "DI")
	a.i("MOVQ", "step+32(FP)", "R9")
	if !transposed {
		a.i("VMOVDQU32", fmt.Sprintf("pairs_%s<>(SB)", a.name), "Z31")
	}
	a.f("\tPCALIGN $32")
	a.f("two:")
	for half := range 2 {
		if transposed { // storeTile takes all registers
			a.i("VMOVDQU32", fmt.Sprintf("pairs_%s<>(SB)", a.name), "Z31")
		}
		a.i("MOVQ", "SI", "R10")
		for p := range 16 {
			low, high := 16+2*(p%7), 17+2*(p%7)
			disp := ""
			if half > 0 {
				disp = "64"
			}
			a.i("VMOVUPS", disp+"(R10)", fmt.Sprintf("Z%d", low))
			a.i("VMOVUPS", disp+"(R10)(R8*1)", fmt.Sprintf("Z%d", high))
			a.i("PREFETCHT0", fmt.Sprintf("%d(R10)", 256+64*half))
			a.i("PREFETCHT0", fmt.Sprintf("%d(R10)(R8*1)", 256+64*half))
			if p < 15 {
				a.i("LEAQ", "(R10)(R8*2)", "R10")
			}
			a.toBF16(low, high, low)
			a.i("VPERMW", fmt.Sprintf("Z%d", low), "Z31", fmt.Sprintf("Z%d", p))
		}
		a.storeTile(transposed, 1024*half)
	}
	a.i("ADDQ", "$128", "SI")
	a.i("ADDQ", "R9", "DI")
	a.i("DECQ", "CX")
	a.i("JNZ", "two")
	a.i("VZEROUPPER")
	a.i("RET")
}

const bf16Params = "kt, mp, np int, a, b *uint16, bstep int, c *float32, ldc int, init *float32, ldi int"

// eachBlock goes over blocks of 32×32 of C, a column of them after the other, with
// SI on A, CX on B, R11 on C and R13 on what its elements begin with; BX and R9 are the
// strides of both.
func (a *asm) eachBlock(block func()) {
	a.i("MOVQ", "c+48(FP)", "DX")
	a.i("MOVQ", "ldc+56(FP)", "BX")
	a.i("MOVQ", "init+64(FP)", "R12")
	a.i("MOVQ", "ldi+72(FP)", "R9")
	a.i("MOVQ", "b+32(FP)", "DI")
	a.i("MOVQ", "np+16(FP)", "R14")
	a.f("column:")
	a.i("MOVQ", "a+24(FP)", "SI")
	a.i("MOVQ", "DX", "R11")
	a.i("MOVQ", "R12", "R13")
	a.i("MOVQ", "mp+8(FP)", "R10")
	a.f("\tPCALIGN $32")
	a.f("block:")
	block()
	a.i("DECQ", "R10")
	a.i("JNZ", "block")
	a.i("ADDQ", "$128", "DX")
	a.i("ADDQ", "$128", "R12")
	a.i("ADDQ", "bstep+40(FP)", "DI")
	a.i("DECQ", "R14")
	a.i("JNZ", "column")
}

// amx is the product in tiles: four of C, two of A, two of B.
func (a *asm) amx() {
	a.f("\n// c(32·mp,32·np) = init + a·b over 32·kt steps, for kt, mp, np ≥ 1. a is two tiles of 16 rows each of 32 k, for kt and")
	a.f("// then mp; b likewise of columns, bstep bytes from 32 to the next. init, nil for zeros, may be c.")
	a.fn("amx", bf16Params)
	a.tileConfig()
	a.i("MOVQ", "$64", "R8")
	a.eachBlock(func() {
		a.i("CMPQ", "init+64(FP)", "$0")
		a.i("JEQ", "zero")
		a.i("MOVQ", "R9", "R15")
		a.i("SHLQ", "$4", "R15")
		a.i("ADDQ", "R13", "R15")
		a.tileMove(false, 0, 0, "R13", "R9")
		a.tileMove(false, 1, 64, "R13", "R9")
		a.tileMove(false, 2, 0, "R15", "R9")
		a.tileMove(false, 3, 64, "R15", "R9")
		a.i("MOVQ", "R9", "R13")
		a.i("SHLQ", "$4", "R13")
		a.i("ADDQ", "R15", "R13")
		a.i("JMP", "start")
		a.f("zero:")
		for tile := range 4 {
			a.tileZero(tile)
		}
		a.f("start:")
		// Meanwhile the caches are asked for the rows below, which the next block writes.
		a.i("MOVQ", "BX", "R15")
		a.i("SHLQ", "$5", "R15")
		a.i("ADDQ", "R11", "R15")
		a.i("MOVQ", "DI", "CX")
		a.i("MOVQ", "kt+0(FP)", "AX")
		a.f("\tPCALIGN $32")
		a.f("step:")
		for range 3 {
			a.i("PREFETCHT0", "(R15)")
			a.i("PREFETCHT0", "64(R15)")
			a.i("ADDQ", "BX", "R15")
		}
		a.tileMove(false, 4, 0, "SI", "R8")
		a.tileMove(false, 6, 0, "CX", "R8")
		a.tileDot(4, 6, 0)
		a.tileMove(false, 7, 1024, "CX", "R8")
		a.tileDot(4, 7, 1)
		a.tileMove(false, 5, 1024, "SI", "R8")
		a.tileDot(5, 6, 2)
		a.tileDot(5, 7, 3)
		a.i("ADDQ", "$2048", "SI")
		a.i("ADDQ", "$2048", "CX")
		a.i("DECQ", "AX")
		a.i("JNZ", "step")
		a.i("MOVQ", "BX", "R15")
		a.i("SHLQ", "$4", "R15")
		a.i("ADDQ", "R11", "R15")
		a.tileMove(true, 0, 0, "R11", "BX")
		a.tileMove(true, 1, 64, "R11", "BX")
		a.tileMove(true, 2, 0, "R15", "BX")
		a.tileMove(true, 3, 64, "R15", "BX")
		a.i("MOVQ", "BX", "R11")
		a.i("SHLQ", "$4", "R11")
		a.i("ADDQ", "R15", "R11")
	})
	a.tileRelease()
	a.i("RET")
}

// amxLoop measures the processor: 4·n products of tiles.
func (a *asm) amxLoop() {
	a.f("\n// n rounds of four products of tiles.")
	a.fn("amxLoop", "n int")
	a.tileConfig()
	a.i("MOVQ", "n+0(FP)", "CX")
	for tile := range 8 {
		a.tileZero(tile)
	}
	a.f("\tPCALIGN $32")
	a.f("loop:")
	a.tileDot(4, 6, 0)
	a.tileDot(4, 7, 1)
	a.tileDot(5, 6, 2)
	a.tileDot(5, 7, 3)
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.tileRelease()
	a.i("RET")
}

// vdp is the product in vectors: of 8 rows and 32 columns at a time, from tiles as amx has them.
func (a *asm) vdp() {
	a.f("\n// As amx, by VDPBF16PS.")
	a.fn("vdp", bf16Params)
	z := func(n int) string { return fmt.Sprintf("Z%d", n) }
	eachRow := func(base, stride string, f func(r int)) {
		for r := range 8 {
			f(r)
			a.i("ADDQ", stride, base)
		}
	}
	a.eachBlock(func() {
		a.i("MOVQ", "$4", "R15")
		a.f("eight:")
		a.i("CMPQ", "init+64(FP)", "$0")
		a.i("JEQ", "zero")
		eachRow("R13", "R9", func(r int) {
			a.i("VMOVUPS", "(R13)", z(2*r))
			a.i("VMOVUPS", "64(R13)", z(2*r+1))
		})
		a.i("JMP", "start")
		a.f("zero:")
		for r := range 16 {
			a.zero(z(r))
		}
		a.f("start:")
		a.i("MOVQ", "DI", "CX")
		a.i("MOVQ", "SI", "R8")
		a.i("MOVQ", "kt+0(FP)", "AX")
		a.f("\tPCALIGN $32")
		a.f("step:")
		for p := range 16 {
			a.i("VMOVDQU32", at(64*p, "CX"), "Z16")
			a.i("VMOVDQU32", at(1024+64*p, "CX"), "Z17")
			for r := range 8 {
				x := 18 + r%4
				a.i("VPBROADCASTD", at(64*r+4*p, "R8"), z(x))
				a.dot(16, x, 2*r)
				a.dot(17, x, 2*r+1)
			}
		}
		a.i("ADDQ", "$2048", "R8")
		a.i("ADDQ", "$2048", "CX")
		a.i("DECQ", "AX")
		a.i("JNZ", "step")
		eachRow("R11", "BX", func(r int) {
			a.i("VMOVUPS", z(2*r), "(R11)")
			a.i("VMOVUPS", z(2*r+1), "64(R11)")
		})
		a.i("ADDQ", "$512", "SI")
		a.i("DECQ", "R15")
		a.i("JNZ", "eight")
		a.i("LEAQ", "-1536(R8)", "SI") // the last eight rows' tiles began 3·512 late
	})
	a.i("VZEROUPPER")
	a.i("RET")
}

// vdpLoop is fmaLoop for VDPBF16PS.
func (a *asm) vdpLoop() {
	a.f("\n// n rounds of 16 independent VDPBF16PS.")
	a.fn("vdpLoop", "n int")
	a.i("MOVQ", "n+0(FP)", "CX")
	for r := range 18 {
		a.zero(fmt.Sprintf("Z%d", r))
	}
	a.f("\tPCALIGN $64")
	a.f("loop:")
	for r := range 16 {
		a.dot(16, 17, r)
	}
	a.i("DECQ", "CX")
	a.i("JNZ", "loop")
	a.i("VZEROUPPER")
	a.i("RET")
}

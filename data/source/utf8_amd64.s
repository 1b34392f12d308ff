#include "textflag.h"

// Faults, a bit each: 01 too short, 02 too long, 04 overlong of 3 bytes, 08 too
// large, 10 surrogate, 20 overlong of 2 bytes, 40 too large or overlong of 4
// bytes, 80 two continuations (no fault as third or fourth byte).

// By the upper half of the byte before.
DATA first_high<>+0(SB)/8, $0x0202020202020202
DATA first_high<>+8(SB)/8, $0x4915012180808080
GLOBL first_high<>(SB), RODATA|NOPTR, $16

// By its lower half.
DATA first_low<>+0(SB)/8, $0xcbcbcb8b8383a3e7
DATA first_low<>+8(SB)/8, $0xcbcbdbcbcbcbcbcb
GLOBL first_low<>(SB), RODATA|NOPTR, $16

// By the upper half of the byte.
DATA second_high<>+0(SB)/8, $0x0101010101010101
DATA second_high<>+8(SB)/8, $0x01010101babaaee6
GLOBL second_high<>(SB), RODATA|NOPTR, $16

DATA nibble<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL nibble<>(SB), RODATA|NOPTR, $8
DATA third<>+0(SB)/8, $0x6060606060606060
GLOBL third<>(SB), RODATA|NOPTR, $8
DATA fourth<>+0(SB)/8, $0x7070707070707070
GLOBL fourth<>(SB), RODATA|NOPTR, $8
DATA top<>+0(SB)/8, $0x8080808080808080
GLOBL top<>(SB), RODATA|NOPTR, $8

// func utf8Blocks(p *byte, n int) bool
TEXT ·utf8Blocks(SB), NOSPLIT, $0-17
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTI128 first_high<>(SB), Y8
	VBROADCASTI128 first_low<>(SB), Y9
	VBROADCASTI128 second_high<>(SB), Y10
	VPBROADCASTQ nibble<>(SB), Y11
	VPBROADCASTQ third<>(SB), Y12
	VPBROADCASTQ fourth<>(SB), Y13
	VPBROADCASTQ top<>(SB), Y14
	VPXOR Y15, Y15, Y15 // faults
	VPXOR Y1, Y1, Y1    // the block before
	XORL  DX, DX        // whether it has bytes beyond ASCII

loop:
	VMOVDQU   (SI), Y0
	VPMOVMSKB Y0, AX
	ORL       AX, DX
	JZ        next // ASCII after ASCII

	VPERM2I128 $0x21, Y0, Y1, Y2
	VPALIGNR   $15, Y2, Y0, Y3 // one byte before
	VPALIGNR   $14, Y2, Y0, Y4
	VPALIGNR   $13, Y2, Y0, Y5

	VPSRLW  $4, Y3, Y6
	VPAND   Y11, Y6, Y6
	VPSHUFB Y6, Y8, Y6
	VPAND   Y11, Y3, Y7
	VPSHUFB Y7, Y9, Y7
	VPAND   Y7, Y6, Y6
	VPSRLW  $4, Y0, Y7
	VPAND   Y11, Y7, Y7
	VPSHUFB Y7, Y10, Y7
	VPAND   Y7, Y6, Y6

	VPSUBUSB Y12, Y4, Y4 // bit 7: two bytes before begins three or more
	VPSUBUSB Y13, Y5, Y5 // bit 7: three bytes before begins four
	VPOR     Y5, Y4, Y4
	VPAND    Y14, Y4, Y4
	VPXOR    Y6, Y4, Y4
	VPOR     Y4, Y15, Y15

next:
	MOVL    AX, DX
	VMOVDQA Y0, Y1
	ADDQ    $32, SI
	SUBQ    $32, CX
	JNZ     loop

	VPTEST Y15, Y15
	SETEQ  ret+16(FP)
	VZEROUPPER
	RET

DATA continuation<>+0(SB)/8, $0xbfbfbfbfbfbfbfbf
GLOBL continuation<>(SB), RODATA|NOPTR, $8

// func markRunes(p *byte, marks *uint64, n int)
TEXT ·markRunes(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ marks+8(FP), DI
	MOVQ n+16(FP), CX
	VPBROADCASTQ continuation<>(SB), Y3

mark:
	VMOVDQU   (SI), Y0
	VMOVDQU   32(SI), Y1
	VPCMPGTB  Y3, Y0, Y0
	VPCMPGTB  Y3, Y1, Y1
	VPMOVMSKB Y0, AX
	VPMOVMSKB Y1, BX
	SHLQ      $32, BX
	ORQ       BX, AX
	MOVQ      AX, (DI)
	ADDQ      $64, SI
	ADDQ      $8, DI
	DECQ      CX
	JNZ       mark
	VZEROUPPER
	RET

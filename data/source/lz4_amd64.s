#include "textflag.h"

// func lz4Fast(dst *byte, at, room int, src *byte, n int) (to, used int)
TEXT ·lz4Fast(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), R10
	MOVQ at+8(FP), DI
	ADDQ R10, DI
	MOVQ room+16(FP), R9
	LEAQ -640(R10)(R9*1), R9 // the last place where a sequence may begin
	MOVQ src+24(FP), SI
	MOVQ SI, R11
	MOVQ n+32(FP), R8
	LEAQ -320(SI)(R8*1), R8

sequence:
	MOVQ    SI, R12
	MOVQ    DI, R13
	CMPQ    SI, R8
	JHI     stop
	CMPQ    DI, R9
	JHI     stop
	MOVBLZX (SI), AX
	INCQ    SI
	MOVL    AX, BX
	SHRL    $4, AX
	ANDL    $15, BX
	CMPL    AX, $15
	JEQ     long_literals
	VMOVDQU (SI), X0
	VMOVDQU X0, (DI)

match:
	ADDQ    AX, SI
	ADDQ    AX, DI
	MOVWLZX (SI), CX
	ADDQ    $2, SI
	MOVQ    DI, DX
	SUBQ    CX, DX
	TESTL   CX, CX
	JZ      undo
	CMPQ    DX, R10
	JCS     undo // from before the first byte
	CMPL    BX, $15
	JEQ     long_match
	ADDL    $4, BX

copy:
	CMPL    CX, $16
	JCS     overlap
	VMOVDQU (DX), X0
	VMOVDQU X0, (DI)
	VMOVDQU 16(DX), X1 // of what was written, perhaps
	VMOVDQU X1, 16(DI)
	CMPL    BX, $32
	JHI     more
	ADDQ    BX, DI
	JMP     sequence

more:
	LEAQ (DI)(BX*1), AX

more_loop:
	ADDQ    $32, DX
	ADDQ    $32, DI
	VMOVDQU (DX), X0
	VMOVDQU X0, (DI)
	VMOVDQU 16(DX), X1
	VMOVDQU X1, 16(DI)
	LEAQ    32(DI), CX
	CMPQ    CX, AX
	JCS     more_loop
	MOVQ    AX, DI
	JMP     sequence

overlap:
	LEAQ (DI)(BX*1), AX
	CMPL CX, $8
	JCS  bytes

words:
	MOVQ (DX), BX
	MOVQ BX, (DI)
	ADDQ $8, DX
	ADDQ $8, DI
	CMPQ DI, AX
	JCS  words
	MOVQ AX, DI
	JMP  sequence

bytes:
	MOVB (DX), BX
	MOVB BX, (DI)
	INCQ DX
	INCQ DI
	CMPQ DI, AX
	JCS  bytes
	JMP  sequence

long_literals:
	MOVBLZX (SI), AX
	CMPL    AX, $255
	JEQ     undo
	INCQ    SI
	ADDL    $15, AX
	XORL    DX, DX

literals:
	VMOVDQU (SI)(DX*1), X0
	VMOVDQU X0, (DI)(DX*1)
	ADDQ    $16, DX
	CMPQ    DX, AX
	JCS     literals
	JMP     match

long_match:
	MOVBLZX (SI), BX
	CMPL    BX, $255
	JEQ     undo
	INCQ    SI
	ADDL    $19, BX
	JMP     copy

undo:
	MOVQ R12, SI
	MOVQ R13, DI

stop:
	SUBQ R10, DI
	SUBQ R11, SI
	MOVQ DI, to+40(FP)
	MOVQ SI, used+48(FP)
	RET

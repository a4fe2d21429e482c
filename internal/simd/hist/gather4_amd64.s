#include "textflag.h"

// func gather4(base unsafe.Pointer, stride uintptr, idx *uint32, n, ahead int, dst unsafe.Pointer, ld uintptr, groups int)
//
// gatherAsm for n rows and 4*groups words, both multiples of four: four words
// of four rows at a time are turned in registers, so that each store writes
// four rows of a word. The rows that are "ahead" positions further in idx are
// prefetched, two cache lines of each where there are more than two groups.
//
// SI base, DX stride, DI idx, CX rows left, R9 dst, R10 ld, R11 groups;
// AX, BX, R8, R12 the four rows, R13 destination, R14 groups left, R15 3*ld.
TEXT ·gather4(SB), NOSPLIT, $0-64
	MOVQ base+0(FP), SI
	MOVQ stride+8(FP), DX
	MOVQ idx+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ dst+40(FP), R9
	MOVQ ld+48(FP), R10
	MOVQ groups+56(FP), R11
	LEAQ (R10)(R10*2), R15

rows:
	MOVQ  ahead+32(FP), R13
	MOVL  (DI)(R13*4), AX
	MOVL  4(DI)(R13*4), BX
	MOVL  8(DI)(R13*4), R8
	MOVL  12(DI)(R13*4), R12
	IMULQ DX, AX
	IMULQ DX, BX
	IMULQ DX, R8
	IMULQ DX, R12
	ADDQ  SI, AX
	ADDQ  SI, BX
	ADDQ  SI, R8
	ADDQ  SI, R12

	PREFETCHT0 (AX)
	PREFETCHT0 (BX)
	PREFETCHT0 (R8)
	PREFETCHT0 (R12)
	CMPQ       R11, $2
	JLE        turn
	PREFETCHT0 64(AX)
	PREFETCHT0 64(BX)
	PREFETCHT0 64(R8)
	PREFETCHT0 64(R12)

turn:
	MOVL  (DI), AX
	MOVL  4(DI), BX
	MOVL  8(DI), R8
	MOVL  12(DI), R12
	IMULQ DX, AX
	IMULQ DX, BX
	IMULQ DX, R8
	IMULQ DX, R12
	ADDQ  SI, AX
	ADDQ  SI, BX
	ADDQ  SI, R8
	ADDQ  SI, R12
	MOVQ  R9, R13
	MOVQ  R11, R14

words:
	VMOVDQU     (AX), Y0
	VMOVDQU     (BX), Y1
	VMOVDQU     (R8), Y2
	VMOVDQU     (R12), Y3
	VPUNPCKLQDQ Y1, Y0, Y4
	VPUNPCKHQDQ Y1, Y0, Y5
	VPUNPCKLQDQ Y3, Y2, Y6
	VPUNPCKHQDQ Y3, Y2, Y7
	VPERM2I128  $0x20, Y6, Y4, Y0
	VPERM2I128  $0x20, Y7, Y5, Y1
	VPERM2I128  $0x31, Y6, Y4, Y2
	VPERM2I128  $0x31, Y7, Y5, Y3
	VMOVDQU     Y0, (R13)
	VMOVDQU     Y1, (R13)(R10*1)
	VMOVDQU     Y2, (R13)(R10*2)
	VMOVDQU     Y3, (R13)(R15*1)
	LEAQ        (R13)(R10*4), R13
	ADDQ        $32, AX
	ADDQ        $32, BX
	ADDQ        $32, R8
	ADDQ        $32, R12
	DECQ        R14
	JNZ         words

	ADDQ $16, DI
	ADDQ $32, R9
	SUBQ $4, CX
	JNZ  rows
	VZEROUPPER
	RET

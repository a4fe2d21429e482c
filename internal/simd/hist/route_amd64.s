#include "textflag.h"

// SIDE shifts into BX whether the row that is o bytes from DI goes to l.
#define SIDE(o) \
	MOVL    o(DI), AX \
	MOVBLZX (SI)(AX*1), AX \
	SUBB    R8, AX \
	CMPL    AX, R9 \
	ADCL    BX, BX

// func routeAVX2(col *uint8, first, count int, idx *uint32, n int, l, r *uint32, set *[256][8]uint8) int
//
// n is a positive multiple of eight. Eight rows a step: a bit of each says where
// it goes, a table turns bits into the numbers of the rows that go to l and of
// the others (PEXT is slow on some processors), and each list is stored whole, so
// that its end is written over by what follows. SI col, R8 first, R9 count, DI
// idx, CX rows left, R10 l, R11 r, R12 set.
TEXT ·routeAVX2(SB), NOSPLIT, $0-72
	MOVQ col+0(FP), SI
	MOVQ first+8(FP), R8
	MOVQ count+16(FP), R9
	MOVQ idx+24(FP), DI
	MOVQ n+32(FP), CX
	MOVQ l+40(FP), R10
	MOVQ r+48(FP), R11
	MOVQ set+56(FP), R12

rows:
	VMOVDQU   (DI), Y0
	XORL      BX, BX
	SIDE(28)
	SIDE(24)
	SIDE(20)
	SIDE(16)
	SIDE(12)
	SIDE(8)
	SIDE(4)
	SIDE(0)
	MOVL      BX, AX
	XORL      $255, AX
	POPCNTL   BX, DX
	VPMOVZXBD (R12)(BX*8), Y1
	VPMOVZXBD (R12)(AX*8), Y2
	VPERMD    Y0, Y1, Y1
	VPERMD    Y0, Y2, Y2
	VMOVDQU   Y1, (R10)
	VMOVDQU   Y2, (R11)
	LEAQ      (R10)(DX*4), R10
	MOVL      $8, AX
	SUBL      DX, AX
	LEAQ      (R11)(AX*4), R11
	ADDQ      $32, DI
	SUBQ      $8, CX
	JNZ       rows

	SUBQ l+40(FP), R10
	SHRQ $2, R10
	MOVQ R10, ret+64(FP)
	VZEROUPPER
	RET

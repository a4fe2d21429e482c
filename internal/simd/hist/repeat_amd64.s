#include "textflag.h"

// func repeatAVX2(value *float32, count *uint8, n int, dst *float32, set *[256][8]uint8) (done, written int)
//
// Eight values a step, n is a positive multiple of eight: those that count once
// are stored side by side, with anything behind them, which is written over by
// what follows. It ends before eight values of which one counts more than once.
// SI value, DI count, CX values left, R10 dst, R8 set.
TEXT ·repeatAVX2(SB), NOSPLIT, $0-56
	MOVQ value+0(FP), SI
	MOVQ count+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ dst+24(FP), R10
	MOVQ set+32(FP), R8
	MOVQ $0x0102040810204080, R13
	MOVQ $0xfefefefefefefefe, R12

values:
	MOVQ      (DI), AX
	TESTQ     R12, AX
	JNE       done
	POPCNTQ   AX, BX
	IMULQ     R13, AX // the lowest bits of all bytes meet in the highest byte
	SHRQ      $56, AX
	VPMOVZXBD (R8)(AX*8), Y1
	VPERMD    (SI), Y1, Y1
	VMOVDQU   Y1, (R10)
	LEAQ      (R10)(BX*4), R10
	ADDQ      $8, DI
	ADDQ      $32, SI
	SUBQ      $8, CX
	JNE       values

done:
	MOVQ n+16(FP), AX
	SUBQ CX, AX
	MOVQ AX, done+40(FP)
	SUBQ dst+24(FP), R10
	SHRQ $2, R10
	MOVQ R10, written+48(FP)
	VZEROUPPER
	RET

#include "textflag.h"

// func repeatAVX2(value *float32, count *uint8, n int, dst *float32) (done, written int)
//
// Eight values a step, n is a positive multiple of eight: those that count once
// are stored side by side, with anything behind them, which is written over by
// what follows. It ends before eight values of which one counts more than once.
// SI value, DI count, CX values left, R10 dst.
TEXT ·repeatAVX2(SB), NOSPLIT, $0-48
	MOVQ value+0(FP), SI
	MOVQ count+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ dst+24(FP), R10
	MOVQ $0x0706050403020100, R13
	MOVQ $0xfefefefefefefefe, R12

values:
	MOVQ      (DI), AX
	TESTQ     R12, AX
	JNE       done
	POPCNTQ   AX, BX
	MOVQ      AX, DX
	SHLQ      $8, DX
	SUBQ      AX, DX // all bits of the bytes that are one
	PEXTQ     DX, R13, DX
	VMOVQ     DX, X1
	VPMOVZXBD X1, Y1
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
	MOVQ AX, done+32(FP)
	SUBQ dst+24(FP), R10
	SHRQ $2, R10
	MOVQ R10, written+40(FP)
	VZEROUPPER
	RET

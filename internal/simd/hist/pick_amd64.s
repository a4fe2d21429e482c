#include "textflag.h"

// func pickAsm(src *uint64, idx *uint32, n, ahead int, dst *uint64)
//
// dst[i] = src[idx[i]] for n rows, a positive multiple of four; the values
// that are "ahead" positions further are prefetched. Checks nothing.
TEXT ·pickAsm(SB), NOSPLIT, $0-40
	MOVQ src+0(FP), SI
	MOVQ idx+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ ahead+24(FP), R8
	MOVQ dst+32(FP), R9

four:
	MOVL       (DI)(R8*4), AX
	MOVL       4(DI)(R8*4), BX
	MOVL       8(DI)(R8*4), DX
	MOVL       12(DI)(R8*4), R10
	PREFETCHT0 (SI)(AX*8)
	PREFETCHT0 (SI)(BX*8)
	PREFETCHT0 (SI)(DX*8)
	PREFETCHT0 (SI)(R10*8)
	MOVL       (DI), AX
	MOVL       4(DI), BX
	MOVL       8(DI), DX
	MOVL       12(DI), R10
	MOVQ       (SI)(AX*8), AX
	MOVQ       (SI)(BX*8), BX
	MOVQ       (SI)(DX*8), DX
	MOVQ       (SI)(R10*8), R10
	MOVQ       AX, (R9)
	MOVQ       BX, 8(R9)
	MOVQ       DX, 16(R9)
	MOVQ       R10, 24(R9)
	ADDQ       $16, DI
	ADDQ       $32, R9
	SUBQ       $4, CX
	JNZ        four
	RET

// func largestAVX2(idx *uint32, n int) uint32
//
// n is a positive multiple of eight.
TEXT ·largestAVX2(SB), NOSPLIT, $0-20
	MOVQ  idx+0(FP), SI
	MOVQ  n+8(FP), CX
	VPXOR Y0, Y0, Y0

eight:
	VPMAXUD      (SI), Y0, Y0
	ADDQ         $32, SI
	SUBQ         $8, CX
	JNZ          eight
	VEXTRACTI128 $1, Y0, X1
	VPMAXUD      X1, X0, X0
	VPSHUFD      $0x4e, X0, X1
	VPMAXUD      X1, X0, X0
	VPSHUFD      $0xb1, X0, X1
	VPMAXUD      X1, X0, X0
	VMOVD        X0, AX
	MOVL         AX, ret+16(FP)
	VZEROUPPER
	RET

#include "textflag.h"

// func columnsAsm(cols *uint8, ld int, gh *uint64, n int, h *uint64)
//
// Adds gh[i] to the entries of the bins of row i in eight columns, ld bytes
// apart. SI the first column, R11 the fourth, R12 ld, R13 3*ld, DI gh, CX rows
// left, R9 histogram.
TEXT ·columnsAsm(SB), NOSPLIT, $0-40
	MOVQ cols+0(FP), SI
	MOVQ ld+8(FP), R12
	MOVQ gh+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ h+32(FP), R9
	LEAQ (R12)(R12*2), R13
	LEAQ (SI)(R13*1), R11

row:
	MOVQ    (DI), R8
	MOVBLZX (SI), AX
	MOVBLZX (SI)(R12*1), BX
	MOVBLZX (SI)(R12*2), DX
	MOVBLZX (R11), R10
	SHLQ    $6, AX
	SHLQ    $6, BX
	SHLQ    $6, DX
	SHLQ    $6, R10
	ADDQ    R8, (R9)(AX*1)
	ADDQ    R8, 8(R9)(BX*1)
	ADDQ    R8, 16(R9)(DX*1)
	ADDQ    R8, 24(R9)(R10*1)
	MOVBLZX (SI)(R12*4), AX
	MOVBLZX (R11)(R12*2), BX
	MOVBLZX (R11)(R13*1), DX
	MOVBLZX (R11)(R12*4), R10
	SHLQ    $6, AX
	SHLQ    $6, BX
	SHLQ    $6, DX
	SHLQ    $6, R10
	ADDQ    R8, 32(R9)(AX*1)
	ADDQ    R8, 40(R9)(BX*1)
	ADDQ    R8, 48(R9)(DX*1)
	ADDQ    R8, 56(R9)(R10*1)
	INCQ    SI
	INCQ    R11
	ADDQ    $8, DI
	DECQ    CX
	JNZ     row
	RET

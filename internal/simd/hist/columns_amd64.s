#include "textflag.h"

// FOUR adds the gradients of four rows to the entries, o bytes into a line, of
// their bins in one column, which are loaded as one word.
#define FOUR(word, o) \
	MOVL  word, BX \
	RORXQ $58, BX, AX \
	RORXQ $2, BX, DX \
	ANDL  $0x3fc0, AX \
	ANDL  $0x3fc0, DX \
	ADDQ  R8, o(R9)(AX*1) \
	ADDQ  R10, o(R9)(DX*1) \
	RORXQ $10, BX, AX \
	RORXQ $18, BX, DX \
	ANDL  $0x3fc0, AX \
	ANDL  $0x3fc0, DX \
	ADDQ  R14, o(R9)(AX*1) \
	ADDQ  R15, o(R9)(DX*1)

// ONE is FOUR for a single row.
#define ONE(bin, o) \
	MOVBLZX bin, AX \
	SHLQ    $6, AX \
	ADDQ    R8, o(R9)(AX*1)

// func columnsAsm(cols *uint8, ld int, gh *uint64, n int, h *uint64)
//
// Adds gh[i] to the entries of the bins of row i in eight columns, ld bytes
// apart. SI the first column, R11 the fourth, R12 ld, R13 3*ld, DI gh, CX rows
// left, R9 histogram; R8, R10, R14 and R15 the gradients of four rows.
TEXT ·columnsAsm(SB), NOSPLIT, $0-40
	MOVQ cols+0(FP), SI
	MOVQ ld+8(FP), R12
	MOVQ gh+16(FP), DI
	MOVQ n+24(FP), CX
	MOVQ h+32(FP), R9
	LEAQ (R12)(R12*2), R13
	LEAQ (SI)(R13*1), R11
	SUBQ $4, CX
	JLT  rest

rows:
	MOVQ (DI), R8
	MOVQ 8(DI), R10
	MOVQ 16(DI), R14
	MOVQ 24(DI), R15
	FOUR((SI), 0)
	FOUR((SI)(R12*1), 8)
	FOUR((SI)(R12*2), 16)
	FOUR((R11), 24)
	FOUR((SI)(R12*4), 32)
	FOUR((R11)(R12*2), 40)
	FOUR((R11)(R13*1), 48)
	FOUR((R11)(R12*4), 56)
	ADDQ $4, SI
	ADDQ $4, R11
	ADDQ $32, DI
	SUBQ $4, CX
	JGE  rows

rest:
	ADDQ $4, CX
	JEQ  done

row:
	MOVQ (DI), R8
	ONE((SI), 0)
	ONE((SI)(R12*1), 8)
	ONE((SI)(R12*2), 16)
	ONE((R11), 24)
	ONE((SI)(R12*4), 32)
	ONE((R11)(R12*2), 40)
	ONE((R11)(R13*1), 48)
	ONE((R11)(R12*4), 56)
	INCQ SI
	INCQ R11
	ADDQ $8, DI
	DECQ CX
	JNZ  row

done:
	RET

#include "textflag.h"

// ROW adds the gradient of one row, g bytes from DI, to the entries, o bytes into
// a line, of its bins in four columns: the byte of BX, DX, R14 and R15 that a
// rotation by n puts in place.
#define ROW(g, n, o) \
	MOVQ  g(DI), R8 \
	RORXQ n, BX, AX \
	RORXQ n, DX, R10 \
	ANDL  $0x3fc0, AX \
	ANDL  $0x3fc0, R10 \
	ADDQ  R8, o(R9)(AX*1) \
	ADDQ  R8, (o+8)(R9)(R10*1) \
	RORXQ n, R14, AX \
	RORXQ n, R15, R10 \
	ANDL  $0x3fc0, AX \
	ANDL  $0x3fc0, R10 \
	ADDQ  R8, (o+16)(R9)(AX*1) \
	ADDQ  R8, (o+24)(R9)(R10*1)

// FOUR does four rows of four columns. Rows that follow one another often have the
// same bin of a column, and an entry that has just been stored is slow to load
// again: so the columns take turns.
#define FOUR(o) \
	ROW(0, $58, o) \
	ROW(8, $2, o) \
	ROW(16, $10, o) \
	ROW(24, $18, o)

// ONE is one row of one column.
#define ONE(bin, o) \
	MOVBLZX bin, AX \
	SHLQ    $6, AX \
	ADDQ    R8, o(R9)(AX*1)

// func columnsAsm(cols *uint8, ld int, gh *uint64, n int, h *uint64)
//
// Adds gh[i] to the entries of the bins of row i in eight columns, ld bytes
// apart. SI the first column, R11 the fourth, R12 ld, R13 3*ld, DI gh, CX rows
// left, R9 histogram, R8 the gradient of a row; BX, DX, R14 and R15 four rows of
// four columns.
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
	MOVL (SI), BX
	MOVL (SI)(R12*1), DX
	MOVL (SI)(R12*2), R14
	MOVL (R11), R15
	FOUR(0)
	MOVL (SI)(R12*4), BX
	MOVL (R11)(R12*2), DX
	MOVL (R11)(R13*1), R14
	MOVL (R11)(R12*4), R15
	FOUR(32)
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

#include "textflag.h"

// ROW adds the gradient of one row, o bytes from where DI and SI point, to its
// eight bins. A store a cycle is the limit; what leads to it must not take more
// slots of any kind: half of the bins are loaded as bytes and half are cut out
// of the word, since loads alone, or shifts and masks alone, would come near.
#define ROW(o) \
	MOVQ    o(DI), R8 \
	MOVQ    o(SI), R15 \
	RORXQ   $58, R15, AX \
	RORXQ   $2, R15, BX \
	MOVBLZX o+2(SI), DX \
	MOVBLZX o+3(SI), R10 \
	ANDL    $0x3fc0, AX \
	ANDL    $0x3fc0, BX \
	SHLQ    $6, DX \
	SHLQ    $6, R10 \
	ADDQ    R8, (R9)(AX*1) \
	ADDQ    R8, 8(R9)(BX*1) \
	ADDQ    R8, 16(R9)(DX*1) \
	ADDQ    R8, 24(R9)(R10*1) \
	RORXQ   $26, R15, AX \
	RORXQ   $34, R15, BX \
	MOVBLZX o+6(SI), DX \
	MOVBLZX o+7(SI), R10 \
	ANDL    $0x3fc0, AX \
	ANDL    $0x3fc0, BX \
	SHLQ    $6, DX \
	SHLQ    $6, R10 \
	ADDQ    R8, 32(R9)(AX*1) \
	ADDQ    R8, 40(R9)(BX*1) \
	ADDQ    R8, 48(R9)(DX*1) \
	ADDQ    R8, 56(R9)(R10*1)

// func buildAsm(words, gh *uint64, n int, h *uint64, idx *uint32, ahead int, base *uint64, stride int)
//
// Adds gh[i] to the entries of the eight bins of words[i]. With each of the
// first 4*ahead rows, at most n, one of four asks for the line at
// base+idx[i/4]*stride to be brought into the second-level cache. SI words, DI
// gh, CX rows left, R9 histogram, R11 idx, R12 base, R13 stride, R14 lines left.
TEXT ·buildAsm(SB), NOSPLIT, $0-64
	MOVQ  words+0(FP), SI
	MOVQ  gh+8(FP), DI
	MOVQ  n+16(FP), CX
	MOVQ  h+24(FP), R9
	MOVQ  idx+32(FP), R11
	MOVQ  ahead+40(FP), R14
	MOVQ  base+48(FP), R12
	MOVQ  stride+56(FP), R13
	TESTQ R14, R14
	JEQ   rest

four:
	MOVL       (R11), AX
	IMULQ      R13, AX
	PREFETCHT1 (R12)(AX*1)
	ROW(0)
	ROW(8)
	ROW(16)
	ROW(24)
	ADDQ       $4, R11
	ADDQ       $32, SI
	ADDQ       $32, DI
	SUBQ       $4, CX
	DECQ       R14
	JNZ        four

rest:
	SUBQ $4, CX
	JLT  last

more:
	ROW(0)
	ROW(8)
	ROW(16)
	ROW(24)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JGE  more

last:
	ADDQ $4, CX
	JEQ  done

one:
	ROW(0)
	ADDQ $8, SI
	ADDQ $8, DI
	DECQ CX
	JNZ  one

done:
	RET

#include "textflag.h"

// func gatherAsm(base unsafe.Pointer, stride uintptr, idx *uint32, n, ahead int, dst unsafe.Pointer, ld uintptr, nw int)
//
// dst[w*ld + 8*i] = word w (8 bins) of row idx[i], 0 <= w < nw, strides in
// bytes; the row that is "ahead" positions further in idx is prefetched (two
// cache lines of it where more than 8 words are wanted). Checks nothing.
//
// SI base, DX stride, DI idx, CX rows left, R8 ahead, R9 dst, R10 ld, R11 nw,
// R12 3*ld, AX source, BX destination, R13 words left, R14 the word.
TEXT ·gatherAsm(SB), NOSPLIT, $0-64
	MOVQ  base+0(FP), SI
	MOVQ  stride+8(FP), DX
	MOVQ  idx+16(FP), DI
	MOVQ  n+24(FP), CX
	MOVQ  ahead+32(FP), R8
	MOVQ  dst+40(FP), R9
	MOVQ  ld+48(FP), R10
	MOVQ  nw+56(FP), R11
	LEAQ  (R10)(R10*2), R12
	TESTQ CX, CX
	JE    done

row:
	MOVL       (DI)(R8*4), AX
	IMULQ      DX, AX
	PREFETCHT0 (SI)(AX*1)
	CMPQ       R11, $8
	JLE        copy
	ADDQ       SI, AX
	PREFETCHT0 64(AX)

copy:
	MOVL  (DI), AX
	IMULQ DX, AX
	ADDQ  SI, AX
	MOVQ  R9, BX
	MOVQ  R11, R13

four:
	CMPQ R13, $4
	JLT  one
	MOVQ (AX), R14
	MOVQ R14, (BX)
	MOVQ 8(AX), R14
	MOVQ R14, (BX)(R10*1)
	MOVQ 16(AX), R14
	MOVQ R14, (BX)(R10*2)
	MOVQ 24(AX), R14
	MOVQ R14, (BX)(R12*1)
	LEAQ (BX)(R10*4), BX
	ADDQ $32, AX
	SUBQ $4, R13
	JMP  four

one:
	TESTQ R13, R13
	JE    next
	MOVQ  (AX), R14
	MOVQ  R14, (BX)
	ADDQ  R10, BX
	ADDQ  $8, AX
	DECQ  R13
	JMP   one

next:
	ADDQ $4, DI
	ADDQ $8, R9
	DECQ CX
	JNZ  row

done:
	RET

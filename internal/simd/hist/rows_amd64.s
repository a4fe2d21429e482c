#include "textflag.h"

// The split scans that count rows: four features in the lanes of a register,
// two passes for the eight of a block, one bin a step.
//
// AX histogram (the half line of a bin), BX what is subtracted, CX bins left,
// DX constants (rowConst), R8 Best.
// Y0 the running packed sum, with 2^63 added so that the gradient is positive;
// Y1 num, Y2 den, Y3 bin of the best; Y4 the bin; Y5 the running count; Y6 G,
// Y7 H, Y8 lambda, Y9 the exponent of 2^52 in the upper halves.

// COUNT adds the rows of the bin in Y15 to Y5 and the bin to Y0.
#define COUNT \
	VPBLENDD $0xAA, Y9, Y15, Y10 \
	VSUBPD   160(DX), Y10, Y10 \
	VMULPD   288(DX), Y10, Y10 \
	VADDPD   320(DX), Y10, Y10 \
	VROUNDPD $3, Y10, Y10 \ // towards zero
	VADDPD   Y10, Y5, Y5 \
	VPADDQ   Y15, Y0, Y0

// STEP evaluates the split after the sum Y0 and leaves the mask of the lanes
// in which it counts and is better in Y12, its fraction in Y11/Y10. Integers
// become doubles under the exponent of 2^52, which is then subtracted: exact.
#define STEP \
	VMOVUPD  384(DX), Y15 \
	VSUBPD   Y5, Y15, Y15 \
	VMINPD   Y15, Y5, Y15 \
	VCMPPD   $13, 352(DX), Y15, Y15 \ // both at least MinRows
	VPBLENDD $0xAA, Y9, Y0, Y10 \ // h of the summed side
	VSUBPD   160(DX), Y10, Y10 \
	VPSRLQ   $32, Y0, Y11 \       // g of the summed side
	VPOR     Y9, Y11, Y11 \
	VSUBPD   192(DX), Y11, Y11 \
	VSUBPD   Y10, Y7, Y12 \       // h and g of the other side
	VSUBPD   Y11, Y6, Y13 \
	VMINPD   Y12, Y10, Y14 \
	VCMPPD   $13, 96(DX), Y14, Y14 \ // both at least MinH
	VANDPD   Y15, Y14, Y14 \
	VADDPD   Y8, Y10, Y10 \
	VADDPD   Y8, Y12, Y12 \
	VMULPD   Y11, Y11, Y11 \
	VMULPD   Y13, Y13, Y13 \
	VMULPD   Y12, Y11, Y11 \
	VMULPD   Y10, Y13, Y13 \
	VADDPD   Y13, Y11, Y11 \
	VMULPD   Y12, Y10, Y10 \
	VMULPD   Y2, Y11, Y12 \
	VMULPD   Y1, Y10, Y13 \
	VCMPPD   $30, Y13, Y12, Y12 \ // num*best.den > best.num*den
	VANDPD   Y14, Y12, Y12

#define KEEP \
	VBLENDVPD Y12, Y11, Y1, Y1 \
	VBLENDVPD Y12, Y10, Y2, Y2 \
	VBLENDVPD Y12, Y4, Y3, Y3

#define LOAD \
	VMOVDQU 256(DX), Y0 \
	VMOVUPD (R8), Y1 \
	VMOVUPD 64(R8), Y2 \
	VMOVDQU 128(R8), Y3

#define STORE \
	VMOVUPD Y1, (R8) \
	VMOVUPD Y2, 64(R8) \
	VMOVDQU Y3, 128(R8)

#define CONSTANTS \
	VMOVUPD (DX), Y6 \
	VMOVUPD 32(DX), Y7 \
	VMOVUPD 64(DX), Y8 \
	VMOVDQU 128(DX), Y9

// func scanRowsDownAVX2(h, sub *uint64, n, first int, c *rowConst, best *Best)
//
// h and sub point to the last bin, n is the number of bins down to bin 2, first
// is the mark of the split before the last bin plus one.
TEXT ·scanRowsDownAVX2(SB), NOSPLIT, $0-48
	MOVQ h+0(FP), DI
	MOVQ sub+8(FP), R9
	MOVQ n+16(FP), R10
	MOVQ c+32(FP), DX
	MOVQ best+40(FP), R8
	CONSTANTS
	MOVQ $2, R11

half:
	MOVQ         DI, AX
	MOVQ         R9, BX
	MOVQ         R10, CX
	LOAD
	VPXOR        Y5, Y5, Y5
	VPBROADCASTQ first+24(FP), Y4
	TESTQ        BX, BX
	JNE          less

down:
	VMOVDQU (AX), Y15
	COUNT
	VPSUBQ  224(DX), Y4, Y4
	STEP
	KEEP
	SUBQ    $64, AX
	DECQ    CX
	JNZ     down
	JMP     next

less:
	VMOVDQU (AX), Y15
	VPSUBQ  (BX), Y15, Y15
	VMOVDQU Y15, (AX)
	COUNT
	VPSUBQ  224(DX), Y4, Y4
	STEP
	KEEP
	SUBQ    $64, AX
	SUBQ    $64, BX
	DECQ    CX
	JNZ     less
	ADDQ    $32, R9

next:
	STORE
	ADDQ $32, DI
	ADDQ $32, R8
	DECQ R11
	JNZ  half
	VZEROUPPER
	RET

// func scanRowsUpAVX2(h *uint64, n int, lanes *uint64, start *float64, c *rowConst, best *Best)
//
// h points to bin 1, n is the number of bins from there on, lanes has all bits
// set for each of the features that take part.
TEXT ·scanRowsUpAVX2(SB), NOSPLIT, $0-48
	MOVQ h+0(FP), DI
	MOVQ n+8(FP), R10
	MOVQ lanes+16(FP), R9
	MOVQ start+24(FP), R12
	MOVQ c+32(FP), DX
	MOVQ best+40(FP), R8
	CONSTANTS
	MOVQ $2, R11

halfup:
	MOVQ    DI, AX
	MOVQ    R10, CX
	LOAD
	VMOVUPD (R12), Y5
	VPXOR   Y4, Y4, Y4

up:
	VMOVDQU (AX), Y15
	COUNT
	VPADDQ  224(DX), Y4, Y4
	STEP
	VANDPD  (R9), Y12, Y12
	KEEP
	ADDQ    $64, AX
	DECQ    CX
	JNZ     up
	STORE
	ADDQ    $32, DI
	ADDQ    $32, R8
	ADDQ    $32, R9
	ADDQ    $32, R12
	DECQ    R11
	JNZ     halfup
	VZEROUPPER
	RET

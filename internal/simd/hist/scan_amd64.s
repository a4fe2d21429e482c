#include "textflag.h"

// The split scans: the eight features of a block in the lanes of two registers,
// one bin a step. The two halves do not depend on each other, so that one
// computes while the other waits.
//
// AX histogram (a bin), BX what is subtracted, CX bins left, DX constants
// (scanConst), R8 Best. Y0 to Y3 the first half: the running packed sum, with
// 2^63 added so that the gradient is positive, and num, den and bin of the
// best; Y4 to Y7 the second half; Y8 the bin; Y9 G, Y10 H.

// STEP evaluates the split after the sum acc and leaves the mask of the lanes
// in which it counts and is better than num/den in Y13, its fraction in
// Y12/Y11. Integers become doubles under the exponent of 2^52, which is then
// subtracted: exact.
#define STEP(acc, num, den) \
	VMOVDQU  128(DX), Y12 \
	VPBLENDD $0xAA, Y12, acc, Y11 \ // h of the summed side
	VSUBPD   160(DX), Y11, Y11 \
	VPSRLQ   $32, acc, Y13 \        // g of the summed side
	VPOR     Y12, Y13, Y12 \
	VSUBPD   192(DX), Y12, Y12 \
	VSUBPD   Y11, Y10, Y13 \        // h and g of the other side
	VSUBPD   Y12, Y9, Y14 \
	VMINPD   Y13, Y11, Y15 \
	VCMPPD   $13, 96(DX), Y15, Y15 \ // both at least MinH
	VADDPD   64(DX), Y11, Y11 \
	VADDPD   64(DX), Y13, Y13 \
	VMULPD   Y12, Y12, Y12 \
	VMULPD   Y14, Y14, Y14 \
	VMULPD   Y13, Y12, Y12 \
	VMULPD   Y11, Y14, Y14 \
	VADDPD   Y14, Y12, Y12 \
	VMULPD   Y13, Y11, Y11 \
	VMULPD   den, Y12, Y13 \
	VMULPD   num, Y11, Y14 \
	VCMPPD   $30, Y14, Y13, Y13 \ // num*best.den > best.num*den
	VANDPD   Y15, Y13, Y13

#define KEEP(num, den, bin) \
	VBLENDVPD Y13, Y12, num, num \
	VBLENDVPD Y13, Y11, den, den \
	VBLENDVPD Y13, Y8, bin, bin

#define LOAD \
	VMOVDQU 256(DX), Y0 \
	VMOVDQU 256(DX), Y4 \
	VMOVUPD (R8), Y1 \
	VMOVUPD 32(R8), Y5 \
	VMOVUPD 64(R8), Y2 \
	VMOVUPD 96(R8), Y6 \
	VMOVDQU 128(R8), Y3 \
	VMOVDQU 160(R8), Y7 \
	VMOVUPD (DX), Y9 \
	VMOVUPD 32(DX), Y10

#define STORE \
	VMOVUPD Y1, (R8) \
	VMOVUPD Y5, 32(R8) \
	VMOVUPD Y2, 64(R8) \
	VMOVUPD Y6, 96(R8) \
	VMOVDQU Y3, 128(R8) \
	VMOVDQU Y7, 160(R8)

// func scanUpAVX2(h, sub *uint64, n int, c *scanConst, best *Best)
//
// h and sub point to bin 1, n is the number of bins from there on.
TEXT ·scanUpAVX2(SB), NOSPLIT, $0-40
	MOVQ  h+0(FP), AX
	MOVQ  sub+8(FP), BX
	MOVQ  n+16(FP), CX
	MOVQ  c+24(FP), DX
	MOVQ  best+32(FP), R8
	LOAD
	VPXOR Y8, Y8, Y8
	TESTQ BX, BX
	JNE   less

up:
	VPADDQ 224(DX), Y8, Y8
	VPADDQ (AX), Y0, Y0
	STEP(Y0, Y1, Y2)
	KEEP(Y1, Y2, Y3)
	VPADDQ 32(AX), Y4, Y4
	STEP(Y4, Y5, Y6)
	KEEP(Y5, Y6, Y7)
	ADDQ   $64, AX
	DECQ   CX
	JNZ    up
	JMP    end

less:
	VPADDQ  224(DX), Y8, Y8
	VMOVDQU (AX), Y11
	VPSUBQ  (BX), Y11, Y11
	VMOVDQU Y11, (AX)
	VPADDQ  Y11, Y0, Y0
	STEP(Y0, Y1, Y2)
	KEEP(Y1, Y2, Y3)
	VMOVDQU 32(AX), Y11
	VPSUBQ  32(BX), Y11, Y11
	VMOVDQU Y11, 32(AX)
	VPADDQ  Y11, Y4, Y4
	STEP(Y4, Y5, Y6)
	KEEP(Y5, Y6, Y7)
	ADDQ    $64, AX
	ADDQ    $64, BX
	DECQ    CX
	JNZ     less

end:
	STORE
	VZEROUPPER
	RET

// func scanDownAVX2(h *uint64, n, first int, lanes *uint64, c *scanConst, best *Best)
//
// h points to the last bin, n is the number of bins down to bin 2, first is
// the mark of the split before the last bin plus one, lanes has all bits set
// for each of the features that take part.
TEXT ·scanDownAVX2(SB), NOSPLIT, $0-48
	MOVQ         h+0(FP), AX
	MOVQ         n+8(FP), CX
	MOVQ         lanes+24(FP), R9
	MOVQ         c+32(FP), DX
	MOVQ         best+40(FP), R8
	LOAD
	VPBROADCASTQ first+16(FP), Y8

down:
	VPSUBQ 224(DX), Y8, Y8
	VPADDQ (AX), Y0, Y0
	STEP(Y0, Y1, Y2)
	VANDPD (R9), Y13, Y13
	KEEP(Y1, Y2, Y3)
	VPADDQ 32(AX), Y4, Y4
	STEP(Y4, Y5, Y6)
	VANDPD 32(R9), Y13, Y13
	KEEP(Y5, Y6, Y7)
	SUBQ   $64, AX
	DECQ   CX
	JNZ    down
	STORE
	VZEROUPPER
	RET

#include "textflag.h"

// func addScoresAVX2(hs **Block, channels, n int, c *levelConst, grad *[4]float64, acc *uint64, num, den *float64)
//
// Four features in the lanes of a register, two passes for the eight of a block,
// one bin a step, one channel an inner step.
//
// DI histograms, SI channels, CX bins left, DX constants, R8 num, R9 den,
// R10 gradients, R11 sums, AX offset of the half line of the bin, R12 channel,
// R13 offset of its sums, R15 of its gradient.
// Y0 and Y1 the gradients of a side summed over channels, Y2 and Y3 their
// squares, Y4 the sums, Y5 and Y6 gradients or weights of the two sides; Y8 W,
// Y9 the exponent of 2^52 in the upper halves, Y10 lambda, Y11 one, Y12 zero,
// Y13 the bias of gradients, Y14 that of weights. Integers become doubles under
// the exponent of 2^52, which is then subtracted: exact.
TEXT ·addScoresAVX2(SB), NOSPLIT, $0-64
	MOVQ    hs+0(FP), DI
	MOVQ    channels+8(FP), SI
	MOVQ    c+24(FP), DX
	MOVQ    grad+32(FP), R10
	MOVQ    acc+40(FP), R11
	MOVQ    num+48(FP), R8
	MOVQ    den+56(FP), R9
	VMOVUPD (DX), Y8
	VMOVUPD 32(DX), Y10
	VMOVUPD 64(DX), Y11
	VMOVDQU 96(DX), Y9
	VMOVUPD 128(DX), Y14
	VMOVUPD 160(DX), Y13
	VXORPD  Y12, Y12, Y12
	MOVQ    $64, AX

half:
	MOVQ n+16(FP), CX

bin:
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	XORQ   R12, R12
	XORQ   R13, R13
	XORQ   R15, R15

channel:
	MOVQ    (DI)(R12*8), BX
	VMOVDQU (R11)(R13*1), Y4
	VPADDQ  (BX)(AX*1), Y4, Y4
	VMOVDQU Y4, (R11)(R13*1)
	VPSRLQ  $32, Y4, Y5
	VPOR    Y9, Y5, Y5
	VSUBPD  Y13, Y5, Y5
	VMOVUPD (R10)(R15*1), Y6
	VSUBPD  Y5, Y6, Y6
	VADDPD  Y5, Y0, Y0
	VADDPD  Y6, Y1, Y1
	VMULPD  Y5, Y5, Y7
	VADDPD  Y7, Y2, Y2
	VMULPD  Y6, Y6, Y7
	VADDPD  Y7, Y3, Y3
	ADDQ    $64, R13
	ADDQ    $32, R15
	INCQ    R12
	CMPQ    R12, SI
	JLT     channel

	// The score that is less the sum of the others.
	VMULPD Y0, Y0, Y0
	VANDPD 192(DX), Y0, Y0
	VADDPD Y0, Y2, Y2
	VMULPD Y1, Y1, Y1
	VANDPD 192(DX), Y1, Y1
	VADDPD Y1, Y3, Y3

	VPBLENDD $0xAA, Y9, Y4, Y4 // weight left, right
	VSUBPD   Y14, Y4, Y5
	VSUBPD   Y5, Y8, Y6
	VADDPD   Y10, Y5, Y0       // 1/(w+lambda), 0 where w is
	VDIVPD   Y0, Y11, Y0
	VCMPPD   $30, Y12, Y5, Y7
	VANDPD   Y7, Y0, Y0
	VADDPD   Y10, Y6, Y1
	VDIVPD   Y1, Y11, Y1
	VCMPPD   $30, Y12, Y6, Y7
	VANDPD   Y7, Y1, Y1
	VMULPD   Y0, Y2, Y2
	VMULPD   Y1, Y3, Y3
	VADDPD   Y3, Y2, Y7
	VADDPD   (R8)(AX*1), Y7, Y7
	VMOVUPD  Y7, (R8)(AX*1)
	VMULPD   Y0, Y2, Y2
	VMULPD   Y5, Y2, Y2
	VMULPD   Y1, Y3, Y3
	VMULPD   Y6, Y3, Y3
	VADDPD   Y3, Y2, Y2
	VADDPD   (R9)(AX*1), Y2, Y2
	VMOVUPD  Y2, (R9)(AX*1)
	ADDQ     $64, AX
	DECQ     CX
	JNZ      bin

	// The other half: the offset was 64 at first, and is odd in units of 32 there.
	MOVQ   n+16(FP), CX
	SHLQ   $6, CX
	SUBQ   CX, AX
	ADDQ   $32, R11
	ADDQ   $32, AX
	CMPQ   AX, $96
	JEQ    half
	VZEROUPPER
	RET

// func addHeldScoresAVX2(body, tail **Block, channels, n int, c *heldConst, grad *[8]float64, acc *uint64, num, den *float64)
//
// As addScoresAVX2, with DI the histograms of bodies and R14 those of tails.
// Y0 and Y1 the numerators of the two sides, Y2 and Y3 the denominators, Y5 to
// Y8 the gradients of body and tail left, then right, summed over channels; Y9
// the exponent of 2^52 in the upper halves, Y10 the sums of the body, Y13 those
// of the tail.
TEXT ·addHeldScoresAVX2(SB), NOSPLIT, $0-72
	MOVQ    body+0(FP), DI
	MOVQ    tail+8(FP), R14
	MOVQ    channels+16(FP), SI
	MOVQ    c+32(FP), DX
	MOVQ    grad+40(FP), R10
	MOVQ    acc+48(FP), R11
	MOVQ    num+56(FP), R8
	MOVQ    den+64(FP), R9
	VMOVDQU 96(DX), Y9
	MOVQ    $64, AX

heldhalf:
	MOVQ n+24(FP), CX

heldbin:
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
	VXORPD Y8, Y8, Y8
	XORQ   R12, R12
	XORQ   R13, R13
	XORQ   R15, R15

heldchannel:
	MOVQ    (DI)(R12*8), BX
	VMOVDQU (R11)(R13*1), Y10
	VPADDQ  (BX)(AX*1), Y10, Y10
	VMOVDQU Y10, (R11)(R13*1)
	VPSRLQ  $32, Y10, Y11
	VPOR    Y9, Y11, Y11
	VSUBPD  160(DX), Y11, Y11
	VMOVUPD (R10)(R15*1), Y12
	VSUBPD  Y11, Y12, Y12
	MOVQ    (R14)(R12*8), BX
	VMOVDQU 64(R11)(R13*1), Y13
	VPADDQ  (BX)(AX*1), Y13, Y13
	VMOVDQU Y13, 64(R11)(R13*1)
	VPSRLQ  $32, Y13, Y14
	VPOR    Y9, Y14, Y14
	VSUBPD  160(DX), Y14, Y14
	VMOVUPD 32(R10)(R15*1), Y15
	VSUBPD  Y14, Y15, Y15
	VADDPD  Y11, Y5, Y5
	VADDPD  Y14, Y6, Y6
	VADDPD  Y12, Y7, Y7
	VADDPD  Y15, Y8, Y8
	VMULPD  Y11, Y14, Y14
	VADDPD  Y14, Y0, Y0
	VMULPD  Y11, Y11, Y11
	VADDPD  Y11, Y2, Y2
	VMULPD  Y12, Y15, Y15
	VADDPD  Y15, Y1, Y1
	VMULPD  Y12, Y12, Y12
	VADDPD  Y12, Y3, Y3
	ADDQ    $128, R13
	ADDQ    $64, R15
	INCQ    R12
	CMPQ    R12, SI
	JLT     heldchannel

	VMOVDQU 192(DX), Y11 // the score that is less the sum of the others
	VMULPD  Y5, Y6, Y6
	VANDPD  Y11, Y6, Y6
	VADDPD  Y6, Y0, Y0
	VMULPD  Y5, Y5, Y5
	VANDPD  Y11, Y5, Y5
	VADDPD  Y5, Y2, Y2
	VMULPD  Y7, Y8, Y8
	VANDPD  Y11, Y8, Y8
	VADDPD  Y8, Y1, Y1
	VMULPD  Y7, Y7, Y7
	VANDPD  Y11, Y7, Y7
	VADDPD  Y7, Y3, Y3

	VPBLENDD $0xAA, Y9, Y10, Y10 // weights of the body left, right
	VSUBPD   128(DX), Y10, Y10
	VMOVUPD  (DX), Y11
	VSUBPD   Y10, Y11, Y11
	VPBLENDD $0xAA, Y9, Y13, Y13 // of the tail
	VSUBPD   128(DX), Y13, Y13
	VMOVUPD  224(DX), Y14
	VSUBPD   Y13, Y14, Y14
	VMOVUPD  64(DX), Y6          // 1/(w+lambda), 0 where w is
	VXORPD   Y7, Y7, Y7
	VADDPD   32(DX), Y10, Y5
	VDIVPD   Y5, Y6, Y5
	VCMPPD   $30, Y7, Y10, Y8
	VANDPD   Y8, Y5, Y5
	VADDPD   32(DX), Y11, Y12
	VDIVPD   Y12, Y6, Y12
	VCMPPD   $30, Y7, Y11, Y8
	VANDPD   Y8, Y12, Y12
	VMULPD   Y5, Y0, Y0
	VMULPD   Y12, Y1, Y1
	VADDPD   Y1, Y0, Y0
	VMULPD   256(DX), Y0, Y0
	VADDPD   (R8)(AX*1), Y0, Y0
	VMOVUPD  Y0, (R8)(AX*1)
	VMULPD   Y5, Y2, Y2
	VMULPD   Y5, Y2, Y2
	VMULPD   Y13, Y2, Y2
	VMULPD   Y12, Y3, Y3
	VMULPD   Y12, Y3, Y3
	VMULPD   Y14, Y3, Y3
	VADDPD   Y3, Y2, Y2
	VMULPD   256(DX), Y2, Y2
	VADDPD   (R9)(AX*1), Y2, Y2
	VMOVUPD  Y2, (R9)(AX*1)
	ADDQ     $64, AX
	DECQ     CX
	JNZ      heldbin

	MOVQ n+24(FP), CX
	SHLQ $6, CX
	SUBQ CX, AX
	ADDQ $32, R11
	ADDQ $32, AX
	CMPQ AX, $96
	JEQ  heldhalf
	VZEROUPPER
	RET

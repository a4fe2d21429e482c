#include "textflag.h"

// func logisticAVX2(score, y, w, grad, hess *float32, n int, sums *[16]float64)
//
// Eight rows a step, the operations of Exp32 and logisticGeneric one for one;
// n is a positive multiple of eight, w may be nil.
//
// AX score, BX y, DX w, SI g, DI h, CX rows left, R9 constants.
// Y0 x, then e^x; Y1 n; Y2 r, then q; Y3 p. Y4 to Y7 the sums of |g| (rows 0
// to 3, 4 to 7) and of h; Y15 1, Y14 the mask of the sign.
TEXT ·logisticAVX2(SB), NOSPLIT, $0-56
	MOVQ         score+0(FP), AX
	MOVQ         y+8(FP), BX
	MOVQ         w+16(FP), DX
	MOVQ         grad+24(FP), SI
	MOVQ         hess+32(FP), DI
	MOVQ         n+40(FP), CX
	MOVQ         sums+48(FP), R8
	LEAQ         gradConst<>(SB), R9
	VMOVUPD      (R8), Y4
	VMOVUPD      32(R8), Y5
	VMOVUPD      64(R8), Y6
	VMOVUPD      96(R8), Y7
	VBROADCASTSS 0(R9), Y14
	VBROADCASTSS 4(R9), Y15
	VBROADCASTSS 8(R9), Y13  // -87
	VBROADCASTSS 12(R9), Y12 // 88
	VBROADCASTSS 16(R9), Y11 // log2 e
	VBROADCASTSS 20(R9), Y10 // 1.5*2^23
	VBROADCASTSS 24(R9), Y9  // ln 2, upper part
	VBROADCASTSS 28(R9), Y8  // ln 2, lower part

rows:
	VXORPS       (AX), Y14, Y0
	VMAXPS       Y13, Y0, Y0
	VMINPS       Y12, Y0, Y0
	VMULPS       Y11, Y0, Y1
	VADDPS       Y10, Y1, Y1
	VSUBPS       Y10, Y1, Y1
	VMULPS       Y9, Y1, Y2
	VSUBPS       Y2, Y0, Y2
	VMULPS       Y8, Y1, Y3
	VSUBPS       Y3, Y2, Y2
	VBROADCASTSS 32(R9), Y3
	VMULPS       Y3, Y2, Y3
	VBROADCASTSS 36(R9), Y0
	VADDPS       Y0, Y3, Y3
	VMULPS       Y2, Y3, Y3
	VBROADCASTSS 40(R9), Y0
	VADDPS       Y0, Y3, Y3
	VMULPS       Y2, Y3, Y3
	VBROADCASTSS 44(R9), Y0
	VADDPS       Y0, Y3, Y3
	VMULPS       Y2, Y3, Y3
	VBROADCASTSS 48(R9), Y0
	VADDPS       Y0, Y3, Y3
	VMULPS       Y2, Y3, Y3
	VADDPS       Y15, Y3, Y3
	VMULPS       Y2, Y3, Y3
	VADDPS       Y15, Y3, Y3
	VCVTPS2DQ    Y1, Y1
	VPSLLD       $23, Y1, Y1
	VPADDD       Y15, Y1, Y1 // 127<<23 is the bits of 1
	VMULPS       Y3, Y1, Y0
	VADDPS       Y15, Y0, Y0
	VDIVPS       Y0, Y15, Y2 // q
	VSUBPS       (BX), Y2, Y0 // g
	VSUBPS       Y2, Y15, Y1
	VMULPS       Y1, Y2, Y1
	VBROADCASTSS 52(R9), Y3
	VMAXPS       Y3, Y1, Y1 // h
	TESTQ        DX, DX
	JE           store
	VMULPS       (DX), Y0, Y0
	VMULPS       (DX), Y1, Y1
	ADDQ         $32, DX

store:
	VMOVUPS      Y0, (SI)
	VMOVUPS      Y1, (DI)
	VANDNPS      Y0, Y14, Y0
	VEXTRACTF128 $1, Y0, X2
	VCVTPS2PD    X0, Y0
	VCVTPS2PD    X2, Y2
	VADDPD       Y0, Y4, Y4
	VADDPD       Y2, Y5, Y5
	VEXTRACTF128 $1, Y1, X2
	VCVTPS2PD    X1, Y1
	VCVTPS2PD    X2, Y2
	VADDPD       Y1, Y6, Y6
	VADDPD       Y2, Y7, Y7
	ADDQ         $32, AX
	ADDQ         $32, BX
	ADDQ         $32, SI
	ADDQ         $32, DI
	SUBQ         $8, CX
	JNZ          rows

	VMOVUPD Y4, (R8)
	VMOVUPD Y5, 32(R8)
	VMOVUPD Y6, 64(R8)
	VMOVUPD Y7, 96(R8)
	VZEROUPPER
	RET

DATA gradConst<>+0(SB)/4, $0x80000000
DATA gradConst<>+4(SB)/4, $0x3f800000  // 1
DATA gradConst<>+8(SB)/4, $0xc2ae0000  // -87
DATA gradConst<>+12(SB)/4, $0x42b00000 // 88
DATA gradConst<>+16(SB)/4, $0x3fb8aa3b // log2 e
DATA gradConst<>+20(SB)/4, $0x4b400000 // 12582912
DATA gradConst<>+24(SB)/4, $0x3f318000 // 0.693359375
DATA gradConst<>+28(SB)/4, $0xb95e8083 // -2.12194440e-4
DATA gradConst<>+32(SB)/4, $0x3ab60b61 // 1/720
DATA gradConst<>+36(SB)/4, $0x3c088889 // 1/120
DATA gradConst<>+40(SB)/4, $0x3d2aaaab // 1/24
DATA gradConst<>+44(SB)/4, $0x3e2aaaab // 1/6
DATA gradConst<>+48(SB)/4, $0x3f000000 // 1/2
DATA gradConst<>+52(SB)/4, $0x24e69595 // 1e-16
GLOBL gradConst<>(SB), RODATA|NOPTR, $56

// func quantiseAVX2(grad, hess *float32, n int, fg, fh float32, gh *uint64) uint64
//
// Four rows a step; n is a positive multiple of four. Y0 the sum, Y14 the mask
// of the sign, Y13 one half, Y12 2^52; X10 fg, X11 fh.
TEXT ·quantiseAVX2(SB), NOSPLIT, $0-48
	MOVQ         grad+0(FP), SI
	MOVQ         hess+8(FP), DI
	MOVQ         n+16(FP), CX
	MOVQ         gh+32(FP), R8
	VBROADCASTSS fg+24(FP), X10
	VBROADCASTSS fh+28(FP), X11
	VBROADCASTSD quantConst<>+0(SB), Y14
	VBROADCASTSD quantConst<>+8(SB), Y13
	VBROADCASTSD quantConst<>+16(SB), Y12
	VPXOR        Y0, Y0, Y0

quad:
	VMULPS     (SI), X10, X1
	VCVTPS2PD  X1, Y1
	VANDPD     Y14, Y1, Y2
	VORPD      Y13, Y2, Y2
	VADDPD     Y2, Y1, Y1
	VCVTTPD2DQY Y1, X1
	VPMOVSXDQ  X1, Y1
	VPSLLQ     $32, Y1, Y1
	VMULPS     (DI), X11, X2
	VCVTPS2PD  X2, Y2
	VADDPD     Y13, Y2, Y2
	VROUNDPD   $1, Y2, Y2
	VADDPD     Y12, Y2, Y2
	VPXOR      Y12, Y2, Y2
	VPADDQ     Y2, Y1, Y1
	VMOVDQU    Y1, (R8)
	VPADDQ     Y1, Y0, Y0
	ADDQ       $16, SI
	ADDQ       $16, DI
	ADDQ       $32, R8
	SUBQ       $4, CX
	JNZ        quad

	VEXTRACTI128 $1, Y0, X1
	VPADDQ       X1, X0, X0
	VPSRLDQ      $8, X0, X1
	VPADDQ       X1, X0, X0
	VMOVQ        X0, ret+40(FP)
	VZEROUPPER
	RET

DATA quantConst<>+0(SB)/8, $0x8000000000000000
DATA quantConst<>+8(SB)/8, $0x3fe0000000000000  // 1/2
DATA quantConst<>+16(SB)/8, $0x4330000000000000 // 2^52
GLOBL quantConst<>(SB), RODATA|NOPTR, $24

// func softExpAVX2(e, top, sum *float32, n int)
//
// e = Exp32(e - top) and sum += e, eight rows a step; n is a positive multiple
// of eight. Registers as in logisticAVX2.
TEXT ·softExpAVX2(SB), NOSPLIT, $0-32
	MOVQ         e+0(FP), AX
	MOVQ         top+8(FP), BX
	MOVQ         sum+16(FP), DX
	MOVQ         n+24(FP), CX
	LEAQ         gradConst<>(SB), R9
	VBROADCASTSS 4(R9), Y15
	VBROADCASTSS 8(R9), Y13
	VBROADCASTSS 12(R9), Y12
	VBROADCASTSS 16(R9), Y11
	VBROADCASTSS 20(R9), Y10
	VBROADCASTSS 24(R9), Y9
	VBROADCASTSS 28(R9), Y8
	VBROADCASTSS 32(R9), Y4
	VBROADCASTSS 36(R9), Y5
	VBROADCASTSS 40(R9), Y6
	VBROADCASTSS 44(R9), Y7
	VBROADCASTSS 48(R9), Y14

exps:
	VMOVUPS   (AX), Y0
	VSUBPS    (BX), Y0, Y0
	VMAXPS    Y13, Y0, Y0
	VMINPS    Y12, Y0, Y0
	VMULPS    Y11, Y0, Y1
	VADDPS    Y10, Y1, Y1
	VSUBPS    Y10, Y1, Y1
	VMULPS    Y9, Y1, Y2
	VSUBPS    Y2, Y0, Y2
	VMULPS    Y8, Y1, Y3
	VSUBPS    Y3, Y2, Y2
	VMULPS    Y4, Y2, Y3
	VADDPS    Y5, Y3, Y3
	VMULPS    Y2, Y3, Y3
	VADDPS    Y6, Y3, Y3
	VMULPS    Y2, Y3, Y3
	VADDPS    Y7, Y3, Y3
	VMULPS    Y2, Y3, Y3
	VADDPS    Y14, Y3, Y3
	VMULPS    Y2, Y3, Y3
	VADDPS    Y15, Y3, Y3
	VMULPS    Y2, Y3, Y3
	VADDPS    Y15, Y3, Y3
	VCVTPS2DQ Y1, Y1
	VPSLLD    $23, Y1, Y1
	VPADDD    Y15, Y1, Y1
	VMULPS    Y3, Y1, Y0
	VMOVUPS   Y0, (AX)
	VADDPS    (DX), Y0, Y0
	VMOVUPS   Y0, (DX)
	ADDQ      $32, AX
	ADDQ      $32, BX
	ADDQ      $32, DX
	SUBQ      $8, CX
	JNZ       exps
	VZEROUPPER
	RET

// func softGradAVX2(e, inv, y, w, grad, hess *float32, n int, class float32, sums *[16]float64)
//
// Eight rows a step; n is a positive multiple of eight, w may be nil. AX e, BX
// inv, R10 y, DX w, SI g, DI h. Y4 to Y7 the sums as in logisticAVX2; Y15 1,
// Y14 the mask of the sign, Y13 the class, Y12 the least hessian.
TEXT ·softGradAVX2(SB), NOSPLIT, $0-72
	MOVQ         e+0(FP), AX
	MOVQ         inv+8(FP), BX
	MOVQ         y+16(FP), R10
	MOVQ         w+24(FP), DX
	MOVQ         grad+32(FP), SI
	MOVQ         hess+40(FP), DI
	MOVQ         n+48(FP), CX
	MOVQ         sums+64(FP), R8
	LEAQ         gradConst<>(SB), R9
	VMOVUPD      (R8), Y4
	VMOVUPD      32(R8), Y5
	VMOVUPD      64(R8), Y6
	VMOVUPD      96(R8), Y7
	VBROADCASTSS 0(R9), Y14
	VBROADCASTSS 4(R9), Y15
	VBROADCASTSS class+56(FP), Y13
	VBROADCASTSS 52(R9), Y12

grads:
	VMOVUPS      (AX), Y2
	VMULPS       (BX), Y2, Y2 // q
	VCMPPS       $0, (R10), Y13, Y0
	VANDPS       Y15, Y0, Y0
	VSUBPS       Y0, Y2, Y0 // g
	VSUBPS       Y2, Y15, Y1
	VADDPS       Y2, Y2, Y2
	VMULPS       Y1, Y2, Y1 // h
	TESTQ        DX, DX
	JE           keep
	VMULPS       (DX), Y0, Y0
	VMULPS       (DX), Y1, Y1
	ADDQ         $32, DX

keep:
	VMAXPS       Y12, Y1, Y1
	VMOVUPS      Y0, (SI)
	VMOVUPS      Y1, (DI)
	VANDNPS      Y0, Y14, Y0
	VEXTRACTF128 $1, Y0, X2
	VCVTPS2PD    X0, Y0
	VCVTPS2PD    X2, Y2
	VADDPD       Y0, Y4, Y4
	VADDPD       Y2, Y5, Y5
	VEXTRACTF128 $1, Y1, X2
	VCVTPS2PD    X1, Y1
	VCVTPS2PD    X2, Y2
	VADDPD       Y1, Y6, Y6
	VADDPD       Y2, Y7, Y7
	ADDQ         $32, AX
	ADDQ         $32, BX
	ADDQ         $32, R10
	ADDQ         $32, SI
	ADDQ         $32, DI
	SUBQ         $8, CX
	JNZ          grads

	VMOVUPD Y4, (R8)
	VMOVUPD Y5, 32(R8)
	VMOVUPD Y6, 64(R8)
	VMOVUPD Y7, 96(R8)
	VZEROUPPER
	RET

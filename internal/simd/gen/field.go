package main

import (
	"fmt"
	"math"
	"strings"
)

// field emits the kernels of internal/simd/field: their tables, which are computed here, and their code, which has one form for AVX2 and
// AVX-512, because a number has at most 16 characters.
func field() []byte {
	s := newSource()
	every := func(b ...byte) func(int) byte { return func(i int) byte { return b[i%len(b)] } }
	s.table("zero", 16, every('0'))
	s.table("dot", 16, every('.'))
	s.table("nine", 16, every(9))
	s.table("minus", 16, every(0, 0, 0, 0, 0, 0, 0, 0x80))
	s.table("tens", 16, every(10, 1))                                    // bytes 10, 1
	s.table("hundreds", 16, every(100, 0, 1, 0))                         // words 100, 1
	s.table("myriads", 16, every(10000&0xff, 10000>>8, 1, 0))            // words 10000, 1
	s.table("last", 32, func(i int) byte { return byte(i / 16 * 0xff) }) // from n on: the last n of 16 bytes
	// Row p takes byte p out of 16 and moves those before it up, for p = 16 none.
	s.table("cut", 17*16, func(i int) byte {
		switch p, k := i/16, i%16; {
		case k > p || p == 16:
			return byte(k)
		case k > 0:
			return byte(k - 1)
		}
		return 0x80 // a zero
	})
	// Entry p is ten to the number of digits behind a point in place p of 16, for p = 16 one.
	s.table("power", 17*8, func(i int) byte {
		digits := 0
		if p := i / 8; p < 16 {
			digits = 15 - p
		}
		return byte(math.Float64bits(math.Pow10(digits)) >> (i % 8 * 8))
	})
	s.b.WriteString(indexCode)
	fmt.Fprintf(&s.b, decimalsCode, strings.Replace(numberCode, "OTHER", "signed", 1), strings.Replace(numberCode, "OTHER", "done", 1))
	return s.b.Bytes()
}

// table writes n bytes of read-only data.
func (s *source) table(name string, n int, at func(i int) byte) {
	s.b.WriteByte('\n')
	for i := 0; i < n; i += 8 {
		w := uint64(0)
		for k := range 8 {
			w |= uint64(at(i+k)) << (8 * k)
		}
		fmt.Fprintf(&s.b, "DATA %s<>+%d(SB)/8, $0x%016x\n", name, i, w)
	}
	fmt.Fprintf(&s.b, "GLOBL %s<>(SB), RODATA|NOPTR, $%d\n", name, n)
}

// indexCode looks at 64 characters in each round: a bit for every separator and line end in R8, whose places are written eight at a time
// without looking how many there are.
const indexCode = `
// func indexAVX2(ends *uint32, room int, text *byte, from, blocks int, sep byte, found *Found)
TEXT ·indexAVX2(SB), NOSPLIT, $0-56
	MOVQ         ends+0(FP), DI
	MOVQ         room+8(FP), BX
	MOVQ         text+16(FP), SI
	MOVQ         from+24(FP), DX
	MOVQ         blocks+32(FP), CX
	VPBROADCASTB sep+40(FP), Y0
	MOVL         $10, AX
	VMOVD        AX, X1
	VPBROADCASTB X1, Y1
	MOVL         $34, AX
	VMOVD        AX, X2
	VPBROADCASTB X2, Y2
	VPXOR        Y3, Y3, Y3 // quotes so far
	LEAQ         -256(DI)(BX*4), BX // the last place with room for 64
	MOVQ         DI, R15
	XORL         R13, R13 // lines
	TESTQ        CX, CX
	JE           done

block:
	CMPQ         DI, BX
	JHI          done
	VMOVDQU      (SI)(DX*1), Y4
	VMOVDQU      32(SI)(DX*1), Y5
	VPCMPEQB     Y4, Y0, Y6
	VPCMPEQB     Y5, Y0, Y7
	VPCMPEQB     Y4, Y1, Y8
	VPCMPEQB     Y5, Y1, Y9
	VPCMPEQB     Y4, Y2, Y4
	VPCMPEQB     Y5, Y2, Y5
	VPOR         Y4, Y3, Y3
	VPOR         Y5, Y3, Y3
	VPOR         Y8, Y6, Y6
	VPOR         Y9, Y7, Y7
	VPMOVMSKB    Y6, R8
	VPMOVMSKB    Y7, R9
	VPMOVMSKB    Y8, R10
	VPMOVMSKB    Y9, R11
	SHLQ         $32, R9
	ORQ          R9, R8
	SHLQ         $32, R11
	ORQ          R11, R10
	POPCNTQ      R10, R10
	ADDQ         R10, R13
	POPCNTQ      R8, R12
	LEAQ         (DI)(R12*4), R12 // where the next round writes

eight:
	TZCNTQ       R8, R9
	BLSRQ        R8, R8
	TZCNTQ       R8, R10
	BLSRQ        R8, R8
	ADDL         DX, R9
	ADDL         DX, R10
	MOVL         R9, (DI)
	MOVL         R10, 4(DI)
	TZCNTQ       R8, R9
	BLSRQ        R8, R8
	TZCNTQ       R8, R10
	BLSRQ        R8, R8
	ADDL         DX, R9
	ADDL         DX, R10
	MOVL         R9, 8(DI)
	MOVL         R10, 12(DI)
	TZCNTQ       R8, R9
	BLSRQ        R8, R8
	TZCNTQ       R8, R10
	BLSRQ        R8, R8
	ADDL         DX, R9
	ADDL         DX, R10
	MOVL         R9, 16(DI)
	MOVL         R10, 20(DI)
	TZCNTQ       R8, R9
	BLSRQ        R8, R8
	TZCNTQ       R8, R10
	BLSRQ        R8, R8
	ADDL         DX, R9
	ADDL         DX, R10
	MOVL         R9, 24(DI)
	MOVL         R10, 28(DI)
	ADDQ         $32, DI
	TESTQ        R8, R8
	JNE          eight
	MOVQ         R12, DI
	ADDQ         $64, DX
	DECQ         CX
	JNE          block

done:
	VPMOVMSKB    Y3, AX
	VZEROUPPER
	MOVQ         found+48(FP), CX
	SUBQ         R15, DI
	SHRQ         $2, DI
	MOVQ         DI, (CX)
	MOVQ         DX, 8(CX)
	MOVQ         R13, 16(CX)
	TESTL        AX, AX
	SETNE        24(CX)
	RET
`

// decimalsCode is the frame of the loop over numbers. A number with other characters than digits and points is tried again without a
// sign.
const decimalsCode = `
// func decimalsAVX2(dst *float64, n int, text *byte, size int, ends *uint32, stride, trim int) int
TEXT ·decimalsAVX2(SB), NOSPLIT, $0-64
	MOVQ         dst+0(FP), DI
	MOVQ         n+8(FP), CX
	MOVQ         text+16(FP), SI
	MOVQ         size+24(FP), BX
	MOVQ         ends+32(FP), R8
	MOVQ         stride+40(FP), R9
	MOVQ         trim+48(FP), R10
	SHLQ         $2, R9
	SUBQ         $16, BX // the last place of 16 characters
	MOVQ         CX, R15
	MOVQ         $0x20000000000000, R14
	LEAQ         last<>+0(SB), R11
	LEAQ         cut<>+0(SB), R12
	LEAQ         power<>+0(SB), R13
	VMOVDQU      zero<>+0(SB), X15
	VMOVDQU      dot<>+0(SB), X14
	VMOVDQU      nine<>+0(SB), X13
	VMOVDQU      tens<>+0(SB), X12
	VMOVDQU      hundreds<>+0(SB), X11
	VMOVDQU      myriads<>+0(SB), X10
	VPXOR        X9, X9, X9
	VMOVDQU      minus<>+0(SB), X8

number:
	MOVL         4(R8), DX
	SUBL         R10, DX // end
	MOVL         DX, AX
	SUBL         (R8), AX // length + 1
	SUBQ         $16, DX
	CMPQ         DX, BX
	JHI          done
	VMOVDQU      (SI)(DX*1), X0
	LEAL         -2(AX), DX
	CMPL         DX, $15
	JHI          done
%s
	VMOVSD       X0, (DI)

next:
	LEAQ         (R8)(R9*1), R8
	ADDQ         $8, DI
	DECQ         CX
	JNE          number

done:
	SUBQ         CX, R15
	MOVQ         R15, ret+56(FP)
	RET

signed:
	MOVL         (R8), DX
	CMPB         1(SI)(DX*1), $45
	JNE          done
	DECL         AX
	CMPL         AX, $2
	JLT          done
	LEAQ         (DX)(AX*1), DX // one less than the end
	VMOVDQU      -15(SI)(DX*1), X0
%s
	VXORPD       X8, X0, X0
	VMOVSD       X0, (DI)
	JMP          next
`

// numberCode reads one number: the 16 characters that end with it, in X0, are compared with digits and points, those before it are cleared,
// the point is cut out, and the digits are added up in pairs, fours and eights. AX is the length plus one.
const numberCode = `	VMOVDQU      -1(R11)(AX*1), X1 // the field's bytes
	VPCMPEQB     X0, X14, X2 // points
	VPSUBB       X15, X0, X0 // digits
	VPMINUB      X13, X0, X3
	VPCMPEQB     X0, X3, X3
	VPOR         X2, X3, X3
	VPANDN       X1, X3, X3 // neither
	VPTEST       X3, X3
	JNE          OTHER
	VPAND        X1, X2, X2
	VPAND        X1, X0, X0
	VPMOVMSKB    X2, AX
	BLSRL        AX, DX
	JNE          done // two points
	CMPL         AX, $0x8000
	JEQ          done // a point and no digit behind it
	ORL          $0x10000, AX
	TZCNTL       AX, AX // the place of the point
	MOVL         AX, DX
	SHLL         $4, DX
	VPSHUFB      (R12)(DX*1), X0, X0
	VPMADDUBSW   X12, X0, X0
	VPMADDWD     X11, X0, X0
	VPACKUSDW    X0, X0, X0
	VPMADDWD     X10, X0, X0
	VMOVQ        X0, DX // eight digits, and the eight before them
	VMOVSD       (R13)(AX*8), X1
	MOVL         DX, AX
	SHRQ         $32, DX
	IMULQ        $100000000, AX
	ADDQ         DX, AX
	CMPQ         AX, R14
	JHI          done
	VCVTSI2SDQ   AX, X9, X0
	VDIVSD       X1, X0, X0`

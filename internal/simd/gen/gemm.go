package main

import "fmt"

// tile is one family of matrix kernels: up to rows×vectors registers hold a piece of C.
type tile struct{ vectors, rows int }

// tiles lists the families of a machine; internal/simd/gemm chooses among them. The registers that are left hold vectors of B, a value of
// A and, with AVX2, a mask.
func tiles(m machine) []tile {
	if m.lanes == 16 {
		return []tile{{1, 14}, {2, 12}, {3, 8}, {4, 6}}
	}
	return []tile{{1, 12}, {2, 6}, {4, 2}}
}

// gemm emits the kernels of internal/simd/gemm. Each walks down the rows of a panel of C that is a few vectors wide and sums the products
// of a whole block of k in registers, in order, with fused multiply-add.
func gemm() []byte {
	s := newSource()
	for _, m := range machines() {
		for _, t := range tiles(m) {
			panel(s, m, t, false)
			if m.lanes == 8 { // AVX-512 masks every last vector: it costs nothing
				panel(s, m, t, true)
			}
		}
	}
	return s.b.Bytes()
}

// panelName is the Go name of a kernel.
func panelName(m machine, t tile, masked bool) string {
	name := fmt.Sprintf("panel%d%s", t.vectors, m.name)
	if masked {
		name += "Masked"
	}
	return name
}

// panel: registers 0 to rows·vectors−1 sum C, the highest hold B, then A. SI, R13, R14 and AX point to rows 0, 4, 8 and 12 of A, DI walks
// down B, DX down C; BX counts rows, CX the steps of k.
func panel(s *source, m machine, t tile, masked bool) {
	name := panelName(m, t, masked)
	s.frame(name, 8, 96, "func "+name+"(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, add int)")
	s.op("MOVQ", "m+0(FP)", "BX")
	s.op("MOVQ", "a+24(FP)", "AX")
	s.op("MOVQ", "AX", "at-8(SP)")
	s.op("MOVQ", "rsa+32(FP)", "R8")
	s.op("MOVQ", "csa+40(FP)", "R9")
	s.op("MOVQ", "rsb+56(FP)", "R10")
	s.op("MOVQ", "c+64(FP)", "DX")
	s.op("MOVQ", "rsc+72(FP)", "R11")
	s.op("MOVQ", "mask+80(FP)", "AX")
	maskReg := ""
	switch {
	case m.lanes == 16:
		s.op("MOVL", "(AX)", "CX")
		s.op("KMOVW", "CX", "K1")
		maskReg = "K1"
	case masked:
		maskReg = m.reg(15)
		s.op("VMOVDQU", "(AX)", maskReg)
	}
	s.op("LEAQ", "(R8)(R8*2)", "R12")
	s.label("choose")
	s.op("TESTQ", "BX", "BX")
	s.op("JLE", "done")
	s.op("MOVQ", "mr+8(FP)", "CX")
	s.op("CMPQ", "BX", "CX")
	s.op("CMOVQLT", "BX", "CX")
	for r := t.rows; r > 1; r-- {
		s.op("CMPQ", "CX", imm(r))
		s.op("JEQ", fmt.Sprintf("rows%d", r))
	}
	for r := 1; r <= t.rows; r++ {
		rows(s, m, t, r, masked, maskReg)
	}
	s.label("done")
	s.op("VZEROUPPER")
	s.op("RET")
}

// rows emits the code for r rows of C.
func rows(s *source, m machine, t tile, r int, masked bool, mask string) {
	nv := t.vectors
	pointers := []string{"SI", "R13", "R14", "AX"}
	groups := (r + 3) / 4
	top := 31
	if m.lanes == 8 {
		top = 14 // 15 is the mask
	}
	sum := func(i, j int) string { return m.reg(i*nv + j) }
	vb := func(j int) string { return m.reg(top - j) }
	va := func(i int) string {
		if r*nv+nv+2 <= top+1 {
			return m.reg(top - nv - i%2)
		}
		return m.reg(top - nv)
	}
	zero := "VXORPS"
	if m.lanes == 16 {
		zero = "VPXORQ"
	}
	last := func(j int) bool { return j == nv-1 && mask != "" }
	loop := fmt.Sprintf("loop%d", r)

	s.label(fmt.Sprintf("rows%d", r))
	s.op("MOVQ", "at-8(SP)", "SI")
	for g := 1; g < groups; g++ {
		s.op("LEAQ", fmt.Sprintf("(%s)(R8*4)", pointers[g-1]), pointers[g])
	}
	s.op("MOVQ", "b+48(FP)", "DI")
	s.op("MOVQ", "k+16(FP)", "CX")
	for i := range r {
		for j := range nv {
			s.op(zero, sum(i, j), sum(i, j), sum(i, j))
		}
	}
	s.op("PCALIGN", "$32")
	s.label(loop)
	for j := range nv {
		at := mem(j*m.bytes(), "DI")
		switch {
		case last(j) && m.lanes == 16:
			s.op("VMOVUPS.Z", at, mask, vb(j))
		case last(j):
			s.op("VMASKMOVPS", at, mask, vb(j))
		default:
			s.op("VMOVUPS", at, vb(j))
		}
	}
	for i := range r {
		p := pointers[i/4]
		at := [4]string{"(" + p + ")", "(" + p + ")(R8*1)", "(" + p + ")(R8*2)", "(" + p + ")(R12*1)"}[i%4]
		s.op("VBROADCASTSS", at, va(i))
		for j := range nv {
			s.op("VFMADD231PS", va(i), vb(j), sum(i, j))
		}
	}
	for g := range groups {
		s.op("ADDQ", "R9", pointers[g])
	}
	s.op("ADDQ", "R10", "DI")
	s.op("DECQ", "CX")
	s.op("JNZ", loop)

	s.op("CMPQ", "add+88(FP)", "$0")
	s.op("JEQ", fmt.Sprintf("store%d", r))
	s.op("MOVQ", "DX", "DI")
	spare := vb(0)
	for i := range r {
		for j := range nv {
			at := mem(j*m.bytes(), "DI")
			switch {
			case last(j) && m.lanes == 16:
				s.op("VMOVUPS.Z", at, mask, spare)
				s.op("VADDPS", spare, sum(i, j), sum(i, j))
			case last(j):
				s.op("VMASKMOVPS", at, mask, spare)
				s.op("VADDPS", spare, sum(i, j), sum(i, j))
			default:
				s.op("VADDPS", at, sum(i, j), sum(i, j))
			}
		}
		if i < r-1 {
			s.op("ADDQ", "R11", "DI")
		}
	}
	s.label(fmt.Sprintf("store%d", r))
	for i := range r {
		for j := range nv {
			at := mem(j*m.bytes(), "DX")
			switch {
			case last(j) && m.lanes == 16:
				s.op("VMOVUPS", sum(i, j), mask, at)
			case last(j):
				s.op("VMASKMOVPS", sum(i, j), mask, at)
			default:
				s.op("VMOVUPS", sum(i, j), at)
			}
		}
		s.op("ADDQ", "R11", "DX")
	}
	s.op("IMUL3Q", imm(r), "R8", "CX")
	s.op("ADDQ", "CX", "at-8(SP)")
	s.op("SUBQ", imm(r), "BX")
	s.op("JMP", "choose")
}

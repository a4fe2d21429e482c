package main

// normRows emits the kernels of internal/simd/vec that normalise the rows of a matrix whose width is a multiple of 16. Sums run in 16
// lanes on every path, merged as a tree.
func normRows() []byte {
	s := newSource()
	for _, m := range machines() {
		normForward(s, m)
		normBackward(s, m)
	}
	return s.b.Bytes()
}

// offset is an address with the offset of a block in R13.
func offset(i int, m machine, base string) string { return mem(i*m.bytes(), base) + "(R13*1)" }

// eachBlock emits a loop over the blocks of 16 values of a row, whose bytes are in R12.
func eachBlock(s *source, label string, body func()) {
	s.op("XORQ", "R13", "R13")
	s.op("PCALIGN", "$32")
	s.label(label)
	body()
	s.op("ADDQ", "$64", "R13")
	s.op("CMPQ", "R13", "R12")
	s.op("JLT", label)
}

// merge adds up the 16 lanes that begin in register r and leaves the sum in the lowest lane of r; t is scratch.
func merge(s *source, m machine, r, t int) {
	y := machines()[0]
	x := machine{prefix: "X"}
	if m.lanes == 16 {
		s.op("VEXTRACTF64X4", "$1", m.reg(r), y.reg(t))
		s.op("VADDPS", y.reg(t), y.reg(r), y.reg(r))
	} else {
		s.op("VADDPS", y.reg(r+1), y.reg(r), y.reg(r))
	}
	s.op("VEXTRACTF128", "$1", y.reg(r), x.reg(t))
	s.op("VADDPS", x.reg(t), x.reg(r), x.reg(r))
	s.op("VPERMILPS", "$0xEE", x.reg(r), x.reg(t))
	s.op("VADDPS", x.reg(t), x.reg(r), x.reg(r))
	s.op("VPERMILPS", "$0x55", x.reg(r), x.reg(t))
	s.op("VADDPS", x.reg(t), x.reg(r), x.reg(r))
}

func normForward(s *source, m machine) {
	s.text("normRows"+m.name, 80, "func normRows"+m.name+"(x, gain, bias, hat, y, inv *float32, rows, bytes int, one, share, centre, eps float32)")
	for i, r := range []string{"SI", "DI", "DX", "R8", "R9", "R10", "R11", "R12"} {
		s.op("MOVQ", []string{"x+0(FP)", "gain+8(FP)", "bias+16(FP)", "hat+24(FP)", "y+32(FP)", "inv+40(FP)", "rows+48(FP)", "bytes+56(FP)"}[i], r)
	}
	const sum, t, mean, invr, one, share, centre, eps, v = 0, 2, 3, 4, 5, 6, 7, 8, 9
	for i, r := range []int{one, share, centre, eps} {
		s.op("VMOVSS", []string{"one+64(FP)", "share+68(FP)", "centre+72(FP)", "eps+76(FP)"}[i], machine{prefix: "X"}.reg(r))
	}
	x := machine{prefix: "X"}
	parts := 16 / m.lanes
	s.label("row")
	for i := range parts {
		s.op("VXORPS", m.reg(sum+i), m.reg(sum+i), m.reg(sum+i))
	}
	eachBlock(s, "sum", func() {
		for i := range parts {
			s.op("VADDPS", offset(i, m, "SI"), m.reg(sum+i), m.reg(sum+i))
		}
	})
	merge(s, m, sum, t)
	s.op("VMULSS", x.reg(centre), x.reg(sum), x.reg(sum))
	s.op("VBROADCASTSS", x.reg(sum), m.reg(mean))
	for i := range parts {
		s.op("VXORPS", m.reg(sum+i), m.reg(sum+i), m.reg(sum+i))
	}
	eachBlock(s, "square", func() {
		for i := range parts {
			s.op("VMOVUPS", offset(i, m, "SI"), m.reg(v+i))
			s.op("VSUBPS", m.reg(mean), m.reg(v+i), m.reg(v+i))
			s.op("VMOVUPS", m.reg(v+i), offset(i, m, "R8"))
			s.op("VMULPS", m.reg(v+i), m.reg(v+i), m.reg(v+i))
			s.op("VADDPS", m.reg(v+i), m.reg(sum+i), m.reg(sum+i))
		}
	})
	merge(s, m, sum, t)
	s.op("VMULSS", x.reg(share), x.reg(sum), x.reg(sum))
	s.op("VADDSS", x.reg(eps), x.reg(sum), x.reg(sum))
	s.op("VSQRTSS", x.reg(sum), x.reg(sum), x.reg(sum))
	s.op("VDIVSS", x.reg(sum), x.reg(one), x.reg(sum))
	s.op("VMOVSS", x.reg(sum), "(R10)")
	s.op("VBROADCASTSS", x.reg(sum), m.reg(invr))
	eachBlock(s, "store", func() {
		for i := range parts {
			s.op("VMULPS", offset(i, m, "R8"), m.reg(invr), m.reg(v+i))
			s.op("VMOVUPS", m.reg(v+i), offset(i, m, "R8"))
			s.op("VMULPS", offset(i, m, "DI"), m.reg(v+i), m.reg(v+i))
			s.op("VADDPS", offset(i, m, "DX"), m.reg(v+i), m.reg(v+i))
			s.op("VMOVUPS", m.reg(v+i), offset(i, m, "R9"))
		}
	})
	for _, r := range []string{"SI", "R8", "R9"} {
		s.op("ADDQ", "R12", r)
	}
	s.op("ADDQ", "$4", "R10")
	s.op("DECQ", "R11")
	s.op("JNE", "row")
	s.op("VZEROUPPER")
	s.op("RET")
}

func normBackward(s *source, m machine) {
	s.text("normRowsGrad"+m.name, 88, "func normRowsGrad"+m.name+"(dy, hat, gain, inv, dx, dgain, dbias *float32, rows, bytes, add int, share, centre float32)")
	for i, r := range []string{"SI", "R8", "DI", "R10", "R9", "DX", "BX", "R11", "R12", "AX"} {
		s.op("MOVQ", []string{"dy+0(FP)", "hat+8(FP)", "gain+16(FP)", "inv+24(FP)", "dx+32(FP)", "dgain+40(FP)", "dbias+48(FP)", "rows+56(FP)", "bytes+64(FP)", "add+72(FP)"}[i], r)
	}
	const sum, slope, t, mean, inv, share, centre, u, h = 0, 2, 4, 5, 6, 7, 8, 9, 11
	x := machine{prefix: "X"}
	s.op("VMOVSS", "share+80(FP)", x.reg(share))
	s.op("VMOVSS", "centre+84(FP)", x.reg(centre))
	parts := 16 / m.lanes
	s.label("row")
	for i := range parts {
		s.op("VXORPS", m.reg(sum+i), m.reg(sum+i), m.reg(sum+i))
		s.op("VXORPS", m.reg(slope+i), m.reg(slope+i), m.reg(slope+i))
	}
	eachBlock(s, "sum", func() {
		for i := range parts {
			s.op("VMOVUPS", offset(i, m, "SI"), m.reg(u+i))
			s.op("VMOVUPS", offset(i, m, "R8"), m.reg(h+i))
			s.op("VADDPS", offset(i, m, "BX"), m.reg(u+i), m.reg(t)) // dbias
			s.op("VMOVUPS", m.reg(t), offset(i, m, "BX"))
			s.op("VMULPS", m.reg(u+i), m.reg(h+i), m.reg(t)) // dgain
			s.op("VADDPS", offset(i, m, "DX"), m.reg(t), m.reg(t))
			s.op("VMOVUPS", m.reg(t), offset(i, m, "DX"))
			s.op("VMULPS", offset(i, m, "DI"), m.reg(u+i), m.reg(u+i))
			s.op("VADDPS", m.reg(u+i), m.reg(sum+i), m.reg(sum+i))
			s.op("VMULPS", m.reg(u+i), m.reg(h+i), m.reg(h+i))
			s.op("VADDPS", m.reg(h+i), m.reg(slope+i), m.reg(slope+i))
		}
	})
	merge(s, m, sum, t)
	merge(s, m, slope, t)
	s.op("VMULSS", x.reg(centre), x.reg(sum), x.reg(sum))
	s.op("VMULSS", x.reg(share), x.reg(slope), x.reg(slope))
	s.op("VBROADCASTSS", x.reg(sum), m.reg(mean))
	s.op("VBROADCASTSS", x.reg(slope), m.reg(slope))
	s.op("VBROADCASTSS", "(R10)", m.reg(inv))
	eachBlock(s, "store", func() {
		for i := range parts {
			s.op("VMOVUPS", offset(i, m, "SI"), m.reg(u+i))
			s.op("VMULPS", offset(i, m, "DI"), m.reg(u+i), m.reg(u+i))
			s.op("VSUBPS", m.reg(mean), m.reg(u+i), m.reg(u+i))
			s.op("VMULPS", offset(i, m, "R8"), m.reg(slope), m.reg(t))
			s.op("VSUBPS", m.reg(t), m.reg(u+i), m.reg(u+i))
			s.op("VMULPS", m.reg(inv), m.reg(u+i), m.reg(u+i))
		}
		s.op("TESTQ", "AX", "AX")
		s.op("JEQ", "write")
		for i := range parts {
			s.op("VADDPS", offset(i, m, "R9"), m.reg(u+i), m.reg(u+i))
		}
		s.label("write")
		for i := range parts {
			s.op("VMOVUPS", m.reg(u+i), offset(i, m, "R9"))
		}
	})
	for _, r := range []string{"SI", "R8", "R9"} {
		s.op("ADDQ", "R12", r)
	}
	s.op("ADDQ", "$4", "R10")
	s.op("DECQ", "R11")
	s.op("JNE", "row")
	s.op("VZEROUPPER")
	s.op("RET")
}

package main

// The product of a single row is as fast as its weights come from the caches: there is nothing to multiply them with twice.

const (
	rowColumns = 64 // of a panel
	rowUnroll  = 4  // values of the row that are multiplied in a turn
)

// rowProduct adds to registers 0 to nv−1, which hold a row of a panel, the products of the row at pointer a with the rows of B at pointer b.
// CX is the number of values, and at the label end what is left, less rowUnroll.
func rowProduct(s *source, m machine, a, b, end string) {
	nv := rowColumns / m.lanes
	four := "VBROADCASTF128"
	if m.lanes == 16 {
		four = "VBROADCASTF32X4"
	}
	s.op("SUBQ", imm(rowUnroll), "CX")
	s.op("JLT", end)
	s.op("PCALIGN", "$32")
	s.label("turn")
	s.op(four, mem(0, a), m.reg(nv+rowUnroll)) // four values by one load: loads are the limit
	for u := range rowUnroll {
		s.op("VPERMILPS", imm(0x55*u), m.reg(nv+rowUnroll), m.reg(nv+u))
		rowTimes(s, m, u, b)
	}
	s.op("ADDQ", imm(4*rowUnroll), a)
	s.op("ADDQ", imm(4*rowColumns*rowUnroll), b)
	s.op("SUBQ", imm(rowUnroll), "CX")
	s.op("JGE", "turn")
	s.label(end)
}

// rowTimes adds the products of value u of a turn, in a register of its own, with its row of B.
func rowTimes(s *source, m machine, u int, b string) {
	nv := rowColumns / m.lanes
	for j := range nv {
		s.op("VFMADD231PS", mem(m.bytes()*(nv*u+j), b), m.reg(nv+u), m.reg(j))
	}
}

// rowPanels emits the product of a row that begins with the sums of another one, through panels that are next bytes of B apart, forwards or
// backwards.
func rowPanels(s *source, m machine) {
	nv := rowColumns / m.lanes
	name := "rowPanels" + m.name
	s.text(name, 64, "func "+name+"(k int, a, b, from, c *float32, panels, nextB, nextC int)")
	s.op("MOVQ", "b+16(FP)", "DX")
	s.op("MOVQ", "from+24(FP)", "R12")
	s.op("MOVQ", "c+32(FP)", "R8")
	s.op("MOVQ", "panels+40(FP)", "R9")
	s.op("MOVQ", "nextB+48(FP)", "R10")
	s.op("MOVQ", "nextC+56(FP)", "R11")
	s.op("PCALIGN", "$32")
	s.label("panel")
	s.op("MOVQ", "k+0(FP)", "CX")
	s.op("MOVQ", "a+8(FP)", "SI")
	s.op("MOVQ", "DX", "DI")
	for j := range nv {
		s.op("VMOVUPS", mem(m.bytes()*j, "R12"), m.reg(j))
	}
	rowProduct(s, m, "SI", "DI", "rest")
	s.op("ADDQ", imm(rowUnroll), "CX")
	s.op("JEQ", "store")
	s.label("single")
	s.op("VBROADCASTSS", mem(0, "SI"), m.reg(nv))
	rowTimes(s, m, 0, "DI")
	s.op("ADDQ", "$4", "SI")
	s.op("ADDQ", imm(4*rowColumns), "DI")
	s.op("DECQ", "CX")
	s.op("JNZ", "single")
	s.label("store")
	for j := range nv {
		s.op("VMOVUPS", m.reg(j), mem(m.bytes()*j, "R8"))
	}
	s.op("ADDQ", "R10", "DX")
	s.op("ADDQ", "R11", "R12")
	s.op("ADDQ", "R11", "R8")
	s.op("DECQ", "R9")
	s.op("JNZ", "panel")
	s.op("VZEROUPPER")
	s.op("RET")
}

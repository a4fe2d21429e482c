package main

// dotLanes is the number of running sums of the dot product; internal/simd/vec has the same constant.
const dotLanes = 64

// vec emits the kernels of internal/simd/vec. They multiply and add in two steps: a fused step would save rounding errors and time, but
// would give other bits than plain Go.
func vec() []byte {
	s := newSource()
	for _, m := range machines() {
		dot(s, m)
		axpy(s, m)
	}
	return s.b.Bytes()
}

// dot: lane j of the sums takes the elements j, j+64, j+128, … in this order.
func dot(s *source, m machine) {
	s.text("dot"+m.name, 32, "func dot"+m.name+"(a, b *float32, blocks int, sums *[64]float32)")
	s.op("MOVQ", "a+0(FP)", "SI")
	s.op("MOVQ", "b+8(FP)", "DI")
	s.op("MOVQ", "blocks+16(FP)", "CX")
	s.op("MOVQ", "sums+24(FP)", "DX")
	n := dotLanes / m.lanes
	for i := range n {
		s.op("VMOVUPS", mem(i*m.bytes(), "DX"), m.reg(i))
	}
	s.op("TESTQ", "CX", "CX")
	s.op("JLE", "done")
	s.label("block")
	for i := range n {
		s.op("VMOVUPS", mem(i*m.bytes(), "SI"), m.reg(n+i))
	}
	for i := range n {
		s.op("VMULPS", mem(i*m.bytes(), "DI"), m.reg(n+i), m.reg(n+i))
	}
	for i := range n {
		s.op("VADDPS", m.reg(n+i), m.reg(i), m.reg(i))
	}
	s.op("ADDQ", imm(4*dotLanes), "SI")
	s.op("ADDQ", imm(4*dotLanes), "DI")
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.label("done")
	for i := range n {
		s.op("VMOVUPS", m.reg(i), mem(i*m.bytes(), "DX"))
	}
	s.op("VZEROUPPER")
	s.op("RET")
}

// axpyUnroll is the number of registers that one round of axpy handles.
const axpyUnroll = 2

// axpy: y[i] += alpha·x[i] in blocks of two registers.
func axpy(s *source, m machine) {
	s.text("axpy"+m.name, 32, "func axpy"+m.name+"(alpha float32, x, y *float32, blocks int)")
	s.op("VBROADCASTSS", "alpha+0(FP)", m.reg(0))
	s.op("MOVQ", "x+8(FP)", "SI")
	s.op("MOVQ", "y+16(FP)", "DI")
	s.op("MOVQ", "blocks+24(FP)", "CX")
	s.op("TESTQ", "CX", "CX")
	s.op("JLE", "done")
	s.label("block")
	for i := range axpyUnroll {
		s.op("VMULPS", mem(i*m.bytes(), "SI"), m.reg(0), m.reg(1+i))
	}
	for i := range axpyUnroll {
		s.op("VADDPS", mem(i*m.bytes(), "DI"), m.reg(1+i), m.reg(1+i))
	}
	for i := range axpyUnroll {
		s.op("VMOVUPS", m.reg(1+i), mem(i*m.bytes(), "DI"))
	}
	s.op("ADDQ", imm(axpyUnroll*m.bytes()), "SI")
	s.op("ADDQ", imm(axpyUnroll*m.bytes()), "DI")
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.label("done")
	s.op("VZEROUPPER")
	s.op("RET")
}

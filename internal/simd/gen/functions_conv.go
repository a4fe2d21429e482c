package main

import "fmt"

// poolFunctions are the kernels of pooling.
func poolFunctions() []*function { return []*function{maxIndex(), routeGrad()} }

func maxIndex() *function {
	f := &function{name: "MaxIndex", ins: []string{"x", "best", "index"}, outs: []string{"best1", "index1"}, params: []string{"k"},
		doc: "keeps a running maximum and where it was found: where x is above best, best1 is x and index1 is k; elsewhere\nthey are best and index, so that the first of equal values counts. best1 and index1 may be best and index."}
	above := f.less(f.in(1), f.in(0))
	f.results = []val{f.pick(above, f.in(0), f.in(1)), f.pick(above, f.param(0), f.in(2))}
	return f
}

func routeGrad() *function {
	f := &function{name: "RouteGrad", ins: []string{"index", "dy", "dx"}, outs: []string{"dx1"}, params: []string{"k"},
		doc: "is the gradient of [MaxIndex]: dx1 is dx + dy where index is k, a whole number, and dx + 0 elsewhere. dx1 may be dx."}
	here := f.less(f.abs(f.sub(f.in(0), f.param(0))), f.num(0.5))
	f.results = []val{f.add(f.in(2), f.pick(here, f.in(1), f.num(0)))}
	return f
}

// correlateTiles are the numbers of rows that the kernels of a correlation compute at once.
func correlateTiles() []int { return []int{8, 4, 2, 1} }

// correlate emits the kernels of vec.Correlate.
func correlate() []byte {
	s := newSource()
	for _, m := range machines() {
		for _, rows := range correlateTiles() {
			correlateTile(s, m, rows)
		}
	}
	return s.b.Bytes()
}

// correlateTile: registers 0 to rows−1 sum rows of y, those from 8 on hold products, the last one a row of w. AX, BX and DX stay at the first
// row of w, x and y of a strip of channels; SI walks down w, DI and R13 down x, four rows of the tile each.
func correlateTile(s *source, m machine, rows int) {
	name := fmt.Sprintf("correlate%d%s", rows, m.name)
	s.text(name, 80, "func "+name+"(n, strips int, w *float32, ws int, x *float32, xi, xj int, y *float32, ys, add int)")
	s.op("MOVQ", "strips+8(FP)", "R15")
	s.op("MOVQ", "w+16(FP)", "AX")
	s.op("MOVQ", "ws+24(FP)", "R10")
	s.op("MOVQ", "x+32(FP)", "BX")
	s.op("MOVQ", "xi+40(FP)", "R8")
	s.op("MOVQ", "xj+48(FP)", "R9")
	s.op("MOVQ", "y+56(FP)", "DX")
	s.op("MOVQ", "ys+64(FP)", "R11")
	s.op("LEAQ", "(R8)(R8*2)", "R12")
	w := m.reg(15)
	product := func(i int) string { return m.reg(8 + i%4) }
	s.label("strip")
	for i := range rows {
		s.op("VXORPS", m.reg(i), m.reg(i), m.reg(i))
	}
	s.op("MOVQ", "n+0(FP)", "CX")
	s.op("MOVQ", "AX", "SI")
	s.op("MOVQ", "BX", "DI")
	if rows > 4 {
		s.op("LEAQ", "(DI)(R8*4)", "R13")
	}
	s.op("TESTQ", "CX", "CX")
	s.op("JLE", "sum")
	s.label("step")
	s.op("VMOVUPS", "(SI)", w)
	for i := range rows {
		base := "DI"
		if i >= 4 {
			base = "R13"
		}
		at := []string{"(%s)", "(%s)(R8*1)", "(%s)(R8*2)", "(%s)(R12*1)"}[i%4]
		s.op("VMULPS", fmt.Sprintf(at, base), w, product(i))
		s.op("VADDPS", product(i), m.reg(i), m.reg(i))
	}
	s.op("ADDQ", "R10", "SI")
	s.op("ADDQ", "R9", "DI")
	if rows > 4 {
		s.op("ADDQ", "R9", "R13")
	}
	s.op("DECQ", "CX")
	s.op("JNE", "step")
	s.label("sum")
	s.op("MOVQ", "DX", "DI")
	s.op("CMPQ", "add+72(FP)", imm(0))
	s.op("JEQ", "store")
	for i := range rows {
		s.op("VADDPS", "(DI)", m.reg(i), m.reg(i))
		s.op("ADDQ", "R11", "DI")
	}
	s.op("MOVQ", "DX", "DI")
	s.label("store")
	for i := range rows {
		s.op("VMOVUPS", m.reg(i), "(DI)")
		s.op("ADDQ", "R11", "DI")
	}
	s.op("ADDQ", imm(m.bytes()), "AX")
	s.op("ADDQ", imm(m.bytes()), "BX")
	s.op("ADDQ", imm(m.bytes()), "DX")
	s.op("DECQ", "R15")
	s.op("JNE", "strip")
	s.op("VZEROUPPER")
	s.op("RET")
}

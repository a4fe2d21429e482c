package main

// lstmUnits is how many units of an LSTM a block has: four gates of them are a panel of 64 sums.
const lstmUnits = 16

// lstmSteps emits all steps of an LSTM for one sample. A step goes through blocks of units: the product of the state before with a panel
// of weights, which come from the second cache and are the limit, then the cells of these units, which the processor works on while it
// waits for the next panel. Blocks are taken to and fro, so that the last panel of a step, still in the first cache, is the next one's first.
//
// SI, DI, DX, BX, R8 and R9 point to the block's gates, cells and states, as the passes want them. R10 walks down the panel, R11 the state;
// R12 is the panel, R13 the bytes of units before the block, R14 those from a block to the next, and R15 those from a panel to the next.
func lstmSteps(s *source, m machine, k *constants) {
	width := 4 * lstmUnits // bytes of a gate in a block
	nv := 4 * width / m.bytes()
	name := "lstmSteps" + m.name
	const state, left, rows = "state-8(SP)", "left-16(SP)", "rows-24(SP)"
	s.frame(name, 24, 88, "func "+name+"(steps, units, first int, before, w, gates, c, h *float32, panel, next, turn int)")
	s.op("MOVQ", "first+16(FP)", "AX")
	s.op("MOVQ", "AX", rows)
	s.op("MOVQ", "before+24(FP)", "AX")
	s.op("MOVQ", "AX", state)
	s.op("MOVQ", "w+32(FP)", "R12")
	s.op("XORQ", "R13", "R13")
	s.op("MOVQ", imm(width), "R14")
	s.op("MOVQ", "panel+64(FP)", "R15")
	s.label("step")
	s.op("MOVQ", "units+8(FP)", "AX")
	s.op("MOVQ", "AX", left)
	s.label("block")
	s.op("MOVQ", "gates+40(FP)", "SI")
	s.op("LEAQ", "(SI)(R13*4)", "SI")
	for i := range nv {
		s.op("VMOVUPS", mem(i*m.bytes(), "SI"), m.reg(i))
	}
	s.op("MOVQ", "R12", "R10")
	s.op("MOVQ", state, "R11")
	s.op("MOVQ", rows, "CX")
	rowProduct(s, m, "R11", "R10", "cells")
	for i := range nv {
		s.op("VMOVUPS", m.reg(i), mem(i*m.bytes(), "SI"))
	}
	gates, states := lstmPasses("c", "c", "", "h")
	f := &rowFunction{function{name: name, ins: []string{"i", "f", "u", "o", "c"}, outs: []string{"i", "f", "u", "o", "c", "h"}}, nil}
	for i, p := range []string{"DI", "DX", "BX"} {
		s.op("LEAQ", mem((i+1)*width, "SI"), p)
	}
	s.op("MOVQ", "c+48(FP)", "R8")
	s.op("ADDQ", "R13", "R8")
	s.op("MOVQ", "h+56(FP)", "R9")
	s.op("ADDQ", "R13", "R9")
	for _, pass := range []*function{gates, states} {
		s.op("XORQ", index, index)
		n := width / m.bytes()
		for abreast := min(n, f.most(m, k, pass)); n > 0; n -= abreast {
			f.blocks(s, m, k, pass, abreast)
		}
	}
	s.op("ADDQ", "R15", "R12")
	s.op("ADDQ", "R14", "R13")
	s.op("SUBQ", imm(lstmUnits), left)
	s.op("JNE", "block")
	// The next step goes the other way, from the state that this one made.
	s.op("SUBQ", "R15", "R12")
	s.op("SUBQ", "R14", "R13")
	s.op("NEGQ", "R15")
	s.op("NEGQ", "R14")
	s.op("MOVQ", "h+56(FP)", "AX")
	s.op("MOVQ", "AX", state)
	s.op("MOVQ", "units+8(FP)", "CX")
	s.op("MOVQ", "CX", rows)
	s.op("SHLQ", "$4", "CX")
	s.op("ADDQ", "CX", "gates+40(FP)")
	s.op("MOVQ", "next+72(FP)", "CX")
	s.op("ADDQ", "CX", "h+56(FP)")
	s.op("XORQ", "turn+80(FP)", "CX")
	s.op("MOVQ", "CX", "next+72(FP)")
	s.op("DECQ", "steps+0(FP)")
	s.op("JNE", "step")
	s.op("VZEROUPPER")
	s.op("RET")
}

package main

import (
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/internal/simd/colour"
)

// lstmSteps64 emits steps of an LSTM of 64 units for one sample with AVX-512. The weights lie as package colour says, so that a third of
// them stays in the first cache. While the sums of a block of 16 units grow, turn by turn, the cells of the block before are worked on:
// both together are as much as the arithmetic units can do, and as the second cache can bring meanwhile. The last block's cells fall into
// the first block's sums of the next step, which take their states only in the last turns.
//
// R12 points to the block's weights, R8 to those that swing, R9 to its bias, R13 to its sums, R15 and R10 to its cells and states, R11 to the
// states before; DI and SI to cells and states of the block before, for the very first block to room that nobody reads.
func lstmSteps64(s *source, k *constants) {
	m := machines()[1]
	const (
		units = 64
		turns = units / rowUnroll
		last  = lstmUnits / rowUnroll // turns that take the last block's states
		width = 4 * lstmUnits         // bytes of a gate in a block
		panel = 4 * width
		swing = 4 * colour.Values * colour.Swing
		block = 4 * colour.Values * colour.Page * colour.Pages
	)
	name := "lstmSteps64" + m.name
	s.frame(name, 2*width+8, 72, "func "+name+"(steps int, before, w, bias, gates, c, h *float32, next, turn int)")
	const swings = "swings-136(SP)"
	for _, a := range [][2]string{{"before+8", "R11"}, {"w+16", "R12"}, {"bias+24", "R9"}, {"gates+32", "R13"}, {"c+40", "R15"}, {"h+48", "R10"}, {"next+56", "R14"}} {
		s.op("MOVQ", a[0]+"(FP)", a[1])
	}
	s.op("LEAQ", "cells-64(SP)", "DI")
	s.op("LEAQ", "states-128(SP)", "SI")
	in, cells := cellsBetween(m, k)
	for _, r := range in {
		s.op("VPXORD", r, r, r)
	}
	s.label("step")
	s.op("MOVQ", imm(colour.Blocks), "CX")
	s.op("LEAQ", mem(4*colour.Values*colour.Page, "R12"), "R8")
	s.op("MOVQ", imm(swing), swings)
	s.op("PCALIGN", "$32")
	s.label("block")
	for i := range 4 {
		s.op("VMOVUPS", mem(i*width, "R13"), m.reg(i))
	}
	done := 0
	for turn := range turns {
		s.op("VBROADCASTF32X4", mem(4*rowUnroll*turn, "R11"), m.reg(8))
		for u := range rowUnroll {
			s.op("VPERMILPS", imm(0x55*u), m.reg(8), m.reg(4+u))
			for j := range 4 {
				base := "R12"
				line, swings := colour.Place((turn*rowUnroll+u)*4 + j)
				if swings {
					base, line = "R8", line-colour.Page
				}
				s.op("VFMADD231PS", mem(4*colour.Values*line, base), m.reg(4+u), m.reg(j))
			}
			for end := min(len(cells), (turn*rowUnroll+u+1)*len(cells)/(rowUnroll*(turns-last))); done < end; done++ {
				s.b.WriteString(cells[done])
			}
		}
	}
	s.op("VMOVUPS", "(R15)", in[4])
	for i := range 4 {
		s.op("VADDPS", mem(i*width, "R9"), m.reg(i), in[i])
	}
	s.op("MOVQ", "R15", "DI")
	s.op("MOVQ", "R10", "SI")
	s.op("ADDQ", imm(block), "R12")
	s.op("ADDQ", imm(block), "R8")
	s.op("ADDQ", swings, "R8")
	s.op("NEGQ", swings)
	for _, a := range []struct {
		register string
		bytes    int
	}{{"R9", panel}, {"R13", panel}, {"R15", width}, {"R10", width}} {
		s.op("ADDQ", imm(a.bytes), a.register)
	}
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.op("SUBQ", imm(colour.Blocks*block), "R12")
	s.op("SUBQ", imm(colour.Blocks*panel), "R9")
	s.op("SUBQ", imm(colour.Blocks*width), "R15")
	s.op("LEAQ", mem(-colour.Blocks*width, "R10"), "R11")
	s.op("LEAQ", "(R11)(R14*1)", "R10")
	s.op("XORQ", "turn+64(FP)", "R14")
	s.op("DECQ", "steps+0(FP)")
	s.op("JNE", "step")
	s.b.WriteString(strings.Join(cells, ""))
	s.op("VZEROUPPER")
	s.op("RET")
}

// cellsBetween returns the operations of the cells of a block, a line each, from the sums and the cells before in registers in to the cells
// at DI and the states at SI.
func cellsBetween(m machine, k *constants) (in, lines []string) {
	f := lstm()
	f.results = []val{f.results[slices.Index(f.outs, "c")], f.results[slices.Index(f.outs, "h")]}
	f = f.pruned().byDepth()
	var free []int
	for r := 2*m.lanes - 1; r > 2*rowUnroll; r-- { // the product has those below
		free = append(free, r)
	}
	take := func() int {
		r := free[len(free)-1]
		free = free[:len(free)-1]
		return r
	}
	in, where := make([]string, len(f.ins)), map[val]int{}
	for v, o := range f.ops {
		if o.what == "in" {
			where[val(v)] = take()
			in[o.index] = m.reg(where[val(v)])
		}
	}
	t, scratch := &source{}, take()
	f.body(t, m, k, where, f.last(), take, func(r int) { free = append(free, r) }, scratch)
	for i, p := range []string{"DI", "SI"} {
		t.op("VMOVUPS", m.reg(where[f.results[i]]), "("+p+")")
	}
	return in, slices.Collect(strings.Lines(t.b.String()))
}

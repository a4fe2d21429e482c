package main

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mlfactory/mlfactory/internal/simd/colour"
)

// lstmSteps64 emits steps of an LSTM of 64 units for one sample with AVX-512. The weights lie as package colour says, so that a third of
// them stays in the first cache. While the sums of a block of 16 units grow, the cells of the block before are worked on: both together
// are as much as the arithmetic units can do, and as the second cache can bring meanwhile. The last block's cells fall into the first
// block's sums of the next step, which take their states only at the end.
//
// A load is as dear as a product, also where it brings four bytes for all lanes. So the constants that cells use most have registers.
//
// R12 points to the weights, R13 to the step's sums, R15 to the cells, R11 and R10 to the states before and after the step; DI and SI to
// cells and states of the last block before the step, for the very first step to room that nobody reads. CX counts steps, R14 is the
// number of bytes from the states of a step to those of the next, and DX what changes in it then.
func lstmSteps64(s *source, k *constants) {
	m := machines()[1]
	const (
		units  = 64
		blocks = units / lstmUnits
		width  = 4 * lstmUnits // bytes of a gate in a block
		four   = 9             // values of the state, in each quarter of the register
	)
	name := "lstmSteps64" + m.name
	s.frame(name, 2*width, 64, "func "+name+"(steps int, before, w, gates, c, h *float32, next, turn int)")
	for _, a := range [][2]string{{"before+8", "R11"}, {"w+16", "R12"}, {"gates+24", "R13"}, {"c+32", "R15"}, {"h+40", "R10"}, {"next+48", "R14"}, {"turn+56", "DX"}, {"steps+0", "CX"}} {
		s.op("MOVQ", a[0]+"(FP)", a[1])
	}
	s.op("LEAQ", "cells-64(SP)", "DI")
	s.op("LEAQ", "states-128(SP)", "SI")
	cells := newCells()
	for _, c := range cells.f.held {
		s.op("VMOVUPS", k.raw(c.bits), m.reg(c.register))
	}
	for i := range 5 { // what the first cells are made of
		r := m.reg(cells.in(blocks-1, i))
		s.op("VPXORD", r, r, r)
	}
	const last = (blocks - 1) * width
	next := func() {
		s.op("MOVQ", "R10", "R11")
		s.op("LEAQ", mem(last, "R15"), "DI")
		s.op("LEAQ", mem(last, "R10"), "SI")
		s.op("ADDQ", "R14", "R10")
		s.op("XORQ", "DX", "R14")
		s.op("ADDQ", imm(4*blocks*width), "R13")
		s.op("DECQ", "CX")
	}
	s.op("TESTQ", "R11", "R11")
	s.op("JNE", "step")
	for b := range blocks { // no state before: no products
		for j := range 5 {
			at := mem((4*b+j)*width, "R13")
			if j == 4 {
				at = mem(b*width, "R15")
			}
			s.op("VMOVUPS", at, m.reg(cells.in(b, j)))
		}
		if b < blocks-1 {
			s.b.WriteString(strings.Join(cells.lines(m, k, b, mem(b*width, "R15"), mem(b*width, "R10")), ""))
		}
	}
	next()
	s.op("JEQ", "last")
	s.op("PCALIGN", "$32")
	s.label("step")
	for b := range blocks {
		for j := range 4 {
			s.op("VMOVUPS", mem((4*b+j)*width, "R13"), m.reg(cells.in(b, j)))
		}
		var lines []string
		over := units // values of the state, during whose products the cells are worked on
		if b == 0 {
			lines = cells.lines(m, k, blocks-1, "(DI)", "(SI)")
			over -= lstmUnits // their states are the last
		} else {
			lines = cells.lines(m, k, b-1, mem((b-1)*width, "R15"), mem((b-1)*width, "R10"))
		}
		done := 0
		for u := range units {
			if u%4 == 0 {
				s.op("VBROADCASTF32X4", mem(4*u, "R11"), m.reg(four))
			}
			value := m.reg(four - 1)
			s.op("VPERMILPS", imm(0x55*(u%4)), m.reg(four), value)
			for j := range 4 {
				at := 4 * colour.Values * colour.Line((b*units+u)*4+j)
				s.op("VFMADD231PS", mem(at, "R12"), value, m.reg(cells.in(b, j)))
			}
			for end := min(len(lines), (u+1)*len(lines)/over); done < end; done++ {
				s.b.WriteString(lines[done])
			}
		}
		s.op("VMOVUPS", mem(b*width, "R15"), m.reg(cells.in(b, 4)))
	}
	next()
	s.op("JNE", "step")
	s.label("last")
	s.b.WriteString(strings.Join(cells.lines(m, k, blocks-1, "(DI)", "(SI)"), ""))
	s.op("VZEROUPPER")
	s.op("RET")
}

// cells are those of a block of [lstmSteps64]. Blocks take turns with two sets of sums, so that those of one grow while the other's cells
// are worked on; after them come the registers of the product, then that of the cells before, then those below.
type cells struct{ f *function }

const (
	cellBefore  = 10
	cellResults = 11 // to 14: what the cells are worked on with, few, because each operation follows what it needs
	cellHeld    = 15 // to 31: constants
)

// newCells gives registers to the constants that are used most.
func newCells() cells {
	f := lstm()
	f.results = []val{f.results[slices.Index(f.outs, "c")], f.results[slices.Index(f.outs, "h")]}
	f = f.pruned()
	uses := map[uint32]int{}
	for _, o := range f.ops {
		for _, v := range f.operands(o) {
			if c := f.ops[v]; c.what == "const" {
				uses[math.Float32bits(c.value)]++
			}
		}
	}
	f.held = nil
	for _, u := range slices.SortedFunc(maps.Keys(uses), func(a, b uint32) int { return cmp.Or(uses[b]-uses[a], cmp.Compare(a, b)) }) {
		if r := cellHeld + len(f.held); r < 32 {
			f.held = append(f.held, held{u, r})
		}
	}
	return cells{f}
}

// in is the register of what enters the cells of block b: its four sums, and the cells before.
func (c cells) in(b, i int) int {
	if i == 4 {
		return cellBefore
	}
	return 4*(b%2) + i
}

// lines returns the operations of the cells of block b, a line each, which write the new cells and states.
func (c cells) lines(m machine, k *constants, b int, cell, state string) []string {
	var free []int
	for r := cellHeld - 1; r >= cellResults; r-- {
		free = append(free, r)
	}
	take := func() int {
		r := free[len(free)-1]
		free = free[:len(free)-1]
		return r
	}
	where := map[val]int{}
	for v, o := range c.f.ops {
		if o.what == "in" {
			where[val(v)] = c.in(b, o.index)
		}
	}
	t, scratch := &source{}, take()
	c.f.body(t, m, k, where, c.f.last(), take, func(r int) { free = append(free, r) }, scratch)
	for i, p := range []string{cell, state} {
		t.op("VMOVUPS", m.reg(where[c.f.results[i]]), p)
	}
	return slices.Collect(strings.Lines(t.b.String()))
}

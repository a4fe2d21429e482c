package main

import "fmt"

// tile is one family of matrix kernels: up to rows×vectors registers hold a piece of C.
type tile struct{ vectors, rows int }

// masks reports whether a register is left for a mask, with AVX2.
func (t tile) masks() bool { return t.rows*t.vectors+t.vectors+1 < 16 }

// tiles lists the families of a machine; internal/simd/gemm chooses among them. The registers that are left hold vectors of B, a value of
// A and, with AVX2, a mask.
func tiles(m machine) []tile {
	if m.lanes == 16 {
		return []tile{{1, 14}, {2, 12}, {3, 8}, {4, 6}}
	}
	return []tile{{1, 12}, {2, 6}, {3, 4}, {4, 2}, {8, 1}}
}

// gemm emits the kernels of internal/simd/gemm. Each walks down the rows of a panel of C that is a few vectors wide and sums the products
// of a whole block of k in registers, in order, with fused multiply-add.
func gemm() []byte {
	s := newSource()
	for _, m := range machines() {
		for _, t := range tiles(m) {
			panel(s, m, t, false)
			if m.lanes == 8 && t.masks() { // AVX-512 masks every last vector: it costs nothing
				panel(s, m, t, true)
			}
		}
		rowPanels(s, m)
	}
	packingTile(s)
	packing(s)
	return s.b.Bytes()
}

// packingTile emits the product of four rows that also copies the panel of B it reads: the copy fits between the multiplications of the
// first tile, while a copy before it would take as long as a tile of its own. AVX2, panels of three vectors.
func packingTile(s *source) {
	const name, nv = "packingTileAVX2", 3
	s.text(name, 80, "func "+name+"(k int, a *float32, rsa, csa int, b *float32, rsb int, d, c *float32, rsc, how int)")
	s.op("MOVQ", "k+0(FP)", "CX")
	s.op("MOVQ", "a+8(FP)", "SI")
	s.op("MOVQ", "rsa+16(FP)", "R8")
	s.op("MOVQ", "csa+24(FP)", "R9")
	s.op("MOVQ", "b+32(FP)", "DI")
	s.op("MOVQ", "rsb+40(FP)", "R10")
	s.op("MOVQ", "d+48(FP)", "BX")
	s.op("MOVQ", "c+56(FP)", "DX")
	s.op("MOVQ", "rsc+64(FP)", "R11")
	s.op("LEAQ", "(R8)(R8*2)", "R12")
	sum := func(i, j int) string { return fmt.Sprintf("Y%d", i*nv+j) }
	for i := range tileRows * nv {
		r := fmt.Sprintf("Y%d", i)
		s.op("VXORPS", r, r, r)
	}
	s.op("PCALIGN", "$32")
	s.label("step")
	for j := range nv {
		s.op("VMOVUPS", mem(32*j, "DI"), fmt.Sprintf("Y%d", 15-j))
	}
	for i, at := range [tileRows]string{"(SI)", "(SI)(R8*1)", "(SI)(R8*2)", "(SI)(R12*1)"} {
		s.op("VBROADCASTSS", at, "Y12")
		for j := range nv {
			s.op("VFMADD231PS", "Y12", fmt.Sprintf("Y%d", 15-j), sum(i, j))
		}
		if i < nv {
			s.op("VMOVUPS", fmt.Sprintf("Y%d", 15-i), mem(32*i, "BX"))
		}
	}
	s.op("ADDQ", "R10", "DI")
	s.op("ADDQ", imm(32*nv), "BX")
	s.op("ADDQ", "R9", "SI")
	s.op("DECQ", "CX")
	s.op("JNZ", "step")
	s.op("TESTQ", "$1", "how+72(FP)")
	s.op("JEQ", "store")
	s.op("MOVQ", "DX", "DI")
	for i := range tileRows {
		for j := range nv {
			s.op("VADDPS", mem(32*j, "DI"), sum(i, j), sum(i, j))
		}
		s.op("ADDQ", "R11", "DI")
	}
	s.label("store")
	for i := range tileRows {
		for j := range nv {
			s.op("VMOVUPS", sum(i, j), mem(32*j, "DX"))
		}
		s.op("ADDQ", "R11", "DX")
	}
	s.op("VZEROUPPER")
	s.op("RET")
}

// ahead is the number of steps of k in a turn of the loop.
const ahead = 8

// tail is the number of steps of k that end a whole tile a few rows at a time, so that its stores come a few at a time: a burst of twelve
// holds up the multiplications behind it for about two cycles a store, three or four at once for none (measured on Zen 3; with AVX-512 on
// Zen 4 a tile of 24 registers and 40 steps takes 30 cycles of 1,020 less).
const tail = 4

// tailRows is the number of rows of C that a tail ends at a time, by the vectors of the panel.
func tailRows(m machine, vectors int) int {
	switch {
	case m.lanes == 16: // B is read again for each: for one row as many loads as there are products would not do
		return 2
	case vectors >= 3:
		return 1
	}
	return 4 / vectors
}

// tileRows is the height of tiles of A that lie one after the other, as in internal/simd/gemm.
const tileRows = 4

// panelName is the Go name of a kernel.
func panelName(m machine, t tile, masked bool) string {
	name := fmt.Sprintf("panel%d%s", t.vectors, m.name)
	if masked {
		name += "Masked"
	}
	return name
}

// panel: registers 0 to rows·vectors−1 sum C, the highest hold B, then A. SI, R13, R14 and AX point to rows 0, 4, 8 and 12 of A, DI walks
// down B, DX down C; BX counts rows, CX the steps of k. R15 walks down the rows that the sums begin with, where they do; else it points to
// what is fetched ahead while tiles of A or its columns are multiplied: step bytes further with each turn, or step of k.
func panel(s *source, m machine, t tile, masked bool) {
	name := panelName(m, t, masked)
	s.frame(name, 16, 120, "func "+name+"(m, mr, k int, a *float32, rsa, csa int, b *float32, rsb int, c *float32, rsc int, mask *int32, how int, far *float32, step, rsd int)")
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
	s.op("MOVQ", "far+96(FP)", "R15")
	// From one tile of A to the next: mr rows, or in tiles that lie one after the other k steps.
	s.op("MOVQ", "mr+8(FP)", "CX")
	s.op("IMULQ", "R8", "CX")
	s.op("TESTQ", "$2", "how+88(FP)")
	s.op("JEQ", "rowwise")
	s.op("MOVQ", "k+16(FP)", "CX")
	s.op("IMULQ", "R9", "CX")
	s.label("rowwise")
	s.op("MOVQ", "CX", "next-16(SP)")
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
		top = 15
		if masked {
			top = 14 // 15 is the mask
		}
	}
	sum := func(i, j int) string { return m.reg(i*nv + j) }
	vb := func(j int) string { return m.reg(top - j) }
	direct := r*nv+nv+1 > top+1 // B is read by the products themselves
	va := func(i int) string {
		if direct {
			return m.reg(top - i%2)
		}
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
	hasTail := m.lanes == 8 && !direct && (r == t.rows || r == tileRows) || m.lanes == 16 && nv == 4 && r == t.rows

	s.label(fmt.Sprintf("rows%d", r))
	s.op("MOVQ", "at-8(SP)", "SI")
	for g := 1; g < groups; g++ {
		s.op("LEAQ", fmt.Sprintf("(%s)(R8*4)", pointers[g-1]), pointers[g])
	}
	s.op("TESTQ", "$4", "how+88(FP)")
	s.op("JNE", fmt.Sprintf("from%d", r))
	for i := range r {
		for j := range nv {
			s.op(zero, sum(i, j), sum(i, j), sum(i, j))
		}
	}
	s.label(fmt.Sprintf("begin%d", r))
	s.op("MOVQ", "b+48(FP)", "DI")
	s.op("MOVQ", "k+16(FP)", "CX")
	if hasTail && m.lanes == 8 {
		// The next tile of C is fetched into the second-level cache, for its stores not to wait.
		s.op("MOVQ", "DX", "AX")
		for range r / 4 {
			s.op("LEAQ", "(AX)(R11*4)", "AX")
		}
		for range r % 4 {
			s.op("ADDQ", "R11", "AX")
		}
		for i := range r {
			s.op("PREFETCHT1", "(AX)")
			s.op("PREFETCHT1", mem(nv*m.bytes()-4, "AX"))
			if i < r-1 {
				s.op("ADDQ", "R11", "AX")
			}
		}
	}
	if hasTail {
		s.op("SUBQ", imm(tail), "CX")
		s.op("JLT", fmt.Sprintf("short%d", r))
		s.op("JEQ", fmt.Sprintf("sum%d", r))
	}
	// step multiplies one step of k; A is read some bytes after its pointers.
	step := func(after int) {
		if direct {
			s.op("VBROADCASTSS", mem(after, "SI"), va(after/4))
			for j := range nv {
				s.op("VFMADD231PS", mem(j*m.bytes(), "DI"), va(after/4), sum(0, j))
			}
			s.op("ADDQ", "R10", "DI")
			return
		}
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
		s.op("ADDQ", "R10", "DI")
		for i := range r {
			p := mem(after, pointers[i/4])
			s.op("VBROADCASTSS", [4]string{p, p + "(R8*1)", p + "(R8*2)", p + "(R12*1)"}[i%4], va(i))
			for j := range nv {
				s.op("VFMADD231PS", va(i), vb(j), sum(i, j))
			}
		}
	}
	// turns multiplies some steps at once, as long as there are so many; the values of a row of A are so many bytes apart.
	turns := func(name string, apart int) {
		several := func(n int) {
			for u := range n {
				step(apart * u)
			}
			for g := range groups {
				s.op("ADDQ", imm(apart*n), pointers[g])
			}
		}
		s.op("SUBQ", imm(ahead), "CX")
		s.op("JLT", "last"+name)
		next := apart == 4 && nv == 3 && groups == 1 // the next tile of A is fetched: R13 is free
		if next {
			s.op("LEAQ", "(SI)(R8*4)", "R13")
		}
		s.op("PCALIGN", "$32")
		s.label("turn" + name)
		if apart > 4 {
			s.op("PREFETCHT1", "(R15)")
		}
		if next {
			for _, at := range []string{"(R13)", "(R13)(R8*1)", "(R13)(R8*2)", "(R13)(R12*1)"} {
				s.op("PREFETCHT0", at)
			}
			s.op("ADDQ", imm(4*ahead), "R13")
		}
		several(ahead)
		if apart > 4 {
			s.op("ADDQ", "step+104(FP)", "R15")
		}
		s.op("SUBQ", imm(ahead), "CX")
		s.op("JGE", "turn"+name)
		s.label("last" + name)
		s.op("ADDQ", imm(ahead), "CX")
		s.op("JEQ", fmt.Sprintf("sum%d", r))
		if hasTail { // k is often a multiple of ahead: then so many are left before the tail
			s.op("SUBQ", imm(ahead-tail), "CX")
			s.op("JLT", "few"+name)
			several(ahead - tail)
			s.op("TESTQ", "CX", "CX")
			s.op("JEQ", fmt.Sprintf("sum%d", r))
			s.op("JMP", loop)
			s.label("few" + name)
			s.op("ADDQ", imm(ahead-tail), "CX")
		}
		s.op("JMP", loop)
	}
	if r == t.rows { // most of the work: A row-major
		s.op("CMPQ", "R9", "$4")
		if r == tileRows {
			s.op("JNE", fmt.Sprintf("other%d", r))
		} else {
			s.op("JNE", loop)
		}
		turns(fmt.Sprint(r), 4)
	}
	if r == tileRows {
		if r == t.rows {
			s.label(fmt.Sprintf("other%d", r))
		}
		s.op("CMPQ", "R9", imm(4*tileRows))
		s.op("JNE", loop)
		turns(fmt.Sprintf("tile%d", r), 4*tileRows)
	}
	// single multiplies the steps that are left one by one.
	single := func(label string) {
		s.op("PCALIGN", "$32")
		s.label(label)
		if m.lanes == 16 && r == t.rows { // A is column-major, a line of the cache for each step
			s.op("PREFETCHT1", "(R15)")
			s.op("ADDQ", "step+104(FP)", "R15")
		}
		step(0)
		for g := range groups {
			s.op("ADDQ", "R9", pointers[g])
		}
		s.op("DECQ", "CX")
		s.op("JNZ", label)
	}
	single(loop)
	if r == t.rows || r == tileRows {
		s.label(fmt.Sprintf("sum%d", r))
	}
	// element applies an instruction to a register of sums and its place in C, whose row a pointer has.
	element := func(op string, i, j int, row string) {
		at := mem(j*m.bytes(), row)
		switch {
		case op == "store" && last(j) && m.lanes == 16:
			s.op("VMOVUPS", sum(i, j), mask, at)
		case op == "store" && last(j):
			s.op("VMASKMOVPS", sum(i, j), mask, at)
		case op == "store":
			s.op("VMOVUPS", sum(i, j), at)
		case last(j) && m.lanes == 16:
			s.op("VMOVUPS.Z", at, mask, vb(0))
			s.op("VADDPS", vb(0), sum(i, j), sum(i, j))
		case last(j):
			s.op("VMASKMOVPS", at, mask, vb(0))
			s.op("VADDPS", vb(0), sum(i, j), sum(i, j))
		default:
			s.op("VADDPS", at, sum(i, j), sum(i, j))
		}
	}
	if hasTail {
		s.op("LEAQ", "(R10)(R10*2)", "CX")
		for lo := 0; lo < r; lo += tailRows(m, nv) {
			hi := min(r, lo+tailRows(m, nv))
			row := func(base string, i int) string {
				return base + [4]string{"", "(R8*1)", "(R8*2)", "(R12*1)"}[i]
			}
			s.op("LEAQ", row("("+pointers[lo/4]+")", lo%4), "AX")
			for u := range tail {
				for j := range nv {
					at := mem(j*m.bytes(), "DI") + [tail]string{"", "(R10*1)", "(R10*2)", "(CX*1)"}[u]
					switch {
					case last(j) && m.lanes == 16:
						s.op("VMOVUPS.Z", at, mask, vb(j))
					case last(j):
						s.op("VMASKMOVPS", at, mask, vb(j))
					default:
						s.op("VMOVUPS", at, vb(j))
					}
				}
				for i := lo; i < hi; i++ {
					s.op("VBROADCASTSS", row("(AX)", i-lo), va(i))
					for j := range nv {
						s.op("VFMADD231PS", va(i), vb(j), sum(i, j))
					}
				}
				if u < tail-1 {
					s.op("ADDQ", "R9", "AX")
				}
			}
			store := fmt.Sprintf("tail%drow%d", r, lo)
			s.op("TESTQ", "$1", "how+88(FP)")
			s.op("JEQ", store)
			s.op("MOVQ", "DX", "AX")
			for i := lo; i < hi; i++ {
				for j := range nv {
					element("add", i, j, "AX")
				}
				if i < hi-1 {
					s.op("ADDQ", "R11", "AX")
				}
			}
			s.label(store)
			for i := lo; i < hi; i++ {
				for j := range nv {
					element("store", i, j, "DX")
				}
				s.op("ADDQ", "R11", "DX")
			}
		}
		s.op("MOVQ", "next-16(SP)", "CX")
		s.op("ADDQ", "CX", "at-8(SP)")
		s.op("SUBQ", imm(r), "BX")
		s.op("JMP", "choose")
		s.label(fmt.Sprintf("short%d", r))
		s.op("ADDQ", imm(tail), "CX")
		single(fmt.Sprintf("shortloop%d", r))
	}
	s.op("TESTQ", "$1", "how+88(FP)")
	s.op("JEQ", fmt.Sprintf("store%d", r))
	s.op("MOVQ", "DX", "DI")
	for i := range r {
		for j := range nv {
			element("add", i, j, "DI")
		}
		if i < r-1 {
			s.op("ADDQ", "R11", "DI")
		}
	}
	s.label(fmt.Sprintf("store%d", r))
	for i := range r {
		for j := range nv {
			element("store", i, j, "DX")
		}
		s.op("ADDQ", "R11", "DX")
	}
	s.op("MOVQ", "next-16(SP)", "CX")
	s.op("ADDQ", "CX", "at-8(SP)")
	s.op("SUBQ", imm(r), "BX")
	s.op("JMP", "choose")

	s.label(fmt.Sprintf("from%d", r))
	for i := range r {
		for j := range nv {
			at := mem(j*m.bytes(), "R15")
			switch {
			case last(j) && m.lanes == 16:
				s.op("VMOVUPS.Z", at, mask, sum(i, j))
			case last(j):
				s.op("VMASKMOVPS", at, mask, sum(i, j))
			default:
				s.op("VMOVUPS", at, sum(i, j))
			}
		}
		s.op("ADDQ", "rsd+112(FP)", "R15")
	}
	s.op("JMP", fmt.Sprintf("begin%d", r))
}

// packing emits what lays B out in panels. It moves bytes only, so that both paths share it.
func packing(s *source) {
	s.text("packRows", 40, "func packRows(d, b *float32, rsb, k, eights int)")
	s.op("MOVQ", "d+0(FP)", "DI")
	s.op("MOVQ", "b+8(FP)", "SI")
	s.op("MOVQ", "rsb+16(FP)", "R8")
	s.op("MOVQ", "k+24(FP)", "CX")
	s.op("MOVQ", "eights+32(FP)", "DX")
	for _, v := range []int{3, 2} { // the usual widths of a panel, without a loop in a row
		s.op("CMPQ", "DX", imm(v))
		s.op("JEQ", fmt.Sprintf("row%d", v))
	}
	s.label("row")
	s.op("MOVQ", "SI", "BX")
	s.op("MOVQ", "DX", "AX")
	s.label("eight")
	s.op("VMOVUPS", "(BX)", "Y0")
	s.op("VMOVUPS", "Y0", "(DI)")
	s.op("ADDQ", "$32", "BX")
	s.op("ADDQ", "$32", "DI")
	s.op("DECQ", "AX")
	s.op("JNE", "eight")
	s.op("ADDQ", "R8", "SI")
	s.op("DECQ", "CX")
	s.op("JNE", "row")
	s.op("VZEROUPPER")
	s.op("RET")
	for _, v := range []int{3, 2} {
		row := fmt.Sprintf("row%d", v)
		s.op("PCALIGN", "$32")
		s.label(row)
		for i := range v {
			s.op("VMOVUPS", mem(32*i, "SI"), fmt.Sprintf("Y%d", i))
		}
		for i := range v {
			s.op("VMOVUPS", fmt.Sprintf("Y%d", i), mem(32*i, "DI"))
		}
		s.op("ADDQ", "R8", "SI")
		s.op("ADDQ", imm(32*v), "DI")
		s.op("DECQ", "CX")
		s.op("JNE", row)
		s.op("VZEROUPPER")
		s.op("RET")
	}

	// The same for several panels next to each other, next bytes apart: whole rows of B are read in turn, which a processor fetches ahead.
	s.text("packPanels", 56, "func packPanels(d, b *float32, rsb, k, eights, panels, next int)")
	s.op("MOVQ", "d+0(FP)", "DI")
	s.op("MOVQ", "b+8(FP)", "SI")
	s.op("MOVQ", "rsb+16(FP)", "R8")
	s.op("MOVQ", "k+24(FP)", "CX")
	s.op("MOVQ", "eights+32(FP)", "DX")
	s.op("MOVQ", "next+48(FP)", "R10")
	s.op("SHLQ", "$5", "DX") // bytes of a panel's row
	s.op("CMPQ", "DX", "$96")
	s.op("JEQ", "row3")
	for _, v := range []int{0, 3} { // 3: the usual width of a panel, without a loop in a row
		row, panel := "row", "panel"
		if v > 0 {
			row, panel = fmt.Sprintf("row%d", v), fmt.Sprintf("panel%d", v)
		}
		s.label(row)
		s.op("MOVQ", "SI", "BX")
		s.op("MOVQ", "DI", "R11")
		s.op("MOVQ", "panels+40(FP)", "R9")
		s.op("PCALIGN", "$32")
		s.label(panel)
		if v == 0 {
			s.op("XORQ", "AX", "AX")
			s.label("eight")
			s.op("VMOVUPS", "(BX)(AX*1)", "Y0")
			s.op("VMOVUPS", "Y0", "(R11)(AX*1)")
			s.op("ADDQ", "$32", "AX")
			s.op("CMPQ", "AX", "DX")
			s.op("JNE", "eight")
		}
		for i := range v {
			s.op("VMOVUPS", mem(32*i, "BX"), fmt.Sprintf("Y%d", i))
		}
		for i := range v {
			s.op("VMOVUPS", fmt.Sprintf("Y%d", i), mem(32*i, "R11"))
		}
		s.op("ADDQ", "DX", "BX")
		s.op("ADDQ", "R10", "R11")
		s.op("DECQ", "R9")
		s.op("JNE", panel)
		s.op("ADDQ", "R8", "SI")
		s.op("ADDQ", "DX", "DI")
		s.op("DECQ", "CX")
		s.op("JNE", row)
		s.op("VZEROUPPER")
		s.op("RET")
	}

	// Sixteen rows of a column-major A become four tiles of four, next bytes apart.
	s.text("packTiles", 40, "func packTiles(d, a *float32, csa, k, next int)")
	s.op("MOVQ", "d+0(FP)", "DI")
	s.op("MOVQ", "a+8(FP)", "SI")
	s.op("MOVQ", "csa+16(FP)", "R8")
	s.op("MOVQ", "k+24(FP)", "CX")
	s.op("MOVQ", "next+32(FP)", "R9")
	s.op("LEAQ", "(R9)(R9*2)", "R10")
	s.label("step")
	for i := range 4 {
		s.op("VMOVUPS", mem(16*i, "SI"), fmt.Sprintf("X%d", i))
	}
	for i, at := range []string{"(DI)", "(DI)(R9*1)", "(DI)(R9*2)", "(DI)(R10*1)"} {
		s.op("VMOVUPS", fmt.Sprintf("X%d", i), at)
	}
	s.op("ADDQ", "R8", "SI")
	s.op("ADDQ", "$16", "DI")
	s.op("DECQ", "CX")
	s.op("JNE", "step")
	s.op("RET")

	// Eight columns of B, each contiguous, become eight values of a row of the panel: a transpose of 8×8 by unpacking pairs, then
	// quadruples, then halves.
	s.text("packColumns8", 40, "func packColumns8(d, b *float32, rsd, csb, blocks int)")
	s.op("MOVQ", "d+0(FP)", "DI")
	s.op("MOVQ", "b+8(FP)", "SI")
	s.op("MOVQ", "rsd+16(FP)", "R8")
	s.op("MOVQ", "csb+24(FP)", "R9")
	s.op("MOVQ", "blocks+32(FP)", "CX")
	s.op("LEAQ", "(R9)(R9*2)", "R10")
	s.op("LEAQ", "(R8)(R8*2)", "R11")
	y := func(i int) string { return fmt.Sprintf("Y%d", i) }
	eight := func(base, step, triple string) [4]string {
		return [4]string{"(" + base + ")", "(" + base + ")(" + step + "*1)", "(" + base + ")(" + step + "*2)", "(" + base + ")(" + triple + "*1)"}
	}
	s.label("block")
	s.op("LEAQ", "(SI)(R9*4)", "BX")
	s.op("LEAQ", "(DI)(R8*4)", "DX")
	for i, at := range eight("SI", "R9", "R10") {
		s.op("VMOVUPS", at, y(i))
	}
	for i, at := range eight("BX", "R9", "R10") {
		s.op("VMOVUPS", at, y(4+i))
	}
	for i := 0; i < 8; i += 2 {
		s.op("VUNPCKLPS", y(i+1), y(i), y(8+i))
		s.op("VUNPCKHPS", y(i+1), y(i), y(9+i))
	}
	for h := 0; h < 8; h += 4 {
		for i := range 2 {
			s.op("VSHUFPS", "$0x44", y(10+h+i), y(8+h+i), y(h+2*i))
			s.op("VSHUFPS", "$0xee", y(10+h+i), y(8+h+i), y(h+2*i+1))
		}
	}
	for i := range 4 {
		s.op("VPERM2F128", "$0x20", y(4+i), y(i), y(8+i))
		s.op("VPERM2F128", "$0x31", y(4+i), y(i), y(12+i))
	}
	for i, at := range eight("DI", "R8", "R11") {
		s.op("VMOVUPS", y(8+i), at)
	}
	for i, at := range eight("DX", "R8", "R11") {
		s.op("VMOVUPS", y(12+i), at)
	}
	s.op("ADDQ", "$32", "SI")
	s.op("LEAQ", "(DI)(R8*8)", "DI")
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.op("VZEROUPPER")
	s.op("RET")
}

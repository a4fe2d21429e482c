package main

import "fmt"

// The kernels of internal/simd/tree.
const (
	treeDepth = 8  // the deepest complete tree
	treeRows  = 64 // rows of a block
	treeWalks = 11 // trees that one row walks side by side: as many as there are registers
)

// treeWalk names the register of the place in tree t.
func treeWalk(t int) string {
	return []string{"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "BX", "DX", "BP"}[t]
}

// tree emits the kernels of internal/simd/tree. They work on integers, or add floats lane by lane, so that every path gives the same
// bits. The walks of one row use no vectors; they count as AVX2 because that is the path of this machine class.
func tree() []byte {
	s := newSource()
	rankRow(s)
	rankColumn(s)
	for _, bits := range []int{16, 32} {
		walk(s, bits)
		levels(s, bits)
	}
	walkNodes(s)
	block(s)
	blockLevels(s)
	blockNodes(s)
	addFloat32(s)
	addFloat64(s)
	contribute(s)
	for _, k := range []int{1, 3} {
		sumLeaves(s, k, 32)
		sumLeaves(s, k, 64)
	}
	return s.b.Bytes()
}

// rank leaves in AX the number of cuts ≤ the value in all lanes of Y0. A scale is R8 registers of pivots at R9, then blocks of 16 cuts; a
// pivot is the last cut of its block. It uses CX, R10, R11 and Y1 to Y2.
func rank(s *source, name string) {
	const notLess = "$0x1d" // greater or equal, false for NaN
	s.op("XORL", "AX", "AX")
	s.op("MOVQ", "R8", "CX")
	s.label(name)
	s.op("VCMPPS", notLess, "(R9)", "Y0", "Y1")
	s.op("VMOVMSKPS", "Y1", "R10")
	s.op("POPCNTL", "R10", "R10")
	s.op("ADDL", "R10", "AX")
	s.op("ADDQ", "$32", "R9")
	s.op("DECQ", "CX")
	s.op("JNE", name)
	s.op("MOVL", "AX", "CX")
	s.op("SHLQ", "$6", "CX")
	s.op("VCMPPS", notLess, "(R9)(CX*1)", "Y0", "Y1")
	s.op("VCMPPS", notLess, "32(R9)(CX*1)", "Y0", "Y2")
	s.op("VMOVMSKPS", "Y1", "R10")
	s.op("VMOVMSKPS", "Y2", "R11")
	s.op("SHLL", "$8", "R11")
	s.op("ORL", "R11", "R10")
	s.op("POPCNTL", "R10", "R10")
	s.op("SHLL", "$4", "AX")
	s.op("ADDL", "R10", "AX")
}

// rankRow ranks the values of one row; a scale is column, place of its pivots and number of registers of pivots.
func rankRow(s *source) {
	s.text("rankRow", 40, "func rankRow(x *float32, scales *Scale, n int, cuts *float32, rank *uint32)")
	s.op("MOVQ", "x+0(FP)", "SI")
	s.op("MOVQ", "scales+8(FP)", "DI")
	s.op("MOVQ", "n+16(FP)", "BX")
	s.op("MOVQ", "cuts+24(FP)", "R12")
	s.op("MOVQ", "rank+32(FP)", "DX")
	s.label("scale")
	s.op("MOVL", "(DI)", "AX")
	s.op("VBROADCASTSS", "(SI)(AX*4)", "Y0")
	s.op("MOVL", "4(DI)", "R9")
	s.op("LEAQ", "(R12)(R9*4)", "R9")
	s.op("MOVL", "8(DI)", "R8")
	rank(s, "pivots")
	s.op("MOVL", "AX", "(DX)")
	s.op("ADDQ", "$4", "DX")
	s.op("ADDQ", "$12", "DI")
	s.op("DECQ", "BX")
	s.op("JNE", "scale")
	s.op("VZEROUPPER")
	s.op("RET")
}

// rankColumn ranks n values by one scale.
func rankColumn(s *source) {
	s.text("rankColumn", 40, "func rankColumn(x *float32, n int, cuts *float32, registers int, rank *uint32)")
	s.op("MOVQ", "x+0(FP)", "SI")
	s.op("MOVQ", "n+8(FP)", "BX")
	s.op("MOVQ", "cuts+16(FP)", "R12")
	s.op("MOVQ", "registers+24(FP)", "R8")
	s.op("MOVQ", "rank+32(FP)", "DX")
	s.label("row")
	s.op("VBROADCASTSS", "(SI)", "Y0")
	s.op("MOVQ", "R12", "R9")
	rank(s, "pivots")
	s.op("MOVL", "AX", "(DX)")
	s.op("ADDQ", "$4", "DX")
	s.op("ADDQ", "$4", "SI")
	s.op("DECQ", "BX")
	s.op("JNE", "row")
	s.op("VZEROUPPER")
	s.op("RET")
}

// treeCode loads the node at address and compares: carry says that the code is above the cut. For 16 bits a node is slot<<8 | cut with
// slots of a byte, for 32 bits the same with slots of three bytes.
func treeCode(s *source, bits int, address string) {
	if bits == 16 {
		s.op("MOVWLZX", address, "AX")
		s.op("MOVBLZX", "AH", "CX")
	} else {
		s.op("MOVL", address, "AX")
		s.op("MOVL", "AX", "CX")
		s.op("SHRL", "$8", "CX")
	}
	s.op("CMPB", "AX", "(DI)(CX*1)")
}

// walk: one row goes down eleven complete trees at a time. A tree of depth d is 2^d nodes in heap order, the root at 1.
func walk(s *source, bits int) {
	name := fmt.Sprintf("walk%d", bits)
	s.textFrame(name, 8, 40, fmt.Sprintf("func %s(nodes *uint%d, codes *byte, depth, groups int, leaf *uint32)", name, bits))
	s.op("MOVQ", "nodes+0(FP)", "SI")
	s.op("MOVQ", "codes+8(FP)", "DI")
	s.op("MOVQ", "depth+16(FP)", "AX")
	for d := 1; d <= treeDepth; d++ {
		s.op("CMPQ", "AX", imm(d))
		s.op("JEQ", fmt.Sprintf("depth%d", d))
	}
	s.op("RET")
	size := bits / 8
	for d := 1; d <= treeDepth; d++ {
		s.label(fmt.Sprintf("depth%d", d))
		stride := size << d
		for l := range d {
			for t := range treeWalks {
				// The processor follows the nodes too late by itself: the lines of the group after the next are asked for here.
				for line := (l*treeWalks + t) * 64; line < treeWalks*stride; line += d * treeWalks * 64 {
					s.op("PREFETCHT0", mem(2*treeWalks*stride+line, "SI"))
				}
				at := fmt.Sprintf("%d(SI)(%s*%d)", t*stride, treeWalk(t), size)
				if l == 0 {
					at = fmt.Sprintf("%d(SI)", t*stride+size)
					s.op("MOVL", "$1", treeWalk(t))
				}
				treeCode(s, bits, at)
				s.op("ADCL", treeWalk(t), treeWalk(t))
			}
		}
		s.op("MOVQ", "leaf+32(FP)", "AX")
		for t := range treeWalks {
			s.op("MOVL", treeWalk(t), mem(4*t, "AX"))
		}
		s.op("ADDQ", imm(4*treeWalks), "leaf+32(FP)")
		s.op("ADDQ", imm(treeWalks*stride), "SI")
		s.op("DECQ", "groups+24(FP)")
		s.op("JNE", fmt.Sprintf("depth%d", d))
		s.op("RET")
	}
}

// levels: one row goes down symmetric trees, d nodes each, the root first.
func levels(s *source, bits int) {
	name := fmt.Sprintf("levels%d", bits)
	s.textFrame(name, 8, 40, fmt.Sprintf("func %s(nodes *uint%d, codes *byte, depth, groups int, leaf *uint32)", name, bits))
	s.op("MOVQ", "nodes+0(FP)", "SI")
	s.op("MOVQ", "codes+8(FP)", "DI")
	s.op("MOVQ", "depth+16(FP)", "AX")
	for d := 1; d <= treeDepth; d++ {
		s.op("CMPQ", "AX", imm(d))
		s.op("JEQ", fmt.Sprintf("depth%d", d))
	}
	s.op("RET")
	size := bits / 8
	for d := 1; d <= treeDepth; d++ {
		s.label(fmt.Sprintf("depth%d", d))
		for l := range d {
			for t := range treeWalks {
				if l == 0 {
					s.op("MOVL", "$1", treeWalk(t))
				}
				treeCode(s, bits, mem((t*d+l)*size, "SI"))
				s.op("ADCL", treeWalk(t), treeWalk(t))
			}
		}
		s.op("MOVQ", "leaf+32(FP)", "AX")
		for t := range treeWalks {
			s.op("MOVL", treeWalk(t), mem(4*t, "AX"))
		}
		s.op("ADDQ", imm(4*treeWalks), "leaf+32(FP)")
		s.op("ADDQ", imm(treeWalks*d*size), "SI")
		s.op("DECQ", "groups+24(FP)")
		s.op("JNE", fmt.Sprintf("depth%d", d))
		s.op("RET")
	}
}

// walkNodes: one row goes down eleven trees of any shape, step by step; leaves lead to themselves. A node is slot<<8 | cut and the place of
// its left child.
func walkNodes(s *source) {
	s.textFrame("walkNodes", 8, 32, "func walkNodes(nodes *Node, codes *byte, steps int, place *uint32)")
	s.op("MOVQ", "nodes+0(FP)", "SI")
	s.op("MOVQ", "codes+8(FP)", "DI")
	s.op("MOVQ", "place+24(FP)", "AX")
	for t := range treeWalks {
		s.op("MOVL", mem(4*t, "AX"), treeWalk(t))
	}
	s.label("step")
	for t := range treeWalks {
		r := treeWalk(t)
		s.op("MOVL", fmt.Sprintf("(SI)(%s*8)", r), "AX")
		s.op("MOVL", fmt.Sprintf("4(SI)(%s*8)", r), r)
		s.op("MOVL", "AX", "CX")
		s.op("SHRL", "$8", "CX")
		s.op("CMPB", "AX", "(DI)(CX*1)")
		s.op("ADCL", "$0", r)
	}
	s.op("DECQ", "steps+16(FP)")
	s.op("JNE", "step")
	s.op("MOVQ", "place+24(FP)", "AX")
	for t := range treeWalks {
		s.op("MOVL", treeWalk(t), mem(4*t, "AX"))
	}
	s.op("RET")
}

// blockNodes: 64 rows go down one tree of any shape. Nodes come from below; left and right are places in room, which begins with the
// numbers of the leaves.
func blockNodes(s *source) {
	s.text("blockNodes", 40, "func blockNodes(list *BlockNode, n int, codes, room, leaf *byte)")
	s.op("MOVQ", "list+0(FP)", "SI")
	s.op("MOVQ", "n+8(FP)", "BX")
	s.op("MOVQ", "codes+16(FP)", "DI")
	s.op("MOVQ", "room+24(FP)", "R8")
	s.op("MOVQ", "leaf+32(FP)", "DX")
	s.label("node")
	s.op("MOVL", "(SI)", "AX")    // codes
	s.op("MOVL", "4(SI)", "R9")   // left
	s.op("MOVL", "8(SI)", "R10")  // right
	s.op("MOVL", "12(SI)", "R11") // this node
	s.op("VPBROADCASTB", "16(SI)", "Y0")
	s.op("VPCMPGTB", "(DI)(AX*1)", "Y0", "Y1")
	s.op("VPCMPGTB", "32(DI)(AX*1)", "Y0", "Y2")
	s.op("VMOVDQU", "(R8)(R10*1)", "Y3")
	s.op("VMOVDQU", "32(R8)(R10*1)", "Y4")
	s.op("VPBLENDVB", "Y1", "(R8)(R9*1)", "Y3", "Y3")
	s.op("VPBLENDVB", "Y2", "32(R8)(R9*1)", "Y4", "Y4")
	s.op("VMOVDQU", "Y3", "(R8)(R11*1)")
	s.op("VMOVDQU", "Y4", "32(R8)(R11*1)")
	s.op("ADDQ", "$20", "SI")
	s.op("DECQ", "BX")
	s.op("JNE", "node")
	s.op("VMOVDQU", "Y3", "(DX)")
	s.op("VMOVDQU", "Y4", "32(DX)")
	s.op("VZEROUPPER")
	s.op("RET")
}

// block: 64 rows go down one complete tree. Nodes come in post-order, so that the leaf numbers of two children are in registers when
// their parent chooses between them. Up to depth 6 two registers of 32 rows fit; below, the halves take turns.
func block(s *source) {
	s.text("block", 40, "func block(slot *uint32, cut *byte, depth int, codes *byte, leaf *byte)")
	s.op("MOVQ", "slot+0(FP)", "SI")
	s.op("MOVQ", "cut+8(FP)", "BX")
	s.op("MOVQ", "depth+16(FP)", "AX")
	s.op("MOVQ", "codes+24(FP)", "DI")
	s.op("MOVQ", "leaf+32(FP)", "DX")
	s.op("VPCMPEQB", "Y14", "Y14", "Y14") // −1
	s.op("VPABSB", "Y14", "Y13")          // the number of the next right leaf
	s.op("VPADDB", "Y13", "Y13", "Y14")   // 2
	for d := 1; d <= treeDepth; d++ {
		s.op("CMPQ", "AX", imm(d))
		s.op("JEQ", fmt.Sprintf("depth%d", d))
	}
	s.op("VZEROUPPER")
	s.op("RET")
	for d := 1; d <= treeDepth; d++ {
		s.label(fmt.Sprintf("depth%d", d))
		wide, halves := 2, 1
		if d > 6 {
			wide, halves = 1, 2
		}
		for h := range halves {
			if h > 0 {
				s.op("VPCMPEQB", "Y13", "Y13", "Y13")
				s.op("VPABSB", "Y13", "Y13")
			}
			n := 0
			var visit func(height, reg int)
			visit = func(height, reg int) {
				if height > 1 {
					visit(height-1, reg)
					visit(height-1, reg+wide)
				}
				s.op("MOVL", mem(4*n, "SI"), "CX")
				s.op("VPBROADCASTB", mem(n, "BX"), "Y15")
				n++
				for w := range wide {
					code := fmt.Sprintf("%d(DI)(CX*1)", 32*(h+w))
					dst := fmt.Sprintf("Y%d", reg+w)
					if height == 1 {
						s.op("VPCMPGTB", code, "Y15", dst)
						s.op("VPADDB", "Y13", dst, dst)
						continue
					}
					mask := "Y12"
					if w == wide-1 {
						mask = "Y15"
					}
					s.op("VPCMPGTB", code, "Y15", mask)
					s.op("VPBLENDVB", mask, dst, fmt.Sprintf("Y%d", reg+wide+w), dst)
				}
				if height == 1 {
					s.op("VPADDB", "Y14", "Y13", "Y13")
				}
			}
			visit(d, 0)
			for w := range wide {
				s.op("VMOVDQU", fmt.Sprintf("Y%d", w), mem(32*(h+w), "DX"))
			}
		}
		s.op("VZEROUPPER")
		s.op("RET")
	}
}

// blockLevels: 64 rows go down one symmetric tree; with m = −1 for left, leaf = 2^d − 1 + Σ m·2^(d−1−l).
func blockLevels(s *source) {
	s.text("blockLevels", 40, "func blockLevels(slot *uint32, cut *byte, depth int, codes *byte, leaf *byte)")
	s.op("MOVQ", "slot+0(FP)", "SI")
	s.op("MOVQ", "cut+8(FP)", "BX")
	s.op("MOVQ", "depth+16(FP)", "AX")
	s.op("MOVQ", "codes+24(FP)", "DI")
	s.op("MOVQ", "leaf+32(FP)", "DX")
	s.op("VPXOR", "Y0", "Y0", "Y0")
	s.op("VPXOR", "Y1", "Y1", "Y1")
	s.op("VPXOR", "Y2", "Y2", "Y2")    // 2^l − 1
	s.op("VPCMPEQB", "Y3", "Y3", "Y3") // −1
	s.label("level")
	s.op("MOVL", "(SI)", "CX")
	s.op("VPBROADCASTB", "(BX)", "Y5")
	s.op("VPCMPGTB", "(DI)(CX*1)", "Y5", "Y4")
	s.op("VPCMPGTB", "32(DI)(CX*1)", "Y5", "Y5")
	for i, m := range []string{"Y4", "Y5"} {
		r := fmt.Sprintf("Y%d", i)
		s.op("VPADDB", r, r, r)
		s.op("VPADDB", m, r, r)
	}
	s.op("VPADDB", "Y2", "Y2", "Y2")
	s.op("VPSUBB", "Y3", "Y2", "Y2")
	s.op("ADDQ", "$4", "SI")
	s.op("INCQ", "BX")
	s.op("DECQ", "AX")
	s.op("JNE", "level")
	for i := range 2 {
		r := fmt.Sprintf("Y%d", i)
		s.op("VPADDB", "Y2", r, r)
		s.op("VMOVDQU", r, mem(32*i, "DX"))
	}
	s.op("VZEROUPPER")
	s.op("RET")
}

// addFloat32: sum[i] += value[leaf[i]·width] for 64 rows.
func addFloat32(s *source) {
	s.text("addFloat32", 32, "func addFloat32(leaf *byte, value *float32, width int, sum *float32)")
	s.op("MOVQ", "leaf+0(FP)", "SI")
	s.op("MOVQ", "value+8(FP)", "BX")
	s.op("VPBROADCASTD", "width+16(FP)", "Y0")
	s.op("MOVQ", "sum+24(FP)", "DI")
	for i := range treeRows / 8 {
		a, m, v := fmt.Sprintf("Y%d", 1+i%2*3), fmt.Sprintf("Y%d", 2+i%2*3), fmt.Sprintf("Y%d", 3+i%2*3)
		s.op("VPMOVZXBD", mem(8*i, "SI"), a)
		s.op("VPMULLD", "Y0", a, a)
		s.op("VPCMPEQD", m, m, m)
		s.op("VPXOR", v, v, v)
		s.op("VGATHERDPS", m, "(BX)("+a+"*4)", v)
		s.op("VADDPS", mem(32*i, "DI"), v, v)
		s.op("VMOVUPS", v, mem(32*i, "DI"))
	}
	s.op("VZEROUPPER")
	s.op("RET")
}

// addFloat64: the same for float64.
func addFloat64(s *source) {
	s.text("addFloat64", 32, "func addFloat64(leaf *byte, value *float64, width int, sum *float64)")
	s.op("MOVQ", "leaf+0(FP)", "SI")
	s.op("MOVQ", "value+8(FP)", "BX")
	s.op("VPBROADCASTD", "width+16(FP)", "X0")
	s.op("MOVQ", "sum+24(FP)", "DI")
	for i := range treeRows / 4 {
		a, m, v := fmt.Sprintf("X%d", 1+i%2*3), fmt.Sprintf("Y%d", 2+i%2*3), fmt.Sprintf("Y%d", 3+i%2*3)
		s.op("VPMOVZXBD", mem(4*i, "SI"), a)
		s.op("VPMULLD", "X0", a, a)
		s.op("VPCMPEQD", m, m, m)
		s.op("VXORPD", v, v, v)
		s.op("VGATHERDPD", m, "(BX)("+a+"*8)", v)
		s.op("VADDPD", mem(32*i, "DI"), v, v)
		s.op("VMOVUPD", v, mem(32*i, "DI"))
	}
	s.op("VZEROUPPER")
	s.op("RET")
}

// contribute takes a tree down and up again at four points; see tree.Contribute. Node 0 is the root.
func contribute(s *source) {
	s.text("contribute", 72, "func contribute(n int, parent, part *int32, state *byte, edges *Edge, value *float64, prod, sum, parts *[4]float64)")
	s.op("MOVQ", "n+0(FP)", "CX")
	s.op("MOVQ", "parent+8(FP)", "SI")
	s.op("MOVQ", "part+16(FP)", "DI")
	s.op("MOVQ", "state+24(FP)", "BX")
	s.op("MOVQ", "edges+32(FP)", "R8")
	s.op("MOVQ", "value+40(FP)", "R9")
	s.op("MOVQ", "prod+48(FP)", "R10")
	s.op("MOVQ", "sum+56(FP)", "R11")
	s.op("MOVQ", "parts+64(FP)", "R12")
	edge := func() { // R13 becomes the place of the edge of node DX
		s.op("MOVBLZX", "(BX)(DX*1)", "AX")
		s.op("LEAQ", "(DX)(DX*2)", "R13")
		s.op("ADDQ", "AX", "R13")
		s.op("SHLQ", "$6", "R13")
	}
	s.op("VXORPD", "Y0", "Y0", "Y0")
	s.op("VMOVUPD", "Y0", "(R11)")
	s.op("MOVL", "$1", "DX")
	s.op("MOVQ", "$32", "R15")
	s.label("down")
	s.op("MOVL", "(SI)(DX*4)", "R14")
	s.op("SHLQ", "$5", "R14")
	edge()
	s.op("VMOVUPD", "(R10)(R14*1)", "Y1")
	s.op("VMULPD", "(R8)(R13*1)", "Y1", "Y1")
	s.op("VMOVUPD", "Y1", "(R10)(R15*1)")
	s.op("VMOVUPD", "Y0", "(R11)(R15*1)")
	s.op("ADDQ", "$32", "R15")
	s.op("INCQ", "DX")
	s.op("CMPQ", "DX", "CX")
	s.op("JLT", "down")
	s.op("DECQ", "DX")
	s.label("up")
	s.op("SUBQ", "$32", "R15")
	edge()
	s.op("VBROADCASTSD", "(R9)(DX*8)", "Y1")
	s.op("VMULPD", "(R10)(R15*1)", "Y1", "Y1")
	s.op("VADDPD", "(R11)(R15*1)", "Y1", "Y1")
	s.op("MOVL", "(SI)(DX*4)", "R14")
	s.op("SHLQ", "$5", "R14")
	s.op("VADDPD", "(R11)(R14*1)", "Y1", "Y2")
	s.op("VMOVUPD", "Y2", "(R11)(R14*1)")
	s.op("VMULPD", "32(R8)(R13*1)", "Y1", "Y1")
	s.op("MOVL", "(DI)(DX*4)", "R14")
	s.op("SHLQ", "$5", "R14")
	s.op("VADDPD", "(R12)(R14*1)", "Y1", "Y1")
	s.op("VMOVUPD", "Y1", "(R12)(R14*1)")
	s.op("DECQ", "DX")
	s.op("JNE", "up")
	s.op("VZEROUPPER")
	s.op("RET")
}

// sumLeaves: value[from[i]+leaf[i]] is added to sum i mod k, in order, for n·k trees.
func sumLeaves(s *source, k, bits int) {
	name := fmt.Sprintf("sum%dFloat%d", k, bits)
	s.text(name, 40, fmt.Sprintf("func %s(from, leaf *uint32, value *float%d, n int, sum *float%d)", name, bits, bits))
	move, add := "VMOVSS", "VADDSS"
	if bits == 64 {
		move, add = "VMOVSD", "VADDSD"
	}
	s.op("MOVQ", "from+0(FP)", "SI")
	s.op("MOVQ", "leaf+8(FP)", "DI")
	s.op("MOVQ", "value+16(FP)", "BX")
	s.op("MOVQ", "n+24(FP)", "CX")
	s.op("MOVQ", "sum+32(FP)", "DX")
	for c := range k {
		s.op(move, mem(c*bits/8, "DX"), fmt.Sprintf("X%d", c))
	}
	s.label("trees")
	for c := range k {
		s.op("MOVL", mem(4*c, "SI"), "AX")
		s.op("ADDL", mem(4*c, "DI"), "AX")
		s.op(add, fmt.Sprintf("(BX)(AX*%d)", bits/8), fmt.Sprintf("X%d", c), fmt.Sprintf("X%d", c))
	}
	s.op("ADDQ", imm(4*k), "SI")
	s.op("ADDQ", imm(4*k), "DI")
	s.op("DECQ", "CX")
	s.op("JNE", "trees")
	for c := range k {
		s.op(move, fmt.Sprintf("X%d", c), mem(c*bits/8, "DX"))
	}
	s.op("RET")
}

package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// rowFunction is an element-wise kernel over the rows of matrices, whose rows may each be any distance apart: the cells of a whole
// mini-batch in one call. The inputs come first; an output that has the name of an input is written in its place.
//
// A long function runs over a row in passes, each a short chain of operations, so that the processor works on several blocks at once.
type rowFunction struct {
	function
	passes []*function // nil: the whole is one
}

// rowFunctions lists the kernels of cells.
func rowFunctions() []*rowFunction {
	return []*rowFunction{lstmRows(), lstmGradRows(), gruRows(), gruGradRows(), geluBias(), biasAdd()}
}

// vectors are the names of all matrices, once each.
func (f *rowFunction) vectors() []string {
	v := slices.Clone(f.ins)
	for _, o := range f.outs {
		if !slices.Contains(v, o) {
			v = append(v, o)
		}
	}
	return v
}

func lstmRows() *rowFunction {
	f := lstm()
	f.name, f.ins, f.outs = "LSTMRows", []string{"i", "f", "u", "o", "c0"}, []string{"i", "f", "u", "o", "c", "t", "h"}
	f.doc = "is [LSTM] for rows of cells: the gates take the place of their sums. c may be c0."
	gates, states := lstmPasses("c0", "c", "t", "h")
	return &rowFunction{*f, []*function{gates, states}}
}

// lstmPasses are the two halves of a cell: the gates, then the cells after those in c0, their tangents (unless t is empty) and the states.
func lstmPasses(c0, c, t, h string) (gates, states *function) {
	gates = &function{ins: []string{"i", "f", "u", "o"}, outs: []string{"i", "f", "u", "o"}}
	gates.results = []val{gates.logistic(gates.in(0)), gates.logistic(gates.in(1)), gates.tanh(gates.in(2)), gates.logistic(gates.in(3))}
	states = &function{ins: []string{"i", "f", "u", "o", c0}, outs: []string{c, t, h}}
	cell := states.fma(states.in(1), states.in(4), states.mul(states.in(0), states.in(2)))
	tangent := states.tanh(cell)
	states.results = []val{cell, tangent, states.mul(states.in(3), tangent)}
	if t == "" {
		states.outs, states.results = slices.Delete(states.outs, 1, 2), slices.Delete(states.results, 1, 2)
	}
	return gates.byDepth(), states
}

func gruRows() *rowFunction {
	f := gru()
	f.name, f.ins, f.outs = "GRURows", []string{"r", "z", "n", "hn", "h0"}, []string{"r", "z", "n", "h"}
	f.doc = "is [GRU] for rows of cells: r, z and n take the place of ar, az and an. h may be h0."
	gates := &function{name: f.name, ins: []string{"r", "z"}, outs: []string{"r", "z"}}
	gates.results = []val{gates.logistic(gates.in(0)), gates.logistic(gates.in(1))}
	states := &function{name: f.name, ins: []string{"r", "z", "n", "hn", "h0"}, outs: []string{"n", "h"}}
	n := states.tanh(states.fma(states.in(0), states.in(3), states.in(2)))
	states.results = []val{n, states.fma(states.in(1), states.sub(states.in(4), n), n)}
	return &rowFunction{*f, []*function{gates.byDepth(), states}}
}

func lstmGradRows() *rowFunction {
	f := &function{name: "LSTMGradRows", ins: []string{"dh", "dy", "dc", "i", "f", "u", "o", "t", "c0"}, outs: []string{"dc", "i", "f", "u", "o"},
		doc: "is [LSTMGrad] for rows of cells, where the gradient of h is dh + dy: the gates become the gradients of their sums\nand dc, of c, that of c0."}
	dh, dc, i, fo, g, o, t, c0 := f.add(f.in(0), f.in(1)), f.in(2), f.in(3), f.in(4), f.in(5), f.in(6), f.in(7), f.in(8)
	one := f.num(1)
	dct := f.fma(f.mul(dh, o), f.fnma(t, t, one), dc)
	f.results = []val{
		f.mul(dct, fo),
		f.gateGrad(f.mul(dct, g), i),
		f.gateGrad(f.mul(dct, c0), fo),
		f.mul(f.mul(dct, i), f.fnma(g, g, one)),
		f.gateGrad(f.mul(dh, t), o),
	}
	return &rowFunction{*f, nil}
}

func gruGradRows() *rowFunction {
	f := &function{name: "GRUGradRows", ins: []string{"dh", "dy", "r", "z", "n", "hn", "h0"}, outs: []string{"dh", "r", "z", "n", "hn"},
		doc: "is [GRUGrad] for rows of cells, where the gradient of h is dh + dy: r, z, n and hn become the gradients of ar, az, an\nand hn, and dh that of h0 as far as it does not pass through them."}
	dh, r, z, n, hn, h0 := f.add(f.in(0), f.in(1)), f.in(2), f.in(3), f.in(4), f.in(5), f.in(6)
	one := f.num(1)
	dn := f.mul(f.fnma(dh, z, dh), f.fnma(n, n, one))
	f.results = []val{
		f.mul(dh, z),
		f.gateGrad(f.mul(dn, hn), r),
		f.gateGrad(f.mul(dh, f.sub(h0, n)), z),
		dn,
		f.mul(dn, r),
	}
	return &rowFunction{*f, nil}
}

// declaration is the Go declaration of the assembly; steps are the bytes from a row to the next.
func (f *rowFunction) declaration(name string) string {
	v := f.vectors()
	steps := make([]string, len(v))
	for i := range v {
		steps[i] = v[i] + "Step"
	}
	return fmt.Sprintf("func %s(%s *float32, blocks, rows, %s int)", name, strings.Join(v, ", "), strings.Join(steps, ", "))
}

// byDepth is f with the operations in the order of how many others they wait for, so that chains that are apart take turns.
func (f *function) byDepth() *function {
	depth, order := make([]int, len(f.ops)), make([]int, len(f.ops))
	for i, o := range f.ops {
		order[i] = i
		for _, v := range f.operands(o) {
			depth[i] = max(depth[i], depth[v]+1)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return depth[a] - depth[b] })
	place, g := make([]val, len(f.ops)), *f
	g.ops, g.results = nil, nil
	for k, i := range order {
		place[i] = val(k)
	}
	for _, i := range order {
		o := f.ops[i]
		if n := len(f.operands(o)); n > 0 {
			o.a, o.b, o.c = place[o.a], place[o.b], place[o.c]
		}
		g.ops = append(g.ops, o)
	}
	for _, v := range f.results {
		g.results = append(g.results, place[v])
	}
	return &g
}

// abreast is f for some blocks next to each other, whose operations take turns: each is a long chain, and a processor looks only so far
// ahead that it would work on few of them at once. Results of a block come after those of the one before.
func (f *function) abreast(blocks int) *function {
	g := &function{name: f.name}
	place := make([][]val, blocks)
	for i, o := range f.ops {
		for b := range blocks {
			n := o
			for _, v := range []*val{&n.a, &n.b, &n.c} {
				if int(*v) < i {
					*v = place[b][*v]
				}
			}
			if o.what == "in" {
				n.block = b
			}
			place[b] = append(place[b], g.do(n))
		}
	}
	for b := range blocks {
		for _, v := range f.results {
			g.results = append(g.results, place[b][v])
		}
	}
	return g
}

// index is the register that counts the bytes of a row that are done.
const index = "AX"

// blocks emits the work of a pass on some blocks next to each other and returns the number of registers that it needs.
func (f *rowFunction) blocks(s *source, m machine, k *constants, pass *function, blocks int) (registers int) {
	g, vs := pass.abreast(blocks), f.vectors()
	g.held = pass.held
	for i, o := range g.ops { // pointers are those of all vectors
		if o.what == "in" {
			g.ops[i].index = slices.Index(vs, pass.ins[o.index])
		}
	}
	var free []int
	take := func() int {
		if len(free) == 0 {
			free = append(free, registers)
			registers++
		}
		r := free[len(free)-1]
		free = free[:len(free)-1]
		return r
	}
	where, p := map[val]int{}, pointers()
	scratch := take()
	g.indexed = true
	g.body(s, m, k, where, g.last(), take, func(r int) { free = append(free, r) }, scratch)
	for i, v := range g.results {
		o := pass.outs[i%len(pass.outs)]
		s.op("VMOVUPS", m.reg(where[v]), mem(i/len(pass.outs)*m.bytes(), p[slices.Index(vs, o)])+"("+index+"*1)")
	}
	s.op("ADDQ", imm(blocks*m.bytes()), index)
	return registers
}

// abreastBlocks is the largest number of blocks next to each other.
const abreastBlocks = 4

// assembly emits the function for a machine.
func (f *rowFunction) assembly(s *source, m machine, k *constants) {
	name, vs := lower(f.name)+m.name, f.vectors()
	n, p := len(vs), pointers()
	if slices.Index(p, index) < n {
		panic(name + ": out of pointers")
	}
	s.text(name, 8*(2*n+2), f.declaration(name))
	for i, v := range vs {
		s.op("MOVQ", fmt.Sprintf("%s+%d(FP)", v, 8*i), p[i])
	}
	passes := f.passes
	if passes == nil {
		passes = []*function{&f.function}
	}
	if len(passes) == 1 { // the constants are loaded once
		f.hold(s, m, k, f.blocks(newSource(), m, k, passes[0], f.most(m, k, passes[0])), 2*m.lanes)
	}
	s.label("row")
	for i, pass := range passes {
		f.pass(s, m, k, pass, i, len(passes) > 1)
	}
	for i, v := range vs {
		s.op("ADDQ", fmt.Sprintf("%sStep+%d(FP)", v, 8*(n+2+i)), p[i])
	}
	s.op("DECQ", fmt.Sprintf("rows+%d(FP)", 8*(n+1)))
	s.op("JNE", "row")
	s.op("VZEROUPPER")
	s.op("RET")
	f.held = nil
}

// most is how many blocks next to each other the registers allow in a pass.
func (f *rowFunction) most(m machine, k *constants, pass *function) int {
	most := abreastBlocks
	for most > 1 && f.blocks(newSource(), m, k, pass, most) > 2*m.lanes { // 16 registers of 8 lanes, 32 of 16
		most /= 2
	}
	return most
}

// pass emits a pass over a row: as many blocks at once as the registers allow, then single ones.
func (f *rowFunction) pass(s *source, m machine, k *constants, pass *function, number int, hold bool) {
	most := f.most(m, k, pass)
	if hold {
		pass.hold(s, m, k, f.blocks(newSource(), m, k, pass, most), 2*m.lanes)
	}
	label := func(l string) string { return fmt.Sprintf("%s%d", l, number) }
	s.op("XORQ", index, index)
	s.op("MOVQ", fmt.Sprintf("blocks+%d(FP)", 8*len(f.vectors())), "CX")
	if most > 1 {
		s.op("SUBQ", imm(most), "CX")
		s.op("JLT", label("rest"))
		s.op("PCALIGN", "$32")
		s.label(label("abreast"))
		f.blocks(s, m, k, pass, most)
		s.op("SUBQ", imm(most), "CX")
		s.op("JGE", label("abreast"))
		s.label(label("rest"))
		s.op("ADDQ", imm(most), "CX")
		s.op("JEQ", label("next"))
	}
	s.op("PCALIGN", "$32")
	s.label(label("block"))
	f.blocks(s, m, k, pass, 1)
	s.op("DECQ", "CX")
	s.op("JNE", label("block"))
	s.label(label("next"))
	if hold {
		pass.held = nil
	}
}

// exported emits the checked function and its twin.
func (f *rowFunction) exported(b *bytes.Buffer) {
	vs := f.vectors()
	text := "// " + f.name + " " + f.doc
	fmt.Fprintf(b, "\n%s\nfunc %s(rows, width int, %s Matrix) {\n", strings.ReplaceAll(text, "\n", "\n// "), f.name, strings.Join(vs, ", "))
	holds := make([]string, 0, len(vs))
	for _, v := range vs {
		holds = append(holds, v+".holds(rows, width)")
	}
	fmt.Fprintf(b, "\tif !(%s) {\n", strings.Join(holds, " && "))
	for _, v := range vs {
		fmt.Fprintf(b, "\t\t%s.check(%q, rows, width)\n", v, f.name)
	}
	b.WriteString("\t}\n")
	b.WriteString("\tif rows == 0 || width == 0 {\n\t\treturn\n\t}\n")
	fmt.Fprintf(b, "\tdone := %sBlocks(simd.Current(), rows, width, &%s)\n", lower(f.name), strings.Join(vs, ", &"))
	b.WriteString("\tif done == width {\n\t\treturn\n\t}\n\tfor k := range rows {\n")
	b.WriteString("\t\t" + lower(f.name) + "Generic(")
	call := make([]string, 0, len(f.ins)+len(f.outs))
	for _, v := range slices.Concat(f.ins, f.outs) {
		call = append(call, v+".row(k, width)[done:]")
	}
	fmt.Fprintf(b, "%s)\n\t}\n}\n", strings.Join(call, ", "))
}

// plainRows emits the twin of one row, with outputs apart from inputs.
func (f *rowFunction) plainRows(b *bytes.Buffer) {
	g := f.function
	g.outs = slices.Clone(f.outs)
	for i, o := range g.outs {
		g.outs[i] = o + "Out"
	}
	g.plain(b)
}

// dispatch emits the amd64 part: it handles the first columns of every row and returns how many.
func (f *rowFunction) dispatch(b *bytes.Buffer) {
	vs := f.vectors()
	for _, m := range machines() {
		fmt.Fprintf(b, "\n//go:noescape\n%s\n", f.declaration(lower(f.name)+m.name))
	}
	fmt.Fprintf(b, "\nfunc %sBlocks(p simd.Path, rows, width int, %s *Matrix) int {\n\tswitch p {\n", lower(f.name), strings.Join(vs, ", "))
	for _, m := range machines() {
		call := lower(f.name) + m.name
		args, steps, room := make([]string, 0, 2*len(vs)+2), make([]string, 0, len(vs)), make([]string, 0, 2*len(vs)+2)
		for i, v := range vs {
			args = append(args, "&"+v+".Data["+v+".First]")
			steps = append(steps, fmt.Sprintf("4*%s.Stride", v))
			room = append(room, fmt.Sprintf("&room[%d][0]", i))
		}
		args = append(append(args, "blocks", "rows"), steps...)
		room = append(room, "1", "1")
		for range vs {
			room = append(room, "0")
		}
		fmt.Fprintf(b, "\tcase simd.%s:\n\t\tblocks := width / %d\n\t\tdone := blocks * %d\n\t\tif blocks > 0 {\n\t\t\t%s(%s)\n\t\t}\n", m.name, m.lanes, m.lanes, call, strings.Join(args, ", "))
		if !f.heavy() {
			b.WriteString("\t\treturn done\n")
			continue
		}
		fmt.Fprintf(b, "\t\tif done < width { // the rest, in a block\n\t\t\tvar room [%d][%d]float32\n\t\t\tfor k := range rows {\n", len(vs), m.lanes)
		for i, v := range vs {
			if slices.Contains(f.ins, v) {
				fmt.Fprintf(b, "\t\t\t\tcopy(room[%d][:], %s.row(k, width)[done:])\n", i, v)
			}
		}
		fmt.Fprintf(b, "\t\t\t\t%s(%s)\n", call, strings.Join(room, ", "))
		for i, v := range vs {
			if slices.Contains(f.outs, v) {
				fmt.Fprintf(b, "\t\t\t\tcopy(%s.row(k, width)[done:], room[%d][:])\n", v, i)
			}
		}
		b.WriteString("\t\t\t}\n\t\t}\n\t\treturn width\n")
	}
	b.WriteString("\t}\n\treturn 0\n}\n")
}

// elsewhere emits the part of other processors.
func (f *rowFunction) elsewhere(b *bytes.Buffer) {
	fmt.Fprintf(b, "\nfunc %sBlocks(simd.Path, int, int, %s*Matrix) int { return 0 }\n", lower(f.name), strings.Repeat("*Matrix, ", len(f.vectors())-1))
}

// rowFiles returns the files of the kernels over rows.
func rowFiles() []generated {
	s := newSource()
	var k constants
	var plain, fast, other bytes.Buffer
	for _, f := range rowFunctions() {
		f.exported(&plain)
		f.plainRows(&plain)
		f.dispatch(&fast)
		f.elsewhere(&other)
		for _, m := range machines() {
			f.assembly(s, m, &k)
		}
	}
	for _, m := range machines() {
		lstmSteps(s, m, &k)
	}
	packed := constants{packed: "Cells"}
	lstmSteps64(s, &packed)
	s.b.WriteByte('\n')
	k.emit(s)
	packed.emit(s)
	const simd = "github.com/mlfactory/mlfactory/internal/simd"
	return []generated{
		{"vec/cells_amd64.s", s.b.Bytes()},
		{"vec/cells.go", goFile("", []string{"math", simd}, plain.Bytes())},
		{"vec/cells_amd64.go", goFile("", []string{simd}, fast.Bytes())},
		{"vec/cells_other.go", goFile("//go:build !amd64\n\n", []string{simd}, other.Bytes())},
	}
}

func sumRows() *grid {
	g := &grid{name: "SumRows", carries: []string{"y"}, mats: []string{"x"}, doc: "adds the rows of x, from the first to the last, to y."}
	g.next = []val{g.f.add(g.carry("y"), g.mat("x"))}
	return g
}

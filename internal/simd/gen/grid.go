package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// grid is a kernel over rows of lanes: for each block of lanes it walks down the rows and keeps columns and carried values in registers.
// Like a function it is written once and gives the same bits for AVX2, AVX-512 and plain Go.
type grid struct {
	f       function // records the operations
	name    string
	doc     string
	cols    []string // vectors, one value a lane for all rows
	carries []string // vectors that are read, changed by every row and written
	mats    []string // matrices that are read
	vals    []string // one value a row for all lanes
	outs    []string // matrices that are written; one of mats is changed in place
	sums    []string // 16 running sums a row: lane j adds to sum j mod 16
	narrow  bool     // AVX2: one register a block, where two need too many
	next    []val    // of carries
	write   []val    // of outs
	plus    []val    // of sums
}

// sumLanes is the number of sums of a row; internal/simd/vec has the same constant.
const sumLanes = 16

func (g *grid) in(list []string, before int, name string) val {
	i := slices.Index(list, name)
	if i < 0 {
		panic("gen: " + g.name + " has no " + name)
	}
	return g.f.in(before + i)
}

func (g *grid) col(name string) val   { return g.in(g.cols, 0, name) }
func (g *grid) carry(name string) val { return g.in(g.carries, len(g.cols), name) }
func (g *grid) mat(name string) val   { return g.in(g.mats, len(g.cols)+len(g.carries), name) }
func (g *grid) value(name string) val {
	return g.in(g.vals, len(g.cols)+len(g.carries)+len(g.mats), name)
}

// kind says what an input is: c(olumn), s(tate that is carried), m(atrix) or v(alue), and which.
func (g *grid) kind(index int) (byte, int) {
	for _, k := range []struct {
		kind byte
		n    int
	}{{'c', len(g.cols)}, {'s', len(g.carries)}, {'m', len(g.mats)}} {
		if index < k.n {
			return k.kind, index
		}
		index -= k.n
	}
	return 'v', index
}

// walked are the matrices and values with a pointer of their own.
func (g *grid) walked() []string {
	w := slices.Concat(g.mats, g.vals)
	for _, o := range g.outs {
		if !slices.Contains(g.mats, o) {
			w = append(w, o)
		}
	}
	return w
}

// last is the number of the operation that uses a value last; carried values and results live to the end.
func (g *grid) last() []int {
	l := make([]int, len(g.f.ops))
	for i, o := range g.f.ops {
		for _, v := range g.f.operands(o) {
			l[v] = i
		}
	}
	for _, v := range slices.Concat(g.next, g.write, g.plus) {
		l[v] = len(g.f.ops)
	}
	return l
}

// declaration is the Go declaration of the assembly: pointers of columns and carries, pointers and strides in bytes of what is walked,
// pointers of sums.
func (g *grid) declaration(name string) string {
	var strides []string
	for _, w := range g.walked() {
		strides = append(strides, w+"Step")
	}
	return fmt.Sprintf("func %s(%s *float32, %s, rows, blocks int)", name,
		strings.Join(slices.Concat(g.cols, g.carries, g.walked(), g.sums), ", "), strings.Join(strides, ", "))
}

// assembly emits the kernel for a machine.
func (g *grid) assembly(s *source, m machine, k *constants) {
	g.f.held = nil
	used := g.emit(newSource(), m, k, 2*m.lanes) // registers that are left hold constants
	g.emit(s, m, k, used)
	g.f.held = nil
}

// emit writes the kernel, with constants in the registers from the given one on, and returns how many others it needs.
func (g *grid) emit(s *source, m machine, k *constants, constants int) (used int) {
	name := lower(g.name) + m.name
	pointers := slices.Concat(g.cols, g.carries, g.walked(), g.sums)
	walked := g.walked()
	at := map[string]string{} // of an argument on the stack
	for i, p := range pointers {
		at[p] = fmt.Sprintf("%s+%d(FP)", p, 8*i)
	}
	off := 8 * len(pointers)
	for _, w := range walked {
		at[w+"Step"] = fmt.Sprintf("%sStep+%d(FP)", w, off)
		off += 8
	}
	rows, blocks := fmt.Sprintf("rows+%d(FP)", off), fmt.Sprintf("blocks+%d(FP)", off+8)
	s.text(name, off+16, g.declaration(name))
	width := 1
	if m.lanes < sumLanes && !g.narrow {
		width = sumLanes / m.lanes
	}
	scratch := []string{"SI", "DI", "DX", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15", "AX"}
	reg := map[string]string{} // of what is walked and of sums
	for _, w := range slices.Concat(walked, g.sums) {
		reg[w], scratch = scratch[0], scratch[1:]
	}
	count := 16
	if m.lanes == 16 {
		count = 32
	}
	var free []int
	for r := count - 1; r >= 0; r-- {
		free = append(free, r)
	}
	take := func() int {
		if len(free) == 0 {
			panic(g.name + ": out of registers")
		}
		r := free[len(free)-1]
		free = free[:len(free)-1]
		used = max(used, r+1)
		return r
	}
	held := make([][]int, width) // columns, then carries, of each register of a block
	spare := take()
	s.op("MOVQ", blocks, "CX")
	s.op("TESTQ", "CX", "CX")
	s.op("JLE", "done")
	s.op("MOVQ", rows, "CX")
	s.op("TESTQ", "CX", "CX")
	s.op("JLE", "done")
	g.f.hold(s, m, k, constants, count)
	s.op("XORQ", "BX", "BX") // bytes before the block
	s.op("PCALIGN", "$32")
	s.label("block")
	for range g.cols {
		for u := range width {
			held[u] = append(held[u], take())
		}
	}
	for range g.carries {
		for u := range width {
			held[u] = append(held[u], take())
		}
	}
	for i, c := range slices.Concat(g.cols, g.carries) {
		s.op("MOVQ", at[c], "AX")
		for u := range width {
			s.op("VMOVUPS", fmt.Sprintf("%d(AX)(BX*1)", u*m.bytes()), m.reg(held[u][i]))
		}
	}
	for _, w := range walked {
		s.op("MOVQ", at[w], reg[w])
		if !slices.Contains(g.vals, w) {
			s.op("ADDQ", "BX", reg[w])
		}
	}
	if len(g.sums) > 0 {
		s.op("MOVQ", "BX", "CX")
		s.op("ANDQ", imm(4*sumLanes-width*m.bytes()), "CX")
		for _, w := range g.sums {
			s.op("MOVQ", at[w], reg[w])
			s.op("ADDQ", "CX", reg[w])
		}
	}
	s.op("MOVQ", rows, "CX")
	s.op("PCALIGN", "$32")
	s.label("row")
	values := map[string]int{}
	for _, v := range g.vals {
		values[v] = take()
		s.op("VBROADCASTSS", mem(0, reg[v]), m.reg(values[v]))
	}
	for u := range width {
		g.row(s, m, k, u*m.bytes(), held[u], values, reg, spare, take, func(r int) { free = append(free, r) })
	}
	for _, w := range walked {
		s.op("ADDQ", at[w+"Step"], reg[w])
	}
	for _, w := range g.sums {
		s.op("ADDQ", imm(4*sumLanes), reg[w])
	}
	s.op("DECQ", "CX")
	s.op("JNE", "row")
	for i, c := range g.carries {
		s.op("MOVQ", at[c], "AX")
		for u := range width {
			s.op("VMOVUPS", m.reg(held[u][len(g.cols)+i]), fmt.Sprintf("%d(AX)(BX*1)", u*m.bytes()))
		}
	}
	s.op("ADDQ", imm(width*m.bytes()), "BX")
	s.op("DECQ", blocks)
	s.op("JNE", "block")
	s.label("done")
	s.op("VZEROUPPER")
	s.op("RET")
	return used
}

// row emits the operations of one register of one row.
func (g *grid) row(s *source, m machine, k *constants, offset int, held []int, values map[string]int, reg map[string]string, spare int, take func() int, give func(int)) {
	f := &g.f
	last := g.last()
	where := map[val]int{}
	own := map[val]bool{} // the register is the value's own and can be given back
	state := map[val]int{}
	for i, o := range f.ops {
		if o.what != "in" {
			continue
		}
		switch kind, n := g.kind(o.index); kind {
		case 'c':
			where[val(i)] = held[n]
		case 's':
			where[val(i)] = held[len(g.cols)+n]
			state[val(i)] = n
		case 'v':
			where[val(i)] = values[g.vals[n]]
		}
	}
	operand := func(v val) string {
		if o := f.ops[v]; o.what == "const" {
			c, _ := f.constant(m, k, o.value)
			return c
		}
		return m.reg(where[v])
	}
	register := func(v val) string {
		if o := f.ops[v]; o.what == "const" {
			c, ok := f.constant(m, k, o.value)
			if ok {
				return c
			}
			s.op("VMOVUPS", c, m.reg(spare))
			return m.reg(spare)
		}
		return m.reg(where[v])
	}
	direct := map[int]bool{} // carries whose register holds the next value already
	names := map[string]string{"add": "VADDPS", "sub": "VSUBPS", "mul": "VMULPS", "div": "VDIVPS", "min": "VMINPS", "max": "VMAXPS"}
	for i, o := range f.ops {
		v := val(i)
		place := func() int {
			for _, u := range f.operands(o) {
				if own[u] && last[u] == i {
					give(where[u])
					own[u] = false
				}
			}
			for n, x := range g.next { // a carried value that nobody reads any more gives its register
				old := val(slices.IndexFunc(f.ops, func(p op) bool { return p.what == "in" && p.index == len(g.cols)+n }))
				if x == v && old >= 0 && last[old] <= i && !direct[n] {
					direct[n] = true
					return held[len(g.cols)+n]
				}
			}
			own[v] = true
			return take()
		}
		switch o.what {
		case "const":
		case "in":
			if kind, n := g.kind(o.index); kind == 'm' {
				where[v] = take()
				own[v] = true
				s.op("VMOVUPS", mem(offset, reg[g.mats[n]]), m.reg(where[v]))
			}
		case "add", "sub", "mul", "div", "min", "max":
			a, b := o.a, o.b
			if f.ops[a].what == "const" && f.ops[b].what != "const" && (o.what == "add" || o.what == "mul") {
				a, b = b, a
			}
			x, y := register(a), operand(b)
			where[v] = place()
			s.op(names[o.what], y, x, m.reg(where[v]))
		case "fma", "fnma":
			carried := func(u val) (int, bool) { // whose next value this is, and which nobody reads any more
				n, ok := state[u]
				return n, ok && g.next[n] == v && last[u] <= i && !direct[n]
			}
			r, over := f.fused(s, m, o, where, func(u val) bool {
				_, ok := carried(u)
				return ok || own[u] && last[u] == i
			}, operand, register, take)
			for _, u := range f.operands(o) {
				if own[u] && last[u] == i {
					own[u] = false
					if u != over {
						give(where[u])
					}
				}
			}
			where[v], own[v] = r, true
			if n, ok := carried(over); ok {
				direct[n], own[v] = true, false
			}
		case "shift":
			x := register(o.a)
			where[v] = place()
			s.op("VPSLLD", "$23", x, m.reg(where[v]))
		default:
			panic("gen: a grid has no operation " + o.what)
		}
	}
	for i, v := range g.write {
		s.op("VMOVUPS", register(v), mem(offset, reg[g.outs[i]]))
	}
	for i, v := range g.plus {
		s.op("VADDPS", mem(offset, reg[g.sums[i]]), m.reg(where[v]), m.reg(spare))
		s.op("VMOVUPS", m.reg(spare), mem(offset, reg[g.sums[i]]))
	}
	for n, v := range g.next {
		if !direct[n] {
			s.op("VMOVAPS", register(v), m.reg(held[len(g.cols)+n]))
		}
	}
	for v := range f.ops {
		if own[val(v)] {
			give(where[val(v)])
		}
	}
}

// arguments is the parameter list of the Go functions.
func (g *grid) arguments() string {
	vectors := strings.Join(slices.Concat(g.cols, g.carries), ", ")
	list := vectors + " []float32, " + strings.Join(g.walked(), ", ") + " Matrix"
	if len(g.sums) > 0 {
		list += ", " + strings.Join(g.sums, ", ") + " []float32"
	}
	return list + ", rows int"
}

func (g *grid) names() string {
	return strings.Join(slices.Concat(g.cols, g.carries, g.walked(), g.sums), ", ") + ", rows"
}

// plain emits the twin and the exported function.
func (g *grid) plain(b *bytes.Buffer) {
	text := "// " + g.name + " " + g.doc
	first := slices.Concat(g.cols, g.carries)[0]
	fmt.Fprintf(b, "\n%s\nfunc %s(%s) {\n", strings.ReplaceAll(text, "\n", "\n// "), g.name, g.arguments())
	for _, v := range slices.Concat(g.cols, g.carries)[1:] {
		fmt.Fprintf(b, "\tsame(%q, len(%s), len(%s))\n", g.name, first, v)
	}
	for _, w := range g.walked() {
		n := "len(" + first + ")"
		if slices.Contains(g.vals, w) {
			n = "1"
		}
		fmt.Fprintf(b, "\t%s.check(%q, rows, %s)\n", w, g.name, n)
	}
	for _, w := range g.sums {
		fmt.Fprintf(b, "\tsame(%q, rows*sumLanes, len(%s))\n", g.name, w)
	}
	fmt.Fprintf(b, "\tif rows == 0 || len(%s) == 0 {\n\t\treturn\n\t}\n", first)
	fmt.Fprintf(b, "\tif done := %sBlocks(simd.Current(), %s); done < len(%s) {\n\t\t%sGeneric(done, %s)\n\t}\n}\n", lower(g.name), g.names(), first, lower(g.name), g.names())

	fmt.Fprintf(b, "\n// %sGeneric is the twin of the assembly from lane lo on.\nfunc %sGeneric(lo int, %s) {\n\tfor r := range rows {\n", lower(g.name), lower(g.name), g.arguments())
	for _, w := range g.walked() {
		if slices.Contains(g.vals, w) {
			fmt.Fprintf(b, "\t\t%sAt := %s.Data[%s.First+r*%s.Stride]\n", w, w, w, w)
		} else {
			fmt.Fprintf(b, "\t\t%sAt := %s.row(r, len(%s))\n", w, w, first)
		}
	}
	for _, w := range g.sums {
		fmt.Fprintf(b, "\t\t%sAt := (*[sumLanes]float32)(%s[r*sumLanes:])\n", w, w)
	}
	fmt.Fprintf(b, "\t\tfor e := lo; e < len(%s); e++ {\n", first)
	name := func(v val) string {
		if o := g.f.ops[v]; o.what == "const" {
			return fmt.Sprintf("%v", o.value)
		}
		return fmt.Sprintf("x%d", v)
	}
	infix := map[string]string{"add": "+", "sub": "-", "mul": "*", "div": "/"}
	for i, o := range g.f.ops {
		x := fmt.Sprintf("x%d", i)
		a, c := name(o.a), name(o.b)
		switch o.what {
		case "in":
			switch kind, n := g.kind(o.index); kind {
			case 'c':
				fmt.Fprintf(b, "\t\t\t%s := %s[e]\n", x, g.cols[n])
			case 's':
				fmt.Fprintf(b, "\t\t\t%s := %s[e]\n", x, g.carries[n])
			case 'm':
				fmt.Fprintf(b, "\t\t\t%s := %sAt[e]\n", x, g.mats[n])
			default:
				fmt.Fprintf(b, "\t\t\t%s := %sAt\n", x, g.vals[n])
			}
		case "add", "sub", "mul", "div":
			fmt.Fprintf(b, "\t\t\t%s := float32(%s %s %s)\n", x, a, infix[o.what], c)
		case "max":
			fmt.Fprintf(b, "\t\t\t%s := float32(%s)\n\t\t\tif %s > %s {\n\t\t\t\t%s = %s\n\t\t\t}\n", x, c, a, c, x, a)
		case "min":
			fmt.Fprintf(b, "\t\t\t%s := float32(%s)\n\t\t\tif %s < %s {\n\t\t\t\t%s = %s\n\t\t\t}\n", x, c, a, c, x, a)
		case "fma", "fnma":
			b.WriteString(plainFused(i, o.what, a, c, name(o.c)))
		case "shift":
			fmt.Fprintf(b, "\t\t\t%s := math.Float32frombits(math.Float32bits(%s) << 23)\n", x, a)
		}
	}
	for i, v := range g.write {
		fmt.Fprintf(b, "\t\t\t%sAt[e] = %s\n", g.outs[i], name(v))
	}
	for i, v := range g.plus {
		fmt.Fprintf(b, "\t\t\t%sAt[e%%sumLanes] += %s\n", g.sums[i], name(v))
	}
	for i, v := range g.next {
		fmt.Fprintf(b, "\t\t\t%s[e] = %s\n", g.carries[i], name(v))
	}
	b.WriteString("\t\t}\n\t}\n}\n")
}

// dispatch emits the amd64 part: it handles the first lanes and returns how many.
func (g *grid) dispatch(b *bytes.Buffer) {
	for _, m := range machines() {
		fmt.Fprintf(b, "\n//go:noescape\n%s\n", g.declaration(lower(g.name)+m.name))
	}
	var args []string
	for _, c := range slices.Concat(g.cols, g.carries) {
		args = append(args, "&"+c+"[0]")
	}
	for _, w := range g.walked() {
		args = append(args, fmt.Sprintf("&%s.Data[%s.First]", w, w))
	}
	for _, c := range g.sums {
		args = append(args, "&"+c+"[0]")
	}
	for _, w := range g.walked() {
		args = append(args, "4*"+w+".Stride")
	}
	fmt.Fprintf(b, "\nfunc %sBlocks(p simd.Path, %s) int {\n\tswitch p {\n", lower(g.name), g.arguments())
	first := slices.Concat(g.cols, g.carries)[0]
	for _, m := range machines() {
		lanes := sumLanes
		if g.narrow {
			lanes = m.lanes
		}
		fmt.Fprintf(b, "\tcase simd.%s:\n\t\tif blocks := len(%s) / %d; blocks > 0 {\n\t\t\t%s(%s, rows, blocks)\n\t\t\treturn blocks * %d\n\t\t}\n",
			m.name, first, lanes, lower(g.name)+m.name, strings.Join(args, ", "), lanes)
	}
	b.WriteString("\t}\n\treturn 0\n}\n")
}

// elsewhere emits the part of other processors.
func (g *grid) elsewhere(b *bytes.Buffer) {
	var types []string
	for range slices.Concat(g.cols, g.carries) {
		types = append(types, "[]float32")
	}
	for range g.walked() {
		types = append(types, "Matrix")
	}
	for range g.sums {
		types = append(types, "[]float32")
	}
	fmt.Fprintf(b, "\nfunc %sBlocks(simd.Path, %s, int) int { return 0 }\n", lower(g.name), strings.Join(types, ", "))
}

package main

import (
	"bytes"
	"fmt"
	"go/format"
	"math"
	"slices"
	"strings"
)

// function is an element-wise kernel, written once as a sequence of operations on lanes and emitted three times: for AVX2, for AVX-512 and
// as plain Go. No product is fused with an addition, so all three give the same bits.
type function struct {
	name    string   // of the exported Go function
	doc     string   // its comment, without the name
	ins     []string // vectors that are read
	outs    []string // vectors that are written
	params  []string // scalars
	ops     []op
	results []val // of each out, in order
	held    []held
	indexed bool // vectors are read from where a register says
}

// held is a constant that has a register of its own.
type held struct {
	bits     uint32
	register int
}

// val is the result of an operation: its number.
type val int

// op is one operation: what, operands, and for inputs, parameters and constants which.
type op struct {
	what    string // in, param, const, add, sub, mul, div, fma, fnma, min, max, sqrt, shift, less, pick, abs
	a, b, c val
	index   int
	block   int // of several next to each other, see abreast
	value   float32
}

func (f *function) do(o op) val {
	for i, have := range f.ops { // the same twice is the same
		if have == o {
			return val(i)
		}
	}
	f.ops = append(f.ops, o)
	return val(len(f.ops) - 1)
}

func (f *function) in(i int) val         { return f.do(op{what: "in", index: i}) }
func (f *function) param(i int) val      { return f.do(op{what: "param", index: i}) }
func (f *function) num(x float64) val    { return f.do(op{what: "const", value: float32(x)}) }
func (f *function) add(a, b val) val     { return f.do(op{what: "add", a: a, b: b}) }
func (f *function) sub(a, b val) val     { return f.do(op{what: "sub", a: a, b: b}) }
func (f *function) mul(a, b val) val     { return f.do(op{what: "mul", a: a, b: b}) }
func (f *function) div(a, b val) val     { return f.do(op{what: "div", a: a, b: b}) }
func (f *function) fma(a, b, c val) val  { return f.do(op{what: "fma", a: a, b: b, c: c}) }  // a·b + c, rounded once
func (f *function) fnma(a, b, c val) val { return f.do(op{what: "fnma", a: a, b: b, c: c}) } // c − a·b, rounded once
func (f *function) sqrt(a val) val       { return f.do(op{what: "sqrt", a: a}) }
func (f *function) min(a, b val) val     { return f.do(op{what: "min", a: a, b: b}) }        // a < b ? a : b
func (f *function) max(a, b val) val     { return f.do(op{what: "max", a: a, b: b}) }        // a > b ? a : b
func (f *function) shift(a val) val      { return f.do(op{what: "shift", a: a}) }            // the bits of a, 23 places to the left
func (f *function) less(a, b val) val    { return f.do(op{what: "less", a: a, b: b}) }       // a mask for pick
func (f *function) pick(m, a, b val) val { return f.do(op{what: "pick", a: m, b: a, c: b}) } // m ? a : b
func (f *function) abs(a val) val        { return f.do(op{what: "abs", a: a}) }

// poly is Horner's rule from the highest coefficient down.
func (f *function) poly(x val, coef ...float64) val {
	p := f.num(coef[0])
	for _, c := range coef[1:] {
		p = f.fma(p, x, f.num(c))
	}
	return p
}

// last returns for each operation the last one that uses it; results live to the end of the list of stores.
func (f *function) last() []int {
	l := make([]int, len(f.ops))
	for i, o := range f.ops {
		for _, v := range f.operands(o) {
			l[v] = i
		}
	}
	for k, v := range f.results {
		l[v] = max(l[v], len(f.ops)+k)
	}
	return l
}

func (f *function) operands(o op) []val {
	switch o.what {
	case "in", "param", "const":
		return nil
	case "sqrt", "shift", "abs":
		return []val{o.a}
	case "pick", "fma", "fnma":
		return []val{o.a, o.b, o.c}
	}
	return []val{o.a, o.b}
}

// constants collects the constants of all functions; each is a full register in read-only memory. Packed ones, which have a name and are
// for AVX-512 alone, are a value each, which an instruction spreads as it reads it.
type constants struct {
	bits   []uint32
	packed string
}

func (c *constants) at(x float32) string { return c.raw(math.Float32bits(x)) }

func (c *constants) raw(u uint32) string {
	i := slices.Index(c.bits, u)
	if i < 0 {
		i = len(c.bits)
		c.bits = append(c.bits, u)
	}
	if c.packed != "" {
		return fmt.Sprintf("%s%s<>+%d(SB)", packedPrefix, c.packed, 4*i)
	}
	return fmt.Sprintf("lane%08x<>(SB)", c.bits[i])
}

// packedPrefix begins the names of packed constants; [source.op] knows them by it.
const packedPrefix = "packed"

// hold gives the constants that are read most often the registers from first on, up to count, and loads them.
func (f *function) hold(s *source, m machine, k *constants, first, count int) {
	uses, order := map[uint32]int{}, []uint32{}
	for _, o := range f.ops {
		for _, v := range f.operands(o) {
			if c := f.ops[v]; c.what == "const" {
				u := math.Float32bits(c.value)
				if uses[u]++; uses[u] == 1 {
					order = append(order, u)
				}
			}
		}
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return uses[b] - uses[a] })
	f.held = nil
	for i, u := range order {
		if r := first + i; r < count {
			f.held = append(f.held, held{u, r})
			s.op("VMOVUPS", k.raw(u), m.reg(r))
		}
	}
}

// constant is the operand of a constant.
func (f *function) constant(m machine, k *constants, x float32) (operand string, register bool) {
	u := math.Float32bits(x)
	if i := slices.IndexFunc(f.held, func(h held) bool { return h.bits == u }); i >= 0 {
		return m.reg(f.held[i].register), true
	}
	return k.raw(u), false
}

// emit writes the data.
func (c *constants) emit(s *source) {
	if c.packed != "" {
		for i, u := range c.bits {
			fmt.Fprintf(&s.b, "DATA %s%s<>+%d(SB)/4, $0x%08x\n", packedPrefix, c.packed, 4*i, u)
		}
		fmt.Fprintf(&s.b, "GLOBL %s%s<>(SB), RODATA|NOPTR, $%d\n", packedPrefix, c.packed, (4*len(c.bits)+63)/64*64)
		return
	}
	for _, u := range c.bits {
		for o := 0; o < 64; o += 8 {
			fmt.Fprintf(&s.b, "DATA lane%08x<>+%d(SB)/8, $0x%08x%08x\n", u, o, u, u)
		}
		fmt.Fprintf(&s.b, "GLOBL lane%08x<>(SB), RODATA|NOPTR, $64\n", u)
	}
}

// pointers are the registers for vectors, in the order ins, outs. CX counts.
func pointers() []string {
	return []string{"SI", "DI", "DX", "BX", "R8", "R9", "R10", "R11", "R12", "R13", "AX", "R14", "R15"}
}

// assembly emits the function for a machine: blocks of one register, until n blocks are done.
func (f *function) assembly(s *source, m machine, k *constants) {
	name := lower(f.name) + m.name
	size := 8 * (len(f.ins) + len(f.outs) + 1)
	params := 4 * len(f.params)
	decl := f.declaration(name)
	s.text(name, size+params, decl)
	// The first pass finds how many registers the operations need; the others hold constants.
	need := f.block(newSource(), m, k)
	if need > 2*m.lanes { // 16 registers of 8 lanes, 32 of 16
		panic(f.name + ": out of registers")
	}
	f.hold(s, m, k, need, 2*m.lanes)
	f.block(s, m, k)
	f.held = nil
	s.op("VZEROUPPER")
	s.op("RET")
}

// block emits the loop over blocks and returns the number of registers that it needs.
func (f *function) block(s *source, m machine, k *constants) (registers int) {
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
	where := map[val]int{}
	p := pointers()
	off := 0
	for i, v := range slices.Concat(f.ins, f.outs) {
		s.op("MOVQ", fmt.Sprintf("%s+%d(FP)", v, off), p[i])
		off += 8
	}
	s.op("MOVQ", fmt.Sprintf("blocks+%d(FP)", off), "CX")
	off += 8
	for i, v := range f.params {
		r := take()
		s.op("VBROADCASTSS", fmt.Sprintf("%s+%d(FP)", v, off+4*i), m.reg(r))
		if id := slices.IndexFunc(f.ops, func(o op) bool { return o.what == "param" && o.index == i }); id >= 0 {
			where[val(id)] = r
		}
	}
	zero := take() // sign bit and zero are cheap from memory; this is scratch
	last := f.last()
	s.op("TESTQ", "CX", "CX")
	s.op("JLE", "done")
	s.op("PCALIGN", "$32")
	s.label("block")
	f.body(s, m, k, where, last, take, func(r int) { free = append(free, r) }, zero)
	for i, v := range f.results {
		r, ok := where[v]
		if !ok { // a constant
			s.op("VMOVUPS", k.at(f.ops[v].value), m.reg(zero))
			r = zero
		}
		s.op("VMOVUPS", m.reg(r), "("+p[len(f.ins)+i]+")")
	}
	for i := range len(f.ins) + len(f.outs) {
		s.op("ADDQ", imm(m.bytes()), p[i])
	}
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.label("done")
	return registers
}

// body emits the operations of one block.
func (f *function) body(s *source, m machine, k *constants, where map[val]int, last []int, take func() int, give func(int), scratch int) {
	p := pointers()
	names := map[string]string{"add": "VADDPS", "sub": "VSUBPS", "mul": "VMULPS", "div": "VDIVPS", "min": "VMINPS", "max": "VMAXPS"}
	masks := map[val]int{} // AVX-512: mask registers
	// source operand: a register or memory
	at := func(v val) string {
		if o := f.ops[v]; o.what == "const" {
			c, _ := f.constant(m, k, o.value)
			return c
		}
		return m.reg(where[v])
	}
	reg := func(v val) string { // a register for sure
		if o := f.ops[v]; o.what == "const" {
			c, ok := f.constant(m, k, o.value)
			if ok {
				return c
			}
			s.op("VMOVUPS", c, m.reg(scratch))
			return m.reg(scratch)
		}
		return m.reg(where[v])
	}
	bits := "VANDPS"
	for i, o := range f.ops {
		v := val(i)
		if o.what == "const" || o.what == "param" {
			continue
		}
		// Operands that end here give their registers back before the result takes one.
		release := func() {
			done := map[val]bool{}
			for _, u := range f.operands(o) {
				if r, ok := where[u]; ok && last[u] == i && !done[u] && f.ops[u].what != "param" {
					give(r)
					done[u] = true
				}
			}
		}
		switch o.what {
		case "in":
			if _, ok := where[v]; ok { // the caller has read it
				continue
			}
			where[v] = take()
			at := mem(o.block*m.bytes(), p[o.index])
			if f.indexed {
				at += "(" + index + "*1)"
			}
			s.op("VMOVUPS", at, m.reg(where[v]))
		case "add", "sub", "mul", "div", "min", "max":
			a, b := o.a, o.b
			if f.ops[a].what == "const" && f.ops[b].what != "const" && (o.what == "add" || o.what == "mul") {
				a, b = b, a
			}
			x, y := reg(a), at(b)
			release()
			where[v] = take()
			s.op(names[o.what], y, x, m.reg(where[v]))
		case "sqrt":
			x := at(o.a)
			release()
			where[v] = take()
			s.op("VSQRTPS", x, m.reg(where[v]))
		case "abs":
			x := reg(o.a)
			release()
			where[v] = take()
			s.op(bits, k.raw(0x7fffffff), x, m.reg(where[v]))
		case "fma", "fnma":
			r, over := f.fused(s, m, o, where, func(u val) bool { _, ok := where[u]; return ok && last[u] == i && f.ops[u].what != "param" }, at, reg, take)
			if over >= 0 {
				delete(where, over)
			}
			release()
			where[v] = r
		case "shift":
			x := reg(o.a)
			release()
			where[v] = take()
			s.op("VPSLLD", "$23", x, m.reg(where[v]))
		case "less":
			x, y := reg(o.a), at(o.b)
			release()
			if m.lanes == 16 {
				masks[v] = len(masks) + 1
				s.op("VCMPPS", "$17", y, x, fmt.Sprintf("K%d", masks[v])) // less, ordered, quiet
			} else {
				where[v] = take()
				s.op("VCMPPS", "$17", y, x, m.reg(where[v]))
			}
		case "pick":
			if m.lanes == 16 {
				x, y := at(o.b), reg(o.c)
				release()
				where[v] = take()
				s.op("VBLENDMPS", x, y, fmt.Sprintf("K%d", masks[o.a]), m.reg(where[v]))
			} else {
				x, y := at(o.b), reg(o.c)
				mask := m.reg(where[o.a])
				release()
				where[v] = take()
				s.op("VBLENDVPS", mask, x, y, m.reg(where[v]))
			}
		default:
			panic("gen: no operation " + o.what)
		}
	}
}

// fused emits a product that is fused with a sum, in the place of an operand that ends there, if there is one: over says which, −1 none.
func (f *function) fused(s *source, m machine, o op, where map[val]int, ends func(val) bool, at, reg func(val) string, take func() int) (r int, over val) {
	name := "VFMADD"
	if o.what == "fnma" {
		name = "VFNMADD"
	}
	memory := func(v val) bool { return strings.HasSuffix(at(v), "(SB)") }
	constant := func(v val) bool { return f.ops[v].what == "const" }
	a, b, c := o.a, o.b, o.c
	if constant(a) || !ends(a) && ends(b) {
		a, b = b, a
	}
	switch {
	case ends(c) && c != a && c != b:
		r = where[c]
		s.op(name+"231PS", at(b), m.reg(where[a]), m.reg(r))
		return r, c
	case ends(a) && a != b && a != c && constant(b) && !constant(c):
		r = where[a]
		s.op(name+"132PS", at(b), m.reg(where[c]), m.reg(r))
		return r, a
	case ends(a) && a != c:
		r = where[a]
		s.op(name+"213PS", at(c), reg(b), m.reg(r))
		return r, a
	}
	r = take()
	if memory(c) {
		s.op("VMOVUPS", at(c), m.reg(r))
	} else {
		s.op("VMOVAPS", at(c), m.reg(r))
	}
	s.op(name+"231PS", at(b), m.reg(where[a]), m.reg(r))
	return r, -1
}

// plainFused is a·b + c or c − a·b in plain Go: the product is exact in float64, and the rare sum that two roundings may spoil is left to
// a function. That function cannot be inlined, so the test for it is.
func plainFused(i int, what, a, b, c string) string {
	if what == "fnma" {
		a = "-" + a
	}
	return fmt.Sprintf("s%d := float64(float32(%s))*float64(float32(%s)) + float64(float32(%s))\nx%d := float32(s%d)\nif between(s%d) {\nx%d = fma(%s, %s, %s)\n}\n",
		i, a, b, c, i, i, i, i, a, b, c)
}

// declaration is the Go declaration of the assembly.
func (f *function) declaration(name string) string {
	d := "func " + name + "(" + strings.Join(slices.Concat(f.ins, f.outs), ", ") + " *float32, blocks int"
	if len(f.params) > 0 {
		d += ", " + strings.Join(f.params, ", ") + " float32"
	}
	return d + ")"
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// plain emits the twin: one function over whole slices.
func (f *function) plain(b *bytes.Buffer) {
	fmt.Fprintf(b, "\n// %sGeneric is the twin of the assembly.\nfunc %sGeneric(%s []float32%s) {\n", lower(f.name), lower(f.name), strings.Join(slices.Concat(f.ins, f.outs), ", "), f.scalars())
	first := slices.Concat(f.ins, f.outs)[0]
	for _, v := range slices.Concat(f.ins, f.outs)[1:] {
		fmt.Fprintf(b, "\t%s = %s[:len(%s)]\n", v, v, first)
	}
	fmt.Fprintf(b, "\tfor e := range %s {\n", first)
	name := func(v val) string {
		switch o := f.ops[v]; o.what {
		case "in":
			return fmt.Sprintf("x%d", v)
		case "param":
			return f.params[o.index]
		case "const":
			return fmt.Sprintf("%v", o.value)
		}
		return fmt.Sprintf("x%d", v)
	}
	infix := map[string]string{"add": "+", "sub": "-", "mul": "*", "div": "/"}
	for i, o := range f.ops {
		x := fmt.Sprintf("x%d", i)
		a, c := name(o.a), name(o.b)
		switch o.what {
		case "const", "param", "less":
		case "in":
			fmt.Fprintf(b, "\t\t%s := %s[e]\n", x, f.ins[o.index])
		case "add", "sub", "mul", "div":
			fmt.Fprintf(b, "\t\t%s := float32(%s %s %s)\n", x, a, infix[o.what], c)
		case "min":
			fmt.Fprintf(b, "\t\t%s := float32(%s)\n\t\tif %s < %s {\n\t\t\t%s = %s\n\t\t}\n", x, c, a, c, x, a)
		case "max":
			fmt.Fprintf(b, "\t\t%s := float32(%s)\n\t\tif %s > %s {\n\t\t\t%s = %s\n\t\t}\n", x, c, a, c, x, a)
		case "sqrt":
			fmt.Fprintf(b, "\t\t%s := float32(math.Sqrt(float64(%s)))\n", x, a)
		case "abs":
			fmt.Fprintf(b, "\t\t%s := math.Float32frombits(math.Float32bits(%s) &^ (1 << 31))\n", x, a)
		case "fma", "fnma":
			b.WriteString(plainFused(i, o.what, a, c, name(o.c)))
		case "shift":
			fmt.Fprintf(b, "\t\t%s := math.Float32frombits(math.Float32bits(%s) << 23)\n", x, a)
		case "pick":
			l := f.ops[o.a]
			fmt.Fprintf(b, "\t\t%s := float32(%s)\n\t\tif %s < %s {\n\t\t\t%s = %s\n\t\t}\n", x, name(o.c), name(l.a), name(l.b), x, c)
		}
	}
	for k, v := range f.results {
		fmt.Fprintf(b, "\t\t%s[e] = %s\n", f.outs[k], name(v))
	}
	b.WriteString("\t}\n}\n")
}

func (f *function) scalars() string {
	if len(f.params) == 0 {
		return ""
	}
	return ", " + strings.Join(f.params, ", ") + " float32"
}

// exported emits the checked function that chooses a path.
func (f *function) exported(b *bytes.Buffer) {
	vs := slices.Concat(f.ins, f.outs)
	text := "// " + f.name + " " + f.doc
	fmt.Fprintf(b, "\n%s\nfunc %s(%s []float32%s) {\n", strings.ReplaceAll(text, "\n", "\n// "), f.name, strings.Join(vs, ", "), f.scalars())
	for _, v := range vs[1:] {
		fmt.Fprintf(b, "\tsame(%q, len(%s), len(%s))\n", f.name, vs[0], v)
	}
	fmt.Fprintf(b, "\tdone := %sBlocks(simd.Current(), %s)\n", lower(f.name), strings.Join(slices.Concat(vs, f.params), ", "))
	var tail []string
	for _, v := range vs {
		tail = append(tail, v+"[done:]")
	}
	fmt.Fprintf(b, "\t%sGeneric(%s)\n}\n", lower(f.name), strings.Join(slices.Concat(tail, f.params), ", "))
}

// heavy reports whether plain Go takes so long for an element that the last ones are rather copied into a whole register.
func (f *function) heavy() bool {
	return slices.ContainsFunc(f.ops, func(o op) bool { return o.what == "fma" || o.what == "fnma" || o.what == "div" })
}

// dispatch emits the amd64 part: it handles a prefix and returns its length.
func (f *function) dispatch(b *bytes.Buffer) {
	vs := slices.Concat(f.ins, f.outs)
	for _, m := range machines() {
		fmt.Fprintf(b, "\n//go:noescape\n%s\n", f.declaration(lower(f.name)+m.name))
	}
	ptr, room := make([]string, 0, len(vs)), make([]string, 0, len(vs))
	for i, v := range vs {
		ptr = append(ptr, "&"+v+"[0]")
		room = append(room, fmt.Sprintf("&room[%d][0]", i))
	}
	fmt.Fprintf(b, "\nfunc %sBlocks(p simd.Path, %s []float32%s) int {\n\tswitch p {\n", lower(f.name), strings.Join(vs, ", "), f.scalars())
	for _, m := range machines() {
		call := lower(f.name) + m.name
		fmt.Fprintf(b, "\tcase simd.%s:\n", m.name)
		if !f.heavy() {
			fmt.Fprintf(b, "\t\tif blocks := len(%s) / %d; blocks > 0 {\n\t\t\t%s(%s)\n\t\t\treturn blocks * %d\n\t\t}\n", vs[0], m.lanes,
				call, strings.Join(slices.Concat(ptr, []string{"blocks"}, f.params), ", "), m.lanes)
			continue
		}
		fmt.Fprintf(b, "\t\tblocks := len(%s) / %d\n\t\tif blocks > 0 {\n\t\t\t%s(%s)\n\t\t}\n", vs[0], m.lanes,
			call, strings.Join(slices.Concat(ptr, []string{"blocks"}, f.params), ", "))
		fmt.Fprintf(b, "\t\tif done := blocks * %d; done < len(%s) { // the rest, in a block\n\t\t\tvar room [%d][%d]float32\n", m.lanes, vs[0], len(vs), m.lanes)
		for i, v := range f.ins {
			fmt.Fprintf(b, "\t\t\tcopy(room[%d][:], %s[done:])\n", i, v)
		}
		fmt.Fprintf(b, "\t\t\t%s(%s)\n", call, strings.Join(slices.Concat(room, []string{"1"}, f.params), ", "))
		for i, v := range f.outs {
			fmt.Fprintf(b, "\t\t\tcopy(%s[done:], room[%d][:])\n", v, len(f.ins)+i)
		}
		fmt.Fprintf(b, "\t\t}\n\t\treturn len(%s)\n", vs[0])
	}
	b.WriteString("\t}\n\treturn 0\n}\n")
}

// elsewhere emits the part of other processors.
func (f *function) elsewhere(b *bytes.Buffer) {
	vs := slices.Concat(f.ins, f.outs)
	args := make([]string, 0, len(vs))
	for range vs {
		args = append(args, "[]float32")
	}
	for range f.params {
		args = append(args, "float32")
	}
	fmt.Fprintf(b, "\nfunc %sBlocks(simd.Path, %s) int { return 0 }\n", lower(f.name), strings.Join(args, ", "))
}

// goFile formats a Go file of package vec.
func goFile(head string, imports []string, body []byte) []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated by internal/simd/gen. DO NOT EDIT.\n\n" + head + "package vec\n\nimport (\n")
	for _, i := range imports {
		if strings.Contains(i, "/") && len(imports) > 1 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "\t%q\n", i)
	}
	b.WriteString(")\n")
	b.Write(body)
	out, err := format.Source(b.Bytes())
	if err != nil {
		panic(fmt.Sprintf("gen: %v\n%s", err, b.Bytes()))
	}
	return out
}

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
}

// val is the result of an operation: its number.
type val int

// op is one operation: what, operands, and for inputs, parameters and constants which.
type op struct {
	what    string // in, param, const, add, sub, mul, div, min, max, sqrt, pow2, less, pick, abs, sign
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
func (f *function) sqrt(a val) val       { return f.do(op{what: "sqrt", a: a}) }
func (f *function) min(a, b val) val     { return f.do(op{what: "min", a: a, b: b}) }        // a < b ? a : b
func (f *function) max(a, b val) val     { return f.do(op{what: "max", a: a, b: b}) }        // a > b ? a : b
func (f *function) pow2(a val) val       { return f.do(op{what: "pow2", a: a}) }             // 2^a of a whole number in [−126, 127]
func (f *function) less(a, b val) val    { return f.do(op{what: "less", a: a, b: b}) }       // a mask for pick
func (f *function) pick(m, a, b val) val { return f.do(op{what: "pick", a: m, b: a, c: b}) } // m ? a : b
func (f *function) abs(a val) val        { return f.do(op{what: "abs", a: a}) }
func (f *function) sign(a, b val) val    { return f.do(op{what: "sign", a: a, b: b}) } // |a| assumed ≥ 0, with the sign of b

// poly is Horner's rule from the highest coefficient down.
func (f *function) poly(x val, coef ...float64) val {
	p := f.num(coef[0])
	for _, c := range coef[1:] {
		p = f.add(f.mul(p, x), f.num(c))
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
	case "sqrt", "pow2", "abs":
		return []val{o.a}
	case "pick":
		return []val{o.a, o.b, o.c}
	}
	return []val{o.a, o.b}
}

// constants collects the constants of all functions; each is a full register in read-only memory.
type constants struct{ bits []uint32 }

func (c *constants) at(x float32) string { return c.raw(math.Float32bits(x)) }

func (c *constants) raw(u uint32) string {
	i := slices.Index(c.bits, u)
	if i < 0 {
		i = len(c.bits)
		c.bits = append(c.bits, u)
	}
	return fmt.Sprintf("lane%08x<>(SB)", c.bits[i])
}

// emit writes the data.
func (c *constants) emit(s *source) {
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
	regs := 16
	if m.lanes == 16 {
		regs = 32
	}
	free := make([]int, 0, regs)
	for r := regs - 1; r >= 0; r-- {
		free = append(free, r)
	}
	take := func() int {
		if len(free) == 0 {
			panic(f.name + ": out of registers")
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
	s.op("VZEROUPPER")
	s.op("RET")
}

// body emits the operations of one block.
func (f *function) body(s *source, m machine, k *constants, where map[val]int, last []int, take func() int, give func(int), scratch int) {
	p := pointers()
	names := map[string]string{"add": "VADDPS", "sub": "VSUBPS", "mul": "VMULPS", "div": "VDIVPS", "min": "VMINPS", "max": "VMAXPS"}
	masks := map[val]int{} // AVX-512: mask registers
	// source operand: a register or memory
	at := func(v val) string {
		if o := f.ops[v]; o.what == "const" {
			return k.at(o.value)
		}
		return m.reg(where[v])
	}
	reg := func(v val) string { // a register for sure
		if o := f.ops[v]; o.what == "const" {
			s.op("VMOVUPS", k.at(o.value), m.reg(scratch))
			return m.reg(scratch)
		}
		return m.reg(where[v])
	}
	bits := "VANDPS"
	or := "VORPS"
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
			where[v] = take()
			s.op("VMOVUPS", mem(o.block*m.bytes(), p[o.index]), m.reg(where[v]))
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
		case "sign":
			x, y := reg(o.a), m.reg(where[o.b])
			s.op(bits, k.raw(0x80000000), y, m.reg(scratch))
			release()
			where[v] = take()
			s.op(or, m.reg(scratch), x, m.reg(where[v]))
		case "pow2":
			x := at(o.a)
			release()
			where[v] = take()
			r := m.reg(where[v])
			s.op("VCVTPS2DQ", x, r)
			s.op("VPADDD", k.raw(127), r, r)
			s.op("VPSLLD", "$23", r, r)
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
		case "sign":
			fmt.Fprintf(b, "\t\t%s := math.Float32frombits(math.Float32bits(%s) | math.Float32bits(%s)&(1<<31))\n", x, a, c)
		case "pow2":
			fmt.Fprintf(b, "\t\t%s := math.Float32frombits(uint32(int32(%s)+127) << 23)\n", x, a)
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

// dispatch emits the amd64 part: it handles a prefix and returns its length.
func (f *function) dispatch(b *bytes.Buffer) {
	vs := slices.Concat(f.ins, f.outs)
	for _, m := range machines() {
		fmt.Fprintf(b, "\n//go:noescape\n%s\n", f.declaration(lower(f.name)+m.name))
	}
	var ptr []string
	for _, v := range vs {
		ptr = append(ptr, "&"+v+"[0]")
	}
	fmt.Fprintf(b, "\nfunc %sBlocks(p simd.Path, %s []float32%s) int {\n\tswitch p {\n", lower(f.name), strings.Join(vs, ", "), f.scalars())
	for _, m := range machines() {
		fmt.Fprintf(b, "\tcase simd.%s:\n\t\tif blocks := len(%s) / %d; blocks > 0 {\n\t\t\t%s(%s)\n\t\t\treturn blocks * %d\n\t\t}\n", m.name, vs[0], m.lanes,
			lower(f.name)+m.name, strings.Join(slices.Concat(ptr, []string{"blocks"}, f.params), ", "), m.lanes)
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

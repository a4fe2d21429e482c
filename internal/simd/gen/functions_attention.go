package main

// attentionFunctions are the element-wise kernels of gates and activations that attention networks use.
func attentionFunctions() []*function {
	return []*function{glu(), gluGrad(), elu(), eluGrad(), normal(), normalGrad()}
}

func glu() *function {
	f := &function{name: "GLU", ins: []string{"a", "b"}, outs: []string{"y"},
		doc: "sets y to a/(1+e^−b), the gated linear unit (Dauphin et al. 2017). y may be a or b."}
	f.results = []val{f.mul(f.in(0), f.logistic(f.in(1)))}
	return f
}

func gluGrad() *function {
	f := &function{name: "GLUGrad", ins: []string{"a", "b", "dy"}, outs: []string{"da", "db"},
		doc: "sets da and db to the gradients of [GLU] times dy. They may be any of a, b and dy."}
	s := f.logistic(f.in(1))
	da := f.mul(f.in(2), s)
	f.results = []val{da, f.mul(f.mul(da, f.in(0)), f.sub(f.num(1), s))}
	return f
}

func elu() *function {
	f := &function{name: "ELU", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to x where it is positive and to e^x − 1 elsewhere (Clevert et al. 2016), with an error below 2e-7. x and y may be\nthe same."}
	x := f.in(0)
	f.results = []val{f.pick(f.less(f.num(0), x), x, f.sub(f.exp(x), f.num(1)))}
	return f
}

func eluGrad() *function {
	f := &function{name: "ELUGrad", ins: []string{"y", "dy"}, outs: []string{"dx"},
		doc: "sets dx to dy where y, the value of [ELU], is positive and to dy·(y + 1) elsewhere. dx may be dy."}
	y, dy := f.in(0), f.in(1)
	f.results = []val{f.pick(f.less(f.num(0), y), dy, f.mul(dy, f.add(y, f.num(1))))}
	return f
}

func normal() *function {
	f := &function{name: "Normal", ins: []string{"c", "v"}, outs: []string{"y", "inv"}, params: []string{"eps"},
		doc: "sets inv to 1/√(v + eps) and y to c·inv: the end of a normalisation of centred values c by variances v. y and inv may be\nc and v."}
	inv := f.div(f.num(1), f.sqrt(f.add(f.in(1), f.param(0))))
	f.results = []val{f.mul(f.in(0), inv), inv}
	return f
}

func normalGrad() *function {
	f := &function{name: "NormalGrad", ins: []string{"u", "y", "m", "inv"}, outs: []string{"dx"},
		doc: "sets dx to inv·(u − y·m), the gradient of a normalisation of rows: u is the centred gradient of the values y, m\nthe mean of the gradient times y. dx may be any of them."}
	f.results = []val{f.mul(f.in(3), f.sub(f.in(0), f.mul(f.in(1), f.in(2))))}
	return f
}

// softmaxExp is e^(scale·(x − most)) with 0 for what is 87 or more below: of a masked score nothing is left. Since nothing is above, the
// power needs no bounds.
func softmaxExp() *function {
	f := &function{name: "softmaxExp", ins: []string{"x"}, params: []string{"most", "scale"}}
	d := f.mul(f.sub(f.in(0), f.param(0)), f.param(1))
	p, power := f.power(d, 1)
	f.results = []val{f.pick(f.less(d, f.num(-87)), f.num(0), f.mul(p, power))}
	return f
}

// softmaxColumns emits the kernels of internal/simd/vec that take the softmax down the columns of a matrix: a lane is a column, so that
// every sum runs over the rows in order, on every path.
func softmaxColumns() []byte {
	s := newSource()
	var k constants
	for _, m := range machines() {
		columns(s, m, &k)
		columnsGrad(s, m)
	}
	s.b.WriteByte('\n')
	k.emit(s)
	return s.b.Bytes()
}

// perRow emits a loop over the rows of a block of columns; SI, and DX where two is set, point to the row.
func perRow(s *source, label string, two bool, body func()) {
	s.op("MOVQ", "DI", "SI")
	if two {
		s.op("MOVQ", "R10", "DX")
	}
	s.op("MOVQ", "R8", "BX")
	s.op("PCALIGN", "$32")
	s.label(label)
	body()
	s.op("ADDQ", "R9", "SI")
	if two {
		s.op("ADDQ", "R9", "DX")
	}
	s.op("DECQ", "BX")
	s.op("JNE", label)
}

func columns(s *source, m machine, k *constants) {
	s.text("softmaxColumns"+m.name, 36, "func softmaxColumns"+m.name+"(x *float32, rows, stride, blocks int, scale float32)")
	s.op("MOVQ", "x+0(FP)", "DI")
	s.op("MOVQ", "rows+8(FP)", "R8")
	s.op("MOVQ", "stride+16(FP)", "R9")
	s.op("MOVQ", "blocks+24(FP)", "CX")
	const most, scale, sum, scratch = 0, 1, 2, 3
	s.op("VBROADCASTSS", "scale+32(FP)", m.reg(scale))
	f := softmaxExp()
	exp := func(s *source) (where map[val]int, registers int) {
		var free []int
		registers = scratch + 1
		take := func() int {
			if len(free) == 0 {
				free = append(free, registers)
				registers++
			}
			r := free[len(free)-1]
			free = free[:len(free)-1]
			return r
		}
		where = map[val]int{}
		for id, o := range f.ops {
			if o.what == "param" {
				where[val(id)] = o.index // most is register 0, scale register 1
			}
		}
		f.body(s, m, k, where, f.last(), take, func(r int) { free = append(free, r) }, scratch)
		return where, registers
	}
	_, need := exp(newSource())
	f.hold(s, m, k, need, 2*m.lanes)
	s.label("block")
	s.op("VMOVUPS", "(DI)", m.reg(most))
	perRow(s, "most", false, func() { s.op("VMAXPS", "(SI)", m.reg(most), m.reg(most)) })
	s.op("VXORPS", m.reg(sum), m.reg(sum), m.reg(sum))
	perRow(s, "exp", false, func() {
		where, _ := exp(s)
		e := m.reg(where[f.results[0]])
		s.op("VMOVUPS", e, "(SI)")
		s.op("VADDPS", e, m.reg(sum), m.reg(sum))
	})
	s.op("VMOVUPS", k.at(1), m.reg(most))
	s.op("VDIVPS", m.reg(sum), m.reg(most), m.reg(most))
	perRow(s, "share", false, func() {
		s.op("VMULPS", "(SI)", m.reg(most), m.reg(scratch))
		s.op("VMOVUPS", m.reg(scratch), "(SI)")
	})
	s.op("ADDQ", imm(m.bytes()), "DI")
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.op("VZEROUPPER")
	s.op("RET")
}

func columnsGrad(s *source, m machine) {
	s.text("softmaxColumnsGrad"+m.name, 44, "func softmaxColumnsGrad"+m.name+"(p, dp *float32, rows, stride, blocks int, scale float32)")
	s.op("MOVQ", "p+0(FP)", "DI")
	s.op("MOVQ", "dp+8(FP)", "R10")
	s.op("MOVQ", "rows+16(FP)", "R8")
	s.op("MOVQ", "stride+24(FP)", "R9")
	s.op("MOVQ", "blocks+32(FP)", "CX")
	const scale, sum, a, b = 0, 1, 2, 3
	s.op("VBROADCASTSS", "scale+40(FP)", m.reg(scale))
	s.label("block")
	s.op("VXORPS", m.reg(sum), m.reg(sum), m.reg(sum))
	perRow(s, "sum", true, func() {
		s.op("VMOVUPS", "(SI)", m.reg(a))
		s.op("VMULPS", "(DX)", m.reg(a), m.reg(a))
		s.op("VADDPS", m.reg(a), m.reg(sum), m.reg(sum))
	})
	perRow(s, "grad", true, func() {
		s.op("VMOVUPS", "(DX)", m.reg(a))
		s.op("VSUBPS", m.reg(sum), m.reg(a), m.reg(a))
		s.op("VMULPS", "(SI)", m.reg(a), m.reg(b))
		s.op("VMULPS", m.reg(scale), m.reg(b), m.reg(b))
		s.op("VMOVUPS", m.reg(b), "(DX)")
	})
	s.op("ADDQ", imm(m.bytes()), "DI")
	s.op("ADDQ", imm(m.bytes()), "R10")
	s.op("DECQ", "CX")
	s.op("JNE", "block")
	s.op("VZEROUPPER")
	s.op("RET")
}

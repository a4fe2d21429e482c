package main

import "bytes"

// stateFunctions are the element-wise kernels of state-space models and of the xLSTM.
func stateFunctions() []*function {
	return []*function{softplus(), softplusGrad(), slstmGates(), slstmState(), slstmStateGrad(), slstmGatesGrad()}
}

// grids are the scans.
func grids() []*grid {
	return []*grid{convolve(), selectiveScan(), selectiveStates(), selectiveScanGrad(), diagonalScan(), diagonalScanGrad(), sumRows(), mulSum()}
}

// expDown is exp for x ≤ 0: it needs no bound above.
func (f *function) expDown(x val) val {
	p, scale := f.power(f.max(f.num(-87.3), x), 1)
	return f.mul(p, scale)
}

// log1pExp is log(1 + e^−|x|) = 2·artanh(e/(2 + e)) with e = e^−|x| ≤ 1, by the series of artanh at an argument of at most 1/3.
func (f *function) log1pExp(x val) val {
	e := f.expMinus(f.abs(x))
	s := f.div(e, f.add(e, f.num(2)))
	return f.mul(f.add(s, s), f.poly(f.mul(s, s), 1./15, 1./13, 1./11, 1./9, 1./7, 1./5, 1./3, 1))
}

func softplus() *function {
	f := &function{name: "Softplus", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to log(1 + e^x), with a relative error below 6e-7 for x ≥ −80. x and y may be the same."}
	x := f.in(0)
	f.results = []val{f.add(f.max(x, f.num(0)), f.log1pExp(x))}
	return f
}

func softplusGrad() *function {
	f := &function{name: "SoftplusGrad", ins: []string{"x", "dy"}, outs: []string{"dx"},
		doc: "sets dx to dy/(1+e^−x), the gradient of [Softplus]. dx may be dy."}
	f.results = []val{f.mul(f.in(1), f.logistic(f.in(0)))}
	return f
}

func slstmGates() *function {
	f := &function{name: "SLSTMGates", ins: []string{"ai", "af", "m0"}, outs: []string{"i", "f", "m", "s"},
		doc: "is the first half of a step of the sLSTM cell (Beck et al. 2024, equations 15 to 17, with a sigmoid forget gate): from\nthe sums ai and af that enter the gates and the stabiliser m0 it sets m = max(ai, log σ(af) + m0), i = exp(ai − m),\nf = exp(log σ(af) + m0 − m) and s = σ(−af), the slope of log σ. i and f may be ai and af. A first step has m0 of −1e30."}
	ai, af, m0 := f.in(0), f.in(1), f.in(2)
	l := f.add(f.sub(f.min(af, f.num(0)), f.log1pExp(af)), m0)
	m := f.max(ai, l)
	f.results = []val{f.expDown(f.sub(ai, m)), f.expDown(f.sub(l, m)), m, f.logistic(f.sub(f.num(0), af))}
	return f
}

func slstmState() *function {
	f := &function{name: "SLSTMState", ins: []string{"i", "f", "az", "ao", "c0", "n0"}, outs: []string{"z", "o", "c", "n", "h"},
		doc: "is the second half of a step of the sLSTM cell (Beck et al. 2024, equations 8 to 14): z = tanh az, o = σ(ao),\nc = f·c0 + i·z, n = f·n0 + i and h = o·c/n. z and o may be az and ao."}
	i, g := f.in(0), f.in(1)
	z, o := f.tanh(f.in(2)), f.logistic(f.in(3))
	c := f.add(f.mul(g, f.in(4)), f.mul(i, z))
	n := f.add(f.mul(g, f.in(5)), i)
	f.results = []val{z, o, c, n, f.mul(o, f.div(c, n))}
	return f
}

func slstmStateGrad() *function {
	f := &function{name: "SLSTMStateGrad", ins: []string{"dh", "o", "c", "n", "dc", "dn"}, outs: []string{"do", "dc1", "dn1"},
		doc: "is the first half of the gradient of [SLSTMState]: do is that of ao; dc1 and dn1 are dc and dn with what h asks of c and n.\nThey may be dc and dn, and do may be o."}
	dh, o, c, n := f.in(0), f.in(1), f.in(2), f.in(3)
	q := f.div(c, n)
	per := f.div(f.mul(dh, o), n)
	f.results = []val{f.gateGrad(f.mul(dh, q), o), f.add(f.in(4), per), f.sub(f.in(5), f.mul(per, q))}
	return f
}

func slstmGatesGrad() *function {
	f := &function{name: "SLSTMGatesGrad", ins: []string{"dc", "dn", "i", "f", "z", "s", "c0", "n0"}, outs: []string{"di", "df", "dz", "dc0", "dn0"},
		doc: "is the second half of the gradient of [SLSTMState] with that of [SLSTMGates]. h does not depend on the stabiliser, which\nscales c and n alike, so it passes no gradient. di, df, dz, dc0 and dn0 may be i, f, z, dc and dn."}
	dc, dn, i, g, z, s, c0, n0 := f.in(0), f.in(1), f.in(2), f.in(3), f.in(4), f.in(5), f.in(6), f.in(7)
	f.results = []val{
		f.mul(i, f.add(f.mul(dc, z), dn)),
		f.mul(f.mul(g, f.add(f.mul(dc, c0), f.mul(dn, n0))), s),
		f.mul(f.mul(dc, i), f.sub(f.num(1), f.mul(z, z))),
		f.mul(dc, g),
		f.mul(dn, g),
	}
	return f
}

func convolve() *grid {
	g := &grid{name: "Convolve", carries: []string{"y"}, mats: []string{"k", "u"},
		doc: "adds Σ k[r]·u[r] over the rows r to y, lane by lane: with u walked backwards it is one step of a convolution of\nevery channel with a kernel of its own."}
	g.next = []val{g.f.add(g.carry("y"), g.f.mul(g.mat("k"), g.mat("u")))}
	return g
}

func selectiveScan() *grid {
	g := &grid{name: "SelectiveScan", cols: []string{"dt", "u"}, carries: []string{"y"}, mats: []string{"a", "h"}, vals: []string{"b", "c"}, outs: []string{"h"},
		doc: "is a step of the selective scan of Mamba (Gu and Dao 2023, algorithm 2) over the channels: for each state\nr, h[r] becomes e^(dt·a[r])·h[r] + u·b[r], and h[r]·c[r] is added to y. dt·a must not be positive."}
	f := &g.f
	h := f.fma(f.expDown(f.mul(g.col("dt"), g.mat("a"))), g.mat("h"), f.mul(g.col("u"), g.value("b")))
	g.write = []val{h}
	g.next = []val{f.fma(h, g.value("c"), g.carry("y"))}
	return g
}

func selectiveStates() *grid {
	g := &grid{name: "SelectiveStates", cols: []string{"dt", "u"}, mats: []string{"a", "h0"}, vals: []string{"b"}, outs: []string{"e", "h"},
		doc: "is [SelectiveScan] that keeps what the gradient needs: e[r] = e^(dt·a[r]) and h[r] = e[r]·h0[r] + u·b[r]."}
	f := &g.f
	e := f.expDown(f.mul(g.col("dt"), g.mat("a")))
	g.write = []val{e, f.fma(e, g.mat("h0"), f.mul(g.col("u"), g.value("b")))}
	return g
}

func selectiveScanGrad() *grid {
	g := &grid{name: "SelectiveScanGrad", cols: []string{"dt", "u", "dy"}, carries: []string{"du", "ddt"},
		mats: []string{"a", "e", "h0", "dh", "da"}, vals: []string{"b", "c"}, outs: []string{"dh", "da"}, sums: []string{"db", "dc"}, narrow: true,
		doc: "is the gradient of [SelectiveScan]: dh[r] is that of the state after the step and becomes that of the state\nbefore, du, ddt, da, db and dc are added to. e and h0 are those of [SelectiveStates]."}
	f := &g.f
	dt, u, dy := g.col("dt"), g.col("u"), g.col("dy")
	b, c := g.value("b"), g.value("c")
	dh := f.fma(dy, c, g.mat("dh"))
	e, h0 := g.mat("e"), g.mat("h0")
	h := f.fma(e, h0, f.mul(u, b))
	back := f.mul(dh, e)
	w := f.mul(back, h0)
	g.next = []val{f.fma(dh, b, g.carry("du")), f.fma(w, g.mat("a"), g.carry("ddt"))}
	g.write = []val{back, f.fma(w, dt, g.mat("da"))}
	g.plus = []val{f.mul(dh, u), f.mul(dy, h)}
	return g
}

func diagonalScan() *grid {
	g := &grid{name: "DiagonalScan", cols: []string{"ar", "ai"}, carries: []string{"hr", "hi"}, mats: []string{"br", "bi"}, outs: []string{"xr", "xi"},
		doc: "is the complex recurrence h = a·h + b[r] of every lane, whose values it writes to x[r]."}
	f := &g.f
	ar, ai, hr, hi := g.col("ar"), g.col("ai"), g.carry("hr"), g.carry("hi")
	xr := f.add(f.sub(f.mul(ar, hr), f.mul(ai, hi)), g.mat("br"))
	xi := f.add(f.add(f.mul(ar, hi), f.mul(ai, hr)), g.mat("bi"))
	g.next, g.write = []val{xr, xi}, []val{xr, xi}
	return g
}

func diagonalScanGrad() *grid {
	g := &grid{name: "DiagonalScanGrad", cols: []string{"ar", "ai"}, carries: []string{"gr", "gi", "dar", "dai"},
		mats: []string{"xr", "xi", "hr", "hi"}, outs: []string{"br", "bi"}, narrow: true,
		doc: "is the gradient of [DiagonalScan], rows from the last to the first: x[r] is that of the value after the\nstep, h[r] the value before it; b[r] gets that of b, dar and dai are added to; g is what later steps ask of this one."}
	f := &g.f
	ar, ai := g.col("ar"), g.col("ai")
	tr, ti := f.add(g.mat("xr"), g.carry("gr")), f.add(g.mat("xi"), g.carry("gi"))
	hr, hi := g.mat("hr"), g.mat("hi")
	g.write = []val{tr, ti}
	g.next = []val{
		f.add(f.mul(ar, tr), f.mul(ai, ti)),
		f.sub(f.mul(ar, ti), f.mul(ai, tr)),
		f.add(g.carry("dar"), f.add(f.mul(tr, hr), f.mul(ti, hi))),
		f.add(g.carry("dai"), f.sub(f.mul(ti, hr), f.mul(tr, hi))),
	}
	return g
}

// stateFiles returns the files of these kernels.
func stateFiles() []generated {
	s := newSource()
	var k constants
	var plain, fast, other bytes.Buffer
	for _, f := range stateFunctions() {
		f.exported(&plain)
		f.plain(&plain)
		f.dispatch(&fast)
		f.elsewhere(&other)
		for _, m := range machines() {
			f.assembly(s, m, &k)
		}
	}
	for _, g := range grids() {
		g.plain(&plain)
		g.dispatch(&fast)
		g.elsewhere(&other)
		for _, m := range machines() {
			g.assembly(s, m, &k)
		}
	}
	s.b.WriteByte('\n')
	k.emit(s)
	const simd = "github.com/mlfactory/mlfactory/internal/simd"
	return []generated{
		{"vec/states_amd64.s", s.b.Bytes()},
		{"vec/states.go", goFile("", []string{"math", simd}, plain.Bytes())},
		{"vec/states_amd64.go", goFile("", []string{simd}, fast.Bytes())},
		{"vec/states_other.go", goFile("//go:build !amd64\n\n", []string{simd}, other.Bytes())},
	}
}

package main

import (
	"bytes"
	"math"
	"slices"
)

// functions lists the element-wise kernels of internal/simd/vec.
func functions() []*function {
	return slices.Concat([]*function{
		exponential(), sigmoid(), tangent(), gelu(), geluGrad(), silu(), siluGrad(),
		relu(), reluGrad(), add(), mul(), mulAdd(), scale(),
		lstm(), lstmGrad(), gru(), gruGrad(), adamW(),
	}, attentionFunctions(), poolFunctions(), []*function{standardize()})
}

// exp is e^x. x is clamped to [−87.3, 88]; NaN stays NaN.
func (f *function) exp(x val) val {
	p, scale := f.power(f.max(f.num(-87.3), f.min(f.num(88), x)), 1) // in this order of operands a NaN passes
	return f.mul(p, scale)
}

// expMinus is e^−x for x ≥ 0, which needs no bound above.
func (f *function) expMinus(x val) val {
	p, scale := f.power(f.min(f.num(87.3), x), -1)
	return f.mul(p, scale)
}

// power is e^(sign·x) for sign·x in [−87.4, 88.4] in two factors: sign·x = n·ln 2 + r with |r| ≤ ln 2/2, a polynomial of degree 5 whose
// largest relative error is the least that one with value and slope 1 at 0 can have (1.05e-7; by Lawson's iteration), and 2^n.
func (f *function) power(x val, sign float64) (p, scale val) {
	const round = 12582912 + 127 // 1.5·2²³: adding it rounds to a whole number, n; the lowest bits are then those of the exponent of 2^n
	t := f.fma(x, f.num(sign*math.Log2E), f.num(round))
	n := f.sub(t, f.num(round))
	r := f.fma(n, f.num(-sign*0.693359375), x) // sign·r; the product with n is exact
	r = f.fma(n, f.num(sign*2.12194440e-4), r)
	p = f.poly(r, sign*0.008312515417816566, 0.04189020048089426, sign*0.1666711483471777, 0.4999923119909345, sign, 1)
	return p, f.shift(t)
}

// logistic is 1/(1+e^−x).
func (f *function) logistic(x val) val {
	p, scale := f.power(f.max(f.num(-88), f.min(f.num(87.3), x)), -1)
	return f.div(f.num(1), f.fma(p, scale, f.num(1)))
}

// tanh is x·P(z)/Q(z), z = x², with polynomials of degree 4. Their coefficients began as those with the least largest relative error to
// x = far (1.4e-8; by Lawson's iteration) and were moved by a few units in the last place, until the error with all roundings was
// below 3e-7. Further out z stands still, so that the quotient grows with x beyond 1, where it is cut.
func (f *function) tanh(x val) val {
	const far = 8.6
	z := f.min(f.num(far*far), f.mul(x, x))
	p := f.poly(z, 1.414665451449082e-08, 2.1171530534047633e-05, 0.003529525361955166, 0.13409557938575745, 1)
	q := f.poly(z, 8.097690624708775e-07, 0.00033412815537303686, 0.026005934923887253, 0.46742889285087585, 1)
	return f.max(f.num(-1), f.min(f.num(1), f.div(f.mul(p, x), q))) // in this order of operands a NaN passes
}

// normal is Φ(x) and φ(x) by the erfc of Abramowitz and Stegun 7.1.26, whose tail keeps its relative size.
func (f *function) normal(x val) (cdf, density val) {
	u := f.mul(f.abs(x), f.num(math.Sqrt2/2))
	t := f.div(f.num(1), f.fma(u, f.num(0.3275911), f.num(1)))
	e := f.expMinus(f.mul(u, u))
	half := f.mul(f.mul(f.poly(t, 1.061405429/2, -1.453152027/2, 1.421413741/2, -0.284496736/2, 0.254829592/2), t), e)
	return f.pick(f.less(x, f.num(0)), half, f.sub(f.num(1), half)), f.mul(e, f.num(1/math.Sqrt(2*math.Pi)))
}

func exponential() *function {
	f := &function{name: "Exp", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to e^x, with a relative error below 3e-7; x is clamped to [−87.3, 88]. x and y may be the same."}
	f.results = []val{f.exp(f.in(0))}
	return f
}

func sigmoid() *function {
	f := &function{name: "Sigmoid", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to 1/(1+e^−x), with an error below 2e-7. x and y may be the same."}
	f.results = []val{f.logistic(f.in(0))}
	return f
}

func tangent() *function {
	f := &function{name: "Tanh", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to the hyperbolic tangent of x, with a relative error below 3e-7. x and y may be\nthe same."}
	f.results = []val{f.tanh(f.in(0))}
	return f
}

func gelu() *function {
	f := &function{name: "GELU", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to x·Φ(x), the exact form with the error function (Hendrycks and Gimpel 2016), with an\nerror below 5e-7·max(1, |x|). x and y may be the same."}
	x := f.in(0)
	cdf, _ := f.normal(x)
	// the density is not asked for: its operation is left out by pruned
	f.results = []val{f.mul(x, cdf)}
	return f.pruned()
}

func geluGrad() *function {
	f := &function{name: "GELUGrad", ins: []string{"x", "dy"}, outs: []string{"dx"},
		doc: "sets dx to dy·(Φ(x) + x·φ(x)), the gradient of [GELU]. dx may be dy."}
	x, dy := f.in(0), f.in(1)
	cdf, density := f.normal(x)
	f.results = []val{f.mul(dy, f.fma(x, density, cdf))}
	return f
}

func silu() *function {
	f := &function{name: "SiLU", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to x/(1+e^−x) (Elfwing et al. 2018). x and y may be the same."}
	x := f.in(0)
	f.results = []val{f.mul(x, f.logistic(x))}
	return f
}

func siluGrad() *function {
	f := &function{name: "SiLUGrad", ins: []string{"x", "dy"}, outs: []string{"dx"},
		doc: "sets dx to dy·s·(1 + x·(1−s)) with s = 1/(1+e^−x), the gradient of [SiLU]. dx may be dy."}
	x, dy := f.in(0), f.in(1)
	s := f.logistic(x)
	f.results = []val{f.mul(dy, f.mul(s, f.fma(x, f.sub(f.num(1), s), f.num(1))))}
	return f
}

func relu() *function {
	f := &function{name: "ReLU", ins: []string{"x"}, outs: []string{"y"},
		doc: "sets y to max(x, 0); NaN stays NaN. x and y may be the same."}
	f.results = []val{f.max(f.num(0), f.in(0))}
	return f
}

func reluGrad() *function {
	f := &function{name: "ReLUGrad", ins: []string{"y", "dy"}, outs: []string{"dx"},
		doc: "sets dx to dy where y, the value of [ReLU], is positive and to 0 elsewhere. dx may be dy."}
	f.results = []val{f.pick(f.less(f.num(0), f.in(0)), f.in(1), f.num(0))}
	return f
}

func add() *function {
	f := &function{name: "Add", ins: []string{"x", "y"}, outs: []string{"z"}, doc: "sets z to x + y. z may be x or y."}
	f.results = []val{f.add(f.in(0), f.in(1))}
	return f
}

func mul() *function {
	f := &function{name: "Mul", ins: []string{"x", "y"}, outs: []string{"z"}, doc: "sets z to x·y. z may be x or y."}
	f.results = []val{f.mul(f.in(0), f.in(1))}
	return f
}

func mulAdd() *function {
	f := &function{name: "MulAdd", ins: []string{"x", "y", "z"}, outs: []string{"w"}, doc: "sets w to x·y + z. w may be any of them."}
	f.results = []val{f.add(f.mul(f.in(0), f.in(1)), f.in(2))}
	return f
}

func scale() *function {
	f := &function{name: "Scale", ins: []string{"x"}, outs: []string{"y"}, params: []string{"a"}, doc: "sets y to a·x. x and y may be the same."}
	f.results = []val{f.mul(f.in(0), f.param(0))}
	return f
}

func standardize() *function {
	f := &function{name: "Standardize", ins: []string{"x", "mean", "inv"}, outs: []string{"y"}, params: []string{"cut", "inf"},
		doc: "sets y to (x − mean)·inv between −cut and cut, and to 0 where that is NaN or infinite. inf is +Inf, and so may cut be.\ny may be x."}
	z := f.mul(f.sub(f.in(0), f.in(1)), f.in(2))
	z = f.max(f.sub(f.num(0), f.param(0)), f.min(f.param(0), z)) // in this order of operands a NaN passes
	f.results = []val{f.pick(f.less(f.abs(z), f.param(1)), z, f.num(0))}
	return f
}

// gateGrad is the gradient of a sigmoid by its value.
func (f *function) gateGrad(d, s val) val {
	e := f.mul(d, s)
	return f.fnma(e, s, e)
}

func lstm() *function {
	f := &function{name: "LSTM", ins: []string{"ai", "af", "au", "ao", "c0"}, outs: []string{"i", "f", "u", "o", "c", "t", "h"},
		doc: "is a step of the long short-term memory cell (Hochreiter and Schmidhuber 1997, with the forget gate of Gers et\nal. 2000): from the sums ai, af, au, ao that enter the gates and the cell c0 it sets i, f, o = σ, u = tanh,\nc = f·c0 + i·u, t = tanh c and h = o·t. Each gate may be the sum it comes from."}
	i, fo, g, o := f.logistic(f.in(0)), f.logistic(f.in(1)), f.tanh(f.in(2)), f.logistic(f.in(3))
	c := f.fma(fo, f.in(4), f.mul(i, g))
	t := f.tanh(c)
	f.results = []val{i, fo, g, o, c, t, f.mul(o, t)}
	return f
}

func lstmGrad() *function {
	f := &function{name: "LSTMGrad", ins: []string{"dh", "dc", "i", "f", "u", "o", "t", "c0"}, outs: []string{"di", "df", "du", "do", "dc0"},
		doc: "is the gradient of [LSTM]: from those of h and c and the values of the step it sets the gradients of the four sums\nand of c0. dc0 may be dc, and each gradient of a sum may be the gate's value."}
	dh, dc, i, fo, g, o, t, c0 := f.in(0), f.in(1), f.in(2), f.in(3), f.in(4), f.in(5), f.in(6), f.in(7)
	one := f.num(1)
	dct := f.fma(f.mul(dh, o), f.fnma(t, t, one), dc)
	f.results = []val{
		f.gateGrad(f.mul(dct, g), i),
		f.gateGrad(f.mul(dct, c0), fo),
		f.mul(f.mul(dct, i), f.fnma(g, g, one)),
		f.gateGrad(f.mul(dh, t), o),
		f.mul(dct, fo),
	}
	return f
}

func gru() *function {
	f := &function{name: "GRU", ins: []string{"ar", "az", "an", "hn", "h0"}, outs: []string{"r", "z", "n", "h"},
		doc: "is a step of the gated recurrent unit (Cho et al. 2014) in the form of PyTorch and cuDNN: r = σ(ar), z = σ(az),\nn = tanh(an + r·hn), h = (1−z)·n + z·h0, where ar and az are the sums of both inputs of a gate, an that of\nthe input and hn that of the state. r, z and n may be ar, az and an."}
	r, z := f.logistic(f.in(0)), f.logistic(f.in(1))
	n := f.tanh(f.fma(r, f.in(3), f.in(2)))
	h := f.fma(z, f.sub(f.in(4), n), n)
	f.results = []val{r, z, n, h}
	return f
}

func gruGrad() *function {
	f := &function{name: "GRUGrad", ins: []string{"dh", "r", "z", "n", "hn", "h0"}, outs: []string{"dr", "dz", "dn", "dhn", "dh0"},
		doc: "is the gradient of [GRU]: from that of h and the values of the step it sets the gradients of ar, az, an, hn and,\nas far as it does not pass through them, of h0. dr, dz, dn and dh0 may be r, z, n and dh."}
	dh, r, z, n, hn, h0 := f.in(0), f.in(1), f.in(2), f.in(3), f.in(4), f.in(5)
	one := f.num(1)
	dn := f.mul(f.fnma(dh, z, dh), f.fnma(n, n, one))
	f.results = []val{
		f.gateGrad(f.mul(dn, hn), r),
		f.gateGrad(f.mul(dh, f.sub(h0, n)), z),
		dn,
		f.mul(dn, r),
		f.mul(dh, z),
	}
	return f
}

func adamW() *function {
	f := &function{name: "AdamW", ins: []string{"w", "grad", "m", "v"}, outs: []string{"w1", "m1", "v1"},
		params: []string{"keep1", "take1", "keep2", "take2", "root", "eps", "step", "decay"},
		doc:    "is a step of AdamW (Loshchilov and Hutter 2019, algorithm 2): m1 = keep1·m + take1·grad, v1 = keep2·v + take2·grad²,\nw1 = decay·w − step·m1/(root·√v1 + eps). With step count t, keep = β, take = 1−β, root = 1/√(1−β₂ᵗ),\nstep = η/(1−β₁ᵗ) and decay = 1−η·λ. w1, m1 and v1 may be w, m and v."}
	w, g := f.in(0), f.in(1)
	m := f.add(f.mul(f.param(0), f.in(2)), f.mul(f.param(1), g))
	v := f.add(f.mul(f.param(2), f.in(3)), f.mul(f.param(3), f.mul(g, g)))
	d := f.add(f.mul(f.sqrt(v), f.param(4)), f.param(5))
	f.results = []val{f.sub(f.mul(w, f.param(7)), f.mul(f.div(m, d), f.param(6))), m, v}
	return f
}

// pruned leaves out the operations that no result needs.
func (f *function) pruned() *function {
	need := make([]bool, len(f.ops))
	for _, v := range f.results {
		need[v] = true
	}
	for i := len(f.ops) - 1; i >= 0; i-- {
		if need[i] {
			for _, v := range f.operands(f.ops[i]) {
				need[v] = true
			}
		}
	}
	place := make([]val, len(f.ops))
	var ops []op
	for i, o := range f.ops {
		if need[i] {
			place[i] = val(len(ops))
			o.a, o.b, o.c = place[o.a], place[o.b], place[o.c]
			ops = append(ops, o)
		}
	}
	f.ops = ops
	for k, v := range f.results {
		f.results[k] = place[v]
	}
	return f
}

// lanesFiles returns the files of the element-wise kernels.
func lanesFiles() []generated {
	s := newSource()
	var k constants
	var plain, fast, other bytes.Buffer
	for _, f := range functions() {
		f.exported(&plain)
		f.plain(&plain)
		f.dispatch(&fast)
		f.elsewhere(&other)
		for _, m := range machines() {
			f.assembly(s, m, &k)
		}
	}
	s.b.WriteByte('\n')
	k.emit(s)
	const simd = "github.com/mlfactory/mlfactory/internal/simd"
	return []generated{
		{"vec/lanes_amd64.s", s.b.Bytes()},
		{"vec/lanes.go", goFile("", []string{"math", simd}, plain.Bytes())},
		{"vec/lanes_amd64.go", goFile("", []string{simd}, fast.Bytes())},
		{"vec/lanes_other.go", goFile("//go:build !amd64\n\n", []string{simd}, other.Bytes())},
	}
}

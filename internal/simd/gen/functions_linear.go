package main

// The kernels of a linear layer with what comes after its product.

// geluBias keeps what the gradient needs where the product was, so that nothing is computed twice.
func geluBias() *rowFunction {
	f := &function{name: "GELUBias", ins: []string{"x", "bias"}, outs: []string{"x", "y"},
		doc: "adds bias to the rows of x, sets y to [GELU] of the sums and x to its derivative there, Φ(s) + s·φ(s), which [GELUGrad]\nmultiplies dy by. The rows of bias may all be the same one."}
	x := f.add(f.in(0), f.in(1))
	cdf, density := f.normal(x)
	f.results = []val{f.fma(x, density, cdf), f.mul(x, cdf)}
	return &rowFunction{*f, nil}
}

// biasAdd ends a residual block.
func biasAdd() *rowFunction {
	f := &function{name: "BiasAdd", ins: []string{"y", "bias", "x"}, outs: []string{"y"},
		doc: "adds bias to the rows of y and then x. The rows of bias may all be the same one."}
	f.results = []val{f.add(f.in(2), f.add(f.in(1), f.in(0)))}
	return &rowFunction{*f, nil}
}

func mulSum() *grid {
	g := &grid{name: "MulSum", carries: []string{"sum"}, mats: []string{"dy", "slope"}, outs: []string{"dy"},
		doc: "multiplies the rows of dy by those of slope and adds the products, from the first row to the last, to sum."}
	d := g.f.mul(g.mat("dy"), g.mat("slope"))
	g.next, g.write = []val{g.f.add(g.carry("sum"), d)}, []val{d}
	return g
}

package tape

import "github.com/mlfactory/mlfactory/internal/onnx"

// traceConvolution writes a causal convolution by channel: ONNX wants channels
// before steps and the oldest tap first.
func (t *Tape) traceConvolution(y, x *Tensor, kernel, bias []float32, steps int) {
	tr := t.trace
	n := x.Cols
	lags := min(len(kernel)/n, steps)
	w := make([]float32, n*lags)
	for c := range n {
		for l := range lags {
			w[c*lags+lags-1-l] = kernel[l*n+c]
		}
	}
	in := []string{tr.transpose(tr.blocks(tr.of(x), steps, n), 0, 2, 1), tr.floats(w, n, 1, lags)}
	if bias != nil {
		in = append(in, tr.floats(bias, n))
	}
	z := tr.node("Conv", in, func(d *onnx.Node) { d.Ints("pads", int64(lags-1), 0).Int("group", n) })
	tr.names[y] = tr.matrix(tr.transpose(z, 0, 2, 1), n)
}

// traceSkip adds d·x to y.
func (t *Tape) traceSkip(y, x *Tensor, d *Param) {
	if d == nil {
		return
	}
	tr := t.trace
	tr.names[y] = tr.node("Add", []string{tr.of(y), tr.node("Mul", []string{tr.of(x), tr.param(d)})})
}

// at is step s of a sequence that is seen as samples × steps × columns, as samples
// × the given further shape.
func (tr *Trace) at(sequence string, s int, shape ...int64) string {
	one := tr.node("Slice", []string{sequence, tr.ints(int64(s)), tr.ints(int64(s + 1)), tr.ints(1)})
	return tr.node("Reshape", []string{one, tr.ints(append([]int64{-1}, shape...)...)})
}

// steps puts values of the steps, samples × n each, together again.
func (tr *Trace) steps(values []string, n int) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = tr.blocks(v, 1, n)
	}
	return tr.matrix(tr.node("Concat", parts, axis(1)), n)
}

// traceSelectiveScan unrolls the steps; a is states×channels.
func (t *Tape) traceSelectiveScan(y, x, dt, b, c *Tensor, steps int, a []float32, d *Param) {
	tr := t.trace
	n, states := x.Cols, b.Cols
	delta := tr.node("Softplus", []string{tr.of(dt)})
	u := tr.blocks(tr.node("Mul", []string{delta, tr.of(x)}), steps, n)
	delta = tr.blocks(delta, steps, n)
	bs, cs := tr.blocks(tr.of(b), steps, states), tr.blocks(tr.of(c), steps, states)
	decay := tr.floats(a, 1, states, n)
	h := ""
	values := make([]string, steps)
	for s := range steps {
		next := tr.node("Mul", []string{tr.at(u, s, 1, int64(n)), tr.at(bs, s, int64(states), 1)})
		if s > 0 {
			keep := tr.node("Exp", []string{tr.node("Mul", []string{tr.at(delta, s, 1, int64(n)), decay})})
			next = tr.node("Add", []string{tr.node("Mul", []string{keep, h}), next})
		}
		h = next
		values[s] = tr.node("MatMul", []string{tr.at(cs, s, 1, int64(states)), h})
	}
	tr.names[y] = tr.steps(values, n)
	t.traceSkip(y, x, d)
}

// traceS5 unrolls the steps with real and imaginary parts side by side.
func (t *Tape) traceS5(y, x *Tensor, steps int, a, b, c []float32, d *Param) {
	tr := t.trace
	n, p := x.Cols, len(a)/2
	// [re im]·K = [re·ar − im·ai, re·ai + im·ar]
	k := make([]float32, 4*p*p)
	for j := range p {
		k[j*2*p+j], k[j*2*p+p+j] = a[j], a[p+j]
		k[(p+j)*2*p+j], k[(p+j)*2*p+p+j] = -a[p+j], a[j]
	}
	step := tr.floats(k, 2*p, 2*p)
	in := tr.node("MatMul", []string{tr.of(x), tr.transpose(tr.floats(b, 2*p, n), 1, 0)})
	in = tr.blocks(in, steps, 2*p)
	h := tr.at(in, 0, int64(2*p))
	values := []string{h}
	for s := 1; s < steps; s++ {
		h = tr.node("Add", []string{tr.node("MatMul", []string{h, step}), tr.at(in, s, int64(2*p))})
		values = append(values, h)
	}
	out := tr.node("MatMul", []string{tr.steps(values, 2*p), tr.transpose(tr.floats(c, n, 2*p), 1, 0)})
	tr.names[y] = out
	t.traceSkip(y, x, d)
}

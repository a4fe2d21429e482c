package tape

import "github.com/mlfactory/mlfactory/internal/onnx"

// The nodes of attention, gates, positions and selections.

// along sets the attribute axes, and that no dimension is kept.
func along(k int64) func(n *onnx.Node) {
	return func(n *onnx.Node) { n.Ints("axes", k).Int("keepdims", 0) }
}

func (t *Tape) traceSoftmax(y, x *Tensor) {
	t.trace.names[y] = t.trace.node("Softmax", []string{t.trace.of(x)}, axis(-1))
}

// columns are those from lo to hi−1 of the last of rank dimensions.
func (tr *Trace) columns(name string, lo, hi, rank int) string {
	return tr.node("Slice", []string{name, tr.ints(int64(lo)), tr.ints(int64(hi)), tr.ints(int64(rank - 1))})
}

// gated is the first half of the columns times an activation of the second.
func (tr *Trace) gated(x string, cols, rank int, a Activation) string {
	n := cols / 2
	return tr.node("Mul", []string{tr.columns(x, 0, n, rank), tr.activation(tr.columns(x, n, cols, rank), a)})
}

func (t *Tape) traceGate(y, x *Tensor, a Activation) {
	t.trace.names[y] = t.trace.gated(t.trace.of(x), x.Cols, 2, a)
}

// layerNorm is a layer normalisation over the last dimension.
func (tr *Trace) layerNorm(x, gain, bias string, eps float64) string {
	return tr.node("LayerNormalization", []string{x, gain, bias}, axis(-1), func(n *onnx.Node) { n.Float("epsilon", float32(eps)) })
}

func (t *Tape) traceAddGate(y, skip, z *Tensor, gain, bias *Param, eps float64) {
	tr := t.trace
	v := tr.gated(tr.of(z), z.Cols, 2, Sigmoid)
	if skip != nil {
		v = tr.node("Add", []string{tr.of(skip), v})
	}
	tr.names[y] = tr.layerNorm(v, tr.param(gain), tr.param(bias), eps)
}

// tracePeriod adds a constant of steps rows to every sample.
func (t *Tape) tracePeriod(y, x *Tensor, steps int, constant string) {
	tr := t.trace
	tr.names[y] = tr.matrix(tr.node("Add", []string{tr.blocks(tr.of(x), steps, x.Cols), constant}), x.Cols)
}

func (t *Tape) traceAddRow(y, x *Tensor, steps int, z *Tensor) {
	tr := t.trace
	tr.names[y] = tr.matrix(tr.node("Add", []string{tr.blocks(tr.of(x), steps, x.Cols), tr.blocks(tr.of(z), 1, x.Cols)}), x.Cols)
}

func (t *Tape) traceMeanSteps(y, x *Tensor, steps int) {
	tr := t.trace
	tr.names[y] = tr.node("ReduceMean", []string{tr.blocks(tr.of(x), steps, x.Cols)}, along(1))
}

// traceRotate writes x⊙cos + x'⊙sin, where x' has the partners of all columns.
func (t *Tape) traceRotate(y, x *Tensor, steps, heads, width, dim int, table []float32) {
	tr, half := t.trace, dim/2
	cos, sin, partner := make([]float32, steps*x.Cols), make([]float32, steps*x.Cols), make([]int64, x.Cols)
	for j := range partner {
		partner[j] = int64(j)
	}
	for i := range cos {
		cos[i] = 1
	}
	for h := range heads {
		for i := range half {
			lo := h*width + i
			hi := lo + half
			partner[lo], partner[hi] = int64(hi), int64(lo)
			for s := range steps {
				c, v := table[s*dim+i], table[s*dim+half+i]
				cos[s*x.Cols+lo], cos[s*x.Cols+hi] = c, c
				sin[s*x.Cols+lo], sin[s*x.Cols+hi] = -v, v
			}
		}
	}
	b := tr.blocks(tr.of(x), steps, x.Cols)
	other := tr.node("Gather", []string{b, tr.ints(partner...)}, axis(2))
	sum := tr.node("Add", []string{
		tr.node("Mul", []string{b, tr.floats(cos, steps, x.Cols)}),
		tr.node("Mul", []string{other, tr.floats(sin, steps, x.Cols)}),
	})
	tr.names[y] = tr.matrix(sum, x.Cols)
}

// traceHeads is an operand as samples × heads × steps × dim, or with the last two
// dimensions swapped; one head where all have the same columns.
func (tr *Trace) traceHeads(o Heads, heads, steps int, swapped bool) string {
	if o.Stride == 0 {
		heads = 1
	}
	part := tr.columns(tr.of(o.X), o.From, o.From+heads*o.Dim, 2)
	all := tr.node("Reshape", []string{part, tr.ints(-1, int64(steps), int64(heads), int64(o.Dim))})
	if swapped {
		return tr.transpose(all, 0, 2, 3, 1)
	}
	return tr.transpose(all, 0, 2, 1, 3)
}

// traceAttend writes attention; start is bias and mask, divided by the scale, one
// row a key and ld values apart.
func (t *Tape) traceAttend(y *Tensor, a *Attention, start []float32, ld int, scale float32) {
	tr := t.trace
	for _, o := range []Heads{a.Q, a.K, a.V} {
		if o.Stride != 0 && o.Stride != o.Dim {
			return // no network has such heads
		}
	}
	nq, nk := a.QuerySteps, a.KeySteps
	score := tr.node("MatMul", []string{tr.traceHeads(a.Q, a.Heads, nq, false), tr.traceHeads(a.K, a.Heads, nk, true)})
	if start != nil {
		bias := make([]float32, a.Heads*nq*nk)
		for h := range a.Heads {
			for j := range nk {
				for i := range nq {
					bias[(h*nq+i)*nk+j] = start[(h*nk+j)*ld+i]
				}
			}
		}
		score = tr.node("Add", []string{score, tr.floats(bias, a.Heads, nq, nk)})
	}
	p := tr.node("Softmax", []string{tr.node("Mul", []string{score, tr.floats([]float32{scale})})}, axis(-1))
	if a.Mean {
		p = tr.node("ReduceMean", []string{p}, func(n *onnx.Node) { n.Ints("axes", 1) })
	}
	out := tr.node("MatMul", []string{p, tr.traceHeads(a.V, a.Heads, nk, false)})
	tr.names[y] = tr.matrix(tr.transpose(out, 0, 2, 1, 3), y.Cols)
}

func (t *Tape) traceEmbeddedLinear(y, x *Tensor, slope, offset []float32) {
	tr := t.trace
	out := len(offset)
	name := tr.node("MatMul", []string{tr.of(x), tr.floats(slope, x.Cols, out)})
	tr.names[y] = tr.node("Add", []string{name, tr.floats(offset, out)})
}

// traceSelect writes the networks of all variables at once: variables × rows × d.
func (t *Tape) traceSelect(y, x, share *Tensor, v *Variables, eps float64) {
	tr := t.trace
	vars, d := x.Cols, y.Cols
	byVariable := func(m *Tensor) string {
		return tr.node("Reshape", []string{tr.transpose(tr.of(m), 1, 0), tr.ints(int64(vars), -1, 1)})
	}
	row := func(p *Param, n int) string {
		return tr.node("Reshape", []string{tr.param(p), tr.ints(int64(vars), 1, int64(n))})
	}
	layer := func(z string, w, b *Param, n int) string {
		return tr.node("Add", []string{tr.node("MatMul", []string{z, tr.transpose(tr.param(w), 0, 2, 1)}), row(b, n)})
	}
	e := tr.node("Add", []string{tr.node("Mul", []string{byVariable(x), row(v.Embed, d)}), row(v.EmbedBias, d)})
	z := layer(tr.node("Elu", []string{layer(e, v.Fc1, v.Fc1Bias, d)}), v.Fc2, v.Fc2Bias, d)
	z = tr.gated(layer(z, v.Gate, v.GateBias, 2*d), 2*d, 3, Sigmoid)
	ones := make([]float32, d)
	for j := range ones {
		ones[j] = 1
	}
	z = tr.layerNorm(tr.node("Add", []string{e, z}), tr.floats(ones, d), tr.floats(make([]float32, d), d), eps)
	z = tr.node("Add", []string{tr.node("Mul", []string{z, row(v.Gain, d)}), row(v.Bias, d)})
	z = tr.node("Mul", []string{z, byVariable(share)})
	tr.names[y] = tr.node("ReduceSum", []string{z, tr.ints(0)}, func(n *onnx.Node) { n.Int("keepdims", 0) })
}

// traceLSTMFrom writes the layer with its first state.
func (t *Tape) traceLSTMFrom(y, last, x *Tensor, steps int, l *Recurrent, h0, c0 *Tensor) {
	tr := t.trace
	n := y.Cols
	gates := func(p *Param) []float32 { // ONNX orders them i o f g
		size := len(p.Value) / 4
		out := make([]float32, 0, len(p.Value))
		for _, k := range []int{0, 3, 1, 2} {
			out = append(out, p.Value[k*size:(k+1)*size]...)
		}
		return out
	}
	state := func(z *Tensor) string {
		return tr.node("Reshape", []string{tr.of(z), tr.ints(1, -1, int64(n))})
	}
	out, cells := tr.fresh("LSTM"), tr.fresh("LSTM")
	tr.graph.Node("LSTM", []string{
		tr.transpose(tr.blocks(tr.of(x), steps, x.Cols), 1, 0, 2),
		tr.floats(gates(l.InputWeight), 1, 4*n, x.Cols),
		tr.floats(gates(l.HiddenWeight), 1, 4*n, n),
		tr.floats(append(gates(l.InputBias), gates(l.HiddenBias)...), 1, 8*n),
		"", state(h0), state(c0),
	}, []string{out, "", cells}).Int("hidden_size", n)
	tr.names[y] = tr.matrix(tr.transpose(out, 2, 0, 1, 3), n)
	tr.names[last] = tr.matrix(cells, n)
}

func (t *Tape) traceJoin(y, x *Tensor, steps int, z *Tensor, more int) {
	tr := t.trace
	tr.names[y] = tr.matrix(tr.node("Concat", []string{tr.blocks(tr.of(x), steps, x.Cols), tr.blocks(tr.of(z), more, x.Cols)}, axis(1)), x.Cols)
}
